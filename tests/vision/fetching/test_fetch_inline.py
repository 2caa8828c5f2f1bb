"""`data:` URLs, and `file:` URLs that must stay below their folder."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from streamproc.errors import FetchFailed, FetchRefused, PictureTooLarge
from streamproc.vision.fetching.fetch import Fetched, Fetcher, FetchLimits

LIMITS = FetchLimits(max_bytes=1000)
BYTES = bytes(range(256))


async def content(fetcher: Fetcher, url: str) -> bytes:
    answer = await fetcher.fetch(url)
    assert isinstance(answer, Fetched)
    return answer.data


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("url", "data"),
    [
        ("data:image/png;base64," + _base64(BYTES), BYTES),
        ("data:;base64," + _base64(BYTES).rstrip("="), BYTES),
        ("DATA:image/png;BASE64," + _base64(BYTES).replace("+", "%2B").replace("/", "%2f"), BYTES),
        ("data:image/png;base64,iVBO\n  Rw0K", b"\x89PNG\r\n"),
        ("data:image/svg+xml,%3Csvg%3E,ok", b"<svg>,ok"),
        ("data:,", b""),
        ("data:;base64," + _base64(bytes(1000)), bytes(1000)),
    ],
)
async def test_a_data_url_gives_its_bytes(url: str, data: bytes) -> None:
    assert await content(Fetcher(LIMITS), url) == data


async def test_data_urls_are_refused_where_the_settings_say_so() -> None:
    with pytest.raises(FetchRefused, match=r"vision\.data_urls"):
        await Fetcher(FetchLimits(allow_data=False)).fetch("data:;base64," + _base64(BYTES))


@pytest.mark.parametrize(
    "url", ["data:image/png", "data:;base64,====x", "data:;base64,ab!c", "data:;base64,A"]
)
async def test_a_data_url_that_cannot_be_read_fails(url: str) -> None:
    with pytest.raises(FetchFailed, match="data: URL"):
        await Fetcher(LIMITS).fetch(url)


@pytest.mark.parametrize(
    "content", [";base64," + _base64(bytes(1001)), "," + "x" * 1001, "," + "x" * 100_000]
)
async def test_a_data_url_above_the_limit_is_too_large(content: str) -> None:
    with pytest.raises(PictureTooLarge):
        await Fetcher(LIMITS).fetch("data:" + content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "pictures").mkdir(parents=True)
    (root / "pictures" / "a b.png").write_bytes(b"inside")
    (root / "large.png").write_bytes(bytes(1001))
    (tmp_path / "secret.png").write_bytes(b"outside")
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2" / "secret.png").write_bytes(b"outside")
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "up").symlink_to(tmp_path)
    (root / "inside.png").symlink_to(root / "pictures" / "a b.png")
    return root


@pytest.mark.parametrize(
    "path",
    ["pictures/a%20b.png", "pictures/../pictures/a b.png", "inside.png", "up/root/pictures/a%20b.png"],
)
async def test_a_file_below_the_folder_is_read(folder: Path, path: str) -> None:
    fetcher = Fetcher(LIMITS, file_root=folder)
    assert await content(fetcher, f"file:{path}") == b"inside"
    assert await content(fetcher, f"file://{folder}/{path}") == b"inside"
    assert await content(fetcher, f"file://localhost{folder}/{path}") == b"inside"


@pytest.mark.parametrize(
    "path",
    [
        *("../secret.png", "pictures/../../secret.png", "%2e%2e/secret.png", "..%2fsecret.png", "link.png"),
        *("up/secret.png", "up/root2/secret.png", "../root2/secret.png", "/etc/hosts", "//etc/hosts", ".."),
    ],
)
async def test_a_file_outside_the_folder_is_refused(folder: Path, path: str) -> None:
    with pytest.raises(FetchRefused):
        await Fetcher(LIMITS, file_root=folder).fetch(f"file:{path}")


async def test_without_a_folder_every_file_is_refused(folder: Path) -> None:
    with pytest.raises(FetchRefused, match="only below a folder that the command names"):
        await Fetcher(LIMITS).fetch(f"file://{folder}/inside.png")


async def test_what_is_not_a_plain_file_fails(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    fetcher = Fetcher(LIMITS, file_root=folder)
    for path in ("nothing.png", "pipe", "pictures", "loop.png", "nul%00.png", "[", "inside.png/x"):
        with pytest.raises(FetchFailed):
            await fetcher.fetch(f"file:{path}")


async def test_a_file_above_the_limit_is_too_large(folder: Path) -> None:
    with pytest.raises(PictureTooLarge, match=r"large\.png"):
        await Fetcher(LIMITS, file_root=folder).fetch("file:large.png")
