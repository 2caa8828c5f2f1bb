"""A small Jetstream server for tests: speaks the wire, on a free port of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

NOW = 1_760_000_000_000_000
"""A cursor: Unix microseconds."""

DID = "did:plc:writer"

Script = Callable[[web.WebSocketResponse, web.Request], Awaitable[None]]


class Jetstream:
    """Runs one script a connection; the last one also for all that come later."""

    def __init__(self, *scripts: Script, refuse: int | None = None) -> None:
        self._scripts = scripts
        self._refuse = refuse
        self.queries: list[dict[str, str]] = []

    async def __aenter__(self) -> Jetstream:
        app = web.Application()
        app.router.add_get("/subscribe", self._subscribe)
        self._server = TestServer(app)
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("/subscribe")).replace("http://", "ws://")

    async def _subscribe(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        if self._refuse is not None:
            return web.Response(status=self._refuse)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        script = self._scripts[min(len(self.queries), len(self._scripts)) - 1]
        await script(socket, request)
        return socket


def sends(*frames: dict[str, Any] | str | bytes, then_drop: bool = False) -> Script:
    """A script: send these frames, then drop the connection, or keep it open and read on."""

    async def script(socket: web.WebSocketResponse, request: web.Request) -> None:
        for frame in frames:
            if isinstance(frame, bytes):
                await socket.send_bytes(frame)
            else:
                await socket.send_str(frame if isinstance(frame, str) else orjson.dumps(frame).decode())
        if then_drop:
            assert request.transport is not None
            request.transport.close()
            return
        async for message in socket:
            if message.type is web.WSMsgType.PING:
                await socket.pong(message.data)

    return script


async def never_answers(socket: web.WebSocketResponse, request: web.Request) -> None:
    """A script: neither frames nor pongs, like a machine that has gone."""
    await asyncio.Event().wait()


def commit(rkey: str, at: int = NOW, operation: str = "create", **record: Any) -> dict[str, Any]:
    """An event about a post."""
    body: dict[str, Any] = {
        "rev": "3lrev",
        "operation": operation,
        "collection": "app.bsky.feed.post",
        "rkey": rkey,
    }
    if operation != "delete":
        body["cid"] = "bafyreipost"
        body["record"] = {
            "$type": "app.bsky.feed.post",
            "text": f"post {rkey}",
            "createdAt": "2026-11-21T06:00:00.000Z",
            **record,
        }
    return {"did": DID, "time_us": at, "kind": "commit", "commit": body}


def blob(cid: str, mime: str = "image/jpeg", size: int = 1234) -> dict[str, Any]:
    """A blob as it stands in a record."""
    return {"$type": "blob", "ref": {"$link": cid}, "mimeType": mime, "size": size}
