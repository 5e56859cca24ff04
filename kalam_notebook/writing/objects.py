"""Columns of Python objects, as pandas has them, in forms that Arrow takes as they are. Pure.

Arrow's guess changes values without a word: mappings in lists get each other's keys, integers beside floats become
floats, a datetime among dates loses its time of day. Such columns become JSON text, or are refused with row and value.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kalam_notebook.errors import FrameError
from kalam_notebook.texts import cut
from kalam_notebook.wire.fileref import FileRef

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GUESSED", "json_text", "plain_objects"]

#: In the metadata of a field whose type Arrow found in the values: nobody has chosen it.
GUESSED = b"kalam.guessed"


def plain_objects(series: pd.Series[Any], name: str, *, is_json: bool | None, nan_is_null: bool) -> tuple[Any, bytes]:
    """Convert a column of objects.

    Args:
        series: The column.
        name: Its name.
        is_json: Whether the table's column is JSON; None when the table is to be made.
        nan_is_null: Whether a decimal NaN stands for NULL; else it is refused.

    Returns:
        Values that Arrow takes as they are, and the server's type name that belongs to them, or empty.

    Raises:
        FrameError: A value would be changed; names column, row and value.
    """
    kinds = set(map(type, series))
    if _has(kinds, uuid.UUID):
        cells = [value.bytes if isinstance(value, uuid.UUID) else value for value in series]
        return _uuids(cells, name), b"UUID"
    if _has(kinds, FileRef):
        return [value.to_json() if isinstance(value, FileRef) else value for value in series], b"FILE"
    has_lists = _has(kinds, list, tuple, np.ndarray)
    if _has(kinds, Mapping) or (has_lists and (not _may_be_vectors(series) if is_json is None else is_json)):
        return [_json(value, name, row) for row, value in enumerate(series)], b"JSON"
    if _has(kinds, dt.date, dt.time):
        _check_times(series, name)
    return (_decimals(series, name, nan_is_null) if _has(kinds, Decimal) else series), b""


def json_text(value: object, name: str, row: int) -> str:
    """A list or mapping as JSON text.

    Raises:
        FrameError: It holds NaN, infinity or something that JSON does not know.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_from_numpy)
    except (TypeError, ValueError) as exc:
        raise _error(f"is not JSON ({exc}).", name, row, value) from None


def _has(kinds: set[type], *wanted: type) -> bool:
    return any(issubclass(kind, wanted) for kind in kinds)


def _error(reason: str, name: str, row: int, value: object) -> FrameError:
    return FrameError(reason, column=name, row=row, value=cut(repr(value), 60))


def _is_missing(value: Any) -> bool:  # noqa: ANN401 - Any object of a column.
    """Whether it is None or one of pandas' signs for a missing value; a decimal NaN is none of them."""
    import pandas as pd

    return bool(pd.api.types.is_scalar(value) and not isinstance(value, Decimal) and pd.isna(value))


def _uuids(cells: list[Any], name: str) -> pa.Array:
    for row, cell in enumerate(cells):
        if isinstance(cell, (str, int)):
            raise _error("stands among UUIDs and is none.", name, row, cell)
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(cells, pa.binary(16), from_pandas=True))


def _may_be_vectors(series: pd.Series[Any]) -> bool:
    """Whether all lists are of one length and hold numbers alone, as embeddings do."""
    cells = [value for value in series if isinstance(value, (list, tuple, np.ndarray))]
    return all(map(_is_vector, cells)) and len(set(map(len, cells))) == 1


def _is_vector(cell: Any) -> bool:  # noqa: ANN401 - A list, a tuple or an array.

    if isinstance(cell, np.ndarray) and cell.dtype != object:
        return cell.ndim == 1 and cell.dtype.kind in "iuf"
    # That an element is None, is said where embeddings are checked.
    numbers = (int, float, np.integer, np.floating, type(None))
    return all(issubclass(kind, numbers) and kind is not bool for kind in set(map(type, cell)))


def _json(value: object, name: str, row: int) -> str | None:
    if _is_missing(value):
        return None
    if isinstance(value, str):
        raise _error(
            "is text beside lists or mappings, so that it is not told whether it is JSON text already. Make all values "
            "text with json.dumps, or none with json.loads.",
            name,
            row,
            value,
        )
    return json_text(value, name, row)


def _from_numpy(value: Any) -> object:  # noqa: ANN401 - Whatever JSON does not know.

    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _check_times(series: pd.Series[Any], name: str) -> None:
    """Refuse what Arrow would cut: zones of times, nanoseconds, and the time of day of a datetime among dates."""
    import pandas as pd

    first: bool | None = None
    for row, value in enumerate(series):
        if isinstance(value, dt.time) and value.tzinfo is not None:
            raise _error("has a zone, which a TIME does not keep. Drop it: .replace(tzinfo=None).", name, row, value)
        if isinstance(value, pd.Timestamp) and value.nanosecond:
            raise _error("has nanoseconds; the server keeps microseconds. Round it: .round('us').", name, row, value)
        if isinstance(value, dt.date) and not _is_missing(value):
            is_datetime = isinstance(value, dt.datetime)
            if first is not None and is_datetime is not first:
                raise _error(
                    f"is a {'datetime among dates' if is_datetime else 'date among datetimes'}. Convert the column to "
                    f"one of them: pandas.to_datetime(frame[{name!r}]).",
                    name,
                    row,
                    value,
                )
            first = is_datetime


def _decimals(series: pd.Series[Any], name: str, nan_is_null: bool) -> list[Any]:
    cells = list(series)
    for row, value in enumerate(cells):
        if isinstance(value, Decimal) and not value.is_finite():
            if not value.is_nan():
                raise _error("is no number that a decimal can be. Replace it.", name, row, value)
            if not nan_is_null:
                raise _error("is no number. Replace it, or pass nan='null' to store NULL.", name, row, value)
            cells[row] = None
    return cells
