// An agent made with the official MCP SDK for TypeScript.
//
// It reads one command a line from its standard input and answers each with one
// line: {"text", "is_error", "tools", "revision", "error"}. Its tokens are kept
// the way the SDK keeps them, by an OAuth provider, so that a client that is
// told to log in begins to.
import { createInterface } from "node:readline";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

// What the agent's earlier login left: a token, and nothing to renew it.
function stored(token) {
  return {
    redirectUrl: "http://127.0.0.1:1/callback",
    clientMetadata: { client_name: "agent", redirect_uris: ["http://127.0.0.1:1/callback"] },
    clientInformation: () => undefined,
    saveClientInformation: () => {},
    tokens: () => ({ access_token: token, token_type: "Bearer" }),
    saveTokens: () => {},
    redirectToAuthorization: () => {},
    saveCodeVerifier: () => {},
    codeVerifier: () => "",
  };
}

const clients = new Map(); // by name

const commands = {
  async connect({ on, url, token }) {
    const client = new Client({ name: "agent", version: "1.0.0" });
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: stored(token) });
    await client.connect(transport);
    clients.set(on, client);
    return { revision: transport.protocolVersion };
  },
  async tools({ on }) {
    return { tools: (await clients.get(on).listTools()).tools.length };
  },
  async call({ on, tool, arguments: given }) {
    const result = await clients.get(on).callTool({ name: tool, arguments: given });
    const text = result.content.filter((part) => part.type === "text").map((part) => part.text).join(" ");
    return { text, is_error: Boolean(result.isError) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    answer = await commands[command.do](command);
  } catch (error) {
    answer = { error: `${error.name}: ${error.message}` };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit(0);
