"""`streamproc data`: labelled posts of every form into one, and what is wrong with them."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamproc.errors import SettingsError
from streamproc_mner.data.tags import SCHEMES

if TYPE_CHECKING:
    from streamproc_mner.data.convert import Conversion
    from streamproc_mner.data.tags import Scheme


class _DataCommands(click.Group):
    """With `make`, which has a file of its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), "make"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "make":
            command: click.Command = import_module("streamproc_mner.cli.made_data").command
            return command
        return super().get_command(ctx, cmd_name)


@click.group("data", cls=_DataCommands)
def command() -> None:
    """Convert, check and make labelled posts, for training and evaluation."""


@command.command("convert", short_help="Write labelled posts of any form as JSON Lines with BIO2 tags.")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    required=True,
    metavar="FILE.jsonl",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the posts go.",
)
@click.option(
    "--scheme", type=click.Choice(SCHEMES), help="Of SOURCE's tags; by default what they look like."
)
@click.option("--repair", is_flag=True, help="Mend tags that break their scheme, instead of refusing them.")
@click.option(
    "--types",
    metavar="OLD=NEW",
    multiple=True,
    help="Rename a type; OLD=O leaves its entities out. May be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="What was found, for scripts.")
def convert(
    source: Path, out: Path, scheme: Scheme | None, repair: bool, types: tuple[str, ...], as_json: bool
) -> None:
    """Write labelled posts as JSON Lines with BIO2 tags.

    SOURCE has a token and its tag a line, as in CoNLL and in UMT's release (IMGID lines), or a JSON
    object a post. Tags may be BIO2, IOB1, BIOES or BILOU.
    """
    from streamproc_mner.data.convert import convert as read
    from streamproc_mner.data.convert import write_records

    if out.suffix != ".jsonl":
        raise SettingsError(f"--out {out}: expected a name that ends in .jsonl, by which it will be read")
    if out.resolve() == source.resolve():
        raise SettingsError(f"--out {out} is SOURCE: name another file")
    found = read(source, scheme=scheme, repair=repair, types=_names(types))
    write_records(out, found.records)
    _tell(source, found)
    if as_json:
        click.echo(json.dumps(_as_json(found)))


def _names(types: tuple[str, ...]) -> dict[str, str]:
    names = {}
    for pair in types:
        old, equals, new = pair.partition("=")
        if not (old and equals and new) or any(letter.isspace() for letter in pair):
            raise SettingsError(f"--types {pair}: expected OLD=NEW, for example OTHER=MISC")
        names[old] = new
    return names


def _tell(source: Path, found: Conversion) -> None:
    """What was found, for people, on standard error."""
    entities = found.entities
    by_type = ", ".join(f"{count:,} {name}" for name, count in sorted(entities.items()))
    told = [
        f"{source}: {len(found.records):,} posts, tags in {found.scheme}, "
        f"{entities.total():,} entities{': ' * bool(by_type)}{by_type}"
    ]
    if found.mended:
        told.append(f"tags that broke {found.scheme} and were mended: {found.mended:,}")
    if found.empty:
        told.append(f"posts without tokens, left out: {found.empty:,}")
    if found.not_there:
        told.append(f"--types: there is no {' or '.join(found.not_there)}")
    for line in told:
        click.echo(line, err=True)


def _as_json(found: Conversion) -> dict[str, object]:
    return {
        "posts": len(found.records),
        "scheme": found.scheme,
        "entities": dict(sorted(found.entities.items())),
        "mended": found.mended,
        "empty": found.empty,
    }


@command.command("check", short_help="Count what is there, and name what is wrong with it.")
@click.argument(
    "paths", metavar="FOLDER_OR_FILE...", nargs=-1, required=True,
    type=click.Path(exists=True, path_type=Path),
)  # fmt: skip
@click.option(
    "--pictures",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With the posts' pictures, or what `streamproc extract --out` saw in them.",
)
@click.option("--json", "as_json", is_flag=True, help="All of it, for scripts.")
def check(paths: tuple[Path, ...], pictures: Path | None, as_json: bool) -> None:
    """Count what files of labelled posts hold, and name what is wrong with them.

    A folder stands for its train, dev, valid and test, as .jsonl, .txt or .conll. Exits 1 where a line
    or tag is not what it should be, and where files of two splits share posts, by text or id.
    """
    from streamproc_mner.cli.data_check import as_json_object, print_check
    from streamproc_mner.data.checking import check_data

    found = check_data(paths, pictures)
    if as_json:
        click.echo(json.dumps(as_json_object(found), indent=2))
    else:
        print_check(found)
    sys.exit(0 if found.good else 1)
