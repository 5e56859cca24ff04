"""The seventeen column types: SQL spelling, wire form and Arrow type (protocol/sql.md#column-types).

Parsing of type names is in `sql.columns`; encoding of cells in `engine.encode`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pyarrow as pa

_ARROW: dict[str, pa.DataType] = {
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
    "Timestamp": pa.timestamp("us"),
    "DateTime": pa.timestamp("us", tz="UTC"),
    "Date": pa.date32(),
    "Time": pa.time64("us"),
    "Uuid": pa.binary(16),
}


@dataclass(frozen=True, slots=True)
class ColumnType:
    """One declared type.

    Attributes:
        name: Wire name, for example ``BigInt``, ``Decimal`` or ``Embedding``.
        first: Precision of a Decimal, dimension of an Embedding, else 0.
        scale: Scale of a Decimal, else 0.
        is_list: Whether values are lists of this type, which only KalamDB 0.8 has.
    """

    name: str
    first: int = 0
    scale: int = 0
    is_list: bool = False

    @property
    def element(self) -> ColumnType:
        """The type of the elements of a list."""
        return replace(self, is_list=False)

    @property
    def wire(self) -> str | dict[str, object]:
        """The form of `data_type` in answers; of a list that of its elements."""
        if self.name == "Decimal":
            return {"Decimal": {"precision": self.first, "scale": self.scale}}
        if self.name == "Embedding":
            return {"Embedding": self.first}
        return self.name

    @property
    def metadata(self) -> str:
        """The wire form as JSON text, as the server keeps it in Arrow field metadata."""
        return json.dumps(self.wire, separators=(",", ":"))

    @property
    def sql(self) -> str:
        """The spelling of DESCRIBE TABLE, for example ``DECIMAL(10, 2)``."""
        if self.is_list:
            return f"{self.element.sql}[]"
        if self.name == "Decimal":
            return f"DECIMAL({self.first}, {self.scale})"
        if self.name == "Embedding":
            return f"EMBEDDING({self.first})"
        return self.name.upper()

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of stored values."""
        if self.is_list:
            return pa.list_(self.element.arrow)
        if self.name == "Decimal":
            return pa.decimal128(self.first, self.scale)
        if self.name == "Embedding":
            return pa.list_(pa.field("item", pa.float32(), nullable=False), self.first)
        return _ARROW[self.name]


def from_wire(told: str | dict[str, object]) -> ColumnType:
    """Return a type for its wire form.

    >>> from_wire({"Decimal": {"precision": 10, "scale": 2}}).sql
    'DECIMAL(10, 2)'
    """
    match told:
        case {"Decimal": {"precision": int(precision), "scale": int(scale)}}:
            return ColumnType("Decimal", precision, scale)
        case {"Embedding": int(size)}:
            return ColumnType("Embedding", size)
        case str():
            return ColumnType(told)
    raise ValueError(f"no column type: {told}")


# What each type is for, as `system.datatypes` tells it.
_DESCRIPTIONS = {
    "Boolean": "True or false",
    "SmallInt": "16-bit signed integer",
    "Int": "32-bit signed integer",
    "BigInt": "64-bit signed integer",
    "Float": "32-bit floating point",
    "Double": "64-bit floating point",
    "Decimal": "Exact number with a fixed number of digits",
    "Text": "UTF-8 text",
    "Json": "JSON text",
    "File": "Reference to a stored file",
    "Bytes": "Binary data",
    "Timestamp": "Date and time in microseconds",
    "DateTime": "Date and time in microseconds, UTC",
    "Date": "Days since 1970",
    "Time": "Time of day in microseconds",
    "Uuid": "128-bit universally unique identifier",
    "Embedding": "Vector of 32-bit floats",
}
_ARROW_NAMES = {
    **{"Boolean": "Boolean", "SmallInt": "Int16", "Int": "Int32", "BigInt": "Int64", "Float": "Float32"},
    **{"Double": "Float64", "Decimal": "Decimal128", "Text": "Utf8", "Json": "Utf8", "File": "Utf8", "Bytes": "Binary"},
    **{"Timestamp": "Timestamp(Microsecond, None)", "DateTime": 'Timestamp(Microsecond, Some("UTC"))'},
    **{"Date": "Date32", "Time": "Time64(Microsecond)", "Uuid": "FixedSizeBinary(16)", "Embedding": "FixedSizeList"},
}


def type_rows() -> list[tuple[str, str, str, str]]:
    """Return the rows of `system.datatypes`: Arrow type, type, SQL name, description."""
    return [(_ARROW_NAMES[name], name, name.upper(), told) for name, told in _DESCRIPTIONS.items()]


BIGINT = ColumnType("BigInt")
BOOLEAN = ColumnType("Boolean")
INT = ColumnType("Int")
TEXT = ColumnType("Text")
JSON = ColumnType("Json")
TIMESTAMP = ColumnType("Timestamp")
