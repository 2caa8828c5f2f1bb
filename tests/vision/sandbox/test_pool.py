"""Decoder processes: what they answer, how they end, and that nothing but one picture ends with them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest

from streamproc.errors import ExtractorUnavailable, PictureTooLarge, UndecodablePicture
from streamproc.vision.sandbox import pool as sandbox_module
from streamproc.vision.sandbox.decode import DecodeLimits, decode, encode
from streamproc.vision.sandbox.pool import Sandbox
from tests.vision.hostile.bombs import jpeg_of_many_scans
from tests.vision.pictures import gradient, noise, png_that_claims, saved

PICTURE = saved(gradient())
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc and its guards")

MakeSandbox = Callable[..., Sandbox]


@pytest.fixture
async def make_sandbox() -> AsyncIterator[MakeSandbox]:
    made: list[Sandbox] = []

    def make(**options: object) -> Sandbox:
        made.append(Sandbox(**({"processes": 1} | options)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for sandbox in made:
        await sandbox.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def warm_pid(sandbox: Sandbox) -> int:
    await sandbox.open(PICTURE)
    (pid,) = sandbox.pids
    return pid


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
async def test_the_picture_is_what_the_decoder_makes_of_the_file(
    make_sandbox: MakeSandbox, format: str
) -> None:
    data = saved(gradient(3000, 40), format)
    picture = await make_sandbox().open(data)
    expected = decode(data, DecodeLimits())
    assert picture.digest == sha256(data).hexdigest()
    assert (picture.width, picture.height) == expected.size == (2048, 27)
    assert picture.jpeg == encode(expected)


async def test_refusals_come_back_with_their_reason_and_the_process_goes_on(
    make_sandbox: MakeSandbox,
) -> None:
    sandbox = make_sandbox(limits=DecodeLimits(max_pixels=10_000))
    pid = await warm_pid(sandbox)
    with pytest.raises(PictureTooLarge, match="the limits are 10000 pixels"):
        await sandbox.open(png_that_claims(101, 100))
    with pytest.raises(PictureTooLarge, match="more than 10000 pixels"):
        await sandbox.open(png_that_claims(60_000, 60_000))
    with pytest.raises(UndecodablePicture, match="found a PDF document"):
        await sandbox.open(b"%PDF-1.7")
    with pytest.raises(UndecodablePicture, match="found an empty file"):
        await sandbox.open(b"")
    await sandbox.open(PICTURE)
    assert sandbox.pids == [pid]
    assert (sandbox.counts.opened, sandbox.counts.refused, sandbox.counts.died) == (2, 4, 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
async def test_a_decoder_that_dies_costs_one_picture(
    make_sandbox: MakeSandbox, number: signal.Signals
) -> None:
    sandbox = make_sandbox()
    pid = await warm_pid(sandbox)
    os.kill(pid, signal.SIGSTOP)
    opening = asyncio.create_task(sandbox.open(saved(noise(1000, 1000), "BMP")))
    await until(lambda: sandbox.busy)
    os.kill(pid, number)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    with pytest.raises(
        UndecodablePicture, match=rf"the decoder died \(signal {int(number)}\) on this file"
    ):
        await opening
    assert (await sandbox.open(PICTURE)).width == 64
    assert pid not in sandbox.pids
    assert (sandbox.counts.died, sandbox.counts.opened) == (1, 2)


async def test_a_decoder_that_hangs_is_given_up_and_replaced(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox(timeout_s=0.2)
    pid = await warm_pid(sandbox)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(UndecodablePicture, match=r"decoding took longer than 0\.2 s"):
        await sandbox.open(PICTURE)
    # Warm before anybody needs it.
    await until(lambda: sandbox.pids and sandbox.pids != [pid])
    assert (await sandbox.open(PICTURE)).width == 64
    assert sandbox.counts.timed_out == 1


async def test_a_decoder_that_computes_without_end_is_stopped(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox(cpu_s=0.5, timeout_s=60)
    with pytest.raises(UndecodablePicture, match=r"more than 0\.5 s of processor time"):
        await sandbox.open(jpeg_of_many_scans(4000, 4000, 20_000))
    assert (await sandbox.open(PICTURE)).width == 64


@on_linux
async def test_a_file_that_needs_more_memory_than_there_is_is_too_large(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox(memory_bytes=40_000_000)
    pid = await warm_pid(sandbox)
    with pytest.raises(PictureTooLarge, match="needs more memory"):
        await sandbox.open(saved(gradient(4000, 4000), compress_level=1))
    assert (await sandbox.open(PICTURE)).width == 64
    assert sandbox.pids == [pid]


async def test_processes_start_when_they_are_needed_and_stay(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox(processes=3)
    assert sandbox.pids == []
    pid = await warm_pid(sandbox)
    for _ in range(3):
        await sandbox.open(PICTURE)
    assert sandbox.pids == [pid]
    await asyncio.gather(*(sandbox.open(PICTURE) for _ in range(20)))
    assert len(sandbox.pids) == 3
    assert pid in sandbox.pids


async def test_one_file_that_takes_long_does_not_hold_up_the_others(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox(processes=2)
    pid = await warm_pid(sandbox)
    os.kill(pid, signal.SIGSTOP)
    slow = asyncio.create_task(sandbox.open(PICTURE))
    await asyncio.gather(*(sandbox.open(PICTURE) for _ in range(5)))
    assert not slow.done()
    os.kill(pid, signal.SIGCONT)
    assert (await slow).width == 64


async def test_a_caller_who_leaves_does_not_leave_an_answer_for_the_next(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    pid = await warm_pid(sandbox)
    os.kill(pid, signal.SIGSTOP)
    leaving = asyncio.create_task(sandbox.open(saved(gradient(32, 32))))
    await until(lambda: sandbox.busy)
    leaving.cancel()
    assert (await sandbox.open(PICTURE)).width == 64
    assert leaving.cancelled()
    assert pid not in sandbox.pids


async def test_a_process_is_replaced_after_so_many_files(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox(files_per_process=2)
    pids = []
    for _ in range(4):
        await sandbox.open(PICTURE)
        await until(lambda: sandbox.pids)
        pids.append(sandbox.pids[0])
    assert pids[0] != pids[1]
    assert pids[1] == pids[2]
    assert pids[2] != pids[3]


async def test_a_process_that_died_while_nobody_needed_it_costs_nothing(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    pid = await warm_pid(sandbox)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not runs(pid))
    await asyncio.sleep(0)
    assert (await sandbox.open(PICTURE)).width == 64
    assert sandbox.counts.died == 0


async def test_where_no_process_can_be_started_pictures_are_unavailable_and_later_fine(
    make_sandbox: MakeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = make_sandbox()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(ExtractorUnavailable, match="does not start: No such file"):
            await sandbox.open(PICTURE)
        patch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(ExtractorUnavailable, match=r"does not start \(status 1\)"):
            await sandbox.open(PICTURE)
    assert (await sandbox.open(PICTURE)).width == 64


async def test_closing_ends_every_process(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox(processes=2)
    await asyncio.gather(*(sandbox.open(PICTURE) for _ in range(6)))
    pids = sandbox.pids
    await sandbox.close()
    assert len(pids) == 2
    assert not any(runs(pid) for pid in pids)
    with pytest.raises(ExtractorUnavailable, match="closed"):
        await sandbox.open(PICTURE)


async def test_closing_ends_a_process_that_is_busy_too(make_sandbox: MakeSandbox) -> None:
    sandbox = make_sandbox()
    pid = await warm_pid(sandbox)
    os.kill(pid, signal.SIGSTOP)
    opening = asyncio.create_task(sandbox.open(PICTURE))
    await until(lambda: sandbox.busy)
    await asyncio.wait_for(sandbox.close(), 5)
    with pytest.raises(UndecodablePicture, match="died"):
        await opening
    assert not runs(pid)


def test_another_way_to_make_pictures_safe_is_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    version = Sandbox().version
    assert version == Sandbox(DecodeLimits(max_pixels=7), processes=5).version
    monkeypatch.setattr(sandbox_module, "SAFE_QUALITY", 80)
    assert Sandbox().version != version


@pytest.mark.parametrize(
    "answer",
    [
        "b'P', 64, 48, b'no jpeg'",
        "b'P', 65, 48, jpeg",
        "b'P', 32, 32, grey",
        "b'P', 2049, 1, wide",
        "b'P', 64, 48, jpeg + bytes(20_000_000)",
        "b'X', 64, 48, jpeg",
        "b'R', 64, 48, jpeg",
        "b'P', 64, 48, jpeg, 2**32 - 1",
        "b'P', 64, 48, jpeg, len(jpeg) + 1",
    ],
)
async def test_what_a_decoder_answers_is_not_trusted(
    make_sandbox: MakeSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """One that fell to its file may say anything."""
    fallen = tmp_path / "fallen"
    jpeg, wide = saved(gradient(), "JPEG"), saved(gradient(2049, 1), "JPEG")
    grey = saved(gradient(32, 32).convert("L"), "JPEG")
    fallen.write_text(
        f"#!{sys.executable}\n"
        "import struct, sys\n"
        "def say(kind, width, height, content, length=None):\n"
        "    length = len(content) if length is None else length\n"
        "    sys.stdout.buffer.write(struct.pack('>cHHI', kind, width, height, length) + content)\n"
        "    sys.stdout.flush()\n"
        f"jpeg, grey, wide = {jpeg!r}, {grey!r}, {wide!r}\n"
        "say(b'R', 0, 0, b'files')\n"
        "sys.stdin.buffer.read(4)\n"
        f"say({answer})\n"
    )
    fallen.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fallen))
    sandbox = make_sandbox()
    with pytest.raises(UndecodablePicture, match=r"the decoder (answered with something else|ended|died)"):
        await sandbox.open(PICTURE)
    assert sandbox.counts.died == 1


@on_linux
async def test_a_decoder_does_not_outlive_its_parent() -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c"),
        "import asyncio, os, signal\n"
        "from streamproc.vision.sandbox.pool import Sandbox\n"
        "async def main():\n"
        "    sandbox = Sandbox(processes=1)\n"
        "    try: await sandbox.open(b'')\n"
        "    except Exception: pass\n"
        "    os.kill(sandbox.pids[0], signal.SIGSTOP)\n"
        "    print(sandbox.pids[0], flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n",
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert runs(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not runs(pid))
