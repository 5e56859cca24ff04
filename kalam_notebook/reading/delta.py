"""What changed in a table since a ``_seq``, with the proof that this was all (truth R4, R5), in one transaction.

Four statements: the rows that match and changed, the keys of all that changed (a key without a row among the first has
left the filter), the tombstones, and the fingerprint of everything that matches. Right also for tables beyond the scan
window, except for the fingerprint: the scan begins where the delta does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kalam_notebook.errors import ServerError
from kalam_notebook.live.plan import TablePlan
from kalam_notebook.live.truth import MODULUS, Delta, Fingerprint
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.exact import exact_text
from kalam_notebook.wire.sql import quote_name
from kalam_notebook.wire.types import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MAX_ROWS", "read_delta", "read_fingerprints"]

#: Row versions of one delta. When there are more, reading the whole table is cheaper, and a delta is refused.
MAX_ROWS = 50_000


def read_delta(
    endpoint: Endpoint, plan: TablePlan, after: int, floor: int = 0, *, counts: bool = False
) -> Delta | None:
    """Ask what changed.

    Args:
        endpoint: Runs the SQL.
        plan: What the live table holds.
        after: The ``_seq`` behind which everything is asked for.
        floor: The fingerprint is that of the rows behind this ``_seq``.
        counts: Whether to count the table's rows, too; a bare ``count(*)`` is right beyond the scan window (truth L3).

    Returns:
        The delta; None when more changed than ``MAX_ROWS``, or than the server's query memory holds.

    Raises:
        KalamError: The server refuses, or cannot be reached.
    """
    import pyarrow as pa

    schema = arrow_schema(plan.columns)
    key_type = schema.field(plan.key).type
    pair, number = [key_type, pa.int64()], pa.int64()
    types = [schema.types, *([pair] if plan.filter_sql else []), pair, [number] * 5]
    statements = _statements(plan, schema, after, floor)
    if counts:
        types.append([number])
        statements.append(f"SELECT array_agg(n) AS n FROM (SELECT count(*) AS n FROM {plan.source}) AS c")
    sql = ";\n".join(["BEGIN", *statements, "COMMIT"])
    try:
        answers = endpoint.execute_lists(sql, (), types)
    except ServerError as exc:
        # The server has no code of its own for this (truth R1).
        if "Resources exhausted" not in exc.message:
            raise
        return None
    (counted,) = _numbers(answers.pop()) if counts else (None,)
    rows, *middle, told = answers
    changed = schema.empty_table() if rows[0] is None else pa.Table.from_arrays(rows, schema=schema)
    deleted = _pairs(middle[-1], pair)
    if plan.filter_sql:
        keys = _pairs(middle[0], pair)
    else:
        keys = pa.table({"key": changed.column(plan.key), "seq": changed.column("_seq")})
    if max(keys.num_rows, deleted.num_rows) >= MAX_ROWS:
        return None
    count, last, xor, total, now_ms = _numbers(told)
    return Delta(changed, keys, deleted, Fingerprint(count, last, xor, total), now_ms, counted)


def read_fingerprints(endpoint: Endpoint, tables: Sequence[str]) -> tuple[Fingerprint, ...]:
    """The fingerprints of whole tables, at one point in time.

    Args:
        endpoint: Runs the SQL.
        tables: Qualified names, as they can stand in SQL.
    """
    import pyarrow as pa

    if not tables:
        return ()
    sql = ";\n".join(["BEGIN", *(_fingerprint_sql(table) for table in tables), "COMMIT"])
    answers = endpoint.execute_lists(sql, (), [[pa.int64()] * 5 for _ in tables])
    return tuple(Fingerprint(*_numbers(told)[:4]) for told in answers)


def _fingerprint_sql(source: str) -> str:
    """The statement for the fingerprint of ``table [WHERE …]``, and the server's clock in milliseconds."""
    return (
        "SELECT array_agg(n) AS n, array_agg(s) AS s, array_agg(x) AS x, array_agg(m) AS m, "
        "array_agg(arrow_cast(now(), 'Int64') / 1000000) AS t FROM (SELECT count(*) AS n, max(_seq) AS s, "
        f"bit_xor(_seq) AS x, sum(_seq % {MODULUS}) AS m FROM {source}) AS f"
    )


def _statements(plan: TablePlan, schema: pa.Schema, after: int, floor: int) -> list[str]:
    window = f"_seq > {after}"
    condition = f"(\n{plan.filter_sql}\n)" if plan.filter_sql else ""
    where = " AND ".join(filter(None, [window, condition]))
    names = [f"c{index}" for index in range(len(schema))]
    lists = [f"array_agg({exact_text(name, f.type)}) AS {name}" for name, f in zip(names, schema, strict=True)]
    selected = ", ".join(quote_name(name) for name in schema.names)
    page = f"LIMIT {MAX_ROWS}"
    pair = f"array_agg({exact_text('k', schema.field(plan.key).type)}) AS k, array_agg(s) AS s"
    keys = f"SELECT {pair} FROM (SELECT {quote_name(plan.key)} AS kalam_key, _seq AS kalam_seq "
    keys += f"FROM {plan.source} WHERE {window}"
    compared = " AND ".join(filter(None, [f"_seq > {floor}" if floor else "", condition]))
    return [
        f"SELECT {', '.join(lists)} FROM (SELECT {selected} FROM {plan.source} WHERE {where} {page}) "
        f"AS q({', '.join(names)})",
        *([f"{keys} {page}) AS q(k, s)"] if plan.filter_sql else []),
        f"{keys} AND _deleted = true {page}) AS q(k, s)",
        _fingerprint_sql(f"{plan.source} WHERE {compared}" if compared else plan.source),
    ]


def _pairs(arrays: Sequence[pa.Array | None], types: Sequence[pa.DataType]) -> pa.Table:
    import pyarrow as pa

    filled = [pa.array([], kind) if array is None else array for array, kind in zip(arrays, types, strict=True)]
    return pa.table({"key": filled[0], "seq": filled[1]})


def _numbers(told: Sequence[pa.Array | None]) -> list[int]:
    """One number from each list of one; NULL is 0."""
    return [0 if array is None else int(array[0].as_py() or 0) for array in told]
