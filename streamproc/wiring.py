"""Settings → a ready pipeline, for worker, tag and demo alike. All wires run together here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from streamproc.errors import SettingsError
from streamproc.fusion.discovery import LoadedPlugin, load_plugin
from streamproc.fusion.tagger import Tagger
from streamproc.output import Sink
from streamproc.pipeline import Pipeline
from streamproc.routing import Router
from streamproc.settings import Settings, Vision
from streamproc.vision.api import Extractor
from streamproc.vision.cache import open_cache
from streamproc.vision.decode import DecodeLimits
from streamproc.vision.fetch import Fetcher, FetchLimits
from streamproc.vision.look import Looker
from streamproc.vision.visuals import LOOKED_AT, Modality


def load_plugins(settings: Settings) -> dict[str, LoadedPlugin]:
    """Load every plugin that a route names, once.

    Raises:
        PluginError: says which one cannot be had, and what to do.
    """
    router = Router(settings.routes)
    names = dict.fromkeys((*router.primaries(), *router.shadows()))
    return {name: load_plugin(name, settings.plugins.get(name)) for name in names}


@asynccontextmanager
async def open_pipeline(
    settings: Settings,
    sink: Sink,
    plugins: Mapping[str, LoadedPlugin],
    *,
    picture_folder: Path | None = None,
) -> AsyncIterator[Pipeline]:
    """A pipeline that is ready, and everything in it closed at the end.

    Args:
        settings: all of them.
        sink: where tagged posts and dead letters go.
        plugins: what `load_plugins` gave.
        picture_folder: where `file:` pictures may be read; nowhere without it.
    """
    async with AsyncExitStack() as stack:
        taggers = {}
        for name, loaded in plugins.items():
            taggers[name] = Tagger.of(loaded, settings.batching)
            stack.push_async_callback(taggers[name].close)
        wanted = {modality for tagger in taggers.values() for modality in tagger.modalities}
        looker = _make_looker(settings.vision, wanted, picture_folder)
        stack.push_async_callback(looker.close)
        yield Pipeline(
            Router(settings.routes), taggers, looker, sink, text_chars=settings.limits.text_chars
        )


def _make_looker(vision: Vision, wanted: set[Modality], picture_folder: Path | None) -> Looker:
    limits = FetchLimits(
        max_bytes=vision.picture_bytes,
        total_s=vision.fetch_timeout_s,
        allow_private=vision.allow_private_addresses,
    )
    extractors = [_local_extractor(modality) for modality in vision.extractors if modality in wanted]
    return Looker(
        Fetcher(limits, file_root=picture_folder),
        open_cache(vision.cache, ttl_s=vision.cache_ttl_s, max_bytes=vision.cache_bytes),
        {extractor.modality: extractor for extractor in extractors},
        decode_limits=DecodeLimits(max_pixels=vision.picture_pixels),
        max_pictures=vision.pictures,
        concurrency=vision.concurrency,
        deadline_s=vision.deadline_s,
    )


def _local_extractor(modality: str) -> Extractor:
    if modality == "ocr":
        from streamproc.vision.ocr import RapidOcrExtractor

        return RapidOcrExtractor()
    known = "ocr" if modality in LOOKED_AT else f"ocr; {modality!r} is no modality"
    raise SettingsError(
        f"vision.extractors: {modality!r} cannot be looked at in this process, only {known}"
    )
