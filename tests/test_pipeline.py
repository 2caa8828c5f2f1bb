"""The way of one post, with a model that does as told and a sink that keeps."""

import asyncio
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from streamproc.deadletters import DeadLetter
from streamproc.errors import BrokerError, OutputTooLarge
from streamproc.fusion.api import Need
from streamproc.pipeline import Pipeline
from streamproc.routing import Look, Route, Router, Shadow, When
from streamproc.testing import FakeModel, MemorySink, example_value, fake_tagger, memory_batch
from streamproc.vision.visuals import Missing, Modality
from tests.eyes import FakeEyes


def post(text: str = "Ada met Grace in Berlin", *, picture: bool = False, **fields: Any) -> bytes:
    body = {"platform": "test", "id": "1", "text": text, **fields}
    if picture:
        body["media"] = [{"type": "image", "url": "https://example.org/a.png"}]
    return json.dumps(body).encode()


def pipeline(
    model: FakeModel, sink: MemorySink, eyes: FakeEyes | None = None, *routes: Route, **models: FakeModel
) -> Pipeline:
    routes = routes or (Route(primary="fake", look=Look("never")),)
    taggers = {name: fake_tagger(name, m) for name, m in {"fake": model, **models}.items()}
    return Pipeline(Router(routes), taggers, eyes or FakeEyes(), sink, text_chars=1000)


async def run(
    bodies: Sequence[bytes], model: FakeModel | None = None, **more: Any
) -> tuple[MemorySink, Pipeline]:
    sink = more.pop("sink", None) or MemorySink()
    routes = more.pop("routes", ())
    done: list[int] = []
    line = pipeline(model or FakeModel(), sink, more.pop("eyes", None), *routes, **more)
    await line.process(memory_batch(bodies, done.append))
    assert sorted(done) == list(range(1, len(bodies) + 1)), "every message ends exactly once"
    assert line.counts.finished == line.counts.read == len(bodies)
    return sink, line


async def test_a_post_is_published_with_its_entities_and_idempotent_keys() -> None:
    sink, _ = await run([post(author={"id": "a1"}, created_at="2026-11-01T10:00:00Z")])
    (output,) = sink.outputs
    tagged = output.tagged
    assert [(e.text, e.start, e.end) for e in tagged.entities] == [
        ("Ada", 0, 3),
        ("Grace", 8, 13),
        ("Berlin", 17, 23),
    ]
    assert (tagged.post_id, tagged.platform, tagged.author_id, output.key) == ("1", "test", "a1", "test:1")
    assert tagged.entity_key == "test:1:fake"
    assert tagged.idempotency_key == "test:1:fake:0-1:1"
    assert not sink.letters


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "MalformedPost"),
        (b"not json", "MalformedPost"),
        (b"[1, 2]", "MalformedPost"),
        (b"\xff\xfe{}", "MalformedPost"),
        (b'{"platform": "test", "id": "1"}', "MalformedPost"),
        (b'{"platform": "test", "id": 7, "text": "x"}', "MalformedPost"),
        (b'{"platform": "test", "id": "1", "text": ["x"]}', "MalformedPost"),
        (b'{"platform": "Te:st", "id": "1", "text": "x"}', "MalformedPost"),
        (b'{"platform": "test", "id": "1", "text": "\\ud800"}', "MalformedPost"),
        (b'{"platform": "test", "id": "1", "text": "a\\u0000b"}', "MalformedPost"),
        (b'{"platform": "test", "id": "1", "text": "x", "op": "explode"}', "MalformedPost"),
        (b'{"op": "delete", "platform": "test"}', "MalformedPost"),
        (b'{"schema_version": 2, "body": "who knows"}', "UnsupportedSchemaVersion"),
        (b'{"schema_version": 9, "platform": "test", "id": "1", "text": "x"}', "UnsupportedSchemaVersion"),
        (post("x" * 1001), "TextTooLong"),
        (post("x" * 1_000_000), "TextTooLong"),
    ],
)
async def test_what_is_no_post_is_a_dead_letter_and_delays_nobody(body: bytes, error: str) -> None:
    sink, line = await run([post(id="before"), body, post(id="after")])
    (letter,) = sink.letters
    assert type(letter.error).__name__ == error
    assert (letter.stage, letter.body, letter.offset) == ("decode", body, 2)
    assert {o.tagged.post_id for o in sink.outputs} == {"before", "after"}
    assert line.counts.dead == {error: 1}


