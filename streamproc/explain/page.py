"""The page: written as it comes, post by post, so that it never has to be held in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from streamproc.counting import counted
from streamproc.explain.card import card
from streamproc.explain.pictures import Pictures
from streamproc.html.frame import END, as_bytes, opening
from streamproc.html.markup import Html, element
from streamproc.output import Output

_HERE: Final = Path(__file__).parent


class ExplainPage:
    """One self-contained HTML page.

    Nothing in it is fetched: its policy forbids that, and lets run only the style and the script
    that it is written with.

    Args:
        write: takes the page piece by piece.
        source: what was tagged; the page's title.
    """

    def __init__(self, write: Callable[[bytes], object], source: str) -> None:
        self._write = write
        self._pictures = Pictures()
        self._tagged = 0
        self._shown = 0
        script = (_HERE / "page.js").read_text("utf-8")
        self._script = Html(script)
        self._put(opening(f"{source}, explained", _HERE / "page.css", pictures=True, script=script))
        self._put(_introduction(source))

    def add(self, output: Output) -> None:
        """The next thing that was written; a post that is to be explained becomes a card."""
        if output.tagging is None:
            return
        self._tagged += 1
        if output.evidence is not None:
            self._shown += 1
            self._put(card(output.tagged, output.tagging, output.evidence, output.origin, self._pictures))

    def finish(self, failed: int) -> None:
        """The page's end.

        Args:
            failed: lines that could not be tagged.
        """
        facts = [f"{self._shown} of {self._tagged} tagged posts are shown"]
        if self._shown < self._tagged:
            facts.append("--explain-limit shows more")
        if failed:
            facts.append(f"{counted(failed, 'line')} could not be tagged: see the output")
        self._put(element("footer", {}, element("p", {}, "; ".join(facts) + ".")))
        self._put(element("script", {}, self._script))
        self._put(END)

    def _put(self, piece: Html) -> None:
        self._write(as_bytes(piece))


def _introduction(source: str) -> Html:
    return element(
        "header",
        {"class": "top"},
        element("h1", {}, element("bdi", {}, source)),
        element(
            "p",
            {},
            "How the model came to its tags. Point at a word, tap it, or reach it with Tab and the arrow "
            "keys: every figure shows that word. Before that it shows the mean over the words of the "
            "entities, or over all words where there is no entity.",
        ),
        element(
            "p",
            {},
            "Full colour is the strongest weight, or three times an even share where that is more: what is "
            "spread evenly stays pale. ",
            element("span", {"class": "word doubt-6"}, "Underlined"),
            " words are those whose label the model doubted.",
        ),
        element(
            "noscript", {}, element("p", {"class": "note"}, "Without JavaScript the heat-maps stay empty.")
        ),
    )
