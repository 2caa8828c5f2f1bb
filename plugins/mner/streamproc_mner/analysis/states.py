"""What a network's output layer reads of each word, in the place of its emissions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from streamproc_mner.analysis.networks import SavedNetwork
from streamproc_mner.decoding import Decoder
from streamproc_mner.nn.inputs import Inputs, at_words, inputs_of
from streamproc_mner.nn.tagger import Tagger
from streamproc_mner.pictures import PictureBatch
from streamproc_mner.tagging import Network, Scores, TaggerModel
from streamproc_mner.torch_serving import encoder_for, usable_device
from streamproc_mner.windows import Batch

_BATCH_TOKENS = 4096


class StatesNetwork(Network):
    """A network that gives states of words where others give emissions.

    The output layer of every network here is its `output`; it reads (B, S, W) of sub-tokens, of which
    each word's first counts, or (B, T, W) of words.

    Args:
        network: in evaluation mode.
        device: where it runs.
    """

    def __init__(self, network: Tagger, device: torch.device) -> None:
        self._network = network.to(device)
        self._device = device

    @torch.inference_mode()
    def score(self, batch: Batch, pictures: PictureBatch | None) -> Scores:
        """(B, T, W) states of words."""
        inputs = inputs_of(batch, pictures, self._device)
        return Scores(self._states(inputs).float().cpu().numpy())

    def _states(self, inputs: Inputs) -> Tensor:
        read: list[Tensor] = []

        def keep(_: nn.Module, given: tuple[Any, ...]) -> None:
            read.append(given[0])

        layer = self._network.get_submodule("output")
        hook = layer.register_forward_pre_hook(keep)
        try:
            self._network(inputs)
        finally:
            hook.remove()
        (states,) = read
        of_subtokens = (
            self._network.reads.positions == "sub-tokens" and states.shape[1] == inputs.ids.shape[1]
        )
        return at_words(states, inputs.firsts) if of_subtokens else states


def states_model(found: SavedNetwork) -> TaggerModel:
    """A saved network whose `word_scores` are the states of its words.

    Raises:
        PluginError: the device cannot be used, or a file is missing.
    """
    network, saved = found.network, found.saved
    return TaggerModel(
        StatesNetwork(network, usable_device(found.device)),
        encoder_for(network, saved),
        Decoder(saved.labels, network.crf_scores),
        kinds=network.reads.kinds,
        picture=network.reads.picture,
        batch_tokens=_BATCH_TOKENS,
        handles=True,  # else their states would be overwritten with what forbids entities
        name=found.name,
        version=saved.version,
    )
