"""The training loop: AdamW with two learning rates, warm-up, clipping, epoch checkpoints."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm
from transformers import PreTrainedModel

from streamproc_mner.data.made_context import ContextMaker
from streamproc_mner.nn.tagger import Tagger
from streamproc_mner.training.batches import LabelledBatches, target_of, view_of
from streamproc_mner.training.objective import ita_loss


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How to train.

    Attributes:
        epochs: passes over the training set.
        batch: posts in a batch.
        encoder_rate: learning rate of the pretrained encoder.
        input_rate: of the embeddings of kinds and word shapes, which feed the encoder.
        head_rate: of the output layer and the CRF.
        warm_up: share of all steps in which the rates rise; then they fall to 0 linearly.
        clip: largest norm of the gradient.
        seen: share of each batch's posts that is also read with visual context.
        averaged: how many of the last epochs' weights are averaged.
        seed: of initial weights, order, dropout and made contexts.
    """

    epochs: int = 8
    batch: int = 16
    encoder_rate: float = 1e-4
    input_rate: float = 1e-3
    head_rate: float = 5e-3
    weight_decay: float = 0.01
    warm_up: float = 0.1
    clip: float = 1.0
    seen: float = 0.5
    averaged: int = 6
    seed: int = 13


def train(
    network: Tagger,
    batches: LabelledBatches,
    maker: ContextMaker,
    labels: Sequence[str],
    config: TrainingConfig,
    checkpoints: Path,
    after_epoch: Callable[[int, float], None],
) -> list[Path]:
    """Train in place.

    Args:
        network: to be trained.
        batches: the training set.
        maker: gives visual context.
        labels: of the network.
        config: how.
        checkpoints: folder that gets the weights of each epoch.
        after_epoch: called with the epoch (from 1) and its mean loss; the network is then in
            evaluation mode.

    Returns:
        The epochs' checkpoints, in order.
    """
    optimizer, parameters = _optimizer(network, config)
    schedule = LambdaLR(optimizer, _triangle(config.epochs * len(batches), config.warm_up))
    chosen = random.Random(config.seed)
    checkpoints.mkdir(parents=True, exist_ok=True)
    saved: list[Path] = []
    for epoch in range(1, config.epochs + 1):
        network.train()
        total = 0.0
        bar = tqdm(
            batches.epoch(),
            total=len(batches),
            desc=f"epoch {epoch}/{config.epochs}",
            unit="batch",
            disable=None,
        )
        for step, batch in enumerate(bar, start=1):
            posts, encoded = [post for post, _ in batch], [read for _, read in batch]
            seen = sorted(chosen.sample(range(len(posts)), round(config.seen * len(posts))))
            contexts = [maker.make(posts[row]) for row in seen]
            image_text = view_of(batches.encode([posts[row] for row in seen], contexts)) if seen else None
            target = target_of(posts, encoded, labels)
            loss = ita_loss(network, view_of(encoded), image_text, target, torch.tensor(seen))
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(parameters, config.clip)
            optimizer.step()
            schedule.step()
            total += loss.item()
            bar.set_postfix(loss=f"{total / step:.3f}")
        network.eval()
        path = checkpoints / f"epoch-{epoch:02d}.safetensors"
        save_file(network.state_dict(), path)
        saved.append(path)
        after_epoch(epoch, total / len(batches))
    return saved


def _optimizer(network: Tagger, config: TrainingConfig) -> tuple[Optimizer, list[torch.nn.Parameter]]:
    named = list(network.named_parameters())
    encoders = tuple(
        f"{name}." for name, module in network.named_modules() if isinstance(module, PreTrainedModel)
    )
    read = ("kind.", "shape.")
    pretrained = [parameter for name, parameter in named if name.startswith(encoders)]
    inputs = [parameter for name, parameter in named if name.startswith(read)]
    head = [parameter for name, parameter in named if not name.startswith((*encoders, *read))]
    decayed = [parameter for parameter in pretrained if parameter.dim() > 1]
    kept = [parameter for parameter in pretrained if parameter.dim() == 1]
    groups = [
        {"params": decayed, "lr": config.encoder_rate, "weight_decay": config.weight_decay},
        {"params": kept, "lr": config.encoder_rate, "weight_decay": 0.0},
        {"params": inputs, "lr": config.input_rate, "weight_decay": 0.0},
        {"params": head, "lr": config.head_rate, "weight_decay": 0.0},
    ]
    return AdamW(groups, fused=True), [*pretrained, *inputs, *head]


def _triangle(steps: int, warm_up: float) -> Callable[[int], float]:
    rising = max(1, round(steps * warm_up))

    def rate(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return max(0.0, (steps - step) / max(1, steps - rising))

    return rate


def averaged(checkpoints: Sequence[Path]) -> Mapping[str, Tensor]:
    """The mean of the weights of several checkpoints of one run."""
    total: dict[str, Tensor] = {}
    for weights in _loaded(checkpoints):
        for name, tensor in weights.items():
            total[name] = total[name] + tensor if name in total else tensor
    return {name: tensor / len(checkpoints) for name, tensor in total.items()}


def _loaded(checkpoints: Sequence[Path]) -> Iterator[dict[str, Tensor]]:
    for path in checkpoints:
        yield load_file(path)
