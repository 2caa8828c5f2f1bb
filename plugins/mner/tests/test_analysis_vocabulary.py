"""Word vectors taken away, against posts whose words were replaced by one that nobody knows."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the [train] extra")

import torch

from plugins.mner.tests.analysis_models import random_posts, scores, write_posts
from plugins.saved_families import save_random
from streamproc.errors import InputError, PluginError, SettingsError
from streamproc_bert_crf.tagger import BertTagger
from streamproc_bilstm_crf.tagger import BiLstmTagger
from streamproc_mner.analysis.scores import Draws
from streamproc_mner.analysis.vocabulary import by_vocabulary, cut, network_with_words, shares_of
from streamproc_mner.data.labelled_file import LabelledFile
from streamproc_mner.data.normaliser import normalise
from streamproc_mner.data.records import Record
from streamproc_mner.evaluation.loading import load_model
from streamproc_mner.evaluation.predictions import predict_posts
from streamproc_mner.labels import bio_labels
from streamproc_mner.nn.stored import save_tagger
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.vocabulary import UNKNOWN, Vocabulary
from streamproc_mner.windows import Limits
from streamproc_mner.words import words_of

POSTS = random_posts(30, seed=4, most=8)
WORDS = sorted({token for post in POSTS for token in post["tokens"]})
SETTINGS: Mapping[str, Any] = {
    "picture": "none", "fusion": "concat", "characters": "none", "word_width": 6, "transform_width": 5,
    "hidden": 7,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved network that reads words alone."""
    torch.manual_seed(1)
    vocabulary = Vocabulary.of([words_of(" ".join(WORDS))])
    settings = BiLstmTagger.Settings.model_validate(SETTINGS)
    parts = Parts(lambda role, name: pytest.fail(f"asked for the encoder {name}"), vocabulary)
    network = BiLstmTagger(settings, bio_labels(("LOC", "MISC", "ORG", "PER")), parts)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.7)
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_tagger(
        network, folder, plugin="bilstm-crf", name="words", tokenizer=None, vocabulary=vocabulary,
        limits=Limits(window=40, overlap=10), metrics={}, card="# words\n",
    )  # fmt: skip
    return folder


def _replaced(kept: set[str]) -> list[dict[str, Any]]:
    return [
        post | {"tokens": [token if token in kept else "qqqq" for token in post["tokens"]]}
        for post in POSTS
    ]


def test_cut_words_are_read_as_unknown(folder: Path, tmp_path: Path) -> None:
    data = LabelledFile(write_posts(tmp_path / "posts.jsonl", POSTS))
    network = network_with_words(str(folder), "cpu")
    findings = by_vocabulary(
        {"words": [network]},
        data,
        None,
        shares=(50, 20),
        times=2,
        draws=Draws(100, 7),
        begin=lambda _: lambda _: None,
    )
    model = load_model(str(folder)).model
    told = {row[0]: dict(zip(findings.columns, row, strict=True)) for row in findings.rows}
    assert list(told) == ["100 %", "50 %", "20 %"]
    for share, seeds in ((100, [7]), (50, [7, 8]), (20, [7, 8])):
        right = found = there = 0
        for seed in seeds:
            order = list(network.vocabulary.words)
            random.Random(seed).shuffle(order)
            kept = set(order[: round(share / 100 * len(order))])
            records = [
                Record(post["id"], tuple(post["tokens"]), tuple(post["tags"])) for post in _replaced(kept)
            ]
            posts = normalise(records)
            for post, said in zip(posts, predict_posts(model, posts, "text"), strict=True):
                guess = {scored.span for scored in said.spans}
                right += len(guess & set(post.spans))
                found, there = found + len(guess), there + len(post.spans)
        row = told[f"{share} %"]
        assert (row["P"], row["R"], row["F1"]) == pytest.approx(scores(right, found, there)), share
    assert len({row["F1"] for row in told.values()}) == 3


def test_a_smaller_share_keeps_a_part_of_a_larger_one_and_numbers_stay() -> None:
    vocabulary = Vocabulary(tuple(f"word{number}" for number in range(40)), "ab")
    words = words_of(" ".join(vocabulary.words))
    whole = vocabulary.look_up(words).tolist()
    before = set(range(40))
    for share in (75, 50, 25):
        found = cut(vocabulary, share, seed=3).look_up(words).tolist()
        kept = {place for place, number in enumerate(found) if number != UNKNOWN}
        assert len(kept) == 40 * share / 100
        assert kept < before
        assert all(found[place] == whole[place] for place in kept)
        before = kept
    assert cut(vocabulary, 50, seed=3) != cut(vocabulary, 50, seed=4)
    assert cut(vocabulary, 50, seed=3).characters == "ab"


def test_a_model_that_reads_sub_tokens_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = save_random(BertTagger, {"encoder": "tiny"}, "bert-crf", tiny_encoder, tmp_path / "model")
    with pytest.raises(InputError, match="has no word vectors that could be cut"):
        network_with_words(str(folder), "cpu")


def test_a_model_that_reads_characters_alone_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "words": False, "characters": "lstm"}
    folder = save_random(BiLstmTagger, settings, "bilstm-crf", tiny_encoder, tmp_path / "model")
    with pytest.raises(InputError, match="has no word vectors that could be cut"):
        network_with_words(str(folder), "cpu")


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("capitals", InputError, "a plugin alone has no network"),
        ("nowhere/model", InputError, "no folder of a saved model"),
        ("mner-tweets-sm", InputError, "no word vectors"),
    ],
)
def test_what_has_no_saved_network_is_refused(name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        network_with_words(name, "cpu")


def test_a_model_of_a_plugin_without_networks_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '{"network": "capitals", "weights": {"file": "model.safetensors"}}'
    )
    with pytest.raises(PluginError, match="capitals has no network in torch"):
        network_with_words(str(tmp_path), "cpu")


@pytest.mark.parametrize("shares", ["", "100", "50,75", "50,50", "0", "a", "50.5"])
def test_shares_that_do_not_fall_are_refused(shares: str) -> None:
    with pytest.raises(SettingsError, match="expected falling percentages"):
        shares_of(shares)
    assert shares_of("75, 50,25") == (75, 50, 25)
