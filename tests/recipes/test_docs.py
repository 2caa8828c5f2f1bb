"""The Python of docs/models.md runs as it stands, and what it saves is served."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from streamproc.fusion.discovery import load_plugin
from streamproc.settings import PluginSettings
from streamproc.testing.contract import run_contract

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
ROWS = [
    (["Kevin", "Durant", "in", "Paris"], ["B-PER", "I-PER", "O", "B-LOC"]),
    (["a", "photo", "of", "London"], ["O", "O", "O", "B-LOC"]),
    (["news", "at", "google"], ["O", "O", "B-ORG"]),
]


def test_a_network_is_taught_saved_and_served(encoders: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    code = code.replace('"bert-base-cased"', repr(str(encoders / "bert")))
    rows = [{"id": str(i), "tokens": tokens, "tags": tags} for i, (tokens, tags) in enumerate(ROWS)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "grids").mkdir()
    np.save(tmp_path / "grids" / "0.npy", np.random.default_rng(0).standard_normal((49, 2048)))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    losses = [float(value) for value in re.findall(r"loss ([\d.]+)", done.stdout)]
    assert len(losses) == 10
    loaded = load_plugin("mine", PluginSettings(plugin="co-attention", model=str(tmp_path / "my-model")))
    assert loaded.model.model == "my-adacan"
    assert not [outcome for outcome in run_contract(loaded) if outcome.fault]
