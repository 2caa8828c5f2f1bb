"""The training loop of every family: steps, epochs, the best one kept, and going on after a kill."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import torch
from torch import Tensor, nn
from tqdm import tqdm

from streamproc.errors import StreamprocError
from streamproc_mner.nn.tagger import Tagger
from streamproc_mner.recipes.recipe import Training
from streamproc_mner.training.checkpoints import Checkpoints
from streamproc_mner.training.examples import Examples, Step
from streamproc_mner.training.objective import distillation_loss
from streamproc_mner.training.optimizing import make_optimizer, make_schedule

Judge = Callable[[], Mapping[str, float]]
"""Scores of the network as it is now on the dev posts, in percent; `dev_f1` is what is compared."""

PRECISIONS: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TrainingFailed(StreamprocError):
    """Training cannot go on; says why, and what to change."""


class Trainer:
    """Trains one network.

    Args:
        network: to be trained; in place.
        examples: what on.
        training: how.
        checkpoints: the run's folder.
        judge: scores the network on the dev posts; it is in evaluation mode then.
        seed: of dropout; order and contexts have the same from `examples`.
        precision: a shorter type than float32 is used where autocast says it may be.
        device: where the network is.
        told: gets a line after each epoch.
    """

    def __init__(
        self,
        network: Tagger,
        examples: Examples,
        training: Training,
        checkpoints: Checkpoints,
        judge: Judge,
        *,
        seed: int,
        precision: torch.dtype,
        device: torch.device,
        told: Callable[[str], None],
    ) -> None:
        self._network = network
        self._examples = examples
        self._training = training
        self._checkpoints = checkpoints
        self._judge = judge
        self._seed = seed
        self._precision = precision
        self._device = device
        self._told = told
        self._optimizer = make_optimizer(network, training)
        steps = training.epochs * examples.steps
        self._schedule = make_schedule(self._optimizer, steps, training.warm_up)
        network.crf.smoothing = training.label_smoothing

    def run(self) -> int:
        """Train to the end, from where an earlier run of the same folder was stopped.

        Returns:
            The epochs that were done in all.

        Raises:
            TrainingFailed: the loss is no number any more, or memory does not suffice.
            KeyboardInterrupt: somebody stopped it; whole epochs are kept.
        """
        done = self._checkpoints.restore(self._network, self._optimizer, self._schedule)
        while done < self._training.epochs and not self._waited_enough():
            done += 1
            loss = self._epoch(done)
            self._network.eval()
            scores = self._judge()
            entry = {"epoch": done, "loss": round(loss, 6), **scores}
            self._checkpoints.save(done, self._network, self._optimizer, self._schedule, entry)
            self._checkpoints.keep_only([*self._last(done), self.best()])
            self._told(
                f"epoch {done}/{self._training.epochs}: loss {loss:.3f}, dev F1 {scores['dev_f1']:.2f}"
                + (", the best so far" if self.best() == done else "")
            )
        return done

    @property
    def log(self) -> list[dict[str, Any]]:
        """A line for each whole epoch."""
        return self._checkpoints.log()

    def best(self) -> int:
        """The epoch with the best dev F1 so far; of equals the last, which is trained the most."""
        log = self._checkpoints.log()
        return int(max(log, key=lambda line: (line["dev_f1"], line["epoch"]))["epoch"])

    def choose(self) -> tuple[str, Mapping[str, float]]:
        """Load the weights that are best on the dev posts: an epoch's, or a mean of the last ones.

        Returns:
            What they are, in words, and their scores.
        """
        name, scores = self.use_best()
        chosen: Sequence[int] = [self.best()]
        last = self._last(len(self.log))
        for count in range(2, len(last) + 1):
            self._use(self._checkpoints.averaged(last[-count:]))
            found = self._judge()
            if found["dev_f1"] > scores["dev_f1"]:
                name, scores, chosen = f"mean of the last {count} epochs", found, last[-count:]
        self._use(self._checkpoints.averaged(chosen))
        return name, scores

    def use_best(self) -> tuple[str, Mapping[str, float]]:
        """Load the best epoch's weights; what they are, in words, and their scores."""
        best = self.best()
        self._use(self._checkpoints.load(best))
        scores = self._checkpoints.log()[best - 1]
        return f"epoch {best}", {
            key: value for key, value in scores.items() if key not in ("epoch", "loss")
        }

    def _use(self, weights: Mapping[str, Tensor]) -> None:
        self._network.load_state_dict(weights)
        self._network.eval()

    def _last(self, done: int) -> Sequence[int]:
        """The epochs whose mean may be asked for."""
        return range(max(1, done - self._training.averaged + 1), done + 1)

    def _waited_enough(self) -> bool:
        scores = [line["dev_f1"] for line in self._checkpoints.log()]
        patience = self._training.patience
        return (
            patience is not None
            and bool(scores)
            and len(scores) - 1 - scores.index(max(scores)) >= patience
        )

    def _epoch(self, number: int) -> float:
        """Train for an epoch; its mean loss."""
        # From the seed and the epoch alone: a run that was killed goes on as if it had not been.
        torch.manual_seed(self._seed * 1_000 + number)
        self._network.train()
        total = 0.0
        bar = tqdm(
            self._examples.epoch(number),
            total=self._examples.steps,
            desc=f"epoch {number}/{self._training.epochs}",
            unit="batch",
            disable=None,
        )
        for done, step in enumerate(bar, start=1):
            total += self._step(step, number)
            bar.set_postfix(loss=f"{total / done:.3f}")
        return total / self._examples.steps

    def _step(self, step: Step, epoch: int) -> float:
        try:
            with self._autocast():
                loss = self._loss(step)
            self._optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and "memory" not in str(error).lower():
                raise
            raise TrainingFailed(
                f"memory does not suffice: lower training.batch (now {self._training.batch}) or "
                "limits.window, or use --precision bfloat16"
            ) from error
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingFailed(
                f"the loss is {value} in epoch {epoch}: lower training.encoder_rate and "
                "training.head_rate, or set training.clip=1.0"
            )
        if self._training.clip is not None:
            nn.utils.clip_grad_norm_(self._network.parameters(), self._training.clip)
        self._optimizer.step()
        self._schedule.step()
        return value

    def _loss(self, step: Step) -> Tensor:
        loss = self._gold_loss(step)
        if step.taught is None:
            return loss
        read = step.text or step.inputs
        assert read is not None  # a step has one of them
        lesson = distillation_loss(self._network, read, step.taught)
        return loss + self._training.distillation * lesson

    def _gold_loss(self, step: Step) -> Tensor:
        if step.inputs is None:
            assert step.text is not None  # a step has one of them
            return self._network.loss(step.text, step.gold)
        return self._network.loss(step.inputs, step.gold, step.text)

    def _autocast(self) -> AbstractContextManager[Any]:
        shorter = self._precision is not torch.float32
        return torch.autocast(self._device.type, dtype=self._precision, enabled=shorter)


def make_deterministic(seed: int) -> None:
    """The same results for the same seed, on one machine and one number of threads."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
