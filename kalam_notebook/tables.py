"""Complete reading: the plain answer where it can be trusted, else one exact statement.

The server cuts results at 50 and 1000 rows, re-sorts them, drops the sign of small decimals and mislabels computed
columns, all without a sign (truth L1–L8). A plain answer is final when nothing about it is suspicious. Otherwise the
same query is read as one aggregated row (truth R1), which no cap reaches and which is one point in time, under its true
types (R2), with values that lie sent as text (R6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from kalam_notebook.errors import DecodeError, KalamError, ProtocolError, ResultError, ServerError
from kalam_notebook.results import Completeness, QueryResult
from kalam_notebook.transport.http import NoAnswerError
from kalam_notebook.transport.sql import Answer
from kalam_notebook.wire.arrow_names import column_of, parse_arrow_type
from kalam_notebook.wire.body import RawResult
from kalam_notebook.wire.shape import Shape, rename_duplicates, shape_of
from kalam_notebook.wire.sql import UnreadableSQL, table_names
from kalam_notebook.wire.types import KALAM_TYPE, Column, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Endpoint", "Reader"]

#: Caps of a server with default settings (HTTP reference, section 10).
DEFAULT_CAP = 50
LIMIT_CAP = 1000

#: A sort without a limit may be planned away inside a sub-query; this limit keeps it (truth R1).
_NO_LIMIT = 9223372036854775807


class Endpoint(Protocol):
    """What can run SQL: ``transport.sql.SqlEndpoint``, or a script in tests."""

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Answer:
        """Run statements and read the whole answer."""

    def execute_row(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """Run a SELECT that returns one row, and give its cells as the wire has them."""

    def execute_lists(self, sql: str, params: Sequence[Any], types: Sequence[pa.DataType]) -> list[pa.Array | None]:
        """Run a SELECT that returns one row of lists, and give an array for each; None for NULL."""


@dataclass(frozen=True, slots=True)
class _TrueColumn:
    """A column under its true type: its name, its type as the engine prints it, and as Arrow."""

    name: str
    type_text: str
    type: pa.DataType


class Reader:
    """Reads queries completely.

    Args:
        endpoint: Runs the SQL.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._types: dict[str, list[str]] = {}  # Arrow types by SQL text.

    def read(self, sql: str, params: Sequence[Any] = ()) -> QueryResult:
        """Read a query, completely where that can be had.

        Args:
            sql: One statement that returns rows. Names are used as they are.
            params: JSON values for ``$1 …``.

        Raises:
            KalamError: The server refuses, or cannot be reached.
            ResultError: The text returns no rows, or several results with rows.
        """
        shape = shape_of(sql)
        try:
            answer = self._endpoint.execute(sql, params)
        except (NoAnswerError, ServerError, DecodeError) as exc:
            if shape is None or not shape.is_select or not _is_unencodable(exc):
                raise
            return self._read_again(shape, params, None, "the server could not encode a value", exc)
        index = _row_index(answer)
        raw, table = answer.results[index], answer.tables[index]
        bind = _table_of(sql)
        if shape is None or not shape.is_select:
            return _result(raw, table, _unchecked(shape, raw), bind)
        reason = suspicion(shape, raw, table) or self._mislabelled(shape, params, raw)
        if reason is None:
            requests = 1 if shape.is_plain else 2
            return _result(raw, table, Completeness(True, "complete", requests), bind)
        return self._read_again(shape, params, (raw, table), reason, None)

    def read_complete(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        """Every row of a SELECT, exactly, at one point in time.

        Raises:
            ResultError: The text is not a single SELECT.
            KalamError: The server refuses, or cannot be reached.
        """
        shape = shape_of(sql)
        if shape is None or not shape.is_select:
            raise ResultError("Only a single SELECT or WITH can be read completely.")
        columns = self._announced(shape, params)
        table, _ = self._read_exactly(shape, params, columns)
        return table

    def _read_again(
        self,
        shape: Shape,
        params: Sequence[Any],
        plain: tuple[RawResult, pa.Table | None] | None,
        reason: str,
        cause: Exception | None,
    ) -> QueryResult:
        try:
            columns = plain[0].columns if plain else self._announced(shape, params)
            table, shown = self._read_exactly(shape, params, columns)
        except (KalamError, _Unwrappable) as exc:
            if plain is None or (isinstance(exc, KalamError) and not isinstance(exc, (ServerError, ProtocolError))):
                raise cause or exc from exc
            why = str(exc).splitlines()[0]
            text = f"not certain: {reason}; reading it exactly failed: {why}"
            notice = f"This result is not certain: {reason}. Reading it exactly failed: {why}"
            return _result(*plain, Completeness(False, text, 3), _table_of(shape.text), notices=(notice,))
        completeness = Completeness(True, f"complete (read again exactly: {reason})", 3)
        return QueryResult(
            shown,
            table.num_rows,
            as_user=plain[0].as_user if plain else None,
            completeness=completeness,
            _table=table,
            _bind=_table_of(shape.text),
        )

    def _announced(self, shape: Shape, params: Sequence[Any]) -> tuple[Column, ...]:
        """The columns as the server announces them, without rows."""
        answer = self._endpoint.execute(f"SELECT * FROM (\n{shape.text}\n) AS q LIMIT 0", params)
        return answer.results[_row_index(answer)].columns

    def _true_types(self, shape: Shape, params: Sequence[Any], count: int) -> list[str]:
        """The Arrow types of the output, also of an empty result (truth R2)."""
        key = f"{shape.text}\n{[type(value).__name__ for value in params]}"
        if key not in self._types:
            names = [f"c{index}" for index in range(count)]
            asked = ", ".join(f"arrow_typeof(first_value({name})) AS {name}" for name in names)
            sql = f"SELECT {asked} FROM (\n{_sorted_text(shape)}\n) AS q({', '.join(names)})"
            row = self._endpoint.execute_row(sql, params)
            if len(self._types) >= 500:
                self._types.clear()
            self._types[key] = [str(value) for value in row]
        return self._types[key]

    def _mislabelled(self, shape: Shape, params: Sequence[Any], raw: RawResult) -> str | None:
        """Whether a computed column is announced under another type than it has (truth L6, L7)."""
        if shape.is_plain or not raw.columns:
            return None
        try:
            types = self._true_types(shape, params, len(raw.columns))
        except ServerError as exc:
            return f"the true types could not be asked for ({exc.message.splitlines()[0]})"
        for column, text in zip(raw.columns, types, strict=True):
            if not _agrees(column, text):
                return f"column {column.name!r} is announced as {column.sql_type} and is {text}"
        return None

    def _read_exactly(
        self, shape: Shape, params: Sequence[Any], columns: Sequence[Column]
    ) -> tuple[pa.Table, tuple[Column, ...]]:
        """The whole result as one aggregated row (truth R1).

        Raises:
            _Unwrappable: The query cannot stand in a sub-query.
            ServerError: The server refuses, for example for its memory limit.
        """
        if not columns:
            raise _Unwrappable("a result without columns cannot be read as one row")
        column_names = [column.name for column in columns]
        if len(set(column_names)) < len(column_names):
            text = rename_duplicates(shape.text, column_names)
            if text is None:
                raise _Unwrappable("columns with equal names cannot be told apart; give them names with AS")
            shape = replace(shape, text=text)
        types = self._true_types(shape, params, len(columns))
        true = [_TrueColumn(c.name, text, _true_type(text)) for c, text in zip(columns, types, strict=True)]
        names = [f"c{index}" for index in range(len(true))]
        lists = ", ".join(f"array_agg({_exact(n, t)}) AS {n}" for n, t in zip(names, true, strict=True))
        inner = f"(\n{_sorted_text(shape)}\n) AS q({', '.join(names)})"
        sql = f"SELECT array_agg(rn) AS rn, {lists} FROM (SELECT *, row_number() OVER () AS rn FROM {inner}) AS r"
        import pyarrow as pa

        try:
            arrays = self._endpoint.execute_lists(sql, params, [pa.int64(), *(column.type for column in true)])
        except (ValueError, TypeError, OverflowError) as exc:
            raise ProtocolError(f"The exact answer has a value that does not fit its type: {exc}") from exc
        fields = [_field(column, found) for column, found in zip(columns, true, strict=True)]
        table = assemble(arrays, pa.schema(fields))
        if not shape.order_by and shape.order_by is not None:
            table = _sort_by_key(table, columns)
        return table, tuple(
            column if _agrees(column, text) else column_of(column.name, text)
            for column, text in zip(columns, types, strict=True)
        )


class _Unwrappable(Exception):
    """The query cannot be read as one aggregated row."""


def suspicion(shape: Shape, raw: RawResult, table: pa.Table | None) -> str | None:
    """Why a plain answer cannot be trusted, or None (truth, section 3)."""
    cap = LIMIT_CAP if shape.limits_top else DEFAULT_CAP
    if raw.row_count >= cap:
        return f"the server cuts results at {cap} rows"
    unsafe_sort = shape.order_by is None or (shape.order_by and (shape.limits_top or not _in_output(shape, raw)))
    if raw.row_count > 1 and unsafe_sort:
        return "the server re-sorts sorted and limited results by the key"
    if table is not None and _may_lack_sign(table):
        return "the server drops the sign of decimals between -1 and 0"
    return None


def _in_output(shape: Shape, raw: RawResult) -> bool:
    names = {column.name for column in raw.columns}
    return all(name in names for name in shape.order_by or ())


def _may_lack_sign(table: pa.Table) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    for column in table.columns:
        if pa.types.is_decimal(column.type):
            small = pc.and_(pc.greater(column, 0), pc.less(column, 1))
            if pc.any(small).as_py():
                return True
    return False


def _is_unencodable(error: Exception) -> bool:
    return isinstance(error, (NoAnswerError, DecodeError)) or (
        isinstance(error, ServerError) and error.code == "INTERNAL_ERROR"
    )


def _agrees(column: Column, type_text: str) -> bool:
    """Whether the announced type and the true one have the same cells.

    Text holds JSON and FILE; a stored timestamp has no zone in Arrow, and its cells are the same microseconds.
    """
    try:
        true = parse_arrow_type(type_text)
    except ProtocolError:
        return False
    announced = arrow_type(column)
    if column.type_name in {"Timestamp", "DateTime"}:
        return str(true).startswith("timestamp[us")
    return bool(announced == true)


def _exact(name: str, column: _TrueColumn) -> str:
    """The expression that sends a column without loss inside a list (truth R6)."""
    from pyarrow import types

    kind = column.type
    if types.is_decimal(kind) or types.is_floating(kind) or column.type_text == "Utf8View":
        return f"arrow_cast({name}, 'Utf8')"
    if types.is_timestamp(kind) or types.is_time64(kind) or types.is_date64(kind) or types.is_duration(kind):
        return f"arrow_cast({name}, 'Int64')"
    if types.is_binary(kind) or types.is_large_binary(kind):
        return f"encode({name}, 'base64')"
    return name


def assemble(lists: Sequence[pa.Array | None], schema: pa.Schema) -> pa.Table:
    """Put the lists of an exact answer together.

    Args:
        lists: First the row numbers, then one list for each field. They are aligned with each other but in no order;
            all are None when there are no rows.
        schema: The fields.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers, *columns = lists
    if numbers is None:
        return schema.empty_table()
    table = pa.Table.from_arrays(columns, schema=schema)
    is_sorted = pc.all(pc.less(numbers[:-1], numbers[1:])).as_py() is not False
    return table if is_sorted else table.take(pc.sort_indices(numbers))


def _field(column: Column, true: _TrueColumn) -> pa.Field:
    import pyarrow as pa

    shown = column if _agrees(column, true.type_text) else column_of(column.name, true.type_text)
    return pa.field(column.name, true.type, metadata={KALAM_TYPE: shown.sql_type.encode()})


def _true_type(text: str) -> pa.DataType:
    """The type of a column in results; a timestamp without a zone is UTC, as the server means it."""
    import pyarrow as pa

    kind = parse_arrow_type(text)
    if pa.types.is_timestamp(kind) and kind.tz in (None, "+00:00"):
        return pa.timestamp(kind.unit, "UTC")
    return kind


def _sort_by_key(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """Rows in order of the primary key when it is in the result, as the server sends small results."""
    keys = [index for index, column in enumerate(columns) if column.is_primary_key]
    if len(keys) != 1:
        return table
    import pyarrow.compute as pc

    return table.take(pc.sort_indices(table.column(keys[0])))


def _sorted_text(shape: Shape) -> str:
    needs_limit = shape.order_by != () and not shape.limits_top
    return f"{shape.text}\nLIMIT {_NO_LIMIT}" if needs_limit else shape.text


def _row_index(answer: Answer) -> int:
    """The position of the one result with rows."""
    found = [index for index, table in enumerate(answer.tables) if table is not None]
    if len(found) == 1:
        return found[0]
    if not found:
        messages = "; ".join(raw.message or f"{raw.row_count} row(s)" for raw in answer.results)
        raise ResultError(
            f"The statement was carried out ({messages or 'no message'}) and returns no rows.\n"
            "Use execute_query for such statements."
        )
    raise ResultError(
        f"The text holds {len(found)} statements that return rows; one is needed here.\n"
        "Use execute_query(sql).results for all of them."
    )


def _table_of(sql: str) -> tuple[str, str] | None:
    """The one table that a text reads, for binding FILE references; None when there are several or none."""
    try:
        names = {(name.namespace, name.table) for name in table_names(sql)}
    except UnreadableSQL:
        return None
    if len(names) != 1:
        return None
    namespace, table = names.pop()
    return (namespace or "default", table)


def _unchecked(shape: Shape | None, raw: RawResult) -> Completeness:
    """For texts that cannot be read again: SHOW and DESCRIBE are not cut, anything else may be."""
    if shape is not None or raw.row_count < DEFAULT_CAP:
        return Completeness(True, "complete")
    return Completeness(False, f"not certain: {raw.row_count} rows, and the server may have cut them without saying so")


def _result(
    raw: RawResult,
    table: pa.Table | None,
    completeness: Completeness,
    bind: tuple[str, str] | None,
    notices: tuple[str, ...] = (),
) -> QueryResult:
    if not completeness.is_complete and not notices:
        notices = (completeness.text,)
    return QueryResult(
        raw.columns, raw.row_count, raw.message, raw.as_user, completeness, notices, _table=table, _bind=bind
    )
