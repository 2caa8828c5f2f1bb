"""Posts to taggings with any network that gives emissions: words, windows, network, CRF, entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamproc.fusion.api import Entity, FusionInput, FusionModel, Modality, Need, Tagging
from streamproc_mner.collate import Batch, EncodedPost, PostEncoder, Window, pad
from streamproc_mner.data.visual_context import segments_of
from streamproc_mner.decoding import Decoded, Decoder, forbid_entities
from streamproc_mner.words import Role, Word, words_of

Emissions = NDArray[np.float32]


class Network(Protocol):
    """What gives emissions (B, S, L), float32, for a batch of windows."""

    def __call__(self, batch: Batch) -> Emissions: ...


class ContextTaggerModel(FusionModel):
    """A loaded model over text and typed visual context.

    Args:
        network: gives emissions.
        encoder: encodes posts for it.
        decoder: its CRF.
        kinds: the kinds of visual context that are fed to it.
        batch_tokens: sub-tokens with padding that go through the network at once.
        handles: whether names of mentioned accounts may be entities.
        name: of the model.
        version: of its weights.
    """

    def __init__(
        self,
        network: Network,
        encoder: PostEncoder,
        decoder: Decoder,
        *,
        kinds: Sequence[Modality],
        batch_tokens: int,
        handles: bool,
        name: str,
        version: str,
    ) -> None:
        self.modalities: Mapping[Modality, Need] = dict.fromkeys(kinds, Need.OPTIONAL)
        self.model = name
        self.model_version = version
        self._network = network
        self._encoder = encoder
        self._decoder = decoder
        self._batch_tokens = batch_tokens
        self._handles = handles

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        """Tag posts, those with visual context and those without in one go."""
        if not batch:
            return []
        posts = [words_of(post.text) for post in batch]
        contexts = [segments_of(post, self.modalities) for post in batch]
        encoded = self._encoder.encode(posts, contexts)
        emissions = self._emissions(encoded)
        if not self._handles:
            for words, read, scores in zip(posts, encoded, emissions, strict=True):
                forbid_entities(scores, _handles(words, read))
        decoded = self._decoder.decode(emissions)
        return [
            _tagging(post.text, words, read, result)
            for post, words, read, result in zip(batch, posts, encoded, decoded, strict=True)
        ]

    def _emissions(self, posts: Sequence[EncodedPost]) -> list[Emissions]:
        """(n, L) for the n words of each post that have sub-tokens, joined from its windows."""
        windows = [window for post in posts for window in post.windows]
        found: list[Emissions | None] = [None] * len(windows)
        for chunk in chunks(windows, self._batch_tokens):
            emissions = self._network(pad([windows[index] for index in chunk]))
            for row, index in enumerate(chunk):
                found[index] = emissions[row, windows[index].firsts]
        whole = iter(scores for scores in found if scores is not None)
        return [np.concatenate([next(whole) for _ in post.windows]) for post in posts]


def chunks(windows: Sequence[Window], tokens: int) -> list[list[int]]:
    """Indices of windows in groups of similar length, each of at most `tokens` with its padding.

    A window longer than that has a group of its own.
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(windows)), key=lambda index: len(windows[index].ids)):
        size = len(windows[index].ids)
        if groups and (len(groups[-1]) + 1) * size <= tokens:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _handles(words: Sequence[Word], read: EncodedPost) -> list[int]:
    return [place for place, word in enumerate(read.kept.tolist()) if words[word].role is Role.HANDLE]


def _tagging(text: str, words: Sequence[Word], read: EncodedPost, decoded: Decoded) -> Tagging:
    entities = []
    for scored in decoded.spans:
        start = words[int(read.kept[scored.span.start])].start
        end = words[int(read.kept[scored.span.end - 1])].end
        entities.append(Entity(text[start:end], scored.span.type, start, end, scored.probability))
    confidence = np.ones(len(words))  # a word that the encoder cannot see is O for certain
    confidence[read.kept] = decoded.confidence
    return Tagging(tuple(entities), tuple(confidence.tolist()), decoded.uncertainty)
