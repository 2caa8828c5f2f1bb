"""The network: which sub-token stands for a word, what either head says, and that it can learn."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from streamproc.fusion.api import FusionInput, Seen, Tagging
from streamproc.vision.visuals import Captions
from streamproc_bert_crf.plugin import BertCrf
from streamproc_bert_crf.tagger import BertTagger
from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.data.visual_context import Segment
from streamproc_mner.decoding import Decoder
from streamproc_mner.evaluation.spans import evaluate_spans
from streamproc_mner.labels import Span, labels_of, may_follow
from streamproc_mner.nn.inputs import inputs_of
from streamproc_mner.pictures import PictureBatch
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import Network, Scores, TaggerModel
from streamproc_mner.torch_serving import TorchNetwork
from streamproc_mner.training.batches import target_of, view_of
from streamproc_mner.training.objective import ita_loss
from streamproc_mner.windows import Batch, Limits, pad
from streamproc_mner.words import words_of

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
Make = Callable[[str], BertTagger]
Save = Callable[[BertTagger, Path], Path]
SHORT = [
    "Kevin Durant at night",
    "in Paris",
    "zebra",
    "the dog of Harry Potter",
    "NASA NBA Google news",
    "London",
    "is at",
    "a stadium photo",
]


def _encode(tiny_encoder: Path, texts: list[str]) -> list[Batch]:
    encoder = PostEncoder.from_file(tiny_encoder / "tokenizer.json", Limits())
    encoded = encoder.encode([words_of(text) for text in texts], [()] * len(texts))
    return [pad(post.windows) for post in encoded]


def _emissions(network: BertTagger, tiny_encoder: Path, text: str) -> np.ndarray:
    """(n, L) of a short post's words, found without the code under test."""
    tokenizer = Tokenizer.from_file(str(tiny_encoder / "tokenizer.json"))
    pieces = [tokenizer.encode(word, add_special_tokens=False).ids for word in text.split()]
    ids = [tokenizer.token_to_id("[CLS]"), *itertools.chain(*pieces), tokenizer.token_to_id("[SEP]")]
    starts = [1 + sum(map(len, pieces[:index])) for index in range(len(pieces))]
    with torch.no_grad():
        hidden = network.encoder(input_ids=torch.tensor([ids])).last_hidden_state[0, starts]
        return (hidden @ network.output.weight.T + network.output.bias).numpy()


def _spans(text: str, tagging: Tagging) -> list[Span]:
    """A tagging's entities over words."""
    words = words_of(text)
    starts, ends = ([getattr(word, side) for word in words] for side in ("start", "end"))
    return [Span(starts.index(e.start), ends.index(e.end) + 1, e.type) for e in tagging.entities]


def _labels(text: str, tagging: Tagging) -> list[str]:
    return labels_of(_spans(text, tagging), len(words_of(text)))


def _serve(network: BertTagger, tiny_encoder: Path) -> TaggerModel:
    return _model(TorchNetwork(network, torch.device("cpu"), torch.float32), network, tiny_encoder)


def _model(served: Network, network: BertTagger, tiny_encoder: Path) -> TaggerModel:
    return TaggerModel(
        served,
        PostEncoder.from_file(tiny_encoder / "tokenizer.json", Limits()),
        Decoder(LABELS, network.crf_scores),
        kinds=(),
        batch_tokens=256,
        handles=True,
        name="tiny",
        version="0",
    )


def test_a_words_emissions_are_those_of_its_first_sub_token(
    network: BertTagger, tiny_encoder: Path
) -> None:
    encoder = PostEncoder.from_file(tiny_encoder / "tokenizer.json", Limits())
    encoded = encoder.encode([words_of(text) for text in SHORT], [()] * len(SHORT))
    with torch.no_grad():
        together = network(view_of(encoded)).emissions.numpy()
    for row, text in enumerate(SHORT):
        expected = _emissions(network, tiny_encoder, text)
        np.testing.assert_allclose(together[row, : len(expected)], expected, atol=1e-4)


def test_other_sub_tokens_stay_out_of_the_head(network: BertTagger, tiny_encoder: Path) -> None:
    text = "zebra zebra"
    tokenizer = Tokenizer.from_file(str(tiny_encoder / "tokenizer.json"))
    size = len(tokenizer.encode("zebra", add_special_tokens=False).ids)
    assert size > 1

    class Disturbed(Network):
        """The network with noise in the emissions of some sub-tokens."""

        def __init__(self, places: tuple[int, ...]) -> None:
            self.places = list(places)

        @torch.inference_mode()
        def score(self, batch: Batch, pictures: PictureBatch | None) -> Scores:
            told = inputs_of(batch)
            emissions = network.position_emissions(told.ids, told.mask, told.kinds, told.shapes)
            emissions[:, self.places, 1] += 50.0
            return Scores(np.take_along_axis(emissions.numpy(), batch.firsts[..., None], axis=1))

    def disturbed(*places: int) -> Tagging:
        return _model(Disturbed(places), network, tiny_encoder).tag([FusionInput(text)])[0]

    inside = [place for place in range(2 * size + 2) if place not in (1, 1 + size)]
    assert disturbed(*inside) == disturbed()
    assert [e.type for e in disturbed(1, 1 + size).entities] == ["PER", "PER"]


