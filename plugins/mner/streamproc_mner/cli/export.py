"""`streamproc export`: a saved model to ONNX, served without torch, and to 8-bit integers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamproc.errors import SettingsError

if TYPE_CHECKING:
    from streamproc_mner.exporting.exported import Exported


@click.command("export")
@click.argument("model")
@click.option(
    "--out",
    required=True,
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Gets the exported model; must not be there yet.",
)
@click.option(
    "--half/--no-half",
    default=True,
    show_default=True,
    help="Store weights in half precision: half the size.",
)
@click.option(
    "--int8", is_flag=True, help="Also make the quick file, in 8-bit integers; needs --calibrate."
)
@click.option(
    "--calibrate",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Posts such as the model is to read, labelled or not, that it was not measured on; some hundred.",
)
@click.option("--json", "as_json", is_flag=True, help="The result for scripts.")
def command(model: str, out: Path, half: bool, int8: bool, calibrate: Path | None, as_json: bool) -> None:
    """Export a saved model to ONNX, which mner-onnx serves without torch.

    MODEL is a saved model's folder, or an installed model. bert-crf and ita can be exported, where they
    read no picture's vectors and label first sub-tokens only. The exported file is compared with the
    network in torch on made-up posts, and refused where an emission differs by more than 1e-4.

    --int8 adds a second file that is about twice as quick; the plugin's setting `precision` chooses. For
    a MODEL that was exported before it does only that.
    """
    if int8 != (calibrate is not None):
        raise SettingsError("--int8 and --calibrate FILE go together: give both, or neither")
    missing = [name for name in ("torch", "onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise SettingsError(f"this needs {', '.join(missing)}: pip install 'streamproc-mner[train]'")
    from streamproc_mner.exporting.exported import export_model, model_folder

    source = model_folder(model)
    calibration = _calibration(calibrate, source) if calibrate is not None else None
    with _progress() as advance:
        exported = export_model(source, out, half=half, calibration=calibration, advance=advance)
    if as_json:
        quick = exported.quick.model_dump(mode="json") if exported.quick else None
        click.echo(json.dumps(asdict(exported) | {"folder": str(exported.folder), "quick": quick}))
    else:
        _tell(exported)


def _calibration(path: Path, source: Path) -> Any:
    from streamproc_mner.exporting.calibration import read_calibration
    from streamproc_mner.saved_model import entity_types

    return read_calibration(path, entity_types(source))


def _tell(exported: Exported) -> None:
    click.echo(f"{exported.folder}: model.onnx, {exported.bytes / 1e6:.1f} MB, version {exported.version}")
    parity = exported.parity
    if parity is not None:
        click.echo(
            f"agrees with torch: emissions of {parity.posts} made-up posts differ by at most "
            f"{parity.difference:.1g}, by {parity.in_batches:.1g} from batch to batch"
        )
    quick = exported.quick
    if quick is None:
        return
    click.echo(f"{quick.file}, {quick.bytes / 1e6:.1f} MB: {quick.agreement:.2f} % the same entities")
    for view, (exact, ours) in quick.f1.items():
        click.echo(
            f"F1 of the {view} view: {exact:.2f} in float32, {ours:.2f} in int8 ({ours - exact:+.2f})"
        )


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error while layers are quantised, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("quantising", total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)
