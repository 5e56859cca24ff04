"""Exact reading: the whole result as one aggregated row, under its true types (truth R1, R2, R6).

Caps count output rows, so an aggregate of everything escapes them, at one point in time. Lists come aligned but in no
order; a row number beside them tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.errors import ProtocolError, ServerError
from kalam_notebook.http.failures import is_confused_by_columns
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.forms import exact_text, is_found, true_type
from kalam_notebook.reading.window import EVERY_VERSION
from kalam_notebook.sql.shape import Clauses, Shape, bare_branches, rename_duplicates
from kalam_notebook.sql.sorts import NO_LIMIT
from kalam_notebook.sql.statement import enclosed
from kalam_notebook.sql.tables import is_one_scan
from kalam_notebook.wire.answered import number_in, table_of
from kalam_notebook.wire.arrow_names import column_of, parse_arrow_type
from kalam_notebook.wire.row_version import RowVersion
from kalam_notebook.wire.types import KALAM_TYPE, Column, arrow_type

__all__ = ["ExactReader", "Unwrappable", "agrees", "assemble", "exact_text"]


class Unwrappable(Exception):
    """The query cannot be read as one aggregated row."""


@dataclass(frozen=True, slots=True)
class _TrueColumn:
    """A column under its true type: its name, its type as the engine prints it, and as Arrow."""

    name: str
    type_text: str
    type: pa.DataType


class ExactReader:
    """Reads queries as one aggregated row. Keeps the true types of queries that it has seen."""

    def __init__(self) -> None:
        self._types: dict[tuple[object, ...], list[str]] = {}  # Arrow types by query.

    def forget(self) -> None:
        """Trust nothing that was found out about queries, because a table may be another one now."""
        self._types.clear()

    def true_types(
        self, endpoint: Endpoint, shape: Shape, params: Sequence[Any], columns: Sequence[Column]
    ) -> list[str]:
        """The Arrow types of the output, also of an empty result (truth R2)."""
        # The announced columns belong to it: a table may have been made anew with other types.
        key = (shape.text, *(type(value).__name__ for value in params), *columns)
        if key not in self._types:
            names = [f"c{index}" for index in range(len(columns))]
            asked = ", ".join(f"arrow_typeof(first_value({name})) AS {name}" for name in names)

            def ask(text: str) -> list[Any]:
                # Without rows nothing is scanned.
                inner = f"SELECT * FROM {enclosed(text)} AS kalam_all LIMIT 0"
                return endpoint.execute_row(f"SELECT {asked} FROM ({inner}) AS q({', '.join(names)})", params)

            row = _in_either_form(_typed_text(shape, columns), names, ask)
            if len(self._types) >= 500:
                self._types.clear()
            if len(row) != len(names):
                raise ProtocolError(f"The answer has {len(row)} cells, where {len(names)} types were expected.")
            self._types[key] = [str(value) for value in row]
        return self._types[key]

    def read(
        self,
        endpoint: Endpoint,
        shape: Shape,
        params: Sequence[Any],
        columns: Sequence[Column],
        *,
        limit: int | None = None,
        careful: bool = False,
    ) -> tuple[pa.Table, tuple[Column, ...]]:
        """Read the whole result.

        Args:
            endpoint: Runs the SQL.
            shape: A single SELECT.
            params: JSON values for ``$1 …``.
            columns: Its columns as announced.
            limit: Rows to read at most; None for all.
            careful: Whether the server could not encode a value.

        Returns:
            The rows in the user's order, else in none; and the columns under their true types.

        Raises:
            Unwrappable: The query cannot stand in a sub-query.
            ServerError: The server refuses, for example for its memory limit.
        """
        shape = _wrappable(shape, columns)
        types = self.true_types(endpoint, shape, params, columns)
        true = [_TrueColumn(c.name, text, true_type(text)) for c, text in zip(columns, types, strict=True)]
        names = [f"c{index}" for index in range(len(true))]
        lists = ", ".join(
            f"array_agg({exact_text(n, t.type, t.type_text, careful=careful)}) AS {n}"
            for n, t in zip(names, true, strict=True)
        )
        key = next((name for name, column in zip(names, columns, strict=True) if column.is_primary_key), None)
        # Behind a join a key is not unique, and such a sort may cost more memory than the server gives.
        is_sorted = key and shape.order_by == () and is_one_scan(shape.text)
        first = f"ORDER BY {key} " if is_sorted else ""

        def ask(text: str) -> list[pa.Array | None]:
            inner = f"{enclosed(text)} AS q({', '.join(names)})"
            if limit is not None:
                inner = f"(SELECT * FROM {inner} {first}LIMIT {limit}) AS l"
            sql = f"SELECT array_agg(rn) AS rn, {lists} FROM (SELECT *, row_number() OVER () AS rn FROM {inner}) AS r"
            (found,) = endpoint.execute_lists(sql, params, [[pa.int64(), *(column.type for column in true)]])
            return found

        arrays = _in_either_form(_sorted_text(shape), names, ask)
        fields = [_field(column, found) for column, found in zip(columns, true, strict=True)]
        table = assemble(arrays, pa.schema(fields))
        return table, tuple(
            column if agrees(column, text) else column_of(column.name, text)
            for column, text in zip(columns, types, strict=True)
        )

    def read_versions(
        self,
        endpoint: Endpoint,
        clauses: Clauses,
        version: RowVersion,
        types: Sequence[str],
        params: Sequence[Any],
        columns: Sequence[Column],
    ) -> tuple[pa.Table, int]:
        """Read a plain query over one table, and with it the newest version that the scan has seen.

        One scan tells the rows, and whether it was cut: a condition on ``_deleted`` makes it go through deleted rows as
        well. So the query's own condition chooses what is listed instead of what is scanned.

        Args:
            endpoint: Runs the SQL.
            clauses: The query, whose condition names neither the version nor ``_deleted``.
            version: The row version of its table.
            types: The Arrow types of the output.
            params: JSON values for ``$1 …``.
            columns: Its columns as announced, with different names.

        Returns:
            The rows in no order, and the newest version, tombstones included; 0 for an empty table.

        Raises:
            ServerError: The server refuses, for example for its memory limit.
        """
        true = [_TrueColumn(c.name, text, true_type(text)) for c, text in zip(columns, types, strict=True)]
        names = [f"c{index}" for index in range(len(true))]
        lists = ", ".join(
            f"array_agg({exact_text(n, t.type, t.type_text)}) FILTER (WHERE m = 1) AS {n}"
            for n, t in zip(names, true, strict=True)
        )
        inner = (
            f"SELECT {clauses.columns}\n, {version.name} AS kalam_seq, {is_found(clauses.where)} AS kalam_found "
            f"FROM {clauses.table} WHERE {EVERY_VERSION}"
        )
        # Without row numbers, which only a sort would need: they cost the server a quarter of the scan.
        sql = f"SELECT {lists}, [max(s)] AS s FROM {enclosed(inner)} AS q({', '.join([*names, 's', 'm'])})"
        found_types = [*(column.type for column in true), pa.int64()]
        ((*arrays, newest),) = endpoint.execute_lists(sql, params, [found_types])
        schema = pa.schema([_field(column, found) for column, found in zip(columns, true, strict=True)])
        return table_of(arrays, schema), number_in(newest)


def _in_either_form(text: str, names: Sequence[str], ask: Callable[[str], list[Any]]) -> list[Any]:
    """Ask with a query, and where the engine trips over what it knows of the columns, with their bare values.

    It fails to aggregate ``NOT flag`` and the like, whose columns it knows in two ways. The element of a list has a
    type alone.
    """
    try:
        return ask(text)
    except ServerError as exc:
        if not is_confused_by_columns(exc):
            raise
    bare = ", ".join(f"[{name}][1] AS {name}" for name in names)
    return ask(f"SELECT {bare} FROM {enclosed(text)} AS kalam_bare({', '.join(names)})")


def _wrappable(shape: Shape, columns: Sequence[Column]) -> Shape:
    """The query in a form that can stand in a sub-query."""
    shape = _with_distinct_names(shape, columns)
    return replace(shape, text=bare_branches(shape.text, [column.name for column in columns]))


def _typed_text(shape: Shape, columns: Sequence[Column]) -> str:
    """The text whose types are asked for; equal names are no hindrance to that where they come from two tables."""
    try:
        return _wrappable(shape, columns).text
    except Unwrappable:
        return shape.text


def _with_distinct_names(shape: Shape, columns: Sequence[Column]) -> Shape:
    if not columns:
        raise Unwrappable("a result without columns cannot be read as one row")
    names = [column.name for column in columns]
    if len(set(names)) == len(names):
        return shape
    text = rename_duplicates(shape.text, names)
    if text is None:
        raise Unwrappable("columns with equal names cannot be told apart; give them names with AS")
    return replace(shape, text=text)


def agrees(column: Column, type_text: str) -> bool:
    """Whether the announced type and the true one have the same cells.

    Text holds JSON and FILE; a stored timestamp has no zone in Arrow, and its cells are the same microseconds.
    """
    try:
        true = parse_arrow_type(type_text)
    except ProtocolError:
        return False
    announced = arrow_type(column)
    if column.type_name in {"Timestamp", "DateTime"}:
        return str(true) in {"timestamp[us]", "timestamp[us, tz=UTC]", "timestamp[us, tz=+00:00]"}
    return bool(announced == true)


def assemble(lists: Sequence[pa.Array | None], schema: pa.Schema) -> pa.Table:
    """Put the lists of an exact answer together.

    Args:
        lists: First the row numbers, then one list for each field. They are aligned with each other but in no order;
            all are None when there are no rows.
        schema: The fields.
    """
    numbers, *columns = lists
    table = table_of(columns, schema)
    if numbers is None:
        return table
    if len(numbers) != table.num_rows or numbers.null_count:
        raise ProtocolError("The answer has other numbers than those of its rows.")
    is_sorted = pc.all(pc.less(numbers[:-1], numbers[1:])).as_py() is not False
    return table if is_sorted else table.take(pc.sort_indices(numbers))


def _field(column: Column, true: _TrueColumn) -> pa.Field:
    shown = column if agrees(column, true.type_text) else column_of(column.name, true.type_text)
    return pa.field(column.name, true.type, metadata={KALAM_TYPE: shown.sql_type.encode()})


def _sorted_text(shape: Shape) -> str:
    """The query with a limit that keeps its sort, which may be planned away inside a sub-query (truth R1)."""
    return shape.text if shape.order_by == () or shape.limits_top else f"{shape.text}\nLIMIT {NO_LIMIT}"
