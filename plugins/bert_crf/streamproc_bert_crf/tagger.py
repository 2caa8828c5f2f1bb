"""The network of BERT-CRF and BERT-softmax."""

from __future__ import annotations

from streamproc_mner.nn.context_tagger import ContextTagger


class BertTagger(ContextTagger):
    """A transformer over the post, with visual context behind it or not, and a head over words."""
