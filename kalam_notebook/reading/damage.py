"""Columns whose values a flush or a write has damaged on the server (truth L10, L24).

Bytes are read as a debug text after a flush, embeddings as NULL; look-ups by key still find the embeddings. Nothing
mends such a column, so a result that depends on one is not certain. Where the column stands in the output its cells
tell; inside of expressions and conditions the table is asked.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.errors import KalamError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.exact import exact_text
from kalam_notebook.sql.shape import Shape
from kalam_notebook.sql.statement import quote_name, quote_text
from kalam_notebook.sql.tables import named_columns
from kalam_notebook.wire.answered import one_number
from kalam_notebook.wire.row_version import row_version_of
from kalam_notebook.wire.types import Column, arrow_type, cells_of

__all__ = ["damaged_cells", "damaged_columns"]

#: How the debug text begins that the server puts in the place of bytes.
_DEBUG_BYTES = b"BinaryArray\n[\n  ["
#: Look-ups of one request (protocol/http.md#batches). More NULLs than that are not looked at.
_LOOK_UPS = 500


def damaged_cells(columns: Sequence[Column], table: pa.Table) -> str | None:
    """Which output column holds the debug text in the place of bytes, or None."""
    for column, cells in cells_of({"Bytes"}, columns, table):
        if pc.any(pc.starts_with(cells, _DEBUG_BYTES)).as_py():
            return _bytes_text(column.name)
    return None


def damaged_columns(
    endpoint: Endpoint,
    shape: Shape,
    tables: dict[str, tuple[Column, ...]],
    output: pa.Table | None,
    *,
    damages: Callable[[Endpoint], bool] = lambda _: True,
) -> str | None:
    """Which column that a query depends on is damaged, or None.

    Args:
        endpoint: Runs the SQL.
        shape: The query.
        tables: The tables that it reads, with their columns.
        output: Its rows, where output columns are columns of the tables; None asks the tables in any case.
        damages: Tells whether the server damages columns; asked when a query depends on one that it may have damaged.

    Returns:
        Why the result is not certain, in words.
    """
    for table, columns in tables.items():
        for column in _doubtful(shape.text, columns):
            if output is not None and _is_only_shown(shape, column) and _is_told_by(output, column):
                continue
            if not damages(endpoint):
                return None
            if (reason := _ask(endpoint, table, columns, column)) is not None:
                return reason
    return None


def _doubtful(sql: str, columns: Sequence[Column]) -> list[Column]:
    """The columns of a table that a flush may spoil and that a query names."""
    doubtful = [column for column in columns if column.type_name in {"Bytes", "Embedding"}]
    if not doubtful:
        return []
    names, has_star = named_columns(sql)
    return [column for column in doubtful if has_star or column.name in names]


def _is_only_shown(shape: Shape, column: Column) -> bool:
    """Whether a column stands in the output as it is and decides about nothing else."""
    return shape.is_plain and column.name not in shape.names_behind_from


def _is_told_by(table: pa.Table, column: Column) -> bool:
    """Whether the cells of the output tell if they are damaged: bytes by their text, embeddings when none is NULL."""
    if column.type_name == "Bytes":
        return True
    return not any(pa.types.is_fixed_size_list(cells.type) and cells.null_count for cells in table.columns)


def _ask(endpoint: Endpoint, table: str, columns: Sequence[Column], column: Column) -> str | None:
    try:
        if column.type_name == "Bytes":
            return _bytes_text(column.name) if _has_debug_text(endpoint, table, column) else None
        return _damaged_embedding(endpoint, table, columns, column)
    except KalamError as exc:
        return f"column {column.name!r} of {table} could not be checked ({str(exc).splitlines()[0]})"


def _has_debug_text(endpoint: Endpoint, table: str, column: Column) -> bool:
    where = f"encode({quote_name(column.name)}, 'hex') LIKE '{_DEBUG_BYTES.hex()}%'"
    return bool(one_number(endpoint.execute_row(f"SELECT count(*) AS n FROM {table} WHERE {where}")))


def _damaged_embedding(endpoint: Endpoint, table: str, columns: Sequence[Column], column: Column) -> str | None:
    """Whether an embedding that a scan reads as NULL is found by its key."""
    keys = [other for other in columns if other.is_primary_key]
    name = quote_name(column.name)
    if len(keys) != 1:
        count = one_number(endpoint.execute_row(f"SELECT count(*) AS n FROM {table} WHERE {name} IS NULL"))
        return _unchecked_text(column.name, table) if count else None

    key, kind = quote_name(keys[0].name), arrow_type(keys[0])
    version = row_version_of(columns)
    order = f"ORDER BY {version.name} " if version else ""
    ((found,),) = endpoint.execute_lists(
        f"SELECT array_agg({exact_text('k', kind)}) AS k FROM "
        f"(SELECT {key} AS k FROM {table} WHERE {name} IS NULL {order}LIMIT {_LOOK_UPS + 1}) AS q",
        (),
        [[kind]],
    )
    if found is None:
        return None

    literals = [_literal(value) for value in found.to_pylist()[:_LOOK_UPS]]
    if any(literal is None for literal in literals):
        return _unchecked_text(column.name, table)

    looks = (f"SELECT {name} FROM {table} WHERE {key} = {literal}" for literal in literals)
    answer = endpoint.execute(";\n".join(looks))
    if any(cells is not None and cells.column(0).null_count < cells.num_rows for cells in answer.tables):
        return _embedding_text(column.name)
    return _unchecked_text(column.name, table) if len(found) > _LOOK_UPS else None


def _literal(value: object) -> str | None:
    """A key as it can stand in SQL; None for types whose literals are not sure to be found."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (str, uuid.UUID, dt.date)) and not isinstance(value, dt.datetime):
        return quote_text(str(value))
    return None


def _bytes_text(name: str) -> str:
    return (
        f"column {name!r} holds debug text in the place of bytes, as the server does it after a flush or an INSERT of "
        "X'…'. Keep bytes in a FILE column, or as base64 in TEXT"
    )


def _embedding_text(name: str) -> str:
    return (
        f"column {name!r} is NULL in rows that hold an embedding: the server reads embeddings as NULL once they are "
        "flushed. Rows found by their key (WHERE key = …) show what is stored"
    )


def _unchecked_text(name: str, table: str) -> str:
    return (
        f"column {name!r} of {table} is NULL in more rows than could be looked up one by one, and the server reads "
        "embeddings as NULL once they are flushed. Rows found by their key (WHERE key = …) show what is stored"
    )
