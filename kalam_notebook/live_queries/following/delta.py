"""What changed in a table since a version, with the proof that this was all (truth R4, R5), in one transaction.

One scan tells the rows that match and changed, the keys of all that changed (a key without a row among the first has
left the filter), and the tombstones; for a proof another one gives the fingerprint of everything that matches. Right
also for tables beyond the scan window, except for the fingerprint: the scan begins where the delta does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.errors import ProtocolError, ServerError
from kalam_notebook.http.failures import is_exhausted
from kalam_notebook.live_queries.following.plan import TablePlan
from kalam_notebook.live_queries.rows.fingerprint import MODULUS, Delta, DeltaQuestion, Fingerprint
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.forms import exact_column, exact_text, is_found
from kalam_notebook.reading.pager import in_transaction
from kalam_notebook.reading.window import EVERY_VERSION, NOW_MS
from kalam_notebook.sql.statement import enclosed, quote_name
from kalam_notebook.wire.answered import number_in, table_of
from kalam_notebook.wire.row_version import GREATEST_VERSION
from kalam_notebook.wire.types import arrow_schema

__all__ = ["MAX_ROWS", "read_deltas"]

#: Row versions of one delta. When there are more, reading the whole table is cheaper, and a delta is refused.
MAX_ROWS = 50_000

_CLOCK = f"SELECT array_agg(t) AS t FROM (SELECT {NOW_MS} AS t) AS c"


def read_deltas(
    endpoint: Endpoint, questions: Sequence[tuple[TablePlan, DeltaQuestion]]
) -> list[Delta | ServerError | None]:
    """Ask what changed, for several live tables over one table at once; what they have in common is asked once.

    Args:
        endpoint: Runs the SQL.
        questions: What each of them holds, and is to be told. A bare ``count(*)`` is right beyond the scan window, too
            (truth L3).

    Returns:
        A delta for each, which may begin before the wanted version; None when more changed than ``MAX_ROWS``, or than
        the server's query memory holds; an error where the server refuses it.

    Raises:
        KalamError: The server cannot be reached.
    """
    begins = [ask.after for _, ask in questions]
    if len(questions) > 1 and max(begins) - min(begins) <= questions[0][0].version.near:
        try:
            return [*_read_together(endpoint, questions)]
        except ServerError:
            pass  # What it refuses may be of one of them alone.
    return [_read_alone(endpoint, question) for question in questions]


def _read_alone(endpoint: Endpoint, question: tuple[TablePlan, DeltaQuestion]) -> Delta | ServerError | None:
    try:
        return _read_together(endpoint, [question])[0]
    except ServerError as exc:
        return exc


def _read_together(endpoint: Endpoint, questions: Sequence[tuple[TablePlan, DeltaQuestion]]) -> list[Delta | None]:
    after = min(ask.after for _, ask in questions)
    parts = [_parts(plan, ask, after) for plan, ask in questions]
    # The types belong to the text: what is the same in two of them is asked once.
    asked = {sql: types for part in parts for sql, types in part.items()}
    # Where the server does not read the table in transactions, a proof that something comes between is repeated.
    sql = in_transaction([*asked]) if questions[0][0].in_transaction else ";\n".join(asked)

    begun = time.monotonic()
    try:
        answers = endpoint.execute_lists(sql, (), list(asked.values()))
    except ServerError as exc:
        if not is_exhausted(exc):
            raise
        return [None] * len(questions)

    took = time.monotonic() - begun
    told = dict(zip(asked, answers, strict=True))
    return [
        _delta(plan, ask, [told[sql] for sql in part], took) for (plan, ask), part in zip(questions, parts, strict=True)
    ]


def _parts(plan: TablePlan, ask: DeltaQuestion, after: int) -> dict[str, list[pa.DataType]]:
    """The statements of a question, with the types of what they return."""
    schema = arrow_schema(plan.columns)
    number = pa.int64()
    versions = [*schema.types, schema.field(plan.key).type, number, pa.bool_()]
    parts = {_versions_sql(plan, schema, after): versions, _CLOCK: [number]}
    if ask.proves:
        parts[_fingerprint_sql(plan, ask.floor)] = [number] * 4
    if ask.counts:
        parts[f"SELECT array_agg(n) AS n FROM (SELECT count(*) AS n FROM {plan.source}) AS c"] = [number]
    return parts


def _delta(plan: TablePlan, ask: DeltaQuestion, answers: list[list[pa.Array | None]], took: float) -> Delta | None:
    schema = arrow_schema(plan.columns)
    (counted,) = _numbers(answers.pop()) if ask.counts else (None,)
    fingerprint = Fingerprint(*_numbers(answers.pop())) if ask.proves else None
    (*rows, keys, seqs, gone), clock = answers

    told = pa.schema([("key", schema.field(plan.key).type), ("seq", pa.int64()), ("gone", pa.bool_())])
    versions = table_of([keys, seqs, gone], told)
    if versions.num_rows >= MAX_ROWS:
        return None
    if versions.column("seq").null_count or versions.column("gone").null_count:
        raise ProtocolError("The answer has versions without a number.")

    is_gone, versions = versions.column("gone"), versions.select(["key", "seq"])
    (now_ms,) = _numbers(clock)
    return Delta(
        table_of(rows, schema),
        versions.filter(pc.invert(is_gone)),
        versions.filter(is_gone),
        fingerprint,
        now_ms,
        counted,
        took,
    )


def _fingerprint_sql(plan: TablePlan, floor: int) -> str:
    name = plan.version.name
    conditions = [plan.version.behind(floor)] if floor else []
    if plan.filter_sql:
        conditions.append(enclosed(plan.filter_sql))
    compared = " AND ".join(conditions)
    return (
        "SELECT array_agg(n) AS n, array_agg(s) AS s, array_agg(x) AS x, array_agg(m) AS m FROM (SELECT count(*) AS n, "
        f"max({name}) AS s, bit_xor({name}) AS x, sum({name} % {MODULUS}) AS m FROM {plan.source}"
        f"{f' WHERE {compared}' if compared else ''}) AS f"
    )


def _versions_sql(plan: TablePlan, schema: pa.Schema, after: int) -> str:
    """The statement for the columns of what matches, then key, version and ``_deleted`` of all that changed.

    A condition that names ``_deleted`` shows tombstones beside the rows, so one scan tells all of it.
    """
    names = [f"c{index}" for index in range(len(schema))]
    lists = [
        f"array_agg({exact_column(name, column)}) FILTER (WHERE f = 1) AS {name}"
        for name, column in zip(names, plan.columns, strict=True)
    ]
    key = f"array_agg({exact_text('k', schema.field(plan.key).type)}) AS k"
    selected = ", ".join(quote_name(name) for name in schema.names)
    return (
        f"SELECT {', '.join(lists)}, {key}, array_agg(s) AS s, array_agg(d) AS d FROM (SELECT {selected}, "
        f"{quote_name(plan.key)} AS kalam_key, {plan.version.name} AS kalam_seq, _deleted AS kalam_deleted, "
        f"{is_found(plan.filter_sql)} AS kalam_found FROM {plan.source} "
        f"WHERE {plan.version.behind(after, GREATEST_VERSION)} AND {EVERY_VERSION} LIMIT {MAX_ROWS}) "
        f"AS q({', '.join([*names, 'k', 's', 'd', 'f'])})"
    )


def _numbers(told: Sequence[pa.Array | None]) -> list[int]:
    """One number from each list of one; NULL is 0."""
    return [number_in(array) for array in told]
