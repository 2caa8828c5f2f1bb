"""Whether Triton servers can be asked: for the start of a worker and `streamproc doctor`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from streamproc.vision.triton.client import TritonClient, TritonOptions
from streamproc.vision.triton.errors import TritonFailed, explain

_REASON_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model on a server.

    Attributes:
        name: the model's.
        version: of its engine, as it answered; `None` where it does not.
        fault: why it cannot be asked; empty where it can.
    """

    name: str
    version: str | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server.

    Attributes:
        host: HOST:PORT.
        server: name and version; `None` where it is away.
        fault: why it cannot be asked; empty where it can.
        models: those that were asked about, in order; none where the server is away.
    """

    host: str
    server: str | None = None
    fault: str = ""
    models: tuple[ModelState, ...] = ()


async def check_triton(
    url: str, names: Sequence[str] | None = None, *, timeout_s: float = 5.0
) -> list[ServerState]:
    """Ask each server whether it lives, and each model on it for its version.

    Args:
        url: as for `open_triton`.
        names: of the models; all that the server has without it.
        timeout_s: for each question.

    Returns:
        a state for each host of the URL, in order. Servers that are away are no error.

    Raises:
        SettingsError: the URL is none, or tritonclient is not installed.
    """
    hosts = TritonClient(url, TritonOptions()).hosts
    scheme = url.partition("://")[0]
    return list(await asyncio.gather(*(_check(f"{scheme}://{host}", names, timeout_s) for host in hosts)))


async def _check(url: str, names: Sequence[str] | None, timeout_s: float) -> ServerState:
    from tritonclient.utils import InferenceServerException

    client = TritonClient(url, TritonOptions(deadline_s=timeout_s, retries=0))
    (host,) = client.hosts
    try:
        channel = client.channel(host)
        about = await channel.get_server_metadata(client_timeout=timeout_s)
        index = await channel.get_model_repository_index(client_timeout=timeout_s)
        there = {entry.name: entry for entry in index.models}
        asked = sorted(there) if names is None else names
        models = await asyncio.gather(*(_check_model(client, name, there.get(name)) for name in asked))
        return ServerState(host, f"{about.name} {about.version}", models=tuple(models))
    except InferenceServerException as error:
        failing = explain(error.status(), error.message(), "the server", timeout_s)
        return ServerState(host, fault=failing.reason)
    finally:
        await client.close()


async def _check_model(client: TritonClient, name: str, entry: Any) -> ModelState:
    state = ModelState(name)
    if entry is None:
        return replace(state, fault="the server has no such model")
    if entry.state != "READY":
        return replace(state, fault=_why_not_ready(entry.reason) or entry.state.lower())
    try:
        return replace(state, version=(await client.ask(name, b"", ())).version)
    except TritonFailed as error:
        return replace(state, fault=error.failing.reason)
    except ValueError as error:
        return replace(state, fault=f"gave {error}: is it one of streamproc's?")


def _why_not_ready(reason: str) -> str:
    """Triton's reason for a model that did not load, without where in model.py it was raised."""
    said = reason.partition("\n\nAt:")[0].removeprefix("Internal: ").removeprefix("TritonModelException: ")
    return " ".join(said.split())[:_REASON_CHARS]
