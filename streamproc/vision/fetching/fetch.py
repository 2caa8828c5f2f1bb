"""Fetching pictures: `http(s):` from public addresses, `data:`, and `file:` where a command says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from streamproc import __version__
from streamproc.errors import FetchFailed, FetchRefused
from streamproc.vision.fetching.addresses import (
    AddressRule,
    CheckedResolver,
    any_address,
    check_address,
    is_public,
    literal_address,
)
from streamproc.vision.fetching.body import read_body
from streamproc.vision.fetching.conditions import Fetched, NotModified, conditions, fetched, retry_after_s
from streamproc.vision.fetching.hosts import Hosts
from streamproc.vision.fetching.inline import read_data_url, read_file_url
from streamproc.vision.fetching.names import NameResolver

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_BUSY: Final = frozenset({429, 503})
_URL_CHARS: Final = 8_192
USER_AGENT: Final = (
    f"streamproc/{__version__} (looks at pictures of public posts; vision.user_agent names an operator)"
)
"""Who asks, as long as the settings do not say how its operator is reached."""

__all__ = ["USER_AGENT", "FetchLimits", "Fetched", "Fetcher", "NotModified"]


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
        per_host_rate: requests to one host in a second, evenly spaced; further ones wait.
        allow_data: read `data:` URLs.
        allow_private: connect to any address and port; for tests on loopback.
    """

    max_bytes: int = 10_000_000
    total_s: float = 10.0
    first_byte_s: float = 5.0
    max_redirects: int = 3
    ports: frozenset[int] = frozenset({80, 443})
    per_host: int = 4
    per_host_rate: float = 10.0
    allow_data: bool = True
    allow_private: bool = False


class Fetcher:
    """Fetches the bytes behind a URL.

    Args:
        limits: what one fetch may take.
        file_root: the folder below which `file:` URLs are read; without it they are refused.
        resolver: asks the name servers; aiohttp's own by default.
        permits: the rule for addresses; by default what `limits.allow_private` says.
        user_agent: who asks, and how its operator is reached.
    """

    def __init__(
        self,
        limits: FetchLimits | None = None,
        *,
        file_root: Path | None = None,
        resolver: AbstractResolver | None = None,
        permits: AddressRule | None = None,
        user_agent: str | None = None,
    ) -> None:
        self.limits = limits or FetchLimits()
        self._file_root = file_root
        self._resolver = resolver
        self._permits = permits or (any_address if self.limits.allow_private else is_public)
        self._user_agent = user_agent or USER_AGENT
        self._hosts = Hosts(self.limits.per_host, self.limits.per_host_rate)
        self._session: aiohttp.ClientSession | None = None

    async def fetch(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None
    ) -> Fetched | NotModified:
        """The file that a URL names.

        Args:
            url: the URL.
            etag: as the server gave it with what is known already.
            last_modified: likewise.

        Returns:
            The file; `NotModified` only where a condition was given and the server says so.

        Raises:
            FetchRefused: an address, scheme, port or folder that is not connected to or read.
            FetchFailed: not there, too slow, not what the protocol says, or its server wants to be
                left alone for a while.
            PictureTooLarge: more bytes than the limit.
        """
        scheme = url.partition(":")[0].lower()
        if scheme == "data":
            if not self.limits.allow_data:
                raise FetchRefused("data: URLs are not read here (vision.data_urls is off)")
            return Fetched(await asyncio.to_thread(read_data_url, url, self.limits.max_bytes))
        if scheme == "file":
            read = asyncio.to_thread(read_file_url, url, self._file_root, self.limits.max_bytes)
            return Fetched(await read)
        if scheme not in {"http", "https"}:
            raise FetchRefused("only http:, https: and data: URLs are fetched")
        if len(url) > _URL_CHARS:
            raise FetchRefused(f"the URL is longer than {_URL_CHARS} characters")
        return await self._fetch_http(_parse(url), conditions(etag, last_modified))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _fetch_http(self, url: URL, headers: Mapping[str, str]) -> Fetched | NotModified:
        seconds = self.limits.total_s
        for redirects in range(self.limits.max_redirects + 1):
            host = self._check(url)
            async with self._hosts.turn(host):
                started = monotonic()
                answer = await self._get(url, host, headers, seconds)
                seconds -= monotonic() - started
            if isinstance(answer, Fetched) and redirects:
                # Its marks are the last address's: another one may answer to them for another picture.
                return Fetched(answer.data)
            if not isinstance(answer, URL):
                return answer
            url, headers = answer, {}
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

    async def _get(
        self, url: URL, host: str, headers: Mapping[str, str], seconds: float
    ) -> Fetched | NotModified | URL:
        """One request: the picture, or where it has moved to."""
        try:
            async with asyncio.timeout(seconds):
                answer = await self._request(url, host, headers)
            self._hosts.answered(host)
            return answer
        except TimeoutError:
            self._hosts.silent(host)
            raise FetchFailed(f"{host} took longer than {self.limits.total_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchFailed(f"{host}: {_describe(error)}") from None

    async def _request(
        self, url: URL, host: str, headers: Mapping[str, str]
    ) -> Fetched | NotModified | URL:
        request = self._open_session().get(url, headers=headers, allow_redirects=False)
        try:
            async with asyncio.timeout(self.limits.first_byte_s):
                response = await request
        except TimeoutError:
            self._hosts.silent(host)
            raise FetchFailed(f"{host} did not answer in {self.limits.first_byte_s:g} s") from None
        try:
            if response.status in _REDIRECTS:
                return url.join(_parse(_location(response, host)))
            if response.status == 304 and headers:
                return NotModified()
            if response.status != 200:
                raise self._failed(response, host)
            return fetched(await read_body(response, host, self.limits.max_bytes), response.headers)
        finally:
            # Gives the connection back when the body was read to its end, drops it otherwise.
            response.release()

    def _failed(self, response: aiohttp.ClientResponse, host: str) -> FetchFailed:
        """The failure, and the host left alone where it asks for that."""
        seconds = retry_after_s(response.headers) if response.status in _BUSY else None
        if seconds is not None:
            seconds = self._hosts.rest(host, seconds)
        return FetchFailed(f"{host} answered {response.status}", retry_after_s=seconds)

    def _open_session(self) -> aiohttp.ClientSession:
        """Opened at the first fetch, because it belongs to the running event loop."""
        if self._session is None:
            inner = self._resolver or NameResolver()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=CheckedResolver(inner, self._permits), limit=0, ttl_dns_cache=30
                ),
                headers={
                    "User-Agent": self._user_agent,
                    "Accept": "image/*",
                    "Accept-Encoding": "identity",
                },
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
            )
        return self._session


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
