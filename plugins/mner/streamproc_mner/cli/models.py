"""`streamproc models`: pretrained encoders, got from a hub and named."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from streamproc_mner.encoders import FoundEncoder
    from streamproc_mner.pulling import Plan

_LARGE: Final = 1_000_000_000


@click.group("models")
def command() -> None:
    """Get the pretrained encoders that networks are built on, and list those that are here.

    Trained models are packages: `streamproc plugins list` shows them.
    """
    from streamproc.errors import PluginError

    if find_spec("huggingface_hub") is None:
        raise PluginError("this needs huggingface_hub: pip install 'streamproc-mner[train]'")


@command.command("pull", short_help="Get one from a model hub.")
@click.argument("name")
@click.option("--revision", metavar="R", help="Branch, tag or commit; the main one by default.")
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to; by default the cache of huggingface_hub.",
)
def pull(name: str, revision: str | None, folder: Path | None) -> None:
    """Get a pretrained encoder, or weights that look at pictures: config, tokenizer, safetensors.

    NAME is as on the hub: bert-base-cased, uclanlp/visualbert-vqa-coco-pre, timm/resnet152.tv_in1k.
    What is here already is not got again; an interrupted pull goes on where it stopped. Weights that
    are pickles are refused. The hub is the one that HF_ENDPOINT names.
    """
    from streamproc_mner import pulling

    chosen = pulling.plan(name, revision)
    _announce(chosen)
    got = pulling.pull(chosen, folder)
    owner = pulling.missing_tokenizer(chosen, got)
    if owner is not None:
        tokenizer = pulling.plan(owner, tokenizer_only=True)
        click.echo(f"{name} is published without a tokenizer and reads with that of {owner}")
        pulling.pull(tokenizer, folder)
    click.echo(f"it is in {got}")
    known = f"{name}@{revision}" if revision else name
    click.echo(f'name it in settings and recipes: {_setting(got)} = "{folder or known}"')


def _setting(folder: Path) -> str:
    """What a model is named under: an encoder of text, or weights of a network that looks at pictures."""
    from streamproc_mner.encoders import looks_at_pictures

    return "weights" if looks_at_pictures(folder) else "encoder"


def _announce(chosen: Plan) -> None:
    click.echo(f"{chosen.name}: {len(chosen.files)} files, {_size(chosen.bytes)}")
    if chosen.bytes > _LARGE:
        click.echo("this is a large one: Ctrl-C stops it, and the same command goes on later", err=True)


@command.command("list", short_help="Show those that are here, and what is wrong with them.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(as_json: bool) -> None:
    """Pretrained encoders on this machine, with those that cannot be used and why."""
    from streamproc_mner.encoders import found_encoders

    found = found_encoders()
    if as_json:
        click.echo(json.dumps([_row(encoder) for encoder in found], indent=2))
    elif found:
        _print_table(found)
    else:
        click.echo("no pretrained encoders here: streamproc models pull bert-base-cased")


def _row(encoder: FoundEncoder) -> dict[str, str | int | None]:
    return {
        "name": encoder.name,
        "type": encoder.type,
        "bytes": encoder.bytes,
        "folder": str(encoder.folder),
        "fault": encoder.fault,
    }


def _print_table(found: list[FoundEncoder]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("name", "type", "size", "where"):
        table.add_column(title, overflow="fold", justify="right" if title == "size" else "left")
    for encoder in found:
        where = escape(str(encoder.folder))
        fault = f"[red]{escape(encoder.fault)}[/red]\n" if encoder.fault else ""
        table.add_row(
            escape(encoder.name),
            escape(repr(encoder.type)[1:-1]) if encoder.type else "-",
            _size(encoder.bytes),
            fault + where,
        )
    Console().print(table)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
