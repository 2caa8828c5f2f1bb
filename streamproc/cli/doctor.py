"""`streamproc doctor`: what is installed and reachable, and what to do about the rest."""

from __future__ import annotations

import asyncio
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamproc.cli.options import settings_from, settings_options

if TYPE_CHECKING:
    from streamproc.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: `advice` says what to do and is empty where all is well.

    `needed` tells whether a worker with these settings cannot do without it.
    """

    part: str
    found: str
    advice: str = ""
    needed: bool = True


@click.command("doctor")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(config: Path | None, assignments: tuple[str, ...], broker: str | None, as_json: bool) -> None:
    """Check every part that a worker with these settings uses; exits 1 if a needed one fails."""
    settings = settings_from(config, assignments, broker)
    findings = [finding for check in CHECKS for finding in check(settings)]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings)
    sys.exit(1 if any(finding.advice and finding.needed for finding in findings) else 0)


def _packages(settings: Settings) -> list[Finding]:
    always = ("streamproc", "faust-streaming", "aiokafka", "kafka-python")
    findings = [Finding("python", platform.python_version()), *(Finding(p, version(p)) for p in always)]
    optional = [("confluent-kafka", "for the embedded broker of `streamproc demo`", "demo", False)]
    for package, use, extra, needed in optional:
        try:
            findings.append(Finding(package, version(package), needed=needed))
        except PackageNotFoundError:
            advice = f"{use}: pip install 'streamproc[{extra}]'"
            findings.append(Finding(package, "not installed", advice, needed))
    return findings


def _plugins(settings: Settings) -> list[Finding]:
    from streamproc.errors import PluginError, SettingsError
    from streamproc.fusion.discovery import find_plugin, load_plugin, plugin_names
    from streamproc.routing import Router

    router = Router(settings.routes)
    routed = dict.fromkeys((*router.primaries(), *router.shadows()))
    findings = []
    for name in routed:
        try:
            loaded = load_plugin(name, settings.plugins.get(name))
        except (PluginError, SettingsError) as error:
            findings.append(Finding(f"plugin {name}", "cannot serve", str(error)))
        else:
            model = loaded.model.model_version or "no trained model"
            findings.append(
                Finding(f"plugin {name}", f"{loaded.plugin.name} {loaded.plugin.version}, {model}")
            )
            loaded.model.close()
    for name in plugin_names():
        try:
            find_plugin(name)
        except PluginError as error:
            findings.append(Finding(f"plugin {name}", "cannot be loaded", str(error), needed=False))
    return findings


def _kafka(settings: Settings) -> list[Finding]:
    from streamproc.broker.connecting import needed_topics, partitions_of_topics
    from streamproc.broker.link import Link
    from streamproc.errors import BrokerError, SettingsError

    try:
        link = Link.of(settings.kafka)
        found = asyncio.run(partitions_of_topics(link))
    except (BrokerError, SettingsError) as error:
        return [Finding("kafka", "not reachable", str(error))]
    findings = [Finding("kafka", f"reachable at {link.told}")]
    for topic in needed_topics(settings):
        if topic in found:
            findings.append(Finding(f"topic {topic}", f"{found[topic]} partitions"))
        else:
            findings.append(Finding(f"topic {topic}", "missing", "run `streamproc topics create`"))
    return findings


def _cache(settings: Settings) -> list[Finding]:
    url = settings.vision.cache
    if url.startswith("memory://"):
        return [Finding("cache", "in this process")]
    import redis

    try:
        server = asyncio.run(_redis_version(url))
    except (redis.RedisError, OSError) as error:
        advice = f"{error}: start Redis or mend vision.cache; without it pictures are looked at again"
        return [Finding("cache", "not reachable", advice, needed=False)]
    return [Finding("cache", f"Redis {server}")]


async def _redis_version(url: str) -> str:
    from streamproc.vision.cache.connecting import connect

    client = connect(url, timeout_s=3.0)
    try:
        told = await client.info("server")
    finally:
        await client.aclose()
    # A cluster answers for each of its nodes.
    servers = [told] if "redis_version" in told else list(told.values())
    return ", ".join(sorted({str(server["redis_version"]) for server in servers}))


def _extractors(settings: Settings) -> list[Finding]:
    if settings.vision.extractors == "local":
        return _local_extractors(settings)
    return asyncio.run(_triton(settings))


def _local_extractors(settings: Settings) -> list[Finding]:
    """An extractor that is configured and cannot be had stops a worker whose plugins want it."""
    from streamproc.errors import PluginError, SettingsError
    from streamproc.settings import EngineSettings
    from streamproc.vision.engines import open_engine

    findings = []
    for name, chosen in {"ocr": EngineSettings(), **settings.vision.engines}.items():
        try:
            engine = open_engine(name, chosen.config, chosen.device)
        except (PluginError, SettingsError) as error:
            findings.append(Finding(f"extractor {name}", "cannot look", str(error)))
        else:
            findings.append(Finding(f"extractor {name}", f"in this process, {engine.version}"))
    return findings


async def _triton(settings: Settings) -> list[Finding]:
    """Triton may be away: posts are tagged from their texts then, and their pictures unavailable."""
    from streamproc.vision.names import KNOWN
    from streamproc.vision.triton import check_triton

    chosen = settings.vision.modalities
    names = None if chosen is None else [name for name, known in KNOWN.items() if known.modality in chosen]
    findings = []
    for state in await check_triton(settings.vision.extractors, names):
        if state.fault:
            advice = f"{state.fault}: start it, or mend vision.extractors"
            findings.append(Finding(f"triton {state.host}", "not reachable", advice, needed=False))
            continue
        findings.append(Finding(f"triton {state.host}", state.server or "there"))
        for model in state.models:
            found = f"on {state.host}, {model.version}" if not model.fault else "cannot look"
            findings.append(Finding(f"extractor {model.name}", found, model.fault, needed=False))
    return findings


CHECKS: tuple[Callable[[Settings], list[Finding]], ...] = (
    _packages,
    _plugins,
    _kafka,
    _cache,
    _extractors,
)


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("", "part", "found", "what to do"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        mark = (
            "[green]ok[/green]"
            if not finding.advice
            else ("[red]no[/red]" if finding.needed else "[yellow]--[/yellow]")
        )
        table.add_row(mark, finding.part, escape(finding.found), escape(finding.advice))
    Console().print(table)
