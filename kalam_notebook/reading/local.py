"""Queries on copies of tables, run by the server's own engine in this process (``engine="local"``).

Each table that a query names is copied exactly by a walk (truth R3) and kept; a later query reads only what changed
since (truth R4). The `datafusion` package runs the SQL: the same functions, types and NULL order as on the server, but
no cap, no window and no load for it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalam_notebook.errors import MissingDependencyError, QueryError, ResultError
from kalam_notebook.live.truth import OVERLAP
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.walk import Walk, plan_walk
from kalam_notebook.wire.shape import Shape, shape_of
from kalam_notebook.wire.sql import quote_name, table_names
from kalam_notebook.wire.types import KALAM_TYPE, Column

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LocalEngine"]


@dataclass(slots=True)
class _Copy:
    """A table as it was when it was last walked.

    Attributes:
        columns: Its columns; others mean another table of the same name.
        walk: What was read.
        returned: Rows that were seen deleted and that a flush has brought back.
    """

    columns: tuple[Column, ...]
    walk: Walk
    returned: int = 0


class LocalEngine:
    """Copies of tables, and the engine over them."""

    def __init__(self) -> None:
        self._copies: dict[tuple[str | None, str], _Copy] = {}  # By the user whose rows they hold, and the table.
        self._lock = threading.Lock()

    def query(
        self, endpoint: Endpoint, shape: Shape, params: Sequence[Any], user: str | None = None
    ) -> tuple[pa.Table, dict[str, tuple[Column, ...]], str]:
        """Run a SELECT on copies of its tables.

        Args:
            endpoint: Reads the tables.
            shape: A single SELECT.
            params: JSON values for ``$1 …``.
            user: As whom the endpoint runs it, where that is not the client's own user.

        Returns:
            The rows, the tables that were read with their columns, and in words up to which ``_seq``.

        Raises:
            MissingDependencyError: The package `datafusion` is not installed.
            QueryError: The engine refuses the query.
            KalamError: A table cannot be read.
        """
        try:
            from datafusion import SessionConfig, SessionContext
        except ImportError as exc:
            raise MissingDependencyError(
                "engine='local' needs datafusion, which is not installed. Install it with: "
                "pip install 'kalam-notebook[sandbox]'"
            ) from exc
        context = SessionContext(SessionConfig().with_default_catalog_and_schema("kalam", "default"))
        read, tables = [], {}
        for namespace, table in dict.fromkeys((n.namespace or "default", n.table) for n in table_names(shape.text)):
            if namespace in {"system", "information_schema"}:
                raise ResultError(f"engine='local' cannot read {namespace}.{table}; ask the server itself.")
            name = f"{quote_name(namespace)}.{quote_name(table)}"
            tables[name], rows, note = self._fresh(endpoint, name, user)
            context.sql(f"CREATE SCHEMA IF NOT EXISTS {quote_name(namespace)}")
            context.register_record_batches(name, [_batches(_as_on_the_server(rows))])
            read.append(f"{name} {note}")
        values = {str(number): value for number, value in enumerate(params, 1)}
        try:
            result = context.sql(shape.text, param_values=values or None).to_arrow_table()
        except Exception as exc:  # The package raises plain exceptions for every failure of the engine.
            raise QueryError("LOCAL_ENGINE", str(exc).removeprefix("DataFusion error: "), 0, shape.text) from exc
        return _as_read(result), tables, ", ".join(read)

    def _fresh(self, endpoint: Endpoint, name: str, user: str | None) -> tuple[tuple[Column, ...], pa.Table, str]:
        """The table's columns, its rows as they are now, and in words what was read."""
        with self._lock:
            copy = self._copies.get((user, name))
            columns = endpoint.execute(f"SELECT * FROM {name} LIMIT 0").results[0].columns
            if copy is None or copy.columns != columns:
                shape = shape_of(f"SELECT * FROM {name}")
                assert shape is not None
                copy = self._copies[user, name] = _Copy(columns, Walk(plan_walk(endpoint, shape, columns, ())))
            copy.walk.after = max(0, copy.walk.after - OVERLAP)
            copy.walk.run(endpoint)
            rows = copy.walk.result()
            counted = int(endpoint.execute_row(f"SELECT count(*) AS n FROM {name}")[0])
            if counted != rows.num_rows + copy.returned:
                # A flush has removed tombstones (truth R4), or rows changed just now: read it anew, once.
                known, copy.walk = copy.walk.keys, Walk(copy.walk.plan)
                copy.walk.run(endpoint)
                found = copy.walk.result().num_rows
                # Versions known to be outdated are left out: a flush brings deleted rows back (truth L27).
                copy.walk.keys += known
                rows = copy.walk.result()
                copy.returned = found - rows.num_rows
            copy.walk.compact()
            note = f"up to _seq {copy.walk.after}"
            if copy.returned:
                note += f", without {copy.returned} deleted rows that the server has brought back at a flush"
            return columns, rows, note


def _as_on_the_server(table: pa.Table) -> pa.Table:
    """The table under the server's Arrow types: TIMESTAMP has no zone there, a UUID is 16 bytes."""
    import pyarrow as pa

    fields = []
    for found in table.schema:
        kind = found.type
        if (found.metadata or {}).get(KALAM_TYPE) == b"TIMESTAMP":
            kind = pa.timestamp("us")
        elif isinstance(kind, pa.UuidType):
            kind = pa.binary(16)
        fields.append(found.with_type(kind))
    return table.cast(pa.schema(fields))


def _as_read(table: pa.Table) -> pa.Table:
    """The result as the client gives it: times without a zone are UTC, 16 bytes are a UUID, views are plain."""
    import pyarrow as pa

    plain = {"string_view": pa.string(), "binary_view": pa.binary(), "fixed_size_binary[16]": pa.uuid()}
    columns, fields = [], []
    for found, cells in zip(table.schema, table.columns, strict=True):
        kind = plain.get(str(found.type), found.type)
        if pa.types.is_timestamp(kind) and kind.tz is None:
            kind = pa.timestamp(kind.unit, "UTC")
        if isinstance(kind, pa.UuidType):
            chunks = [pa.ExtensionArray.from_storage(kind, chunk) for chunk in cells.chunks]
            columns.append(pa.chunked_array(chunks, kind))
        else:
            columns.append(cells.cast(kind))
        fields.append(found.with_type(kind))
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _batches(table: pa.Table) -> list[pa.RecordBatch]:
    """At least one batch: the engine takes the schema from it."""
    import pyarrow as pa

    batches = table.to_batches()
    return batches or [pa.RecordBatch.from_pylist([], schema=table.schema)]
