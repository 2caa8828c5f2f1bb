"""A training run from recipe and data to a saved model: what `streamproc train` does."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file

from streamproc.entities import View
from streamproc.errors import InputError, SettingsError, StreamprocError
from streamproc.vision.extracted import ExtractedPictures
from streamproc_mner.nn.pretrained import find_encoder, find_tokenizer
from streamproc_mner.nn.stored import WEIGHTS, check_window, save_tagger
from streamproc_mner.nn.tagger import Parts, Tagger
from streamproc_mner.recipes.building import build_network, network_settings
from streamproc_mner.tagging import Encoder
from streamproc_mner.torch_serving import encoder_of, usable_device
from streamproc_mner.training.card import model_card
from streamproc_mner.training.checkpoints import Checkpoints, mean_weights
from streamproc_mner.training.claim import Wanted, claim, describe, unclaim
from streamproc_mner.training.examples import Examples
from streamproc_mner.training.judging import DEV_F1, Judging, as_served, views_of
from streamproc_mner.training.masked_lm import pretrain
from streamproc_mner.training.outcome import Trained, read_outcome, write_outcome
from streamproc_mner.training.splits import read_splits
from streamproc_mner.training.teachers import Taught, taught_by
from streamproc_mner.training.temperature import collect_scores, fit_temperature
from streamproc_mner.training.trainer import PRECISIONS, Trainer, make_deterministic
from streamproc_mner.vocabulary import Vocabulary

MODEL: Final = "model"
_FEW: Final = 30
RESULT: Final = "result.json"
PRETRAINED: Final = "pretrained.safetensors"


class Run:
    """One training run.

    Args:
        wanted: what is trained on what.
        told: gets a line whenever there is something to say.

    Raises:
        InputError: the data cannot be read, or the folder holds another run.
        PluginError: the recipe's plugin or encoder is not here.
        SettingsError: a setting does not fit the network.
    """

    def __init__(self, wanted: Wanted, told: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._told = told
        make_deterministic(wanted.seed)
        self._device = usable_device(_device(wanted.device))
        recipe, training = wanted.recipe, wanted.recipe.training
        names = [folder.resolve().name for folder in wanted.data]
        if len(set(names)) < len(names):
            raise SettingsError(
                f"--data: two folders of one name ({max(names, key=names.count)}): rename one"
            )
        pictures = None if wanted.pictures is None else ExtractedPictures(wanted.pictures)
        width = getattr(network_settings(recipe), "picture_width", None)
        self._splits = [
            read_splits(
                folder, recipe.types, held_out=training.held_out, share=training.share,
                seed=wanted.seed, pictures=pictures, widths={} if width is None else {"global": width},
                repair=wanted.repair,
            )
            for folder in wanted.data
        ]  # fmt: skip
        self._described = describe(wanted, {splits.name: splits.digests for splits in self._splits})
        claim(wanted.out, self._described)
        self._train = [post for splits in self._splits for post in splits.train]
        self._vocabulary = Vocabulary.of(post.words for post in self._train)
        self._names: dict[str, str] = {}
        self._network = self._build().to(self._device)
        check_window("limits", recipe.limits, self._network)
        self._tokenizer = self._find_tokenizer()
        self._encoder: Encoder = encoder_of(
            self._network, self._tokenizer or Path(), self._vocabulary, recipe.limits
        )
        self._views = {
            splits.name: views_of(splits.dev, self._network, training.context) for splits in self._splits
        }
        self._judging = Judging(self._network, self._encoder, self._views, self._device)
        self._finished = wanted.out / RESULT

    def train(self) -> Trained:
        """Train, choose, calibrate, save, report.

        Raises:
            TrainingFailed: it cannot go on.
        """
        recipe, seed = self._wanted.recipe, self._wanted.seed
        if self._finished.is_file():
            self._told(f"{self._finished}: this run came to its end before; --again starts over")
            return read_outcome(self._finished)
        self._tell()
        lessons = self._lessons()
        self._pretrain()
        checkpoints = Checkpoints(self._wanted.out)
        examples = Examples(
            self._train, self._network, self._encoder, recipe.training, seed, self._device, lessons
        )
        trainer = Trainer(
            self._network,
            examples,
            recipe.training,
            checkpoints,
            self._judging,
            seed=seed,
            precision=PRECISIONS[self._wanted.precision],
            device=self._device,
            told=self._told,
        )
        try:
            trainer.run()
            found = self._save(*trainer.choose(), len(trainer.log), stopped=False)
        except KeyboardInterrupt:
            if not trainer.log:
                raise
            return self._save(*trainer.use_best(), len(trainer.log), stopped=True)
        write_outcome(self._finished, found)
        checkpoints.clear()
        (self._wanted.out / PRETRAINED).unlink(missing_ok=True)
        return found

    def average(self, models: Sequence[Path]) -> Trained:
        """In the place of training: the mean of the weights of models that this recipe gave before.

        Wortsman et al. 2022, "Model soups". Judged, calibrated, saved and reported like a trained one.

        Raises:
            InputError: their weights are not this network's.
        """
        self._network.load_state_dict(mean_weights([load_file(folder / WEIGHTS) for folder in models]))
        self._network.eval()
        chosen = f"mean of the weights of {len(models)} models"
        found = self._save(chosen, self._judging(), self._wanted.recipe.training.epochs, stopped=False)
        write_outcome(self._finished, found)
        return found

    def _save(self, chosen: str, dev: Mapping[str, float], epochs: int, *, stopped: bool) -> Trained:
        """Calibrate and save; report where the run came to its end."""
        if not dev[DEV_F1]:
            self._told(
                "nothing was found in the dev posts: more epochs, a higher learning rate, or more posts"
            )
        temperature = self._fit_temperature() if self._dev_posts() >= _FEW else None
        reported = {} if stopped else self._report()
        folder = self._wanted.out / MODEL
        found = Trained(folder, epochs, chosen, dev, reported, stopped)
        save_tagger(
            self._network,
            folder,
            plugin=self._wanted.recipe.plugin,
            name=self._wanted.name,
            tokenizer=self._tokenizer,
            vocabulary=self._vocabulary if self._network.reads_vocabulary else None,
            limits=self._wanted.recipe.limits,
            metrics=self._metrics(found, temperature or 1.0),
            card=model_card(self._wanted, self._splits, found, calibrated=temperature is not None),
            temperature=temperature or 1.0,
        )
        return found

    def _lessons(self) -> Taught | None:
        if not self._wanted.teachers:
            return None
        view: View = "text" if self._network.trains_on_both_views else "image+text"
        try:
            return taught_by(
                self._wanted.teachers,
                self._train,
                self._network.labels,
                view,
                str(self._device),
                self._told,
            )
        except StreamprocError:
            unclaim(self._wanted.out)
            raise

    def _dev_posts(self) -> int:
        return sum(len(splits.dev) for splits in self._splits)

    def _fit_temperature(self) -> float:
        """On the dev posts, in every view that they were judged in."""
        model = as_served(self._network, self._encoder, self._device)
        scores = [
            collected
            for views in self._views.values()
            for posts in views.values()
            for collected in collect_scores(model, posts, "image+text")
        ]
        return round(fit_temperature(model.decoder, scores).temperature, 4)

    def _report(self) -> dict[str, float]:
        scores: dict[str, float] = {}
        context = self._wanted.recipe.training.context
        for splits in self._splits:
            for split, posts in splits.reported.items():
                views = {f"{splits.name}/{split}": views_of(posts, self._network, context)}
                judged = Judging(self._network, self._encoder, views, self._device)()
                scores |= {key: value for key, value in judged.items() if "/" in key}
        return scores

    def _build(self) -> Tagger:
        def find(role: str, name: str) -> Any:
            self._names[role] = name
            return find_encoder(name)

        torch.manual_seed(self._wanted.seed)
        try:
            return build_network(self._wanted.recipe, Parts(find, self._vocabulary))
        except (MemoryError, RuntimeError) as error:
            first = str(error).partition("\n")[0]
            raise SettingsError(f"{self._wanted.recipe.name}: network: cannot be built: {first}") from error

    def _find_tokenizer(self) -> Path | None:
        if self._network.reads.positions == "words" and not self._names:
            return None
        return find_tokenizer(self._names.get("text") or next(iter(self._names.values())))

    def _pretrain(self) -> None:
        training = self._wanted.recipe.training
        if not training.mlm_epochs:
            return
        encoder = getattr(self._network, "encoder", None)
        if encoder is None or self._tokenizer is None or len(self._names) != 1:
            raise SettingsError(
                f"--pretrain-mlm: {self._wanted.recipe.name} has no single text encoder to pretrain"
            )
        pretrain(
            encoder, self._tokenizer, self._train, training, seed=self._wanted.seed, device=self._device,
            precision=PRECISIONS[self._wanted.precision],
            kept=self._wanted.pretrained or self._wanted.out / PRETRAINED, told=self._told,
        )  # fmt: skip

    def _metrics(self, found: Trained, temperature: float) -> dict[str, Any]:
        return {
            **self._described,
            "chosen": found.chosen,
            "epochs": found.epochs,
            "stopped": found.stopped,
            "dev": dict(found.dev),
            "reported": dict(found.reported),
            "temperature": temperature,
            "posts": {s.name: {"train": len(s.train), "dev": len(s.dev)} for s in self._splits},
            "made_with": {"python": platform.python_version(), "torch": torch.__version__},
        }

    def _tell(self) -> None:
        for splits in self._splits:
            self._told(
                f"{splits.name}: {len(splits.train)} posts to train on, {len(splits.dev)} to choose by, "
                f"read as {', '.join(self._views[splits.name])}"
            )
            if len(splits.dev) < _FEW:
                self._told(
                    f"{splits.name}: {len(splits.dev)} posts are few to choose by: what is kept is left to "
                    f"chance, and on fewer than {_FEW} in all scores are not calibrated; give more, or a "
                    "larger training.held_out"
                )
        reads = self._network.reads
        wanted = {*reads.kinds, *((reads.picture.modality,) if reads.picture else ())}
        if wanted and self._wanted.recipe.training.context == "own":
            named = " or ".join(sorted(wanted))
            seen = sum(bool(wanted.intersection(post.visuals)) for post in self._train)
            if not seen:
                raise InputError(
                    f"{self._wanted.recipe.name} reads {named}, and no post to train on has any: look at "
                    "their pictures with `streamproc extract`, and name its --out with --pictures, or "
                    "train wang2022/bert-crf, which reads text alone"
                )
            self._told(f"{seen} of {len(self._train)} posts have {named}")
        weights = sum(parameter.numel() for parameter in self._network.parameters())
        self._told(f"{self._wanted.recipe.name}: {weights:,} weights, on {self._device}")


def _device(name: str) -> str:
    if name.partition(":")[0] not in ("auto", "cpu", "cuda"):
        raise SettingsError(f"--device {name}: expected auto, cpu, cuda or cuda:N")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
