"""Only addresses of the public internet, in their plain form, are connected to."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yarl import URL

from streamproc.errors import FetchFailed, FetchRefused
from streamproc.vision.fetching.addresses import CheckedResolver, is_public, literal_address
from streamproc.vision.fetching.fetch import Fetched, Fetcher

PUBLIC = ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]
NOT_PUBLIC = [
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254"),
    *("168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1"),
    *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1"),
    *("ff02::1", "2001:db8::1", "3fff::1", "100::1", "4000::1", "5f00::1", "2001::1"),
    # A v4 address in a v6 one: mapped, compatible, 6to4, NAT64.
    *("::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1"),
    *("64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "::ffff:0:127.0.0.1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_permitted(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_every_other_address_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "0x7f000001", "0X7F.1", "017700000001", "0177.0.0.1", "127.1", "127.0.1"),
        *("127.0.0.1.", "1.1.1", "0x7f.0.0.1", "1.2.3.0x4", "256.1.1.1", "1.2.3.4.5", "0x", "00.0.0.0"),
        *("%31%32%37.0.0.1", "localhost%00.example.com", "a b", "exa[mple", "a..b", ".", "1.1.1.1:80"),
    ],
)
def test_an_address_in_an_unusual_form_or_a_host_that_is_no_name_is_refused(host: str) -> None:
    with pytest.raises(FetchRefused):
        literal_address(host.lower())


@pytest.mark.parametrize(
    "host", ["example.com", "example.com.", "a.b-c.d_e.example", "xn--bcher-kva.example"]
)
def test_a_name_is_not_an_address(host: str) -> None:
    assert literal_address(host) is None


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost/", "http://LOCALHOST/", "https://127.0.0.1/", "http://0/", "http://127.1/"),
        *("http://2130706433/", "http://0x7f.1/", "http://①②⑦.0.0.1/", "http://127。0。0。1/"),
        *("http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[fe80::1%25lo]/", "http://[::]/"),
        *("http://169.254.169.254/latest/meta-data/", "http://public.example@127.0.0.1/"),
        *("http://127.0.0.1\\@public.example/", "http:///etc/passwd", "http:127.0.0.1", "http://[::1"),
        *(
            "http://1.1.1.1:22/",
            "http://1.1.1.1:8080/",
            "http://user:secret@1.1.1.1/",
            "http://1.1.1.1:99999/",
        ),
        *(
            "ftp://1.1.1.1/x.png",
            "gopher://1.1.1.1/",
            "javascript:alert(1)",
            "//1.1.1.1/x",
            "",
            "picture.png",
        ),
        "http://1.1.1.1/" + "a" * 10_000,
    ],
)
async def test_the_fetcher_refuses_before_anything_is_connected_to(url: str) -> None:
    fetcher = Fetcher()
    try:
        with pytest.raises(FetchRefused):
            await fetcher.fetch(url)
    finally:
        await fetcher.close()


class _Names(AbstractResolver):
    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=a, port=port, family=socket.AF_INET, proto=0, flags=0)
            for a in self.addresses
        ]

    async def close(self) -> None: ...


async def test_a_name_with_one_private_address_among_public_ones_is_refused() -> None:
    resolver = CheckedResolver(_Names(["93.184.215.14", "10.0.0.7"]), is_public)
    with pytest.raises(FetchRefused, match=r"pictures\.example \(10\.0\.0\.7\) is not a public address"):
        await resolver.resolve("pictures.example", 80)


async def test_a_name_with_public_addresses_keeps_them_all() -> None:
    resolver = CheckedResolver(_Names(["93.184.215.14", "1.1.1.1"]), is_public)
    assert [r["host"] for r in await resolver.resolve("pictures.example")] == ["93.184.215.14", "1.1.1.1"]


async def test_the_fetcher_connects_to_the_address_that_was_checked() -> None:
    """One lookup for one fetch: a name server cannot answer the check and the connection differently."""
    names = _Names(["127.0.0.1"])
    fetcher = Fetcher(resolver=names)
    with pytest.raises(FetchRefused, match=r"rebound\.example \(127\.0\.0\.1\)"):
        await fetcher.fetch("http://rebound.example/x.png?token=secret")
    await fetcher.close()
    assert names.asked == 1


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["", "http:", "http://", "https://[", "data:", "data:;base64,", "file:"]), st.text())
@example("data:", ",\ud800")
@example("file:", "\ud800")
@example("http://", "\ud800.example")
async def test_whatever_a_stranger_writes_as_url_ends_in_bytes_or_a_named_error(
    start: str, rest: str
) -> None:
    fetcher = Fetcher(resolver=_Names(["127.0.0.1"]), file_root=Path(__file__).parent / "nothing here")
    try:
        answer = await fetcher.fetch(start + rest)
    except (FetchRefused, FetchFailed):
        return
    finally:
        await fetcher.close()
    assert start.startswith("data:") or rest.startswith("data:")
    assert isinstance(answer, Fetched)


async def test_refusals_name_the_host_and_neither_credentials_nor_query() -> None:
    fetcher = Fetcher()
    with pytest.raises(FetchRefused) as refused:
        await fetcher.fetch(str(URL("http://me:pass@127.0.0.1/x?token=secret")))
    assert "127.0.0.1" in str(refused.value)
    assert "pass" not in str(refused.value)
    assert "secret" not in str(refused.value)
