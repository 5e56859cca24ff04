"""Columns of lists by their cells: KalamDB from 0.8 on announces them as their elements.

A reading asks for the true types (truth R2). The answer to a statement that cannot be asked twice tells them by its
cells alone. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from kalam_notebook.wire.types import Column, arrow_type

__all__ = ["as_seen"]

#: Types whose own cells are no lists, with their name in Arrow.
_ELEMENTS = {
    "Boolean": "Boolean", "SmallInt": "Int16", "Int": "Int32", "BigInt": "Int64", "Float": "Float32",
    "Double": "Float64", "Text": "Utf8", "Decimal": "Decimal128", "Timestamp": "Timestamp", "DateTime": "Timestamp",
    "Date": "Date32", "Time": "Time64", "Uuid": "FixedSizeBinary(16)",
}  # fmt: skip


def as_seen(columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> tuple[Column, ...]:
    """The columns, those under their own type whose cells are lists of what was announced.

    Args:
        columns: Columns as announced.
        values: For each column all of its cells.
    """
    return tuple(_as_seen(column, cells) for column, cells in zip(columns, values, strict=True))


def _as_seen(column: Column, cells: Sequence[Any]) -> Column:
    if column.type_name not in _ELEMENTS:
        return column
    depth, elements = _nesting(cells)
    # What is announced as text may be anything that older servers have no name for.
    is_text = column.type_name != "Text" or all(isinstance(element, str) for element in elements)
    if not depth or not is_text:
        return column

    kind, name = arrow_type(column), _ELEMENTS[column.type_name]
    if column.type_name == "Decimal":
        name += f"({column.precision}, {column.scale})"
    for _ in range(depth):
        kind, name = pa.list_(kind), f"List({name})"
    return replace(column, type_name=name, list_type=kind)


def _nesting(cells: Sequence[Any]) -> tuple[int, list[Any]]:
    """How deep lists are nested in cells, 0 where that differs; and what is in the innermost ones."""
    depth, level = 0, [cell for cell in cells if cell is not None]
    while any(isinstance(one, list) for one in level):
        if not all(isinstance(one, list) for one in level):
            return 0, []
        level = [element for one in level for element in one if element is not None]
        depth += 1
    return depth, level
