"""A frame's column in the form of the table's column; what the server would damage is refused with row and column.

The dangers: truth L8 (NaN and infinity break every later SELECT), L10 (bytes that are not text), L11 (fractions in
integer columns), and values that do not fit. Whole columns are converted; only a failure looks for its row. Nothing is
rounded but doubles for 32-bit columns, which is what those are.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from kalam_notebook.errors import FrameError
from kalam_notebook.texts import cut
from kalam_notebook.wire.types import Column, arrow_type
from kalam_notebook.writing.objects import json_text

__all__ = ["checked_column", "rounded_count", "storage_type"]

#: Up to here every integer is a double.
_EXACT_DOUBLE = 2**53
#: 0001-01-01 and the end of 9999-12-31: what ISO 8601 and Python can write.
_MIN_DAY, _MAX_DAY = -719_162, 2_932_896
_DAY_US = 86_400_000_000


def checked_column(array: pa.Array, column: Column, *, nan_is_null: bool, is_required: bool) -> pa.Array:
    """Convert a column of a frame to the type of the table's column.

    Args:
        array: The frame's values.
        column: The table's column.
        nan_is_null: Whether NaN stands for NULL; else it is refused.
        is_required: Whether NULL is refused.

    Returns:
        The values in the Arrow type of the column (``wire.types.arrow_type``; a UUID as its 16 bytes).

    Raises:
        FrameError: A value cannot be stored as it is; names column, row and value.
    """
    plain = _without_nan(_plain(array), column, nan_is_null)
    convert = _converter(column)
    stored = pa.nulls(len(plain), storage_type(column)) if types.is_null(plain.type) else convert(plain, column)
    if is_required and stored.null_count:
        row = pc.index(stored.is_valid(), False).as_py()
        raise FrameError("is NULL, which the column does not take.", column=column.name, row=row)
    return stored


def rounded_count(array: pa.Array, stored: pa.Array, column: Column) -> int:
    """How many doubles a FLOAT column (32 bit) holds only nearly."""
    if column.type_name != "Float" or not types.is_float64(array.type):
        return 0
    return int(pc.sum(pc.not_equal(array, stored.cast(pa.float64()))).as_py() or 0)


def storage_type(column: Column) -> pa.DataType:
    """The Arrow type in which values of a column are held here: a UUID as its 16 bytes."""
    kind = arrow_type(column)
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _converter(column: Column) -> Callable[[pa.Array, Column], pa.Array]:
    by_name: dict[str, Callable[[pa.Array, Column], pa.Array]] = {
        "Boolean": _booleans, "SmallInt": _integers, "Int": _integers, "BigInt": _integers, "Float": _floats,
        "Double": _floats, "Decimal": _decimals, "Text": _texts, "File": _texts, "Json": _json_texts, "Bytes": _bytes,
        "Uuid": _uuids, "Timestamp": _timestamps, "DateTime": _timestamps, "Date": _dates, "Time": _times,
        "Embedding": _embeddings,
    }  # fmt: skip
    if column.type_name not in by_name:
        raise FrameError(f"is {column.sql_type}, a type that cannot be written yet.", column=column.name)
    return by_name[column.type_name]


def _plain(array: pa.Array) -> pa.Array:
    """The values without dictionary, run-length and view forms, and without extensions that change no meaning."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if types.is_dictionary(array.type):
        # Views, which polars makes, are cast first: Arrow cannot decode a dictionary of them.
        array = _plain(array.dictionary).take(array.indices)
    if types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    # Others stay as they are, and are refused: what pandas stores for a period is a bare number.
    if isinstance(array.type, (pa.UuidType, pa.JsonType, pa.FixedShapeTensorType)):
        array = array.storage

    if types.is_string_view(array.type) or types.is_large_string(array.type):
        return array.cast(pa.string())
    if types.is_binary_view(array.type) or types.is_large_binary(array.type):
        return array.cast(pa.binary())
    return array


def _without_nan(array: pa.Array, column: Column, nan_is_null: bool) -> pa.Array:
    if not types.is_floating(array.type):
        return array
    if types.is_float16(array.type):
        array = array.cast(pa.float32())
    nan = pc.is_nan(array)
    if nan_is_null:
        array = pc.if_else(nan, pa.scalar(None, array.type), array)
    else:
        count = pc.sum(nan).as_py() or 0
        _refuse(
            nan,
            array,
            column,
            f"would break every later SELECT ({count:,} {'row has' if count == 1 else 'rows have'} it). "
            "Pass nan='null' to store NULL in its place.",
        )
    _refuse(pc.is_inf(array), array, column, "would break every later SELECT. Replace it.")
    return array


