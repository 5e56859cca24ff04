"""In which form a column is sent so that nothing of it is lost, and under which type it is read (truth R6).

Decimals and floats go as text, times as their integers, bytes as base64; the same holds for the elements of lists.
Pure.
"""

from __future__ import annotations

import re

import pyarrow as pa
from pyarrow import types

from kalam_notebook.sql.statement import enclosed
from kalam_notebook.wire.arrow_names import DICTIONARY, FIXED_LIST, LIST, parse_arrow_type
from kalam_notebook.wire.types import Column, arrow_type

__all__ = ["exact_column", "exact_text", "is_found", "true_type"]

_AS_TEXT = re.compile(r"Decimal\d+\(.*\)|Float\d+|Utf8View|Interval\(.*\)")
_AS_NUMBER = re.compile(r"(Timestamp|Time64|Duration)\(.*\)|Date64")


def exact_text(expression: str, kind: pa.DataType, type_text: str = "", *, careful: bool = False) -> str:
    """The expression that sends a column without loss inside a list (truth R6).

    Args:
        expression: The column.
        kind: Its Arrow type.
        type_text: Its type as the engine prints it, where that is known.
        careful: Whether an embedding may hold NaN. As text it takes three times as long.
    """
    if match := DICTIONARY.fullmatch(type_text):
        return exact_text(f"arrow_cast({expression}, '{match[1]}')", kind, match[1], careful=careful)
    if types.is_decimal(kind) or types.is_floating(kind) or _AS_TEXT.fullmatch(type_text):
        return f"arrow_cast({expression}, 'Utf8')"
    if types.is_timestamp(kind) or types.is_time64(kind) or types.is_date64(kind) or types.is_duration(kind):
        return f"arrow_cast({expression}, 'Int64')"
    if types.is_binary(kind) or types.is_large_binary(kind):
        return f"encode({expression}, 'base64')"
    if type_text and "List(" in type_text:
        sent = _sent_type(type_text, careful=careful)
        return expression if sent == type_text else f"arrow_cast({expression}, '{sent}')"
    return expression


def exact_column(expression: str, column: Column) -> str:
    """As ``exact_text``, for a column of a table."""
    return exact_text(expression, arrow_type(column), column.type_name if column.list_type is not None else "")


def is_found(filter_sql: str) -> str:
    """The expression that is 1 for a row that a filter finds, in a scan of every version; an empty filter finds all.

    Nobody asks the filter about what a deleted row held. The engine trips over ``NOT column``, not over numbers.
    """
    wanted = f"WHEN {enclosed(filter_sql)} THEN 1 ELSE 0" if filter_sql else "ELSE 1"
    return f"CASE WHEN _deleted THEN 0 {wanted} END"


def _sent_type(text: str, *, careful: bool) -> str:
    """The type of list under which the elements of a list are sent."""
    if match := FIXED_LIST.fullmatch(text):
        is_embedding = match[2] == "Float32"
        return (
            text if is_embedding and not careful else f"FixedSizeList({match[1]}, {_sent_type(match[2], careful=True)})"
        )
    if match := LIST.fullmatch(text):
        return f"{match[1] or ''}List({_sent_type(match[2], careful=careful)})"
    if match := DICTIONARY.fullmatch(text):
        return _sent_type(match[1], careful=careful)
    if _AS_TEXT.fullmatch(text):
        return "Utf8"
    if _AS_NUMBER.fullmatch(text):
        return "Int64"
    return "Binary" if text == "BinaryView" else text


def true_type(text: str) -> pa.DataType:
    """The type of a column in results; a timestamp without a zone is UTC, as the server means it."""
    return _in_utc(parse_arrow_type(text))


def _in_utc(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind) and kind.tz in (None, "+00:00"):
        return pa.timestamp(kind.unit, "UTC")
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_in_utc(kind.value_type), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(_in_utc(kind.value_type))
    return pa.list_(_in_utc(kind.value_type)) if pa.types.is_list(kind) else kind
