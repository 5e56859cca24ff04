"""What the types of primary keys are good for (protocol/sql.md#create-table).

CREATE TABLE accepts a key of any type; what INSERT, UPDATE and DELETE make of it is decided here.
"""

from __future__ import annotations

import uuid

import pyarrow as pa

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.engine.failures import engine_text
from kalam_sandbox.engine.wording import commit_failure, literal_constraint
from kalam_sandbox.errors import execution
from kalam_sandbox.sql.inserts import InsertText, Placeholder
from kalam_sandbox.store.schema import TableDef

# INSERT cannot turn these into the text by which the server knows a row.
_NOT_INSERTED = ("Decimal", "Date", "Time", "Timestamp", "DateTime", "Bytes", "Embedding")
# The server's names of the types whose rows UPDATE cannot find again, and DELETE neither but for UUID.
_NOT_CHANGED = {"Float": "Float32", "Double": "Float64", "Uuid": "FixedSizeBinary"}
# DELETE of a STREAM table finds rows by keys of these types only (protocol/sql.md#tables).
_STREAM_KEYS = ("Text", "BigInt", "Int")


def check_inserted_key(definition: TableDef, text: InsertText, *, is_literal: bool) -> None:
    """Refuse an INSERT whose key the server cannot read.

    Args:
        definition: The table; keys of STREAM tables are not looked at.
        text: The statement.
        is_literal: Whether it goes the literal path.

    Raises:
        SqlFailed: The type of the key is not supported, or it is a UUID that is no parameter.
    """
    key = definition.key
    if key is None or definition.kind == "stream":
        return
    if key.type.name in _NOT_INSERTED or (key.type.name == "Uuid" and not _is_parameter(key.name, text)):
        raise unreadable_key(key.name, is_literal=is_literal)


def unreadable_key(name: str, *, is_literal: bool) -> SqlFailed:
    """Return the failure of an INSERT whose key is NULL or of a type that the server cannot read."""
    reason = f"Primary key column '{name}' has unsupported or NULL value"
    return execution(literal_constraint(f"Invalid operation: {reason}") if is_literal else commit_failure(reason))


def _is_parameter(column: str, text: InsertText) -> bool:
    columns = text.columns or ()
    if text.rows is None or column not in columns:
        return False
    place = columns.index(column)
    return all(isinstance(row[place], Placeholder) for row in text.rows)


def has_generated_key(definition: TableDef) -> bool:
    """Say whether the engine path trusts the keys: a row replaces an older one of its key (section 6.6)."""
    key = definition.key
    return key is not None and key.default is not None and key.default.function == "SNOWFLAKE_ID"


def check_changed_key(kind: str, definition: TableDef, rows: pa.RecordBatch, *, before: str) -> None:
    """Refuse an UPDATE or DELETE of rows whose key the server cannot read.

    Args:
        kind: ``update`` or ``delete``.
        definition: The table.
        rows: The rows found.
        before: What the server puts before the text.

    Raises:
        SqlFailed: The type of the key is not supported.
    """
    key = definition.key
    if key is None or definition.kind == "stream" or not rows.num_rows or key.type.name not in _NOT_CHANGED:
        return
    if key.type.name == "Uuid" and kind == "delete":
        return
    value = rows.column(key.name)[0].as_py()
    told = f"16, {uuid.UUID(bytes=value)}" if isinstance(value, bytes) else value
    reason = f"Unsupported primary key type: {_NOT_CHANGED[key.type.name]}({told})"
    raise engine_text(f"{before}Execution error: Invalid primary key value: {reason}")


def removes_rows(definition: TableDef) -> bool:
    """Say whether a DELETE of this STREAM table finds its rows again."""
    return definition.key is not None and definition.key.type.name in _STREAM_KEYS
