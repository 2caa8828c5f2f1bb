"""Each model family at BERT-base size against the bare encoder on the same sub-tokens.

Weights are random, which costs the same. A family's network runs from its tensors to the words'
emissions, as its plugin runs it; beside it, in turn, the encoder alone on the same ids, visual
context included, or torch's own LSTM of the same size for the networks without a transformer.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any, Final

import numpy as np
import torch
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedModel, VisualBertConfig, VisualBertModel

from benchmarks.posts import make_text
from streamproc.fusion.api import FusionInput
from streamproc.fusion.discovery import find_model
from streamproc.testing.visuals import example_value
from streamproc.vision.visuals import Regions, Seen
from streamproc_ita.tagger import ItaTagger
from streamproc_mner.data.visual_context import segments_of
from streamproc_mner.nn.coupled_lstm import CoupledLstm
from streamproc_mner.nn.inputs import Inputs, inputs_of
from streamproc_mner.nn.recurrent import BiLstm
from streamproc_mner.nn.stored import without_pooler
from streamproc_mner.nn.tagger import Parts, Tagger
from streamproc_mner.pictures import pad_pictures, picture_of
from streamproc_mner.recipes.building import build_network
from streamproc_mner.recipes.recipe import Recipe, find_recipe
from streamproc_mner.torch_serving import encoder_of
from streamproc_mner.vocabulary import Vocabulary
from streamproc_mner.windows import pad
from streamproc_mner.words import words_of

BATCH: Final = 32
REGIONS: Final = 36
VOCABULARY: Final = 30522

RECIPES: Final = {
    "yu2020/bert-crf": 0.85,
    "chen2021/bert-crf-captions": 0.85,
    "wang2022/ita-all-cva": 0.85,
    "wang2022/ita-imgfeat": 0.85,
    "chen2021/visualbert-tam-crf": 0.85,
    "chen2021/bert-cm-crf": 0.7,
    "chen2021/bert-vam-crf": 0.7,
    "chen2021/bert-cam-crf": 0.7,
    "yu2020/mt-bert-crf": 0.7,
    "yu2020/umt-bert-crf": 0.7,
    "yu2020/hbilstm-crf": 0.85,
    "yu2020/gvatt-hbilstm-crf": 0.7,
    "yu2020/adacan-cnn-bilstm-crf": 0.7,
    "moon2018/wcv": 0.85,
    "moon2018/wcv-attn": 0.85,
}
"""The recipes that are timed, and the least ratio that is asked of each."""


@dataclass(frozen=True, slots=True)
class Speed:
    """One recipe: posts a second of its network and of the bare encoder, and their ratio in each round."""

    recipe: str
    goal: float
    against: str
    rate: float
    bare_rate: float
    ratios: list[float]

    @property
    def ratio(self) -> float:
        """The median."""
        return median(self.ratios)


def measure(rounds: int, told: Callable[[Speed], None]) -> list[Speed]:
    """Time every recipe; `told` gets each as it is done."""
    random_ = random.Random(1)
    texts = [make_text(random_) for _ in range(BATCH)]
    speeds = []
    for name, goal in RECIPES.items():
        speed = _measure(find_recipe(name), goal, texts, rounds)
        told(speed)
        speeds.append(speed)
    return speeds


@torch.inference_mode()
def _measure(recipe: Recipe, goal: float, texts: list[str], rounds: int) -> Speed:
    torch.manual_seed(1)
    vocabulary = Vocabulary.of([words_of(text) for text in texts])
    network = build_network(recipe, Parts(_encoder, vocabulary)).eval()
    inputs = _inputs(recipe, network, vocabulary, texts)
    against, bare = _bare(network, inputs)
    candidates = {"family": lambda: network(inputs), "bare": bare}
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):  # the first round only warms up
        for name, run in candidates.items():
            begin = perf_counter()
            run()
            if number:
                seconds[name].append(perf_counter() - begin)
    ratios = [bare / own for own, bare in zip(seconds["family"], seconds["bare"], strict=True)]
    rates = [BATCH / median(seconds[name]) for name in candidates]
    return Speed(recipe.name, goal, against, *rates, ratios)


def _encoder(role: str, name: str) -> PreTrainedModel:
    """BERT-base, or VisualBERT of the same size, with random weights."""
    if "visualbert" in name:
        return without_pooler(VisualBertModel(VisualBertConfig(visual_embedding_dim=1024)))
    return without_pooler(BertModel(BertConfig(vocab_size=VOCABULARY)))


def _inputs(recipe: Recipe, network: Tagger, vocabulary: Vocabulary, texts: list[str]) -> Inputs:
    """Posts with pictures as the network reads them."""
    reads = network.reads
    visuals = {modality: Seen((_value(modality, network),)) for modality in recipe.modalities}
    posts = [FusionInput(text, visuals=visuals) for text in texts]
    words = [words_of(text) for text in texts]
    tokenizer = find_model("mner-tweets-sm").folder / "tokenizer.json"
    encoder = encoder_of(network, tokenizer, vocabulary, recipe.limits)
    encoded = encoder.encode(words, [segments_of(post, reads.kinds) for post in posts])
    need = reads.picture
    pictures = pad_pictures([picture_of(post, need) for post in posts], need) if need else None
    return inputs_of(pad([read.windows[0] for read in encoded]), pictures)


def _value(modality: Any, network: Tagger) -> Any:
    picture = network.reads.picture
    if modality == "regions" and picture is not None:
        boxes = np.tile(np.array([[0.0, 0.0, 0.5, 0.5]], np.float16), (REGIONS, 1))
        features = np.random.default_rng(0).standard_normal((REGIONS, picture.width)).astype(np.float16)
        return Regions(boxes, np.ones(REGIONS, np.float16), features)
    return example_value(modality, width=picture.width if picture else None)


def _bare(network: Tagger, inputs: Inputs) -> tuple[str, Callable[[], object]]:
    """What a network is measured against: its first encoder, or an LSTM, on the same posts."""
    modules = list(network.modules())
    for visual in modules:
        if isinstance(visual, VisualBertModel):
            return "VisualBERT", partial(_run_visualbert, visual, inputs)
    for encoder in modules:
        if isinstance(encoder, BertModel):
            return _bare_bert(encoder, network, inputs)
    lstm, width = _lstm_like(network)
    return f"LSTM {width}x{lstm.hidden_size}", partial(lstm, torch.randn((*inputs.ids.shape, width)))


def _bare_bert(encoder: BertModel, network: Tagger, inputs: Inputs) -> tuple[str, Callable[[], object]]:
    """The encoder on the same sub-tokens; where the network adds the picture's cells, on as many more."""
    ids, mask = inputs.ids, inputs.mask
    if isinstance(network, ItaTagger) and inputs.picture is not None:
        cells = inputs.picture.mask.to(ids.dtype)
        ids, mask = torch.cat([ids, cells], dim=1), torch.cat([mask, cells], dim=1)
    return "BERT", partial(encoder, input_ids=ids, attention_mask=mask)


