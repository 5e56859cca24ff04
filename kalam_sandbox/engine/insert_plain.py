"""Rows of an INSERT whose values are literals and parameters: built without the engine's planner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import pyarrow as pa

from kalam_sandbox.engine.coerce import Coercer, CoercionError
from kalam_sandbox.engine.defaults import Defaults
from kalam_sandbox.engine.failures import engine_text
from kalam_sandbox.engine.parameters import Value
from kalam_sandbox.engine.wording import debug_bytes, engine_coercion, literal_coercion, no_cast
from kalam_sandbox.errors import execution
from kalam_sandbox.options import Options
from kalam_sandbox.sql.inserts import Expression, InsertText, Item, Placeholder
from kalam_sandbox.store.schema import ColumnDef, TableDef

_Build = Callable[[Sequence[Item], ColumnDef], pa.Array]


class PlainRows:
    """Build the rows of one INSERT."""

    def __init__(self, definition: TableDef, coercer: Coercer, defaults: Defaults, options: Options) -> None:
        self._definition = definition
        self._coercer = coercer
        self._defaults = defaults
        self._options = options

    def literal(self, text: InsertText) -> pa.RecordBatch:
        """Return the rows of the literal path; without a column list all declared columns are meant.

        Raises:
            SqlFailed: Unknown column, wrong number of values, a value that does not fit.
        """
        columns = text.columns or tuple(column.name for column in self._definition.writable)
        for name in columns:
            if name not in self._definition.by_name:
                raise execution(f"Invalid operation: Column '{name}' does not exist")
        return self._rows(columns, text.rows or [], self._literal_column)

    def with_parameters(self, text: InsertText, params: Sequence[Value]) -> pa.RecordBatch:
        """Return rows of literals and parameters; the engine path's rules hold.

        Raises:
            SqlFailed: Unknown column, wrong number of values, a value that does not fit.
        """
        check_engine_columns(text.columns or (), self._definition)

        def column(items: Sequence[Item], declared: ColumnDef) -> pa.Array:
            return self._parameter_column(items, declared, params)

        return self._rows(text.columns or (), text.rows or [], column)

    def _rows(self, columns: Sequence[str], rows: list[list[Item]], build: _Build) -> pa.RecordBatch:
        for place, row in enumerate(rows):
            if len(row) != len(columns):
                raise engine_text(
                    "Error during planning: Inconsistent data length across values list: "
                    f"got {len(row)} values in row {place} but expected {len(columns)}"
                )
        given = dict(zip(columns, zip(*rows, strict=True), strict=True))
        arrays = [
            build(given[column.name], column) if column.name in given else self._defaults.column(column, len(rows))
            for column in self._definition.columns
        ]
        return unchecked_batch(arrays, self._definition)

    def _literal_column(self, items: Sequence[Item], column: ColumnDef) -> pa.Array:
        try:
            return self._coercer.column([_value(item, ()) for item in items], column)
        except CoercionError as wrong:
            raise execution(literal_coercion(f"{wrong}")) from None

    def _parameter_column(self, items: Sequence[Item], column: ColumnDef, params: Sequence[Value]) -> pa.Array:
        if column.type.name in ("Uuid", "Embedding") and any(isinstance(item, str) for item in items):
            # Beside parameters the engine plans the literals, and it cannot cast these.
            raise engine_text(no_cast(_engine_type(column)))
        for item in items:
            if isinstance(item, Placeholder):
                check_parameter(params[item.number - 1], column, self._options)
        try:
            array = self._coercer.column([_value(item, params) for item in items], column)
        except CoercionError as wrong:
            raise execution(engine_coercion(f"{wrong}")) from None
        if column.type.name != "Bytes" or not self._options.store_debug_bytes:
            return array
        # Literal texts for BYTES store debug text on this path, parameters do not (truth L10).
        cells = [
            debug_bytes(cell) if isinstance(item, str) else cell
            for cell, item in zip(array.to_pylist(), items, strict=True)
        ]
        return pa.array(cells, pa.binary())


def _value(item: Item, params: Sequence[Value]) -> Value | Decimal:
    if isinstance(item, Placeholder):
        return params[item.number - 1]
    assert not isinstance(item, Expression)  # Rows with expressions are evaluated by the engine.
    return item


def check_parameter(value: Value, column: ColumnDef, options: Options) -> None:
    """Refuse NULL as a parameter for a vector; the same habit stores zeros for the word (protocol/http.md#types).

    Raises:
        SqlFailed: The engine takes NULL for a text, which it cannot cast.
    """
    if value is None and column.type.name == "Embedding" and options.zero_left_out_embeddings:
        raise engine_text(no_cast(_engine_type(column)))


def check_engine_columns(columns: Sequence[str], definition: TableDef) -> None:
    """Refuse unknown columns in the engine's words.

    Raises:
        SqlFailed: Names the column and the valid ones.
    """
    for name in columns:
        if name not in definition.by_name:
            known = ", ".join(column.name for column in definition.columns)
            raise execution(f"Invalid operation: Schema error: No field named {name}. Valid fields are {known}.")


def unchecked_batch(arrays: Sequence[pa.Array], definition: TableDef) -> pa.RecordBatch:
    """Return rows that may still hold NULL anywhere; constraints are checked at commit."""
    schema = pa.schema([field.with_nullable(True) for field in definition.schema])
    return pa.RecordBatch.from_arrays(list(arrays), schema=schema)


def _engine_type(column: ColumnDef) -> str:
    if column.type.name == "Uuid":
        return "FixedSizeBinary(16)"
    return f"FixedSizeList({column.type.first} x non-null Float32)"
