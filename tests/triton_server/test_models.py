"""Streamproc's models on a real Triton server, asked as a worker asks them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from streamproc.errors import ExtractorUnavailable
from streamproc.testing.visuals import example_value
from streamproc.triton.installation import find_repository
from streamproc.vision.api import Picture
from streamproc.vision.engine import decode_jpeg
from streamproc.vision.engines import open_engine
from streamproc.vision.names import KNOWN
from streamproc.vision.triton import TritonExtractor, TritonOptions, check_triton, open_triton
from streamproc.vision.visuals import OcrText, Regions
from streamproc.vision.wire import PICTURE, VERSION, outputs_of
from tests.services.triton import Triton
from tests.triton_server.conftest import Gate, MakeExtractor, bytes_as_picture, picture
from tests.triton_server.engines import FAILING, GATED, read, regions
from tests.vision.pictures import written


@pytest.fixture
async def models(triton: Triton) -> AsyncIterator[dict[str, TritonExtractor]]:
    """All of streamproc's models, by name."""
    opened = open_triton(triton.url, list(KNOWN), TritonOptions())
    yield {one.name: one for one in opened}
    for one in opened:
        await one.close()


@pytest.mark.parametrize("name", sorted(set(KNOWN) - {"ocr", "regions"}))
async def test_what_an_engine_sees_comes_to_the_worker_unchanged(
    models: dict[str, TritonExtractor], name: str
) -> None:
    extracted = await models[name].extract(picture(20, 31))
    assert extracted.version == f"example-{name}-cpu"
    expected = example_value(KNOWN[name].modality, 31, KNOWN[name].width)
    if isinstance(expected, np.ndarray):
        assert isinstance(extracted.value, np.ndarray)
        assert extracted.value.dtype == np.float16
        np.testing.assert_array_equal(extracted.value, expected)
    else:
        assert extracted.value == expected


async def test_pictures_in_one_batch_have_regions_of_their_own_number(
    models: dict[str, TritonExtractor],
) -> None:
    heights = (30, 31, 32, 33)
    extracted = await asyncio.gather(*(models["regions"].extract(picture(9, height)) for height in heights))
    for height, one in zip(heights, extracted, strict=True):
        value, expected = one.value, regions(height)
        assert isinstance(value, Regions)
        for field in ("boxes", "scores", "features"):
            np.testing.assert_array_equal(getattr(value, field), getattr(expected, field))


async def test_the_server_reads_writing_as_this_process_does(models: dict[str, TritonExtractor]) -> None:
    image = written("Kate Bush live", "Hamburg 21 May")
    file = BytesIO()
    image.save(file, "JPEG", quality=92)
    engine = open_engine("ocr", {})
    engine.load()
    (here,) = engine.look([decode_jpeg(file.getvalue())])
    there = await models["ocr"].extract(Picture("kate", file.getvalue(), *image.size))
    assert isinstance(there.value, OcrText)
    assert [line.text.replace(" ", "") for line in there.value.lines] == ["KateBushlive", "Hamburg21May"]
    assert there.value == here
    assert there.version == engine.version == await models["ocr"].version()


async def test_pictures_that_come_one_at_a_time_are_looked_at_together(
    obedient: Triton, extractor: MakeExtractor, gate: Gate
) -> None:
    ocr = extractor(obedient, "ocr_gated")
    first = asyncio.create_task(ocr.extract(picture(GATED)))
    await gate.reached(GATED)
    rest = [asyncio.create_task(ocr.extract(picture(width))) for width in (21, 22, 23, 24)]
    await _pending(obedient, "ocr_gated", 4)
    gate.open()
    assert (await first).value == read(GATED, 1)
    assert [(await one).value for one in rest] == [read(width, 4) for width in (21, 22, 23, 24)]


