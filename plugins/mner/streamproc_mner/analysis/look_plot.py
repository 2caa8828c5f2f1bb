"""The look curve as a plot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from streamproc_mner.analysis.look_curves import chance, oracle
from streamproc_mner.analysis.scores import f1
from streamproc_mner.analysis.watched import Costs, Watched

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def look_plot(watched: Watched, threshold: float | None, costs: Costs, seed: int) -> Callable[[Axes], None]:
    """F1 against the share of pictures that are looked at, and what that costs a post.

    Args:
        watched: the posts.
        threshold: that is marked; `None` for none.
        costs: of a post and a picture.
        seed: of chance.
    """
    posts, pictures = len(watched.looks.without), watched.pictures
    grid = np.unique(np.linspace(0, pictures, 101).round().astype(np.int64))
    mean, low, high = chance(watched.looks, grid, seed)
    best = oracle(watched.looks, grid)

    def plot(axes: Axes) -> None:
        shares = 100 * grid / pictures
        axes.fill_between(shares, low, high, color="#bbbbbb", alpha=0.5, lw=0, label="by chance, 95 %")
        axes.plot(shares, mean, color="#777777", lw=1)
        axes.plot(shares, best, color="#2a9d4a", lw=1, ls="--", label="oracle, up to so many")
        axes.plot(
            100 * watched.sweep.looks / pictures, watched.sweep.f1, color="#1f5fbf", label="uncertain(T)"
        )
        for name, place, counts in (("never", 0, watched.never()), ("always", 100, watched.always())):
            axes.plot([place], [f1(counts)], "s", color="#444444", ms=4)
            axes.annotate(
                name, (place, f1(counts)), (0, 5), textcoords="offset points",
                ha="center", fontsize="small",
            )  # fmt: skip
        if threshold is not None:
            share = 100 * float(watched.looks.at(threshold).mean())
            axes.plot([share], [f1(watched.uncertain(threshold))], "o", color="#d1495b",
                      label=f"uncertain({threshold:g})")  # fmt: skip
        axes.set_xlabel("pictures looked at, percent")
        axes.set_ylabel("F1, percent")
        cost = axes.secondary_xaxis("top", functions=_ms_a_post(costs, pictures / posts))
        cost.set_xlabel("ms a post, with uncertain(T)", fontsize="small")
        axes.legend(frameon=False, fontsize="small")

    return plot


def _ms_a_post(
    costs: Costs, pictured: float
) -> tuple[Callable[[ArrayLike], ArrayLike], Callable[[ArrayLike], ArrayLike]]:
    """Percent of the pictures to milliseconds a post, and back."""
    free = costs.looking_second(0.0)
    slope = (costs.looking_second(pictured) - free) / 100
    return lambda share: free + slope * np.asarray(share), lambda cost: (np.asarray(cost) - free) / slope
