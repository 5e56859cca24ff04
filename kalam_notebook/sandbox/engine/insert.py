"""INSERT: the literal path and the engine path, which differ in defaults, checks and texts (SQL reference, 6.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from kalam_notebook.sandbox.engine import access
from kalam_notebook.sandbox.engine.coerce import Coercer, CoercionError, Value
from kalam_notebook.sandbox.engine.failures import engine_failure, engine_text
from kalam_notebook.sandbox.engine.functions import EXPRESSION_IDS, now_us
from kalam_notebook.sandbox.engine.rewrite import rewrite
from kalam_notebook.sandbox.engine.select import Selector
from kalam_notebook.sandbox.errors import execution
from kalam_notebook.sandbox.ids import Snowflakes, ulid, uuid7
from kalam_notebook.sandbox.sql.inserts import Expression, InsertText, Item, Placeholder, read_insert
from kalam_notebook.sandbox.store.catalog import Catalog, Name, now_ms
from kalam_notebook.sandbox.store.commit import Operation
from kalam_notebook.sandbox.store.schema import ColumnDef, TableDef
from kalam_notebook.sandbox.store.versions import zero_value

LITERAL_COMMIT = (
    "Execution error: Raft error: Internal error: Provider error: Execution error: Failed to insert batch: "
)
_LITERAL_IDS = Snowflakes()


@dataclass(frozen=True, slots=True)
class Prepared:
    """An INSERT ready to commit: its rows, and whether it went the literal path."""

    operation: Operation
    is_literal: bool


class Inserter:
    """Prepare INSERT statements for one request."""

    def __init__(self, catalog: Catalog, selector: Selector) -> None:
        self._catalog = catalog
        self._selector = selector
        self._coercer = Coercer(selector.session.context)

    def prepare(self, sql: str, params: Sequence[Value], *, literal_path: bool) -> Prepared:
        """Return the rows that an INSERT adds.

        Args:
            sql: The statement.
            params: Values of ``$1 …``.
            literal_path: Whether plain rows go the literal path: false for a single INSERT in a transaction.

        Raises:
            SqlFailed: The statement is refused or fails.
        """
        text = read_insert(sql)
        name = self._target(text, bool(params)) if text else None
        if text is None or name is None:
            # The engine words the error: bad syntax, unknown table.
            self._selector.plan(rewrite(sql, self._selector.caller), _named(params))
            raise execution("Execution error: Error during planning: INSERT is not understood")
        definition = self._catalog.tables[name].definition
        is_literal = literal_path and not params and text.rows is not None and not text.has_expressions
        is_literal = is_literal and not text.has_placeholders
        access.check_write(self._selector.caller, definition, before="" if is_literal else "Error during planning: ")
        if is_literal and text.rows is not None:
            rows = self._literal_rows(text, definition)
        elif text.rows is not None and not text.has_expressions and _has_all(text, params) and text.columns:
            rows = self._parameter_rows(text, definition, params)
        else:
            rows = self._engine_rows(sql, text, definition, params)
        return Prepared(Operation("insert", name, self._selector.caller.user_id, rows), is_literal)

    def _target(self, text: InsertText, has_params: bool) -> Name | None:
        """Return the table meant; an unqualified literal INSERT prefers `default` (HTTP reference, section 6)."""
        namespace = text.namespace
        if namespace == "system":
            raise execution(f"Invalid operation: Cannot insert system table 'system.{text.table}'")
        if namespace is not None:
            return (namespace, text.table) if (namespace, text.table) in self._catalog.tables else None
        plain = not has_params and text.rows is not None and not text.has_expressions
        places = ["default", self._selector.namespace] if plain else [self._selector.namespace]
        return next(((place, text.table) for place in places if (place, text.table) in self._catalog.tables), None)

    def _literal_rows(self, text: InsertText, definition: TableDef) -> pa.RecordBatch:
        columns = text.columns or tuple(column.name for column in definition.writable)
        _check_columns(columns, definition)
        rows = _same_length(text.rows or [], len(columns), default_length=len(columns))
        given = dict(zip(columns, zip(*rows, strict=True), strict=True))
        arrays = []
        for column in definition.columns:
            if column.name in given:
                arrays.append(self._coerced(given[column.name], column, "Invalid operation: Schema coercion failed: "))
            else:
                arrays.append(self._left_out(column, len(rows), literal=True))
        return pa.RecordBatch.from_arrays(arrays, schema=_nullable(definition.schema))

    def _parameter_rows(self, text: InsertText, definition: TableDef, params: Sequence[Value]) -> pa.RecordBatch:
        """Build rows of literals and parameters without planning; the engine path's rules hold."""
        columns = text.columns or ()
        _check_engine_columns(columns, definition)
        rows = _same_length(text.rows or [], len(columns), default_length=len(columns))
        given = dict(zip(columns, zip(*rows, strict=True), strict=True))
        before = _commit_failure("Failed to insert batch rows: Invalid operation: Schema coercion failed: ")
        arrays = []
        for column in definition.columns:
            if column.name not in given:
                arrays.append(self._left_out(column, len(rows), literal=False))
                continue
            items = given[column.name]
            if column.type.name in ("Uuid", "Embedding") and any(isinstance(item, str) for item in items):
                raise engine_text(
                    f"Execution error: type mismatch and can't cast to got Utf8 and {_arrow_text(column)}"
                )
            values = [params[item.number - 1] if isinstance(item, Placeholder) else item for item in items]
            array = self._coerced(values, column, before)
            arrays.append(_as_debug_text(array, items) if column.type.name == "Bytes" else array)
        return pa.RecordBatch.from_arrays(arrays, schema=_nullable(definition.schema))

    def _engine_rows(self, sql: str, text: InsertText, definition: TableDef, params: Sequence[Value]) -> pa.RecordBatch:
        """Let DataFusion evaluate the rows: expressions, or a query."""
        if text.columns:
            _check_engine_columns(text.columns, definition)
        typed: dict[str, object] = dict(_named(params))
        if text.rows is not None and text.has_expressions and text.columns:
            sql, typed = self._typed_parameters(text, definition, params)
        frame = self._selector.plan(rewrite(sql, self._selector.caller), typed)
        source = frame.logical_plan().inputs()[0]
        try:
            batches = self._selector.session.context.create_dataframe_from_logical_plan(source).collect()
        except Exception as failed:
            raise engine_failure(failed) from None
        count = sum(batch.num_rows for batch in batches)
        table = pa.Table.from_batches(batches) if batches else None
        written = set(text.columns or [column.name for column in definition.writable])
        arrays = []
        for column in definition.columns:
            if column.name not in written:
                arrays.append(self._left_out(column, count, literal=False))
            elif table is None:
                arrays.append(pa.array([], column.type.arrow))
            else:
                arrays.append(self._stored(table.column(column.name).combine_chunks(), column))
        return pa.RecordBatch.from_arrays(arrays, schema=_nullable(definition.schema))

    def _typed_parameters(
        self, text: InsertText, definition: TableDef, params: Sequence[Value]
    ) -> tuple[str, dict[str, object]]:
        """Give each parameter that is a whole value the type of its column, which makes UUID text work."""
        typed: dict[str, object] = dict(_named(params))
        before = _commit_failure("Failed to insert batch rows: Invalid operation: Schema coercion failed: ")
        rows = []
        for row in text.rows or []:
            cells = []
            for name, item in zip(text.columns or (), row, strict=False):
                if isinstance(item, Placeholder) and item.number <= len(params):
                    array = self._coerced([params[item.number - 1]], definition.by_name[name], before)
                    number = str(1000 + len(typed))
                    typed[number] = array[0]
                    cells.append(f"${number}")
                else:
                    cells.append(_as_sql(item))
            rows.append(f"({', '.join(cells)})")
        return f"{text.head} VALUES {', '.join(rows)}", typed

    def _stored(self, array: pa.Array, column: ColumnDef) -> pa.Array:
        """Return an evaluated column as it is stored."""
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks)
        if column.type.name == "Bytes" and not pa.types.is_string(array.type):
            # The engine path stores a debug text instead of the bytes (truth L10).
            return pa.array([debug_bytes(value) for value in array.to_pylist()], pa.binary())
        if array.type.equals(column.type.arrow):
            return _zero_embeddings(array, column)
        before = _commit_failure("Failed to insert batch rows: Invalid operation: Schema coercion failed: ")
        try:
            return array.cast(column.type.arrow)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return self._coerced(array.to_pylist(), column, before)

    def _coerced(self, values: Sequence[object], column: ColumnDef, before: str) -> pa.Array:
        try:
            return self._coercer.column(values, column)  # type: ignore[arg-type]
        except CoercionError as wrong:
            raise execution(f"{before}{wrong}") from None

    def _left_out(self, column: ColumnDef, count: int, *, literal: bool) -> pa.Array:
        """Return what fills a column that the INSERT does not name."""
        if column.default is not None:
            values = [self._default_value(column, literal=literal) for _ in range(count)]
            return self._coerced(values, column, "Invalid operation: Schema coercion failed: ")
        if literal and not column.nullable:
            return pa.array([zero_value(column.type.arrow)] * count, column.type.arrow)
        if not literal and column.type.name == "Embedding":
            # Left out on the engine path, an embedding becomes zeros (truth L9).
            return pa.array([[0.0] * column.type.first] * count, column.type.arrow)
        if not literal and column.is_key:
            raise execution(_commit_failure(f"Primary key column '{column.name}' has unsupported or NULL value"))
        return pa.nulls(count, column.type.arrow)

    def _default_value(self, column: ColumnDef, *, literal: bool) -> object:
        default = column.default
        assert default is not None
        if default.function is None:
            return default.value
        if default.function == "CURRENT_USER":
            return self._selector.caller.user_id if literal else None
        makers: dict[str, Callable[[], object]] = {
            "SNOWFLAKE_ID": (_LITERAL_IDS if literal else EXPRESSION_IDS).next,
            "ULID": ulid,
            "UUID_V7": uuid7,
            "NOW": (lambda: now_ms() * 1000) if literal else now_us,
        }
        return makers[default.function]()


