"""Arrow tables as pandas and polars frames, without losing anything on the way.

Called by results, batches and live tables.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from kalam_notebook.errors import MissingDependencyError, ResultError
from kalam_notebook.wire.fileref import FileHost, FileRef, parse_file_ref
from kalam_notebook.wire.types import KALAM_TYPE

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["file_cell", "ipc_stream", "to_pandas", "to_polars", "unsliced"]

_Rows = TypeVar("_Rows", "pa.Table", "pa.RecordBatch")


def to_pandas(table: pa.Table, *, bind: tuple[str, str] | None = None, host: FileHost | None = None) -> pd.DataFrame:
    """Convert a table to a DataFrame in which every value can be told exactly.

    Integers and booleans are pandas' nullable types (``Int64``, ``boolean``); decimals, dates, times of day and
    durations are Arrow-backed; timestamps are ``datetime64`` in the column's own unit; bytes, UUIDs, lists and FILE
    references are Python objects. A float column that holds both NULL and NaN is Arrow-backed, since NumPy cannot tell
    them apart. Column names may repeat.

    Args:
        table: The rows.
        bind: Namespace and table that FILE references belong to, if known.
        host: What fetches their files.

    Returns:
        A frame with the table's columns in order and a default index.
    """
    import pandas as pd

    # Names may repeat, which Arrow's conversion refuses; numbers do not.
    plain = table.rename_columns([str(index) for index in range(table.num_columns)])
    # Arrow's conversion knows no lists of these.
    as_objects = [index for index, found in enumerate(table.schema) if _holds_fixed_bytes(found.type)]
    for index in as_objects:
        plain = plain.set_column(index, str(index), pa.nulls(table.num_rows))
    frame: pd.DataFrame = plain.to_pandas(types_mapper=_dtype)
    for index, found in enumerate(table.schema):
        column = table.column(index)
        if _kalam_type(found) == "FILE":
            frame[str(index)] = pd.Series([file_cell(cell, bind, host) for cell in column.to_pylist()], dtype=object)
        elif index in as_objects:
            frame[str(index)] = pd.Series(column.to_pylist(), dtype=object)
        elif _has_null_and_nan(column):
            frame[str(index)] = column.to_pandas(types_mapper=pd.ArrowDtype)
    frame.columns = pd.Index(table.column_names, dtype=None if table.num_columns else object)
    return frame


def _holds_fixed_bytes(kind: pa.DataType) -> bool:
    """Whether a type is UUID, or a list of UUIDs or of other bytes of one size."""
    is_nested = False
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind, is_nested = kind.value_type, True
    return isinstance(kind, pa.UuidType) or (is_nested and pa.types.is_fixed_size_binary(kind))


def _dtype(kind: pa.DataType) -> object:
    """How pandas shall hold a type that its default would damage or turn into objects; None for its default."""
    import pandas as pd

    if types.is_boolean(kind):
        return pd.BooleanDtype()
    if types.is_integer(kind):
        # "int64" is "Int64" in pandas' nullable family, "uint8" is "UInt8".
        return pd.api.types.pandas_dtype(str(kind).replace("u", "U").replace("i", "I"))
    objects = types.is_decimal(kind) or types.is_date(kind) or types.is_time(kind) or types.is_duration(kind)
    return pd.ArrowDtype(kind) if objects or types.is_null(kind) else None


def _kalam_type(field: pa.Field) -> str:
    return str((field.metadata or {}).get(KALAM_TYPE, b"").decode())


def file_cell(cell: str | None, bind: tuple[str, str] | None, host: FileHost | None) -> FileRef | str | None:
    """A FILE cell as a frame has it: a FileRef; text that is none stays text."""
    ref = parse_file_ref(cell)
    if ref is None:
        return cell
    if bind is not None:
        ref = ref.bind(*bind)
    return ref if host is None else ref.from_host(host)


def _has_null_and_nan(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_floating(column.type) or column.null_count == 0:
        return False
    return bool(pc.any(pc.is_nan(column)).as_py())


def _for_polars(kind: pa.DataType) -> pa.DataType:
    """The type under which polars holds every value: it has no UUID, and decimals of 38 digits at most."""
    if isinstance(kind, pa.UuidType):
        return pa.binary(16)
    if pa.types.is_decimal256(kind):
        return pa.string()
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_for_polars(kind.value_type), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(_for_polars(kind.value_type))
    return pa.list_(_for_polars(kind.value_type)) if pa.types.is_list(kind) else kind


def to_polars(table: pa.Table) -> pl.DataFrame:
    """Convert a table to a polars frame.

    Raises:
        MissingDependencyError: polars is not installed.
        ResultError: Two columns have one name, which polars cannot hold.
    """
    try:
        import polars as pl
    except ImportError as exc:
        raise MissingDependencyError(
            "polars is not installed. Install it with: pip install 'kalam-notebook[polars]'"
        ) from exc
    twice = [name for name, count in Counter(table.column_names).items() if count > 1]
    if twice:
        raise ResultError(
            f"A polars frame cannot have two columns named {twice[0]!r}. Give them names in SQL: ... AS {twice[0]}_2."
        )

    table = unsliced(table)
    kinds = [_for_polars(kind) for kind in table.schema.types]
    plain = pa.table(
        [cells if cells.type == kind else cells.cast(kind) for cells, kind in zip(table.columns, kinds, strict=True)],
        names=table.column_names,
    )
    frame = pl.from_arrow(plain)
    assert isinstance(frame, pl.DataFrame)
    return frame


def ipc_stream(table: pa.Table) -> bytes:
    """The table as an Arrow IPC stream."""
    # One batch: a slice of many small chunks would repeat the batch's header for each of them.
    table = table.combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def unsliced(rows: _Rows) -> _Rows:
    """Lay lists of one size that may be NULL out anew; polars 2 cannot read a slice of such lists.

    Args:
        rows: A table or a record batch, for another library to read.
    """
    for index, found in enumerate(rows.schema):
        cells = rows.column(index)
        if pa.types.is_fixed_size_list(found.type) and cells.null_count:
            rows = rows.set_column(index, found, cells.take(pa.arange(0, len(cells))))
    return rows
