"""The method of a query: the plain answer where it can be trusted, else one exact statement, else a pager.

The server cuts results, re-sorts them, drops the sign of small decimals and mislabels computed columns, all without a
sign (truth L1–L8). A plain answer is final when nothing about it is suspicious; otherwise the same query is read
exactly. What could not be made sure is said in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pyarrow as pa

from kalam_notebook.errors import ProtocolError, ResultError, ServerError
from kalam_notebook.reading.batches import BatchPager
from kalam_notebook.reading.damage import damaged_cells, damaged_columns
from kalam_notebook.reading.endpoint import CountingEndpoint, Endpoint, ImpersonatingEndpoint, WatchableEndpoint
from kalam_notebook.reading.exact import ExactReader
from kalam_notebook.reading.hidden_rows import HiddenRows
from kalam_notebook.reading.kept_sorts import KeptSorts
from kalam_notebook.reading.listing import Listings
from kalam_notebook.reading.lists import may_hold_lists
from kalam_notebook.reading.local import LocalEngine
from kalam_notebook.reading.pager import PAGE_ROWS, UnpageableError
from kalam_notebook.reading.parts import Part, cut_by_key, cut_by_version
from kalam_notebook.reading.run import Found, Run
from kalam_notebook.reading.server_limits import Epoch, LimitsProbe, ServerLimits
from kalam_notebook.reading.shown import in_microseconds
from kalam_notebook.reading.system_times import system_tables, with_true_times
from kalam_notebook.reading.trust import has_only_nulls
from kalam_notebook.reading.window import WindowCheck
from kalam_notebook.results.progress import Meter
from kalam_notebook.results.results import Completeness, QueryResult
from kalam_notebook.sql.decimals import cast_decimals
from kalam_notebook.sql.hidden import shown_places
from kalam_notebook.sql.shape import Shape, impersonation, shape_of
from kalam_notebook.sql.sorts import keep_sorts
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.sql.tables import bound_table, scanned_tables
from kalam_notebook.wire.answered import one_number
from kalam_notebook.wire.arrow_names import column_of_arrow
from kalam_notebook.wire.row_version import row_version_of
from kalam_notebook.wire.types import Column

__all__ = ["Reader"]


#: Tables and queries that are remembered.
_MOST_REMEMBERED = 1000

_T = TypeVar("_T")
#: Where fewer rows are wanted, a limit in the statement is worth more than one scan less.
_WHOLE_ROWS = 100_000


class Reader:
    """Reads queries completely.

    Args:
        endpoint: Runs the SQL.
        window: Tells tables that the server scans only in part; None checks none, for tests.
        limits: Those of the server where they are known; None asks for them.
        role: Tells the role of the user, where it is known.
        epoch: Tells how long the server stays.

    Attributes:
        limits: What the server does silently.
    """

    def __init__(
        self,
        endpoint: WatchableEndpoint,
        window: WindowCheck | None = None,
        limits: ServerLimits | None = None,
        role: Callable[[], str] = lambda: "",
        epoch: Epoch = lambda *, looks=True: None,
    ) -> None:
        self._endpoint = endpoint
        self._exact = ExactReader()
        self._local = LocalEngine()
        self._window = window
        self.limits = LimitsProbe(limits, epoch)
        self._sorts = KeptSorts(epoch)
        self._listings = Listings()
        self._hidden_rows = HiddenRows(role, self._listings)
        self._refused: set[tuple[str, ...]] = set()  # Tables that cannot be read in one transaction.
        self._small: dict[tuple[str | None, str], bool] = {}  # Whether plain answers hold all rows of a table.
        self._keys: dict[tuple[str | None, str], str] = {}
        # Queries over one table, and whether a plain answer held all of their rows.
        self._short: dict[tuple[str | None, str], bool] = {}
        # Queries whose plain answer was not enough, and why.
        self._reread: dict[tuple[str | None, str], str] = {}
        self._system_columns: dict[str, tuple[Column, ...]] = {}  # Of the server's own tables, which stay as they are.
        self._epoch = epoch
        self._known_in = epoch()

    def close(self) -> None:
        """End what runs beside this process; may be called twice."""
        self._local.close()

    def forget(self) -> None:
        """Trust nothing that was found out about tables, because something was written."""
        self._exact.forget()
        self._listings.forget()
        self._keys.clear()
        if self._window is not None:
            self._window.forget()

    def _of_one_server(self, read: Callable[[], QueryResult]) -> QueryResult:
        """A reading; once more where the server was away meanwhile, since its parts may be of two of them."""
        epoch = self._meet()
        result = read()
        if self._epoch(looks=False) is epoch:  # Its last request has noticed what was before it.
            return result
        self._meet()
        return read()

    def _meet(self) -> object:
        """See whether another server has come, where one was away: what is known of that one holds no longer."""
        epoch = self._epoch()
        if epoch is self._known_in:
            return epoch
        if self._window is not None:
            self._window.doubt()
        self._local.doubt()
        if self.limits.are_others(self._endpoint):
            self.forget()
            for known in (self._refused, self._small, self._short, self._reread, self._system_columns):
                known.clear()
        self._known_in = epoch
        return epoch

    def caps(self) -> tuple[int, int]:
        """Where the server cuts results without and with a LIMIT."""
        limits = self.limits.ask(self._endpoint)
        return limits.default_cap, limits.limit_cap

    def hidden_rows(self, tables: Iterable[str]) -> tuple[str, ...]:
        """A sentence where tables without a row, of a server that has policies, may hide some from the user."""
        return self._hidden_rows.notice(self._endpoint, tables)

    def read(
        self, sql: str, params: Sequence[Any] = (), *, max_rows: int | None = None, meter: Meter | None = None
    ) -> QueryResult:
        """Read a query, completely where that can be had.

        Args:
            sql: One statement that returns rows. Names are used as they are.
            params: JSON values for ``$1 …``.
            max_rows: Rows after which reading stops, with a notice; None for all.
            meter: Counts what is read.

        Raises:
            KalamError: The server refuses, or cannot be reached.
            ResultError: The text returns no rows, or several results with rows.
        """
        user, sql = impersonation(sql) or (None, sql)

        def read() -> QueryResult:
            run = self._run(params, max_rows, user, meter)
            shape = self._shape(run, sql)
            if meter is not None:
                meter.count = self._counting(shape, user)
            if shape is None or not shape.is_select:
                return self._read_command(run, sql, shape)
            return self._checked(run, shape, self._found(run, shape, user), user)

        return self._of_one_server(read)

    def read_batches(
        self,
        sql: str,
        params: Sequence[Any] = (),
        *,
        batch_rows: int,
        max_rows: int | None = None,
        meter: Meter | None = None,
    ) -> Generator[pa.RecordBatch, None, Completeness]:
        """Read a query in batches; a plain query over one table in the memory of one of them.

        Args:
            sql: As for ``read``.
            params: As for ``read``.
            batch_rows: Rows of a batch, at most.
            max_rows: Rows after which reading stops; None for all.
            meter: Is told how many rows there will be; what is read, who takes the batches counts.

        Yields:
            The rows. What is known of their completeness is returned in the end.

        Raises:
            KalamError: As ``read``.
        """
        user, sql = impersonation(sql) or (None, sql)
        self._meet()
        run = self._run(params, max_rows, user)
        shape = self._shape(run, sql)
        if meter is not None:
            meter.count = self._counting(shape, user)
        if shape is None or not shape.is_select:
            return (yield from _sliced(self._read_command(run, sql, shape), batch_rows))
        if shape.clauses is None or not self._needs_windows(run, shape, user):
            return (yield from _sliced(self._checked(run, shape, self._found(run, shape, user), user), batch_rows))
        return (yield from self._read_windows(run, shape, batch_rows))

    def read_parts(
        self, sql: str, params: Sequence[Any], *, rows: int | None, count: int | None, by_key: bool
    ) -> tuple[tuple[Column, ...], list[Part], str | None]:
        """Cut a plain query over one table into parts; that reads the keys of all rows.

        Args:
            sql: As for ``read``.
            params: As for ``read``.
            rows: Rows of a part, where ``count`` does not tell.
            count: How many parts.
            by_key: Whether keys of a part lie beside each other; else its rows were written one after the other.

        Returns:
            The columns, the parts, and what makes them not certain, if anything does.

        Raises:
            KalamError: As ``read``.
            ResultError: It is another query.
        """
        user, sql = impersonation(sql) or (None, sql)
        self._meet()
        run = self._run(params, None, user)
        shape = self._shape(run, sql)
        if shape is None or shape.clauses is None:
            raise ResultError(
                "Partitions are for SELECT columns FROM table [WHERE …]. Read the tables so, and sort, join and sum up "
                "what comes of them; or let the server do it: kalam.query(sql)."
            )

        columns = run.announced(shape)
        pager = BatchPager(run.pager_plan(shape, columns), PAGE_ROWS)
        pager.read_keys(run.endpoint)

        shown = shown_places(shape.text, [column.name for column in columns])
        found = 0 if pager.seqs is None else len(pager.seqs)
        size = max(1, -(-found // count)) if count is not None else rows or found
        parts = list((cut_by_key if by_key else cut_by_version)(pager, list(shown), user, size))

        (table,) = scanned_tables(shape.text) or ("",)
        tables = {table: run.columns_of(table)}
        damage = damaged_columns(run.endpoint, shape, tables, None, damages=self.limits.damages)
        return tuple(columns[at] for at in shown), parts, damage

    def read_part(self, part: Part, *, batch_rows: int) -> Generator[pa.RecordBatch, None, Completeness]:
        """Read a part in batches, as ``read_batches``; any client of the server may."""
        return part.read(CountingEndpoint(self._as_user(part.user)), batch_rows)

    def _counting(self, shape: Shape | None, user: str | None) -> Callable[[], int] | None:
        """What asks for the number of rows of a query, where that is the one of a whole table."""
        if shape is None or shape.clauses is None or shape.clauses.where:
            return None
        count = f"SELECT count(*) AS n FROM {shape.clauses.table}"
        return lambda: one_number(self._as_user(user).execute_row(count)) or 0

    def _needs_windows(self, run: Run, shape: Shape, user: str | None) -> bool:
        """Whether the answer to a query over one table is too long for one piece, or its table is beyond the window."""
        tables = scanned_tables(shape.text)
        if not tables or _looked_up(run, self._window, shape, tables[0], user):
            return False
        scan = None if self._window is None else self._window.look(run.endpoint, tables[0], user)
        return (scan is not None and scan.is_beyond) or run.is_long(shape)

    def _read_windows(self, run: Run, shape: Shape, batch_rows: int) -> Generator[pa.RecordBatch, None, Completeness]:
        columns = run.announced(shape)
        pager = BatchPager(run.pager_plan(shape, columns), batch_rows)
        shown = shown_places(shape.text, [column.name for column in columns])

        left = run.max_rows
        for batch in (found.select(shown) for found in pager.run(run.endpoint)):
            if left is not None and batch.num_rows > left:
                if left:
                    yield batch.slice(0, left)
                reason = _more_than(run.max_rows or 0)
                return Completeness(False, f"cut at max_rows: {reason}", run.requests, "pages", reason)
            left = None if left is None else left - batch.num_rows
            yield batch

        (table,) = scanned_tables(shape.text) or ("",)
        announced = run.columns_of(table)
        damage = damaged_columns(run.endpoint, shape, {table: announced}, None, damages=self.limits.damages)
        if damage is not None:
            return Completeness(False, f"not certain: {damage}", run.requests, "pages", damage)

        reason = "the result is read in batches"
        text = f"complete (read in pages by {pager.reach}: {reason})"
        return Completeness(True, text, run.requests, "pages", reason)

    def read_locally(
        self, sql: str, params: Sequence[Any] = (), *, max_rows: int | None = None, meter: Meter | None = None
    ) -> QueryResult:
        """Run a SELECT on this machine, on exact copies of its tables (see ``local``).

        Raises:
            KalamError: A table cannot be read, or the engine refuses the query.
            ResultError: The text is not a single SELECT.
        """
        user, sql = impersonation(sql) or (None, sql)
        shape = _shape(sql, params)
        if shape is None or not shape.is_select:
            raise ResultError("engine='local' runs a single SELECT or WITH.")

        def read() -> QueryResult:
            run = self._run(params, max_rows, user, meter)
            table, tables, told = self._local.query(run.endpoint, shape, params, user)
            columns = tuple(column_of_arrow(found) for found in table.schema)
            damage = damaged_columns(run.endpoint, shape, tables, None, damages=self.limits.damages)
            by_log = any(may_hold_lists(row_version_of(columns)) for columns in tables.values())
            if damage is None and by_log and not self._listings.are_of_one_log(run.endpoint, tables):
                damage = _SEVERAL_LOGS
            text = f"not certain: {damage}" if damage else f"complete (run locally on {told})"
            return _result(run, shape.text, Found(columns, table, method="local", reason=damage), damage is None, text)

        return self._of_one_server(read)

    def _run(
        self, params: Sequence[Any], max_rows: int | None = None, user: str | None = None, meter: Meter | None = None
    ) -> Run:
        endpoint = CountingEndpoint(self._as_user(user, meter))
        on_rows = None if meter is None else meter.found
        return Run(endpoint, self._exact, self.limits, self._sorts, self._refused, params, max_rows, on_rows)

    def _shape(self, run: Run, sql: str) -> Shape | None:
        """The shape of a query, and its text as it is sent."""
        shape = _shape(sql, run.params)
        tables = system_tables(shape.text) if shape is not None and shape.is_select else []
        if shape is None or not tables:
            return shape
        try:
            for table in tables:
                if table not in self._system_columns:
                    self._system_columns[table] = run.columns_of(f"system.{quote_name(table)}")
        except ServerError:
            return shape  # It refuses the query as well, and says why.
        return shape_of(with_true_times(shape.text, self._system_columns))

    def _as_user(self, user: str | None, meter: Meter | None = None) -> Endpoint:
        endpoint = self._endpoint if meter is None else self._endpoint.watched(meter.received)
        return endpoint if user is None else ImpersonatingEndpoint(endpoint, user)

    def _read_command(self, run: Run, sql: str, shape: Shape | None) -> QueryResult:
        """Texts that cannot be read again: SHOW and DESCRIBE are not cut, anything else may be."""
        found = run.plain(sql)
        if shape is not None and shape.is_told_whole:
            return _result(run, sql, replace(found, table=in_microseconds(found.table)), True, "complete")
        rows = found.table.num_rows
        if rows < 2 or rows < min(self.caps()):
            return _result(run, sql, found, True, "complete")
        return _not_certain(run, sql, found, f"{rows} rows, and the server may have cut them without saying so")

    def _found(self, run: Run, shape: Shape, user: str | None) -> Found:
        """The rows: exact at once where the plain answer can only be cut, else the plain answer first."""
        (table,) = scanned_tables(shape.text) or ("",) if shape.clauses is not None else ("",)
        is_short = self._small.get((user, table), False) or self._short.get((user, shape.text), False)
        is_plain_enough = is_short or self.limits.known.cuts_nothing
        found = None
        if table and self._window is not None and not is_plain_enough and _may_be_cut(shape, run.limit):
            found = self._read_at_once(run, shape, table, user)
        elif (user, shape.text) in self._reread:
            found = self._read_again(run, shape, self._reread[user, shape.text])
        found = found or run.select(shape)
        if table:
            self._learn(user, table, shape, found)
        if found.method == "exact" and found.reason and self._window is not None:
            _remember(self._reread, (user, shape.text), found.reason)
        return found

    def _read_again(self, run: Run, shape: Shape, reason: str) -> Found | None:
        """A query whose plain answer was not enough the last time, exact at once."""
        try:
            return replace(run.exact(shape, None), reason=reason)
        except (ServerError, ProtocolError, ResultError):
            return None

    def _read_at_once(self, run: Run, shape: Shape, table: str, user: str | None) -> Found | None:
        assert self._window is not None
        writes = self._window.writes
        try:
            if (
                shape.clauses is not None
                and shape.clauses.looks_up
                and self._key(run, table, user) == (shape.clauses.looks_up)
            ):
                return None  # The server finds it without a scan.
            columns = run.columns_of(table)
            read = run.versions(shape, columns)
            if read is None:
                return None
            found, newest = read
            if found.method == "exact" and self._window.trusted(table, user) is None:
                scan = self._window.prove(run.endpoint, table, newest, columns, writes, user)
                if scan.is_beyond:
                    return replace(run.pages(shape, found.columns), reason=_unread(table))
        except (ServerError, UnpageableError):
            return None  # The plain statement tells why.
        return found

    def _key(self, run: Run, table: str, user: str | None) -> str:
        """The primary key of a table, or empty."""
        if (user, table) not in self._keys:
            keys = [column.name for column in run.columns_of(table) if column.is_primary_key]
            self._keys[user, table] = keys[0] if len(keys) == 1 else ""
        return self._keys[user, table]

    def _learn(self, user: str | None, table: str, shape: Shape, found: Found) -> None:
        """Remember what a table or a query is like: what is long is read exactly at once, what is short plainly."""
        is_long = found.table.num_rows >= self.limits.known.default_cap
        if is_long or (shape.clauses is not None and not shape.clauses.where):
            _remember(self._small, (user, table), not is_long)
        _remember(self._short, (user, shape.text), not is_long)

    def _checked(self, run: Run, shape: Shape, found: Found, user: str | None) -> QueryResult:
        """The result, after a look at its tables: at the scan window (truth R7), and at damaged columns."""
        if found.failure is not None:
            text = f"{found.reason}; reading it exactly failed: {found.failure}"
            return _not_certain(run, shape.text, found, text)

        tables = scanned_tables(shape.text)
        if tables is None:
            return _not_certain(run, shape.text, found, _UNTOLD)

        if self._window is None or shape.is_count:
            tables = []
        columns: dict[str, tuple[Column, ...]] = {}
        by_log = False
        for table in tables:
            assert self._window is not None
            scan = self._window.trusted(table, user)
            if scan is None and found.method == "pages":
                columns[table] = run.columns_of(table)  # Right whatever a scan reaches.
                continue
            if scan is None and (announced := _looked_up(run, self._window, shape, table, user)):
                by_log = may_hold_lists(row_version_of(announced))
                continue
            scan = scan or self._window.look(run.endpoint, table, user)
            if scan is None:
                # The columns of a view may be computed.
                found = run.with_true_types(shape, found)
                return _not_certain(
                    run, shape.text, found, f"{table} cannot be checked for unread rows, it may be a view"
                )

            columns[table] = scan.columns
            by_log = by_log or may_hold_lists(scan.version)
            if scan.is_beyond and found.method != "pages":
                if shape.clauses is None:
                    return _not_certain(run, shape.text, found, _beyond(table))
                try:
                    found = replace(run.pages(shape, found.columns), reason=_unread(table))
                except UnpageableError as exc:
                    return _not_certain(run, shape.text, found, f"{_unread(table)}, and {exc}")

        if not run.is_of_one_state(shape.text):
            return _not_certain(run, shape.text, found, _SEVERAL_STATES)
        if by_log and not self._listings.are_of_one_log(run.endpoint, tables):
            return _not_certain(run, shape.text, found, _SEVERAL_LOGS)
        if by_log and has_only_nulls(found.table):
            found = run.with_true_types(shape, found)
        if found.table.num_rows == 0 and user is None:
            unseen = self._hidden_rows.unseen(self._endpoint, shape, tables, has_policies=by_log)
            found = replace(found, notices=(*found.notices, *unseen))

        damage = damaged_columns(run.endpoint, shape, columns, found.table, damages=self.limits.damages)
        if damage is not None:
            return _not_certain(run, shape.text, found, damage)
        return _result(run, shape.text, found, True, _told(found))


def _shape(sql: str, params: Sequence[Any]) -> Shape | None:
    """The shape of a query, and its text as it is sent."""
    shape = shape_of(cast_decimals(sql, params))
    if shape is None or not shape.is_select or (text := keep_sorts(shape.text)) == shape.text:
        return shape
    return replace(shape, text=text)


def _remember(known: dict[tuple[str | None, str], _T], key: tuple[str | None, str], value: _T) -> None:
    if len(known) >= _MOST_REMEMBERED:
        known.clear()
    user, text = key
    known[user, str(text)] = value  # Without what is known of the text.


def _may_be_cut(shape: Shape, limit: int | None) -> bool:
    """Whether a query over one table may be worth reading exactly without having seen its plain answer."""
    clauses = shape.clauses
    return clauses is not None and not clauses.names_versions and (limit is None or limit > _WHOLE_ROWS)


def _told(found: Found) -> str:
    if found.method == "pages":
        return f"complete (read in pages by {found.upto}: {found.reason})"
    return "complete" if found.reason is None else f"complete (read again exactly: {found.reason})"


def _looked_up(run: Run, window: WindowCheck | None, shape: Shape, table: str, user: str | None) -> tuple[Column, ...]:
    """The columns of the table in which a query finds one row by its key, right beyond the window too (truth L3).

    Empty for any other query.
    """
    if window is None or shape.clauses is None or not shape.clauses.looks_up:
        return ()
    announced = window.columns(run.endpoint, table, user)
    keys = [column.name for column in announced if column.is_primary_key]
    # A view has no versions, and its columns may be computed.
    is_told = row_version_of(announced) is not None and keys == [shape.clauses.looks_up]
    return announced if is_told else ()


def _unread(table: str) -> str:
    return f"{table} holds more row versions than the server scans"


def _beyond(table: str) -> str:
    return (
        f"{table} holds more unflushed row versions than the server scans, so rows may be missing or stale. Run "
        f"STORAGE FLUSH TABLE {table} (needs dba), or query(..., engine='local')"
    )


_UNTOLD = "the tables that the query reads cannot be told from its text, so they were not checked"


_SEVERAL_STATES = (
    "the server does not read these tables in one transaction, so that parts of the result may be of different moments"
)


_SEVERAL_LOGS = (
    "a transaction of this server may see USER, SHARED and STREAM tables at moments of their own, so that parts of the "
    "result may be of different moments"
)


def _more_than(rows: int) -> str:
    return f"there are more than {rows:,} rows; pass max_rows=None for all"


def _sliced(result: QueryResult, batch_rows: int) -> Generator[pa.RecordBatch, None, Completeness]:
    """A result that was read in one piece, in batches."""
    table = result.arrow().combine_chunks()
    for start in range(0, table.num_rows, batch_rows):
        yield from table.slice(start, batch_rows).to_batches()
    assert result.completeness is not None
    return result.completeness


def _not_certain(run: Run, sql: str, found: Found, why: str) -> QueryResult:
    return _result(run, sql, replace(found, reason=why), False, f"not certain: {why}")


def _result(run: Run, sql: str, found: Found, is_complete: bool, text: str) -> QueryResult:
    """The result with what is known of it. Damaged cells and rows beyond the wanted ones are said."""
    shown = shown_places(sql, [column.name for column in found.columns])
    if len(shown) < len(found.columns):
        found = replace(found, columns=tuple(found.columns[at] for at in shown), table=found.table.select(shown))
    table, reason = found.table, found.reason
    if is_complete and (damage := damaged_cells(found.columns, table)) is not None:
        is_complete, reason, text = False, damage, f"not certain: {damage}"
    if run.max_rows is not None and table.num_rows > run.max_rows:
        table = table.slice(0, run.max_rows)
        reason = _more_than(run.max_rows)
        is_complete, text = False, f"cut at max_rows: {reason}"
    return QueryResult(
        found.columns,
        table.num_rows,
        as_user=found.as_user,
        completeness=Completeness(is_complete, text, run.requests, found.method, reason),
        notices=(*(() if is_complete else (text,)), *found.notices),
        _table=table,
        _bind=bound_table(sql),
    )
