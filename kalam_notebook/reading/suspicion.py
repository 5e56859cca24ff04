"""When a plain answer is final (truth, section 3), and which columns no reading can mend. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kalam_notebook.errors import DecodeError, ServerError
from kalam_notebook.transport.http_failures import NoAnswerError
from kalam_notebook.wire.shape import Shape
from kalam_notebook.wire.types import Column

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DEFAULT_CAP", "LIMIT_CAP", "is_unencodable", "spoilt", "suspicion"]

#: Caps of a server with default settings (HTTP reference, section 10).
DEFAULT_CAP = 50
LIMIT_CAP = 1000
#: How the debug text begins that the server puts in the place of bytes.
_DEBUG_BYTES = b"BinaryArray\n[\n  ["


def suspicion(shape: Shape, columns: Sequence[Column], table: pa.Table) -> str | None:
    """Why a plain answer cannot be trusted, or None (truth, section 3)."""
    cap = LIMIT_CAP if shape.limits_top else DEFAULT_CAP
    if table.num_rows >= cap:
        return f"the server cuts results at {cap} rows"
    unsafe_sort = shape.order_by is None or (shape.order_by and (shape.limits_top or not _in_output(shape, columns)))
    if table.num_rows > 1 and unsafe_sort:
        return "the server re-sorts sorted and limited results by the key"
    if _may_lack_sign(table):
        return "the server drops the sign of decimals between -1 and 0"
    return None


def _in_output(shape: Shape, columns: Sequence[Column]) -> bool:
    names = {column.name for column in columns}
    return all(name in names for name in shape.order_by or ())


def _may_lack_sign(table: pa.Table) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    for column in table.columns:
        if pa.types.is_decimal(column.type):
            small = pc.and_(pc.greater(column, 0), pc.less(column, 1))
            if pc.any(small).as_py():
                return True
    return False


def spoilt(columns: Sequence[Column], table: pa.Table) -> str | None:
    """Which column a flush or a write has spoilt on the server, or None (truth L10, L24).

    Bytes are recognised by the debug text in their place. Embeddings are read as NULL, so a column that holds nothing
    else is suspicious.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for column, cells in zip(columns, table.columns, strict=True):
        if pa.types.is_binary(cells.type) and pc.any(pc.starts_with(cells, _DEBUG_BYTES)).as_py():
            return (
                f"column {column.name!r} holds debug text in the place of bytes, as the server does it after a flush "
                "or an INSERT of X'…'. Keep bytes in a FILE column, or as base64 in TEXT"
            )
        if column.type_name == "Embedding" and 0 < len(cells) == cells.null_count:
            return (
                f"column {column.name!r} is NULL in every row, and the server reads embeddings as NULL once they are "
                "flushed. Rows found by their key (WHERE key = …) show what is stored"
            )
    return None


def is_unencodable(error: Exception) -> bool:
    """Whether a query failed because the server could not encode a value, or under a wrong type."""
    return isinstance(error, (NoAnswerError, DecodeError)) or (
        isinstance(error, ServerError) and error.code == "INTERNAL_ERROR"
    )
