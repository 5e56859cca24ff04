"""Arrow results to cells of an answer, with the server's habits (protocol/http.md#types).

The cell follows the value's real Arrow type, the announced type follows the column's metadata: that the two differ is
the server's doing (truth L6 and L7).
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial

import pyarrow as pa
import pyarrow.types as pt

from kalam_sandbox.backend import Column, Unencodable
from kalam_sandbox.engine import fast_writer
from kalam_sandbox.options import Options
from kalam_sandbox.store.types import from_wire

_DECLARED: dict[pa.DataType, str] = {
    pa.bool_(): "Boolean",
    pa.int16(): "SmallInt",
    pa.int32(): "Int",
    pa.int64(): "BigInt",
    pa.float32(): "Float",
    pa.float64(): "Double",
    pa.date32(): "Date",
    pa.date64(): "Date",
}
# Roles that see what these columns hold.
_SECRET_COLUMNS = ("credentials", "password_hash")
_DEFAULTS = Options()


def wire_column(field: pa.Field, options: Options = _DEFAULTS) -> Column:
    """Return how a result column is announced: by the column that it was made from (truth L6)."""
    metadata = field.metadata or {}
    is_list = pt.is_list(field.type) or pt.is_large_list(field.type)
    if options.announce_elements and is_list and b"kalam_data_type" not in metadata:
        return Column(field.name, _declared(field.type.value_type), ())
    declared = metadata.get(b"kalam_data_type")
    if declared and not options.declare_source_types and not from_wire(json.loads(declared)).arrow.equals(field.type):
        return Column(field.name, _declared(field.type), ())
    flags = json.loads(metadata.get(b"kalam_column_flags", b"[]"))
    data_type = json.loads(declared) if declared else _declared(field.type)
    return Column(field.name, data_type, tuple(flags))


def _declared(kind: pa.DataType) -> str | dict[str, object]:
    if pt.is_decimal(kind):
        return {"Decimal": {"precision": kind.precision, "scale": kind.scale}}
    if pt.is_timestamp(kind):
        return "DateTime" if kind.tz else "Timestamp"
    if pt.is_time(kind):
        return "Time"
    if pt.is_fixed_size_binary(kind):
        return "Uuid" if kind.byte_width == 16 else "Bytes"
    if pt.is_binary(kind) or pt.is_large_binary(kind):
        return "Bytes"
    if pt.is_fixed_size_list(kind) and pt.is_float32(kind.value_type):
        return {"Embedding": kind.list_size}
    return _DECLARED.get(kind, "Text")


def encode_batches(
    schema: pa.Schema,
    batches: Sequence[pa.RecordBatch],
    options: Options = _DEFAULTS,
    *,
    mask_secrets: bool = False,
    is_live: bool = False,
) -> list[list[object]]:
    """Return the rows of a result as cells.

    Args:
        schema: Announced schema; names decide what is secret.
        batches: The result.
        options: Habits of the server.
        mask_secrets: Whether password hashes and credentials are hidden, as from non-administrators.
        is_live: Whether the rows are for a live query.

    Raises:
        Unencodable: A value has no JSON form on this wire.
    """
    rows: list[list[object]] = []
    is_fast = options.fast_writer and not is_live and fast_writer.writes(schema)
    for batch in batches:
        columns: list[list[object]] = []
        for place, field in enumerate(schema):
            if mask_secrets and field.name in _SECRET_COLUMNS:
                columns.append(["***" for _ in range(batch.num_rows)])
            elif is_fast and pt.is_floating(field.type):
                columns.append(fast_writer.floats(batch.column(place)))
            else:
                columns.append(encode_array(batch.column(place), options))
        rows += [list(row) for row in zip(*columns, strict=True)] if columns else [[]] * batch.num_rows
    return rows


def encode_array(array: pa.Array, options: Options = _DEFAULTS) -> list[object]:
    """Return the cells of one column.

    Args:
        array: The column.
        options: Habits of the server.

    Raises:
        Unencodable: A value has no JSON form on this wire.
    """
    kind = array.type
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        return _lists(array, options)
    if options.send_any_type and pt.is_struct(kind):
        return _structs(array, options)
    encoder = _encoder(kind, options)
    if encoder is None:
        if array.null_count == len(array):
            return [None] * len(array)
        value = next(item for item in array if item.is_valid)
        raise Unencodable(f"Unsupported ScalarValue conversion to JSON: {_debug(value)}")
    return encoder(array)


_Encoder = Callable[[pa.Array], list[object]]


def _encoder(kind: pa.DataType, options: Options) -> _Encoder | None:
    if pt.is_boolean(kind) or pt.is_string(kind) or pt.is_large_string(kind) or pt.is_null(kind):
        return _plain
    if options.send_any_type and kind == pa.string_view():
        return _plain
    if pt.is_integer(kind):
        return _as_text if kind.bit_width == 64 else _plain
    if pt.is_float32(kind) or pt.is_float64(kind):
        return _floats
    if pt.is_decimal128(kind):
        return partial(_decimals, drop_sign=options.drop_decimal_sign)
    if not options.mix_time_units and (pt.is_time(kind) or pt.is_timestamp(kind)):
        return _microseconds
    if pt.is_date(kind) or pt.is_time(kind) or (pt.is_timestamp(kind) and kind.unit != "s"):
        return _raw_numbers
    if pt.is_fixed_size_binary(kind):
        return _uuids if kind.byte_width == 16 else _bytes
    if pt.is_binary(kind) or pt.is_large_binary(kind):
        return _bytes
    return None


def _plain(array: pa.Array) -> list[object]:
    return list(array.to_pylist())


def _as_text(array: pa.Array) -> list[object]:
    return list(array.cast(pa.string()).to_pylist())


def _floats(array: pa.Array) -> list[object]:
    values = array.to_pylist()
    for value in values:
        if value is not None and not math.isfinite(value):
            raise Unencodable("Invalid operation: Invalid input: Invalid float value")
    return list(values)


def _decimals(array: pa.Array, *, drop_sign: bool) -> list[object]:
    scale = array.type.scale
    return [None if value is None else _decimal(value, scale, drop_sign=drop_sign) for value in array.to_pylist()]


def _decimal(value: Decimal, scale: int, *, drop_sign: bool) -> str:
    text = f"{value:.{max(scale, 0)}f}"
    # The server prints the whole part alone and so loses the sign between -1 and 0 (truth L5).
    return text.removeprefix("-") if drop_sign and -1 < value < 0 else text


def _raw_numbers(array: pa.Array) -> list[object]:
    """Return the numbers as stored, whatever their unit (truth L7)."""
    return list(array.cast(pa.int32() if array.type.bit_width == 32 else pa.int64()).to_pylist())


def _microseconds(array: pa.Array) -> list[object]:
    kind = array.type
    target = pa.timestamp("us", kind.tz) if pt.is_timestamp(kind) else pa.time64("us")
    return _raw_numbers(array.cast(target, safe=False))


def _uuids(array: pa.Array) -> list[object]:
    return [None if value is None else str(uuid.UUID(bytes=value)) for value in array.to_pylist()]


def _bytes(array: pa.Array) -> list[object]:
    return [None if value is None else list(value) for value in array.to_pylist()]


def _lists(array: pa.Array, options: Options) -> list[object]:
    """Return a list of cells for each value; all elements are encoded in one go."""
    cells: list[object] = []
    flat = encode_array(array.flatten(), options)
    place = 0
    lengths = array.value_lengths().to_pylist()
    for length in lengths:
        if length is None:
            cells.append(None)
            continue
        cells.append(flat[place : place + length])
        place += length
    return cells


def _structs(array: pa.Array, options: Options) -> list[object]:
    """Return an object of cells for each value."""
    names = [field.name for field in array.type]
    members = [encode_array(array.field(place), options) for place in range(len(names))]
    rows = [dict(zip(names, cells, strict=True)) for cells in zip(*members, strict=True)]
    return [row if item.is_valid else None for row, item in zip(rows, array, strict=True)]


def _debug(value: pa.Scalar) -> str:
    if value.type == pa.string_view():
        return f'Utf8View("{value.as_py()}")'
    return f"{type(value).__name__.removesuffix('Scalar')}({value.as_py()})"
