"""Cells as values that can be compared, whatever Python's own types hold."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

__all__ = ["comparable"]


def comparable(column: pa.ChunkedArray) -> list[Any]:
    """The cells of a column; dates and times as numbers, because Python's end at the year 9999 and at microseconds."""
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
    cells: list[Any] = column.to_pylist()
    return cells