async def test_a_picture_that_the_engine_fails_on_costs_the_others_of_its_batch_nothing(
    obedient: Triton, extractor: MakeExtractor, gate: Gate
) -> None:
    ocr = extractor(obedient, "ocr_gated", breaker_failures=1)
    first = asyncio.create_task(ocr.extract(picture(GATED)))
    await gate.reached(GATED)
    widths = (21, FAILING, 23)
    rest = [asyncio.create_task(ocr.extract(picture(width))) for width in widths]
    rest.append(asyncio.create_task(ocr.extract(bytes_as_picture(b"no JPEG"))))
    await _pending(obedient, "ocr_gated", 4)
    gate.open()
    await first
    a, failed, b, broken = await asyncio.gather(*rest, return_exceptions=True)
    assert (a.value, b.value) == (read(21, 1), read(23, 1))
    assert isinstance(failed, ExtractorUnavailable)
    assert "ocr failed: RuntimeError: it cannot bear thirteen" in str(failed)
    assert isinstance(broken, ExtractorUnavailable)
    assert "expected a JPEG" in str(broken)
    assert ocr.unavailable() is None


async def test_asking_for_the_version_looks_at_nothing(
    obedient: Triton, extractor: MakeExtractor, gate: Gate
) -> None:
    ocr = extractor(obedient, "ocr_gated")
    assert await ocr.version() == "size-1"
    assert gate.looked() == []


async def test_nobody_looks_at_a_picture_that_nobody_waits_for(
    obedient: Triton, extractor: MakeExtractor, gate: Gate
) -> None:
    ocr = extractor(obedient, "ocr_gated")
    first = asyncio.create_task(ocr.extract(picture(GATED)))
    await gate.reached(GATED)
    given_up = asyncio.create_task(ocr.extract(picture(77)))
    await _pending(obedient, "ocr_gated", 1)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    after = asyncio.create_task(ocr.extract(picture(22)))
    # The cancellation went to the server on the same connection, before this one.
    await _pending(obedient, "ocr_gated", 2)
    gate.open()
    await asyncio.gather(first, after)
    assert gate.looked() == [GATED, 22]


async def test_a_model_without_weights_says_what_to_run_and_takes_no_other_along(
    obedient: Triton, extractor: MakeExtractor
) -> None:
    (state,) = await check_triton(obedient.url, ["ocr_absent", "ocr_gated", "ocr_unheard_of"])
    assert state.server == "triton 2.51.0"
    absent, gated, unknown = state.models
    assert absent.fault == "ocr_absent: no weights here: streamproc models pull them"
    assert (gated.version, gated.fault) == ("size-1", "")
    assert unknown.fault == "the server has no such model"
    ocr = extractor(obedient, "ocr_absent")
    with pytest.raises(ExtractorUnavailable, match="no model ocr_absent is ready there"):
        await ocr.extract(picture(20))
    assert ocr.unavailable() is not None


async def test_a_model_that_is_none_of_ours_is_told_from_one_of_ours(obedient: Triton) -> None:
    (state,) = await check_triton(obedient.url, ["grid_wrong"])
    assert state.models[0].version == "1"


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_models_configuration_names_the_tensors_of_the_wire(name: str) -> None:
    config = ModelConfig()
    text_format.Parse((find_repository() / name / "config.pbtxt").read_text(), config)
    assert config.name == name
    assert [tensor.name for tensor in config.input] == [PICTURE]
    assert [tensor.name for tensor in config.output] == [*outputs_of(KNOWN[name].modality), VERSION]
    policy = config.dynamic_batching.default_queue_policy
    assert policy.max_queue_size > 0
    assert policy.default_timeout_microseconds > 0
    assert config.dynamic_batching.max_queue_delay_microseconds > 0
    assert not config.response_cache.enable


async def _pending(triton: Triton, model: str, pictures: int) -> None:
    """Wait until so many pictures are in the model's queue."""
    while await asyncio.to_thread(triton.metric, "nv_inference_pending_request_count", model) != pictures:
        await asyncio.sleep(0.01)
