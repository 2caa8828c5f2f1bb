"""Flags of everything that trains: `train`, and `recipes run`, which hands them on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from streamproc_mner.cli.measuring_options import repair_option

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def training_options(command: CommandT) -> CommandT:
    """What is trained on, and how: `--data` to `--set`."""
    for option in (
        click.option(
            "--threads", type=click.IntRange(1, 1024), help="Of the CPU; by default as many as torch takes."
        ),
        click.option(
            "--set",
            "changes",
            multiple=True,
            metavar="KEY=VALUE",
            help="Change the recipe: training.epochs=3.",
        ),
        repair_option,
        click.option(
            "--pretrain-mlm",
            metavar="EPOCHS",
            type=click.IntRange(1, 1000),
            help="First teach the encoder the posts' text, by masked sub-tokens, for so many epochs.",
        ),
        click.option(
            "--precision",
            type=click.Choice(["float32", "bfloat16"]),
            default="float32",
            show_default=True,
            help="bfloat16: computed with where that is safe; half the time on GPUs and newer CPUs.",
        ),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."),
        click.option("--encoder", metavar="NAME", help="In the place of the recipe's: a name or a folder."),
        click.option(
            "--pictures",
            metavar="FOLDER",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="What `streamproc extract --out` saw in the posts' pictures.",
        ),
        click.option(
            "--data",
            required=True,
            multiple=True,
            metavar="FOLDER",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="With train.jsonl (or .txt, .conll), maybe dev, valid, test; may be given several times.",
        ),
    ):
        command = option(command)
    return command


def as_arguments(
    data: Sequence[Path],
    pictures: Path | None,
    device: str,
    precision: str,
    pretrain_mlm: int | None,
    repair: bool,
    changes: Sequence[str],
    threads: int | None,
) -> list[str]:
    """The same flags for another process; `--encoder` is left to the caller, who knows the recipe."""
    options = [part for folder in data for part in ("--data", str(folder))]
    options += [part for change in changes for part in ("--set", change)]
    options += ["--device", device, "--precision", precision]
    options += ["--pictures", str(pictures)] if pictures else []
    options += ["--pretrain-mlm", str(pretrain_mlm)] if pretrain_mlm else []
    options += ["--repair"] if repair else []
    options += ["--threads", str(threads)] if threads else []
    return options
