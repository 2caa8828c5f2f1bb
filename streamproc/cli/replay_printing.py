"""What `streamproc deadletters replay` says when it is done."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import click

from streamproc.deadletters.outbox import ReplayReport


def print_report(report: ReplayReport, *, to_see: Sequence[str], dry_run: bool, as_json: bool) -> None:
    """What was done, or in a dry run would be.

    Args:
        report: the counts.
        to_see: commands that show the letters; told in a dry run that found some.
        dry_run: whether nothing was sent.
        as_json: for scripts.
    """
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, **asdict(report)}, indent=2))
        return
    which = f" (to see which: {', '.join(f'`{command}`' for command in to_see)})" if report.ended else ""
    parts = [
        f"{report.replayed} to replay" if dry_run else f"{report.replayed} replayed",
        f"{report.deleted} {'to drop' if dry_run else 'dropped'}: deleted since" if report.deleted else "",
        f"{report.not_sent} not sent, they wait on" if report.not_sent else "",
        f"{report.parked} parked: --parked takes them along" if report.parked else "",
        f"{report.before} replayed or dropped before" if report.before else "",
        f"nothing was sent: a dry run{which}" if dry_run else "",
    ]
    click.echo("; ".join(part for part in parts if part))


def commands_to_see(
    places: Sequence[str], parked: bool, max_attempts: int | None, filters: Mapping[str, str | None]
) -> list[str]:
    """Commands that show the letters which a replay with these arguments is about."""
    if places:
        return [f"streamproc deadletters show {place}" for place in dict.fromkeys(places)]
    chosen = [part for name, value in filters.items() if value for part in (f"--{name}", value)]
    if max_attempts is not None:
        chosen += ["--set", f"deadletters.max_attempts={max_attempts}"]
    states = ["waiting", "parked"] if parked else ["waiting"]
    return [
        shlex.join(["streamproc", "deadletters", "list", *chosen, "--state", state]) for state in states
    ]
