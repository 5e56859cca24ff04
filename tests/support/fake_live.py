"""A live table without a server, for the views: changed by hand, it calls back on a thread of its own."""

from __future__ import annotations

import datetime as dt
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from kalam_notebook.wire.types import Column, arrow_schema


@dataclass(frozen=True)
class FakeDelta:
    version: int
    reset: bool
    rows: pa.Table
    row_ids: tuple[int, ...]
    inserted: frozenset[int]
    removed: tuple[int, ...]
    num_rows: int


@dataclass
class FakeStats:
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    verified_at: dt.datetime | None = None


@dataclass
class FakeLive:
    """Rows are ``{row id: text}`` of the columns ``id`` and ``name``."""

    rows: dict[int, str]
    status: str = "live"
    error: Exception | None = None
    notice: str | None = None
    sql: str = "SELECT * FROM app.people"
    form: str = "direct"
    key: tuple[str, ...] = ("id",)
    is_replay: bool = False
    version: int = 1
    columns: tuple[Column, ...] = (Column("id", "BigInt", flags=("pk",)), Column("name", "Text"))
    stats: FakeStats = field(default_factory=FakeStats)
    callbacks: list[Callable] = field(default_factory=list)
    deltas: list[int] = field(default_factory=list)
    views: weakref.WeakSet = field(default_factory=weakref.WeakSet)
    retries: int = 0

    def __post_init__(self) -> None:
        self._log: list[tuple[int, int, bool]] = []  # Version, row id, whether it was inserted.
        self._lock = threading.Lock()

    @property
    def num_rows(self) -> int:
        return len(self.rows)

    def arrow(self) -> pa.Table:
        return self._table(self.rows)

    def delta(self, since: int) -> FakeDelta:
        with self._lock:
            self.deltas.append(since)
            if since < 0:
                ids = tuple(self.rows)
                table = self._table(self.rows)
                return FakeDelta(self.version, True, table, ids, frozenset(ids), (), len(ids))
            touched = {row_id: new for version, row_id, new in self._log if version > since}
            held = {row_id: self.rows[row_id] for row_id in touched if row_id in self.rows}
            inserted = frozenset(row_id for row_id in held if touched[row_id])
            removed = tuple(row_id for row_id in touched if row_id not in self.rows)
            return FakeDelta(self.version, False, self._table(held), tuple(held), inserted, removed, len(self.rows))

    def on_change(self, callback: Callable) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def attach_view(self, view: object) -> None:
        self.views.add(view)

    def retry(self) -> None:
        if self.error is not None:
            raise self.error
        self.retries += 1

    def close(self) -> None:
        self.status = "stopped: closed"
        self._call()
        for view in list(self.views):
            view.freeze()

    def put(self, row_id: int, name: str) -> None:
        with self._lock:
            new = row_id not in self.rows
            self.rows[row_id] = name
            self.version += 1
            self._log.append((self.version, row_id, new))
            self.stats.inserted += new
            self.stats.updated += not new
        self._call()

    def drop(self, row_id: int) -> None:
        with self._lock:
            del self.rows[row_id]
            self.version += 1
            self._log.append((self.version, row_id, False))
            self.stats.deleted += 1
        self._call()

    def become(self, status: str, error: Exception | None = None) -> None:
        self.status, self.error = status, error
        self._call()

    def _table(self, rows: dict[int, str]) -> pa.Table:
        return pa.table({"id": list(rows), "name": list(rows.values())}).cast(arrow_schema(self.columns))

    def _call(self) -> None:
        for callback in list(self.callbacks):
            thread = threading.Thread(target=callback, args=(self,))
            thread.start()
            thread.join()
