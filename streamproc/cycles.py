"""Python's search for cycles of objects, made to cost little.

Modules, models and posts come by the thousand and hardly ever form cycles. By default each few hundred new
objects cost a search, now and then one through all that is loaded: a sixth of the time to start, for one.
"""

from __future__ import annotations

import gc


def search_rarely() -> None:
    """Search less often; before modules are loaded."""
    gc.set_threshold(200_000, 20, 100)


def pass_over_what_is_loaded() -> None:
    """Search no more through what is there now: it stays."""
    gc.collect()
    gc.freeze()
