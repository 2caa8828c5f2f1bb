"""The engines on ResNet and GoogLeNet, against torchvision's own forward and plain arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torchvision.models import GoogLeNet, ResNet
from torchvision.models.resnet import Bottleneck
from torchvision.transforms import v2

from plugins.vision.tests.conftest import picture
from streamproc_vision.grid import GridEngine
from streamproc_vision.inception import GlobalInceptionEngine
from streamproc_vision.pooled import GlobalEngine

SIZES = [(96, 64), (40, 300), (224, 224), (1, 1), (2048, 3)]


def _torchvision_pixels(pixels: NDArray[np.uint8], crop: str) -> torch.Tensor:
    resize = [v2.Resize((224, 224))] if crop == "whole" else [v2.Resize(256), v2.CenterCrop(224)]
    transform = v2.Compose(
        [
            *resize,
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    return transform(Image.fromarray(pixels))[None]  # type: ignore[no-any-return]


def _torchvision_resnet(folder: Path) -> ResNet:
    network = ResNet(Bottleneck, [1, 1, 1, 1], width_per_group=4)
    network.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    return network.eval()


def _caught(network: torch.nn.Module, layer: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """What a layer gives in the network's own forward."""
    outputs: list[torch.Tensor] = []
    with layer.register_forward_hook(lambda *given: outputs.append(given[2])), torch.no_grad():
        network(pixels)
    return outputs[0][0]


def _engine(kind: type[Any], folder: Path, **config: object) -> Any:
    engine = kind(kind.Config(weights=str(folder), **config))
    engine.load()
    return engine


def test_the_grid_is_the_last_map_of_torchvisions_resnet_row_by_row(resnet_folder: Path) -> None:
    network = _torchvision_resnet(resnet_folder)
    pixels = picture(1)
    expected = _caught(network, network.layer4, _torchvision_pixels(pixels, "whole"))
    (cells,) = _engine(GridEngine, resnet_folder).look([pixels])
    assert cells.shape == (49, 2048)
    assert cells.dtype == np.float16
    for row in range(7):
        for column in range(7):
            wanted = expected[:, row, column].numpy()
            np.testing.assert_allclose(cells[row * 7 + column], wanted, atol=2e-3, rtol=2e-3)
    assert np.abs(cells[0] - cells[48]).max() > 0.1  # the cells tell places apart


def test_the_global_vector_is_what_torchvisions_resnet_pools(resnet_folder: Path) -> None:
    network = _torchvision_resnet(resnet_folder)
    pixels = picture(2)
    expected = _caught(network, network.avgpool, _torchvision_pixels(pixels, "whole")).flatten()
    (vector,) = _engine(GlobalEngine, resnet_folder).look([pixels])
    assert vector.shape == (2048,)
    np.testing.assert_allclose(vector, expected.numpy(), atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("transform_input", [True, False])
def test_the_inception_vector_is_what_torchvisions_googlenet_pools(
    googlenet_folder: Path, tmp_path: Path, transform_input: bool
) -> None:
    state = load_file(googlenet_folder / "model.safetensors")
    network = GoogLeNet(
        num_classes=1000, aux_logits=False, transform_input=transform_input, init_weights=False
    )
    network.load_state_dict(state, strict=False)
    network.eval()
    (tmp_path / "model.safetensors").symlink_to(googlenet_folder / "model.safetensors")
    given = str(transform_input).lower()
    (tmp_path / "config.json").write_text(f'{{"network": "googlenet", "transform_input": {given}}}')
    pixels = picture(3)
    expected = _caught(network, network.avgpool, _torchvision_pixels(pixels, "whole")).flatten()
    (vector,) = _engine(GlobalInceptionEngine, tmp_path).look([pixels])
    assert vector.shape == (1024,)
    np.testing.assert_allclose(vector, expected.numpy(), atol=2e-3, rtol=2e-3)


def test_the_centre_crop_is_imagenets(resnet_folder: Path) -> None:
    network = _torchvision_resnet(resnet_folder)
    pixels = picture(4, 300, 200)
    expected = _caught(network, network.avgpool, _torchvision_pixels(pixels, "centre")).flatten().numpy()
    (centre,) = _engine(GlobalEngine, resnet_folder, crop="centre").look([pixels])
    (whole,) = _engine(GlobalEngine, resnet_folder).look([pixels])
    # Cutting before resizing moves pixels at the very border a little.
    distance = np.abs(centre - expected).mean()
    assert distance < 0.1 * np.abs(whole - expected).mean()


@pytest.mark.parametrize("crop", ["whole", "centre"])
def test_a_pictures_value_does_not_depend_on_its_company(resnet_folder: Path, crop: str) -> None:
    pictures = [picture(seed, *size) for seed, size in enumerate(SIZES)]
    engine = _engine(GridEngine, resnet_folder, crop=crop)
    together = engine.look(pictures)
    for alone, beside in zip(pictures, together, strict=True):
        np.testing.assert_allclose(engine.look([alone])[0], beside, atol=1e-3, rtol=1e-3)


def test_bfloat16_sees_nearly_the_same(resnet_folder: Path) -> None:
    pixels = picture(5)
    (exact,) = _engine(GlobalEngine, resnet_folder).look([pixels])
    (rough,) = _engine(GlobalEngine, resnet_folder, precision="bfloat16").look([pixels])
    difference = np.abs(exact.astype(np.float32) - rough).max()
    assert 0 < difference < 0.05 * np.abs(exact).max()
