"""What all sections of the settings share."""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel, ConfigDict

_ADDRESS: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):([0-9]{1,5})")


def is_address(text: str) -> bool:
    """Whether it is HOST:PORT."""
    found = _ADDRESS.fullmatch(text)
    return found is not None and 0 < int(found[2]) < 2**16


class Section(BaseModel):
    """Frozen; a key that it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