def test_word_shapes_and_kinds_are_not_read(network: BertTagger, tiny_encoder: Path) -> None:
    served = TorchNetwork(network, torch.device("cpu"), torch.float32)
    for batch in _encode(tiny_encoder, SHORT):
        other = replace(batch, kinds=batch.kinds + 1, shapes=batch.shapes + 1)
        expected, found = (served.score(told, None).emissions for told in (batch, other))
        np.testing.assert_array_equal(found, expected)


def _allowed(length: int) -> list[tuple[int, ...]]:
    """All label sequences that keep BIO."""
    paths = itertools.product(range(len(LABELS)), repeat=length)
    return [
        path
        for path in paths
        if may_follow(None, LABELS[path[0]])
        and all(may_follow(LABELS[one], LABELS[two]) for one, two in itertools.pairwise(path))
    ]


def test_the_softmax_head_takes_each_words_best_label_where_bio_permits(
    make: Make, tiny_encoder: Path
) -> None:
    network = make("softmax")
    with torch.no_grad():  # no label is favoured, so that some posts' best labels keep BIO and some do not
        every = np.concatenate([_emissions(network, tiny_encoder, text) for text in SHORT])
        network.output.bias -= torch.from_numpy(every.mean(axis=0))
    taggings = _serve(network, tiny_encoder).tag([FusionInput(text) for text in SHORT])
    permitted = 0
    for text, tagging in zip(SHORT, taggings, strict=True):
        emissions = _emissions(network, tiny_encoder, text).astype(np.float64)
        odds = np.exp(emissions) / np.exp(emissions).sum(axis=1, keepdims=True)
        weight = {
            path: np.prod([odds[i, label] for i, label in enumerate(path)])
            for path in _allowed(len(emissions))
        }
        likeliest = max(weight, key=weight.__getitem__)
        assert _labels(text, tagging) == [LABELS[label] for label in likeliest]
        best = tuple(emissions.argmax(axis=1).tolist())
        if best in weight:
            assert likeliest == best
            permitted += 1
        agreeing = [sum(w for p, w in weight.items() if p[i] == x) for i, x in enumerate(likeliest)]
        np.testing.assert_allclose(tagging.confidence, np.divide(agreeing, sum(weight.values())), atol=1e-4)
    assert 0 < permitted < len(SHORT)


def test_the_softmax_heads_likelihood_is_a_sum_over_words(make: Make) -> None:
    head = make("softmax").crf
    emissions, gold = torch.randn(2, 4, 5), torch.tensor([[0, 1, 2, 0], [3, 0, 0, 0]])
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    each = torch.log_softmax(emissions, dim=-1).gather(2, gold.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(head.log_likelihood(emissions, gold, mask), (each * mask).sum(dim=1))


_POSTS = [
    "[PER Kevin Durant] lands in [LOC Paris] tonight",
    "a photo of [PER Harry Potter] and a dog",
    "news from [LOC London] at noon",
    "[LOC Paris] is cold , says [PER Mara Lind]",
    "no names here , just rain",
    "the man in the stadium sleeps",
    "[PER Ben] meets [PER Kevin] in [LOC New Oslo]",
    "who is [PER Ida Sol] ?",
    "[LOC London] [LOC Paris] [LOC Oslo]",
    "a dog at the stadium",
    "[PER Mara] likes the rain in [LOC Oslo]",
    "tonight : [PER Ben Lind] live",
    "google it , says the man",
    "rt [PER Ida] goes to [LOC San Remo]",
    "snow in [LOC New Oslo] again",
    "[PER Harry] and [PER Kevin Durant] at the photo booth",
]


def _labelled(marked: str) -> LabelledPost:
    text, spans = "", []
    for part in re.split(r"(\[\w+ [^]]+\])", marked):
        found = re.fullmatch(r"\[(\w+) (.+)\]", part)
        begin = len(words_of(text))
        text += found[2] if found else part
        if found:
            spans.append(Span(begin, len(words_of(text)), found[1]))
    return LabelledPost(text, tuple(words_of(text)), tuple(spans), frozenset(), True, {})


def test_it_learns_sixteen_posts_by_heart_in_both_views(
    network: BertTagger, make: Make, save: Save, tiny_encoder: Path, tmp_path: Path
) -> None:
    # In evaluation mode: no dropout, which learning by heart does not need.
    learner = make(network.settings.head)
    posts = [_labelled(marked) for marked in _POSTS]
    encoder = PostEncoder.from_file(
        tiny_encoder / "tokenizer.json", Limits(window=48, overlap=12, context=20)
    )
    words = [post.words for post in posts]
    encoded = encoder.encode(words, [()] * len(posts))
    captioned = encoder.encode(words, [[Segment("captions", "a man with a dog")]] * len(posts))
    views, target = (view_of(encoded), view_of(captioned)), target_of(posts, encoded, LABELS)
    optimizer = torch.optim.AdamW(learner.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        ita_loss(learner, *views, target, torch.arange(len(posts))).backward()
        optimizer.step()
    model = BertCrf(TorchTaggerConfig()).load(save(learner, tmp_path / "learnt"), "cpu")
    seen = {"captions": Seen((Captions(("a man with a dog",), (-0.1,)),))}
    for visuals in ({}, seen):
        taggings = model.tag([FusionInput(post.text, visuals=visuals) for post in posts])
        found = [_spans(post.text, tagging) for post, tagging in zip(posts, taggings, strict=True)]
        assert evaluate_spans(posts, found).overall.f1 == pytest.approx(1.0)
