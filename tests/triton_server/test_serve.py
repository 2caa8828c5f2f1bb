"""`streamproc triton serve` on the real server."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamproc.cli.main import cli
from streamproc.errors import ExtractorUnavailable, PluginError, SettingsError
from streamproc.triton import installation
from streamproc.triton.installation import find_installation, find_repository, lay_out
from streamproc.triton.parameters import as_text, device_of, model_parameters
from streamproc.triton.server import ServerOptions, serve
from streamproc.vision.triton import ServerState, check_triton
from tests.services.process import free_ports, require
from tests.services.triton import made_model
from tests.triton_server.conftest import ENGINES, MakeExtractor, picture
from tests.triton_server.engines import DEADLY, read

SIZE = f"{ENGINES}:SizeEngine"


@pytest.fixture(autouse=True)
def installed() -> None:
    try:
        find_installation()
    except PluginError as error:
        require("Triton", str(error))


@contextmanager
def serving(tmp_path: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and the URL of its server."""
    grpc, http, metrics = map(str, free_ports(3))
    ports = ("--grpc-port", grpc, "--http-port", http, "--metrics-port", metrics)
    process = subprocess.Popen(
        [sys.executable, "-m", "streamproc", "triton", "serve", *ports, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
    )
    try:
        yield process, f"triton://127.0.0.1:{grpc}"
    finally:
        process.terminate()
        process.wait(30)


def left_in(folder: Path, prefix: str = "streamproc-triton-") -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(prefix)]


def lines_until(process: subprocess.Popen[str], part: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if part in line:
            return lines
    raise AssertionError(lines)


async def test_it_says_which_models_are_ready_and_ends_at_sigterm_without_a_trace(tmp_path: Path) -> None:
    settings = (
        f"--set=vision.engines.ocr.engine={SIZE}",
        f"--set=vision.engines.objects.engine={ENGINES}:WithoutWeights",
    )
    with serving(tmp_path, "--models", "ocr,objects", *settings) as (process, url):
        lines = await asyncio.to_thread(lines_until, process, "vision.extractors = ")
        assert [line.split() for line in lines if line.startswith("ocr")] == [["ocr", "READY", "size-1"]]
        (failed,) = (line for line in lines if line.startswith("objects"))
        assert "failed  ocr_absent: no weights here: streamproc models pull them" in failed
        assert url in lines[-1]
        assert not any("ERROR" in line or "WARNING" in line for line in lines)
        (state,) = await check_triton(url, ["ocr"])
        assert state.models[0].version == "size-1"
        (folder,) = left_in(tmp_path)
        process.send_signal(signal.SIGTERM)
        rest, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, rest
    assert left_in(tmp_path) == left_in(Path("/dev/shm"), folder) == []
    (state,) = await check_triton(url)
    assert state.server is None


async def test_a_server_does_not_outlive_a_command_that_was_killed(tmp_path: Path) -> None:
    engine = f"--set=vision.engines.ocr.engine={SIZE}"
    with serving(tmp_path, "--models", "ocr", engine) as (process, url):
        await asyncio.to_thread(lines_until, process, "vision.extractors = ")
        process.kill()
        while (await check_triton(url))[0].server is not None:
            await asyncio.sleep(0.05)


def test_a_server_that_no_model_can_be_loaded_on_is_a_failure(tmp_path: Path) -> None:
    with serving(
        tmp_path, "--models", "objects", f"--set=vision.engines.objects.engine={ENGINES}:None"
    ) as (
        process,
        _,
    ):
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: no model could be loaded" in output
    assert f"extractor {ENGINES}:None cannot be imported" in " ".join(output.split())


def test_a_model_that_there_is_not_is_bad_usage(tmp_path: Path) -> None:
    with serving(tmp_path, "--models", "orc") as (process, _):
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "no model 'orc'" in output
    assert "captions, global, global_inception, grid, objects, ocr, regions" in output


@pytest.mark.parametrize("name", ["grpc", "http", "metrics"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, name: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        with serving(tmp_path, "--models", "ocr", f"--{name}-port", port) as (process, _):
            output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in output
    assert f"choose another --{name}-port" in output
    assert left_in(tmp_path) == []


async def test_the_server_is_started_again_when_the_process_of_a_model_died(
    tmp_path: Path, extractor: MakeExtractor
) -> None:
    model = made_model(tmp_path, "ocr_size", engine=SIZE)
    grpc, http, metrics = free_ports(3)
    options = ServerOptions(models=[model], grpc_port=grpc, http_port=http, metrics_port=metrics)
    stop, states = asyncio.Event(), asyncio.Queue[ServerState]()
    running = asyncio.create_task(serve(options, stop, states.put_nowait, watch_s=0.1))
    await states.get()
    ocr = extractor(options, "ocr_size", retries=0, breaker_pause_s=0.01)
    with pytest.raises(ExtractorUnavailable, match="died"):
        await ocr.extract(picture(DEADLY))
    again = await states.get()
    assert [model.version for model in again.models] == ["size-1"]
    fresh = extractor(options, "ocr_size")
    assert (await fresh.extract(picture(20))).value == read(20, 1)
    stop.set()
    await running


def test_without_the_wheel_the_command_that_brings_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match="pip install --no-deps nvidia-pytriton"):
        find_installation()


def test_only_the_chosen_models_are_laid_out(tmp_path: Path) -> None:
    repository = find_repository()
    lay_out(find_installation(), [repository / "ocr", repository / "grid"], tmp_path)
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["grid", "ocr"]
    stub = tmp_path / "backends" / "python" / "triton_python_backend_stub"
    assert os.access(stub, os.X_OK)


def test_the_environment_goes_above_a_models_configuration() -> None:
    configured = {"weights": {"string_value": "/a"}, "beams": {"string_value": "3"}}
    environment = {
        "STREAMPROC_VISION__ENGINES__GLOBAL_INCEPTION__WEIGHTS": "/b",
        "STREAMPROC_VISION__ENGINES__GLOBAL__WEIGHTS": "/c",
        "STREAMPROC_VISION__ENGINES__GLOBAL_INCEPTION__SIZES": "[1, 2]",
    }
    given = model_parameters("global_inception", configured, environment)
    assert given == {"weights": "/b", "beams": "3", "sizes": [1, 2]}
    with pytest.raises(SettingsError, match=r"vision\.engines\.ocr\.sizes: '\[1' is not a TOML list"):
        model_parameters("ocr", {"sizes": {"string_value": "[1"}}, {})


@pytest.mark.parametrize("value", ["/a b", [1, 2.5], ["a", 'b"c'], {"a": [1], "b c": {"d": True}}])
def test_what_is_set_comes_to_the_model_as_it_was(value: object) -> None:
    text = as_text(value)
    assert model_parameters("ocr", {"key": {"string_value": text}}, {}) == {"key": value}


def test_an_instance_on_a_gpu_gets_its_number() -> None:
    assert device_of("GPU", "1") == "cuda:1"
    assert device_of("CPU", "0") == "cpu"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--models", " , "], "--models names none"),
        (["--models", "ocr", "--grpc-port", "9", "--http-port", "9"], "have to be three ports"),
    ],
)
def test_what_cannot_be_served_is_bad_usage(arguments: list[str], complaint: str) -> None:
    ended = CliRunner().invoke(cli, ["triton", "serve", *arguments], standalone_mode=False)
    assert isinstance(ended.exception, SettingsError)
    assert complaint in str(ended.exception)
