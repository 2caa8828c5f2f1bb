"""Tiny encoders for the recipes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny BERT, VisualBERT and XLM-R."""
    pytest.importorskip("torch", reason="needs the [train] extra of streamproc-mner")
    from tests.recipes.encoders import make_encoders

    return make_encoders(tmp_path_factory.mktemp("encoders"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a network is slower on more threads than one."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
