"""When a plain answer is final (server-truths.md#policy). Pure."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.errors import DecodeError, ServerError
from kalam_notebook.http.bounded import TooLargeError
from kalam_notebook.http.failures import NoAnswerError, is_exhausted
from kalam_notebook.reading.kept_sorts import is_at_risk
from kalam_notebook.reading.server_limits import ServerLimits
from kalam_notebook.sql.shape import Shape
from kalam_notebook.wire.types import FLOATS, TEXTS, Column, cells_of

__all__ = ["has_null_floats", "has_only_nulls", "is_too_much", "is_unencodable", "may_be_lists", "reason_to_doubt"]


def reason_to_doubt(
    shape: Shape, columns: Sequence[Column], table: pa.Table, limits: ServerLimits, *, keeps_sort: bool = False
) -> str | None:
    """Why a plain answer cannot be trusted, or None (server-truths.md#policy).

    Args:
        shape: The query.
        columns: Those of its answer.
        table: The rows.
        limits: Those of the server.
        keeps_sort: Whether the server is known to keep the sort of such a query.
    """
    cap = limits.limit_cap if shape.limits_top else limits.default_cap
    if table.num_rows >= cap:
        return f"the server cuts results at {cap} rows"
    if table.num_rows > 1 and is_at_risk(shape, columns) and not keeps_sort:
        return "the server re-sorts sorted and limited results by the key"
    if limits.drops_sign and _may_lack_sign(columns, table):
        return "the server drops the sign of decimals between -1 and 0"
    return None


def _may_lack_sign(columns: Sequence[Column], table: pa.Table) -> bool:
    for _, cells in cells_of({"Decimal"}, columns, table):
        small = pc.and_(pc.greater(cells, 0), pc.less(cells, 1))
        if pc.any(small).as_py():
            return True
    return False


def has_null_floats(columns: Sequence[Column], table: pa.Table) -> bool:
    """Whether a floating column has a NULL, in whose place some servers send what JSON has no number for."""
    return any(cells.null_count for _, cells in cells_of(FLOATS, columns, table))


def has_only_nulls(table: pa.Table) -> bool:
    """Whether a column shows nothing that would tell a list from its elements."""
    return any(column.null_count == table.num_rows for column in table.columns)


def may_be_lists(columns: Sequence[Column], table: pa.Table) -> bool:
    """Whether a column of texts looks as if lists had come in it, which are kept as JSON text."""
    return any((_first_of(cells) or "").startswith("[") for _, cells in cells_of(TEXTS, columns, table))


def _first_of(column: pa.ChunkedArray) -> str | None:
    """The first value that is not NULL."""
    kept = column if not column.null_count else column.drop_null()
    first: str | None = kept[0].as_py() if len(kept) else None
    return first


def is_unencodable(error: Exception) -> bool:
    """Whether a query failed because the server could not encode a value, or under a wrong type."""
    return isinstance(error, (NoAnswerError, DecodeError)) or (
        isinstance(error, ServerError) and error.code == "INTERNAL_ERROR"
    )


def is_too_much(error: Exception) -> bool:
    """Whether the answer is too large for the server's query memory, or to be read at once here."""
    return isinstance(error, TooLargeError) or is_exhausted(error)
