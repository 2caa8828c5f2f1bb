"""Parts of training: rates, splits, label smoothing, masked sub-tokens, recipes with changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the [train] extra")

import torch
from transformers import AutoModel

from plugins.mner.tests.made_data import write_data_set
from streamproc.errors import InputError, PluginError, SettingsError
from streamproc_ita.tagger import ItaSettings, ItaTagger
from streamproc_mner.data.normaliser import normalise
from streamproc_mner.data.posts import read_posts
from streamproc_mner.data.records import Record
from streamproc_mner.labels import bio_labels
from streamproc_mner.nn.crf import CRF, UNKNOWN
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.recipes.changing import wanted_recipe
from streamproc_mner.recipes.recipe import Training
from streamproc_mner.training.masked_lm import MaskedLanguageHead, MaskedTexts, pretrain
from streamproc_mner.training.optimizing import make_optimizer, triangle
from streamproc_mner.training.splits import read_splits

TYPES = ("PER", "LOC")


def test_rates_rise_and_then_fall_to_nothing() -> None:
    share = triangle(10, 0.2)
    assert [round(share(step), 3) for step in range(11)] == [
        0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0,
    ]  # fmt: skip


def test_each_part_of_a_network_has_its_rate(tiny_parts: Parts) -> None:
    settings = ItaSettings(context=("captions",), kind_embedding=True, word_shapes=True)
    network = ItaTagger(settings, bio_labels(TYPES), tiny_parts)
    training = Training(encoder_rate=1e-5, input_rate=1e-3, head_rate=0.1, weight_decay=0.5)
    groups = make_optimizer(network, training).param_groups
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = {
        names[id(p)]: (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]
    }
    assert found.keys() == dict(network.named_parameters()).keys()
    for name, parameter in network.named_parameters():
        if name.startswith("encoder."):
            expected = (1e-5, 0.5 if parameter.dim() > 1 else 0.0)
        else:
            expected = (1e-3 if name.startswith(("kind.", "shape.")) else 0.1, 0.0)
        assert found[name] == expected, name


def test_a_network_without_an_encoder_has_one_rate_and_adagrad_too(tiny_parts: Parts) -> None:
    network = ItaTagger(ItaSettings(), bio_labels(TYPES), tiny_parts)
    (group,) = make_optimizer(network, Training(optimizer="adagrad", head_rate=0.02)).param_groups
    assert group["lr"] == 0.02
    assert len(group["params"]) == len(list(network.parameters()))


def test_label_smoothing_mixes_in_all_labels_of_each_word() -> None:
    torch.manual_seed(1)
    crf = CRF(bio_labels(TYPES))
    emissions, gold = torch.randn(2, 3, 5), torch.tensor([[1, 2, 0], [3, 0, UNKNOWN]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    plain = crf.log_likelihood(emissions, gold, mask).detach()
    crf.smoothing = 0.2
    crf.eval()
    torch.testing.assert_close(crf.log_likelihood(emissions, gold, mask), plain)
    crf.train()
    posteriors = crf.log_posteriors(emissions, mask).detach()
    for row, words in enumerate((3, 2)):
        everything = sum(float(posteriors[row, word].mean()) for word in range(words))
        expected = 0.8 * float(plain[row]) + 0.2 * everything
        assert float(crf.log_likelihood(emissions, gold, mask)[row]) == pytest.approx(expected, abs=1e-5)


def test_dev_posts_are_cut_the_same_for_every_seed_and_never_trained_on(tmp_path: Path) -> None:
    folder = write_data_set(tmp_path / "made", train=40)
    one = read_splits(folder, TYPES, held_out=0.25, seed=1)
    two = read_splits(folder, TYPES, held_out=0.25, seed=2)
    assert [post.id for post in one.dev] == [post.id for post in two.dev]
    assert len(one.dev) == 10
    assert {post.id for post in one.dev}.isdisjoint(post.id for post in one.train)
    assert [post.id for post in one.reported["valid"]] == [f"valid{n}" for n in range(8)]


def test_a_smaller_share_of_the_posts_is_part_of_a_larger_one(tmp_path: Path) -> None:
    folder = write_data_set(tmp_path / "made", train=40)
    chosen = [
        {post.id for post in read_splits(folder, TYPES, held_out=0.25, share=share, seed=7).train}
        for share in (0.1, 0.5, 1.0)
    ]
    assert [len(ids) for ids in chosen] == [3, 15, 30]
    assert chosen[0] < chosen[1] < chosen[2]


def test_a_dev_file_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = write_data_set(tmp_path / "made", train=10)
    (folder / "valid.jsonl").rename(folder / "dev.jsonl")
    splits = read_splits(folder, TYPES, held_out=0.5)
    assert (len(splits.train), len(splits.dev), splits.reported) == (10, 8, {})


def test_all_splits_are_read_by_what_the_whole_data_set_says_of_mentions(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("@nasa\tO\nin\tO\n\nParis\tB-LOC\n")
    (tmp_path / "dev.txt").write_text("dinner\tO\n@\tO\nParis\tB-LOC\n")
    (tmp_path / "valid.txt").write_text("no\tO\nmention\tO\n")
    whole = read_splits(tmp_path, TYPES, held_out=0.5)
    posts = [*whole.train, *whole.dev, *whole.reported["valid"]]
    assert [(sorted(post.mentions), post.mentions_labelled) for post in posts] == [
        ([1], False), ([], False), ([], False), ([], False),
    ]  # fmt: skip
    (tmp_path / "train.txt").write_text("@\tO\nnasa\tO\n")
    cut = read_splits(tmp_path, TYPES, held_out=0.5)
    assert [(sorted(post.mentions), post.mentions_labelled) for post in (*cut.train, *cut.dev)] == [
        ([1], True), ([2], True),
    ]  # fmt: skip


def test_one_post_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too few posts: 0 to train on, 1 to choose by"):
        read_splits(write_data_set(tmp_path / "made", train=1), TYPES, held_out=0.1)


def test_masks_stand_where_something_is_asked_for_and_no_special_token_is(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    words = ("kevin", "in", "paris", "and", "the", "dog", "in", "london")
    posts = normalise([Record("1", words, ("O",) * 8)] * 40)
    texts = MaskedTexts(tiny_encoder / "tokenizer.json", posts, seed=1)
    batches = texts.epoch(1)
    read = texts.ids[0]
    masked = changed = asked = 0
    for ids, mask, goal in batches:
        assert mask.all()
        places = goal != -100
        assert not places[:, [0, -1]].any()
        assert (ids[~places] == torch.tensor(read).expand_as(ids)[~places]).all()
        assert (goal[places] == torch.tensor(read).expand_as(ids)[places]).all()
        asked += int(places.sum())
        masked += int((ids[places] == texts.mask).sum())
        changed += int((ids[places] != goal[places]).sum())
    assert asked == 40 * round(0.15 * (len(read) - 2))
    assert asked > changed >= masked > asked / 2


def test_pretraining_lowers_the_loss_and_a_second_run_loads_it(tiny_encoder: Path, tmp_path: Path) -> None:
    posts = read_posts(write_data_set(tmp_path / "made", train=64) / "train.jsonl", TYPES)
    training = Training(mlm_epochs=8, mlm_rate=5e-3)
    encoder = AutoModel.from_pretrained(tiny_encoder)
    before = {key: tensor.clone() for key, tensor in encoder.state_dict().items()}
    kept = tmp_path / "kept.safetensors"
    tokenizer = tiny_encoder / "tokenizer.json"
    device = torch.device("cpu")
    given: dict[str, Any] = {"seed": 1, "device": device, "precision": torch.float32, "kept": kept}
    losses = pretrain(encoder, tokenizer, posts, training, **given)
    assert len(losses) == 8
    assert losses[-1] < 0.8 * losses[0]
    after = encoder.state_dict()
    assert any(not torch.equal(before[key], after[key]) for key in before)
    other = AutoModel.from_pretrained(tiny_encoder)
    assert pretrain(other, tokenizer, posts, training, **given) == []
    assert all(torch.equal(other.state_dict()[key], tensor) for key, tensor in after.items())


def test_the_head_scores_sub_tokens_by_the_encoders_own_embeddings(tiny_encoder: Path) -> None:
    encoder = AutoModel.from_pretrained(tiny_encoder)
    head = MaskedLanguageHead(encoder)
    hidden = torch.randn(3, 32)
    expected = head.transform(hidden) @ encoder.get_input_embeddings().weight.T + head.bias
    torch.testing.assert_close(head(hidden), expected)


def test_a_tokenizer_without_a_mask_cannot_be_pretrained_with(tiny_encoder: Path, tmp_path: Path) -> None:
    tree = json.loads((tiny_encoder / "tokenizer.json").read_text())
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(tree).replace("[MASK]", "[GONE]"))
    with pytest.raises(PluginError, match="leave --pretrain-mlm out"):
        MaskedTexts(path, [], seed=1)


def test_changes_are_read_as_toml_and_text_stays_text() -> None:
    recipe = wanted_recipe(
        "yu2020/umt-bert-crf",
        [
            "training.epochs=3",
            "network.visual_gate=false",
            'types=["PER"]',
            "training.clip=none",
            "about=x y",
        ],
        encoder="my-encoder",
    )
    assert (recipe.training.epochs, recipe.training.clip, recipe.types) == (3, None, ("PER",))
    assert (recipe.network["visual_gate"], recipe.network["encoder"]) == (False, "my-encoder")
    assert recipe.about == "x y"


def test_an_encoder_goes_where_the_recipe_has_its_text_encoder() -> None:
    recipe = wanted_recipe("yu2020/adacan-bert-crf", encoder="my-encoder")
    assert recipe.network["text"]["encoder"] == "my-encoder"
    with pytest.raises(SettingsError, match="has no pretrained encoder"):
        wanted_recipe("moon2018/wcv-attn", encoder="my-encoder")


@pytest.mark.parametrize("text", ["not = [toml", "name = 3\n"])
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"mine\.toml"):
        wanted_recipe(str(path))
    with pytest.raises(SettingsError, match="cannot be read"):
        wanted_recipe(str(tmp_path / "none.toml"))
