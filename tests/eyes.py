"""What looks at pictures in tests that are not about pictures."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from streamproc.testing import example_value
from streamproc.vision.visuals import Missing, Modality, Seen, Visual


class FakeEyes:
    """Sees the same in every picture, or nothing; remembers its looks; waits at `gate` if there is one.

    For the first `away` looks nobody could be asked.
    """

    def __init__(
        self, missing: Missing | None = None, gate: asyncio.Event | None = None, away: float = 0
    ) -> None:
        self.looks: list[tuple[Sequence[str], Collection[Modality]]] = []
        self.shown: list[bool] = []
        self._missing = missing
        self._gate = gate
        self._away = away

    def sees(self, widths: Mapping[Modality, int]) -> Collection[Modality]:
        return ("ocr",)

    async def look(
        self,
        urls: Sequence[str],
        modalities: Collection[Modality],
        *,
        widths: Mapping[Modality, int] | None = None,
        show: bool = False,
    ) -> dict[Modality, Visual]:
        self.looks.append((urls, modalities))
        self.shown.append(show)
        if self._gate is not None:
            await self._gate.wait()
        if len(self.looks) <= self._away:
            return dict.fromkeys(modalities, Missing("unavailable", "ocr is away", away="ocr is away"))
        return {m: self._missing or Seen((example_value(m),)) for m in modalities}
