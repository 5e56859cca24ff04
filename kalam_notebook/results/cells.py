"""The text of a cell, the same in Python and in the page.

``plain`` turns an Arrow column into few simple forms (whole numbers for times, text for what has no form of its own),
``cell_text`` turns one such value into text. The page module holds the same rules (``js/src/cells.ts``), and one list
of examples, ``tests/data/cell_text.json``, tests both. Markup and cutting are the callers' work: ``render`` and the
live table.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from kalam_notebook.texts import visible
from kalam_notebook.wire.types import KALAM_TYPE, Column

__all__ = ["CellColumn", "Kind", "bytes_text", "cell_text", "describe", "list_text", "plain"]

Kind = Literal[
    "boolean", "integer", "float", "float32", "decimal", "text", "json", "file", "bytes", "uuid", "timestamp",
    "date", "time", "list", "list32", "other",
]  # fmt: skip

#: Elements of a list that are shown when it is longer than ``LIST_WHOLE``.
LIST_HEAD = 2
LIST_WHOLE = 6
#: Bytes of a BYTES value that are shown.
BYTES_HEAD = 8

#: A computed date may be milliseconds, and not those of a whole day.
_DAY_MS = 86_400_000
_TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_NUMBERS = frozenset({"integer", "float", "float32", "decimal"})
_LONG = frozenset({"text", "json", "file", "other"})

# Spaces of all widths.
_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"


@dataclass(frozen=True, slots=True)
class CellColumn:
    """What is needed to show a column.

    Attributes:
        name: The column's name, as the server sent it.
        sql_type: The type as SQL spells it; the Arrow type's name where the server told none.
        kind: The form of its values.
        key: Whether it is the primary key.
        scale: Digits after the point of a decimal, ticks per second of a timestamp or time, else 0.
        zoned: Whether a timestamp is a point in time (shown in UTC with ``Z``), not a reading of a clock.
        arrow: The name of its Arrow type; empty where nobody asks.
    """

    name: str
    sql_type: str
    kind: Kind
    key: bool = False
    scale: int = 0
    zoned: bool = False
    arrow: str = ""

    @property
    def is_number(self) -> bool:
        """Whether its values are aligned to the right."""
        return self.kind in _NUMBERS

    @property
    def is_long(self) -> bool:
        """Whether its texts may be long and are cut; those of the other kinds are short by their form."""
        return self.kind in _LONG


def describe(schema: pa.Schema, columns: Sequence[Column] | None = None) -> tuple[CellColumn, ...]:
    """Describe each column of a table.

    Args:
        schema: The table's schema.
        columns: As the server announced them, in the same order; None takes the types from the fields' metadata.

    Returns:
        One description per field of ``schema``.
    """
    if columns is not None and len(columns) == len(schema):
        told = [(column.sql_type, column.is_primary_key) for column in columns]
    else:
        told = [((field.metadata or {}).get(KALAM_TYPE, b"").decode(), False) for field in schema]
    return tuple(_describe_field(field, sql_type, key=key) for field, (sql_type, key) in zip(schema, told, strict=True))


def _describe_field(field: pa.Field, sql_type: str, *, key: bool) -> CellColumn:
    kind = _kind(field.type, sql_type)
    scale = 0
    if kind == "decimal":
        scale = field.type.scale
    elif kind in ("timestamp", "time"):
        scale = _TICKS[field.type.unit]
    zoned = kind == "timestamp" and field.type.tz is not None
    return CellColumn(field.name, sql_type or str(field.type), kind, key, scale, zoned, str(field.type))


def _kind(kind: pa.DataType, sql_type: str) -> Kind:
    types = pa.types
    if types.is_string(kind) or types.is_large_string(kind):
        by_name: dict[str, Kind] = {"JSON": "json", "FILE": "file"}
        return by_name.get(sql_type, "text")
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        if types.is_float64(kind.value_type):
            return "list"
        return "list32" if types.is_float32(kind.value_type) else "other"
    tests: tuple[tuple[Any, Kind], ...] = (
        (types.is_boolean, "boolean"), (types.is_integer, "integer"), (types.is_float32, "float32"),
        (types.is_float64, "float"), (types.is_decimal, "decimal"), (types.is_timestamp, "timestamp"),
        (types.is_date, "date"), (types.is_time, "time"), (types.is_binary, "bytes"), (types.is_large_binary, "bytes"),
    )  # fmt: skip
    return next((name for test, name in tests if test(kind)), "uuid" if kind == pa.uuid() else "other")


def plain(array: pa.ChunkedArray, column: CellColumn) -> pa.ChunkedArray:
    """Bring a column to the form that ``cell_text`` and the page read.

    Returns:
        int64 ticks for times, days for dates, 16 bytes for UUIDs, text for files and for kind ``other``; every other
        column unchanged. NULL stays NULL.
    """
    if column.kind in ("timestamp", "date", "time"):
        # Python's datetime ends at the year 9999 and at microseconds; whole numbers do not.
        if pa.types.is_date64(array.type):
            ticks = array.cast(pa.int64()).to_pylist()
            return pa.chunked_array([[None if tick is None else tick // _DAY_MS for tick in ticks]], pa.int64())
        width = pa.int32() if array.type.bit_width == 32 else pa.int64()
        return array.cast(width).cast(pa.int64())
    if column.kind == "uuid":
        return pa.chunked_array([chunk.storage for chunk in array.chunks], pa.binary(16))
    if column.kind == "file":
        return pa.chunked_array([[_file_text(cell) for cell in array.to_pylist()]], pa.string())
    if column.kind == "other":
        return pa.chunked_array([[_other_text(scalar) for scalar in array]], pa.string())
    return array


def cell_text(value: Any, column: CellColumn) -> str:  # noqa: ANN401 - the column's kind tells the type.
    """The text of one value of a column that went through ``plain``; ``NULL`` for None. Nothing is cut or escaped."""
    if value is None:
        return "NULL"
    match column.kind:
        case "boolean":
            return "true" if value else "false"
        case "float":
            return _float_text(value)
        case "float32":
            return _float32_text(value)
        case "decimal":
            return format(value, "f")
        case "bytes":
            return bytes_text(value[:BYTES_HEAD], len(value))
        case "uuid":
            digits = value.hex()
            return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        case "timestamp":
            return _timestamp_text(value, column.scale) + ("Z" if column.zoned else "")
        case "date":
            return _date_text(value)
        case "time":
            return _time_text(value, column.scale)
        case "list" | "list32":
            return list_text(value[:LIST_WHOLE], len(value), single=column.kind == "list32")
        case _:
            return _with_ends(visible(str(value)))


def _with_ends(text: str) -> str:
    """Show the spaces at the ends of a text, which nobody sees."""
    inner = text.strip(_SPACES)
    if len(inner) == len(text):
        return text
    start = text.index(inner) if inner else len(text)
    return "".join(map(_space, text[:start])) + inner + "".join(map(_space, text[start + len(inner) :]))


def _space(char: str) -> str:
    return "␣" if char == " " else f"⟨U+{ord(char):04X}⟩"


def bytes_text(head: bytes, size: int) -> str:
    """The first bytes as Python writes them, and the size, for example ``b'abc…' 12 bytes``."""
    shown = repr(head)
    if size > len(head):
        shown = f"{shown[:-1]}…{shown[-1]}"
    return f"{shown} {size:,} {'byte' if size == 1 else 'bytes'}"


def list_text(head: Sequence[float | None], length: int, *, single: bool) -> str:
    """The elements of a short list; the first two and the length of a long one: ``[0.1, 0.2, … 384]``."""
    write = _float32_text if single else _float_text
    shown = head if length <= LIST_WHOLE else head[:LIST_HEAD]
    parts = ["NULL" if value is None else write(value) for value in shown]
    return "[" + ", ".join(parts if length <= LIST_WHOLE else [*parts, f"… {length:,}"]) + "]"


def _float_text(value: float) -> str:
    """The shortest digits that give the same double, as Python writes them."""
    if math.isfinite(value):
        return repr(value)
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _float32_text(value: float) -> str:
    """The shortest digits that give the same single-precision number."""
    if not math.isfinite(value):
        return _float_text(value)
    for digits in range(6, 9):
        short = float(f"{value:.{digits}g}")
        try:
            if struct.pack("f", short) == struct.pack("f", value):
                return repr(short)
        except OverflowError:  # The rounded text may lie above the largest single.
            continue
    return repr(float(f"{value:.9g}"))


def _timestamp_text(ticks: int, per_second: int) -> str:
    seconds, fraction = divmod(ticks, per_second)
    days, second = divmod(seconds, 86_400)
    return f"{_date_text(days)}T{_time_text(second * per_second + fraction, per_second)}"


def _time_text(ticks: int, per_second: int) -> str:
    seconds, fraction = divmod(ticks, per_second)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if not fraction:
        return text
    digits = f"{fraction:0{len(str(per_second)) - 1}}"
    while digits.endswith("000"):  # Thousandths, millionths or billionths, as few as are needed.
        digits = digits[:-3]
    return f"{text}.{digits}"


def _date_text(days: int) -> str:
    """The ISO date of a day since 1970-01-01 in the Gregorian calendar, also beyond the years 1 to 9999."""
    # Counted from 0000-03-01 in eras of 400 years (146,097 days), so that the leap day is a year's last.
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day_of_year = day - (365 * year + year // 4 - year // 100)
    month = (5 * day_of_year + 2) // 153
    day_of_month = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year += era * 400 + (month <= 2)
    if 0 <= year <= 9_999:
        return f"{year:04}-{month:02}-{day_of_month:02}"
    return f"{year:+07}-{month:02}-{day_of_month:02}"


def _file_text(cell: str | None) -> str | None:
    """Name and size of a FileRef; the cell itself when it holds something else: plain text is taken."""
    if cell is None:
        return None
    try:
        ref = json.loads(cell)
        return f"{ref['name']} · {_size_text(int(ref['size']))}"
    except (ValueError, KeyError, TypeError):
        return cell


def _size_text(size: int) -> str:
    if size < 1_000:
        return "1 byte" if size == 1 else f"{size} bytes"
    amount = float(size)
    for unit in ("kB", "MB", "GB"):
        amount /= 1_000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1_000:.1f} TB"


def _other_text(scalar: pa.Scalar) -> str | None:
    """The text of a nested or unknown value; lists show their first elements by the rules of their type."""
    if not scalar.is_valid:
        return None
    if not isinstance(scalar, (pa.ListScalar, pa.LargeListScalar, pa.FixedSizeListScalar)):
        return str(scalar.as_py())
    length = len(scalar.values)
    head = scalar.values.slice(0, LIST_WHOLE if length <= LIST_WHOLE else LIST_HEAD)
    column = _describe_field(pa.field("", head.type), "", key=False)
    values = plain(pa.chunked_array([head]), column).to_pylist()
    quoted = column.kind in ("text", "json")
    parts = [json.dumps(value, ensure_ascii=False) if quoted and value is not None else cell_text(value, column)
             for value in values]  # fmt: skip
    return "[" + ", ".join(parts if length <= LIST_WHOLE else [*parts, f"… {length:,}"]) + "]"
