"""Plain values to stored columns: what the server calls schema coercion (protocol/sql.md#literals).

Common cases are converted here; everything else is cast by DataFusion, so that limits, accepted spellings and error
texts are the engine's own.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import pyarrow as pa
from datafusion import SessionContext

from kalam_sandbox.engine.casting import cast_cells
from kalam_sandbox.engine.failures import text_of
from kalam_sandbox.engine.parameters import Value
from kalam_sandbox.store.schema import ColumnDef

_INT_RANGE = {"SmallInt": 2**15, "Int": 2**31, "BigInt": 2**63}
# Literals of these types need no cast.
_STORED_AS = {
    "Boolean": pa.bool_(),
    **dict.fromkeys(("SmallInt", "Int", "BigInt", "Timestamp", "DateTime", "Date", "Time"), pa.int64()),
    **dict.fromkeys(("Float", "Double"), pa.float64()),
    **dict.fromkeys(("Text", "Json", "File"), pa.string()),
}
_HEX = re.compile(r"[0-9a-fA-F-]")


class CoercionError(ValueError):
    """A value does not fit its column; the text is the server's, without ``Schema coercion failed: ``."""


@dataclass(frozen=True, slots=True)
class Coercer:
    """Convert values of one statement.

    Attributes:
        context: Evaluates casts.
        rounds: Whether fractions are cut for integer columns (truth L11).
    """

    context: SessionContext
    rounds: bool = True

    def column(self, values: Sequence[Value | Decimal], column: ColumnDef) -> pa.Array:
        """Return values as the column stores them.

        Decimals come only where literals are exact (`Options.round_literals`).

        Raises:
            CoercionError: A value cannot be converted; names the column and the value.
        """
        if not self.rounds:
            values = [_exact(value, column) for value in values]
        return self._column([float(v) if isinstance(v, Decimal) else v for v in values], column)

    def _lists(self, values: Sequence[Value], column: ColumnDef) -> pa.Array:
        """Return lists that are written as JSON texts."""
        element = replace(column, type=column.type.element)
        cells: list[object] = []
        for value in values:
            try:
                items = None if value is None else json.loads(value)  # type: ignore[arg-type]  # Told below.
                cells.append(None if items is None else self.column(items, element).to_pylist())
            except (TypeError, ValueError) as wrong:
                raise CoercionError(f"Invalid array for column '{column.name}': {wrong}") from None
        return pa.array(cells, column.type.arrow)

    def _column(self, values: Sequence[Value], column: ColumnDef) -> pa.Array:
        if column.type.is_list:
            return self._lists(values, column)
        name = column.type.name
        if name == "Uuid":
            return pa.array([_uuid(value, column) for value in values], column.type.arrow)
        if name == "Embedding":
            return pa.array([_embedding(value, column) for value in values], column.type.arrow)
        if name == "Bytes":
            return pa.array([_bytes(value) for value in values], column.type.arrow)
        if name in ("Float", "Double"):
            # Arrow refuses a whole number that a float cannot hold exactly.
            values = [float(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in values]
        kinds = {_kind(value) for value in values if value is not None}
        if all(_is_direct(name, kind) for kind in kinds) and _fits(name, values):
            return pa.array(values, column.type.arrow)
        if len(kinds) == 1:
            return self._cast(values, kinds.pop(), column)
        return self._mixed(values, kinds, column)

    def _mixed(self, values: Sequence[Value], kinds: set[pa.DataType], column: ColumnDef) -> pa.Array:
        """Convert a column in which numbers, texts and truth values stand side by side."""
        cells: list[object] = [None] * len(values)
        for kind in kinds:
            places = [i for i, value in enumerate(values) if value is not None and _kind(value) == kind]
            part = self._column([values[i] for i in places], column).to_pylist()
            for place, cell in zip(places, part, strict=True):
                cells[place] = cell
        return pa.array(cells, column.type.arrow)

    def _cast(self, values: Sequence[Value], kind: pa.DataType, column: ColumnDef) -> pa.Array:
        if kind == pa.float64():
            values = [None if value is None else float(value) for value in values]
        source = pa.array(values, kind)
        target = _engine_name(column.type.arrow)
        try:
            return cast_cells(self.context, source, column.type.arrow)
        except Exception as failed:
            raise CoercionError(
                f"Unable to cast value {_engine_name(kind)} to {target} for column '{column.name}': {text_of(failed)}"
            ) from None


def _exact(value: Value | Decimal, column: ColumnDef) -> Value | Decimal:
    """Return a number as the column can hold it without loss.

    Raises:
        CoercionError: A fraction for an integer column.
    """
    if isinstance(value, float | Decimal) and column.type.name in _INT_RANGE and value % 1:
        raise CoercionError(f"Unable to cast value {value} to an integer for column '{column.name}': it has a fraction")
    return str(value) if isinstance(value, Decimal) and column.type.name == "Decimal" else value


def _kind(value: bool | int | float | str) -> pa.DataType:
    """Return the type that the engine gives a literal; whole numbers beyond 63 bits are doubles to it."""
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        return pa.int64() if value < 2**63 else pa.float64()
    return pa.float64() if isinstance(value, float) else pa.string()


def _is_direct(name: str, kind: pa.DataType) -> bool:
    """Say whether values of a kind are stored as they are."""
    return bool(_STORED_AS.get(name) == kind)


def _fits(name: str, values: Sequence[Value]) -> bool:
    limit = _INT_RANGE.get(name, 2**31 if name == "Date" else 2**63)
    return all(not isinstance(v, int) or isinstance(v, bool) or -limit <= v < limit for v in values)


def _engine_name(kind: pa.DataType) -> str:
    """Return a type as DataFusion spells it, for casts and error texts."""
    if pa.types.is_decimal(kind):
        return f"Decimal128({kind.precision}, {kind.scale})"
    if pa.types.is_timestamp(kind):
        return 'Timestamp(Microsecond, Some("UTC"))' if kind.tz else "Timestamp(Microsecond, None)"
    names = {
        pa.bool_(): "Boolean",
        pa.int16(): "Int16",
        pa.int32(): "Int32",
        pa.int64(): "Int64",
        pa.float32(): "Float32",
        pa.float64(): "Float64",
        pa.string(): "Utf8",
        pa.date32(): "Date32",
        pa.time64("us"): "Time64(Microsecond)",
    }
    return names[kind]


def _bytes(value: Value) -> bytes | None:
    if value is None or isinstance(value, str):
        return value if value is None else value.encode()
    return str(value).encode()


def _uuid(value: Value, column: ColumnDef) -> bytes | None:
    if value is None:
        return None
    text = str(value)
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        bad = next((i for i, char in enumerate(text) if not _HEX.match(char)), None)
        why = (
            f"invalid length: expected length 32 for simple format, found {len(text)}"
            if bad is None
            else f"invalid character: found `{text[bad]}` at {bad + 1}"
        )
        raise CoercionError(f"Invalid UUID literal '{text}' for column '{column.name}': {why}") from None


def _embedding(value: Value, column: ColumnDef) -> list[float] | None:
    if value is None:
        return None
    try:
        numbers = json.loads(value) if isinstance(value, str) else None
        vector = [float(number) for number in numbers]  # type: ignore[union-attr]
    except (TypeError, ValueError) as wrong:
        raise CoercionError(f"Invalid embedding JSON for column '{column.name}': {wrong}") from None
    if len(vector) != column.type.first:
        raise CoercionError(
            f"Embedding dimension mismatch for column '{column.name}': expected {column.type.first}, got {len(vector)}"
        )
    return vector
