"""Asking name servers in threads of its own: a name that takes long keeps nothing else waiting."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

_THREADS: Final = 16


class NameResolver(AbstractResolver):
    """The system's resolver. Threads that wait for a dead name server are none of the loop's own."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of a host.

        Raises:
            OSError: it has none, or they cannot be asked for.
        """
        ask = partial(
            socket.getaddrinfo,
            host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG,
        )  # fmt: skip
        found = await asyncio.get_running_loop().run_in_executor(self._executor, ask)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Ask for nothing more; who is still waiting is left to it."""
        self._executor.shutdown(wait=False, cancel_futures=True)
