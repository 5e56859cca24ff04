"""A live table without a server or a thread, of any columns, for what reads rows by their numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from kalam_notebook.live_queries.rows.delta import LiveDelta
from kalam_notebook.wire.types import Column, arrow_schema


@dataclass
class TableByHand:
    """A live table that is changed by hand."""

    columns: tuple[Column, ...]
    rows: dict[int, dict[str, Any]]
    version: int = 1
    form: str = "direct"
    key: tuple[str, ...] = ("id",)
    steps: list[tuple[int, frozenset[int], frozenset[int]]] = field(default_factory=list)

    def table(self, ids: list[int]) -> pa.Table:
        return pa.Table.from_pylist([self.rows[i] for i in ids], schema=arrow_schema(self.columns))

    def delta(self, since: int) -> LiveDelta:
        if since < 0:
            ids = sorted(self.rows)
            return LiveDelta(self.version, True, self.table(ids), tuple(ids), frozenset(), (), len(ids))
        steps = [step for step in self.steps if step[0] > since]
        touched = sorted({row_id for _, ids, _ in steps for row_id in ids})
        new = {row_id for _, _, ids in steps for row_id in ids}
        here = [row_id for row_id in touched if row_id in self.rows]
        gone = tuple(row_id for row_id in touched if row_id not in self.rows and row_id not in new)
        inserted = frozenset(here) & new
        return LiveDelta(self.version, False, self.table(here), tuple(here), inserted, gone, len(self.rows))

    def change(self, rows: dict[int, dict[str, Any]], removed: frozenset[int] = frozenset()) -> None:
        new = frozenset(rows) - frozenset(self.rows)
        self.rows |= rows
        for row_id in removed:
            del self.rows[row_id]
        self.version += 1
        self.steps.append((self.version, frozenset(rows) | removed, new))
