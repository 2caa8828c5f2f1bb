"""Learning from teachers: what they say of posts, the loss, and the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the [train] extra")

import itertools

import numpy as np
import torch
from click.testing import CliRunner

from plugins.mner.tests.made_data import write_data_set
from streamproc.errors import InputError, PluginError
from streamproc_ita.tagger import ItaSettings, ItaTagger
from streamproc_mner.choices import store_choices
from streamproc_mner.cli.train import command
from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.normaliser import LabelledPost, normalise
from streamproc_mner.data.records import Record
from streamproc_mner.labels import bio_labels
from streamproc_mner.nn.inputs import inputs_of
from streamproc_mner.nn.stored import save_tagger
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.recipes.recipe import Training
from streamproc_mner.training.examples import Examples
from streamproc_mner.training.objective import distillation_loss
from streamproc_mner.training.teachers import taught_by
from streamproc_mner.windows import Limits, pad

LABELS = bio_labels(("PER", "LOC"))
LIMITS = Limits(window=64, overlap=8, context=16)
TEXTS = ("kevin in paris", "news", "the man of london has a dog with kevin")


def posts() -> list[LabelledPost]:
    return normalise(
        [Record(str(n), tuple(text.split()), ("O",) * len(text.split())) for n, text in enumerate(TEXTS)],
        ("PER", "LOC"),
    )


def network(parts: Parts, seed: int) -> ItaTagger:
    torch.manual_seed(seed)
    return ItaTagger(ItaSettings(context=("captions",)), LABELS, parts).eval()


def saved(teacher: ItaTagger, folder: Path, encoder: Path, temperature: float = 1.0) -> Path:
    save_tagger(
        teacher, folder, plugin="ita", name="teacher", tokenizer=encoder / "tokenizer.json",
        vocabulary=None, limits=LIMITS, metrics={}, card="", temperature=temperature,
    )  # fmt: skip
    return folder


def posteriors(
    teacher: ItaTagger, encoder: PostEncoder, post: LabelledPost, temperature: float
) -> torch.Tensor:
    """By brute force: the sum over all label sequences that BIO allows."""
    (encoded,) = encoder.encode([post.words], [()])
    with torch.no_grad():
        emissions = teacher(inputs_of(pad(encoded.windows), None)).emissions[0].double()
    crf, count = teacher.crf, len(post.words)
    found = torch.zeros(count, len(LABELS), dtype=torch.float64)
    for path in torch.cartesian_prod(*[torch.arange(len(LABELS))] * count).reshape(-1, count):
        names = ["O", *(LABELS[label] for label in path.tolist())]
        if any(b[:2] == "I-" and a[2:] != b[2:] for a, b in itertools.pairwise(names)):
            continue
        score = crf.start[path[0]] + crf.end[path[-1]] + emissions[range(count), path].sum()
        score = score + sum(crf.transitions[a, b] for a, b in itertools.pairwise(path))
        found[range(count), path] += torch.exp(score.detach() / temperature)
    return found / found[0].sum()


def test_teachers_say_the_mean_of_their_posteriors_at_their_temperatures(
    tiny_parts: Parts, tiny_encoder: Path, tmp_path: Path
) -> None:
    one, two = network(tiny_parts, 1), network(tiny_parts, 2)
    folders = [
        saved(one, tmp_path / "one", tiny_encoder),
        saved(two, tmp_path / "two", tiny_encoder, 2.5),
    ]
    given = posts()
    said = taught_by(folders, given, LABELS, "text", "cpu")
    reader = PostEncoder.from_file(tiny_encoder / "tokenizer.json", LIMITS)
    assert [found.shape for found in said] == [(len(post.words), len(LABELS)) for post in given]
    for post, found in zip(given[:2], said[:2], strict=True):
        mean = (posteriors(one, reader, post, 1.0) + posteriors(two, reader, post, 2.5)) / 2
        np.testing.assert_allclose(found, mean.numpy(), atol=1e-5)


def test_mentioned_accounts_are_taught_as_the_network_sees_them(
    tiny_parts: Parts, tiny_encoder: Path, tmp_path: Path
) -> None:
    (post,) = normalise([Record("1", ("news", "@kevin"), ("O", "B-PER"))], ("PER", "LOC"))
    folder = saved(network(tiny_parts, 1), tmp_path / "teacher", tiny_encoder)
    (said,) = taught_by([folder], [post], LABELS, "text", "cpu")
    assert said[-1, 0] < 0.999  # served, the handle would be no entity for certain


def test_a_teacher_with_other_labels_is_refused_by_both_names(
    tiny_parts: Parts, tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = saved(network(tiny_parts, 1), tmp_path / "teacher", tiny_encoder)
    with pytest.raises(
        InputError, match=r"teacher: its labels are O, B-PER.*expected the recipe's: O, B-ORG"
    ):
        taught_by([folder], posts(), bio_labels(("ORG",)), "text", "cpu")


def test_lessons_follow_the_posts_of_each_batch(tiny_parts: Parts, tiny_encoder: Path) -> None:
    given = posts()
    chance = np.random.default_rng(3)
    taught = [chance.random((len(post.words), len(LABELS)), np.float32) for post in given]
    reader = PostEncoder.from_file(tiny_encoder / "tokenizer.json", LIMITS)
    examples = Examples(
        given, network(tiny_parts, 1), reader, Training(batch=2), 1, torch.device("cpu"), taught
    )
    by_length = {len(post.words): lesson for post, lesson in zip(given, taught, strict=True)}
    seen = set()
    for step in examples.epoch(1):
        assert step.text is not None
        assert step.taught is not None
        for lesson, words in zip(step.taught, step.text.words, strict=True):
            count = int(words.sum())
            np.testing.assert_array_equal(lesson[:count].numpy(), by_length[count])
            assert not lesson[count:].any()
            seen.add(count)
    assert seen == set(by_length)


def test_the_loss_is_the_cross_entropy_of_the_words_posteriors(
    tiny_parts: Parts, tiny_encoder: Path
) -> None:
    student, given = network(tiny_parts, 4), posts()[:2]
    reader = PostEncoder.from_file(tiny_encoder / "tokenizer.json", LIMITS)
    encoded = reader.encode([post.words for post in given], [()] * 2)
    inputs = inputs_of(pad([post.windows[0] for post in encoded]), None)
    taught = torch.zeros(2, 3, len(LABELS))
    taught[0] = torch.softmax(torch.randn(3, len(LABELS)), dim=-1)
    taught[1, :1] = torch.softmax(torch.randn(1, len(LABELS)), dim=-1)
    emissions = student(inputs).emissions
    expected = 0.0
    for row, count in ((0, 3), (1, 1)):
        mask = torch.ones(1, count, dtype=torch.bool)
        own = student.crf.log_posteriors(emissions[row : row + 1, :count], mask)[0]
        for word in range(count):
            for label in range(len(LABELS)):
                expected -= float(taught[row, word, label]) * own[word, label].item() / 2
    assert distillation_loss(student, inputs, taught).item() == pytest.approx(expected, rel=1e-5)


def arguments(encoder: Path, data: Path, out: Path, *more: str) -> list[str]:
    changes = ("limits.window=64", "limits.overlap=8", "limits.context=16", "training.epochs=2")
    return [
        "wang2022/bert-crf", "--data", str(data), "--out", str(out), "--encoder", str(encoder),
        "--threads", "1", "--json", *(part for change in changes for part in ("--set", change)), *more,
    ]  # fmt: skip


def test_a_run_learns_from_teachers_and_says_which(tiny_encoder: Path, tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "made")
    plain = CliRunner().invoke(command, arguments(tiny_encoder, data, tmp_path / "plain"))
    assert plain.exit_code == 0, plain.output
    teacher = tmp_path / "plain" / "model"
    run = arguments(tiny_encoder, data, tmp_path / "student", "--teacher", str(teacher))
    taught = CliRunner().invoke(command, run)
    assert taught.exit_code == 0, taught.output
    assert f"taught by {teacher}" in taught.stderr
    first = [
        json.loads((tmp_path / name / "log.jsonl").read_text().splitlines()[0])["loss"]
        for name in ("plain", "student")
    ]
    assert first[1] > first[0]  # the teacher's term came on top
    store_choices(teacher, temperature=3.0)
    other = CliRunner().invoke(command, run)
    assert isinstance(other.exception, InputError)
    assert "holds a run with teachers" in str(other.exception)


def test_a_teacher_that_is_no_model_is_refused_before_training(tiny_encoder: Path, tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "made")
    run = arguments(tiny_encoder, data, tmp_path / "out", "--teacher", str(data))
    found = CliRunner().invoke(command, run)
    assert isinstance(found.exception, PluginError)
    assert "no saved model" in str(found.exception)


def test_a_folder_is_not_kept_by_a_run_whose_teacher_was_refused(
    tiny_parts: Parts, tiny_encoder: Path, tmp_path: Path
) -> None:
    data = write_data_set(tmp_path / "made")
    stranger = saved(network(tiny_parts, 1), tmp_path / "teacher", tiny_encoder)
    refused = arguments(tiny_encoder, data, tmp_path / "out", "--teacher", str(stranger))
    found = CliRunner().invoke(command, refused)
    assert isinstance(found.exception, InputError)
    again = CliRunner().invoke(command, arguments(tiny_encoder, data, tmp_path / "out"))
    assert again.exit_code == 0, again.output
