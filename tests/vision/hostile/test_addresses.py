"""No URL, redirect or name server makes this process talk to its own machine or its neighbours."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from streamproc.errors import FetchFailed, FetchRefused
from streamproc.vision.fetching.addresses import is_public
from streamproc.vision.fetching.fetch import Fetched, Fetcher, FetchLimits
from tests.vision.hostile.urls import NAMES, PRIVATE, REBOUND, REDIRECTS, REFUSED
from tests.vision.http_server import Request, http_server

HERE = "127.0.0.1"


class Names(AbstractResolver):
    """A name server: the next answer for a name at each question, the last one again and again."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = {name: [addresses] for name, addresses in NAMES.items()} | answers
        self.questions: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.questions.append(host)
        if host not in self._answers:
            raise OSError("no such name")
        answers = self._answers[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None: ...


@pytest.fixture
async def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Addresses that the event loop was asked to connect to."""
    loop = asyncio.get_running_loop()
    addresses: list[Any] = []
    connect = loop.sock_connect

    async def sock_connect(sock: socket.socket, address: Any) -> None:
        addresses.append(address[:2])
        await connect(sock, address)

    monkeypatch.setattr(loop, "sock_connect", sock_connect)
    return addresses


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(FetchLimits(per_host_rate=1e6), resolver=Names())
    yield fetcher
    await fetcher.close()


@pytest.mark.parametrize("url", REFUSED)
async def test_a_url_is_refused_for_what_it_is(fetcher: Fetcher, connected: list[Any], url: str) -> None:
    with pytest.raises((FetchRefused, FetchFailed), match=REFUSED[url]) as refused:
        await fetcher.fetch(url)
    assert "cannot be resolved" in REFUSED[url] or refused.type is FetchRefused
    assert connected == []


@pytest.mark.parametrize("name", REBOUND)
async def test_a_name_that_leads_inside_is_refused(
    fetcher: Fetcher, connected: list[Any], name: str
) -> None:
    with pytest.raises(FetchRefused, match=f"^{name} .*{PRIVATE}"):
        await fetcher.fetch(f"http://{name}/x.png")
    assert connected == []


def fetcher_for(port: int, names: Names) -> Fetcher:
    """Permits one address of this machine, which stands for the public internet."""
    return Fetcher(
        FetchLimits(ports=frozenset({port}), per_host_rate=1e6),
        resolver=names,
        permits=lambda address: address == ip_address(HERE) or is_public(address),
    )


@pytest.mark.parametrize("target", REDIRECTS)
async def test_a_redirect_is_checked_as_its_first_url_was(connected: list[Any], target: str) -> None:
    async def answer(request: Request) -> None:
        head = f"HTTP/1.1 302 Found\r\nLocation: {target.format(port=server.port)}\r\n\r\n"
        await request.send(head.encode())

    async with http_server(answer) as server:
        names = Names(localhost=[["127.0.0.2"]])
        fetcher = fetcher_for(server.port, names)
        with pytest.raises(FetchRefused):
            await fetcher.fetch(server.url())
        await fetcher.close()
        assert connected == [(HERE, server.port)]


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to(connected: list[Any]) -> None:
    """The name server would say something else if it was asked again."""

    async def answer(request: Request) -> None:
        await request.reply(b"picture")

    async with http_server(answer) as server:
        names = Names(**{"rebinding.example": [[HERE], ["10.0.0.7"]]})
        fetcher = fetcher_for(server.port, names)
        answered = await fetcher.fetch(server.url(host="rebinding.example"))
        assert isinstance(answered, Fetched)
        assert names.questions == ["rebinding.example"]
        assert connected == [(HERE, server.port)]
        await fetcher.close()


async def test_a_name_that_changes_between_two_connections_is_checked_again(connected: list[Any]) -> None:
    async def answer(request: Request) -> None:
        await request.reply(b"picture")

    async with http_server(answer) as server, http_server(answer) as other:
        names = Names(**{"rebinding.example": [[HERE], ["10.0.0.7"]]})
        fetcher = Fetcher(
            FetchLimits(ports=frozenset({server.port, other.port}), per_host_rate=1e6),
            resolver=names,
            permits=lambda address: address == ip_address(HERE),
        )
        await fetcher.fetch(server.url(host="rebinding.example"))
        with pytest.raises(FetchRefused, match=r"rebinding\.example \(10\.0\.0\.7\)"):
            await fetcher.fetch(other.url(host="rebinding.example"))
        assert connected == [(HERE, server.port)]
        await fetcher.close()


@pytest.mark.parametrize("addresses", [["no address"], [""], []])
async def test_a_name_server_that_answers_with_no_address_fails(
    connected: list[Any], addresses: list[str]
) -> None:
    fetcher = Fetcher(resolver=Names(**{"odd.example": [addresses]}))
    with pytest.raises(FetchFailed, match=r"^odd\.example: "):
        await fetcher.fetch("http://odd.example/")
    await fetcher.close()
    assert connected == []