async def test_the_letter_of_a_long_text_says_that_all_workers_need_the_higher_limit() -> None:
    sink, _ = await run([post("x" * 1001)])
    assert str(sink.letters[0].error) == (
        "text has 1001 characters, limits.text_chars is 1000: raise it for all workers, then replay"
    )


async def test_a_thousand_looks_do_not_begin_in_one_breath() -> None:
    gate = asyncio.Event()
    eyes = FakeEyes(gate=gate)
    routes = (Route(primary="fake", look=Look("always")),)
    model = FakeModel({"ocr": Need.OPTIONAL})
    bodies = [post(id=str(number), picture=True) for number in range(1000)]
    working = asyncio.create_task(run(bodies, model, eyes=eyes, routes=routes))
    begun = [0]
    while begun[-1] < 1000:
        await asyncio.sleep(0)
        begun.append(len(eyes.looks))
    assert max(after - before for before, after in pairwise(begun)) <= 64
    gate.set()
    await working


async def test_ten_thousand_emoji_are_tagged() -> None:
    sink = MemorySink()
    line = Pipeline(
        Router([Route(primary="fake")]),
        {"fake": fake_tagger("fake", FakeModel())},
        FakeEyes(),
        sink,
        text_chars=25_000,
    )
    await line.process(memory_batch([post("😀" * 10_000)]))
    assert sink.outputs[0].tagged.entities == ()


@pytest.mark.parametrize("text", ["", "  \n\t "])
async def test_an_empty_text_is_published_without_entities_and_says_why(text: str) -> None:
    model = FakeModel()
    sink, line = await run([post(text, op="update", picture=True)], model)
    (output,) = sink.outputs
    assert (output.tagged.entities, output.tagged.skipped, output.tagged.op) == ((), "empty text", "update")
    assert line.counts.empty == 1
    assert not model.batches


async def test_a_delete_is_published_for_every_plugin_that_may_have_tagged_the_post() -> None:
    routes = (
        Route(when=When(lang=("de",)), primary="other", shadow=(Shadow(plugin="fake"),)),
        Route(primary="fake"),
    )
    body = b'{"op": "delete", "platform": "test", "id": "1"}'
    sink, line = await run([body], routes=routes, other=FakeModel())
    keys = [(o.tagged.op, o.tagged.entity_key, o.shadow) for o in sink.outputs]
    assert keys == [
        ("delete", "test:1:other", False),
        ("delete", "test:1:fake", False),
        ("delete", "test:1:fake", True),
    ]
    assert line.counts.deleted == 1


async def test_a_post_that_makes_the_plugin_raise_costs_only_itself() -> None:
    bodies = [post(f"Post {i} by Ada" + (" poison" if i == 13 else ""), id=str(i)) for i in range(40)]
    sink, _ = await run(bodies, FakeModel(raises_on="poison"))
    (letter,) = sink.letters
    assert (letter.stage, letter.plugin, letter.offset) == ("fuse", "fake", 14)
    assert "told to raise" in str(letter.error)
    assert {o.tagged.post_id for o in sink.outputs} == {str(i) for i in range(40) if i != 13}


async def test_a_post_too_large_for_its_topic_is_a_dead_letter() -> None:
    sink = MemorySink(lambda o: OutputTooLarge("too large") if o.tagged.post_id == "2" else None)
    sink, _ = await run([post(id="1"), post(id="2"), post(id="3")], sink=sink)
    assert [o.tagged.post_id for o in sink.outputs] == ["1", "3"]
    assert [(type(x.error), x.stage) for x in sink.letters] == [(OutputTooLarge, "publish")]


