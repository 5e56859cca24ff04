"""Type names of KalamDB and the Arrow types that hold their values exactly.

The wire announces a column as ``{"name", "data_type", "index", "flags"}`` (protocol/http.md#answer). Called by the
decoder, the results and the live engine. Reading cells is the decoder's work.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import pyarrow as pa

from kalam_notebook.errors import ProtocolError

__all__ = [
    "FLOATS", "TEXTS", "Column", "arrow_field", "arrow_schema", "cells_of", "is_known", "parse_schema", "unknown_types",
]  # fmt: skip

#: Metadata key of an Arrow field: the server's type name, for types that share one Arrow type (Text, Json, File).
KALAM_TYPE = b"kalam:data_type"

#: A decimal of 256 bits has no more digits; the server's embeddings end at 8,192 (protocol/sql.md#names), and each
#: NULL of one takes as much memory as a value.
_MAX_DIGITS, _MAX_ELEMENTS = 76, 65_536


#: Types whose values may be NaN or infinite.
FLOATS = frozenset({"Float", "Double"})
#: Types whose values are text.
TEXTS = frozenset({"Text", "Json", "File"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column as the server announced it.

    Attributes:
        name: Name, or the text of an expression. Names may repeat.
        type_name: The server's type name, for example ``BigInt``, ``Decimal`` or ``Embedding``.
        precision: Digits of a Decimal, else 0.
        scale: Digits after the point of a Decimal, else 0.
        size: Elements of an Embedding, else 0.
        flags: Of ``pk``, ``nn``, ``uq``. They describe the table's column and promise nothing about the values.
        list_type: The Arrow type of a list, which the server announces as its elements; None for all else.
    """

    name: str
    type_name: str
    precision: int = 0
    scale: int = 0
    size: int = 0
    flags: tuple[str, ...] = ()
    list_type: pa.DataType | None = None

    @property
    def sql_type(self) -> str:
        """The type as SQL spells it, for example ``DECIMAL(10, 2)``."""
        if self.type_name == "Decimal":
            return f"DECIMAL({self.precision}, {self.scale})"
        if self.type_name == "Embedding":
            return f"EMBEDDING({self.size})"
        return self.type_name.upper()

    @property
    def is_primary_key(self) -> bool:
        """Whether the server flags the column as the primary key."""
        return "pk" in self.flags


def parse_column(raw: Mapping[str, Any]) -> Column:
    """Read one element of ``schema``.

    Raises:
        ProtocolError: The element has no name, or its ``data_type`` has a form that is not known.

    Source: protocol/http.md#answer, #types.
    """
    try:
        name, data_type = raw["name"], raw["data_type"]
        flags = tuple(str(flag) for flag in raw.get("flags") or ())
        if isinstance(data_type, str):
            return Column(str(name), data_type, flags=flags)

        ((type_name, detail),) = data_type.items()
        if type_name == "Decimal":
            precision, scale = int(detail["precision"]), int(detail["scale"])
            if not (1 <= precision <= _MAX_DIGITS and abs(scale) <= _MAX_DIGITS):
                raise ValueError("no decimal has so many digits")
            return Column(str(name), type_name, precision, scale, flags=flags)
        if type_name == "Embedding":
            size = int(detail)
            if not 1 <= size <= _MAX_ELEMENTS:
                raise ValueError("no embedding has so many elements")
            return Column(str(name), type_name, size=size, flags=flags)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ProtocolError(f"The server announced a column that cannot be understood: {str(raw)[:200]}") from None

    # Unknown parameterised types are passed on as text under their own name (protocol/http.md#types).
    return Column(str(name), str(type_name), flags=flags)


def parse_schema(raw: Sequence[Mapping[str, Any]] | None) -> tuple[Column, ...]:
    """Read ``schema`` of a result or of a subscription's acknowledgement; None and ``[]`` are no columns.

    Raises:
        ProtocolError: It is no list, or as ``parse_column``.
    """
    if raw is not None and not isinstance(raw, list):
        raise ProtocolError(f"The server announced columns that are no list: {str(raw)[:200]}")
    return tuple(parse_column(column) for column in raw or ())


@cache
def _simple_types() -> dict[str, pa.DataType]:
    return {
        "Boolean": pa.bool_(),
        "SmallInt": pa.int16(),
        "Int": pa.int32(),
        "BigInt": pa.int64(),
        "Float": pa.float32(),
        "Double": pa.float64(),
        "Text": pa.string(),
        "Json": pa.string(),
        "File": pa.string(),
        "Bytes": pa.binary(),
        "Uuid": pa.uuid(),
        "Timestamp": pa.timestamp("us", tz="UTC"),
        "DateTime": pa.timestamp("us", tz="UTC"),
        "Date": pa.date32(),
        "Time": pa.time64("us"),
    }


def is_known(column: Column) -> bool:
    """Whether the announced type is one of the seventeen that KalamDB 0.4 has."""
    name = column.type_name
    return column.list_type is not None or name in _simple_types() or name in {"Decimal", "Embedding"}


def unknown_types(columns: Sequence[Column]) -> tuple[str, ...]:
    """A sentence for each column of a type that this version does not know."""
    return tuple(
        f"Column {column.name!r} has the type {column.type_name!r}, which this version does not know; its values are "
        "shown as text."
        for column in columns
        if not is_known(column)
    )


def cells_of(
    names: Container[str], columns: Sequence[Column], table: pa.Table
) -> Iterator[tuple[Column, pa.ChunkedArray]]:
    """The columns that are announced under one of some type names, with their cells.

    A table makes a column when it is asked for one, which takes longer than asking what all columns are announced as.
    """
    for place, column in enumerate(columns):
        if column.type_name in names:
            yield column, table.column(place)


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type that holds every value of the column exactly; ``string`` for a type name that is not known."""
    if column.list_type is not None:
        return column.list_type
    if column.type_name == "Decimal":
        # A computed one may have up to 76 digits.
        make = pa.decimal128 if column.precision <= 38 else pa.decimal256
        return make(column.precision, column.scale)
    if column.type_name == "Embedding":
        return pa.list_(pa.float32(), column.size)
    return _simple_types().get(column.type_name, pa.string())


def arrow_field(column: Column) -> pa.Field:
    """The Arrow field of a column. Its metadata holds the server's type name.

    The field is nullable whatever the flags say: an outer join brings NULL under a ``nn`` flag
    (protocol/http.md#answer).
    """
    return pa.field(column.name, arrow_type(column), metadata={KALAM_TYPE: column.sql_type.encode()})


@lru_cache(maxsize=256)  # Every row group of a result asks anew.
def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The Arrow schema of a result, columns in SELECT order."""
    return pa.schema([arrow_field(column) for column in columns])
