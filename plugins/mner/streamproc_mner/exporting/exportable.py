"""Which networks can be exported: those over a post's sub-tokens and its visual context."""

from __future__ import annotations

from streamproc.errors import PluginError
from streamproc_mner.nn.context_tagger import ContextTagger
from streamproc_mner.nn.subtoken_labels import FirstSubtokens
from streamproc_mner.nn.tagger import Tagger

_EXPORTED = "bert-crf with labels = first, and ita with picture = none"


def exportable(network: Tagger, plugin: str) -> ContextTagger:
    """The network, if mner-onnx can serve it.

    Args:
        network: of a saved model.
        plugin: that serves it with torch.

    Raises:
        PluginError: says what of it cannot be exported, and what to do.
    """
    reason = _obstacle(network)
    if reason is None and isinstance(network, ContextTagger):
        return network
    raise PluginError(
        f"a model of {plugin} that {reason} cannot be exported, as mner-onnx gets sub-tokens alone: "
        f"serve it with torch (plugin = {plugin!r}), or train one that can be ({_EXPORTED})"
    )


def _obstacle(network: Tagger) -> str | None:
    if network.reads.picture is not None:
        return f"reads a picture's vectors ({network.reads.picture.modality})"
    if network.reads_vocabulary:
        return "looks up words or characters"
    if not isinstance(network, ContextTagger):
        return "brings sub-tokens into words within the network"
    if not isinstance(network.subtokens, FirstSubtokens):
        return "labels the other sub-tokens PAD (labels = pad-as-authors)"
    return None
