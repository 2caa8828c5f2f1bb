"""Pretrained encoders and their tokenizers by name; see `streamproc_mner.encoders` for the names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from logging import ERROR
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer, PreTrainedModel
from transformers.utils import logging

from streamproc.errors import PluginError
from streamproc_mner.encoders import (
    CONFIG,
    TOKENIZER,
    TOKENIZER_OF,
    TOKENIZER_SETTINGS,
    VOCABULARIES,
    encoder_folder,
    fault_of,
    how_to_get,
    type_of,
)
from streamproc_mner.nn.stored import without_pooler


def find_encoder(name: str) -> PreTrainedModel:
    """A pretrained encoder from this machine, in float32, without its pooler.

    Args:
        name: of a folder, a package or a model in the cache.

    Raises:
        PluginError: it is not here, its weights are pickles, or they are not those of its config.json;
            says what to do.
    """
    folder = encoder_folder(name)
    fault = fault_of(folder)
    if fault is not None:
        raise PluginError(f"{_told(name, folder)}: {fault}: {_remedy(name, folder)}")
    try:
        with quietly():
            encoder, report = AutoModel.from_pretrained(
                folder,
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # reported, and refused below
                trust_remote_code=False,
                output_loading_info=True,
            )
    except Exception as error:  # of whatever type its library raises
        raise PluginError(f"{_told(name, folder)}: {_first_line(error)}") from error
    _check_loaded(name, folder, report)
    found: PreTrainedModel = without_pooler(encoder)
    return found


def find_tokenizer(name: str) -> Path:
    """The `tokenizer.json` of a pretrained encoder.

    A tokenizer in an older form is converted once, into a cache folder of ours: neither a folder of
    the user's nor the cache of huggingface_hub gets files that were not there.

    Raises:
        PluginError: the encoder is not here, has no tokenizer, or one that cannot be converted.
    """
    folder = encoder_folder(name)
    if (folder / TOKENIZER).is_file():
        return folder / TOKENIZER
    if any((folder / file).is_file() for file in VOCABULARIES):
        return _converted(name, folder)
    owner = TOKENIZER_OF.get(type_of(folder) or "")
    if owner is None:
        raise PluginError(
            f"{_told(name, folder)}: expected tokenizer.json, or one of {', '.join(VOCABULARIES)}"
        )
    try:
        return find_tokenizer(owner)
    except PluginError as error:
        raise PluginError(
            f"encoder {name!r} reads with the tokenizer of {owner}: {error}, or put its tokenizer.json "
            f"into {folder}"
        ) from error


def _told(name: str, folder: Path) -> str:
    here = Path(name).expanduser() == folder
    return f"encoder {name!r}" if here else f"encoder {name!r} in {folder}"


def _remedy(name: str, folder: Path) -> str:
    if Path(name).expanduser().is_dir():
        return "save it with `save_pretrained`, which writes model.safetensors"
    return how_to_get(name)


def _check_loaded(name: str, folder: Path, report: Mapping[str, Any]) -> None:
    """Weights that a checkpoint lacks would be random; only the pooler's may be."""
    wrong = [f"{key} is missing" for key in report["missing_keys"] if not key.startswith("pooler.")]
    wrong += [
        f"{key} has the shape {tuple(found)}, expected {tuple(expected)}"
        for key, found, expected in report["mismatched_keys"]
        if not key.startswith("pooler.")
    ]
    if wrong:
        raise PluginError(
            f"{_told(name, folder)}: not the weights of the {type_of(folder)} that its {CONFIG} describes: "
            f"{min(wrong)} ({len(wrong)} do not fit)"
        )


def _converted(name: str, folder: Path) -> Path:
    """`tokenizer.json` made of older files, from the cache if it was made before."""
    target = _cache() / "tokenizers" / _digest(folder) / TOKENIZER
    if target.is_file():
        return target
    try:
        with quietly():
            tokenizer = AutoTokenizer.from_pretrained(
                folder, use_fast=True, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # of whatever type its library raises
        raise PluginError(
            f"{_told(name, folder)}: its tokenizer cannot be converted: {_first_line(error)}"
        ) from error
    if not tokenizer.is_fast:
        raise PluginError(
            f"{_told(name, folder)}: {type(tokenizer).__name__} has no form as {TOKENIZER}, "
            "which streamproc reads: choose an encoder with one"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as file:
        file.write(tokenizer.backend_tokenizer.to_str())
    Path(file.name).replace(target)
    return target


def _digest(folder: Path) -> str:
    """Changes with the files that a tokenizer is made of."""
    digest = hashlib.sha256()
    for name in (CONFIG, *VOCABULARIES, *TOKENIZER_SETTINGS):
        if (folder / name).is_file():
            digest.update(f"{name} {(folder / name).stat().st_size}\n".encode())
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:32]


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "streamproc"


@contextmanager
def quietly() -> Iterator[None]:
    """No bars and no report of the weights that were left out: what matters of it becomes an error."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
