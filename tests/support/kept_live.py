"""A live table without a server, for what a page asks of one: its rows are set by hand, its history is the real one."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from kalam_notebook.live_queries.batches import LiveChanges
from kalam_notebook.live_queries.rows.changes import change_table
from kalam_notebook.live_queries.rows.delta import LiveDelta
from kalam_notebook.live_queries.rows.result_store import ResultStore
from kalam_notebook.results.frames import file_cell
from kalam_notebook.wire.fileref import FileHost, FileRef
from kalam_notebook.wire.types import Column, arrow_schema


class KeptLive:
    """Rows as dictionaries, told apart by the first column."""

    form = "direct"

    def __init__(self, columns: tuple[Column, ...], rows: list[dict[str, Any]], *, at: float = 0.0) -> None:
        self.columns = columns
        self.key = (columns[0].name,)
        #: What fetches the files of FILE cells.
        self.host = FileHost()
        self._store = ResultStore(columns, key=[columns[0].name], rows=self._table(rows), next_row_id=1, at=at)

    def load(self, rows: list[dict[str, Any]], *, at: float, healed: bool = False) -> None:
        """Have other rows from a time on, in seconds since 1970."""
        self._store.load(self._table(rows), at=at, healed=healed)

    def arrow(self) -> pa.Table:
        return self._store.arrow()

    def delta(self, since: int) -> LiveDelta:
        return self._store.delta(since)

    def row_changes(self, row_id: int, *, last: int | None = None) -> LiveChanges:
        steps, is_whole = self._store.steps(-1)
        table = change_table(steps, self._store.schema, last=last, row_id=row_id)
        return LiveChanges(self._store.version, table, is_whole)

    def file_of(self, cell: str | None) -> FileRef | str | None:
        return file_cell(cell, None, self.host)

    @property
    def moments(self) -> tuple[float, ...]:
        return self._store.moments

    def delta_at(self, moment: float) -> LiveDelta:
        return self._store.at(moment)

    def _table(self, rows: list[dict[str, Any]]) -> pa.Table:
        return pa.Table.from_pylist(rows, schema=arrow_schema(self.columns))
