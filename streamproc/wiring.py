"""Settings → a ready pipeline, for worker, tag and demo alike. All wires run together here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from streamproc.fusion.tagger import Tagger
from streamproc.output import Sink
from streamproc.pipeline import Pipeline
from streamproc.routing import Router
from streamproc.settings import EngineSettings, Settings, Vision
from streamproc.vision.api import Extractor
from streamproc.vision.cache import open_cache
from streamproc.vision.engines import find_engine, open_engine
from streamproc.vision.fetching.fetch import Fetcher, FetchLimits
from streamproc.vision.local import LocalExtractor
from streamproc.vision.look import Looker
from streamproc.vision.names import KNOWN, Known
from streamproc.vision.one_picture import PictureLooker
from streamproc.vision.sandbox.decode import DecodeLimits
from streamproc.vision.sandbox.pool import Sandbox
from streamproc.vision.triton import TritonOptions, check_triton, open_triton
from streamproc.vision.visuals import Modality


@asynccontextmanager
async def open_taggers(settings: Settings) -> AsyncIterator[dict[str, Tagger]]:
    """Every plugin that a route names, loaded once; given back at the end.

    Raises:
        PluginError: says which one cannot be had, and what to do.
    """
    router = Router(settings.routes)
    taggers: dict[str, Tagger] = {}
    async with AsyncExitStack() as stack:
        for name in dict.fromkeys((*router.primaries(), *router.shadows())):
            taggers[name] = await Tagger.open(name, settings.plugins.get(name), settings.batching)
            stack.push_async_callback(taggers[name].close)
        yield taggers


@asynccontextmanager
async def open_pipeline(
    settings: Settings,
    sink: Sink,
    taggers: Mapping[str, Tagger],
    *,
    picture_folder: Path | None = None,
    paused: Callable[[str | None], object] = lambda _: None,
) -> AsyncIterator[Pipeline]:
    """A pipeline that is ready, and all that it was made of closed at the end; not the taggers.

    Args:
        settings: all of them.
        sink: where tagged posts and dead letters go.
        taggers: what `open_taggers` gave.
        picture_folder: where `file:` pictures may be read; nowhere without it.
        paused: told why posts wait on purpose, once some do, and `None` once none does.
    """
    async with AsyncExitStack() as stack:
        wants = {Known(m, tagger.widths.get(m)) for tagger in taggers.values() for m in tagger.modalities}
        pictures = make_picture_looker(settings.vision, picture_folder)
        extractors = open_extractors(settings.vision, wants)
        looker = Looker(pictures, extractors, max_pictures=settings.vision.pictures)
        stack.push_async_callback(looker.close)
        yield Pipeline(
            Router(settings.routes),
            taggers,
            looker,
            sink,
            text_chars=settings.limits.text_chars,
            shadow_posts=settings.limits.shadow_posts,
            paused=paused,
        )


def make_picture_looker(vision: Vision, picture_folder: Path | None = None) -> PictureLooker:
    """What looks at one picture: fetcher, sandbox and cache.

    Raises:
        SettingsError: the cache's URL cannot be used.
    """
    fetcher = Fetcher(
        FetchLimits(
            max_bytes=vision.picture_bytes,
            total_s=vision.fetch_timeout_s,
            per_host_rate=vision.host_rate,
            allow_private=vision.allow_private_addresses,
            allow_data=vision.data_urls,
        ),
        file_root=picture_folder,
        user_agent=vision.user_agent,
    )
    sandbox = Sandbox(
        DecodeLimits(max_pixels=vision.picture_pixels),
        processes=vision.decoders,
        timeout_s=vision.decode_timeout_s,
    )
    cache = open_cache(
        vision.cache,
        ttl_s=vision.cache_ttl_s,
        failure_ttl_s=vision.failure_ttl_s,
        max_bytes=vision.cache_bytes,
        max_value_bytes=vision.cache_value_bytes,
    )
    return PictureLooker(
        fetcher,
        sandbox,
        cache,
        concurrency=vision.concurrency,
        deadline_s=vision.deadline_s,
        url_ttl_s=vision.url_ttl_s,
    )


def open_extractors(vision: Vision, wants: Collection[Known] | None = None) -> list[Extractor]:
    """Who looks.

    Args:
        vision: what there is to choose from.
        wants: what is wanted, of any width where none is given; all that there is without it.

    Raises:
        SettingsError: an extractor's configuration is not what it takes.
        PluginError: an extractor that is configured cannot be had; says what to run.
    """

    def wanted(modality: Modality, width: int | None) -> bool:
        if vision.modalities is not None and modality not in vision.modalities:
            return False
        return wants is None or any(
            m == modality and (w == width or w is None or width is None) for m, w in wants
        )

    if vision.extractors != "local":
        names = [name for name, known in KNOWN.items() if wanted(*known)]
        return list(open_triton(vision.extractors, names, TritonOptions(**vision.triton.model_dump())))
    extractors: list[Extractor] = []
    for name, settings in {"ocr": EngineSettings(), **vision.engines}.items():
        engine = find_engine(name)
        if wanted(engine.modality, engine.width):
            extractors.append(LocalExtractor(open_engine(name, settings.config, settings.device)))
    return extractors


async def triton_notices(vision: Vision) -> list[str]:
    """What the operator of a worker should know of Triton at its start; nothing where all is well.

    Raises:
        SettingsError: tritonclient is not installed.
    """
    if vision.extractors == "local":
        return []
    notices = []
    for server in await check_triton(vision.extractors):
        if server.fault:
            notices.append(f"triton {server.host}: {server.fault}; posts go on without their pictures")
        notices += [f"triton {server.host}, {m.name}: {m.fault}" for m in server.models if m.fault]
    return notices
