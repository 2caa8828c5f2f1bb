"""What a run keeps on disk, so that it can be killed at any time and go on: safetensors, never pickles.

```
OUT/run.json                   what is trained on what; a run goes on only as what it was
OUT/log.jsonl                  a line an epoch
OUT/epochs/NN.safetensors      weights after an epoch, as many as are still wanted
OUT/state.safetensors          optimiser and learning rates after the last whole epoch
```

The last two go when the run has come to its end.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from streamproc.errors import InputError

STATE: Final = "state.safetensors"
LOG: Final = "log.jsonl"
_EPOCHS: Final = "epochs"


class Checkpoints:
    """The folder of one run.

    Args:
        folder: of the run; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / _EPOCHS).mkdir(parents=True, exist_ok=True)

    def weights(self, epoch: int) -> Path:
        """The file with the weights after an epoch."""
        return self.folder / _EPOCHS / f"{epoch:02d}.safetensors"

    def save(
        self,
        epoch: int,
        network: nn.Module,
        optimizer: Optimizer,
        schedule: LambdaLR,
        entry: Mapping[str, Any],
    ) -> None:
        """Keep the state after an epoch: weights first, the state that names the epoch last."""
        _write(self.weights(epoch), {key: t.contiguous() for key, t in network.state_dict().items()}, {})
        digests = {**self._digests(), str(epoch): _digest(self.weights(epoch))}
        state, options = _flat(optimizer)
        told: dict[str, Any] = {
            "epoch": epoch,
            "schedule": schedule.last_epoch,
            "groups": options,
            "digests": digests,
            "log": [*self.log(), entry],
        }
        _write(self.folder / STATE, state, {"run": json.dumps(told)})
        (self.folder / LOG).write_text("".join(json.dumps(line) + "\n" for line in told["log"]))

    def log(self) -> list[dict[str, Any]]:
        """A line for each whole epoch, as it was saved."""
        if not (self.folder / STATE).is_file():
            return []
        lines: list[dict[str, Any]] = self._told()["log"]
        return lines

    def restore(self, network: nn.Module, optimizer: Optimizer, schedule: LambdaLR) -> int:
        """Go back to the last whole epoch; its number, 0 where there is none."""
        if not (self.folder / STATE).is_file():
            return 0
        told = self._told()
        network.load_state_dict(self.load(told["epoch"]))
        _restore(optimizer, load_file(self.folder / STATE), told["groups"])
        schedule.last_epoch = told["schedule"]
        for group, rate in zip(optimizer.param_groups, schedule.base_lrs, strict=True):
            group["lr"] = rate * schedule.lr_lambdas[0](schedule.last_epoch)
        return int(told["epoch"])

    def load(self, epoch: int) -> dict[str, Tensor]:
        """The weights after an epoch.

        Raises:
            InputError: they are not there, or damaged.
        """
        path = self.weights(epoch)
        if not path.is_file() or _digest(path) != self._digests().get(str(epoch)):
            raise InputError(f"{path}: missing or damaged: start again with --again")
        return _read(path)

    def _digests(self) -> dict[str, str]:
        if not (self.folder / STATE).is_file():
            return {}
        digests: dict[str, str] = self._told()["digests"]
        return digests

    def averaged(self, epochs: Sequence[int]) -> dict[str, Tensor]:
        """The mean of the weights after several epochs."""
        return mean_weights(self.load(epoch) for epoch in epochs)

    def keep_only(self, epochs: Sequence[int]) -> None:
        """Delete the weights after other epochs."""
        kept = {self.weights(epoch).name for epoch in epochs}
        for path in (self.folder / _EPOCHS).glob("*.safetensors"):
            if path.name not in kept:
                path.unlink()

    def clear(self) -> None:
        """Delete what a run needs to go on: it has come to its end."""
        shutil.rmtree(self.folder / _EPOCHS)
        (self.folder / STATE).unlink()

    def _told(self) -> dict[str, Any]:
        path = self.folder / STATE
        try:
            with safe_open(path, "pt") as file:
                told: dict[str, Any] = json.loads(file.metadata()["run"])
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: damaged ({error}): start again with --again") from error
        return told


def mean_weights(several: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Of one network, several times over: the mean of each weight."""
    total: dict[str, Tensor] = {}
    count = 0
    for weights in several:
        count += 1
        for name, tensor in weights.items():
            total[name] = total[name] + tensor if name in total else tensor
    return {name: tensor / count for name, tensor in total.items()}


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: cannot be read ({error}): start again with --again") from error


def _write(path: Path, tensors: Mapping[str, Tensor], told: Mapping[str, str]) -> None:
    draft = path.with_name(f".{path.name}.draft")
    try:
        save_file(dict(tensors), draft, dict(told))
        draft.replace(path)
    except (SafetensorError, OSError) as error:
        draft.unlink(missing_ok=True)
        raise InputError(
            f"{path}: cannot be written ({error}): make room; the same command then goes on"
        ) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _flat(optimizer: Optimizer) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """An optimiser's tensors by name, and the numbers of its groups."""
    state = optimizer.state_dict()
    tensors = {
        f"{parameter}.{key}": value.detach().cpu().contiguous()
        for parameter, values in state["state"].items()
        for key, value in values.items()
        if isinstance(value, Tensor)
    }
    groups = [{"params": group["params"]} for group in state["param_groups"]]
    return tensors, groups


def _restore(
    optimizer: Optimizer, tensors: Mapping[str, Tensor], groups: Sequence[Mapping[str, Any]]
) -> None:
    found: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        parameter, key = name.split(".", 1)
        found.setdefault(int(parameter), {})[key] = tensor
    now = optimizer.state_dict()["param_groups"]
    if [group["params"] for group in now] != [group["params"] for group in groups]:
        raise InputError("the optimiser's state is of another network: start again with --again")
    optimizer.load_state_dict({"state": found, "param_groups": now})
