"""The plugin `ita` over XLM-R: other special tokens, Unigram sub-tokens, positions that begin at 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModel, XLMRobertaConfig, XLMRobertaModel

from plugins.tiny_tokenizers import XLMR_PIECES, write_unigram
from streamproc.fusion.api import FusionInput, FusionModel, Seen
from streamproc.testing.contract import CHECKS
from streamproc.vision.visuals import Captions
from streamproc_ita.plugin import Ita
from streamproc_ita.tagger import ItaTagger
from streamproc_mner.collate import KIND_IDS, PostEncoder
from streamproc_mner.data.visual_context import Segment
from streamproc_mner.labels import ENTITY_TYPES, bio_labels
from streamproc_mner.nn.inputs import at_words, inputs_of
from streamproc_mner.nn.stored import save_tagger, without_pooler
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import TaggerModel
from streamproc_mner.windows import Limits, pad
from streamproc_mner.words import words_of

LABELS = bio_labels(ENTITY_TYPES)
LIMITS = Limits(window=48, overlap=12, context=20)
VARIANTS: dict[str, dict[str, Any]] = {
    "text": {},
    "captions": {"context": ("captions",), "kind_embedding": True},
    "grid": {"picture": "grid", "picture_width": 6},
}


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """So small a network is slower on more threads than one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def xlmr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random XLM-R of width 32 that takes just one window, and a Unigram tokenizer."""
    folder = tmp_path_factory.mktemp("xlmr")
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=write_unigram(folder / "tokenizer.json"),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=LIMITS.window + 2,  # positions 0 and 1 are not used
        type_vocab_size=1,
        pad_token_id=1,
        initializer_range=0.3,
    )
    XLMRobertaModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=VARIANTS)
def network(xlmr: Path, request: pytest.FixtureRequest) -> ItaTagger:
    torch.manual_seed(2)
    parts = Parts(lambda role, name: without_pooler(AutoModel.from_pretrained(xlmr)))
    settings = ItaTagger.Settings.model_validate({"encoder": "xlmr", **VARIANTS[request.param]})
    network = ItaTagger(settings, LABELS, parts).eval()
    torch.nn.init.normal_(network.output.weight, std=0.2)
    if network.kind is not None:
        torch.nn.init.normal_(network.kind.weight)
    return network


@pytest.fixture(scope="module")
def model(network: ItaTagger, xlmr: Path, tmp_path_factory: pytest.TempPathFactory) -> TaggerModel:
    """The network, saved and loaded again."""
    folder = tmp_path_factory.mktemp("saved")
    save_tagger(
        network,
        folder,
        plugin="ita",
        name="tiny-xlmr",
        tokenizer=xlmr / "tokenizer.json",
        vocabulary=None,
        limits=LIMITS,
        metrics={},
        card="# tiny\n",
    )
    return Ita(TorchTaggerConfig(batch_tokens=512)).load(folder, "cpu")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_keeps_the_contract_of_every_plugin(
    model: TaggerModel, check: Callable[[FusionModel], None]
) -> None:
    check(model)


def test_a_post_stands_between_xlmrs_own_special_tokens(xlmr: Path) -> None:
    encoder = PostEncoder.from_file(xlmr / "tokenizer.json", LIMITS)
    context = [Segment("captions", "a man"), Segment("captions", "a dog")]
    ((window,),) = (post.windows for post in encoder.encode([words_of("kevin in Oz ,")], [context]))
    tokenizer = Tokenizer.from_file(str(xlmr / "tokenizer.json"))
    tokens = [tokenizer.id_to_token(i) for i in window.ids]
    expected = "<s> ▁kevin ▁in ▁ O z ▁ , </s> ▁a ▁man </s> ▁a ▁dog </s>"
    assert tokens == expected.split()
    assert [tokens[first] for first in window.firsts] == ["▁kevin", "▁in", "▁", "▁"]
    captions = KIND_IDS["captions"]
    assert window.kinds.tolist() == [0] * 9 + [captions] * 6


def test_text_that_looks_like_a_special_token_is_text(xlmr: Path) -> None:
    encoder = PostEncoder.from_file(xlmr / "tokenizer.json", LIMITS)
    for word in XLMR_PIECES:
        ((window,),) = (post.windows for post in encoder.encode([words_of(f"in {word} paris")], [()]))
        assert window.ids.tolist().count(0) == 1
        assert window.ids.tolist().count(2) == 1
        assert 1 not in window.ids.tolist()  # padding: its position would be none


@pytest.mark.parametrize("network", ["text", "captions"], indirect=True)
def test_emissions_are_those_of_the_post_read_alone_as_transformers_reads_it(
    network: ItaTagger, xlmr: Path
) -> None:
    texts = ["kevin durant in paris", "nasa", "", "news " * 40]
    encoder = PostEncoder.from_file(xlmr / "tokenizer.json", LIMITS)
    windows = [post.windows[0] for post in encoder.encode([words_of(t) for t in texts], [()] * len(texts))]
    plain = AutoModel.from_pretrained(xlmr).eval()
    with torch.no_grad():
        together = network(inputs_of(pad(windows))).emissions
        for row, window in enumerate(windows):
            ids = torch.from_numpy(window.ids)[None]
            states = plain(input_ids=ids).last_hidden_state
            if network.kind is not None:
                states = _with_kind(plain, ids, network.kind.weight[0])
            words = at_words(states, torch.from_numpy(window.firsts)[None])[0]
            expected = words @ network.output.weight.T + network.output.bias
            np.testing.assert_allclose(together[row, : len(expected)], expected, atol=1e-4)


def _with_kind(plain: XLMRobertaModel, ids: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
    """States of a post whose sub-tokens all have one kind; the positions are transformers' own."""
    places = torch.arange(2, 2 + ids.shape[1])[None]
    embedded = plain.get_input_embeddings()(ids) + kind
    states: torch.Tensor = plain(inputs_embeds=embedded, position_ids=places).last_hidden_state
    return states


@pytest.mark.parametrize("network", ["captions", "grid"], indirect=True)
def test_the_picture_is_read_over_xlmr_too(model: TaggerModel) -> None:
    cells = np.random.default_rng(0).standard_normal((49, 6)).astype(np.float16)
    captions = Captions(("a man with a dog",), (-0.1,))
    seen = {"captions": Seen((captions,)), "grid": Seen((cells,))}
    alone, pictured = model.tag(
        [FusionInput("kevin in paris"), FusionInput("kevin in paris", visuals=seen)]
    )
    assert np.abs(np.subtract(alone.confidence, pictured.confidence)).max() > 1e-3


def test_a_post_of_many_windows_is_tagged_to_its_end(model: TaggerModel) -> None:
    text = "kevin durant in paris , nasa news " * 20
    (tagging,) = model.tag([FusionInput(text)])
    assert len(tagging.confidence) == 7 * 20
    assert tagging.confidence[-1] < 1.0  # a word that no window had would be O for certain
