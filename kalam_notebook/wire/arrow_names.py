"""Arrow types as the server's engine prints them, for example by ``arrow_typeof``: text to ``pyarrow.DataType``.

Source: truth R2; protocol/sql.md#result-types. Called by the exact reader.
"""

from __future__ import annotations

import re

import pyarrow as pa

from kalam_notebook.errors import ProtocolError
from kalam_notebook.wire.types import KALAM_TYPE, Column

__all__ = ["DICTIONARY", "FIXED_LIST", "LIST", "column_of", "column_of_arrow", "parse_arrow_type"]

#: Size and elements of a list of fixed size; ``Large`` and elements of another; values of a dictionary.
FIXED_LIST = re.compile(r"FixedSizeList\((\d+) x (?:non-null )?(.+)\)")
LIST = re.compile(r"(Large)?List\((?:non-null )?(.+)\)")
DICTIONARY = re.compile(r"Dictionary\(U?Int\d+, (.+)\)")
_TIMESTAMP = re.compile(r'Timestamp\((s|ms|µs|ns)(?:, "([^"]*)")?\)')
_TIME = re.compile(r"Time(32|64)\((s|ms|µs|ns)\)")
_DURATION = re.compile(r"Duration\((s|ms|µs|ns)\)")
_DECIMAL = re.compile(r"Decimal(32|64|128|256)\((\d+), (-?\d+)\)")
_STRUCT = re.compile(r"Struct\(.*\)", re.DOTALL)
_INTERVAL = re.compile(r"Interval\(\w+\)")
_FIXED_BINARY = re.compile(r"FixedSizeBinary\((\d+)\)")


def parse_arrow_type(text: str) -> pa.DataType:
    """Read the name of an Arrow type.

    Raises:
        ProtocolError: The name is not known; maps, which no server is known to send, are not.

    A dictionary is read as its values, an interval as text, a struct as the text of its JSON object.
    """
    simple = {
        "Null": pa.null(), "Boolean": pa.bool_(), "Utf8": pa.string(), "Utf8View": pa.string(),
        "LargeUtf8": pa.large_string(), "Binary": pa.binary(), "BinaryView": pa.binary(),
        "LargeBinary": pa.large_binary(), "Date32": pa.date32(), "Date64": pa.date64(),
        "Float16": pa.float16(), "Float32": pa.float32(), "Float64": pa.float64(),
    }  # fmt: skip
    if text in simple:
        return simple[text]
    if match := re.fullmatch(r"(U?)Int(8|16|32|64)", text):
        return getattr(pa, f"{match[1].lower()}int{match[2]}")()
    if match := _TIMESTAMP.fullmatch(text):
        return pa.timestamp(_unit(match[1]), match[2])
    if match := _TIME.fullmatch(text):
        return pa.time32(match[2]) if match[1] == "32" else pa.time64(_unit(match[2]))
    if match := _DURATION.fullmatch(text):
        return pa.duration(_unit(match[1]))
    if match := _DECIMAL.fullmatch(text):
        make = pa.decimal256 if match[1] == "256" else pa.decimal128
        return make(int(match[2]), int(match[3]))
    if match := FIXED_LIST.fullmatch(text):
        return pa.list_(parse_arrow_type(match[2]), int(match[1]))
    if match := LIST.fullmatch(text):
        make_list = pa.large_list if match[1] else pa.list_
        return make_list(parse_arrow_type(match[2]))
    if match := DICTIONARY.fullmatch(text):
        return parse_arrow_type(match[1])
    if _INTERVAL.fullmatch(text) or _STRUCT.fullmatch(text):
        return pa.string()
    if match := _FIXED_BINARY.fullmatch(text):
        return pa.uuid() if match[1] == "16" else pa.binary(int(match[1]))
    raise ProtocolError(
        f"A column has the Arrow type {text[:100]}, which cannot be read. Cast it in SQL, or select its fields."
    )


def _unit(unit: str) -> str:
    return "us" if unit == "µs" else unit


def column_of(name: str, type_text: str) -> Column:
    """The column that a result of this Arrow type would be announced as; other types under their Arrow name."""
    names = {
        "Boolean": "Boolean", "Int16": "SmallInt", "Int32": "Int", "Int64": "BigInt", "Float32": "Float",
        "Float64": "Double", "Utf8": "Text", "Utf8View": "Text", "LargeUtf8": "Text", "Binary": "Bytes",
        "Date32": "Date", "FixedSizeBinary(16)": "Uuid",
    }  # fmt: skip
    if match := DICTIONARY.fullmatch(type_text):
        return column_of(name, match[1])
    if match := _DECIMAL.fullmatch(type_text):
        return Column(name, "Decimal", int(match[2]), int(match[3]))
    if match := re.fullmatch(r"FixedSizeList\((\d+) x (?:non-null )?Float32\)", type_text):
        return Column(name, "Embedding", size=int(match[1]))
    if _TIMESTAMP.fullmatch(type_text):
        return Column(name, "Timestamp")
    if _TIME.fullmatch(type_text):
        return Column(name, "Time")
    return Column(name, names.get(type_text, type_text))


def column_of_arrow(field: pa.Field) -> Column:
    """The column that a field of a locally computed result would be announced as."""
    kind = field.type
    # The engine carries the metadata of a column along, into expressions as well.
    told = (field.metadata or {}).get(KALAM_TYPE, b"").decode()
    if told in {"JSON", "FILE"} and pa.types.is_string(kind):
        return Column(field.name, told.title())
    if pa.types.is_decimal(kind):
        return Column(field.name, "Decimal", kind.precision, kind.scale)
    if pa.types.is_fixed_size_list(kind) and kind.value_type == pa.float32():
        return Column(field.name, "Embedding", size=kind.list_size)
    if pa.types.is_timestamp(kind):
        return Column(field.name, "Timestamp")
    names = {
        pa.bool_(): "Boolean", pa.int16(): "SmallInt", pa.int32(): "Int", pa.int64(): "BigInt", pa.float32(): "Float",
        pa.float64(): "Double", pa.string(): "Text", pa.large_string(): "Text", pa.binary(): "Bytes",
        pa.date32(): "Date", pa.time64("us"): "Time", pa.time64("ns"): "Time", pa.uuid(): "Uuid",
    }  # fmt: skip
    return Column(field.name, names.get(kind, str(kind)))
