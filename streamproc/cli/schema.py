"""`streamproc schema`: JSON Schemas of the messages."""

from __future__ import annotations

import json

import click


@click.command("schema")
@click.argument("which", type=click.Choice(["post", "tagged", "settings", "all"]), default="all")
def command(which: str) -> None:
    """Print the JSON Schemas of posts (in), tagged posts (out) and settings."""
    from streamproc.entities import TAGGED_POST
    from streamproc.posts import MESSAGE
    from streamproc.settings import Settings

    schemas = {
        "post": MESSAGE.json_schema(mode="validation"),
        "tagged": TAGGED_POST.json_schema(mode="serialization"),
        "settings": Settings.model_json_schema(),
    }
    click.echo(json.dumps(schemas if which == "all" else schemas[which], indent=2))