async def test_an_empty_text_or_a_delete_too_large_for_its_topic_is_a_dead_letter_too() -> None:
    sink = MemorySink(lambda o: OutputTooLarge("too large"))
    sink, _ = await run([post("", id="1"), b'{"op": "delete", "platform": "test", "id": "2"}'], sink=sink)
    assert [(letter.offset, letter.stage) for letter in sink.letters] == [(1, "publish"), (2, "publish")]


async def test_a_message_fetched_with_a_bad_one_is_not_overtaken_by_a_later_fetch() -> None:
    class SlowToBury(MemorySink):
        gate = asyncio.Event()

        async def bury(self, letters: Sequence[DeadLetter]) -> None:
            await self.gate.wait()
            await super().bury(letters)

    sink = SlowToBury()
    line = pipeline(FakeModel(), sink)
    first = asyncio.create_task(line.process(memory_batch([b"bad", post("Ada")])))
    second = asyncio.create_task(
        line.process(memory_batch([b'{"op":"delete","platform":"test","id":"1"}']))
    )
    await second
    sink.gate.set()
    await first
    assert [o.tagged.op for o in sink.outputs] == ["create", "delete"]


async def test_a_route_expression_that_does_not_end_costs_one_post_its_place() -> None:
    routes = (Route(when=When(text="(?:a|aa)+c"), primary="fake"), Route(primary="fake"))
    sink, _ = await run([post("a" * 60 + "b", id="1"), post("Ada", id="2")], routes=routes)
    assert [(type(x.error).__name__, x.stage) for x in sink.letters] == [("RuleTooSlow", "route")]
    assert [o.tagged.post_id for o in sink.outputs] == ["2"]


@pytest.mark.parametrize("value", [None, b"", b"-1", b"x:y", b"1:2:3", b"9" * 40])
async def test_odd_headers_of_others_are_no_trouble(value: bytes | None) -> None:
    sink = MemorySink()
    batch = memory_batch([post()])
    batch.records[0].headers = [("__streamproc.revision", value), ("__streamproc.attempts", value)]  # type: ignore[list-item]
    await pipeline(FakeModel(), sink).process(batch)
    assert sink.outputs[0].tagged.revision.offset == 1


# -- when to look ---------------------------------------------------------------------------

OCR: dict[Modality, Need] = {"ocr": Need.OPTIONAL, "alt": Need.OPTIONAL}


def looking(look: Look) -> tuple[Route, ...]:
    return (Route(primary="fake", look=look),)


async def test_look_always_sees_the_picture_before_it_tags_once() -> None:
    model, eyes = FakeModel(OCR), FakeEyes()
    sink, _ = await run([post(picture=True)], model, eyes=eyes, routes=looking(Look("always")))
    assert [len(batch) for batch in model.batches] == [1]
    assert model.batches[0][0].seen("ocr") == (example_value("ocr"),)
    tagged = sink.outputs[0].tagged
    assert (tagged.view, tagged.visuals["ocr"].status, tagged.visuals["alt"].status) == (
        "image+text",
        "used",
        "absent",
    )
    assert eyes.looks == [(("https://example.org/a.png",), ("ocr",))]


async def test_what_nobody_here_can_look_at_is_said_and_costs_no_look() -> None:
    eyes = FakeEyes()
    model = FakeModel({"captions": Need.OPTIONAL}, uncertainty=lambda _: 1.0)
    sink, line = await run([post(picture=True)], model, eyes=eyes, routes=looking(Look("always")))
    visual = sink.outputs[0].tagged.visuals["captions"]
    assert (visual.status, visual.reason) == ("skipped", "no extractor")
    assert (eyes.looks, line.counts.looked) == ([], 0)


