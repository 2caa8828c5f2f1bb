"""What a decoder process gives up before it sees a stranger's file.

On Linux a seccomp filter (x86-64 and arm64) leaves it memory, the pipes it has and its own end, and
nothing else: no file can be opened, no socket made, no process started, traced or signalled. Elsewhere
the limits of POSIX remain: no further files, nothing written to files, no processes, processor time.
macOS does not hold limits on memory; there only the limits on pixels do.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
# Where they lie in struct seccomp_data.
_CALL_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_ALLOW: Final = 0x7FFF0000
_KILL_PROCESS: Final = 0x80000000
_REFUSE: Final = 0x00050000 | errno.EPERM

# By machine: its audit number, and which of the two numbers of a call is its own.
_MACHINES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_CALLS: Final = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "getpid": (39, 172),
    "exit": (60, 93),
    "setitimer": (38, 103),
    "gettid": (186, 178),
    "futex": (202, 98),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "exit_group": (231, 94),
    "getrandom": (318, 278),
}
# abort() signals by it; allowed to the own process only.
_TGKILL: Final = (234, 131)


def confine(memory_bytes: int) -> list[str]:
    """Give up everything but decoding. What is not imported by now cannot be imported any more.

    Args:
        memory_bytes: address space beyond what the process has now.

    Returns:
        The guards that are on: `files`, and on Linux `memory` and, where the kernel has it, `seccomp`.
    """
    guards = ["files"]
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        guards.append("memory")
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        resource.setrlimit(limit, (0, 0))
    # What it has stays open: standard input, output and error.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    if sys.platform == "linux" and _filter_calls():
        guards.append("seccomp")
    return guards


def allow_processor_time(seconds: float) -> None:
    """Let the system end this process, by SIGPROF, after so many further seconds of processor time."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _filter_calls() -> bool:
    """End with the parent, and refuse every system call that decoding does not need."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or platform.machine() not in _MACHINES:
        return False
    instructions = list(_program(*_MACHINES[platform.machine()]))
    code = ctypes.create_string_buffer(b"".join(instructions))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(instructions), ctypes.addressof(code)))
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0) == 0)


def _program(machine: int, column: int) -> Iterator[bytes]:
    """The filter in BPF: each call that is allowed, and no for the rest."""
    yield _instruction(_LOAD, _ARCHITECTURE_AT)
    yield _instruction(_JUMP_IF_EQUAL, machine, skip_if_so=1)
    yield _instruction(_RETURN, _KILL_PROCESS)
    yield _instruction(_LOAD, _CALL_AT)
    for numbers in _CALLS.values():
        yield _instruction(_JUMP_IF_EQUAL, numbers[column], skip_if_not=1)
        yield _instruction(_RETURN, _ALLOW)
    yield _instruction(_JUMP_IF_EQUAL, _TGKILL[column], skip_if_not=3)
    yield _instruction(_LOAD, _FIRST_ARGUMENT_AT)
    yield _instruction(_JUMP_IF_EQUAL, os.getpid(), skip_if_not=1)
    yield _instruction(_RETURN, _ALLOW)
    yield _instruction(_RETURN, _REFUSE)


def _instruction(code: int, value: int, *, skip_if_so: int = 0, skip_if_not: int = 0) -> bytes:
    return struct.pack("=HBBI", code, skip_if_so, skip_if_not, value)
