"""`streamproc data make`: posts of which it is known whether the picture or the text decides."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from streamproc_mner.data.made_posts import MadeKind


@click.command("make")
@click.option(
    "--kind",
    type=click.Choice(["picture-decides", "text-decides", "mixed"]),
    default="mixed",
    show_default=True,
    help="What tells of which type a name is; mixed: half of the posts each.",
)
@click.option(
    "--posts", "count", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="How many."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Other posts for another seed.")
@click.option(
    "--out",
    required=True,
    metavar="FILE.jsonl",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the posts go.",
)
@click.option("--json", "as_json", is_flag=True, help="What was made, for scripts.")
def command(kind: MadeKind, count: int, seed: int, out: Path, as_json: bool) -> None:
    """Make labelled posts up, in which only the picture tells of which type a name is, or only the text.

    For seeing what a model makes of pictures, and `streamproc analyse look`, without anybody's posts.
    """
    from streamproc.errors import SettingsError
    from streamproc_mner.data.convert import write_records
    from streamproc_mner.data.made_posts import make_posts

    if out.suffix != ".jsonl":
        raise SettingsError(f"--out {out}: expected a name that ends in .jsonl")
    posts = make_posts(kind, count, seed)
    write_records(out, posts)
    deciding = Counter(post.id.rsplit("-", 2)[0] for post in posts)
    types = Counter(tag[2:] for post in posts for tag in post.tags if tag != "O")
    if as_json:
        click.echo(json.dumps({"posts": count, "deciding": deciding, "entities": types}))
        return
    told = ", ".join(f"{number} {name}" for name, number in sorted(deciding.items()))
    entities = ", ".join(f"{number} {name}" for name, number in sorted(types.items()))
    click.echo(f"{count} posts ({told}), entities: {entities}, in {out}")