async def test_look_never_says_so() -> None:
    eyes = FakeEyes()
    sink, _ = await run([post(picture=True)], FakeModel(OCR), eyes=eyes, routes=looking(Look("never")))
    visual = sink.outputs[0].tagged.visuals["ocr"]
    assert (visual.status, visual.reason, eyes.looks) == ("skipped", "look = never", [])
    assert sink.outputs[0].tagged.view == "text"


async def test_only_uncertain_posts_are_looked_at_and_tagged_again() -> None:
    model = FakeModel(OCR, uncertainty=lambda p: 0.9 if "Jordan" in p.text and not p.seen("ocr") else 0.1)
    eyes = FakeEyes()
    bodies = [post("Jordan was great", id="1", picture=True), post("Berlin", id="2", picture=True)]
    sink, line = await run(bodies, model, eyes=eyes, routes=looking(Look("uncertain", 0.5)))
    by_id = {o.tagged.post_id: o.tagged for o in sink.outputs}
    assert by_id["1"].visuals["ocr"].status == "used"
    assert by_id["1"].uncertainty == 0.1
    assert by_id["2"].visuals["ocr"].reason == "certain: 0.1 ≤ 0.5"
    assert len(eyes.looks) == 1
    assert line.counts.tagged_twice == 1


async def test_uncertain_without_a_number_looks_by_each_models_own_threshold() -> None:
    models = {name: FakeModel(OCR, uncertainty=lambda _: 0.5) for name in ("careful", "bold")}
    models["careful"].look_threshold, models["bold"].look_threshold = 0.4, 0.6
    route = Route(primary="careful", look=Look("uncertain"), shadow=(Shadow(plugin="bold"),))
    sink, line = await run([post(picture=True)], routes=(route,), **models)
    found = {o.tagged.plugin.name: o.tagged.visuals["ocr"] for o in sink.outputs}
    assert found["careful"].status == "used"
    assert (found["bold"].status, found["bold"].reason) == ("skipped", "certain: 0.5 ≤ 0.6")
    assert line.counts.looked == 1


async def test_the_default_route_looks_above_0_2_for_a_model_that_names_no_threshold() -> None:
    for uncertainty, status in ((0.21, "used"), (0.19, "skipped")):
        model = FakeModel(OCR, uncertainty=lambda _, said=uncertainty: said)
        sink, _ = await run([post(picture=True)], model, routes=(Route(primary="fake"),))
        assert sink.outputs[0].tagged.visuals["ocr"].status == status


async def test_a_picture_that_cannot_be_had_does_not_cost_the_post_its_text_nor_a_second_tagging() -> None:
    model = FakeModel(OCR, uncertainty=lambda _: 0.9)
    eyes = FakeEyes(Missing("unavailable", "fetch failed: no such host"))
    sink, _ = await run([post(picture=True)], model, eyes=eyes, routes=looking(Look("uncertain", 0.5)))
    tagged = sink.outputs[0].tagged
    assert tagged.entities
    assert (tagged.visuals["ocr"].status, tagged.visuals["ocr"].reason) == (
        "unavailable",
        "fetch failed: no such host",
    )
    assert len(model.batches) == 1


async def test_alt_text_is_seen_without_a_look() -> None:
    media = [{"type": "image", "url": "https://example.org/a.png", "alt": "the Bulls"}]
    model, eyes = FakeModel(OCR), FakeEyes()
    sink, _ = await run([post(media=media)], model, eyes=eyes)
    assert model.batches[0][0].seen("alt") == ("the Bulls",)
    assert sink.outputs[0].tagged.view == "image+text"
    assert not eyes.looks


async def test_a_model_that_needs_the_picture_is_not_asked_without_it() -> None:
    model = FakeModel({"ocr": Need.REQUIRED})
    sink, _ = await run(
        [post(id="1"), post(id="2", picture=True)], model, routes=looking(Look("uncertain", 0.9))
    )
    assert [str(letter.error) for letter in sink.letters] == ["plugin 'fake' needs ocr: absent"]
    assert [o.tagged.post_id for o in sink.outputs] == ["2"]