def _refuse(bad: pa.Array, array: pa.Array, column: Column, reason: str) -> None:
    """Raise for the first row at which ``bad`` is true."""
    row = pc.index(bad, True).as_py()
    if row >= 0:
        raise _error(array, row, column, reason)


def _error(array: pa.Array, row: int, column: Column, reason: str) -> FrameError:
    return FrameError(reason, column=column.name, row=row, value=_shown(array[row]))


def _shown(value: pa.Scalar) -> str:
    try:
        text = repr(value.as_py())
    except (ValueError, OverflowError):  # Times beyond what Python knows; Arrow's own text for them fails as well.
        text = f"{value.value} ({value.type})"
    return cut(text, 60)


def _mismatch(array: pa.Array, column: Column) -> FrameError:
    return FrameError(
        f"is {column.sql_type} in the table and {array.type} in the frame. Convert it before writing.",
        column=column.name,
    )


def _cast(array: pa.Array, target: pa.DataType, column: Column, reason: str | Callable[[pa.Scalar], str]) -> pa.Array:
    """Cast without loss, or raise for the first row that does not fit."""
    try:
        return array.cast(target)
    except pa.ArrowInvalid:
        low, high = 0, len(array)  # The first bad row is in between.
        while high - low > 1:
            middle = (low + high) // 2
            try:
                array[low:middle].cast(target)
                low = middle
            except pa.ArrowInvalid:
                high = middle
        raise _error(array, low, column, reason if isinstance(reason, str) else reason(array[low])) from None


def _booleans(array: pa.Array, column: Column) -> pa.Array:
    if not types.is_boolean(array.type):
        raise _mismatch(array, column)
    return array


def _integers(array: pa.Array, column: Column) -> pa.Array:
    if types.is_floating(array.type):
        _refuse(
            pc.greater(pc.abs(array), float(_EXACT_DOUBLE)),
            array,
            column,
            "is a double beyond 2^53, which may have lost digits. Convert the column to integers at its source.",
        )
    elif not types.is_integer(array.type) and not types.is_decimal(array.type):
        raise _mismatch(array, column)
    return _cast(array, arrow_type(column), column, f"does not fit into {column.sql_type} as it is.")


def _floats(array: pa.Array, column: Column) -> pa.Array:
    target = arrow_type(column)
    if types.is_integer(array.type):
        return _cast(array, target, column, f"has more digits than {column.sql_type} keeps.")
    if not types.is_floating(array.type):
        raise _mismatch(array, column)
    stored = array.cast(target)
    _refuse(pc.is_inf(stored), array, column, f"is too large for {column.sql_type}.")
    return stored


def _decimals(array: pa.Array, column: Column) -> pa.Array:
    if types.is_floating(array.type):
        # The shortest text that stands for the double: 0.1 means 0.1, not 0.1000000000000000055….
        values = array.cast(pa.float64()) if types.is_float64(array.type) else array
        array = pa.array([None if value is None else _shortest(value, values.type) for value in values.to_pylist()])
    elif not types.is_integer(array.type) and not types.is_decimal(array.type):
        raise _mismatch(array, column)
    if types.is_integer(array.type):
        array = array.cast(pa.decimal128(38, 0) if not types.is_uint64(array.type) else pa.decimal128(20, 0))
    return _cast(array, arrow_type(column), column, lambda value: _unfit_decimal(value, column))


def _unfit_decimal(value: pa.Scalar, column: Column) -> str:
    """Why a value cannot stand in a column; rounding helps only where the digits before the point find room."""
    number = Decimal(str(value))
    if number.is_finite() and abs(number) < Decimal(10) ** (column.precision - column.scale):
        return f"does not fit into {column.sql_type}. Round it."
    return f"is too large for {column.sql_type}. Write it to a table whose column has more digits before the point."


def _shortest(value: float, kind: pa.DataType) -> str:
    if types.is_float64(kind):
        return repr(value)

    return str(np.float32(value))


def _texts(array: pa.Array, column: Column) -> pa.Array:
    if not types.is_string(array.type):
        raise _mismatch(array, column)
    _refuse(pc.match_substring(array, "\0"), array, column, "holds the character NUL, which no text can. Remove it.")
    return array


def _json_texts(array: pa.Array, column: Column) -> pa.Array:
    if types.is_nested(array.type):
        cells = array.to_pylist(maps_as_pydicts="strict")
        texts = [None if cell is None else json_text(cell, column.name, row) for row, cell in enumerate(cells)]
        array = pa.array(texts, pa.string())
    return _texts(array, column)


