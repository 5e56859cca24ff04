"""What a caller has, as one Arrow table: pandas, polars, Arrow, and anything with ``__arrow_c_stream__``.

Nothing is judged here but the form: whether values can be written is for ``values`` to say. NaN in float columns stays
NaN, so that it is not taken for NULL in silence.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kalam_notebook.errors import FrameError
from kalam_notebook.wire.fileref import FileRef
from kalam_notebook.wire.types import KALAM_TYPE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["to_arrow"]


def to_arrow(frame: object) -> pa.Table:
    """Convert a frame to an Arrow table of one chunk.

    Args:
        frame: A pandas or polars DataFrame, an Arrow table, batch or reader, or any object with ``__arrow_c_stream__``.

    Returns:
        The rows, columns in the frame's order. An index of pandas is left out.

    Raises:
        FrameError: It is none of these, two columns have one name, or a column has no Arrow form.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(frame, pandas.DataFrame):
        table = _from_pandas(frame)
    elif isinstance(frame, pa.RecordBatch):
        table = pa.Table.from_batches([frame])
    elif isinstance(frame, pa.Table):
        table = frame
    elif hasattr(frame, "__arrow_c_stream__"):
        table = pa.RecordBatchReader.from_stream(frame).read_all()
    else:
        raise FrameError(
            f"A {type(frame).__name__} is no frame. Give a pandas or polars DataFrame or an Arrow table, for example "
            "pyarrow.Table.from_pylist(rows)."
        )
    _refuse_twins(table.column_names)
    return table.combine_chunks()


def _refuse_twins(names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise FrameError(f"The frame has two columns named {twice[0]!r}. Drop or rename one.")


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    labels = list(frame.columns)
    for label in labels:
        if not isinstance(label, str):
            raise FrameError(f"The column label {label!r} is not text. Rename it: frame.rename(columns=str).")
    _refuse_twins(labels)
    columns = [_from_series(frame.iloc[:, index], label) for index, label in enumerate(labels)]
    fields = [field for field, _ in columns]
    return pa.Table.from_arrays([array for _, array in columns], schema=pa.schema(fields))


def _from_series(series: pd.Series[Any], name: str) -> tuple[pa.Field, pa.Array]:
    values: Any = series
    metadata: dict[bytes, bytes] = {}
    if series.dtype == object:
        values, kind = _plain_objects(series, name)
        metadata = {KALAM_TYPE: kind} if kind else {}
    try:
        array = pa.array(values, from_pandas=True)
        if pa.types.is_floating(array.type):
            # NaN is pandas' sign for "missing" too; whether it shall become NULL is the caller's to say.
            array = pa.array(values, from_pandas=False)
    except UnicodeEncodeError as exc:
        raise _surrogate(series, name) from exc
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as exc:
        why = str(exc).splitlines()[0]
        raise FrameError(f"its values have no common type ({why}). Convert them to one.", column=name) from exc
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return pa.field(name, array.type, metadata=metadata), array


def _surrogate(series: pd.Series[Any], name: str) -> FrameError:
    for row, value in enumerate(series):
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            return FrameError(
                "holds a lone surrogate, which is not Unicode text. Replace it.",
                column=name,
                row=row,
                value=ascii(value)[:40],
            )
    return FrameError("holds text that is not Unicode.", column=name)


def _plain_objects(series: pd.Series[Any], name: str) -> tuple[Any, bytes]:
    """Python objects in a form that Arrow knows, and the server's type name that belongs to them, or empty."""
    first = next((value for value in series if value is not None and value == value), None)
    if isinstance(first, uuid.UUID):
        cells = [value.bytes if isinstance(value, uuid.UUID) else value for value in series]
        return _uuids(cells, name), b"UUID"
    if isinstance(first, FileRef):
        return [value.to_json() if isinstance(value, FileRef) else value for value in series], b"FILE"
    if any(isinstance(value, Mapping) for value in series):
        return [_json(value, name, row) for row, value in enumerate(series)], b"JSON"
    return series, b""


def _uuids(cells: list[Any], name: str) -> pa.Array:
    for row, cell in enumerate(cells):
        if isinstance(cell, (str, int)):
            raise FrameError("stands among UUIDs and is none.", column=name, row=row, value=repr(cell)[:40])
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(cells, pa.binary(16), from_pandas=True))


def _json(value: object, name: str, row: int) -> str | None:
    if value is None or value != value:
        return None
    return json_text(value, name, row)


def json_text(value: object, name: str, row: int) -> str:
    """A list or mapping as JSON text.

    Raises:
        FrameError: It holds NaN, infinity or something that JSON does not know.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as exc:
        raise FrameError(f"is not JSON ({exc}).", column=name, row=row, value=repr(value)[:40]) from exc
