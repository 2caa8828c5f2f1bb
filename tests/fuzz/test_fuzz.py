"""A short run of each target: any input is taken, or refused with the error that is documented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

settings.register_profile("ci", deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_any_input_is_taken_or_refused(target: Target, tmp_path: Path) -> None:
    with target.open(tmp_path) as check:

        def one(drawn: Any) -> None:
            target.check_all(check, drawn)

        run = settings(settings.get_profile("ci"), max_examples=target.short)
        run(given(target.drawn())(one))()
