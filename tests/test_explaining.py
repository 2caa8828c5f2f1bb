"""A post that is to be explained keeps what its tags were made from; the others pay nothing."""

from collections.abc import Sequence

from streamproc.fusion.api import FusionInput, Need, Tagging
from streamproc.local import LocalBatch, LocalRecord
from streamproc.pipeline import Pipeline
from streamproc.routing import Look, Route, Router
from streamproc.testing import FakeModel, MemorySink, example_value, fake_tagger
from streamproc.vision.visuals import Seen
from tests.eyes import FakeEyes

POST = b'{"platform": "test", "id": "%d", "text": "Ada in Berlin", "media": [{"url": "https://example.org/a"}]}'


class Explaining(FakeModel):
    """Remembers what it was asked to explain."""

    def __init__(self) -> None:
        super().__init__({"ocr": Need.OPTIONAL})
        self.explained = 0

    def explain(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        self.explained += len(batch)
        return self.tag(batch)


async def run(*explain: bool) -> tuple[Explaining, FakeEyes, MemorySink]:
    """One post for each flag, looked at before it is tagged."""
    model, eyes, sink = Explaining(), FakeEyes(), MemorySink()
    route = Route(primary="fake", look=Look("always"))
    pipeline = Pipeline(Router((route,)), {"fake": fake_tagger("fake", model)}, eyes, sink, text_chars=100)
    records = [LocalRecord(line, POST % line, explain=wanted) for line, wanted in enumerate(explain)]
    await pipeline.process(LocalBatch(records, lambda _: None))
    return model, eyes, sink


async def test_nobody_who_does_not_ask_gets_an_explanation_a_thumbnail_or_keeps_evidence() -> None:
    model, eyes, sink = await run(False, False)
    assert model.explained == 0
    assert eyes.shown == [False, False]
    assert [output.evidence for output in sink.outputs] == [None, None]


async def test_who_asks_keeps_the_post_and_what_was_seen_and_is_shown_the_picture() -> None:
    model, eyes, sink = await run(True)
    (output,) = sink.outputs
    assert model.explained == 1
    assert eyes.shown == [True]
    assert output.evidence is not None
    assert output.evidence.post.text == "Ada in Berlin"
    assert output.evidence.visuals == {"ocr": Seen((example_value("ocr"),))}
    assert output.tagged.view == "image+text"


async def test_only_the_posts_that_ask_keep_evidence() -> None:
    _, eyes, sink = await run(True, False, True)
    kept = {output.origin for output in sink.outputs if output.evidence is not None}
    assert kept == {0, 2}
    assert sorted(eyes.shown) == [False, True, True]
