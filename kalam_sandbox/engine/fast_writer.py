"""Cells as KalamDB 0.8 writes them where all columns are booleans, integers, floating point numbers or texts.

It is quick and careless: NaN and infinity become null, and numbers have no exponent and no ".0"
(docs/sandbox.md#later-servers).
"""

from __future__ import annotations

import math
import re
import secrets
from decimal import Decimal

import pyarrow as pa
import pyarrow.types as pt

# A number that JSON of this language would write otherwise stands as a text until it is written, behind a mark that
# nobody can guess and put into a text of their own.
_MARK = secrets.token_hex(8)
_MARKED = re.compile(rf'"{_MARK}([-0-9.]+)"'.encode())


def writes(schema: pa.Schema) -> bool:
    """Say whether a result goes this way."""
    return all(_is_plain(field.type) for field in schema)


def _is_plain(kind: pa.DataType) -> bool:
    is_number = pt.is_boolean(kind) or pt.is_integer(kind) or pt.is_float32(kind) or pt.is_float64(kind)
    return bool(is_number or pt.is_string(kind) or pt.is_large_string(kind) or kind == pa.string_view())


def floats(array: pa.Array) -> list[object]:
    """Return the cells of a column of floating point numbers.

    >>> floats(pa.array([1.0, 0.5, float("nan"), None]))
    [1, 0.5, None, None]
    """
    return [_cell(value) for value in array.to_pylist()]


def _cell(value: float | None) -> object:
    if value is None or not math.isfinite(value):
        return None
    text = format(Decimal(repr(value)), "f")
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if fraction:
        return f"{_MARK}{whole}.{fraction}" if "e" in repr(value) else value
    return f"{_MARK}-0" if whole == "-0" else int(whole)


def unmarked(body: bytes) -> bytes:
    """Return JSON in which marked numbers are numbers."""
    return _MARKED.sub(rb"\1", body) if _MARK.encode() in body else body
