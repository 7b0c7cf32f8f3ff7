"""An agent made with the official MCP SDK for Python.

It reads one command a line from its standard input and answers each with one
line: {"text", "is_error", "tools", "revision", "error"}. Its tokens are kept
the way the SDK keeps them, by an OAuth provider, so that a client that is told
to log in begins to.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata, OAuthToken


class Stored:
    """What the agent's earlier login left: a token, and nothing to renew it."""

    def __init__(self, token):
        self.token = OAuthToken(access_token=token, token_type="Bearer")

    async def get_tokens(self):
        return self.token

    async def set_tokens(self, tokens):
        self.token = tokens

    async def get_client_info(self):
        return None

    async def set_client_info(self, client_info):
        pass


class Agent:
    """Connections by name; they end together with the process."""

    def __init__(self, ends):
        self.ends = ends
        self.clients = {}

    async def connect(self, command):
        login = OAuthClientProvider(
            server_url=command["url"],
            client_metadata=OAuthClientMetadata(client_name="agent", redirect_uris=["http://127.0.0.1:1/callback"]),
            storage=Stored(command["token"]),
        )
        http = await self.ends.enter_async_context(httpx2.AsyncClient(auth=login, timeout=30))
        # A revision from before 2026-07-28 is what the server answers the handshake with.
        mode = "auto" if command["revision"] >= "2026-07-28" else "legacy"
        transport = streamable_http_client(command["url"], http_client=http)
        client = await self.ends.enter_async_context(Client(transport, mode=mode))
        self.clients[command["on"]] = client
        return {"revision": client.protocol_version}

    async def tools(self, command):
        listed = await self.clients[command["on"]].list_tools()
        return {"tools": len(listed.tools)}

    async def call(self, command):
        result = await self.clients[command["on"]].call_tool(command["tool"], command["arguments"])
        text = " ".join(part.text for part in result.content if part.type == "text")
        return {"text": text, "is_error": bool(result.is_error)}


async def main():
    async with AsyncExitStack() as ends:
        agent = Agent(ends)
        while line := await asyncio.to_thread(sys.stdin.readline):
            command = json.loads(line)
            try:
                answer = await getattr(agent, command["do"])(command)
            except Exception as error:
                answer = {"error": "; ".join(words(error))}
            print(json.dumps(answer), flush=True)


def words(error):
    """What an error and those it holds say, as a model would be shown it."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from words(inner)
    else:
        yield f"{type(error).__name__}: {error}"


asyncio.run(main())
