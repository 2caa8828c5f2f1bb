"""Posts to taggings with any network that gives emissions: words, windows, network, CRF, entities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from streamproc.fusion.api import (
    Entity,
    Explanation,
    FusionInput,
    FusionModel,
    Modality,
    Need,
    Over,
    Tagging,
    Weights,
)
from streamproc_mner.data.visual_context import Segment, segments_of
from streamproc_mner.decoding import Decoded, Decoder, forbid_entities
from streamproc_mner.pictures import Picture, PictureBatch, PictureNeed, pad_pictures, picture_of
from streamproc_mner.windows import Batch, EncodedPost, Window, chunks, pad
from streamproc_mner.words import Role, Word, words_of

Floats = NDArray[np.float32]

EXPLAINED_WORDS: Final = 512
"""Of a longer post only the first words are explained: weights of words over words grow with the square."""


@dataclass(frozen=True, slots=True, eq=False)
class RawWeights:
    """An attention or gate of a batch; see `streamproc.fusion.api.Weights`. `values` (B, T, K).

    One `of_picture` says nothing of a post that has none.
    """

    over: Over
    values: Floats
    columns: tuple[str, ...] = ()
    of_picture: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What a network says of a batch of windows.

    Attributes:
        emissions: (B, T, L) of words.
        joined: (B, T) see `streamproc_mner.decoding.Decoder.decode`; `None` for nowhere.
        weights: attentions and gates by name, where they were asked for.
    """

    emissions: Floats
    joined: NDArray[np.bool_] | None = None
    weights: Mapping[str, RawWeights] | None = None


class Network(ABC):
    """Gives scores for batches of windows."""

    @abstractmethod
    def score(self, batch: Batch, pictures: PictureBatch | None) -> Scores:
        """Scores of B windows, each with its post's picture where the network reads pictures."""

    def explain(self, batch: Batch, pictures: PictureBatch | None) -> Scores:
        """The same with attentions and gates, where the network has any."""
        return self.score(batch, pictures)

    def close(self) -> None:
        """Give back what it holds."""


class Encoder(Protocol):
    """Encodes posts: `PostEncoder` or `WordEncoder`."""

    def encode(
        self, posts: Sequence[Sequence[Word]], contexts: Sequence[Sequence[Segment]]
    ) -> list[EncodedPost]: ...


@dataclass(frozen=True, slots=True, eq=False)
class WordScores:
    """What `Decoder.decode` is given of one post, and `kept`: which of its words these n are."""

    kept: NDArray[np.int64]
    emissions: Floats
    joined: NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """One post as it was read, and what the network said of the n words that it saw."""

    post: FusionInput
    words: Sequence[Word]
    encoded: EncodedPost
    picture: Picture | None
    emissions: Floats
    joined: NDArray[np.bool_] | None
    weights: Mapping[str, Weights]


