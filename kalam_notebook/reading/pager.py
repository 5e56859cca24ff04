"""Reading a table by row version, right where the server's own scan is not (truth R3).

A scan that begins behind a version moves the window, so a table is read in pages of row versions, oldest first. Each
page brings rows that match, keys with their newest version, and tombstones; the newest version of a key wins, so pages
may overlap and rows may change meanwhile.

The pager ends when a page is empty, or when a page that is not full reaches beyond a version that nothing had reached
since the pager began: a scan goes through all versions up to the last one that it finds, so everything written before
has been seen. Writers that go on cannot keep it from ending, and the result is that of the last version read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.errors import ProtocolError, ResultError, ServerError
from kalam_notebook.http.bounded import TooLargeError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.forms import exact_column, exact_text
from kalam_notebook.reading.listing import listed_table
from kalam_notebook.reading.lists import may_hold_lists, with_lists
from kalam_notebook.reading.trust import is_too_much
from kalam_notebook.reading.window import NOW_MS, newer_version
from kalam_notebook.sql.shape import Clauses, Shape
from kalam_notebook.sql.statement import enclosed, quote_name
from kalam_notebook.wire.answered import number_in, one_number, table_of, whole_number
from kalam_notebook.wire.row_version import COMMIT, GREATEST_VERSION, ROW_ID, WRITTEN_AT, RowVersion, row_version_of
from kalam_notebook.wire.types import Column, arrow_schema, arrow_type

__all__ = [
    "PAGE_ROWS",
    "Pager",
    "PagerPlan",
    "UnpageableError",
    "in_transaction",
    "plan_pager",
    "read_at_one_state",
    "rows_statement",
]

#: Row versions of one page. Where the server's query memory does not suffice, an upper bound makes it smaller.
PAGE_ROWS = 50_000


class UnpageableError(ResultError):
    """Versions of a row cannot be told from those of another one."""


#: Rows that tell whether a table is still the one that was read.
_LAST_ROWS = 1_000

#: After so many pages that are not full an end is looked for: one that is empty does not come, since others write.
_PARTIAL_PAGES = 5


@dataclass(frozen=True, slots=True)
class PagerPlan:
    """What is read.

    Attributes:
        clauses: The query: columns, table, condition.
        columns: The output, under its true types.
        version: The table's row version.
        key: The column that tells rows apart as it stands in SQL; the version where the key is not unique (STREAM).
        key_type: Arrow type of the key.
        params: JSON values for ``$1 …`` of the condition.
        in_transaction: Whether the server reads the table in transactions.
    """

    clauses: Clauses
    columns: tuple[Column, ...]
    version: RowVersion
    key: str
    key_type: pa.DataType
    params: Sequence[Any] = ()
    in_transaction: bool = True

    @property
    def fields(self) -> pa.Schema:
        """The output as Arrow."""
        return arrow_schema(self.columns)


@dataclass(slots=True)
class Pager:
    """A pager and what it has found so far.

    Attributes:
        plan: What is read.
        after: Versions up to here have been read.
        page_rows: Row versions of a page, at most.
        enough: Matching rows after which only keys are read on; None to read all rows.
        rows: Pages of rows: the output's columns, then the key and the version.
        keys: Pages of the keys of every version met and the version, tombstones included.
        reads_rows: Whether rows are read, up to here, and not only keys.
    """

    plan: PagerPlan
    after: int = 0
    page_rows: int = PAGE_ROWS
    enough: int | None = None
    rows: list[pa.Table] = field(default_factory=list)
    keys: list[pa.Table] = field(default_factory=list)
    reads_rows: bool = True
    _span: int | None = None  # Width of a page in versions; None reads without an upper bound.
    _last: int = 0  # Greater than every version when the width was set.
    _end: int | None = None  # A version that none had reached since the pager began; None as long as it is not known.
    _partial: int = 0  # Pages that were not full.

    @property
    def reach(self) -> str:
        """In words up to which version was read."""
        return f"{self.plan.version.name} up to {self.after}"

    def run(self, endpoint: Endpoint, *, on_page: Callable[[Pager], None] | None = None) -> None:
        """Read until everything is read that was there at the beginning.

        Args:
            endpoint: Runs the SQL.
            on_page: Called after each page; may raise to stop.

        Raises:
            ServerError: The server refuses.
        """
        self.reads_rows = self.enough is None or self.enough > 0
        self._end = self._now(endpoint)
        while self._page(endpoint):
            self._stop_reading_rows()
            if on_page is not None:
                on_page(self)
        if on_page is not None:
            on_page(self)

    def result(self) -> pa.Table:
        """The rows whose version is the newest of their key, in order of the key."""
        if not self.rows:
            return self.plan.fields.empty_table()
        newest = pa.concat_tables(self.keys).group_by("key").aggregate([("seq", "max")]).column("seq_max")
        rows = pa.concat_tables(self.rows)
        count = len(self.plan.fields)
        rows = rows.filter(pc.is_in(rows.column("seq"), value_set=newest.combine_chunks()))
        # Pages overlap where rows changed while walking: a version may have come twice.
        seqs = rows.column("seq")
        first = pa.table({"seq": seqs, "row": pa.arange(0, len(seqs))}).group_by("seq").aggregate([("row", "min")])
        rows = rows.take(first.column("row_min"))
        rows = rows.take(pc.sort_indices(rows.column("key")))
        return pa.Table.from_arrays(rows.columns[:count], schema=self.plan.fields)

    def is_still_there(self, endpoint: Endpoint) -> bool:
        """Whether the server still knows the rows that were written last: else it is another table.

        Versions are places in a log, which begins anew on a server that is set up anew.

        Args:
            endpoint: Runs the SQL.

        Raises:
            ServerError: The server refuses.
        """
        self.compact()
        if not self.rows or not self.rows[0].num_rows:
            return True
        known = self.rows[0].select(["key", "seq"]).sort_by([("seq", "descending")]).slice(0, _LAST_ROWS)
        window = self.plan.version.behind(known.column("seq")[-1].as_py() - 1)
        pair = [self.plan.key_type, pa.int64()]
        answers = endpoint.execute_lists(";\n".join(self._keys_statements(window)), (), [pair, pair])

        newest: dict[Any, int] = {}
        for answer in answers:
            page = table_of(answer, pa.schema(zip(["key", "seq"], pair, strict=True)))
            for key, seq in zip(*page.to_pydict().values(), strict=True):
                newest[key] = max(seq, newest.get(key, 0))
        # Updated or deleted since, a key has a newer version.
        return all(newest.get(key, -1) >= seq for key, seq in zip(*known.to_pydict().values(), strict=True))

    def compact(self) -> None:
        """Forget versions that are not the newest of their key, so that reading can go on for long."""
        if self.keys:
            newest = pa.concat_tables(self.keys).group_by("key").aggregate([("seq", "max")])
            self.keys = [newest.rename_columns(["key", "seq"])]
        if self.rows:
            rows = pa.concat_tables(self.rows)
            self.rows = [
                rows.filter(pc.is_in(rows.column("seq"), value_set=self.keys[0].column("seq").combine_chunks()))
            ]

    def _stop_reading_rows(self) -> None:
        if self.enough is None or not self.reads_rows or sum(page.num_rows for page in self.rows) < self.enough:
            return
        self.compact()
        self.reads_rows = self.rows[0].num_rows < self.enough

    def _page(self, endpoint: Endpoint) -> bool:
        """Read one page; whether more may follow."""
        lists, upper = self._ask(endpoint)
        reached, is_full = self.take(lists)
        if not reached:
            self.after = upper or self.after
        # Behind an upper bound may lie the newer version of a key that this page leaves out.
        if upper is not None or not reached or is_full:
            return upper is not None or bool(reached)
        self._partial += 1
        if self._end is None and self._partial >= _PARTIAL_PAGES:
            self._end = _end_behind(endpoint, self.plan, reached)
        return self._end is None or reached < self._end

    def take(self, lists: Sequence[Sequence[pa.Array | None]]) -> tuple[int, bool]:
        """Keep a page: its rows, keys and tombstones.

        Returns:
            The greatest version in it, 0 when it is empty; and whether it is full, so that more may follow.
        """
        rows, keys, tombstones = lists
        pair = pa.schema([("key", self.plan.key_type), ("seq", pa.int64())])
        found = [_versions(table_of(page, pair)) for page in (keys, tombstones) if page != [None, None]]
        if not found:
            return 0, False
        self.keys += found

        reached = max(int(pc.max(page.column("seq")).as_py()) for page in found)
        if rows[0] is not None:
            labels = [*(f"c{i}" for i in range(len(self.plan.fields))), "key", "seq"]
            fields = zip(labels, [*self.plan.fields.types, *pair.types], strict=True)
            page = _versions(table_of(rows, pa.schema(fields)))
            self.rows.append(page)
            found.append(page.select(["key", "seq"]))
            if self.plan.params or not self.plan.in_transaction:
                self.keys.append(found[-1])  # They may be newer than the keys, which were asked before.

        # A full page ends before the window does; what lies between comes with the next one.
        full = [int(pc.max(page.column("seq")).as_py()) for page in found if page.num_rows >= self.page_rows]
        self.after = min([reached, *full])
        return reached, bool(full)

    def _ask(self, endpoint: Endpoint) -> tuple[list[list[pa.Array | None]], int | None]:
        """Rows, keys and tombstones of one page, and its upper bound; smaller where that is too much at once."""
        if self._span is not None:
            self._span *= 2
        while True:
            if self._span is not None and self.after + self._span >= self._last:
                self._span = None
            upper = None if self._span is None else self.after + self._span
            try:
                return self._ask_once(endpoint, upper), upper
            except (ServerError, TooLargeError) as exc:
                if not is_too_much(exc) or self._span == 1:
                    raise
                self._shrink(endpoint)

    def _shrink(self, endpoint: Endpoint) -> None:
        """Halve the width of a page (truth R3); the first time it is that of everything left."""
        if self._span is None:
            version = self.plan.version
            first = f"SELECT min({version.name}) AS s FROM {self.plan.clauses.table} WHERE {version.behind(self.after)}"
            answer = endpoint.execute(f"{first}; {first} AND _deleted = true")
            seqs = [whole_number(seq) for index in (0, 1) for seq in answer.column(index) if seq is not None]
            self.after = max(self.after, min(seqs, default=self.after + 1) - 1)
            self._last = self._now(endpoint) or _end_behind(endpoint, self.plan, self.after) + 1
            self._span = self._last - self.after
        self._span = max(1, self._span // 2)

    def _ask_once(self, endpoint: Endpoint, upper: int | None) -> list[list[pa.Array | None]]:
        """At one point in time where the query has no parameters, and the server reads the table in transactions."""
        window = self._window(upper)
        rows_types, pair, _ = self.types()
        rows, *keys = self._statements(window)
        if self.reads_rows and not self.plan.params and self.plan.in_transaction:
            return endpoint.execute_lists(in_transaction([rows, *keys]), (), self.types())
        # A batch takes no parameters. The keys come first: what is written between them and the rows is newer than the
        # page, so that the next one finds it again.
        asked = in_transaction(keys) if self.plan.in_transaction else ";\n".join(keys)
        found = endpoint.execute_lists(asked, (), [pair, pair])
        if not self.reads_rows:
            return [[None] * len(rows_types), *found]
        return [*endpoint.execute_lists(rows, self.plan.params, [rows_types]), *found]

    def _now(self, endpoint: Endpoint) -> int | None:
        """A version beyond all that have been given so far, by the server's own clock; None where they hold no time."""
        if not self.plan.version.has_time:
            return None
        return self.plan.version.at((one_number(endpoint.execute_row(f"SELECT {NOW_MS} AS ms")) or 0) + 1)

    def _window(self, upper: int | None = None, *, overlap_ms: int = 0) -> str:
        version = self.plan.version
        return version.behind(max(0, self.after - version.span(overlap_ms)), upper)

    def page_statements(self, overlap_ms: int) -> list[str]:
        """The statements of one page without parameters: rows, keys, tombstones, from before where the pager is."""
        return self._statements(self._window(overlap_ms=overlap_ms))

    def types(self) -> list[list[pa.DataType]]:
        """The types of what the statements of a page list."""
        pair = [self.plan.key_type, pa.int64()]
        return [[*self.plan.fields.types, *pair], pair, pair]

    def _statements(self, window: str) -> list[str]:
        rows = rows_statement(self.plan, window, f"ORDER BY kalam_seq LIMIT {self.page_rows}")
        return [rows, *self._keys_statements(window)]

    def _keys_statements(self, window: str) -> list[str]:
        plan = self.plan
        pair = f"array_agg({exact_text('k', plan.key_type)}) AS k, array_agg(s) AS s"
        keys = (
            f"SELECT {pair} FROM (SELECT {plan.key} AS kalam_key, {plan.version.name} AS kalam_seq "
            f"FROM {plan.clauses.table} WHERE {window}"
        )
        page = f"ORDER BY kalam_seq LIMIT {self.page_rows}) AS q(k, s)"
        return [f"{keys} {page}", f"{keys} AND _deleted = true {page}"]


