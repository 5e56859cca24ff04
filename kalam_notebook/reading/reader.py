"""The road of a query: the plain answer where it can be trusted, else one exact statement.

The server cuts results at 50 and 1000 rows, re-sorts them, drops the sign of small decimals and mislabels computed
columns, all without a sign (truth L1–L8). A plain answer is final when nothing about it is suspicious; otherwise the
same query is read exactly. What could not be made sure is said in the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kalam_notebook.errors import DecodeError, ProtocolError, ResultError, ServerError
from kalam_notebook.reading.endpoint import CountingEndpoint, Endpoint, ImpersonatingEndpoint
from kalam_notebook.reading.exact import ExactReader, Unwrappable, agrees, sort_by_key
from kalam_notebook.reading.local import LocalEngine
from kalam_notebook.reading.suspicion import DEFAULT_CAP, is_unencodable, spoilt, suspicion
from kalam_notebook.reading.walk import Walk, plan_walk
from kalam_notebook.reading.window import WindowCheck
from kalam_notebook.results import Completeness, QueryResult
from kalam_notebook.transport.http_failures import NoAnswerError
from kalam_notebook.transport.sql import Answer
from kalam_notebook.wire.arrow_names import column_of_arrow
from kalam_notebook.wire.decimals import cast_decimals
from kalam_notebook.wire.shape import Shape, impersonation, shape_of
from kalam_notebook.wire.sql import UnreadableSQL, quote_name, table_names
from kalam_notebook.wire.types import Column, is_known

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Reader"]


class Reader:
    """Reads queries completely.

    Args:
        endpoint: Runs the SQL.
        window: Tells tables that the server scans only in part; None checks none, for tests.
    """

    def __init__(self, endpoint: Endpoint, window: WindowCheck | None = None) -> None:
        self._endpoint = endpoint
        self._exact = ExactReader()
        self._local = LocalEngine()
        self._window = window

    def read(self, sql: str, params: Sequence[Any] = (), *, max_rows: int | None = None) -> QueryResult:
        """Read a query, completely where that can be had.

        Args:
            sql: One statement that returns rows. Names are used as they are.
            params: JSON values for ``$1 …``.
            max_rows: Rows after which reading stops, with a notice; None for all.

        Raises:
            KalamError: The server refuses, or cannot be reached.
            ResultError: The text returns no rows, or several results with rows.
        """
        endpoint: Endpoint = self._endpoint
        user: str | None = None
        if (envelope := impersonation(sql)) is not None:
            user, sql = envelope
            endpoint = ImpersonatingEndpoint(endpoint, user)
        shape = shape_of(cast_decimals(sql, params))
        run = _Run(CountingEndpoint(endpoint), self._exact, params, max_rows)
        if shape is None or not shape.is_select:
            found = run.plain(sql)
            return run.result(found, _unchecked(shape, found), _table_of(sql))
        found, doubt = run.select(shape)
        return self._checked(run, shape, found, doubt, user)

    def read_locally(self, sql: str, params: Sequence[Any] = ()) -> QueryResult:
        """Run a SELECT in this process, on exact copies of its tables (see ``local``).

        Raises:
            KalamError: A table cannot be read, or the engine refuses the query.
            ResultError: The text is not a single SELECT.
        """
        shape = shape_of(cast_decimals(sql, params))
        if shape is None or not shape.is_select:
            raise ResultError("engine='local' runs a single SELECT or WITH.")
        run = _Run(CountingEndpoint(self._endpoint), self._exact, params)
        table, read = self._local.query(run.endpoint, shape, params)
        columns = tuple(column_of_arrow(found) for found in table.schema)
        completeness = Completeness(True, f"complete (run locally on {read})")
        return run.result(_Found(columns, table), completeness, _table_of(sql))

    def read_complete(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        """Every row of a SELECT, exactly, at one point in time unless its table is beyond the scan window.

        Raises:
            ResultError: The text is not a single SELECT, or it cannot be made sure that all rows are there.
            KalamError: The server refuses, or cannot be reached.
        """
        shape = shape_of(cast_decimals(sql, params))
        if shape is None or not shape.is_select:
            raise ResultError("Only a single SELECT or WITH can be read completely.")
        run = _Run(CountingEndpoint(self._endpoint), self._exact, params)
        result = self._checked(run, shape, run.exact(shape, None), None)
        if result.completeness is None or not result.completeness.is_complete:
            raise ResultError(f"The query cannot be read completely: {result.completeness}.")
        return result.arrow()

    def _checked(
        self, run: _Run, shape: Shape, found: _Found, doubt: Doubt | None, user: str | None = None
    ) -> QueryResult:
        """The result, after a look at the scan window of its tables (truth R7)."""
        bind = _table_of(shape.text)
        if doubt is not None and doubt.failure is not None:
            return run.result(found, Completeness(False, f"not certain: {doubt}", run.requests), bind)
        told = "complete" if doubt is None else f"complete (read again exactly: {doubt})"
        tables = _scanned_tables(shape.text)
        if tables is None:
            return run.result(found, Completeness(False, _UNTOLD, run.requests), bind)
        for table in tables:
            beyond = self._window.is_beyond(run.endpoint, table, user) if self._window else False
            if beyond is None:
                told = f"not certain: {table} cannot be checked for unread rows, it may be a view"
                return run.result(found, Completeness(False, told, run.requests), bind)
            if beyond and shape.clauses is None:
                return run.result(found, Completeness(False, _beyond(table), run.requests), bind)
            if beyond:
                return run.result(
                    run.walk(shape, found.columns), Completeness(True, _walked(table), run.requests), bind
                )
        return run.result(found, Completeness(True, told, run.requests), bind)


@dataclass(frozen=True, slots=True)
class _Found:
    """Rows and their columns, with what the plain answer said beside them."""

    columns: tuple[Column, ...]
    table: pa.Table
    as_user: str | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a plain answer was not trusted, and why it could not be read again."""

    reason: str
    failure: str | None = None

    def __str__(self) -> str:
        return self.reason if self.failure is None else f"{self.reason}; reading it exactly failed: {self.failure}"


