"""What a confined process can no longer do, and that the decoders are confined."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamproc.vision.sandbox.pool import Sandbox
from tests.vision.pictures import gradient, saved

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has seccomp and /proc")

# All that they need is imported before: behind the guards nothing can be.
ATTEMPT = """
import ctypes, os, resource, signal, socket, subprocess, sys, threading
from streamproc.vision.sandbox.guard import allow_processor_time, confine
libc = ctypes.CDLL(None, use_errno=True)
folder, parent = sys.argv[1], os.getppid()

def libc_call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), "refused")

guards = confine(100_000_000)
try:
    {attempt}
except (OSError, RuntimeError, MemoryError) as error:
    os.write(1, f"{{type(error).__name__}} {{getattr(error, 'errno', '')}}".encode())
else:
    os.write(1, b"done")
os.write(1, (" " + ",".join(guards)).encode())
"""


def attempt(code: str, folder: Path) -> str:
    command = [sys.executable, "-c", ATTEMPT.format(attempt=code), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    result, _, guards = done.stdout.rpartition(" ")
    assert guards == "files,memory,seccomp", done.stderr
    return result


@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "socket.socketpair()",
        "os.open('/etc/passwd', os.O_RDONLY)",
        "os.open(folder + '/new', os.O_WRONLY | os.O_CREAT)",
        "os.mkdir(folder + '/new')",
        "os.unlink(folder + '/there')",
        "os.rename(folder + '/there', folder + '/new')",
        "os.symlink('/', folder + '/new')",
        "os.chmod(folder + '/there', 0o777)",
        "os.listdir(folder)",
        "os.stat(folder)",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.kill(parent, 0)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "signal.pidfd_send_signal(0, 0)",
        "resource.prlimit(parent, resource.RLIMIT_CORE)",
        "resource.prlimit(0, resource.RLIMIT_AS)",
        "os.setpriority(os.PRIO_PROCESS, 0, 5)",
        "os.pipe()",
        "os.dup(0)",
        "os.memfd_create('new')",
        "libc_call('ptrace', 16, parent, 0, 0)",
        "libc_call('process_vm_readv', parent, 0, 0, 0, 0, 0)",
        "libc_call('prctl', 38, 0, 0, 0, 0)",
        "libc_call('mount', None, None, None, 0, None)",
        "libc_call('unshare', 0x10000000)",
    ],
)
def test_the_filter_refuses_what_decoding_does_not_need(tmp_path: Path, code: str) -> None:
    (tmp_path / "there").write_bytes(b"x")
    result = attempt(code, tmp_path)
    assert result in {"PermissionError 1", "OSError 1"}
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_threads_and_more_memory_cannot_be_had(tmp_path: Path) -> None:
    assert attempt("threading.Thread(target=print).start()", tmp_path) == "RuntimeError "
    assert attempt("bytearray(200_000_000)", tmp_path) == "MemoryError "


def test_processor_time_is_limited_from_now_on(tmp_path: Path) -> None:
    code = ATTEMPT.format(attempt="allow_processor_time(0.05); sum(1 for _ in iter(int, 1))")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGPROF


def test_where_no_filter_is_known_the_other_guards_are_on() -> None:
    code = (
        "import platform; platform.machine = lambda: 'riscv64'\n"
        "from streamproc.vision.sandbox.guard import confine\n"
        "print(*confine(100_000_000))\n"
        "try: open('/etc/passwd')\n"
        "except OSError as error: print(error.strerror)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["files memory", "Too many open files"]


def test_what_decoding_needs_is_left(tmp_path: Path) -> None:
    assert attempt("bytearray(50_000_000); os.getpid(); os.urandom(4)", tmp_path) == "done"


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STREAMPROC_SECRET", "s3cret")
    return "s3cret"


async def test_the_decoders_are_confined_and_know_no_secrets(secret: str) -> None:
    sandbox = Sandbox(processes=1)
    try:
        await sandbox.open(saved(gradient()))
        (pid,) = sandbox.pids
        process = Path(f"/proc/{pid}")
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
        limits = (process / "limits").read_text().splitlines()
        environment = (process / "environ").read_text()
        descriptors = sorted(link.name for link in (process / "fd").iterdir())
        session = os.getsid(pid)
    finally:
        await sandbox.close()
    assert sandbox.guards == {"files", "memory", "seccomp"}
    assert (status["Seccomp"], status["NoNewPrivs"], status["Threads"]) == ("2", "1", "1")
    soft = {line[:25].strip(): line[26:].split()[0] for line in limits[1:]}
    assert soft["Max file size"] == soft["Max core file size"] == soft["Max processes"] == "0"
    assert soft["Max open files"] == "3"
    assert soft["Max address space"].isdigit()
    assert {entry.partition("=")[0] for entry in environment.split("\0") if entry} <= {
        *("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH"),
        *("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"),
    }
    assert secret not in environment
    assert descriptors == ["0", "1", "2"]
    assert session == pid, "Ctrl-C in a terminal is not for the decoders"


async def test_a_decoder_imports_neither_models_nor_network() -> None:
    code = (
        "import sys; import streamproc.vision.sandbox.child;"
        "print(*({'numpy', 'aiohttp', 'asyncio', 'socket', 'pydantic', 'redis'} & set(sys.modules)))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    imported, _ = await process.communicate()
    assert imported.strip() == b""
