"""Record headers whose names are not UTF-8: Kafka takes them, and aiokafka's parser does not.

It would raise at such a record each time that its partition is fetched. Here that batch is parsed
again with its names escaped, `\\xNN` for each byte that is no UTF-8; all other batches go the quick way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH_AT: Final = 8
_BATCH_AT: Final = 12
"""Where a batch's length stands in it, and where what the length counts begins."""


def escape_header_names() -> None:
    """Let every aiokafka consumer of this process read such records. May be called more than once."""
    fetcher.MemoryRecords = _Records


class _Records:
    """aiokafka's batches of one partition, as its fetcher uses them.

    Args:
        data: as the broker sent it.
    """

    def __init__(self, data: bytes) -> None:
        self._records: Any = MemoryRecords(data)
        self._data = data
        self._at = 0

    def size_in_bytes(self) -> int:
        """Of all batches."""
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """Whether there is another batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> Any:
        """The next batch."""
        begin = self._at
        length = int.from_bytes(self._data[begin + _LENGTH_AT : begin + _BATCH_AT], "big")
        self._at = begin + _BATCH_AT + length
        return _Batch(self._records.next_batch(), self._data, begin, self._at)


class _Batch:
    """A batch; what is not defined here is aiokafka's.

    Args:
        batch: aiokafka's.
        data: what the broker sent.
        begin: where the batch stands in it.
        end: where it ends.
    """

    def __init__(self, batch: Any, data: bytes, begin: int, end: int) -> None:
        self._batch = batch
        self._data = data
        self._begin = begin
        self._end = end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            batch: Any = _DefaultRecordBatchPy(self._data[self._begin : self._end])
            batch._maybe_uncompress()
            batch._buffer = _Escaped(batch._buffer)
            return iter(batch)


class _Escaped(bytearray):
    """Bytes whose parts are decoded with escapes."""

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return _Escaped(found) if isinstance(key, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """As text; what is not UTF-8 is written `\\xNN`."""
        return super().decode(encoding, "backslashreplace")
