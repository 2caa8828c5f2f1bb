"""A plugin's own rate: the same posts, in length-sorted batches of 64, nothing around it."""

from __future__ import annotations

import sys

from benchmarks.measuring import Measured, Stopwatch, report
from benchmarks.posts import make_posts
from streamproc.fusion.api import FusionInput
from streamproc.fusion.discovery import load_plugin
from streamproc.fusion.microbatch import estimated_tokens
from streamproc.posts import Post, parse
from streamproc.vision.visuals import Missing

BATCH = 64


def measure(posts: int, plugin: str) -> Measured:
    """Time for all posts, tokenisation and decoding included; a first batch warms up."""
    loaded = load_plugin(plugin)
    visuals = dict.fromkeys(loaded.model.modalities, Missing("absent"))
    messages = [parse(value) for _, value in make_posts(posts)]
    inputs = [FusionInput(m.text, m.lang, visuals) for m in messages if isinstance(m, Post)]
    inputs.sort(key=lambda post: estimated_tokens(post.text))
    loaded.model.tag(inputs[:BATCH])
    watch = Stopwatch()
    for start in range(0, posts, BATCH):
        loaded.model.tag(inputs[start : start + BATCH])
    return watch.stop(posts)


if __name__ == "__main__":
    report(measure(int(sys.argv[1]), sys.argv[2]))
