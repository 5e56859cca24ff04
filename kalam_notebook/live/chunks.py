"""Rows of one schema as immutable Arrow batches, read by position.

Positions only grow; a row that is replaced leaves its old version behind until the store gathers the living ones anew.
Which version counts is the store's business.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RowChunks"]


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

    def replace(self, table: pa.Table) -> None:
        """Forget all rows and hold those of a table, from position 0."""
        self._batches, self._starts = [], [0]
        for batch in table.combine_chunks().to_batches():
            self.append(batch)

    def take(self, positions: Sequence[int]) -> pa.Table:
        """Return the rows at these positions, in this order."""
        import pyarrow as pa

        if positions == list(range(len(self))):
            return pa.Table.from_batches(self._batches, schema=self._schema)
        # One take per batch: taking from many chunks at once would first copy all of them.
        order = sorted(range(len(positions)), key=positions.__getitem__)
        ordered = [positions[index] for index in order]
        pieces, low = [], 0
        for number, batch in enumerate(self._batches):
            high = bisect_left(ordered, self._starts[number + 1], low)
            if high > low:
                start = self._starts[number]
                pieces.append(batch.take(pa.array([position - start for position in ordered[low:high]], pa.int64())))
            low = high
        table = pa.Table.from_batches(pieces, schema=self._schema)
        if ordered == positions:
            return table
        back = [0] * len(order)
        for rank, index in enumerate(order):
            back[index] = rank
        return table.combine_chunks().take(pa.array(back, pa.int64()))