def _versions(page: pa.Table) -> pa.Table:
    """The page itself, whose versions all have a number.

    Raises:
        ProtocolError: One has none.
    """
    if page.num_rows == 0 or page.column("seq").null_count:
        raise ProtocolError("The answer has versions without a number.")
    return page


def read_at_one_state(endpoint: Endpoint, pagers: Sequence[Pager], overlap_ms: int) -> list[int] | None:
    """Read what changed in several tables since they were read, up to one moment, in one transaction (truth R10).

    What the server does not read in transactions is of a moment later.

    Args:
        endpoint: Runs the SQL.
        pagers: Pages of whole tables, without parameters, that have come to their end.
        overlap_ms: How far before their end to begin where versions hold a time: writers commit out of order.

    Returns:
        How many rows each table has at that moment; None when more changed than one page holds.

    Raises:
        ServerError: The server refuses.
    """
    together: list[str] = []
    apart: list[str] = []
    types = []
    ordered = sorted(pagers, key=lambda pager: not pager.plan.in_transaction)
    for pager in ordered:
        statements = together if pager.plan.in_transaction else apart
        statements += pager.page_statements(overlap_ms)
        statements.append(f"SELECT array_agg(n) AS n FROM (SELECT count(*) AS n FROM {pager.plan.clauses.table}) AS c")
        types += [*pager.types(), [pa.int64()]]

    begun = [in_transaction(together)] if together else []
    answers = iter(endpoint.execute_lists(";\n".join([*begun, *apart]), (), types))
    counts, is_whole = {}, True

    for pager in ordered:
        _, is_full = pager.take([next(answers) for _ in range(3)])
        is_whole = is_whole and not is_full
        (counted,) = next(answers)
        counts[id(pager)] = number_in(counted)
    return [counts[id(pager)] for pager in pagers] if is_whole else None


