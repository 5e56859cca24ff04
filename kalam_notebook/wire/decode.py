"""Cells of an answer to Arrow arrays, exactly.

A cell is what the JSON parser made of the wire's form: 64-bit integers and decimals are strings, bytes are lists of
integers, times are integers (protocol/http.md#types). Whole columns are converted at once. What does not fit its
type is an error that names column, row and value; nothing is rounded, cut or guessed. Called by the body decoder and
by the live engine; finding cells in a body is ``wire.body``'s work.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
from pyarrow import types

from kalam_notebook.errors import DecodeError
from kalam_notebook.texts import cut
from kalam_notebook.wire.types import Column, arrow_schema, arrow_type

__all__ = ["CELL_ERRORS", "decode_array", "decode_columns"]


def decode_columns(columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Convert columns of cells into a record batch.

    Args:
        columns: Columns as announced, in SELECT order.
        values: For each column its cells, all of the same number.

    Returns:
        A record batch with the schema ``arrow_schema(columns)``; JSON null is NULL.

    Raises:
        DecodeError: A cell does not fit its column.
    """
    schema, converters = _plan(tuple(columns))
    arrays = [
        _decode_column(column, convert, cells)
        for column, convert, cells in zip(columns, converters, values, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


@lru_cache(maxsize=256)  # Every row group of a result asks anew.
def _plan(columns: tuple[Column, ...]) -> tuple[pa.Schema, list[Callable[[Sequence[Any]], pa.Array]]]:
    return arrow_schema(columns), [_converter(arrow_type(column)) for column in columns]


def _decode_column(column: Column, convert: Callable[[Sequence[Any]], pa.Array], cells: Sequence[Any]) -> pa.Array:
    try:
        return convert(cells)
    except CELL_ERRORS as exc:
        row, value, reason = _find_culprit(cells, arrow_type(column), exc)
        raise DecodeError(column.name, column.sql_type, row, cut(repr(value), 80), reason) from None


#: What a cell that does not fit raises. Arrow's errors derive from these; a list where a number is wanted is a cast
#: that is not implemented.
CELL_ERRORS = (ValueError, TypeError, OverflowError, KeyError, AttributeError, NotImplementedError)


def _find_culprit(cells: Sequence[Any], target: pa.DataType, exc: Exception) -> tuple[int | None, Any, str]:
    for row, cell in enumerate(cells):
        try:
            decode_array([cell], target)
        except CELL_ERRORS as cell_error:
            return row, cell, _first_line(cell_error)
    return None, "the column as a whole", _first_line(exc)


def _first_line(exc: Exception) -> str:
    return next(iter(str(exc).splitlines()), type(exc).__name__)


def decode_array(cells: Sequence[Any], target: pa.DataType) -> pa.Array:
    """Convert the cells of one column into an array of the given type.

    Raises:
        ValueError: A cell does not fit; also Arrow's own errors, TypeError and OverflowError.
    """
    return _converter(target)(cells)


@lru_cache(maxsize=256)  # Asking a type what it is costs more than converting a short column.
def _converter(target: pa.DataType) -> Callable[[Sequence[Any]], pa.Array]:
    if types.is_integer(target):
        return partial(_numbers, storage=target, target=target)
    if types.is_floating(target):
        return partial(_floats, target=target)
    if types.is_string(target) or types.is_large_string(target):
        return partial(_texts, target=target)
    if types.is_timestamp(target) or types.is_time64(target) or types.is_date64(target) or types.is_duration(target):
        return partial(_numbers, storage=pa.int64(), target=target)
    if types.is_date32(target) or types.is_time32(target):
        return partial(_numbers, storage=pa.int32(), target=target)
    if types.is_decimal(target):
        return partial(_decimals, target=target)
    if isinstance(target, pa.UuidType):
        return partial(_uuids, target=target)
    if types.is_binary(target) or types.is_large_binary(target) or types.is_fixed_size_binary(target):
        return partial(_binaries, target=target)
    if types.is_list(target) or types.is_large_list(target):
        return partial(_lists, target=target)
    if types.is_fixed_size_list(target):
        return partial(_fixed_lists, target=target)
    return partial(pa.array, type=target)


def _numbers(cells: Sequence[Any], storage: pa.DataType, target: pa.DataType) -> pa.Array:
    """Integers, sent as JSON numbers or as text; times are integers in the unit of their type.

    The type is inferred first and cast after that: with a type given, Arrow cuts 1.5 to 1 without a sign.
    """
    if 0 < len(cells) <= _FEW and type(cells[0]) is str:
        cells = _read_whole(cells) or cells
    if cells and type(cells[0]) is int and (packed := _packed(cells, storage, target)) is not None:
        return packed
    array = pa.array(cells)
    if array.type != storage:
        array = array.cast(storage)
    return array if target is storage else array.view(target)  # A time is its integer: nothing is copied.


#: Cells up to which Python reads digits faster than it calls Arrow.
_FEW = 200


def _read_whole(cells: Sequence[Any]) -> list[int] | None:
    """Integers in text; None where a cell is NULL, or anything but digits and a sign."""
    try:
        characters = "".join(cells)
        is_whole = characters.isascii() and characters.replace("-", "").isdigit()
        return list(map(int, cells)) if is_whole else None
    except (TypeError, ValueError):
        return None


#: How ``struct`` names what a buffer of Arrow holds; its ``n`` takes large integers twice as fast as its ``q``.
_INT64 = "n" if struct.calcsize("n") == 8 else "q"
_CODES = {
    "int8": "b", "int16": "h", "int32": "i", "int64": _INT64, "uint8": "B", "uint16": "H", "uint32": "I",
    "uint64": "Q", "double": "d",
}  # fmt: skip


def _packed(cells: Sequence[Any], storage: pa.DataType, target: pa.DataType) -> pa.Array | None:
    """The numbers of a column without NULL, seven times faster than Arrow takes them.

    None where a cell is no number, or none of this size: ``struct`` neither cuts nor rounds integers.
    """
    try:
        buffer = struct.pack(f"{len(cells)}{_CODES[str(storage)]}", *cells)
    except (struct.error, OverflowError):
        return None
    return pa.Array.from_buffers(target, len(cells), [None, pa.py_buffer(buffer)])


def _floats(cells: Sequence[Any], target: pa.DataType) -> pa.Array:
    is_double = bool(cells) and type(cells[0]) is float and pa.types.is_float64(target)
    if is_double and (packed := _packed(cells, target, target)) is not None:
        return packed
    if type(next((cell for cell in cells if cell is not None), None)) is str:
        # Text tells every double, NaN and the infinities exactly (truth R6).
        return pa.array(cells, pa.string()).cast(target)
    try:
        return pa.array(cells, target)
    except (pa.ArrowInvalid, OverflowError):  # Whole numbers beyond 2^53 are written without a point.
        return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64()).cast(target)


def _texts(cells: Sequence[Any], target: pa.DataType) -> pa.Array:
    """Text as it is; other JSON values, which come under Text for types that have no name, as JSON text."""
    import orjson

    try:
        return pa.array(cells, target)
    except pa.ArrowTypeError:
        texts = [cell if cell is None or type(cell) is str else orjson.dumps(cell).decode() for cell in cells]
        return pa.array(texts, target)


def _decimals(cells: Sequence[Any], target: pa.DataType) -> pa.Array:
    """Text; also numbers: ``CAST(dec AS DOUBLE)`` is declared Decimal and sends a number."""
    try:
        return pa.array(cells, pa.string()).cast(target)
    except pa.ArrowTypeError:
        texts = [repr(cell) if type(cell) in (int, float) else cell for cell in cells]
        return pa.array(texts, pa.string()).cast(target)


def _binaries(cells: Sequence[Any], target: pa.DataType) -> pa.Array:
    return pa.array([None if cell is None else _bytes(cell) for cell in cells], target)


def _bytes(cell: str | list[int]) -> bytes:
    if isinstance(cell, str):
        return base64.b64decode(cell + "=" * (-len(cell) % 4), validate=True)
    return bytes(cell)


def _uuids(cells: Sequence[Any], target: pa.DataType) -> pa.Array:
    values = [None if cell is None else bytes.fromhex(cell.replace("-", "")) for cell in cells]
    storage = pa.array(values, pa.binary(16))
    return pa.ExtensionArray.from_storage(target, storage)


def _lists(cells: Sequence[Any], target: pa.DataType) -> pa.Array:
    """Lists of any depth; their elements have the same forms as cells."""
    kind = pa.LargeListArray if pa.types.is_large_list(target) else pa.ListArray
    offset_type = pa.int64() if kind is pa.LargeListArray else pa.int32()
    lengths = (0 if cell is None else len(cell) for cell in cells)
    offsets: list[int | None] = list(accumulate(lengths, initial=0))
    mask = pa.array([cell is None for cell in cells]) if None in cells else None
    elements = list(chain.from_iterable(cell for cell in cells if cell is not None))
    child = decode_array(elements, target.value_type)
    return kind.from_arrays(pa.array(offsets, offset_type), child, type=target, mask=mask)


def _fixed_lists(cells: Sequence[Any], target: pa.DataType) -> pa.Array:
    """Lists of one size; numbers of an embedding are taken at once."""
    size = target.list_size
    first = next((cell[0] for cell in cells if cell), None)
    if pa.types.is_floating(target.value_type) and type(first) is not str:
        return pa.array(cells, target)
    if any(cell is not None and len(cell) != size for cell in cells):
        raise ValueError(f"a list of another size than {size}")
    elements = list(chain.from_iterable([None] * size if cell is None else cell for cell in cells))
    mask = pa.array([cell is None for cell in cells]) if None in cells else None
    return pa.FixedSizeListArray.from_arrays(decode_array(elements, target.value_type), type=target, mask=mask)
