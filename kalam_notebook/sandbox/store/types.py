"""The seventeen column types: SQL spelling, wire form and Arrow type (KalamDB SQL reference, section 4.1).

Parsing of type names is in `sql.columns`; encoding of cells in `engine.encode`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

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
    """

    name: str
    first: int = 0
    scale: int = 0

    @property
    def wire(self) -> str | dict[str, object]:
        """The form of `data_type` in answers."""
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
        if self.name == "Decimal":
            return f"DECIMAL({self.first}, {self.scale})"
        if self.name == "Embedding":
            return f"EMBEDDING({self.first})"
        return self.name.upper()

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of stored values."""
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


BIGINT = ColumnType("BigInt")
BOOLEAN = ColumnType("Boolean")
INT = ColumnType("Int")
TEXT = ColumnType("Text")
JSON = ColumnType("Json")
TIMESTAMP = ColumnType("Timestamp")
