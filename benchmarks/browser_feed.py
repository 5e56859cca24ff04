"""What runs in the kernel of a notebook: rows that change many times a second, for a live table's view or another's.

The rows are made before they are needed, so that what is measured is how they get to the page.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from kalam_notebook.live_queries.rows.delta import LiveDelta
from kalam_notebook.threads import Worker
from kalam_notebook.wire.types import Column, arrow_schema

COLUMNS = (
    Column("id", "BigInt", flags=("pk", "nn", "uq")),
    Column("tick", "Int"),
    Column("room", "Text"),
    Column("body", "Text"),
    Column("n", "Int"),
    Column("score", "Double"),
    Column("price", "Double"),
    Column("at", "Timestamp"),
)
_SCHEMA = arrow_schema(COLUMNS)


class Feed:
    """Rows with the ids from 0, of which some change with each tick; the first one always does.

    Args:
        size: How many rows there are.
        seed: What the dice begin with.
    """

    def __init__(self, size: int, seed: int = 42) -> None:
        self.size = size
        self._dice = np.random.default_rng(seed)
        self._texts = {
            "room": pa.array([f"room-{i % 100}" for i in range(size)]),
            "body": pa.array([f"the words of message {(i * 7_919 + size // 2) % size}" for i in range(size)]),
        }
        ids = np.arange(size, dtype=np.int64)
        self._cells = {
            "id": ids,
            "tick": np.zeros(size, np.int32),
            "n": (ids % 1_000).astype(np.int32),
            "score": ids / 7,
            "price": ids + 0.25,
            "at": 1_779_271_200_000_000 + ids * 1_000_003,
        }
        self.sent: list[float] = []  # When each tick was told, in seconds since 1970.
        self.kernel_seconds = 0.0

    def table(self, rows: np.ndarray[Any, Any] | None = None) -> pa.Table:
        """The rows with these ids as they are now, or all."""
        arrays = []
        for field in _SCHEMA:
            if field.name in self._texts:
                texts = self._texts[field.name]
                arrays.append(texts if rows is None else texts.take(pa.array(rows)))
            else:
                cells = self._cells[field.name]
                arrays.append(pa.array(cells if rows is None else cells[rows]).cast(field.type))
        return pa.table(arrays, schema=_SCHEMA)

    def ticks(self, count: int, changed: int) -> list[np.ndarray[Any, Any]]:
        """Which rows change, for each of so many ticks."""
        others = [self._dice.choice(self.size - 1, changed - 1, replace=False) + 1 for _ in range(count)]
        return [np.concatenate(([0], np.sort(rows))) for rows in others]

    def change(self, rows: np.ndarray[Any, Any], tick: int) -> None:
        self._cells["tick"][rows] = tick
        self._cells["n"][rows] = (self._cells["n"][rows] + 1) % 1_000
        self._cells["score"][rows] += 1 / 3

    def run(self, tell: Callable[[int], None], count: int, rate: float) -> threading.Event:
        """Tell of so many ticks, so many a second, on a thread; returns what is set at the end."""
        done = threading.Event()
        begun, first = time.process_time(), len(self.sent)

        def tick_all() -> None:
            start = time.monotonic()
            for index in range(count):
                time.sleep(max(0.0, start + index / rate - time.monotonic()))
                self.sent.append(time.time())
                tell(first + index)
            time.sleep(0.5)
            self.kernel_seconds = time.process_time() - begun
            done.set()

        Worker(tick_all, name="feed").start()
        return done


@dataclass
class _Stats:
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    verified_at: dt.datetime | None = None


class FedTable:
    """A live table of a feed, as far as a view looks at it."""

    sql = "SELECT * FROM chat.messages"
    status, form, is_replay, is_closed, error, notice = "live", "direct", False, False, None, None
    columns = COLUMNS
    key = ("id",)

    def __init__(self, feed: Feed, ticks: list[np.ndarray[Any, Any]]) -> None:
        self._feed = feed
        self._ticks = ticks
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[object], None]] = []
        self.version = 0
        self.rows_told = 0  # Changed rows that somebody asked for.
        self.stats = _Stats()

    def tell(self, tick: int) -> None:
        with self._lock:
            self._feed.change(self._ticks[tick], tick + 1)
            self.version = tick + 1
            self.stats.updated += len(self._ticks[tick])
        for callback in self._callbacks:
            callback(self)

    def arrow(self) -> pa.Table:
        with self._lock:
            return self._feed.table()

    def delta(self, since: int) -> LiveDelta:
        with self._lock:
            size = self._feed.size
            if since < 0:
                ids = tuple(range(1, size + 1))
                return LiveDelta(self.version, True, self._feed.table(), ids, frozenset(), (), size)
            changed = self._ticks[since : self.version]
            rows = np.unique(np.concatenate(changed)) if changed else np.empty(0, np.int64)
            ids = tuple((rows + 1).tolist())
            self.rows_told += len(ids)
            return LiveDelta(self.version, False, self._feed.table(rows), ids, frozenset(), (), size)

    def on_change(self, callback: Callable[[object], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def attach_view(self, view: object) -> None:
        self._view = view


def stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def updates(feed: Feed, ticks: list[np.ndarray[Any, Any]]) -> list[bytes]:
    """What another table is told with each tick, as Arrow."""
    found = []
    for tick, rows in enumerate(ticks):
        feed.change(rows, tick + 1)
        found.append(stream(feed.table(rows)))
    return found
