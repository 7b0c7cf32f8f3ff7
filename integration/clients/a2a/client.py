"""An agent that sends another agent one message, made with the official A2A SDK.

Arguments: the proxy's address, the other agent's host, a token, the binding
(JSONRPC or HTTP+JSON) and the path. It prints one line: {"card", "text"} or
{"error"}.
"""

import asyncio
import json
import sys

import httpx
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.client import ClientConfig
from a2a.client.client_factory import ClientFactory, minimal_agent_card
from a2a.types.a2a_pb2 import Message, Part, Role, SendMessageRequest


async def main(proxy, host, token, binding, path):
    headers = {"authorization": f"Bearer {token}", "host": host}
    async with httpx.AsyncClient(headers=headers, timeout=30) as http:
        try:
            card = await A2ACardResolver(http, f"http://{proxy}").get_agent_card()
            config = ClientConfig(httpx_client=http, streaming=False, supported_protocol_bindings=[binding])
            client = ClientFactory(config).create(minimal_agent_card(f"http://{proxy}{path}", [binding]))
            message = Message(message_id="m1", role=Role.ROLE_USER, parts=[Part(text="what is new about T-7?")])
            text = ""
            async for event in client.send_message(SendMessageRequest(message=message)):
                text += "".join(part.text for part in event.message.parts)
            return {"card": card.name, "text": text}
        except Exception as error:  # whatever the SDK shows its caller
            return {"error": f"{type(error).__name__}: {error}"}


print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
