"""What went wrong when a Triton server was asked, in plain words and by kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

_REASON_CHARS: Final = 160


class Kind(Enum):
    """What a failure says of the server."""

    PICTURE = "the server is there: it failed on this picture"
    BUSY = "the server is there, and has more to do than it takes"
    AWAY = "the server is not there"
    SLOW = "the server gave no answer in time"
    DEAD = "the server is there, and the model's process died; Triton does not start it again"
    ABSENT = "the server is there, and the model is not"


@dataclass(frozen=True, slots=True)
class Failing:
    """Why a request gave nothing.

    Attributes:
        kind: what it says of the server.
        reason: in words, as the end of a sentence "HOST: ...".
        retry: where the same request may do better in a moment.
    """

    kind: Kind
    reason: str
    retry: Literal["nowhere", "elsewhere", "anywhere"] = "nowhere"


class TritonFailed(Exception):
    """A request gave nothing, after all retries."""

    def __init__(self, failing: Failing, host: str) -> None:
        super().__init__(f"{host}: {failing.reason}")
        self.failing = failing


def explain(status: str | None, message: str | None, model: str, waited_s: float) -> Failing:
    """What a gRPC error means.

    Args:
        status: as tritonclient gives it: `StatusCode.UNAVAILABLE`.
        message: the server's.
        model: who was asked.
        waited_s: how long the client waited, in seconds.
    """
    first = (message or "no reason given").partition("\n")[0][:_REASON_CHARS]
    match (status or "").removeprefix("StatusCode."):
        case "UNAVAILABLE" if "maximum queue size" in first:
            return Failing(Kind.BUSY, f"the queue of {model} is full", retry="anywhere")
        case "UNAVAILABLE" if "timeout expired" in first:
            return Failing(Kind.BUSY, f"waited too long in the queue of {model}", retry="anywhere")
        case "RESOURCE_EXHAUSTED":
            return Failing(Kind.BUSY, f"{model} has no room: {first}", retry="anywhere")
        case "UNAVAILABLE":
            return Failing(Kind.AWAY, f"the server is away ({_short(first)})", retry="anywhere")
        case "DEADLINE_EXCEEDED":
            return Failing(Kind.SLOW, f"{model} gave no answer within {waited_s:.3g} s")
        case "NOT_FOUND":
            return Failing(Kind.ABSENT, f"no model {model} is ready there", retry="elsewhere")
        case "INTERNAL" if first.startswith("Stub process"):
            return Failing(Kind.DEAD, f"the process of {model} died: restart the server", retry="elsewhere")
        case "UNIMPLEMENTED" | "UNAUTHENTICATED" | "PERMISSION_DENIED" as code:
            return Failing(Kind.AWAY, f"{code.lower().replace('_', ' ')}: {first}")
        case _:
            return Failing(Kind.PICTURE, first)


def _short(message: str) -> str:
    """gRPC says where it tried, what, and what the system said; the last part is what counts."""
    if "SSL routines" in message or "error:1" in message:
        return "TLS failed: does it speak TLS? triton:// is without"
    last = message.rpartition("; last error: ")[2].rpartition(": ")[2] or message
    return last.strip("[] ")