class _Run:
    """The requests of one read."""

    def __init__(
        self, endpoint: CountingEndpoint, exact: ExactReader, params: Sequence[Any], max_rows: int | None = None
    ) -> None:
        self.endpoint = endpoint
        self._exact = exact
        self._params = params
        self._max_rows = max_rows

    @property
    def requests(self) -> int:
        return self.endpoint.requests

    def plain(self, sql: str) -> _Found:
        answer = self.endpoint.execute(sql, self._params)
        index = _row_index(answer)
        raw, table = answer.results[index], answer.tables[index]
        assert table is not None
        return _Found(raw.columns, table, raw.as_user, _unknown_types(raw.columns))

    def select(self, shape: Shape) -> tuple[_Found, Doubt | None]:
        """The plain answer when it can be trusted, else the exact one."""
        try:
            found = self.plain(shape.text)
        except (NoAnswerError, ServerError, DecodeError) as exc:
            if not is_unencodable(exc):
                raise
            try:
                return self.exact(shape, None), Doubt("the server could not encode a value")
            except (ServerError, ProtocolError, ResultError):
                raise exc from None
        reason = suspicion(shape, found.columns, found.table) or self._mislabelled(shape, found.columns)
        if reason is None:
            return found, None
        try:
            return self.exact(shape, found), Doubt(reason)
        except (NoAnswerError, ServerError, ProtocolError, ResultError) as exc:
            return found, Doubt(reason, str(exc).splitlines()[0])

    def exact(self, shape: Shape, plain: _Found | None) -> _Found:
        columns = plain.columns if plain else self._exact.announced(self.endpoint, shape, self._params)
        try:
            # One row more than wanted tells that there are more.
            limit = None if self._max_rows is None else self._max_rows + 1
            table, shown = self._exact.read(self.endpoint, shape, self._params, columns, limit=limit)
        except Unwrappable as exc:
            raise ResultError(f"{exc}.") from exc
        return _Found(shown, table, plain.as_user if plain else None)

    def walk(self, shape: Shape, columns: Sequence[Column]) -> _Found:
        plan = plan_walk(self.endpoint, shape, columns, self._params)
        walk = Walk(plan)
        walk.run(self.endpoint)
        # A walk goes by _seq where keys repeat (STREAM).
        return _Found(tuple(columns), sort_by_key(walk.result(), columns))

    def result(self, found: _Found, completeness: Completeness, bind: tuple[str, str] | None) -> QueryResult:
        table = found.table
        if completeness.is_complete and (damage := spoilt(found.columns, table)) is not None:
            completeness = Completeness(False, f"not certain: {damage}")
        if self._max_rows is not None and table.num_rows > self._max_rows:
            table = table.slice(0, self._max_rows)
            text = f"cut at max_rows: there are more than {self._max_rows:,} rows; pass max_rows=None for all"
            completeness = Completeness(False, text)
        return QueryResult(
            found.columns,
            table.num_rows,
            as_user=found.as_user,
            completeness=replace(completeness, requests=self.requests),
            notices=(*(() if completeness.is_complete else (completeness.text,)), *found.notices),
            _table=table,
            _bind=bind,
        )

    def _mislabelled(self, shape: Shape, columns: Sequence[Column]) -> str | None:
        """Whether a computed column is announced under another type than it has (truth L6, L7)."""
        if shape.is_plain or not columns:
            return None
        try:
            types = self._exact.true_types(self.endpoint, shape, self._params, columns)
        except (NoAnswerError, ServerError) as exc:
            return f"the true types could not be asked for ({str(exc).splitlines()[0]})"
        for column, text in zip(columns, types, strict=True):
            if not agrees(column, text):
                return f"column {column.name!r} is announced as {column.sql_type} and is {text}"
        return None


def _unknown_types(columns: Sequence[Column]) -> tuple[str, ...]:
    """A sentence for each column of a type that this version does not know."""
    return tuple(
        f"Column {column.name!r} has the type {column.type_name!r}, which this version does not know; its values are "
        "shown as text."
        for column in columns
        if not is_known(column)
    )


def _beyond(table: str) -> str:
    return (
        f"not certain: {table} holds more unflushed row versions than the server scans, so rows may be missing or "
        f"stale. Run STORAGE FLUSH TABLE {table} (needs dba), or query(..., engine='local')"
    )


def _walked(table: str) -> str:
    return f"complete (walked by _seq: {table} holds more row versions than the server scans)"


_UNTOLD = "not certain: the tables that the query reads cannot be told from its text, so they were not checked"


def _scanned_tables(sql: str) -> list[str] | None:
    """The tables that a query scans, each once, without the server's own; None when they cannot be told."""
    try:
        names = table_names(sql)
    except UnreadableSQL:
        return None
    found = {(name.namespace or "default", name.table): None for name in names}
    own = {"system", "information_schema"}
    return [f"{quote_name(space)}.{quote_name(table)}" for space, table in found if space not in own]


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


def _unchecked(shape: Shape | None, found: _Found) -> Completeness:
    """For texts that cannot be read again: SHOW and DESCRIBE are not cut, anything else may be."""
    rows = found.table.num_rows
    if rows < DEFAULT_CAP or (shape is not None and shape.is_told_whole):
        return Completeness(True, "complete")
    return Completeness(False, f"not certain: {rows} rows, and the server may have cut them without saying so")
