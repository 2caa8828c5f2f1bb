"""The demo's table, and the same in plain lines."""

from __future__ import annotations

from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streamproc.counting import counted
from streamproc.demo.scene import NO_WRITING, Row, Scene
from streamproc.telemetry import Counts
from streamproc.vision.context import NO_EXTRACTOR

COLOURS: Final = {"PER": "bold magenta", "LOC": "bold green", "ORG": "bold cyan", "MISC": "bold yellow"}
OTHER_TYPE: Final = "bold blue"
CELL_CHARS: Final = 120


def live_view(scene: Scene, counts: Counts, lag: int, height: int, head: str) -> RenderableType:
    """The last rows that fit, with a line above that says how it goes."""
    table = Table(expand=True, box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("post", ratio=5, overflow="ellipsis")
    table.add_column("the picture said", ratio=3, overflow="ellipsis")
    table.add_column("missing", ratio=3, overflow="ellipsis")
    for row in scene.rows[-max(3, (height - 10) * 2 // 5) :]:
        table.add_row(*(_short(cell) for cell in (post_text(row), Text(row.seen, "italic"), missing(row))))
    state = Text.assemble(
        (counted(counts.finished, "post"), "bold"), f"  {scene.rate():.1f} posts/s  lag {lag}  ",
        f"{counted(counts.entities, 'entity', 'entities')}  {counted(counts.looked, 'look')}  "
        f"{counted(counts.dead.total(), 'dead letter')}",
    )  # fmt: skip
    return Group(Text(head, style="dim"), state, table)


def _short(cell: Text) -> Text:
    """Two or three lines of a cell at most, so that one long post does not push out the others."""
    cell.truncate(CELL_CHARS, overflow="ellipsis")
    return cell


def post_text(row: Row) -> Text:
    """The post with its entities in colour, each followed by its type."""
    if row.tagged is None:
        return Text(row.text, style="dim red")
    if row.tagged.op == "delete":
        return Text(f"{row.key} deleted", style="dim")
    text, at = Text(), 0
    for entity in row.tagged.entities:
        text.append(row.text[at : entity.start])
        style = COLOURS.get(entity.type, OTHER_TYPE)
        text.append(row.text[entity.start : entity.end], style=style)
        text.append(f"[{entity.type}]", style=f"{style} dim")
        at = entity.end
    text.append(row.text[at:])
    return text if text.plain else Text("(no text)", style="dim")


def missing(row: Row) -> Text:
    """What the model did not get, and why; why a dead letter is one."""
    if row.tagged is None:
        return Text(row.dead, style="red")
    if row.tagged.skipped:
        return Text(row.tagged.skipped, style="dim")
    told = [
        f"{modality} {use.status}" + (f": {use.reason}" if use.reason else "")
        for modality, use in row.tagged.visuals.items()
        if use.status == "unavailable" or (use.status == "skipped" and use.reason != NO_EXTRACTOR.reason)
    ]
    return Text("; ".join(told), style="yellow")


def print_row(console: Console, row: Row) -> None:
    """One row as plain lines, for pipes and logs."""
    console.print(post_text(row), soft_wrap=True)
    if row.seen:
        console.print(Text(f"    picture: {row.seen}"), soft_wrap=True)
    if (why := missing(row)).plain:
        console.print(Text(f"    {why.plain}"), soft_wrap=True)


def summary(
    scene: Scene, counts: Counts, extracted: int, lag: int, notices: tuple[str, ...]
) -> RenderableType:
    """How it went, at the end."""
    used = sum(bool(row.seen) and row.seen != NO_WRITING for row in scene.rows)
    lines = [
        f"{counted(counts.read, 'message')} read: {counts.tagged} tagged, {counts.deleted} deleted, "
        f"{counts.empty} without text, {counts.skipped.total()} skipped, "
        f"{counted(counts.dead.total(), 'dead letter')}",
        f"{counted(counts.entities, 'entity', 'entities')}; {counted(counts.looked, 'post')} had their "
        f"pictures looked at: {counted(extracted, 'picture')}, each once; writing used in "
        f"{counted(used, 'post')}",
        f"{scene.rate():.1f} posts/s with pictures, lag {lag}",
        *notices,
    ]
    return Panel(Text("\n".join(lines)), title="done", expand=False)
