"""`make bench`: the way through a broker, the model families, pictures; prints what each reached."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks import bad_posts, families, isolation, latency, report, starting, stream
from benchmarks.machine import machine, told_machine
from benchmarks.peers import PEERS
from benchmarks.ratios import Ratio, told
from benchmarks.running import Bench
from benchmarks.vision import goals
from tests.services import kafka as kafka_service

STREAM: Final = ("peers", "model", "start", "bad")
"""The parts that need a broker."""
PARTS: Final = (*STREAM, "families", "vision", "ocr", "isolation")


def through_a_broker(parts: Collection[str], rounds: int, python: str) -> dict[str, object]:
    """The way through Kafka: measured and printed."""
    peers = stream.present(python)
    found: dict[str, object] = {
        "peers": stream.versions(python, [peer.distribution for peer in PEERS] + ["pydantic"])
    }
    ratios: list[Ratio] = []
    with tempfile.TemporaryDirectory() as folder, kafka_service.running(Path(folder)) as kafka:
        bench = Bench(kafka, rounds, python)
        if "peers" in parts:
            ratios += stream.compare_peers(bench, peers)
        if "model" in parts:
            ratios += stream.compare_model(bench)
            latencies, ratio = latency.measure(bench, *stream.capacity(bench))
            ratios.append(ratio)
            found["latency"] = [asdict(one) for one in latencies]
        if "start" in parts:
            ratios += starting.measure(bench, [peer for peer in peers if "faust" in peer.module])
        if "bad" in parts:
            survivals = bad_posts.measure(bench, peers)
            print("\n".join(bad_posts.told(one) for one in survivals), flush=True)
            found["bad_posts"] = [asdict(one) for one in survivals]
    print()
    print("\n".join(told(ratio) for ratio in ratios))
    found["measured"] = {name: [asdict(m) for m in all_] for name, all_ in bench.measured.items()}
    return {**found, "ratios": [asdict(ratio) for ratio in ratios]}


def reading(rounds: int, plot: Path | None) -> dict[str, object]:
    """Writing in pictures: measured, printed and drawn."""
    from benchmarks.ocr.measure import measure
    from benchmarks.ocr.plot import plot as draw

    curves, ratios = measure(rounds, lambda line: print(line, flush=True))
    for ratio in ratios:
        print(told(ratio))
    if plot:
        draw(curves, plot)
    return {"ocr": [asdict(curve) for curve in curves], "ocr_ratios": [asdict(ratio) for ratio in ratios]}


def arguments() -> argparse.ArgumentParser:
    """What may be given."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run (default 3)")
    parser.add_argument(
        "--only",
        choices=PARTS,
        action="append",
        help="our worker beside its peers, with the default model, its start, bad posts; the model "
        "families, pictures, OCR, isolation; may be given again",
    )
    parser.add_argument(
        "--peers",
        default=sys.executable,
        metavar="PYTHON",
        help="the interpreter that runs the peers, and ours beside them",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the OCR curve there: .svg or .png")
    parser.add_argument(
        "--peers-plot", type=Path, metavar="FILE", help="draw the peers there: .svg or .png"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables of the peers there")
    return parser


def main() -> int:
    given = arguments().parse_args()
    found: dict[str, object] = {"machine": machine()}
    parts = given.only or PARTS
    if set(parts) & set(STREAM):
        found |= through_a_broker(parts, given.rounds, given.peers)
    if "families" in parts:
        speeds = families.measure(given.rounds, lambda speed: print(families.told(speed), flush=True))
        found["families"] = [asdict(speed) for speed in speeds]
    if "vision" in parts:
        ratios = goals.measure(given.rounds, lambda ratio: print(told(ratio), flush=True))
        found["vision"] = [asdict(ratio) for ratio in ratios]
    if "ocr" in parts:
        found |= reading(given.rounds, given.plot)
    if "isolation" in parts:
        ratios = isolation.measure(given.rounds, lambda line: print(line, flush=True))
        print("\n".join(told(ratio) for ratio in ratios))
        found["isolation"] = [asdict(ratio) for ratio in ratios]
    print(told_machine())
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    if given.markdown:
        given.markdown.write_text(report.markdown(found))
    if given.peers_plot:
        report.draw(found, given.peers_plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
