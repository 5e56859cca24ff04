"""A source of rows for live tables in tests: a dict in place of a server's table."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from kalam_notebook.live_queries.following.plan import Reading, ResultReading, TableInfo, TablePlan
from kalam_notebook.live_queries.rows.decoding import USUAL, Doubts
from kalam_notebook.live_queries.rows.fingerprint import Delta, DeltaQuestion, fingerprint_of
from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.row_version import RowVersion, version_name
from kalam_notebook.wire.types import Column, arrow_type, parse_schema


class RowSource:
    """Holds rows by id, as wire cells, and tells the truth about them.

    ``before_read`` and ``after_read`` run around each whole reading and ``before_delta`` before each delta, on the
    thread that asks; each may block or raise. ``matches`` is the filter, whatever the SQL says.
    """

    def __init__(self, schema: list[dict], *, kind: str = "shared", token: str = "good") -> None:
        self.schema: dict[str, Column] = {column.name: column for column in parse_schema(schema)}
        self.version = version_name(self.schema)
        self.domains: dict[str, dict] = {}
        self.rows: dict[str, dict] = {}
        self.tombstones: dict[str, int] = {}
        self.kind = kind
        self.ttl_ms: int | None = None
        self.now_ms = 0
        self.token = token
        self.reads: list[TablePlan] = []
        self.deltas: list[int] = []
        self.proofs = 0
        self.matches: Callable[[dict], bool] = lambda row: True
        self.before_read: Callable[[int], None] = lambda number: None
        self.after_read: Callable[[int], None] = lambda number: None
        self.before_delta: Callable[[int], None] = lambda number: None
        self.lock = threading.RLock()

    def put(self, *rows: dict) -> None:
        with self.lock:
            self.rows.update({row["id"]: row for row in rows})

    def remove(self, *ids: str, seq: int | None = None) -> None:
        """Delete rows; without a version as a flush does it, which removes the tombstone too."""
        with self.lock:
            for row_id in ids:
                del self.rows[row_id]
                if seq is not None:
                    self.tombstones[row_id] = seq

    def access_token(self, *, renew: bool = False) -> str:
        return self.token

    def describe(self, table: str) -> TableInfo:
        return TableInfo(self.columns(table), self.kind, self.ttl_ms)

    def columns(self, table: str) -> tuple[Column, ...]:
        return tuple(self.schema.values())

    def doubts(self, columns) -> Doubts:
        return USUAL

    def read_rows(self, plan: TablePlan, max_rows: int | None) -> Reading:
        self.reads.append(plan)
        self.before_read(len(self.reads))
        with self.lock:
            found = sorted(self._matching(), key=lambda row: int(row[self.version]))
            newest = max([*self._seqs(self.rows.values()), *self.tombstones.values()], default=0)
        self.after_read(len(self.reads))
        seqs = np.array(self._seqs(found), np.int64)
        return Reading(self._table(plan, found), newest, fingerprint=fingerprint_of(seqs), now_ms=self.now_ms)

    def read_delta(self, plan: TablePlan, ask: DeltaQuestion) -> Delta | None:
        after = ask.after
        self.deltas.append(after)
        self.proofs += ask.proves
        self.before_delta(len(self.deltas))
        with self.lock:
            matching = self._matching()
            changed = [row for row in self.rows.values() if int(row[self.version]) > after]
            keys = [row[plan.key] for row in changed]
            gone = {key: seq for key, seq in self.tombstones.items() if seq > after and key not in self.rows}
            kind = arrow_type(self.schema[plan.key])
            seqs = np.array([seq for seq in self._seqs(matching) if seq > ask.floor], np.int64)
            return Delta(
                self._table(plan, [row for row in changed if self.matches(row)]),
                _pairs(keys, self._seqs(changed), kind),
                _pairs(list(gone), list(gone.values()), kind),
                fingerprint_of(seqs) if ask.proves else None,
                self.now_ms,
                len(self.rows) if ask.counts else None,
            )

    def newer_version(self, table: str, version: RowVersion, newest: int) -> int | None:
        with self.lock:
            versions = [*self._seqs(self.rows.values()), *self.tombstones.values()]
        return max((found for found in versions if found > newest), default=None)

    def read_result(self, sql: str) -> ResultReading:
        raise NotImplementedError

    def _matching(self) -> list[dict]:
        return [row for row in self.rows.values() if self.matches(row)]

    def _seqs(self, rows) -> list[int]:
        return [int(row[self.version]) for row in rows]

    @staticmethod
    def _table(plan: TablePlan, rows: list[dict]) -> pa.Table:
        cells = [[row.get(column.name) for row in rows] for column in plan.columns]
        return pa.Table.from_batches([decode_columns(plan.columns, cells)])


def _pairs(keys: list, seqs: list[int], kind: pa.DataType) -> pa.Table:
    cells = pa.array([int(key) for key in keys] if pa.types.is_integer(kind) else keys, kind)
    return pa.table({"key": cells, "seq": pa.array(seqs, pa.int64())})
