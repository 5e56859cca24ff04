"""Reading a table by ``_seq``, right where the server's own scan is not (truth R3).

A scan that begins at ``_seq > w`` moves the window, so a table is read in pages of row versions, oldest first. Each
page brings rows that match, keys with their newest version, and tombstones; the newest version of a key wins, so pages
may overlap and rows may change meanwhile.

The pager ends when a page is empty, or when a page that is not full reaches beyond the moment at which the pager began:
a scan goes through all versions up to the last one that it finds, so everything written before has been seen. Writers
that go on cannot keep it from ending, and the result is that of the last ``_seq`` read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kalam_notebook.errors import ProtocolError, ServerError
from kalam_notebook.http.bounded import TooLargeError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.forms import exact_text
from kalam_notebook.reading.listing import listed_table
from kalam_notebook.reading.trust import is_too_much
from kalam_notebook.sql.shape import Clauses, Shape
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.wire.answered import number_in, one_number, table_of, whole_number
from kalam_notebook.wire.seq import seq_at
from kalam_notebook.wire.types import Column, arrow_schema, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PAGE_ROWS", "Pager", "PagerPlan", "plan_pager", "read_at_one_state", "rows_statement"]

#: Row versions of one page. Where the server's query memory does not suffice, an upper bound makes it smaller.
PAGE_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class PagerPlan:
    """What is read.

    Attributes:
        clauses: The query: columns, table, condition.
        fields: The output, under its true types.
        key: The table's key column, or ``_seq`` where the key is not unique (STREAM).
        key_type: Arrow type of the key.
        params: JSON values for ``$1 …`` of the condition.
    """

    clauses: Clauses
    fields: pa.Schema
    key: str
    key_type: pa.DataType
    params: Sequence[Any] = ()


@dataclass(slots=True)
class Pager:
    """A pager and what it has found so far.

    Attributes:
        plan: What is read.
        after: Versions up to here have been read.
        page_rows: Row versions of a page, at most.
        enough: Matching rows after which only keys are read on; None to read all rows.
        rows: Pages of rows: the output's columns, then the key and ``_seq``.
        keys: Pages of keys and ``_seq`` of every version met, tombstones included.
    """

    plan: PagerPlan
    after: int = 0
    page_rows: int = PAGE_ROWS
    enough: int | None = None
    rows: list[pa.Table] = field(default_factory=list)
    keys: list[pa.Table] = field(default_factory=list)
    _reads_rows: bool = True
    _span: int | None = None  # Width of a page in ``_seq``; None reads without an upper bound.
    _last: int = 0  # Greater than every ``_seq`` when the width was set.

    @property
    def has_all_rows(self) -> bool:
        """Whether rows were read to the end."""
        return self._reads_rows

    def run(self, endpoint: Endpoint, *, on_page: Callable[[Pager], None] | None = None) -> None:
        """Read until everything is read that was there at the beginning.

        Args:
            endpoint: Runs the SQL.
            on_page: Called after each page; may raise to stop.

        Raises:
            ServerError: The server refuses.
        """
        self._reads_rows = self.enough is None or self.enough > 0
        begin = _next_seq(endpoint)
        while self._page(endpoint, begin):
            self._stop_reading_rows()
            if on_page is not None:
                on_page(self)
        if on_page is not None:
            on_page(self)

    def result(self) -> pa.Table:
        """The rows whose version is the newest of their key, in order of the key."""
        import pyarrow as pa
        import pyarrow.compute as pc

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

    def compact(self) -> None:
        """Forget versions that are not the newest of their key, so that reading can go on for long."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.keys:
            newest = pa.concat_tables(self.keys).group_by("key").aggregate([("seq", "max")])
            self.keys = [newest.rename_columns(["key", "seq"])]
        if self.rows:
            rows = pa.concat_tables(self.rows)
            self.rows = [
                rows.filter(pc.is_in(rows.column("seq"), value_set=self.keys[0].column("seq").combine_chunks()))
            ]

    def _stop_reading_rows(self) -> None:
        if self.enough is None or not self._reads_rows or sum(page.num_rows for page in self.rows) < self.enough:
            return
        self.compact()
        self._reads_rows = self.rows[0].num_rows < self.enough

    def _page(self, endpoint: Endpoint, begin: int) -> bool:
        """Read one page; whether more may follow."""
        lists, upper = self._ask(endpoint)
        reached, is_full = self.take(lists)
        if not reached:
            self.after = upper or self.after
        # Behind an upper bound may lie the newer version of a key that this page leaves out.
        return upper is not None or (bool(reached) and (is_full or reached < begin))

    def take(self, lists: Sequence[Sequence[pa.Array | None]]) -> tuple[int, bool]:
        """Keep a page: its rows, keys and tombstones.

        Returns:
            The greatest ``_seq`` in it, 0 when it is empty; and whether it is full, so that more may follow.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

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
            if self.plan.params:
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
            first = f"SELECT min(_seq) AS s FROM {self.plan.clauses.table} WHERE _seq > {self.after}"
            answer = endpoint.execute(f"{first}; {first} AND _deleted = true")
            seqs = [whole_number(seq) for index in (0, 1) for seq in answer.column(index) if seq is not None]
            self.after = max(self.after, min(seqs, default=self.after + 1) - 1)
            self._last = _next_seq(endpoint)
            self._span = self._last - self.after
        self._span = max(1, self._span // 2)

    def _ask_once(self, endpoint: Endpoint, upper: int | None) -> list[list[pa.Array | None]]:
        """At one point in time where the query has no parameters."""
        window = self._window(upper)
        rows_types, pair, _ = self.types()
        rows, *keys = self._statements(window)
        if not self._reads_rows or self.plan.params:
            # A batch takes no parameters. The keys come first: what is written between them and the rows is newer than
            # the page, so that the next one finds it again.
            found = endpoint.execute_lists(";\n".join(["BEGIN", *keys, "COMMIT"]), (), [pair, pair])
            if not self._reads_rows:
                return [[None] * len(rows_types), *found]
            return [*endpoint.execute_lists(rows, self.plan.params, [rows_types]), *found]
        sql = ";\n".join(["BEGIN", rows, *keys, "COMMIT"])
        return endpoint.execute_lists(sql, (), self.types())

    def _window(self, upper: int | None = None, *, overlap: int = 0) -> str:
        return f"_seq > {max(0, self.after - overlap)}" + ("" if upper is None else f" AND _seq <= {upper}")

    def page_statements(self, overlap: int) -> list[str]:
        """The statements of one page without parameters: rows, keys, tombstones, from before where the pager is."""
        return self._statements(self._window(overlap=overlap))

    def types(self) -> list[list[pa.DataType]]:
        """The types of what the statements of a page list."""
        import pyarrow as pa

        pair = [self.plan.key_type, pa.int64()]
        return [[*self.plan.fields.types, *pair], pair, pair]

    def _statements(self, window: str) -> list[str]:
        rows = rows_statement(self.plan, window, f"ORDER BY kalam_seq LIMIT {self.page_rows}")
        return [rows, *self._keys_statements(window)]

    def _keys_statements(self, window: str) -> list[str]:
        plan = self.plan
        pair = f"array_agg({exact_text('k', plan.key_type)}) AS k, array_agg(s) AS s"
        keys = (
            f"SELECT {pair} FROM (SELECT {plan.key} AS kalam_key, _seq AS kalam_seq FROM {plan.clauses.table} "
            f"WHERE {window}"
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


def read_at_one_state(endpoint: Endpoint, pagers: Sequence[Pager], overlap: int) -> list[int] | None:
    """Read what changed in several tables since they were read, up to one moment, in one transaction (truth R10).

    Args:
        endpoint: Runs the SQL.
        pagers: Pages of whole tables, without parameters, that have come to their end.
        overlap: How far before their end to begin: writers commit out of order.

    Returns:
        How many rows each table has at that moment; None when more changed than one page holds.

    Raises:
        ServerError: The server refuses.
    """
    import pyarrow as pa

    statements, types = [], []
    for pager in pagers:
        statements += pager.page_statements(overlap)
        statements.append(f"SELECT array_agg(n) AS n FROM (SELECT count(*) AS n FROM {pager.plan.clauses.table}) AS c")
        types += [*pager.types(), [pa.int64()]]
    answers = iter(endpoint.execute_lists(";\n".join(["BEGIN", *statements, "COMMIT"]), (), types))
    counts, is_whole = [], True
    for pager in pagers:
        _, is_full = pager.take([next(answers) for _ in range(3)])
        is_whole = is_whole and not is_full
        (counted,) = next(answers)
        counts.append(number_in(counted))
    return counts if is_whole else None


def rows_statement(plan: PagerPlan, window: str, page: str = "") -> str:
    """The statement that reads the rows of a window: lists of the output's columns, of the keys and of ``_seq``.

    Args:
        plan: What is read.
        window: Condition on ``_seq``.
        page: Order and limit.
    """
    names = [f"c{index}" for index in range(len(plan.fields))]
    lists = [f"array_agg({exact_text(name, f.type)}) AS {name}" for name, f in zip(names, plan.fields, strict=True)]
    pair = f"array_agg({exact_text('k', plan.key_type)}) AS k, array_agg(s) AS s"
    clauses = plan.clauses
    where = f"{window} AND (\n{clauses.where}\n)" if clauses.where else window
    # A comment may end the columns as they were written.
    inner = f"SELECT {clauses.columns}\n, {plan.key} AS kalam_key, _seq AS kalam_seq FROM {clauses.table} WHERE {where}"
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
    """
    assert shape.clauses is not None
    announced = endpoint.execute(f"SELECT * FROM {shape.clauses.table} LIMIT 0").columns()
    keys = [column for column in announced if column.is_primary_key]
    # Every other table has a key, and its rows have tombstones; a STREAM table has neither, its deleted rows just go.
    listed = listed_table(endpoint, shape.clauses.table)
    is_stream = listed is not None and listed.kind == "stream"
    if len(keys) != 1 or is_stream:
        keys = [column for column in announced if column.name == "_seq"]
    if not keys:
        raise ProtocolError(f"{shape.clauses.table} has no _seq, by which its versions are read.")
    key = keys[0]
    return PagerPlan(shape.clauses, arrow_schema(tuple(columns)), quote_name(key.name), arrow_type(key), params)


def _next_seq(endpoint: Endpoint) -> int:
    """A ``_seq`` beyond all that have been given so far, by the server's own clock."""
    clock = "arrow_cast(arrow_cast(now(), 'Timestamp(Millisecond, None)'), 'Int64')"
    now_ms = one_number(endpoint.execute_row(f"SELECT {clock} AS ms"))
    return seq_at((now_ms or 0) + 1)
