"""SHOW, DESCRIBE TABLE, SUBSCRIBE TO: commands that answer rows (protocol/sql.md#show, #subscribe)."""

from __future__ import annotations

import secrets

import pyarrow as pa

from kalam_sandbox.backend import Column
from kalam_sandbox.commands.context import Call
from kalam_sandbox.commands.tables import not_found
from kalam_sandbox.engine.encode import encode_batches, wire_column
from kalam_sandbox.engine.results import Rows
from kalam_sandbox.errors import execution
from kalam_sandbox.sql.statements import DescribeTable, Show, SubscribeTo

_DESCRIBE = (
    ("column_name", "Text"), ("ordinal_position", "Int"), ("column_id", "BigInt"), ("data_type", "Text"),
    ("is_nullable", "Boolean"), ("is_primary_key", "Boolean"), ("column_default", "Text"), ("column_comment", "Text"),
    ("schema_version", "Int"),
)  # fmt: skip
# Columns of DESCRIBE TABLE that may be NULL.
_DESCRIBE_NULLABLE = ("column_default", "column_comment")
_STATS = (
    "table_name", "namespace", "schema_version", "logical_rows", "flushed_segments", "active_streams", "memory_bytes",
)  # fmt: skip


def show(call: Call, statement: Show) -> Rows:
    """Answer SHOW NAMESPACES, TABLES, STORAGES or MANIFEST.

    Raises:
        SqlFailed: SHOW TABLES IN, which fails on the server, too.
    """
    if statement.what == "tables_in":
        raise execution(
            "Arrow error: Invalid argument error: number of columns(8) must match number of fields(14) in schema"
        )
    table = "schemas" if statement.what == "tables" else statement.what
    batch: pa.RecordBatch = call.server.system.rows(table)
    columns = tuple(wire_column(field) for field in batch.schema)
    return Rows(columns, encode_batches(batch.schema, [batch]), call.caller.user_id)


def describe_table(call: Call, statement: DescribeTable) -> Rows:
    """Answer DESCRIBE TABLE or SHOW STATS FOR TABLE.

    Raises:
        SqlFailed: There is no such table.
    """
    name = (statement.namespace or "default", statement.name)
    table = call.server.catalog.tables.get(name)
    definition = table.definition if table is not None else call.server.system.definition(name)
    if definition is None:
        raise not_found(name)
    if statement.stats:
        columns = tuple(Column(column, "Text", ()) for column in _STATS)
        told: list[object] = [name[1], name[0], str(definition.version), "0", "0", "0", "0"]
        return Rows(columns, [told], call.caller.user_id)
    columns = tuple(Column(column, kind, () if column in _DESCRIBE_NULLABLE else ("nn",)) for column, kind in _DESCRIBE)
    rows: list[list[object]] = [
        [
            column.name, place, str(column.column_id), column.type.sql, column.nullable, column.is_key,
            column.default.sql if column.default else None, column.comment, 1,
        ]
        for place, column in enumerate(definition.columns, 1)
    ]  # fmt: skip
    return Rows(columns, rows, call.caller.user_id)


def subscribe_to(call: Call, statement: SubscribeTo) -> Rows:
    """Answer SUBSCRIBE TO with advice; it opens nothing, and its URL is a placeholder."""
    columns = tuple(
        Column(name, "Json" if name == "subscription" else "Text", ())
        for name in ("status", "ws_url", "subscription", "message")
    )
    identity = f"sub-{statement.table.replace('.', '-')}-{secrets.token_hex(16)}"
    row: list[object] = [
        "active",
        "ws://localhost:8080/ws",
        {"id": identity, "sql": statement.sql},
        "WebSocket subscription created. Connect to ws_url to receive updates.",
    ]
    return Rows(columns, [row], call.caller.user_id)
