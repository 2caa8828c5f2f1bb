"""Whether an exported network gives what the network in torch gives, on made-up posts of many lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from streamproc.errors import PluginError
from streamproc_mner.collate import KIND_IDS
from streamproc_mner.nn.context_tagger import ContextTagger
from streamproc_mner.nn.inputs import inputs_of
from streamproc_mner.onnx_tagger import OnnxNetwork
from streamproc_mner.windows import Batch, Limits, Window, pad
from streamproc_mner.words import SHAPE_SIZES

TOLERANCE: Final = 1e-4
"""How far emissions may be apart: from torch's, and from those of the same post in another batch."""

_LENGTHS: Final = (3, 4, 5, 8, 13, 21, 34, 55, 89, 144, 233)
_SEED: Final = 2022


@dataclass(frozen=True, slots=True)
class Parity:
    """What was found on made-up posts.

    Attributes:
        posts: how many.
        longest: sub-tokens of the longest.
        difference: the largest between an emission of the file and one of torch.
        in_batches: the largest between an emission of a post alone and with others.
    """

    posts: int
    longest: int
    difference: float
    in_batches: float


def check_parity(network: ContextTagger, path: Path, limits: Limits) -> Parity:
    """Compare an exported file with its network.

    Args:
        network: in evaluation mode, on the CPU.
        path: of the file.
        limits: of the model: no post is longer than a window.

    Raises:
        PluginError: they are further apart than `TOLERANCE`.
    """
    exported = OnnxNetwork(path, threads=0)
    lengths = [*(length for length in _LENGTHS if length < limits.window), limits.window]
    vocabulary = int(network.encoder.config.vocab_size)
    random = np.random.default_rng(_SEED)
    windows = [_made(length, vocabulary, random) for length in lengths]
    difference = in_batches = 0.0
    alone = [exported.score(pad([window]), None).emissions[0] for window in windows]
    for first, last in ((0, 1), (0, len(windows) // 2), (0, len(windows))):
        batch = pad(windows[first:last])
        together = exported.score(batch, None).emissions
        difference = max(difference, _apart(together, _of_torch(network, batch), batch))
        in_batches = max(in_batches, _apart(together, _padded(alone[first:last], together), batch))
    parity = Parity(len(windows), limits.window, difference, in_batches)
    for found, other in ((difference, "torch"), (in_batches, "the same posts in other batches")):
        if not found <= TOLERANCE:
            raise PluginError(
                f"{path.name}: emissions differ by {found:.1g} from those of {other}, expected at most "
                f"{TOLERANCE:g}: this encoder ({network.encoder.config.model_type}) cannot be exported; "
                "serve the model with torch"
            )
    return parity


def _made(length: int, vocabulary: int, random: np.random.Generator) -> Window:
    """A post of random sub-tokens, all of them words, the last third visual context."""
    kinds = np.zeros(length, np.int64)
    kinds[length - length // 3 :] = random.integers(1, len(KIND_IDS) + 1)
    shapes = np.stack([random.integers(0, size, length) for size in SHAPE_SIZES], axis=1)
    places = np.arange(length)
    ids = random.integers(0, vocabulary, length)
    return Window(ids, kinds, shapes, places, places, slice(0, length))


@torch.inference_mode()
def _of_torch(network: ContextTagger, batch: Batch) -> NDArray[np.float32]:
    found: NDArray[np.float32] = network(inputs_of(batch)).emissions.numpy()
    return found


def _padded(alone: Sequence[NDArray[np.float32]], like: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = np.zeros_like(like)
    for row, emissions in zip(rows, alone, strict=True):
        row[: len(emissions)] = emissions
    return rows


def _apart(left: NDArray[np.float32], right: NDArray[np.float32], batch: Batch) -> float:
    return float(np.abs(left - right)[batch.words].max())
