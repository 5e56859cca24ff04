"""The road of a query: the plain answer where it can be trusted, else one exact statement.

The server cuts results at 50 and 1000 rows, re-sorts them, drops the sign of small decimals and mislabels computed
columns, all without a sign (truth L1–L8). A plain answer is final when nothing about it is suspicious; otherwise the
same query is read exactly. What could not be made sure is said in the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kalam_notebook.errors import DecodeError, KalamError, ProtocolError, ResultError, ServerError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.exact import ExactReader, Unwrappable, agrees
from kalam_notebook.reading.suspicion import DEFAULT_CAP, is_unencodable, suspicion
from kalam_notebook.results import Completeness, QueryResult
from kalam_notebook.transport.http import NoAnswerError
from kalam_notebook.transport.sql import Answer
from kalam_notebook.wire.body import RawResult
from kalam_notebook.wire.shape import Shape, shape_of
from kalam_notebook.wire.sql import UnreadableSQL, table_names

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Reader"]


class Reader:
    """Reads queries completely.

    Args:
        endpoint: Runs the SQL.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._exact = ExactReader(endpoint)

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
            if shape is None or not shape.is_select or not is_unencodable(exc):
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
            ResultError: The text is not a single SELECT, or cannot be read as one row.
            KalamError: The server refuses, or cannot be reached.
        """
        shape = shape_of(sql)
        if shape is None or not shape.is_select:
            raise ResultError("Only a single SELECT or WITH can be read completely.")
        try:
            table, _ = self._exact.read(shape, params, self._exact.announced(shape, params))
        except Unwrappable as exc:
            raise ResultError(f"The query cannot be read completely: {exc}.") from exc
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
            columns = plain[0].columns if plain else self._exact.announced(shape, params)
            table, shown = self._exact.read(shape, params, columns)
        except (KalamError, Unwrappable) as exc:
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

    def _mislabelled(self, shape: Shape, params: Sequence[Any], raw: RawResult) -> str | None:
        """Whether a computed column is announced under another type than it has (truth L6, L7)."""
        if shape.is_plain or not raw.columns:
            return None
        try:
            types = self._exact.true_types(shape, params, len(raw.columns))
        except ServerError as exc:
            return f"the true types could not be asked for ({exc.message.splitlines()[0]})"
        for column, text in zip(raw.columns, types, strict=True):
            if not agrees(column, text):
                return f"column {column.name!r} is announced as {column.sql_type} and is {text}"
        return None


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
