"""Triton extractors, as far as they need no server."""

from __future__ import annotations

import pytest

from streamproc.errors import ExtractorUnavailable, SettingsError
from streamproc.vision.api import Picture
from streamproc.vision.names import KNOWN
from streamproc.vision.triton import TritonOptions, check_triton, client, open_triton
from tests.services.process import free_port

PICTURE = Picture("digest", b"\xff\xd8", 1, 1)


@pytest.mark.parametrize(
    "url",
    [
        "local",
        "http://a:8001",
        "triton://",
        "triton://a",
        "triton://a:b",
        "triton://a:1,",
        "triton://u@a:1",
    ],
)
def test_what_is_no_address_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"expected triton://HOST:8001"):
        open_triton(url, ["ocr"], TritonOptions())


def test_a_name_that_no_extractor_has_is_refused() -> None:
    with pytest.raises(SettingsError, match="no extractor named 'orc'"):
        open_triton("triton://a:1", ["orc"], TritonOptions())


def test_without_tritonclient_the_command_that_brings_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'streamproc\[triton\]'"):
        open_triton("triton://a:1", ["ocr"], TritonOptions())


async def test_extractors_give_what_their_names_say() -> None:
    extractors = open_triton("triton://[::1]:8001,b.example:1", list(KNOWN), TritonOptions())
    assert {one.name: (one.modality, one.width) for one in extractors} == KNOWN
    for one in extractors:
        await one.close()


async def test_nobody_there_is_said_in_words_and_soon_nobody_is_asked() -> None:
    url = f"triton://127.0.0.1:{free_port()}"
    options = TritonOptions(retries=0, breaker_failures=2, breaker_pause_s=3600)
    (ocr,) = open_triton(url, ["ocr"], options)
    for _ in range(2):
        assert ocr.unavailable() is None
        with pytest.raises(ExtractorUnavailable, match=r"ocr at 127.0.0.1:\d+: the server is away \("):
            await ocr.extract(PICTURE)
    assert (ocr.unavailable() or "").startswith("ocr at 127.0.0.1:")
    with pytest.raises(ExtractorUnavailable, match="the server is away"):
        await ocr.version()
    await ocr.close()
    (state,) = await check_triton(url)
    assert state.server is None
    assert "the server is away" in state.fault


async def test_a_server_that_does_not_even_tell_its_version_is_left_alone_at_once() -> None:
    (ocr,) = open_triton(f"triton://127.0.0.1:{free_port()}", ["ocr"], TritonOptions(retries=0))
    with pytest.raises(ExtractorUnavailable, match="the server is away"):
        await ocr.version()
    assert ocr.unavailable() is not None, "those who wait for the version need not each wait for the server"
    await ocr.close()
