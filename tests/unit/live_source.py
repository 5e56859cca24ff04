"""A source of rows for live tables in tests: a dict in place of a server's table."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pyarrow as pa

from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.types import Column, parse_schema


class RowSource:
    """Holds rows by id, as wire cells, and answers ``read_complete`` with those columns that the SQL names.

    ``before_read`` runs before each reading, on the reader's thread, and may block or raise.
    """

    def __init__(self, schema: list[dict], *, kind: str = "shared", token: str = "good") -> None:
        self.columns: dict[str, Column] = {column.name: column for column in parse_schema(schema)}
        self.rows: dict[str, dict] = {}
        self.kind = kind
        self.token = token
        self.reads: list[str] = []
        self.before_read: Callable[[int], None] = lambda number: None
        self._lock = threading.Lock()

    def put(self, *rows: dict) -> None:
        with self._lock:
            self.rows.update({row["id"]: row for row in rows})

    def remove(self, *ids: str) -> None:
        with self._lock:
            for row_id in ids:
                del self.rows[row_id]

    def access_token(self, *, renew: bool = False) -> str:
        return self.token

    def table_kind(self, table: str) -> str:
        return self.kind

    def read_complete(self, sql: str) -> pa.Table:
        self.reads.append(sql)
        self.before_read(len(self.reads))
        names = [name.strip('"') for name in sql.removeprefix("SELECT ").split(" FROM ")[0].split(", ")]
        columns = [self.columns[name] for name in names]
        with self._lock:
            cells = [[row.get(name) for row in self.rows.values()] for name in names]
        return pa.Table.from_batches([decode_columns(columns, cells)])
