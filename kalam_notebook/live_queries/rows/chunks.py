"""Rows of one schema as immutable Arrow batches, read by position.

Positions only grow; a row that is replaced leaves its old version behind until the store gathers the living ones anew.
Which version counts is the store's business.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

__all__ = ["RowChunks", "runs_of"]

#: Up to so many runs for each row, putting them together costs less than finding the rows one by one.
_RUNS_PER_ROW = 1 / 8


def runs_of(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first position and the length of each run of consecutive positions."""
    starts = np.flatnonzero(np.diff(positions, prepend=positions[:1] - 2) != 1)
    return positions[starts], np.diff(starts, append=len(positions))


class RowChunks:
    """Batches in the order in which they came.

    Args:
        schema: The schema of every batch.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._batches: list[pa.RecordBatch] = []
        # Position of each batch's first row, and at the end the number of all rows.
        self._starts = [0]

    @classmethod
    def of(cls, rows: pa.Table) -> RowChunks:
        """The rows of a table, in few batches."""
        chunks = cls(rows.schema)
        chunks.extend(rows)
        return chunks

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def num_batches(self) -> int:
        """How many batches there are."""
        return len(self._batches)

    def append(self, batch: pa.RecordBatch) -> int:
        """Add rows and return the position of the first."""
        start = len(self)
        if batch.num_rows:
            self._batches.append(batch)
            self._starts.append(start + batch.num_rows)
        return start

    def append_all(self, batches: Iterable[pa.RecordBatch]) -> int:
        """Add rows as they lie, lent and not copied, and return the position of the first."""
        start = len(self)
        for batch in batches:
            self.append(batch)
        return start

    def extend(self, table: pa.Table) -> int:
        """Add rows in few batches, and return the position of the first."""
        return self.append_all(table.combine_chunks().to_batches())

    def slices(self, firsts: np.ndarray, lengths: np.ndarray) -> pa.Table:
        """Return runs of rows one after the other, without a copy."""
        pieces = []
        for first, length in zip(firsts.tolist(), lengths.tolist(), strict=True):
            number = bisect_right(self._starts, first) - 1
            while length:
                offset = first - self._starts[number]
                batch = self._batches[number]
                size = min(length, batch.num_rows - offset)
                pieces.append(batch.slice(offset, size) if size < batch.num_rows else batch)
                first, length, number = first + size, length - size, number + 1
        return pa.Table.from_batches(pieces, schema=self._schema)

    def take(self, positions: Sequence[int] | np.ndarray) -> pa.Table:
        """Return a copy of the rows at these positions, in this order."""
        wanted = np.asarray(positions, np.int64)
        firsts, lengths = runs_of(wanted)
        # A single piece would be lent, not copied.
        if 1 < len(firsts) <= len(wanted) * _RUNS_PER_ROW:
            return self.slices(firsts, lengths).combine_chunks()

        is_sorted = bool(np.all(wanted[:-1] < wanted[1:]))
        order = None if is_sorted else np.argsort(wanted, kind="stable")
        ordered = wanted if order is None else wanted[order]

        # One take per batch: taking from many chunks at once would first copy all of them.
        pieces, low = [], 0
        numbers = np.searchsorted(self._starts, ordered, "right") - 1
        for number in np.unique(numbers).tolist():
            high = bisect_left(ordered, self._starts[number + 1], low)
            pieces.append(self._batches[number].take(pa.array(ordered[low:high] - self._starts[number])))
            low = high

        table = pa.Table.from_batches(pieces, schema=self._schema)
        if order is None:
            return table
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return table.combine_chunks().take(pa.array(back))