class TaggerModel(FusionModel):
    """A loaded model over text, typed visual context and vectors of a picture.

    Args:
        network: gives emissions.
        encoder: encodes posts for it.
        decoder: its CRF.
        kinds: the kinds of visual context that are fed to it.
        picture: the vectors that the network reads.
        blind: feed it no vectors all the same: all its posts are without a picture.
        batch_tokens: positions with padding that go through the network at once.
        handles: whether names of mentioned accounts may be entities.
        name: of the model.
        version: of its weights.
        look_threshold: see `FusionModel`; its own where the model names none.

    Attributes:
        decoder: its CRF.
    """

    def __init__(
        self,
        network: Network,
        encoder: Encoder,
        decoder: Decoder,
        *,
        kinds: Sequence[Modality],
        picture: PictureNeed | None = None,
        blind: bool = False,
        batch_tokens: int,
        handles: bool,
        name: str,
        version: str,
        look_threshold: float | None = None,
    ) -> None:
        self._kinds = tuple(kinds)
        self.widths: Mapping[Modality, int] = (
            {picture.modality: picture.width} if picture and not blind else {}
        )
        self.modalities: Mapping[Modality, Need] = dict.fromkeys((*kinds, *self.widths), Need.OPTIONAL)
        self.model = name
        self.model_version = version
        if look_threshold is not None:
            self.look_threshold = look_threshold
        self.decoder = decoder
        self._network = network
        self._encoder = encoder
        self._picture = picture
        self._blind = blind
        self._batch_tokens = batch_tokens
        self._handles = handles

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        """Tag posts, those with pictures and those without in one go."""
        return self._tag(batch, explain=False)

    def explain(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        """Tag posts and tell the network's attentions and gates."""
        return self._tag(batch, explain=True)

    def close(self) -> None:
        """Give back what the network holds."""
        self._network.close()

    def word_scores(self, batch: Sequence[FusionInput]) -> list[WordScores]:
        """The words' emissions, as they are decoded."""
        posts = self._read(batch, explain=False) if batch else []
        return [WordScores(read.encoded.kept, read.emissions, read.joined) for read in posts]

    def _tag(self, batch: Sequence[FusionInput], *, explain: bool) -> list[Tagging]:
        if not batch:
            return []
        posts = self._read(batch, explain)
        joined = [read.joined for read in posts if read.joined is not None]
        decoded = self.decoder.decode([read.emissions for read in posts], joined or None)
        taggings = [_tagging(read, result) for read, result in zip(posts, decoded, strict=True)]
        if not explain:
            return taggings
        return [
            structs.replace(t, explanation=_explanation(r)) for t, r in zip(taggings, posts, strict=True)
        ]

    def _read(self, batch: Sequence[FusionInput], explain: bool) -> list[_Read]:
        words = [words_of(post.text) for post in batch]
        encoded = self._encoder.encode(words, [segments_of(post, self._kinds) for post in batch])
        need = None if self._blind else self._picture
        pictures = [picture_of(post, need) if need else None for post in batch]
        windows = [window for post in encoded for window in post.windows]
        owners = [index for index, post in enumerate(encoded) for _ in post.windows]
        scored = iter(self._score(windows, [pictures[owner] for owner in owners], explain))
        posts = [
            _joined_up(post, seen, read, picture, [next(scored) for _ in read.windows])
            for post, seen, read, picture in zip(batch, words, encoded, pictures, strict=True)
        ]
        if not self._handles:
            for done in posts:
                forbid_entities(done.emissions, _handles(done))
        return posts

    def _score(
        self, windows: Sequence[Window], pictures: Sequence[Picture | None], explain: bool
    ) -> list[_Row]:
        rows: dict[int, _Row] = {}
        run = self._network.explain if explain else self._network.score
        for chunk in chunks(windows, self._batch_tokens):
            chosen = [windows[index] for index in chunk]
            need = self._picture
            seen = pad_pictures([pictures[index] for index in chunk], need) if need else None
            scores = run(pad(chosen), seen)
            rows.update({index: _row(scores, row, windows[index]) for row, index in enumerate(chunk)})
        return [rows[index] for index in range(len(windows))]


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """One window's share of a batch's scores: its n words."""

    window: Window
    emissions: Floats
    joined: NDArray[np.bool_] | None
    weights: Mapping[str, RawWeights]


def _row(scores: Scores, row: int, window: Window) -> _Row:
    count = len(window.firsts)
    weights = {
        name: replace(told, values=told.values[row, :count])
        for name, told in (scores.weights or {}).items()
    }
    joined = None if scores.joined is None else scores.joined[row, :count]
    return _Row(window, scores.emissions[row, :count], joined, weights)


def _joined_up(
    post: FusionInput,
    words: Sequence[Word],
    encoded: EncodedPost,
    picture: Picture | None,
    rows: Sequence[_Row],
) -> _Read:
    """What several windows say of one post, each of the words that are taken from it."""
    emissions = np.concatenate([row.emissions[row.window.taken] for row in rows])
    flags = [row.joined[row.window.taken] for row in rows if row.joined is not None]
    weights = {
        name: _weights(name, told, rows, len(encoded.kept), picture)
        for name, told in rows[0].weights.items()
        if picture is not None or not (told.of_picture or told.over in ("cells", "regions"))
    }
    joined = np.concatenate(flags) if flags else None
    return _Read(post, words, encoded, picture, emissions, joined, weights)


def _weights(
    name: str, told: RawWeights, rows: Sequence[_Row], words: int, picture: Picture | None
) -> Weights:
    parts, left = [], min(words, EXPLAINED_WORDS)
    kept = np.concatenate([row.window.words[row.window.taken] for row in rows])
    boxes: tuple[Any, ...] = ()
    if told.over == "regions" and picture is not None:
        boxes = tuple(tuple(box) for box in picture.boxes.tolist())
    for row in rows:
        values = row.weights[name].values[row.window.taken][:left]
        if told.over == "tokens":
            values = _at_their_words(values, row.window, kept, min(words, EXPLAINED_WORDS))
        elif boxes:  # how far it is padded depends on the batch
            values = values[:, : len(boxes)]
        left -= len(values)
        parts.append(values)
    values = np.concatenate(parts)
    return Weights(told.over, tuple(tuple(row) for row in values.tolist()), told.columns, boxes)


def _at_their_words(values: Floats, window: Window, kept: NDArray[np.int64], words: int) -> Floats:
    """(n, words): columns of a window's words brought to the places that these have in the post."""
    places = np.searchsorted(kept, window.words)
    within = places < words
    wide = np.zeros((len(values), words), np.float32)
    wide[:, places[within]] = values[:, : len(places)][:, within]
    return wide


def _handles(read: _Read) -> list[int]:
    kept = read.encoded.kept.tolist()
    return [place for place, word in enumerate(kept) if read.words[word].role is Role.HANDLE]


def _tagging(read: _Read, decoded: Decoded) -> Tagging:
    words, kept, text = read.words, read.encoded.kept, read.post.text
    entities = []
    for scored in decoded.spans:
        start = words[int(kept[scored.span.start])].start
        end = words[int(kept[scored.span.end - 1])].end
        entities.append(Entity(text[start:end], scored.span.type, start, end, scored.probability))
    confidence = np.ones(len(words))  # a word that the network cannot see is O for certain
    confidence[kept] = decoded.confidence
    return Tagging(tuple(entities), tuple(confidence.tolist()), decoded.uncertainty)


def _explanation(read: _Read) -> Explanation:
    seen = [read.words[word] for word in read.encoded.kept[:EXPLAINED_WORDS].tolist()]
    return Explanation(tuple((word.text, word.start, word.end) for word in seen), read.weights)
