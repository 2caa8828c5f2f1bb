"""Reads pictures with known writing in every way, and says how fast and how much of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import mean, median
from time import perf_counter
from typing import Final

from benchmarks.ocr.photographs import photographs
from benchmarks.ocr.scenes import Scene, with_writing, without_writing
from benchmarks.ocr.scoring import Score, score
from benchmarks.ocr.variants import A_CORE_A_PICTURE, CHOSEN, LIBRARY, OTHERS, Read, Variant
from benchmarks.ratios import Ratio

WRITTEN: Final = 44
EMPTY: Final = 24
SEED: Final = 2026
SHARES: Final = (0.26, 0.7)
"""Of pictures with writing: in Wang et al.'s posts, and in 30 pictures of tweets that were counted."""

FASTER: Final = 2.5
WORSE: Final = 0.03


@dataclass(frozen=True, slots=True)
class Curve:
    """One variant: seconds a picture, characters read, and pictures without writing that stay empty.

    `written_cpu`, `empty_cpu`: processor seconds a picture, of all cores. `recall`, `precision`: over
    all characters of the scenes; `mean_recall`: of the mean picture. `photo_recall`, `photo_empty`:
    the same of the photographs.
    """

    name: str
    written_seconds: float
    empty_seconds: float
    written_cpu: float
    empty_cpu: float
    recall: float
    mean_recall: float
    precision: float
    empty: float
    photo_recall: float
    photo_mean_recall: float
    photo_empty: float

    def rate(self, share: float) -> float:
        """Pictures a second where this share of them has writing."""
        return 1 / (share * self.written_seconds + (1 - share) * self.empty_seconds)

    def cpu(self, share: float) -> float:
        """Processor seconds a picture where this share of them has writing."""
        return share * self.written_cpu + (1 - share) * self.empty_cpu


@dataclass(frozen=True, slots=True)
class _Part:
    seconds: float
    cpu: float
    total: Score
    mean_recall: float
    empty: float


def measure(rounds: int, told: Callable[[str], None]) -> tuple[list[Curve], list[Ratio]]:
    """The library, as it comes and with a core a picture, and ours in turn; other variants once."""
    sets = with_writing(WRITTEN, SEED), without_writing(EMPTY, SEED), photographs()
    told(heading())
    compared = [(variant, variant.open()) for variant in (LIBRARY, A_CORE_A_PICTURE, CHOSEN)]
    done: list[list[Curve]] = []
    for number in range(1, rounds + 1):
        told(f"round {number}")
        done.append([])
        for variant, read in compared:
            done[-1].append(_curve(variant, read, *sets))
            told(line_of(done[-1][-1]))
    told("median of the rounds, and the others once")
    curves = [_typical(same) for same in zip(*done, strict=True)]
    for curve in curves:
        told(line_of(curve))
    for variant in OTHERS:
        curves.append(_curve(variant, variant.open(), *sets))
        told(line_of(curves[-1]))
    return curves, _ratios(done)


def heading() -> str:
    """Above the lines of `line_of`."""
    shares = " ".join(f"{f'at {share:.0%}':>8}" for share in SHARES)
    return (
        f"{'pictures/s':32} {'written':>8} {'empty':>8} {shares}   CPU s"
        "  recall   mean  precise  kept empty  photographs: recall   mean  kept empty"
    )


def line_of(curve: Curve) -> str:
    """A variant's figures."""
    rates = [curve.rate(1), curve.rate(0), *map(curve.rate, SHARES)]
    return (
        f"{curve.name:32} {' '.join(f'{rate:8.2f}' for rate in rates)} {curve.cpu(SHARES[-1]):7.3f}"
        f"  {curve.recall:6.3f} {curve.mean_recall:6.3f} {curve.precision:8.3f} {curve.empty:11.2f}"
        f"  {curve.photo_recall:20.3f} {curve.photo_mean_recall:6.3f} {curve.photo_empty:11.2f}"
    )


def _curve(
    variant: Variant, read: Read, written: Sequence[Scene], empty: Sequence[Scene], photos: Sequence[Scene]
) -> Curve:
    one, none, photo = (_part(read, variant.at_once, scenes) for scenes in (written, empty, photos))
    return Curve(
        variant.name, one.seconds, none.seconds, one.cpu, none.cpu,
        one.total.recall, one.mean_recall, one.total.precision, none.empty,
        photo.total.recall, photo.mean_recall, photo.empty,
    )  # fmt: skip


def _part(read: Read, at_once: int, scenes: Sequence[Scene]) -> _Part:
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(read, [scene.pixels for scene in scenes[:2]]))
        begin, cpu = perf_counter(), _cpu_seconds()
        lines = list(pool.map(read, [scene.pixels for scene in scenes]))
        seconds, cpu = (perf_counter() - begin) / len(scenes), (_cpu_seconds() - cpu) / len(scenes)
    pairs = list(zip(scenes, lines, strict=True))
    scores = [score(scene.truth, found) for scene, found in pairs if scene.truth]
    kept = [not found for scene, found in pairs if not scene.truth]
    mean_recall = mean(s.recall for s in scores) if scores else 1.0
    return _Part(seconds, cpu, sum(scores, Score()), mean_recall, mean(kept) if kept else 1.0)


def _cpu_seconds() -> float:
    """Of this process and of programs that it ran."""
    return sum(os.times()[:4])


def _typical(curves: Sequence[Curve]) -> Curve:
    """What was read is the same in each round; the time is the median."""
    return replace(
        curves[0],
        written_seconds=median(curve.written_seconds for curve in curves),
        empty_seconds=median(curve.empty_seconds for curve in curves),
        written_cpu=median(curve.written_cpu for curve in curves),
        empty_cpu=median(curve.empty_cpu for curve in curves),
    )


def _ratios(done: Sequence[Sequence[Curve]]) -> list[Ratio]:
    faster = [
        Ratio.at_least(
            f"OCR pictures/s, ours ÷ {what}, {share:.0%} with writing",
            FASTER,
            [curves[2].rate(share) / curves[at].rate(share) for curves in done],
        )
        for at, what in enumerate(("rapidocr", "a core a picture"))
        for share in (*SHARES, 1.0)
    ]
    cpu = [
        Ratio.at_least(
            f"OCR CPU a picture, rapidocr ÷ ours, {share:.0%} with writing",
            FASTER,
            [curves[0].cpu(share) / curves[2].cpu(share) for curves in done],
        )
        for share in SHARES
    ]
    library, _, chosen = done[0]
    kept = [
        Ratio.at_least(f"OCR recall, ours - rapidocr, {what}", -WORSE, [ours - theirs])
        for what, ours, theirs in (
            ("scenes", chosen.recall, library.recall),
            ("mean scene", chosen.mean_recall, library.mean_recall),
            ("photographs", chosen.photo_recall, library.photo_recall),
            ("mean photograph", chosen.photo_mean_recall, library.photo_mean_recall),
        )
    ]
    return faster + cpu + kept
