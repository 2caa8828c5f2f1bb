"""A saved model to the folder of an exported one."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from streamproc.errors import InputError, PluginError
from streamproc.fusion.discovery import find_model, find_plugin, model_names
from streamproc_mner.exporting.calibration import Calibration
from streamproc_mner.exporting.exportable import exportable
from streamproc_mner.exporting.onnx_file import export_onnx, round_to_half
from streamproc_mner.exporting.parity import Parity, check_parity
from streamproc_mner.exporting.quick_file import make_quick
from streamproc_mner.family import TaggerPlugin
from streamproc_mner.nn.stored import load_tagger
from streamproc_mner.nn.tagger import Tagger
from streamproc_mner.saved_config import Crf, Quick
from streamproc_mner.saved_files import CONFIG, read_json
from streamproc_mner.saved_model import CARD, METRICS, SavedModel, read_model, write_model

ONNX: Final = "model.onnx"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        folder: of the exported model.
        version: of it.
        bytes: of `model.onnx`.
        parity: with torch; `None` for a model that was exported before.
        quick: the 8-bit file, where one was made.
    """

    folder: Path
    version: str
    bytes: int
    parity: Parity | None
    quick: Quick | None


def export_model(
    source: Path,
    out: Path,
    *,
    half: bool = True,
    calibration: Calibration | None = None,
    advance: Callable[[int, int], None] = lambda _done, _all: None,
) -> Exported:
    """Export a saved model, and give it an 8-bit file, or either.

    Args:
        source: folder of a saved model; with `model.onnx` it only gets the 8-bit file.
        out: a folder that is not there, or is empty; gets the model once it is whole.
        half: store weights in half precision, in which they are then computed with too.
        calibration: posts for the 8-bit file; none is made without them.
        advance: called with how many layers of the 8-bit file are done, and how many there are.

    Raises:
        PluginError: the model is not whole, cannot be exported, or not so that it gives the same.
        InputError: `out` is not empty, or there is nothing to do.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: is there already: name a folder that is not")
    exported_before = _weights_of(source) == ONNX
    if exported_before and calibration is None:
        raise InputError(
            f"{source}: holds {ONNX} already: give --int8 and --calibrate FILE to add 8-bit integers"
        )
    with _whole_or_not(out) as folder:
        if exported_before:
            saved = read_model(source, "model.onnx")
            _copy_model(saved, folder)
            parity = None
        else:
            parity = _export(read_model(source, "model.safetensors"), folder, half)
        quick = make_quick(folder, calibration, advance) if calibration is not None else None
    found = read_model(out, "model.onnx")
    return Exported(out, found.version, found.config.weights.bytes, parity, quick)


def model_folder(name: str) -> Path:
    """The folder of a saved model, or of an installed one by its name.

    Raises:
        InputError: neither.
    """
    if name in model_names():
        return find_model(name).folder
    folder = Path(name).expanduser()
    if not folder.is_dir():
        known = ", ".join(model_names()) or "none"
        raise InputError(f"{name!r} is no folder of a saved model and no installed model ({known})")
    return folder


def _export(saved: SavedModel, folder: Path, half: bool) -> Parity:
    """Write a model of torch as an exported one."""
    plugin = saved.config.network
    family = find_plugin(plugin)
    if not issubclass(family, TaggerPlugin):
        raise PluginError(
            f"{saved.folder}: {plugin} is no family of streamproc-mner: only these are exported"
        )
    network_class: type[Tagger] = family.network_class()
    network = exportable(load_tagger(saved, network_class), plugin)
    network.encoder.set_attn_implementation("eager")
    if half:
        round_to_half(network)
    weights = folder / ONNX
    export_onnx(network, weights, half=half)
    parity = check_parity(network, weights, saved.config.limits)
    metrics = _told(saved.folder / METRICS)
    write_model(
        folder,
        weights=weights,
        name=saved.config.name,
        network=plugin,
        settings=saved.config.settings,
        labels=saved.labels,
        tokenizer=saved.tokenizer,
        kinds=saved.config.kinds,
        limits=saved.config.limits,
        crf=Crf.of(network.crf_scores),
        metrics=metrics | {"export": {"from": saved.version, "half": half, **asdict(parity)}},
        card=_card(saved, half, parity),
        temperature=saved.config.temperature,
        look_threshold=saved.config.look_threshold,
    )
    return parity


def _card(saved: SavedModel, half: bool, parity: Parity) -> str:
    path = saved.folder / CARD
    card = path.read_text(encoding="utf-8") if path.is_file() else f"# {saved.config.name}\n"
    stored = "half" if half else "single"
    return (
        f"{card.rstrip()}\n\n## Export\n\nExported from version {saved.version} to ONNX, weights stored in "
        f"{stored} precision. On {parity.posts} made-up posts of up to {parity.longest} sub-tokens "
        f"emissions are at most {parity.difference:.1g} from those of the network in torch.\n"
    )


def _told(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def _copy_model(saved: SavedModel, folder: Path) -> None:
    """The files of a saved model, and no others: not an 8-bit file that was made before."""
    names = [ONNX, CONFIG, saved.tokenizer.name, "labels.json", "vocabulary.json", METRICS, CARD]
    for name in names:
        if (saved.folder / name).is_file():
            shutil.copyfile(saved.folder / name, folder / name)


def _weights_of(source: Path) -> str | None:
    """The weight file that a folder's `config.json` names; it is checked when it is read."""
    config = read_json(source / CONFIG)
    weights = config.get("weights") if isinstance(config, dict) else None
    return weights.get("file") if isinstance(weights, dict) else None


@contextmanager
def _whole_or_not(out: Path) -> Iterator[Path]:
    """A folder to write into that becomes `out` when all went well, and else is gone."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as made:
        folder = Path(made) / "model"
        folder.mkdir()
        yield folder
        if out.exists():
            out.rmdir()
        folder.rename(out)
