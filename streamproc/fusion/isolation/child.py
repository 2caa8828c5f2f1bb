"""The inside of a plugin's process: loads the plugin, says what it is, tags what it is given.

Started by `starting.py` with the numbers of two pipes, to read and to write, and of the process that
started it. The plugin may print, raise, exit and crash: only messages go through the pipes.
"""

from __future__ import annotations

import ctypes
import faulthandler
import io
import logging
import os
import signal
import sys
from typing import Any, Final

from streamproc.cycles import pass_over_what_is_loaded
from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput
from streamproc.fusion.discovery import LoadedPlugin, load_plugin
from streamproc.fusion.isolation.messages import Answer, Order, Refusal, Request, pack, receive, unpack
from streamproc.fusion.runner import tag_safely
from streamproc.vision.visuals import Missing

_SET_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of prctl."""
_TRIAL: Final = "Ada met Grace in Berlin"


def main() -> None:
    """Answer until there are no more requests."""
    _end_with(int(sys.argv[3]))
    _leave_signals_to_the_worker()
    faulthandler.enable()
    connection = _Connection(int(sys.argv[1]), int(sys.argv[2]))
    order: Order = connection.receive()
    logging.basicConfig(
        level=order.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        loaded = load_plugin(order.name, order.settings)
    except PluginError as error:
        connection.send(Refusal(str(error)))
        return
    _try_it(loaded)
    connection.send(loaded.facts)
    pass_over_what_is_loaded()
    while True:
        try:
            request: Request = connection.receive()
        except EOFError:
            break
        results = tag_safely(order.name, loaded.model, request.posts(), request.explain)
        try:
            connection.send(Answer.of(request.number, results))
        except OSError:
            break
        except Exception as error:  # noqa: BLE001 - pickle raises whatever what it meets raises
            connection.send(Refusal(f"gave results that cannot leave its process: {error!r}"))
    loaded.model.close()
    # What native libraries do at an interpreter's end takes long, and nobody needs it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _try_it(loaded: LoadedPlugin) -> None:
    """Tag one harmless post. A plugin that does not outlive it cannot serve, whatever posts come."""
    missing = dict.fromkeys(loaded.model.modalities, Missing("absent"))
    tag_safely(loaded.name, loaded.model, [FusionInput(_TRIAL, ("en",), missing)])


def _end_with(parent: int) -> None:
    """Die with the thread that started us, also when it is killed while native code is at work here."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the worker is gone already")


def _leave_signals_to_the_worker() -> None:
    """Ctrl-C and a service manager's SIGTERM meet all processes; the worker ends us when it is done.

    Handled instead of ignored: programs that a plugin starts would inherit the latter.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)


class _Connection:
    """The pipes that this process was started with."""

    def __init__(self, requests: int, answers: int) -> None:
        for descriptor in (requests, answers):
            os.set_inheritable(descriptor, False)
        self._requests = io.FileIO(requests)
        self._answers = io.FileIO(answers, "w")

    def send(self, message: object) -> None:
        for piece in pack(message):
            view = memoryview(piece).cast("B")
            while view:
                view = view[self._answers.write(view) :]

    def receive(self) -> Any:
        return unpack(*receive(self._read))

    def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            count = self._requests.readinto(view)
            if not count:
                raise EOFError
            view = view[count:]
        return data


if __name__ == "__main__":
    main()