def _bytes(array: pa.Array, column: Column) -> pa.Array:
    if types.is_fixed_size_binary(array.type):
        array = array.cast(pa.binary())
    if not types.is_binary(array.type) and not types.is_string(array.type):
        raise _mismatch(array, column)
    reason = "is not UTF-8 text; the server stores other bytes wrongly. Use a FILE column, or base64 in a TEXT column."
    return _texts(_cast(array, pa.string(), column, reason), column).cast(pa.binary())


def _uuids(array: pa.Array, column: Column) -> pa.Array:
    target = pa.binary(16)
    if types.is_string(array.type):
        cells = [_uuid_bytes(text, column, row) for row, text in enumerate(array.to_pylist())]
        return pa.array(cells, target)
    if types.is_binary(array.type):
        wrong = pc.not_equal(pc.binary_length(array), 16)
        _refuse(wrong, array, column, "is no UUID: it has not 16 bytes.")
        return array.cast(target)
    if array.type != target:
        raise _mismatch(array, column)
    return array


def _uuid_bytes(text: str | None, column: Column, row: int) -> bytes | None:
    try:
        return None if text is None else uuid.UUID(text).bytes
    except ValueError:
        raise FrameError("is no UUID.", column=column.name, row=row, value=repr(text)[:40]) from None


def _timestamps(array: pa.Array, column: Column) -> pa.Array:
    if types.is_date(array.type):
        array = array.cast(pa.timestamp("s" if types.is_date32(array.type) else "ms"))
    if not types.is_timestamp(array.type):
        raise _mismatch(array, column)
    # Without a zone the server reads UTC.
    utc = pa.timestamp(array.type.unit, "UTC")
    array = array.view(pa.int64()).view(utc) if array.type != utc else array
    reason = "has more than microseconds, or lies outside the years 1 to 9999. Round it: .dt.round('us')."
    stored = _cast(array, pa.timestamp("us", "UTC"), column, reason)
    micros = stored.view(pa.int64())
    outside = pc.or_(pc.less(micros, _MIN_DAY * _DAY_US), pc.greater_equal(micros, (_MAX_DAY + 1) * _DAY_US))
    _refuse(outside, array, column, "lies outside the years 1 to 9999.")
    return stored


def _dates(array: pa.Array, column: Column) -> pa.Array:
    is_naive_time = types.is_timestamp(array.type) and array.type.tz is None
    if not types.is_date(array.type) and not is_naive_time:
        raise _mismatch(array, column)
    reason = "is no whole day, and a DATE keeps no more."
    stored = _cast(array, pa.date32(), column, reason)
    # Arrow drops the time of day without a word.
    _refuse(pc.not_equal(stored.cast(array.type), array), array, column, reason)
    days = stored.view(pa.int32())
    outside = pc.or_(pc.less(days, _MIN_DAY), pc.greater(days, _MAX_DAY))
    _refuse(outside, stored, column, "lies outside the years 1 to 9999.")
    return stored


def _times(array: pa.Array, column: Column) -> pa.Array:
    if not types.is_time(array.type):
        raise _mismatch(array, column)
    stored = _cast(array, pa.time64("us"), column, "has more than microseconds. Round it.")
    micros = stored.view(pa.int64())
    outside = pc.or_(pc.less(micros, 0), pc.greater_equal(micros, _DAY_US))
    # Python would show the time of the day after.
    counts = array.view(pa.int32() if types.is_time32(array.type) else pa.int64())
    _refuse(outside, counts, column, f"({array.type}) is no time of a day.")
    return stored


def _embeddings(array: pa.Array, column: Column) -> pa.Array:
    kind = array.type
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not is_list or not (_is_number(kind.value_type) or types.is_null(kind.value_type)):
        raise _mismatch(array, column)
    lengths = pc.list_value_length(array)
    _refuse(pc.not_equal(lengths, column.size), array, column, f"has not the {column.size} elements of the column.")

    elements = array.flatten()
    rows = pc.list_parent_indices(array)
    if elements.null_count:
        row = rows[pc.index(elements.is_valid(), False).as_py()].as_py()
        raise _error(array, row, column, "holds NULL, which no embedding can.")

    stored = elements.cast(pa.float32(), safe=False)
    bad = pc.index(pc.is_finite(stored), False).as_py()
    if bad >= 0:
        raise _error(array, rows[bad].as_py(), column, f"holds {elements[bad]}, which would break every later SELECT.")
    return array.cast(arrow_type(column), safe=False)


def _is_number(kind: Any) -> bool:  # noqa: ANN401 - Arrow's types have no type of their own for checkers.
    return bool(types.is_floating(kind) or types.is_integer(kind))
