"""docker-compose.yml says what the program understands. There is no engine here that would run it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from streamproc.cli.main import cli
from streamproc.settings import load_settings
from streamproc.vision.names import KNOWN

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILES = sorted((ROOT / "deploy" / "docker").glob("*.Dockerfile"))


def test_every_image_is_pinned_by_version() -> None:
    for name, service in SERVICES.items():
        assert re.search(r":[0-9]+\.[0-9]", service["image"]), name


@pytest.mark.parametrize("name", ["worker", "topics"])
def test_the_settings_of_the_worker_are_settings(name: str) -> None:
    settings = load_settings(environment=SERVICES[name]["environment"])
    assert settings.kafka.broker == "kafka:9092"
    assert settings.vision.cache == "redis://redis:6379/0"
    assert settings.vision.extractors == "triton://triton:8001"
    if name == "worker":
        port = settings.health.listen.rpartition(":")[2]
        assert f"http://127.0.0.1:{port}/ready" in SERVICES[name]["healthcheck"]["test"][-1]
    assert {"kafka", "redis"} <= set(SERVICES)


def test_commands_are_commands() -> None:
    for name in ("worker", "topics"):
        command = SERVICES[name]["command"]
        ended = CliRunner().invoke(cli, [*command, "--help"])
        assert ended.exit_code == 0, command
    ended = CliRunner().invoke(cli, ["triton", "serve", "--models", "ocr", "--help"])
    assert ended.exit_code == 0
    default = re.search(r":-([a-z_,]+)}", " ".join(SERVICES["triton-cpu"]["command"]))
    assert default is not None
    assert set(default[1].split(",")) <= set(KNOWN)


def test_both_tritons_are_known_to_the_worker_by_the_same_name_and_only_one_is_started() -> None:
    for profile in ("cpu", "gpu"):
        service = SERVICES[f"triton-{profile}"]
        assert service["profiles"] == [profile]
        assert service["networks"]["default"]["aliases"] == ["triton"]
    assert "deploy" in SERVICES["triton-gpu"]
    assert "deploy" not in SERVICES["triton-cpu"]


def test_what_a_service_waits_for_can_say_that_it_is_healthy() -> None:
    for service in SERVICES.values():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[needed]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_an_image_runs_as_nobody_special_and_copies_what_there_is(file: Path) -> None:
    text = file.read_text()
    final = text.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001$", final, re.M)
    assert "pip install" not in final
    assert not re.search(r"\b(gcc|build-essential|git)\b", text)
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M):
        for source in sources.split():
            assert (ROOT / source).exists(), source


def test_docker_compose_takes_it() -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("docker is not here")
    asked = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    if asked.returncode:
        pytest.skip("docker compose is not here")
    for profile in ("cpu", "gpu"):
        command = [
            docker,
            "compose",
            "--project-directory",
            str(ROOT),
            "--profile",
            profile,
            "config",
            "-q",
        ]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")
