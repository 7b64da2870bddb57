"""Requests to an application in this process, without a server."""

import asyncio
import json
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What came back."""

    status_code: int
    headers: dict[str, str]
    text: str


class Client:
    """Sends requests as a browser would to a name of this machine."""

    def __init__(self, app: Any, host: str = "127.0.0.1:7860"):
        self.app, self.host = app, host

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return self._send("GET", path, b"", headers or {})

    def post(self, path: str, content: Any, headers: dict[str, str] | None = None) -> Answer:
        """Sends bytes as they are, anything else as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        named = {"Content-Type": "application/json"} | (headers or {})
        return self._send("POST", path, body, named)

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        named = {"Host": self.host} | headers
        scope = {
            **{"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}},
            **{"http_version": "1.1", "method": method, "scheme": "http", "root_path": ""},
            **{"path": path, "raw_path": path.encode(), "query_string": b""},
            "headers": [(k.lower().encode(), v.encode()) for k, v in named.items()],
        }
        sent = []

        async def talk() -> None:
            requests = [{"type": "http.request", "body": body, "more_body": False}]

            async def receive() -> dict:
                if requests:
                    return requests.pop()
                await asyncio.Event().wait()  # it stays until the answer is there
                raise AssertionError

            async def send(message: dict) -> None:
                sent.append(message)

            await self.app(scope, receive, send)

        asyncio.run(talk())
        start, *parts = sent
        result = {k.decode(): v.decode() for k, v in start["headers"]}
        text = b"".join(part.get("body", b"") for part in parts).decode()
        return Answer(start["status"], result, text)
