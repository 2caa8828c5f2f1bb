"""Faust's table manager, for an app that has no tables."""

from __future__ import annotations

from faust.tables import TableManager


class NoTables(TableManager):  # type: ignore[misc]  # Faust carries no types
    """Starts at once; stock waits a second for tables to be declared."""

    async def on_start(self) -> None:
        """Tell those who wait for tables that there are none."""
        await self._update_channels()
        await self.recovery.start()
