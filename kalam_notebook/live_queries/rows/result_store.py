"""The result of a live query that is run again: what moved between one result and the next.

Rows are matched by a key. Where none is known, or it does not tell two rows apart, equal rows are counted. A row has a
number, ``row_id``, as long as its key stays; the order is that of the result. No clock, no lock: as in
``rows.store``.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import pyarrow as pa

from kalam_notebook.live_queries.rows.chunks import RowChunks
from kalam_notebook.live_queries.rows.delta import LiveDelta, nothing, whole
from kalam_notebook.live_queries.rows.held import Rows
from kalam_notebook.live_queries.rows.history import Applied, Effect, Entries, Step
from kalam_notebook.live_queries.rows.values import comparable
from kalam_notebook.wire.types import Column

__all__ = ["ResultStore"]

#: Changes that are remembered, with their cells.
_MAX_LOG = 10_000


class ResultStore(Rows):
    """The present result and what led to it.

    Args:
        columns: Its columns.
        key: Names of the columns that tell rows apart; empty for all.
        rows: The first result.
        version: Version before it.
        next_row_id: Number of the first row.
        at: When the first result came, in seconds since 1970.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        key: Sequence[str],
        rows: pa.Table,
        version: int = 0,
        next_row_id: int = 0,
        at: float = 0.0,
    ) -> None:
        # Also when it is empty the version is another: the columns are new.
        super().__init__(version + 1, max_log=_MAX_LOG, max_cells=_MAX_LOG)
        self.columns = tuple(columns)
        self.key = tuple(key)
        self.next_row_id = next_row_id
        #: Whether the key does not tell all rows apart.
        self.is_ambiguous = False
        self._rows = rows.slice(0, 0)
        self._ids: dict[Hashable, int] = {}
        self.load(rows)
        self._history.forget(self.version, at=at)

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return int(self._rows.num_rows)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the result."""
        return self._rows.schema

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns of ``arrow``."""
        return self.columns

    def arrow(self) -> pa.Table:
        """Return the result; the table never changes afterwards."""
        return self._rows

    def delta(self, since: int) -> LiveDelta:
        """Return the whole result: rows may have moved, and results are small."""
        if since == self.version:
            return nothing(self.version, self.schema, self.num_rows)
        return self._all()

    def _all(self) -> LiveDelta:
        return whole(self.version, self._rows, tuple(self._ids.values()))

    def load(self, rows: pa.Table, *, at: float = 0.0, healed: bool = False) -> Applied:
        """Take the next result.

        Args:
            rows: All its rows, in order.
            at: When it came, in seconds since 1970.
            healed: Whether an event should have told of the difference already.
        """
        keys = self._keys_of(rows)
        before = _cells(self._rows)
        after = _cells(rows)
        if before == after:
            return Applied()

        places = dict(zip(self._ids, range(len(before)), strict=True))
        ids: dict[Hashable, int] = {}
        entries = Entries()
        for place, key in enumerate(keys):
            old = places.pop(key, -1)
            ids[key] = self._ids[key] if old >= 0 else self.next_row_id
            if old < 0:
                self.next_row_id += 1
                entries.add(ids[key], Effect.INSERTED, 0, len(before) + place, -1)
            elif before[old] != after[place]:
                entries.add(ids[key], Effect.UPDATED, 0, len(before) + place, old)

        for key, old in places.items():
            entries.add(self._ids[key], Effect.DELETED, 0, -1, old)

        chunks = RowChunks.of(self._rows)
        chunks.extend(rows)
        self.version += 1
        self._history.settle(rows.schema)
        self._history.add(Step(self.version, at, healed, entries, chunks, array("q", self._ids.values())))

        self._rows = rows
        self._ids = ids
        return entries.counted()

    def _keys_of(self, rows: pa.Table) -> list[Hashable]:
        """One key for each row, all different: the key columns, and which of the equal ones it is."""
        wanted = rows.select(list(self.key)) if self.key else rows
        seen: Counter[Hashable] = Counter()
        keys: list[Hashable] = []
        for key in _cells(wanted):
            keys.append((key, seen[key]))
            seen[key] += 1
        self.is_ambiguous = bool(self.key) and len(seen) < len(keys)
        return keys


def _cells(table: pa.Table) -> list[tuple[Hashable, ...]]:
    """The rows as tuples that can be compared; columns may have equal names."""
    columns = [[_hashable(cell) for cell in comparable(column)] for column in table.columns]
    return list(zip(*columns, strict=True)) if columns else [()] * table.num_rows


def _hashable(cell: Any) -> Hashable:  # noqa: ANN401 - a cell may be anything that Arrow holds.
    if isinstance(cell, float) and (cell != cell or cell == 0):
        return str(cell)  # NaN does not equal itself, and 0.0 and -0.0 equal each other.
    return cell if isinstance(cell, Hashable) else repr(cell)
