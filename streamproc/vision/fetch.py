"""Fetching pictures: `http(s):` from public addresses, `data:`, and `file:` where a command says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from streamproc import __version__
from streamproc.errors import FetchFailed, FetchRefused
from streamproc.vision.addresses import (
    AddressRule,
    CheckedResolver,
    any_address,
    check_address,
    is_public,
    literal_address,
)
from streamproc.vision.body import read_body
from streamproc.vision.inline import read_data_url, read_file_url

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_URL_CHARS: Final = 8_192
_HEADERS: Final = {
    "User-Agent": f"streamproc/{__version__} (fetches pictures of posts)",
    "Accept": "image/*",
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What one fetch may take.

    Attributes:
        max_bytes: size of a picture's file, after any content encoding is taken off.
        total_s: time for one picture, redirects included, from the moment it has its turn.
        first_byte_s: time until the headers of each answer are there.
        max_redirects: how many redirects are followed.
        ports: what may be connected to.
        per_host: connections to one host at a time; further fetches wait their turn.
        allow_private: connect to any address and port; for tests on loopback.
    """

    max_bytes: int = 10_000_000
    total_s: float = 10.0
    first_byte_s: float = 5.0
    max_redirects: int = 3
    ports: frozenset[int] = frozenset({80, 443})
    per_host: int = 4
    allow_private: bool = False


class Fetcher:
    """Fetches the bytes behind a URL.

    Args:
        limits: what one fetch may take.
        file_root: the folder below which `file:` URLs are read; without it they are refused.
        resolver: asks the name servers; aiohttp's own by default.
        permits: the rule for addresses; by default what `limits.allow_private` says.
    """

    def __init__(
        self,
        limits: FetchLimits | None = None,
        *,
        file_root: Path | None = None,
        resolver: AbstractResolver | None = None,
        permits: AddressRule | None = None,
    ) -> None:
        self.limits = limits or FetchLimits()
        self._file_root = file_root
        self._resolver = resolver
        self._permits = permits or (any_address if self.limits.allow_private else is_public)
        self._turns: dict[str, _Turns] = {}
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str) -> bytes:
        """The file that a URL names.

        Raises:
            FetchRefused: an address, scheme, port or folder that is not connected to or read.
            FetchFailed: not there, too slow, or not what the protocol says.
            PictureTooLarge: more bytes than the limit.
        """
        scheme = url.partition(":")[0].lower()
        if scheme == "data":
            return await asyncio.to_thread(read_data_url, url, self.limits.max_bytes)
        if scheme == "file":
            return await asyncio.to_thread(read_file_url, url, self._file_root, self.limits.max_bytes)
        if scheme not in {"http", "https"}:
            raise FetchRefused("only http:, https: and data: URLs are fetched")
        if len(url) > _URL_CHARS:
            raise FetchRefused(f"the URL is longer than {_URL_CHARS} characters")
        return await self._fetch_http(_parse(url))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _fetch_http(self, url: URL) -> bytes:
        seconds = self.limits.total_s
        for _ in range(self.limits.max_redirects + 1):
            host = self._check(url)
            async with self._turn(host):
                started = monotonic()
                answer = await self._get(url, host, seconds)
                seconds -= monotonic() - started
            if isinstance(answer, bytes):
                return answer
            url = answer
        raise FetchFailed(f"{host} redirects more than {self.limits.max_redirects} times")

    def _check(self, url: URL) -> str:
        """The host of a URL that may be asked, as far as that shows before its name is resolved."""
        host = url.raw_host
        if not host:
            raise FetchRefused("the URL names no host")
        address = literal_address(host)
        if address is not None:
            check_address(host, address, self._permits)
        if url.raw_user is not None or url.raw_password is not None:
            raise FetchRefused(f"the URL carries credentials for {host}")
        if url.port not in self.limits.ports and not self.limits.allow_private:
            raise FetchRefused(f"{host}: port {url.port} is not one that pictures are fetched from")
        return host

    async def _get(self, url: URL, host: str, seconds: float) -> bytes | URL:
        """One request: the picture, or where it has moved to."""
        try:
            async with asyncio.timeout(seconds):
                return await self._request(url, host)
        except TimeoutError:
            raise FetchFailed(f"{host} took longer than {self.limits.total_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchFailed(f"{host}: {_describe(error)}") from None

    async def _request(self, url: URL, host: str) -> bytes | URL:
        request = self._open_session().get(url, allow_redirects=False)
        try:
            async with asyncio.timeout(self.limits.first_byte_s):
                response = await request
        except TimeoutError:
            raise FetchFailed(f"{host} did not answer in {self.limits.first_byte_s:g} s") from None
        try:
            if response.status in _REDIRECTS:
                return url.join(_parse(_location(response, host)))
            if response.status != 200:
                raise FetchFailed(f"{host} answered {response.status}")
            return await read_body(response, host, self.limits.max_bytes)
        finally:
            # Gives the connection back when the body was read to its end, drops it otherwise.
            response.release()

    def _open_session(self) -> aiohttp.ClientSession:
        """Opened at the first fetch, because it belongs to the running event loop."""
        if self._session is None:
            inner = self._resolver or aiohttp.resolver.DefaultResolver()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=CheckedResolver(inner, self._permits), limit=0, ttl_dns_cache=30
                ),
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
            )
        return self._session

    @asynccontextmanager
    async def _turn(self, host: str) -> AsyncIterator[None]:
        """At most `per_host` at a time; the clock of a fetch starts when it has its turn."""
        turns = self._turns.setdefault(host, _Turns(asyncio.Semaphore(self.limits.per_host)))
        turns.users += 1
        try:
            async with turns.semaphore:
                yield
        finally:
            turns.users -= 1
            if not turns.users:
                del self._turns[host]


@dataclass(slots=True)
class _Turns:
    semaphore: asyncio.Semaphore
    users: int = 0


def _location(response: aiohttp.ClientResponse, host: str) -> str:
    location = response.headers.get("Location", "").strip()
    if not location:
        raise FetchFailed(f"{host} redirects without saying where")
    return location


def _parse(url: str) -> URL:
    try:
        return URL(url)
    except ValueError:
        # The parser's own words may quote the URL, with what it carries.
        raise FetchRefused("the URL cannot be read") from None


def _describe(error: Exception) -> str:
    """What happened, without the URL that aiohttp puts into many messages."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the name cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "TLS failed"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the body ends early"
    return f"the answer cannot be read ({type(error).__name__})"
