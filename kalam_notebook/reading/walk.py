"""Reading a table by ``_seq``, right where the server's own scan is not (truth R3).

A scan that begins at ``_seq > w`` moves the window, so a table is read in pages of row versions, oldest first. Each
page brings rows that match, keys with their newest version, and tombstones; the newest version of a key wins, so pages
may overlap and rows may change meanwhile. The walk ends when a page is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kalam_notebook.errors import PermissionDeniedError, ServerError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.exact import exact_text
from kalam_notebook.wire.shape import Clauses, Shape
from kalam_notebook.wire.sql import quote_name, table_names
from kalam_notebook.wire.types import Column, arrow_schema, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Walk", "WalkPlan", "plan_walk"]

#: Row versions of one page; halved by itself when the server's query memory does not suffice.
PAGE_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class WalkPlan:
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
class Walk:
    """A walk and what it has found so far.

    Attributes:
        plan: What is read.
        after: Versions up to here have been read.
        page_rows: Row versions of a page.
        rows: Pages of rows: the output's columns, then the key and ``_seq``.
        keys: Pages of keys and ``_seq`` of every version met, tombstones included.
    """

    plan: WalkPlan
    after: int = 0
    page_rows: int = PAGE_ROWS
    rows: list[pa.Table] = field(default_factory=list)
    keys: list[pa.Table] = field(default_factory=list)

    def run(self, endpoint: Endpoint, *, on_page: Callable[[Walk], None] | None = None) -> None:
        """Read until nothing newer is found.

        Args:
            endpoint: Runs the SQL.
            on_page: Called after each page; may raise to stop.

        Raises:
            ServerError: The server refuses.
        """
        while self._page(endpoint):
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
        """Forget versions that are not the newest of their key, so that a walk can be gone on with for long."""
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

    def _page(self, endpoint: Endpoint) -> bool:
        import pyarrow as pa
        import pyarrow.compute as pc

        pair = [self.plan.key_type, pa.int64()]
        types = [[*self.plan.fields.types, *pair], pair, pair]
        while True:
            try:
                rows, keys, tombstones = self._ask(endpoint, types)
                break
            except ServerError as exc:
                # The server has no code of its own for this (truth R1).
                if "Resources exhausted" not in exc.message or self.page_rows < 100:
                    raise
                self.page_rows //= 2
        found = [pa.table({"key": names, "seq": seqs}) for names, seqs in (keys, tombstones) if names is not None]
        if not found:
            return False
        self.keys += found
        if rows[0] is not None:
            labels = [*(f"c{i}" for i in range(len(self.plan.fields))), "key", "seq"]
            self.rows.append(pa.table(dict(zip(labels, rows, strict=True))))
        newest = [(int(pc.max(page.column("seq")).as_py()), page.num_rows >= self.page_rows) for page in found]
        # A full page ends before the window does; what lies between comes with the next one.
        self.after = min((seq for seq, is_full in newest if is_full), default=max(seq for seq, _ in newest))
        return True

    def _ask(self, endpoint: Endpoint, types: Sequence[Sequence[pa.DataType]]) -> list[list[pa.Array | None]]:
        """One page, at one point in time where the query has no parameters."""
        statements = self._statements()
        if not self.plan.params:
            sql = ";\n".join(["BEGIN", *statements, "COMMIT"])
            return endpoint.execute_lists(sql, (), types)
        # A batch takes no parameters. Newest wins, so later statements may see more.
        return [
            endpoint.execute_lists(sql, self.plan.params if index == 0 else (), [kinds])[0]
            for index, (sql, kinds) in enumerate(zip(statements, types, strict=True))
        ]

    def _statements(self) -> list[str]:
        """Rows that match, all keys, and tombstones, each cut to a page in order of ``_seq``."""
        plan, table = self.plan, self.plan.clauses.table
        names = [f"c{index}" for index in range(len(plan.fields))]
        lists = [f"array_agg({exact_text(name, f.type)}) AS {name}" for name, f in zip(names, plan.fields, strict=True)]
        pair = f"array_agg({exact_text('k', plan.key_type)}) AS k, array_agg(s) AS s"
        window = f"_seq > {self.after}"
        where = f"{window} AND (\n{plan.clauses.where}\n)" if plan.clauses.where else window
        inner = f"SELECT {plan.clauses.columns}, {plan.key} AS kalam_key, _seq AS kalam_seq FROM {table} WHERE {where}"
        page = f"LIMIT {self.page_rows}"
        keys = f"SELECT {pair} FROM (SELECT {plan.key} AS kalam_key, _seq AS kalam_seq FROM {table} WHERE {window}"
        return [
            f"SELECT {', '.join(lists)}, {pair} FROM (SELECT * FROM ({inner}) AS p ORDER BY kalam_seq {page}) "
            f"AS q({', '.join(names)}, k, s)",
            f"{keys} ORDER BY kalam_seq {page}) AS q(k, s)",
            f"{keys} AND _deleted = true ORDER BY kalam_seq {page}) AS q(k, s)",
        ]


def plan_walk(endpoint: Endpoint, shape: Shape, columns: Sequence[Column], params: Sequence[Any]) -> WalkPlan:
    """Plan the walk of a plain query over one table.

    Args:
        endpoint: Tells the table's key.
        shape: A shape with ``clauses``.
        columns: The output's columns, plain columns of the table.
        params: JSON values for ``$1 …``.
    """
    assert shape.clauses is not None
    announced = endpoint.execute(f"SELECT * FROM {shape.clauses.table} LIMIT 0").results[0].columns
    keys = [column for column in announced if column.is_primary_key]
    # Every other table has a key, and its rows have tombstones; a STREAM table has neither, its deleted rows just go.
    is_unique = len(keys) == 1 and not _is_stream(endpoint, shape.clauses.table)
    key = keys[0] if is_unique else next(column for column in announced if column.name == "_seq")
    return WalkPlan(shape.clauses, arrow_schema(tuple(columns)), quote_name(key.name), arrow_type(key), params)


def _is_stream(endpoint: Endpoint, named: str) -> bool:
    """Whether a table's keys may repeat; only the list of tables tells."""
    (name,) = table_names(f"SELECT * FROM {named}")
    try:
        rows = endpoint.execute("SHOW TABLES").tables[0]
    except PermissionDeniedError:
        # Ordinary users may not list tables from 0.5 on (SQL reference, section 14.1); most tables are no streams.
        return False
    assert rows is not None
    wanted = (name.namespace or "default", name.table, "stream")
    listed = rows.select(["namespace_id", "table_name", "table_type"]).to_pylist()
    return any((row["namespace_id"], row["table_name"], row["table_type"].lower()) == wanted for row in listed)
