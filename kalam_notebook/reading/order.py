"""The order of rows that the user has not ordered: by key, as the server sends small results, and the same each time.

A scan gives rows in an order of its own each time. Pure.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from kalam_notebook.wire.types import Column

__all__ = ["in_order", "in_stable_order", "is_in_order", "sort_by_key"]

#: Rows up to which Python compares faster than it calls Arrow; both order text by its code points.
_FEW = 200


def sort_by_key(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """Rows in order of the primary key when it is in the result, as the server sends small results."""
    keys = [index for index, column in enumerate(columns) if column.is_primary_key]
    return _sorted(table, keys) if len(keys) == 1 else table


def in_stable_order(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """Rows in order of all keys that are in the result, then of its other columns."""
    keys = [index for index, column in enumerate(columns) if column.is_primary_key]
    if len(keys) == 1 and _has_order(_storage(table.column(keys[0])).type):
        if is_in_order(table.column(keys[0])):
            return table
        table = _sorted(table, keys)
        key = _storage(table.column(keys[0])).combine_chunks()
        if not pc.any(pc.equal(key[1:], key[:-1])).as_py():
            return table
    others = [index for index in range(table.num_columns) if index not in keys]
    return _sorted(table, [*keys, *others])


def in_order(table: pa.Table, indexes: Sequence[int]) -> pa.Table:
    """Rows in order of some columns."""
    return table if len(indexes) == 1 and is_in_order(table.column(indexes[0])) else _sorted(table, indexes)


def is_in_order(column: pa.ChunkedArray) -> bool:
    """Whether each value of a column is greater than the one before."""
    values = _storage(column)
    return _has_order(values.type) and _rises(values)


def _rises(column: pa.ChunkedArray) -> bool:
    """Whether each value is greater than the one before; small results come from the server like that."""
    if column.null_count:
        return False
    if len(column) <= _FEW and (types.is_integer(column.type) or types.is_string(column.type)):
        values = column.to_pylist()
        return all(map(operator.lt, values, values[1:]))
    key = column.combine_chunks()
    return pc.all(pc.less(key[:-1], key[1:])).as_py() is not False


def _sorted(table: pa.Table, indexes: Sequence[int]) -> pa.Table:
    if table.num_rows < 2:
        return table
    sortable = [plain for index in indexes if _has_order((plain := _storage(table.column(index))).type)]
    if not sortable:
        return table
    names = [str(number) for number in range(len(sortable))]
    order = pc.sort_indices(pa.table(sortable, names=names), sort_keys=[(name, "ascending") for name in names])
    return table.take(order)


def _storage(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if isinstance(column.type, pa.UuidType):
        return pa.chunked_array([chunk.storage for chunk in column.chunks], pa.binary(16))
    return column


def _has_order(kind: pa.DataType) -> bool:
    return bool(
        types.is_integer(kind)
        or types.is_float32(kind)
        or types.is_float64(kind)
        or types.is_decimal(kind)
        or types.is_boolean(kind)
        or types.is_temporal(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
    )