def _check_columns(columns: Sequence[str], definition: TableDef) -> None:
    for name in columns:
        if name not in definition.by_name:
            raise execution(f"Invalid operation: Column '{name}' does not exist")


def _check_engine_columns(columns: Sequence[str], definition: TableDef) -> None:
    for name in columns:
        if name not in definition.by_name:
            known = ", ".join(column.name for column in definition.columns)
            raise execution(f"Invalid operation: Schema error: No field named {name}. Valid fields are {known}.")


def _same_length(rows: list[list[Item]], wanted: int, *, default_length: int) -> list[list[Item]]:
    for place, row in enumerate(rows):
        if len(row) != wanted:
            raise engine_text(
                "Error during planning: Inconsistent data length across values list: "
                f"got {len(row)} values in row {place} but expected {default_length}"
            )
    return rows


def _has_all(text: InsertText, params: Sequence[Value]) -> bool:
    numbers = [item.number for row in text.rows or [] for item in row if isinstance(item, Placeholder)]
    return all(1 <= number <= len(params) for number in numbers)


def _named(params: Sequence[Value]) -> Mapping[str, object]:
    return named_parameters(params)


def named_parameters(params: Sequence[Value]) -> dict[str, object]:
    """Return parameters as the engine takes them: ``1``, ``2`` …, NULL typed as text."""
    return {str(n): pa.scalar(None, pa.string()) if v is None else v for n, v in enumerate(params, 1)}


