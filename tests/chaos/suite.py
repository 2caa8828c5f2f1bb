"""All scenarios."""

from __future__ import annotations

from typing import Final

from tests.chaos import brokers, clocks, kills, plugins, state, topics
from tests.chaos.scenario import Scenario

SCENARIOS: Final = (
    *kills.SCENARIOS,
    *brokers.SCENARIOS,
    *topics.SCENARIOS,
    *plugins.SCENARIOS,
    *state.SCENARIOS,
    *clocks.SCENARIOS,
)


def find(name: str) -> Scenario:
    """The scenario of a name."""
    (found,) = [scenario for scenario in SCENARIOS if scenario.name == name]
    return found
