"""`streamproc train` on a tiny encoder and a few made posts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from streamproc_mner.cli.train import command

SMALL = (
    "limits.window=64", "limits.overlap=8", "limits.context=16", "training.batch=4", "training.epochs=3",
    "training.encoder_rate=1e-3", "training.head_rate=0.02", "training.held_out=0.25",
)  # fmt: skip


def arguments(
    encoder: Path, data: Path, out: Path, *more: str, recipe: str = "wang2022/ita-ga-cva"
) -> list[str]:
    changes = [part for change in SMALL for part in ("--set", change)]
    return [
        recipe, "--data", str(data), "--out", str(out), "--encoder", str(encoder),
        "--threads", "1", *changes, *more,
    ]  # fmt: skip


def train(encoder: Path, data: Path, out: Path, *more: str, **options: str) -> dict[str, Any]:
    result = CliRunner().invoke(
        command, arguments(encoder, data, out, "--json", *more, **options), catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
