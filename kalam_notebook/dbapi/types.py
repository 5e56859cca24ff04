"""The types of PEP 249: what a column holds, for ``Cursor.description``, and how values for parameters are made."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from kalam_notebook.wire.types import Column

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "ColumnType",
    "Date",
    "DateFromTicks",
    "Description",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "TypeGroup",
    "description_of",
]

#: Name, type, display size, internal size, precision, scale, and whether NULL may come.
Description = tuple[str, "ColumnType", None, int | None, int | None, int | None, bool | None]


class TypeGroup:
    """Types that hold the same kind of values: equal to each of them, as PEP 249 has it."""

    def __init__(self, name: str, *types: str) -> None:
        self.name = name
        self._types = frozenset(types)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ColumnType):
            return other.name in self._types
        return self is other

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return self.name


STRING = TypeGroup("STRING", "Text", "Json", "Uuid", "File")
NUMBER = TypeGroup("NUMBER", "Boolean", "SmallInt", "Int", "BigInt", "Float", "Double", "Decimal")
DATETIME = TypeGroup("DATETIME", "Timestamp", "DateTime", "Date", "Time")
BINARY = TypeGroup("BINARY", "Bytes")
#: No type of the server is one.
ROWID = TypeGroup("ROWID")
_GROUPS = (STRING, NUMBER, DATETIME, BINARY)


@dataclass(frozen=True, slots=True, eq=False)
class ColumnType:
    """The type of a column.

    Attributes:
        name: The server's name, for example ``BigInt``.
        sql: As it is written in SQL, for example ``DECIMAL(10, 2)``.
    """

    name: str
    sql: str

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ColumnType):
            return self.sql == other.sql
        return other in _GROUPS and other == self

    def __hash__(self) -> int:
        return hash(self.sql)

    def __repr__(self) -> str:
        return self.sql


def description_of(column: Column) -> Description:
    """A column as PEP 249 describes it."""
    kind = ColumnType(column.type_name, column.sql_type)
    is_decimal = column.type_name == "Decimal"
    precision, scale = (column.precision, column.scale) if is_decimal else (None, None)
    is_nullable = False if "nn" in column.flags else None
    return column.name, kind, None, column.size or None, precision, scale, is_nullable


Date = dt.date
Time = dt.time
Timestamp = dt.datetime


def DateFromTicks(ticks: float) -> dt.date:
    """The day of a moment, in the zone of this machine; ``ticks`` are seconds since 1970."""
    return dt.datetime.fromtimestamp(ticks).astimezone().date()


def TimeFromTicks(ticks: float) -> dt.time:
    """The time of day of a moment, in the zone of this machine."""
    return dt.datetime.fromtimestamp(ticks).time()


def TimestampFromTicks(ticks: float) -> dt.datetime:
    """A moment, in UTC."""
    return dt.datetime.fromtimestamp(ticks, dt.UTC)


def Binary(value: bytes) -> bytes:
    """Bytes; a parameter takes none (``ParameterError`` says what to send instead)."""
    return bytes(value)