def _run_visualbert(encoder: VisualBertModel, inputs: Inputs) -> object:
    if inputs.picture is None:
        return encoder(input_ids=inputs.ids, attention_mask=inputs.mask)
    return encoder(
        input_ids=inputs.ids,
        attention_mask=inputs.mask,
        visual_embeds=inputs.picture.features,
        visual_attention_mask=inputs.picture.mask.to(inputs.mask.dtype),
    )


def _lstm_like(network: Tagger) -> tuple[nn.LSTM, int]:
    """torch's bidirectional LSTM of the size of the network's own over words, and its input's width."""
    for name, module in network.named_modules():
        if "characters" not in name and isinstance(module, BiLstm | CoupledLstm):
            inputs = (
                module.forwards.input_size if isinstance(module, BiLstm) else module.from_input.shape[1]
            )
            hidden = module.width // 2
            return nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True), inputs
    raise TypeError(f"{type(network).__name__} has neither a transformer nor an LSTM over words")


def told(speed: Speed) -> str:
    """One line."""
    verdict = "met   " if speed.ratio >= speed.goal else "MISSED"
    return (
        f"{verdict} {speed.recipe:30} {speed.rate:8.1f} posts/s  {speed.against:13} {speed.bare_rate:8.1f}"
        f"  ratio {speed.ratio:.3f}  goal {speed.goal}"
    )
