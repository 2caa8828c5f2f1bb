"""BLIP writes sentences about pictures (Li et al. 2022). Imports torch and transformers."""

from __future__ import annotations

from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BlipForConditionalGeneration, GenerationConfig

from streamproc.errors import PluginError
from streamproc.vision.engine import Pixels
from streamproc.vision.visuals import Captions
from streamproc_mner.nn.pretrained import find_tokenizer, quietly
from streamproc_vision.network import Precision
from streamproc_vision.state import DTYPES
from streamproc_vision.weights import Weights

_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
_STD: Final = (0.26862954, 0.26130258, 0.27577711)
_LEAST_BEAMS: Final = 5


class Captioner:
    """Writes sentences about pictures.

    Args:
        network: with its weights.
        tokenizer: of its words.
        device: where it is to run.
        count: of sentences a picture.
        max_tokens: of a sentence, with its end.

    Attributes:
        side: of the square picture that the network sees, in pixels.
    """

    def __init__(
        self,
        network: BlipForConditionalGeneration,
        tokenizer: Tokenizer,
        device: str,
        *,
        count: int,
        max_tokens: int,
    ) -> None:
        config: Any = network.config
        self.side: int = config.vision_config.image_size
        self._network = network.to(device)  # type: ignore[arg-type]  # transformers' own annotation
        self._tokenizer = tokenizer
        self._mean = torch.tensor(_MEAN, device=device).mul(255)
        self._std = torch.tensor(_STD, device=device).mul(255)
        self._end: int = config.text_config.sep_token_id
        self._count = count
        # Everything is said here: what a folder's own generation_config.json says does not count.
        network.text_decoder.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
            num_beams=max(count, _LEAST_BEAMS),
            num_return_sequences=count,
            max_new_tokens=max_tokens,
            length_penalty=1.0,
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
        )

    @torch.inference_mode()
    def captions(self, pixels: Pixels) -> list[Captions]:
        """The sentences about each picture, best first.

        Args:
            pixels: RGB (B, side, side, 3).
        """
        given = torch.tensor(pixels, device=self._mean.device)
        scaled = ((given - self._mean) / self._std).permute(0, 3, 1, 2)
        found = self._network.generate(scaled.to(self._network.dtype))
        texts = [self._text(sequence) for sequence in found.sequences]
        scores = [round(score, 4) for score in found.sequences_scores.tolist()]
        return [
            Captions(tuple(texts[first : first + self._count]), tuple(scores[first : first + self._count]))
            for first in range(0, len(texts), self._count)
        ]

    def _text(self, sequence: Tensor) -> str:
        """The sentence between the token that begins it and the one that ends it."""
        tokens: list[int] = sequence.tolist()[1:]
        end = tokens.index(self._end) if self._end in tokens else len(tokens)
        return self._tokenizer.decode(tokens[:end], skip_special_tokens=True).strip()


def load_blip(weights: Weights, precision: Precision) -> BlipForConditionalGeneration:
    """The network with its weights.

    Raises:
        PluginError: they are those of another network.
    """
    kind = weights.config.get("model_type")
    if kind != "blip":
        raise PluginError(f"captions: {weights.folder} holds a {kind}, expected a blip")
    loaded: Any
    try:
        with quietly():
            loaded = BlipForConditionalGeneration.from_pretrained(
                weights.folder,
                dtype=DTYPES[precision],
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # reported, and refused below
                output_loading_info=True,
            )
    except Exception as error:  # of whatever type its library raises
        raise PluginError(
            f"captions: {weights.folder}: {str(error).strip().partition(chr(10))[0]}"
        ) from error
    network, report = loaded
    wrong = [*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])]
    if wrong:
        raise PluginError(
            f"captions: {weights.folder}: not the weights of a BLIP captioner: {min(wrong)} is missing or "
            f"of another shape ({len(wrong)} do not fit)"
        )
    network.eval()
    return network  # type: ignore[no-any-return]


def load_tokenizer(weights: Weights) -> Tokenizer:
    """The tokenizer beside the weights.

    Raises:
        PluginError: there is none.
    """
    return Tokenizer.from_file(str(find_tokenizer(str(weights.folder))))
