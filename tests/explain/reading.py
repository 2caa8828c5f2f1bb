"""Reads a page as a browser's parser does, without running anything of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "input", "link", "hr"}


@dataclass
class Node:
    """An element: its tag, attributes and children, texts among them."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    def all(self, tag: str = "", css: str = "") -> list[Node]:
        """All elements below this one with a tag and a class, as they stand in the page."""
        found = []
        for node in self.children:
            if isinstance(node, Node):
                if tag in {"", node.tag} and (
                    not css or css in (node.attributes.get("class") or "").split()
                ):
                    found.append(node)
                found += node.all(tag, css)
        return found

    def text(self, without: str = "\x00") -> str:
        """All text below, but for that of elements with the class `without`."""
        return "".join(
            child if isinstance(child, str) else child.text(without)
            for child in self.children
            if isinstance(child, str) or without not in (child.attributes.get("class") or "").split()
        )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("root")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self._open[-1].children.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def read(page: str) -> Node:
    """The tree of a page whose elements are all closed in order."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader._open == [reader.root], "everything that was opened is closed"
    return reader.root
