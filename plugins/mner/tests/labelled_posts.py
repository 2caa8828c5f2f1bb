"""Files of labelled posts of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_posts(path: Path, *posts: str, **fields: dict[int, Any]) -> Path:
    """A JSON Lines file of posts.

    Args:
        path: of the file.
        posts: words with their tags, as `Ada/B-PER in Paris/B-LOC`; O is left out.
        fields: more of a record, by the post's place.
    """
    lines = []
    for index, post in enumerate(posts):
        pairs = [word.rpartition("/") if "/" in word else (word, "/", "O") for word in post.split()]
        record: dict[str, Any] = {
            "id": f"p{index}",
            "tokens": [token for token, _, _ in pairs],
            "tags": [tag for _, _, tag in pairs],
        }
        record |= {name: values[index] for name, values in fields.items() if index in values}
        lines.append(json.dumps(record))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
