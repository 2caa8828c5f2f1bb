"""Optimiser and learning rates: of pretrained encoders, of what feeds them, of the rest."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torch.optim import Adagrad, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel

from streamproc_mner.nn.tagger import Tagger
from streamproc_mner.recipes.recipe import Training

_FEED_ENCODERS = ("kind.", "shape.")
"""Embeddings that are added to a pretrained encoder's own."""


def make_optimizer(network: Tagger, training: Training) -> Optimizer:
    """AdamW, its weight decay on the matrices of pretrained encoders only; or Adagrad with one rate."""
    named = list(network.named_parameters())
    if training.optimizer == "adagrad":
        return Adagrad([parameter for _, parameter in named], lr=training.head_rate)
    encoders = tuple(
        f"{name}." for name, module in network.named_modules() if isinstance(module, PreTrainedModel)
    )
    pretrained = [parameter for name, parameter in named if name.startswith(encoders)] if encoders else []
    inputs = [parameter for name, parameter in named if name.startswith(_FEED_ENCODERS)]
    others = [p for name, p in named if not name.startswith((*encoders, *_FEED_ENCODERS))]
    groups = [
        _group([p for p in pretrained if p.dim() > 1], training.encoder_rate, training.weight_decay),
        _group([p for p in pretrained if p.dim() == 1], training.encoder_rate),
        _group(inputs, training.input_rate or training.head_rate),
        _group(others, training.head_rate),
    ]
    return AdamW([group for group in groups if group["params"]], fused=True)


def _group(parameters: list[nn.Parameter], rate: float, decay: float = 0.0) -> dict[str, object]:
    return {"params": parameters, "lr": rate, "weight_decay": decay}


def make_schedule(optimizer: Optimizer, steps: int, warm_up: float) -> LambdaLR:
    """Rates that rise over the first share of all steps, and then fall to 0 linearly."""
    return LambdaLR(optimizer, triangle(steps, warm_up))


def triangle(steps: int, warm_up: float) -> Callable[[int], float]:
    """The share of the full rate at each step, from 0 on."""
    rising = max(1, round(steps * warm_up))

    def share(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return max(0.0, (steps - step) / max(1, steps - rising))

    return share
