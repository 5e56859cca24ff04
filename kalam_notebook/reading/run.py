"""The methods of one read: the plain answer, one exact statement, a pager. Which one is taken, the reader decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from kalam_notebook.errors import DecodeError, NotLeaderError, ProtocolError, RateLimitError, ResultError, ServerError
from kalam_notebook.http.bounded import TooLargeError
from kalam_notebook.http.endpoint import Answer
from kalam_notebook.http.failures import NoAnswerError, is_exhausted
from kalam_notebook.reading.endpoint import CountingEndpoint, Endpoint
from kalam_notebook.reading.exact import ExactReader, Unwrappable, agrees
from kalam_notebook.reading.kept_sorts import KeptSorts, is_at_risk, table_to_prove
from kalam_notebook.reading.one_state import OneStateEndpoint
from kalam_notebook.reading.order import in_stable_order, sort_by_key
from kalam_notebook.reading.pager import Pager, PagerPlan, plan_pager
from kalam_notebook.reading.server_limits import LimitsProbe
from kalam_notebook.reading.trust import (
    has_null_floats,
    is_too_much,
    is_unencodable,
    may_be_lists,
    reason_to_doubt,
)
from kalam_notebook.results.results import Method
from kalam_notebook.sql.shape import Shape, rename_duplicates, shape_of
from kalam_notebook.sql.stars import expand_stars, star_sources
from kalam_notebook.sql.statement import enclosed
from kalam_notebook.sql.tables import is_one_scan, reads_system_tables, scanned_tables
from kalam_notebook.wire.arrow_names import column_of
from kalam_notebook.wire.row_version import row_version_of
from kalam_notebook.wire.types import Column, unknown_types

__all__ = ["Found", "Run"]


@dataclass(frozen=True, slots=True)
class Found:
    """Rows and how they were found.

    Attributes:
        columns: Their columns, under the types that they have.
        table: The rows.
        as_user: User id that the server ran the query as, or None.
        notices: Things the reader should know, in words.
        method: How they were read.
        reason: Why the plain answer was not trusted; None when it was.
        failure: Why it could not be read again, though it should have been.
        upto: The version up to which a pager has read, by name.
    """

    columns: tuple[Column, ...]
    table: pa.Table
    as_user: str | None = None
    notices: tuple[str, ...] = ()
    method: Method = "plain"
    reason: str | None = None
    failure: str | None = None
    upto: str = ""


class Run:
    """The requests of one read.

    Args:
        endpoint: Runs the SQL, and counts.
        exact: Reads queries as one aggregated row.
        limits: Asks the server for its caps, and for what it can send.
        sorts: What was seen of the sorts that the server keeps.
        refused: Tables that the server does not read in one transaction; kept up here.
        params: JSON values for ``$1 …``.
        max_rows: Rows that are wanted at most; None for all.
        on_rows: Called with the number of rows that a pager has found so far.
    """

    def __init__(
        self,
        endpoint: CountingEndpoint,
        exact: ExactReader,
        limits: LimitsProbe,
        sorts: KeptSorts,
        refused: set[tuple[str, ...]],
        params: Sequence[Any],
        max_rows: int | None = None,
        on_rows: Callable[[int], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.params = params
        self.max_rows = max_rows
        self._exact = exact
        self._limits = limits
        self._sorts = sorts
        self._refused = refused
        self._on_rows = on_rows
        self._as_user: str | None = None  # As whom the server ran the last question for columns.

    @property
    def requests(self) -> int:
        """Requests sent so far."""
        return self.endpoint.requests

    @property
    def limit(self) -> int | None:
        """Rows to read at most: one more than wanted tells that there are more."""
        return None if self.max_rows is None else self.max_rows + 1

    def plain(self, sql: str) -> Found:
        """The answer as the server sends it; that to a query of several scans for one state (truth L29)."""
        answer = self._at_one_state(sql).execute(sql, self.params)
        index = _row_index(answer)
        raw, table = answer.results[index], answer.tables[index]
        assert table is not None
        return Found(raw.columns, table, raw.as_user, unknown_types(raw.columns))

    def _at_one_state(self, sql: str) -> Endpoint:
        shape = shape_of(sql)
        if shape is None or not shape.is_select or is_one_scan(sql):
            return self.endpoint
        return OneStateEndpoint(self.endpoint, _tables_of(sql), self._refused)

    def is_of_one_state(self, sql: str) -> bool:
        """Whether the scans of a query see one state, as far as it is known."""
        return is_one_scan(sql) or _tables_of(sql) not in self._refused

    def is_long(self, shape: Shape) -> bool:
        """Whether the plain answer is cut, or too large for the server's memory or to be read at once."""
        try:
            found = self.plain(shape.text)
        except (NoAnswerError, ServerError, DecodeError, TooLargeError) as exc:
            if is_too_much(exc):
                return True
            if not is_unencodable(exc):
                raise
            return False
        rows: int = found.table.num_rows
        return rows > 1 and rows >= self._limits.ask(self.endpoint).default_cap

    def select(self, shape: Shape) -> Found:
        """The plain answer when it can be trusted, else the exact one, else a pager where memory does not suffice."""
        try:
            found = self.plain(shape.text)
        except (NoAnswerError, ServerError, DecodeError) as exc:
            return self._after_failure(shape, exc)

        reason = self._reason_to_doubt(shape, found) or self._mislabelled(shape, found)
        if reason is None:
            return self._ordered(shape, found)

        try:
            return replace(self._exact_again(shape, found), reason=reason)
        except TooLargeError:
            raise  # What it says is of more use than rows that the server has cut.
        except (ServerError, ProtocolError, ResultError) as exc:
            if _may_pass(exc):
                raise  # It would work a moment later; a damaged answer is no substitute for that.
            if is_exhausted(exc) and shape.clauses is not None:
                return replace(self.pages(shape, found.columns), reason=f"{reason}, and {_TOO_LARGE}")
            failure = str(exc).splitlines()[0]
            if is_exhausted(exc):
                failure += "\nAsk for fewer columns or rows, or run it here: query(..., engine='local')."
            return replace(found, reason=reason, failure=failure)

    def _exact_again(self, shape: Shape, found: Found) -> Found:
        """The exact answer, asked for once more when the connection was lost: nothing in it cannot be encoded."""
        try:
            return self.exact(shape, found)
        except NoAnswerError:
            return self.exact(shape, found)

    def with_true_types(self, shape: Shape, found: Found) -> Found:
        """The same rows under the types that they have, where the query only seems to read columns of tables."""
        if found.method != "plain" or not shape.is_plain or (reason := self._other_type(shape, found.columns)) is None:
            return found
        try:
            return replace(self.exact(shape, found), reason=reason)
        except (ServerError, ProtocolError, ResultError):
            return found

    def _after_failure(self, shape: Shape, error: NoAnswerError | ServerError | DecodeError) -> Found:
        if is_exhausted(error):
            if shape.clauses is None:
                _advise(error)
                raise error
            return replace(self.pages(shape, self.announced(shape)), reason=_TOO_LARGE)
        if not is_unencodable(error):
            raise error
        try:
            found = self.exact(shape, None, careful=True)
        except (ServerError, ProtocolError, ResultError):
            raise error from None
        is_other_type = isinstance(error, DecodeError)
        return replace(found, reason=_OTHER_TYPE if is_other_type else "the server could not encode a value")

    def announced(self, shape: Shape) -> tuple[Column, ...]:
        """The columns of the result as the server announces them."""
        return self.columns_of(f"{enclosed(shape.text)} AS q", self.params)

    def columns_of(self, source: str, params: Sequence[Any] = ()) -> tuple[Column, ...]:
        """The columns of a table or sub-query, perhaps with an alias; nothing is scanned for that."""
        result = self.endpoint.execute(f"SELECT * FROM {source} LIMIT 0", params).result()
        self._as_user = result.as_user
        return result.columns

    def exact(self, shape: Shape, plain: Found | None, *, careful: bool = False) -> Found:
        """The whole result as one aggregated row.

        Raises:
            ResultError: It cannot be read so.
            ServerError: The server refuses.
        """
        columns = plain.columns if plain else self.announced(shape)
        written = self._without_stars(shape, columns)
        try:
            table, shown = self._exact.read(
                self._at_one_state(shape.text), written, self.params, columns, limit=self.limit, careful=careful
            )
        except Unwrappable as exc:
            raise ResultError(f"{exc}.") from None
        return self._ordered(shape, Found(shown, table, plain.as_user if plain else self._as_user, method="exact"))

    def versions(self, shape: Shape, source: Sequence[Column]) -> tuple[Found, int] | None:
        """A plain query over one table, exact in one scan, and the newest version that it has seen.

        Args:
            shape: A shape with ``clauses``.
            source: The table's columns.

        Returns:
            The rows; None where they have to be read otherwise: columns with equal names, a view, too large an answer.
        """
        assert shape.clauses is not None
        if (version := row_version_of(source)) is None:
            return None
        columns = tuple(source) if shape.clauses.columns == "*" else self.announced(shape)
        if not columns or len({column.name for column in columns}) < len(columns):
            return None

        try:
            types = self._exact.true_types(self.endpoint, shape, self.params, columns)
            table, newest = self._exact.read_versions(
                self.endpoint, shape.clauses, version, types, self.params, columns
            )
        except (ServerError, ProtocolError, NoAnswerError) as exc:
            if _may_pass(exc):
                raise
            return (replace(self.pages(shape, columns), reason=_TOO_LARGE), 0) if is_exhausted(exc) else None

        shown = tuple(
            column if agrees(column, text) else column_of(column.name, text)
            for column, text in zip(columns, types, strict=True)
        )

        reason = self._cut(table.num_rows)
        found = Found(shown, table, self._as_user, unknown_types(columns), method="exact", reason=reason)
        return self._ordered(shape, found), newest

    def _cut(self, rows: int) -> str | None:
        """Why the plain answer would not have been enough."""
        cap = self._limits.ask(self.endpoint).default_cap if rows > 1 else self._limits.known.default_cap
        return f"the server cuts results at {cap} rows" if rows >= cap else None

    def pages(self, shape: Shape, columns: Sequence[Column]) -> Found:
        """All rows of a plain query over one table, in pages of row versions."""
        pager = Pager(self.pager_plan(shape, columns), enough=self.limit)
        pager.run(self.endpoint, on_page=self._told)
        table = pager.result()
        if not pager.reads_rows and self.limit is not None and table.num_rows < self.limit:
            # Rows that were enough at first have been replaced by newer versions.
            pager = Pager(pager.plan)
            pager.run(self.endpoint, on_page=self._told)
            table = pager.result()
        # A pager goes by version where keys repeat (STREAM).
        return Found(pager.plan.columns, sort_by_key(table, columns), method="pages", upto=pager.reach)

    def pager_plan(self, shape: Shape, columns: Sequence[Column]) -> PagerPlan:
        """Plan a pager, also where columns of the output have equal names."""
        written = self._without_stars(shape, columns)
        names = [column.name for column in columns]
        if len(set(names)) < len(names):
            text = rename_duplicates(written.text, names)
            renamed = shape_of(text) if text is not None else None
            if renamed is None or renamed.clauses is None:
                raise ResultError("Columns with equal names cannot be told apart; give them names with AS.")
            written = renamed
        return plan_pager(self.endpoint, written, columns, self.params)

    def _told(self, pager: Pager) -> None:
        if self._on_rows is not None:
            self._on_rows(sum(page.num_rows for page in pager.rows))

    def _reason_to_doubt(self, shape: Shape, found: Found) -> str | None:
        # A single row is not cut anywhere; most queries of a notebook cost one request so.
        limits = self._limits.ask(self.endpoint) if found.table.num_rows > 1 else self._limits.known
        keeps_sort = found.table.num_rows > 1 and is_at_risk(shape, found.columns) and self._keeps_sort(shape, found)
        reason = reason_to_doubt(shape, found.columns, found.table, limits, keeps_sort=keeps_sort)
        has_nulls = reason is None and has_null_floats(found.columns, found.table)
        if has_nulls and self._limits.sends_anything(self.endpoint):
            return "the server sends NaN and infinity as NULL"
        return reason

    def _keeps_sort(self, shape: Shape, found: Found) -> bool:
        """Whether the server has kept the sort, as this answer or one before it shows."""
        sorts = self._sorts
        if not sorts.keeps(shape, found.columns) and (table := table_to_prove(shape, found.columns, found.table)):
            sorts.note(shape, found.columns, self.columns_of(table))
        return sorts.keeps(shape, found.columns)

    def _mislabelled(self, shape: Shape, found: Found) -> str | None:
        """Whether a column is announced under another type than it has (truth L6, L7).

        Columns of tables are not, but for those of the server's own, and for lists where it can send them.
        """
        if not found.columns:
            return None
        is_told = shape.is_plain and not reads_system_tables(shape.text)
        if is_told and not (may_be_lists(found.columns, found.table) and self._limits.sends_anything(self.endpoint)):
            return None
        return self._other_type(shape, found.columns)

    def _other_type(self, shape: Shape, columns: Sequence[Column]) -> str | None:
        try:
            types = self._exact.true_types(self.endpoint, shape, self.params, columns)
        except (NoAnswerError, ServerError) as exc:
            return f"the true types could not be asked for ({str(exc).splitlines()[0]})"
        for column, text in zip(columns, types, strict=True):
            if not agrees(column, text):
                return f"column {column.name!r} is announced as {column.sql_type} and is {text}"
        return None

    def _ordered(self, shape: Shape, found: Found) -> Found:
        """Rows in a stable order where the query does not order them."""
        if shape.order_by != () or scanned_tables(shape.text) == []:
            return found
        # An order inside of the query may be meant for the whole; the server puts the key above it, so it is kept.
        sort = sort_by_key if shape.has_inner_order else in_stable_order
        table = sort(found.table, found.columns)
        return found if table is found.table else replace(found, table=table)

    def _without_stars(self, shape: Shape, columns: Sequence[Column]) -> Shape:
        """The query with the columns of each ``*`` written out, where it brings equal names."""
        names = [column.name for column in columns]
        if len(set(names)) == len(names) or (sources := star_sources(shape.text)) is None:
            return shape
        named = []
        for source in sources:
            announced = self.endpoint.execute(f"SELECT * FROM {source.text} LIMIT 0", self.params).columns()
            named.append((source, [column.name for column in announced]))
        written = shape_of(expand_stars(shape.text, named))
        return shape if written is None else written


def _may_pass(error: Exception) -> bool:
    """Whether the server, or a proxy before it, is only unable for the moment."""
    return isinstance(error, (NotLeaderError, RateLimitError)) or (
        isinstance(error, ServerError) and error.status in {502, 503, 504}
    )


def _advise(error: Exception) -> None:
    if isinstance(error, ServerError) and not error.hint:
        error.hint = "The query needs more memory than the server gives one. Run it here: query(..., engine='local')."


_OTHER_TYPE = "a column holds something else than its type"
_TOO_LARGE = "the server's query memory does not hold the whole answer"


def _tables_of(sql: str) -> tuple[str, ...]:
    tables = scanned_tables(sql)
    return (sql,) if tables is None else tuple(sorted(tables))


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
