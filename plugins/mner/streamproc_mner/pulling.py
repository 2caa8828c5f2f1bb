"""Getting a pretrained encoder from a model hub, with what streamproc reads of it and no more.

The hub is that of huggingface_hub: its settings (HF_ENDPOINT, HF_HOME, a login) are this one's too.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from streamproc.errors import InputError, StreamprocError
from streamproc_mner.encoders import (
    CONFIG,
    SHARDS,
    TOKENIZER,
    TOKENIZER_OF,
    TOKENIZER_SETTINGS,
    VOCABULARIES,
    WEIGHTS,
    type_of,
)

_TOKENIZER_FILES: Final = frozenset((TOKENIZER, *VOCABULARIES, *TOKENIZER_SETTINGS))
_SHARD: Final = re.compile(r"model-[0-9a-z-]+\.safetensors")
"""A bare name: what a hub lists is a stranger's, and becomes a path here."""
_PATIENCE_S: Final = 30.0
_CONVERTER: Final = "SFconvertbot"
"""The hub's account that offers safetensors for models that were published as pickles."""


class PullFailed(StreamprocError):
    """The hub cannot be reached, or what it gives cannot be stored."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be got of a model: files of one revision, and how many bytes they are."""

    name: str
    revision: str | None
    files: tuple[str, ...]
    bytes: int


def plan(name: str, revision: str | None = None, *, tokenizer_only: bool = False) -> Plan:
    """Ask the hub what there is of a model, and choose: config, tokenizer, safetensors weights.

    Args:
        name: of the model, `NAME` or `OWNER/NAME`.
        revision: branch, tag or commit; the main one without it.
        tokenizer_only: nothing but the tokenizer's files.

    Raises:
        InputError: there is no such model or revision, or it has no safetensors weights.
        PullFailed: the hub cannot be reached.
    """
    with _told(name, revision):
        info = HfApi().model_info(name, revision=revision, files_metadata=True, timeout=_PATIENCE_S)
        there = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}
        wanted = [file for file in there if file in _TOKENIZER_FILES]
        if not tokenizer_only:
            weights = _weights(list(there))
            if not weights or CONFIG not in there:
                raise InputError(_what_to_do(name, revision, list(there)))
            wanted += [CONFIG, *weights]
    return Plan(name, revision, tuple(sorted(wanted)), sum(there[file] for file in wanted))


def pull(planned: Plan, folder: Path | None = None) -> Path:
    """Get the planned files; those that are there already are not got again.

    Args:
        planned: what to get.
        folder: where to; into the cache of huggingface_hub without it.

    Returns:
        The folder that they are in.

    Raises:
        PullFailed: the hub cannot be reached, or there is no room.
    """
    _check_room(planned, folder or Path(constants.HF_HUB_CACHE))
    with _told(planned.name, planned.revision):
        got = snapshot_download(
            planned.name,
            revision=planned.revision,
            allow_patterns=list(planned.files),
            local_dir=folder,
        )
    return Path(got)


def missing_tokenizer(planned: Plan, folder: Path) -> str | None:
    """The model whose tokenizer is needed too, for one that is published without its own."""
    if any(file in planned.files for file in (TOKENIZER, *VOCABULARIES)):
        return None
    return TOKENIZER_OF.get(type_of(folder) or "")


def _weights(files: Sequence[str]) -> list[str]:
    if WEIGHTS in files:
        return [WEIGHTS]
    if SHARDS in files:
        return [SHARDS, *(file for file in files if _SHARD.fullmatch(file))]
    return []


def _what_to_do(name: str, revision: str | None, files: Sequence[str]) -> str:
    """Why a model without safetensors is not pulled; where its safetensors are, if anywhere."""
    pickles = [file for file in files if file.endswith((".bin", ".pt", ".ckpt"))]
    kind = f"only {pickles[0]}, a pickle, which can run any code when it is loaded" if pickles else "none"
    said = f"{name}: expected {CONFIG} and weights as safetensors, it has {kind}"
    offers = HfApi().get_repo_discussions(name, author=_CONVERTER, discussion_type="pull_request")
    offer = None if revision else next(offers, None)
    if offer is not None:
        command = f"streamproc models pull {name} --revision {offer.git_reference}"
        return f"{said}; a conversion of them is offered: `{command}`"
    return f"{said}: load it in transformers where you trust it, and `save_pretrained` it to a folder"


def _check_room(planned: Plan, folder: Path) -> None:
    place = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if planned.bytes > free:
        raise PullFailed(
            f"{planned.name}: {planned.bytes:,} bytes, {free:,} are free in {place}: make room, or "
            "give another folder with --to"
        )


@contextmanager
def _told(name: str, revision: str | None) -> Iterator[None]:
    """The library's errors as ours."""
    try:
        yield
    except HFValidationError:
        raise InputError(f"{name!r} is not the name of a model: expected NAME or OWNER/NAME") from None
    except GatedRepoError:
        raise InputError(
            f"{name}: its owner asks for an agreement: give it on the model's page, then `hf auth login`"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(
            f"no model named {name!r} at {constants.ENDPOINT}: check the name; if it is private, "
            "`hf auth login`"
        ) from None
    except RevisionNotFoundError:
        raise InputError(
            f"{name}: no revision {revision!r}: expected a branch, a tag or a commit"
        ) from None
    except OfflineModeIsEnabled:
        raise PullFailed(f"{name}: HF_HUB_OFFLINE is set: unset it to pull models") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        hint = (
            "try again later" if status >= 500 or status == 429 else "`hf auth login` if it is not public"
        )
        raise PullFailed(f"{name}: {constants.ENDPOINT} answered {status}: {hint}") from error
    except (httpx.TransportError, LocalEntryNotFoundError, RuntimeError) as error:
        # RuntimeError: on a lost connection the library closes the client that its other threads use
        why = str(error).partition("\n")[0]
        raise PullFailed(
            f"{name}: cannot reach {constants.ENDPOINT} ({why}): check the network, or set HF_ENDPOINT"
        ) from error
    except OSError as error:
        raise PullFailed(f"{name}: cannot be stored: {error}") from error
