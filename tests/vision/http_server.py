"""A loopback HTTP server that says exactly what a test tells it to, true or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[["Request"], Awaitable[None]]


@dataclass
class Request:
    """One request: its path and headers, and the connection to answer on."""

    path: str
    headers: dict[str, str]
    writer: asyncio.StreamWriter
    reader: asyncio.StreamReader

    async def gone(self, within_s: float | None = None) -> bool:
        """Whether who asks hangs up, within so many seconds."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(self.reader.read(1), within_s) == b""
        return False

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, body: bytes = b"", status: str = "200 OK", **headers: str) -> None:
        """A whole, honest answer, except for the headers given here."""
        lines = {"Content-Length": str(len(body)), "Connection": "close"}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        await self.send(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)


@dataclass
class Server:
    port: int
    requests: list[Request] = field(default_factory=list)

    def url(self, path: str = "/picture.png", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


@asynccontextmanager
async def http_server(answer: Answer) -> AsyncIterator[Server]:
    """Serve on a free port; every connection carries one request."""
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            request = Request(head[0].split(" ")[1], headers, writer, reader)
            server.requests.append(request)
            await answer(request)
        writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    server = Server(listener.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listener.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
