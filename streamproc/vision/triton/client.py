"""Asks Triton servers over gRPC: channels, deadlines and retries."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from streamproc.errors import SettingsError
from streamproc.vision.triton.errors import Kind, TritonFailed, explain
from streamproc.vision.wire import PICTURE, VERSION

if TYPE_CHECKING:
    from tritonclient.grpc.aio import InferenceServerClient

_ADDRESS: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}")
_BACKOFF_S: Final = 0.1
_LONGEST_BACKOFF_S: Final = 2.0
_AWAY_S: Final = 2.0
"""How long other hosts are asked before one that was away."""
_MICROSECONDS: Final = 1_000_000
_CHANNEL: Final = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A server that came back is found within seconds, and not within minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A host that vanished without a word is noticed while calls wait for it.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # One name may stand for several servers.
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.enable_http_proxy", 0),
    # Retries are ours: they know what is worth one.
    ("grpc.enable_retries", 0),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonOptions:
    """How a server is asked.

    Attributes:
        deadline_s: for one picture, retries included.
        in_flight: pictures that one model is asked about at once; further ones wait.
        retries: how often a request is sent again where the server is busy or away.
        breaker_failures: after how many failures in a row a model is left alone.
        breaker_pause_s: for how long.
    """

    deadline_s: float = 20.0
    in_flight: int = 32
    retries: int = 2
    breaker_failures: int = 5
    breaker_pause_s: float = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a model answered: the version, and tensors by name without a batch dimension."""

    host: str
    version: str
    tensors: Mapping[str, NDArray[Any]]


class TritonClient:
    """Asks one server, or several that serve the same models in turn.

    The channels are opened at the first request, in the loop that asks.

    Args:
        url: `triton://HOST:PORT`, several addresses with commas; `tritons://` for TLS.
        options: deadline and retries.

    Raises:
        SettingsError: the URL is none, or tritonclient is not installed.
    """

    def __init__(self, url: str, options: TritonOptions) -> None:
        scheme, _, addresses = url.partition("://")
        self.hosts = tuple(address.strip() for address in addresses.split(","))
        if scheme not in {"triton", "tritons"} or not all(map(_ADDRESS.fullmatch, self.hosts)):
            raise SettingsError(
                f"vision.extractors: {url!r}: expected triton://HOST:8001, tritons:// for TLS"
            )
        if find_spec("tritonclient") is None or find_spec("grpc") is None:
            raise SettingsError(
                "vision.extractors: asking Triton needs tritonclient: pip install 'streamproc[triton]'"
            )
        self._tls = scheme == "tritons"
        self._options = options
        self._channels: dict[str, InferenceServerClient] = {}
        self._turn = count()
        self._away_until: dict[str, float] = {}
        self._users = 0

    async def ask(self, model: str, jpeg: bytes, outputs: Sequence[str]) -> Answer:
        """What a model makes of a picture; the next host is asked where one is busy or away.

        Args:
            model: its name.
            jpeg: the picture; without bytes only the version is asked for.
            outputs: names of the tensors that are wanted besides the version.

        Raises:
            TritonFailed: no answer, after all retries, within the deadline.
            ValueError: an answer that cannot be read, as the end of a sentence "the server gave ...".
        """
        ends = monotonic() + self._options.deadline_s
        # Every host is asked before one is asked again.
        hosts = self._hosts_in_turn()
        retries = max(self._options.retries, len(hosts) - 1)
        for attempt in count():
            host = hosts[attempt % len(hosts)]
            try:
                answer = await self._ask_once(host, model, jpeg, outputs, ends - monotonic())
            except TritonFailed as error:
                if error.failing.kind is Kind.AWAY:
                    self._away_until[host] = monotonic() + _AWAY_S
                fresh = attempt + 1 < len(hosts)
                pause = 0.0 if fresh else _BACKOFF_S * 2 ** min(attempt, 8) * random.uniform(0.5, 1.5)
                pause = min(pause, _LONGEST_BACKOFF_S)
                late = monotonic() + pause >= ends
                if late or attempt >= retries or not self._may_do_better(error):
                    raise
            else:
                self._away_until.pop(host, None)
                return answer
            await asyncio.sleep(pause)
        raise AssertionError

    def _hosts_in_turn(self) -> list[str]:
        """The hosts, another one first each time; those that were away a moment ago come last."""
        first = next(self._turn) % len(self.hosts)
        hosts = [*self.hosts[first:], *self.hosts[:first]]
        now = monotonic()
        return sorted(hosts, key=lambda host: self._away_until.get(host, 0.0) > now)

    def channel(self, host: str) -> InferenceServerClient:
        """The channel to a host."""
        if host not in self._channels:
            from tritonclient.grpc.aio import InferenceServerClient

            self._channels[host] = InferenceServerClient(host, ssl=self._tls, channel_args=_CHANNEL)
        return self._channels[host]

    def share(self) -> None:
        """One more uses this client, and will close it."""
        self._users += 1

    async def close(self) -> None:
        """Close the channels, if nobody else uses them any more."""
        self._users -= 1
        if self._users <= 0:
            channels, self._channels = self._channels, {}
            for channel in channels.values():
                await channel.close()

    def _may_do_better(self, error: TritonFailed) -> bool:
        where = error.failing.retry
        return where == "anywhere" or (where == "elsewhere" and len(self.hosts) > 1)

    async def _ask_once(
        self, host: str, model: str, jpeg: bytes, outputs: Sequence[str], left_s: float
    ) -> Answer:
        from tritonclient.grpc.aio import InferInput, InferRequestedOutput
        from tritonclient.utils import InferenceServerException

        picture = InferInput(PICTURE, [1, len(jpeg)], "UINT8")
        picture.set_data_from_numpy(np.frombuffer(jpeg, np.uint8)[None])
        names = [VERSION, *outputs] if jpeg else [VERSION]
        try:
            result = await self.channel(host).infer(
                model,
                [picture],
                outputs=[InferRequestedOutput(name) for name in names],
                # For the server's queue: nobody looks at a picture that nobody waits for any more.
                timeout=int(left_s * _MICROSECONDS),
                client_timeout=left_s,
            )
        except InferenceServerException as error:
            failing = explain(error.status(), error.message(), model, self._options.deadline_s)
            raise TritonFailed(failing, host) from None
        tensors = {name: _tensor(result, name) for name in _names(result)}
        version = tensors.pop(VERSION, None)
        if version is None or not version.size:
            raise ValueError("no version")
        return Answer(host, version.tobytes().decode(errors="replace"), tensors)


def _names(result: Any) -> list[str]:
    return [output.name for output in result.get_response().outputs]


def _tensor(result: Any, name: str) -> NDArray[Any]:
    """A tensor of the one picture that was asked about."""
    try:
        array: NDArray[Any] | None = result.as_numpy(name)
    except Exception as error:  # noqa: BLE001  what tritonclient makes of bytes that are not what they say
        raise ValueError(f"a tensor {name} that cannot be read: {type(error).__name__}") from None
    if array is None or array.ndim == 0 or len(array) != 1:
        raise ValueError(f"a tensor {name} that is not of one picture")
    one: NDArray[Any] = array[0]
    return one