def in_transaction(statements: Sequence[str]) -> str:
    """Statements that are to see one state (truth R10)."""
    return ";\n".join(["BEGIN", *statements, "COMMIT"])


def rows_statement(plan: PagerPlan, window: str, page: str = "") -> str:
    """The statement that reads the rows of a window: lists of the output's columns, of the keys and of the versions.

    Args:
        plan: What is read.
        window: Condition on the version.
        page: Order and limit.
    """
    names = [f"c{index}" for index in range(len(plan.columns))]
    lists = [f"array_agg({exact_column(name, c)}) AS {name}" for name, c in zip(names, plan.columns, strict=True)]
    pair = f"array_agg({exact_text('k', plan.key_type)}) AS k, array_agg(s) AS s"
    clauses = plan.clauses
    where = f"{window} AND {enclosed(clauses.where)}" if clauses.where else window
    # A comment may end the columns as they were written.
    inner = (
        f"SELECT {clauses.columns}\n, {plan.key} AS kalam_key, {plan.version.name} AS kalam_seq "
        f"FROM {clauses.table} WHERE {where}"
    )
    return (
        f"SELECT {', '.join([*lists, pair])} FROM (SELECT * FROM ({inner}) AS p {page}) "
        f"AS q({', '.join([*names, 'k', 's'])})"
    )