def _commit_failure(text: str) -> str:
    return commit_failure(uuid7(), text)


def commit_failure(transaction_id: str, text: str) -> str:
    """Return a constraint error as the engine path words it."""
    return (
        f"Invalid operation: failed to commit transaction '{transaction_id}': Raft error: Provider error: "
        f"Execution error: {text}"
    )


def debug_bytes(value: bytes | None) -> bytes | None:
    """Return the text that the server stores instead of evaluated bytes (truth L10)."""
    if value is None:
        return None
    return f"BinaryArray\n[\n  [{', '.join(str(byte) for byte in value)}],\n]".encode()


def _as_debug_text(array: pa.Array, items: Sequence[Item]) -> pa.Array:
    """On the engine path literal texts for BYTES store debug text, parameters do not."""
    values = [
        debug_bytes(value) if isinstance(item, str) else value
        for value, item in zip(array.to_pylist(), items, strict=True)
    ]
    return pa.array(values, pa.binary())


def _zero_embeddings(array: pa.Array, column: ColumnDef) -> pa.Array:
    if column.type.name != "Embedding" or not array.null_count:
        return array
    zeros = [0.0] * column.type.first
    return pa.array([zeros if value is None else value for value in array.to_pylist()], column.type.arrow)


def _arrow_text(column: ColumnDef) -> str:
    if column.type.name == "Uuid":
        return "FixedSizeBinary(16)"
    return f"FixedSizeList({column.type.first} x non-null Float32)"


def _as_sql(item: Item) -> str:
    if isinstance(item, Expression):
        return item.text
    if isinstance(item, Placeholder):
        return f"${item.number}"
    if isinstance(item, str):
        return "'" + item.replace("'", "''") + "'"
    if item is None:
        return "NULL"
    return str(item).upper() if isinstance(item, bool) else repr(item)


def _nullable(schema: pa.Schema) -> pa.Schema:
    """Rows before their check may hold NULL anywhere."""
    return pa.schema([field.with_nullable(True) for field in schema], schema.metadata)
