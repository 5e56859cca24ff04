"""Rows of an INSERT that DataFusion evaluates: expressions in VALUES, or a query (protocol/sql.md#insert)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa
from datafusion import DataFrame

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.engine.coerce import Coercer, CoercionError
from kalam_sandbox.engine.defaults import Defaults
from kalam_sandbox.engine.insert_plain import check_engine_columns, check_parameter, unchecked_batch
from kalam_sandbox.engine.parameters import Value, named_parameters
from kalam_sandbox.engine.rewrite import rewrite
from kalam_sandbox.engine.select import Selector
from kalam_sandbox.engine.wording import debug_bytes, engine_coercion
from kalam_sandbox.errors import execution, invalid_sql
from kalam_sandbox.sql.inserts import Expression, InsertText, Item, Placeholder
from kalam_sandbox.store.schema import ColumnDef, TableDef
from kalam_sandbox.store.versions import cast

_SYNTAX = re.compile(r'SQL error: ParserError\("(.*)"\)')
# Parameters that were given a column's type get numbers that no request can use.
_FIRST_TYPED = 1000


class EvaluatedRows:
    """Evaluate the rows of one INSERT."""

    def __init__(self, definition: TableDef, selector: Selector, coercer: Coercer, defaults: Defaults) -> None:
        self._definition = definition
        self._selector = selector
        self._coercer = coercer
        self._defaults = defaults

    def build(self, sql: str, text: InsertText, params: Sequence[Value]) -> pa.RecordBatch:
        """Return the rows of an INSERT.

        Raises:
            SqlFailed: The engine refuses the statement or a value.
        """
        check_engine_columns(text.columns or (), self._definition)
        typed: dict[str, object] = dict(named_parameters(params))
        if text.rows is not None and text.columns:
            sql, typed = self._with_typed_parameters(text, text.rows, params)
        frame = planned_insert(self._selector, sql, typed)
        self._selector.note_scans(self._selector.session.optimized(frame))
        rows = self._selector.session.evaluate(frame.logical_plan().inputs()[0])
        written = set(text.columns or [column.name for column in self._definition.writable])
        arrays = [
            self._stored(rows.column(column.name), column)
            if column.name in written
            else self._defaults.column(column, rows.num_rows)
            for column in self._definition.columns
        ]
        return unchecked_batch(arrays, self._definition)

    def _with_typed_parameters(
        self, text: InsertText, rows: list[list[Item]], params: Sequence[Value]
    ) -> tuple[str, dict[str, object]]:
        """Give each parameter that is a whole value the type of its column, which makes UUID text work."""
        typed: dict[str, object] = dict(named_parameters(params))
        told = []
        for row in rows:
            cells = []
            for name, item in zip(text.columns or (), row, strict=False):
                if isinstance(item, Placeholder) and item.number <= len(params):
                    number = _FIRST_TYPED + len(typed)
                    column = self._definition.by_name[name]
                    check_parameter(params[item.number - 1], column, self._selector.options)
                    typed[str(number)] = self._coerced([params[item.number - 1]], column)[0]
                    cells.append(f"${number}")
                else:
                    cells.append(_as_sql(item))
            told.append(f"({', '.join(cells + [_as_sql(item) for item in row[len(cells) :]])})")
        return f"{text.head} VALUES {', '.join(told)}", typed

    def _stored(self, array: pa.Array, column: ColumnDef) -> pa.Array:
        """Return an evaluated column as it is stored."""
        options = self._selector.options
        if column.type.name == "Bytes" and not pa.types.is_string(array.type) and options.store_debug_bytes:
            # The engine path stores a debug text instead of the bytes (truth L10).
            return pa.array([debug_bytes(value) for value in array.to_pylist()], pa.binary())
        if (
            column.type.name == "Embedding"
            and array.type.equals(column.type.arrow)
            and options.zero_left_out_embeddings
        ):
            return without_null_vectors(array, column)
        try:
            return cast(array, column.type.arrow)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return self._coerced(array.to_pylist(), column)

    def _coerced(self, values: Sequence[Value], column: ColumnDef) -> pa.Array:
        try:
            return self._coercer.column(values, column)
        except CoercionError as wrong:
            raise execution(engine_coercion(f"{wrong}")) from None


def planned_insert(selector: Selector, sql: str, params: Mapping[str, object]) -> DataFrame:
    """Plan an INSERT; its syntax errors are worded otherwise than those of SELECT (protocol/sql.md#statements).

    Raises:
        SqlFailed: The engine refuses the text.
    """
    try:
        return selector.plan(rewrite(sql, selector.caller, selector.options), params)
    except SqlFailed as failed:
        if syntax := _SYNTAX.search(failed.message):
            raise invalid_sql(f"Invalid SQL: sql parser error: {syntax[1]}") from None
        raise


def without_null_vectors(array: pa.Array, column: ColumnDef) -> pa.Array:
    """Return vectors with zeros for NULL, as the engine path stores them (truth L9)."""
    if not array.null_count:
        return array
    zeros = [0.0] * column.type.first
    return pa.array([zeros if value is None else value for value in array.to_pylist()], column.type.arrow)


def _as_sql(item: Item) -> str:
    if isinstance(item, Expression):
        return item.text
    if isinstance(item, Placeholder):
        return f"${item.number}"
    if isinstance(item, str):
        return "'" + item.replace("'", "''") + "'"
    if item is None:
        return "NULL"
    return str(item).upper() if isinstance(item, bool) else str(item)
