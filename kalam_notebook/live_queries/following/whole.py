"""The rows of a live table, whole, with the server's fingerprint of them, in one scan (truth R1, R5).

Rows, fingerprint and the newest ``_seq`` that the scan sees are aggregates of the same scan, so they are of one moment
and cost the server no more than the rows alone. A version far behind that ``_seq`` means that the scan ended too early
(truth L3); that is one more question, which finds its place without a scan while the table is not flushed.
"""

from __future__ import annotations

import pyarrow as pa

from kalam_notebook.errors import ServerError
from kalam_notebook.live_queries.following.plan import Reading, TablePlan
from kalam_notebook.live_queries.rows.fingerprint import MODULUS, Fingerprint
from kalam_notebook.reading.damage import damaged_cells, damaged_columns
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.forms import exact_text, is_found
from kalam_notebook.reading.window import EVERY_VERSION, LAST_SEQ
from kalam_notebook.sql.shape import shape_of
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.wire.answered import number_in, one_number, table_of
from kalam_notebook.wire.seq import OVERLAP, seq_at
from kalam_notebook.wire.types import arrow_schema

__all__ = ["read_whole"]


def read_whole(endpoint: Endpoint, plan: TablePlan) -> Reading | None:
    """Read all rows that match.

    Args:
        endpoint: Runs the SQL.
        plan: What the live table holds.

    Returns:
        The rows; None where one scan does not tell them all, or the server's query memory does not hold them.

    Raises:
        KalamError: The server cannot be reached.
    """
    shape = shape_of(plan.reading)
    assert shape is not None
    is_look_up = shape.clauses is not None and shape.clauses.looks_up == plan.key
    schema = arrow_schema(plan.columns)
    types = [*schema.types, *[pa.int64()] * 6]

    try:
        ((*rows, n, s, x, m, newest, clock),) = endpoint.execute_lists(
            _statement(plan, schema, is_look_up=is_look_up), (), [types]
        )
    except ServerError:
        return None

    now_ms = number_in(clock)
    # What was committed before this moment is in the rows; what was about to be is told by the first delta.
    reached = seq_at(now_ms) - OVERLAP if is_look_up else number_in(newest)
    behind = None if is_look_up else _next_seq(endpoint, plan, reached)
    if behind is not None and behind < seq_at(now_ms):
        return None

    fingerprint = Fingerprint(number_in(n), number_in(s), number_in(x), number_in(m))
    table = table_of(rows, schema)
    damage = damaged_columns(endpoint, shape, {plan.source: plan.columns}, table) or damaged_cells(plan.columns, table)
    return Reading(
        table,
        reached,
        doubt=f"not certain: {damage}" if damage else "",
        # What was written since has to be told by a delta before anything is proved.
        fingerprint=fingerprint if behind is None else None,
        now_ms=now_ms,
    )


def _statement(plan: TablePlan, schema: pa.Schema, *, is_look_up: bool) -> str:
    """One row: a list for each column, then lists of one number."""
    names = [f"c{index}" for index in range(len(schema))]
    selected = ", ".join(quote_name(name) for name in schema.names)
    # The newest version that the scan sees may be that of a row that does not match, or a tombstone, so the scan is not
    # filtered. A look-up by key is no scan, and finds its row in any case (truth L3).
    if is_look_up:
        only, found, where = "", "1", f"(\n{plan.filter_sql}\n)"
    else:
        only, found, where = " FILTER (WHERE f = 1)", is_found(plan.filter_sql), EVERY_VERSION
    lists = [f"array_agg({exact_text(name, f.type)}){only} AS {name}" for name, f in zip(names, schema, strict=True)]
    numbers = [
        f"[count(*){only}] AS n",
        f"[max(s){only}] AS s",
        f"[bit_xor(s){only}] AS x",
        f"[sum(s % {MODULUS}){only}] AS m",
        "[max(s)] AS newest",
        "[arrow_cast(now(), 'Int64') / 1000000] AS clock",
    ]
    scan = f"SELECT {selected}, _seq AS kalam_seq, {found} AS kalam_found FROM {plan.source} WHERE {where}"
    return f"SELECT {', '.join([*lists, *numbers])} FROM ({scan}) AS q({', '.join([*names, 's', 'f'])})"


def _next_seq(endpoint: Endpoint, plan: TablePlan, reached: int) -> int | None:
    """The version behind the last one that the scan saw; an old one means that it ended too early."""
    window = f"_seq > {reached} AND _seq <= {LAST_SEQ} AND {EVERY_VERSION}"
    return one_number(endpoint.execute_row(f"SELECT min(_seq) AS s FROM {plan.source} WHERE {window}"))