# -- shadows, sampling, order ---------------------------------------------------------------


async def test_a_shadow_tags_beside_the_primary_and_its_failure_costs_nothing() -> None:
    routes = (Route(primary="fake", shadow=(Shadow(plugin="shade"),)),)
    bodies = [post("Ada", id="1"), post("Ada poison", id="2")]
    sink, line = await run(bodies, routes=routes, shade=FakeModel(raises_on="poison"))
    assert sorted((o.tagged.post_id, o.tagged.plugin.name, o.shadow) for o in sink.outputs) == [
        ("1", "fake", False),
        ("1", "shade", True),
        ("2", "fake", False),
    ]
    assert not sink.letters
    assert (line.counts.shadow_failed, line.counts.tagged) == (1, 2)


async def test_posts_that_no_route_takes_are_skipped_by_rule() -> None:
    routes = (Route(when=When(text="Ada"), primary="fake"), Route(when=When(text="Bob"), primary="none"))
    bodies = [post("Ada", id="1"), post("Bob", id="2"), post("Eve", id="3")]
    sink, line = await run(bodies, routes=routes)
    assert [o.tagged.post_id for o in sink.outputs] == ["1"]
    assert line.counts.skipped == {"route says none": 1, "no route": 1}


async def test_an_update_waits_for_the_create_of_the_same_post_also_when_that_looks_at_a_picture() -> None:
    gate = asyncio.Event()
    eyes = FakeEyes(gate=gate)
    sink, done = MemorySink(), []
    line = pipeline(FakeModel(OCR), sink, eyes, Route(primary="fake", look=Look("always")))
    bodies = [
        post("First Draft", picture=True),
        post("Second Thoughts", op="update"),
        post("Other", id="2"),
    ]
    run_all = asyncio.create_task(line.process(memory_batch(bodies, done.append)))
    while done != [3]:
        await asyncio.sleep(0)
    assert [o.tagged.post_id for o in sink.outputs] == ["2"]
    gate.set()
    await run_all
    assert [o.tagged.op for o in sink.outputs if o.tagged.post_id == "1"] == ["create", "update"]
    assert done == [3, 1, 2]


async def test_nothing_is_published_for_a_partition_that_was_taken_away() -> None:
    gate, sink, done = asyncio.Event(), MemorySink(), []
    line = pipeline(FakeModel(OCR), sink, FakeEyes(gate=gate), Route(primary="fake", look=Look("always")))
    batch = memory_batch([post(picture=True), post("Again", op="update")], done.append)
    running = asyncio.create_task(line.process(batch))
    while line.counts.looked == 0:
        await asyncio.sleep(0)
    batch.revoked = True
    gate.set()
    await running
    assert not sink.outputs
    assert line.counts.dropped == 2


async def test_a_broker_that_is_gone_for_good_ends_the_processing_with_the_post_not_done() -> None:
    def gone(_: object) -> None:
        raise BrokerError("away")

    done: list[int] = []
    line = pipeline(FakeModel(), MemorySink(gone))
    with pytest.raises(ExceptionGroup) as caught:
        await line.process(memory_batch([post()], done.append))
    assert caught.group_contains(BrokerError)
    assert not done


async def test_a_replayed_letter_keeps_its_revision_and_counts_its_attempts() -> None:
    sink = MemorySink()
    line = pipeline(FakeModel(raises_on="poison"), sink)
    batch = memory_batch([post("Ada", id="1"), post("poison", id="2")])
    for record in batch.records:
        record.headers = [("__streamproc.revision", b"3:77"), ("__streamproc.attempts", b"2")]
    await line.process(batch)
    revision = sink.outputs[0].tagged.revision
    assert (revision.partition, revision.offset) == (3, 77)
    headers: dict[str, bytes] = dict(sink.letters[0].all_headers())
    assert headers["__streamproc.attempts"] == b"3"
    assert headers["__streamproc.revision"] == b"3:77"
    assert headers["__streamproc.errors.exception"] == b"PluginFailed"
