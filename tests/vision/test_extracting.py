"""A folder of pictures is looked at once, and a run that was stopped goes on where it was."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from click.testing import CliRunner

from streamproc.cli.main import cli
from streamproc.errors import ExtractorUnavailable, InputError
from streamproc.settings import Vision
from streamproc.testing.visuals import example_value
from streamproc.vision.api import Extracted, Picture
from streamproc.vision.extracting import INDEX, FolderExtractor, find_pictures, read_index
from streamproc.vision.visuals import Regions
from streamproc.wiring import make_picture_looker
from tests.vision.conftest import BROKEN, LARGE, SMALL
from tests.vision.extractors import SizeExtractor


class ArrayExtractor(SizeExtractor):
    """Gives the example of its modality."""

    async def extract(self, picture: Picture) -> Extracted:
        self.digests.append(picture.digest)
        return Extracted(example_value(self.modality), self.versions[0])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "img"
    folder.mkdir(parents=True)
    (folder / "small.png").write_bytes(SMALL)
    (folder / "a copy.PNG").write_bytes(SMALL)
    (folder / "large 100%.png").write_bytes(LARGE)
    (folder / "broken.png").write_bytes(BROKEN)
    (folder / "notes.txt").write_text("no picture")
    return tmp_path / "data"


async def extract(data: Path, out: Path, *extractors: SizeExtractor, at_once: int = 2) -> FolderExtractor:
    looker = make_picture_looker(Vision(), data)
    try:
        job = FolderExtractor(looker, extractors, data, out, at_once=at_once)
        await job.run(find_pictures(data), lambda: None)
    finally:
        await looker.close()
    return job


async def test_every_picture_gets_a_line_and_arrays_a_file(data: Path, tmp_path: Path) -> None:
    ocr, grid, regions = SizeExtractor(), ArrayExtractor("grid"), ArrayExtractor("regions")
    job = await extract(data, tmp_path / "out", ocr, grid, regions)
    lines = read_index(tmp_path / "out" / INDEX)
    assert sorted(lines) == ["img/a copy.PNG", "img/broken.png", "img/large 100%.png", "img/small.png"]
    large = lines["img/large 100%.png"]
    assert large["ocr"]["value"]["lines"][0]["text"] == "30 x 40"
    with np.load(tmp_path / "out" / large["grid"]["file"]) as arrays:
        np.testing.assert_array_equal(arrays["grid"], example_value("grid"))
    expected = example_value("regions")
    assert isinstance(expected, Regions)
    with np.load(tmp_path / "out" / large["regions"]["file"]) as arrays:
        assert sorted(arrays) == ["boxes", "features", "scores"]
        np.testing.assert_array_equal(arrays["boxes"], expected.boxes)
    assert "cannot be decoded" in lines["img/broken.png"]["ocr"]["failure"]
    assert (job.totals.pictures, job.totals.looked_at, job.totals.failed) == (4, 3, 1)
    assert len(ocr.digests) == 2, "two files of the same bytes are one picture"


async def test_a_second_run_looks_only_at_what_is_missing(data: Path, tmp_path: Path) -> None:
    await extract(data, tmp_path / "out", SizeExtractor(), ArrayExtractor("grid"))
    (data / "img" / "broken.png").write_bytes(LARGE)
    lines = read_index(tmp_path / "out" / INDEX)
    (tmp_path / "out" / lines["img/small.png"]["grid"]["file"]).unlink()
    again = await extract(data, tmp_path / "out", SizeExtractor(), ArrayExtractor("grid"))
    assert (again.totals.done_before, again.totals.looked_at, again.totals.failed) == (1, 3, 0)
    third = await extract(data, tmp_path / "out", SizeExtractor(), ArrayExtractor("grid"))
    assert (third.totals.done_before, third.totals.looked_at) == (4, 0)


async def test_another_version_of_an_extractor_looks_anew(data: Path, tmp_path: Path) -> None:
    await extract(data, tmp_path / "out", SizeExtractor(version="1"))
    newer = SizeExtractor(version="2")
    await extract(data, tmp_path / "out", newer)
    assert len(newer.digests) == 2


async def test_there_is_one_line_a_picture_and_it_keeps_what_others_saw(data: Path, tmp_path: Path) -> None:
    index = tmp_path / "out" / INDEX
    await extract(data, tmp_path / "out", SizeExtractor("ocr"))
    await extract(data, tmp_path / "out", SizeExtractor("captions"))
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    assert [line["picture"] for line in lines] == find_pictures(data)
    assert all({"ocr", "captions"} <= set(line) for line in lines)
    again = await extract(data, tmp_path / "out", SizeExtractor("ocr"))
    assert (again.totals.done_before, again.totals.looked_at) == (3, 0)
    (data / "img" / "small.png").write_bytes(LARGE)
    await extract(data, tmp_path / "out", SizeExtractor("objects"))
    assert "ocr" not in read_index(index)["img/small.png"], "that was seen in another picture"


async def test_many_files_of_the_same_bytes_share_their_arrays(data: Path, tmp_path: Path) -> None:
    for number in range(40):
        (data / f"{number}.png").write_bytes(SMALL)
    (data / os.fsdecode(b"caf\xe9.png")).write_bytes(SMALL)
    job = await extract(data, tmp_path / "out", ArrayExtractor("grid"), at_once=16)
    assert (job.totals.looked_at, job.totals.failed) == (43, 1)
    assert len(list((tmp_path / "out" / "grid").iterdir())) == 2


async def test_two_runs_do_not_write_to_one_folder(data: Path, tmp_path: Path) -> None:
    slow = SizeExtractor()
    slow.gate.clear()
    run = asyncio.create_task(extract(data, tmp_path / "out", slow))
    await slow.begun.wait()
    with pytest.raises(InputError, match="another run writes there"):
        await extract(data, tmp_path / "out", SizeExtractor())
    slow.gate.set()
    await run


async def test_half_a_line_of_a_killed_run_costs_only_its_picture(data: Path, tmp_path: Path) -> None:
    await extract(data, tmp_path / "out", SizeExtractor())
    index = tmp_path / "out" / INDEX
    index.write_bytes(index.read_bytes()[:-20])
    again = await extract(data, tmp_path / "out", SizeExtractor())
    assert again.totals.done_before + again.totals.looked_at == 3
    assert again.totals.looked_at <= 1
    assert [json.loads(line)["picture"] for line in index.read_text().splitlines()] == find_pictures(data)


async def test_a_run_that_is_cancelled_goes_on_later(data: Path, tmp_path: Path) -> None:
    slow = SizeExtractor()
    slow.gate.clear()
    run = asyncio.create_task(extract(data, tmp_path / "out", slow))
    await slow.begun.wait()
    run.cancel()
    await asyncio.wait([run])
    done = await extract(data, tmp_path / "out", SizeExtractor())
    assert done.totals.done_before + done.totals.looked_at + done.totals.failed == 4


def run_command(*arguments: str) -> Any:
    with patch("streamproc.wiring.open_extractors", lambda vision: [SizeExtractor()]):
        return CliRunner().invoke(cli, ["extract", *arguments], standalone_mode=False)


def test_the_command_ends_with_1_where_a_picture_failed_and_tells_totals(
    data: Path, tmp_path: Path
) -> None:
    ran = CliRunner()
    with patch("streamproc.wiring.open_extractors", lambda vision: [SizeExtractor()]):
        ended = ran.invoke(cli, ["extract", "--data", str(data), "--out", str(tmp_path / "out"), "--json"])
        assert ended.exit_code == 1, ended.output
        assert json.loads(ended.stdout) == {"pictures": 4, "done_before": 0, "looked_at": 3, "failed": 1}
        (data / "img" / "broken.png").unlink()
        ended = ran.invoke(cli, ["extract", "--data", str(data), "--out", str(tmp_path / "out")])
    assert ended.exit_code == 0
    assert "3 pictures: 0 looked at, 3 done before, 0 failed" in ended.stdout


def test_an_extractor_that_a_server_does_not_have_is_left_out_unless_it_was_asked_for(
    data: Path, tmp_path: Path
) -> None:
    def opened(vision: Vision) -> list[SizeExtractor]:
        absent = SizeExtractor("captions")
        absent.versions.clear()
        return [SizeExtractor(), absent]

    out = str(tmp_path / "out")
    with patch("streamproc.wiring.open_extractors", opened):
        ended = CliRunner().invoke(cli, ["extract", "--data", str(data), "--out", out])
        assert "without captions: nobody has answered yet" in ended.stderr
        assert "3 looked at" in ended.stdout
        asked = ["--set", 'vision.modalities=["ocr", "captions"]']
        ended = CliRunner().invoke(
            cli, ["extract", "--data", str(data), "--out", out, *asked], standalone_mode=False
        )
    assert isinstance(ended.exception, ExtractorUnavailable)


@pytest.mark.parametrize(
    ("data_folder", "out", "complaint"),
    [("empty", "out", "no pictures below it"), ("data", "data/out", "lies in --data")],
)
def test_folders_that_cannot_be_meant_are_named(
    data: Path, tmp_path: Path, data_folder: str, out: str, complaint: str
) -> None:
    (tmp_path / "empty").mkdir()
    ended = run_command("--data", str(tmp_path / data_folder), "--out", str(tmp_path / out))
    assert complaint in str(ended.exception)
