"""`streamproc schema`: JSON Schemas of the messages."""

from __future__ import annotations

import json
from inspect import cleandoc
from typing import Any

import click


@click.command("schema")
@click.argument("which", type=click.Choice(["post", "tagged", "settings", "all"]), default="all")
def command(which: str) -> None:
    """Print the JSON Schemas of posts (in), tagged posts (out) and settings."""
    from streamproc.entities import TaggedPost
    from streamproc.posts import Deletion, Post
    from streamproc.settings import Settings

    schemas = {
        "post": _schema(Post, Deletion),
        "tagged": _schema(TaggedPost),
        "settings": Settings.model_json_schema(),
    }
    click.echo(json.dumps(schemas if which == "all" else schemas[which], indent=2))


def _schema(*structs: type) -> dict[str, Any]:
    """Of a message that is one of these."""
    from msgspec.json import schema_components

    kinds, parts = schema_components(structs, ref_template="#/$defs/{name}")
    for part in parts.values():
        part["description"] = cleandoc(part["description"])
    whole = parts.pop(structs[0].__name__) if len(structs) == 1 else {"anyOf": list(kinds)}
    return {**whole, "$defs": parts}
