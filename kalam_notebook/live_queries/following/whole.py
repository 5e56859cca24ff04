"""The rows of a live table, whole, with the server's fingerprint of them, in one scan (truth R1, R5).

Rows, fingerprint and the newest version that the scan sees are aggregates of the same scan, so they are of one moment
and cost the server no more than the rows alone. A version behind it that is not of just now means that the scan ended
too early (truth L3); that is one more question, which finds its place without a scan while the table is not flushed.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from kalam_notebook.errors import ServerError
from kalam_notebook.live_queries.following.plan import Reading, TablePlan
from kalam_notebook.live_queries.rows.fingerprint import MODULUS, Fingerprint
from kalam_notebook.reading.damage import damaged_cells, damaged_columns
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.forms import exact_column, is_found
from kalam_notebook.reading.window import EVERY_VERSION, NOW_MS
from kalam_notebook.sql.shape import shape_of
from kalam_notebook.sql.statement import enclosed, quote_name
from kalam_notebook.wire.answered import number_in, one_number, table_of
from kalam_notebook.wire.row_version import GREATEST_VERSION
from kalam_notebook.wire.types import arrow_schema

__all__ = ["read_whole"]


def read_whole(endpoint: Endpoint, plan: TablePlan, damages: Callable[[Endpoint], bool]) -> Reading | None:
    """Read all rows that match.

    Args:
        endpoint: Runs the SQL.
        plan: What the live table holds.
        damages: Tells whether the server damages bytes and embeddings.

    Returns:
        The rows; None where one scan does not tell them all, or the server's query memory does not hold them.

    Raises:
        KalamError: The server cannot be reached.
    """
    shape = shape_of(plan.reading)
    assert shape is not None
    # A look-up sees one version only, and what was committed before it is told by a time.
    is_look_up = plan.version.has_time and shape.clauses is not None and shape.clauses.looks_up == plan.key
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
    now = plan.version.at(now_ms)
    reached = now - plan.version.overlap if is_look_up and now is not None else number_in(newest)
    behind = None if is_look_up else _next_version(endpoint, plan, reached)
    if behind is not None and (behind < now if now is not None else not _is_reached(endpoint, plan, behind)):
        return None

    fingerprint = Fingerprint(number_in(n), number_in(s), number_in(x), number_in(m))
    table = table_of(rows, schema)
    damage = damaged_columns(endpoint, shape, {plan.source: plan.columns}, table, damages=damages)
    damage = damage or damaged_cells(plan.columns, table)
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
        only, found, where = "", "1", enclosed(plan.filter_sql)
    else:
        only, found, where = " FILTER (WHERE f = 1)", is_found(plan.filter_sql), EVERY_VERSION
    lists = [f"array_agg({exact_column(name, c)}){only} AS {name}" for name, c in zip(names, plan.columns, strict=True)]
    numbers = [
        f"[count(*){only}] AS n",
        f"[max(s){only}] AS s",
        f"[bit_xor(s){only}] AS x",
        f"[sum(s % {MODULUS}){only}] AS m",
        "[max(s)] AS newest",
        f"[{NOW_MS}] AS clock",
    ]
    scan = (
        f"SELECT {selected}, {plan.version.name} AS kalam_seq, {found} AS kalam_found FROM {plan.source} WHERE {where}"
    )
    return f"SELECT {', '.join([*lists, *numbers])} FROM ({scan}) AS q({', '.join([*names, 's', 'f'])})"


def _next_version(endpoint: Endpoint, plan: TablePlan, reached: int) -> int | None:
    """The version behind the last one that the scan saw; an old one means that it ended too early."""
    window = f"{plan.version.behind(reached, GREATEST_VERSION)} AND {EVERY_VERSION}"
    return one_number(endpoint.execute_row(f"SELECT min({plan.version.name}) AS s FROM {plan.source} WHERE {window}"))


def _is_reached(endpoint: Endpoint, plan: TablePlan, behind: int) -> bool:
    """Whether another scan sees a version that one did not: then it was written in between."""
    newest = f"SELECT max({plan.version.name}) AS s FROM {plan.source} WHERE {EVERY_VERSION}"
    return (one_number(endpoint.execute_row(newest)) or 0) >= behind