def plan_pager(endpoint: Endpoint, shape: Shape, columns: Sequence[Column], params: Sequence[Any]) -> PagerPlan:
    """Plan the reading of a plain query over one table.

    Args:
        endpoint: Tells the table's key.
        shape: A shape with ``clauses``.
        columns: The output's columns, plain columns of the table.
        params: JSON values for ``$1 …``.

    Raises:
        UnpageableError: The table has no key.
    """
    assert shape.clauses is not None
    table = shape.clauses.table
    announced = endpoint.execute(f"SELECT * FROM {table} LIMIT 0").columns()
    if (version := row_version_of(announced)) is None:
        raise ProtocolError(f"{table} has no row versions, by which it is read.")
    key = _key_of(endpoint, table, announced, version)
    # A server whose STREAM rows tell their time beside the version refuses them in transactions.
    is_refused = any(column.name == WRITTEN_AT for column in announced)
    return PagerPlan(
        shape.clauses,
        with_lists(endpoint, shape.text, columns, params) if may_hold_lists(version) else tuple(columns),
        version,
        quote_name(key.name),
        arrow_type(key),
        params,
        in_transaction=not is_refused,
    )


def _key_of(endpoint: Endpoint, table: str, columns: Sequence[Column], version: RowVersion) -> Column:
    """The column that tells the rows of a table apart through their versions."""
    named = {column.name: column for column in columns}
    keys = [column for column in columns if column.is_primary_key]
    # A STREAM table has no tombstones, its deleted rows just go; its key is optional, and not unique.
    if WRITTEN_AT in named or (version.has_time and len(keys) != 1):
        return named[version.name]

    listed = listed_table(endpoint, table) if version.has_time else None
    if listed is not None and listed.kind == "stream":
        return named[version.name]
    if len(keys) == 1:
        return keys[0]
    try:
        (hidden,) = endpoint.execute(f"SELECT {ROW_ID} FROM {table} LIMIT 0").columns()
    except ServerError as exc:
        raise UnpageableError(
            f"{table} has no primary key, and the server does not name its rows otherwise ({exc.message}), so it can "
            "only be read in one piece."
        ) from None
    return hidden


def _end_behind(endpoint: Endpoint, plan: PagerPlan, reached: int) -> int:
    """A version that none of the table has reached, and not far behind the last one: found by numbers alone.

    To ask for what is newer costs a scan of it, so there are few questions, and none when nothing is newer.
    """

    def is_reached(number: int) -> bool:
        return newer_version(endpoint, plan.clauses.table, plan.version, number) is not None

    low = high = reached
    step = COMMIT
    while is_reached(high):
        low, high = high, min(high + step, GREATEST_VERSION - 1)
        step *= 16
    # Nearer: writers who go on have to pass it.
    for _ in range(6):
        middle = (low + high) // 2
        if high - low <= COMMIT:
            break
        low, high = (middle, high) if is_reached(middle) else (low, middle)
    return high
