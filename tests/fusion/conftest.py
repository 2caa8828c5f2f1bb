"""What tests of plugins share."""

import pytest

from tests.fusion.isolated import HERE


@pytest.fixture
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> None:
    """`misbehaving:MisbehavingPlugin` can be imported, here and in processes that are started."""
    monkeypatch.syspath_prepend(HERE)
