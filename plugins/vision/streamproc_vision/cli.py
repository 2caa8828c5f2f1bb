"""`streamproc vision`: weights of the networks that look at pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

_ENGINES: Final = {
    "resnet152": ("grid", "global"),
    "googlenet": ("global_inception",),
    "fasterrcnn_resnet50_fpn": ("regions",),
    "fasterrcnn_resnet50_fpn_v2": ("regions",),
    "bottom_up": ("objects",),
}
"""Networks → the engines that look with them. To know them takes no torch."""

_File = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("vision")
def command() -> None:
    """Make weights ready for the networks that look at pictures."""


@command.command("convert", short_help="Make a folder of weights from a published checkpoint.")
@click.argument("file", type=_File)
@click.option("--network", required=True, type=click.Choice(list(_ENGINES)), help="Whose weights they are.")
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to.",
)
@click.option("--objects", type=_File, help="bottom_up: names of classes; objects_vocab.txt beside FILE.")
@click.option(
    "--attributes", type=_File, help="bottom_up: names of attributes; attributes_vocab.txt beside FILE."
)
def convert(file: Path, network: str, folder: Path, objects: Path | None, attributes: Path | None) -> None:
    """Make a folder with config.json and model.safetensors from a published checkpoint.

    FILE is torchvision's (.pth), or the public Bottom-Up detector's (pytorch_model.bin, or the .pkl of its
    detectron2 port). Nothing in it is run: a file that holds more than weights is refused.
    """
    from streamproc_vision import converting

    done = converting.convert(file, network, folder, objects=objects, attributes=attributes)
    click.echo(f"{folder}: {done.tensors} tensors, {done.bytes / 1e6:.1f} MB")
    for engine in _ENGINES[network]:
        click.echo(f'name it in settings: vision.engines.{engine}.weights = "{folder}"')
