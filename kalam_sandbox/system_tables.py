"""The `system.*` tables: their columns, and rows made on demand from what the server holds.

Columns and units follow protocol/sql.md#system-tables. Tables whose subject the sandbox does not have
(the audit log) are left out rather than shown empty; `sessions` are those of a PostgreSQL gateway, which
neither this server nor KalamDB by itself has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from kalam_sandbox import cluster
from kalam_sandbox.backend import TableInfo
from kalam_sandbox.catalogue import stored_tables
from kalam_sandbox.jobs import Jobs
from kalam_sandbox.options import Options
from kalam_sandbox.store.catalog import Catalog, now_ms
from kalam_sandbox.store.schema import ColumnDef, TableDef
from kalam_sandbox.store.types import type_rows
from kalam_sandbox.topics import Topics
from kalam_sandbox.users import Users

Row = tuple[object, ...]

# Views without a stored table behind them. name:type[:flag]; flag k is the key, ? is nullable.
_VIEWS = {
    "tables": "namespace_id:Text table_name:Text table_type:Text storage_id:Text:? version:BigInt options:Text:? "
    "comment:Text:? updated_at:Timestamp created_at:Timestamp",
    "columns": "namespace_id:Text table_name:Text version:BigInt column_id:BigInt column_name:Text comment:Text:? "
    "data_type:Text default_value:Text:? ordinal:BigInt nullable:Boolean primary_key:Boolean primary_key_pos:BigInt:?",
    "live": "live_id:Text:k connection_id:Text subscription_id:Text namespace_id:Text table_name:Text user_id:Text "
    "query:Text options:Json:? status:Text created_at:Timestamp last_update:Timestamp changes:BigInt node_id:BigInt "
    "last_ping_at:Timestamp",
    "settings": "name:Text value:Text description:Text category:Text",
    "stats": "metric_name:Text metric_value:Text",
    "datatypes": "arrow_type:Text kalam_type:Text sql_name:Text description:Text",
    "transactions": "transaction_id:Text owner_id:Text origin:Text state:Text age_ms:BigInt idle_ms:BigInt "
    "write_count:BigInt write_bytes:BigInt touched_tables_count:BigInt snapshot_commit_seq:BigInt",
    "sessions": "session_id:Text backend_pid:BigInt:? current_schema:Text:? state:Text transaction_id:Text:? "
    "transaction_state:Text:? transaction_has_writes:Boolean client_addr:Text:? transport:Text opened_at:Timestamp "
    "last_seen_at:Timestamp last_method:Text:?",
    "server_logs": "timestamp:Text level:Text thread:Text:? target:Text:? line:BigInt:? message:Text",
    "describe": "column_name:Text ordinal_position:Int column_id:BigInt data_type:Text is_nullable:Boolean "
    "is_primary_key:Boolean column_default:Text:? column_comment:Text:? schema_version:Int",
    **cluster.VIEWS,
}
# A table of servers that have row policies; the compiled conditions, which nobody reads, are left out.
_POLICIES = (
    "policy_id:Text:k table_id:Text policy_name:Text command:Json targets:Json using_sql:Text:? with_check_sql:Text:?"
)
_ARROW = {
    "Text": pa.string(),
    "Json": pa.string(),
    "Int": pa.int32(),
    "SmallInt": pa.int16(),
    "BigInt": pa.int64(),
    "Float": pa.float32(),
    "Boolean": pa.bool_(),
    "Timestamp": pa.timestamp("us"),
}
# Tables whose times are milliseconds, though their type says microseconds (truth L30).
_IN_MILLISECONDS = (
    "audit_log", "job_nodes", "jobs", "namespaces", "storages", "topic_offsets", "topics", "users",
)  # fmt: skip
# Stored tables whose subject the sandbox does not have; they are listed but cannot be read.
_ABSENT = ("audit_log",)
_SYSTEM_OPTIONS = (
    '{"table_type":"SYSTEM","read_only":true,"enable_cache":true,"cache_ttl_seconds":300,"localhost_only":false}'
)


#: Settings of ``rate_limit``, the options that hold them, and how the server describes them.
_RATE_LIMITS = (
    ("max_queries_per_sec", "queries_per_second", "Maximum SQL queries per second per user"),
    ("max_messages_per_sec", "messages_per_second", "Maximum WebSocket messages per second per connection"),
    ("max_subscriptions_per_user", "subscriptions_per_user", "Maximum concurrent live query subscriptions"),
    ("max_auth_requests_per_ip_per_sec", "auth_per_second",
     "Maximum auth requests per second per IP (applies to /auth/login, /auth/refresh, /setup)"),
    ("max_requests_per_ip_per_sec", "requests_per_second",
     "Maximum requests per second per IP BEFORE authentication (if exceeded → IP BAN)"),
    ("request_body_limit_bytes", "request_body_limit_bytes", "Maximum request body size in bytes"),
)  # fmt: skip


class SystemTables:
    """Schemas of the system tables and their present rows."""

    def __init__(self, *, catalog: Catalog, users: Users, topics: Topics, jobs: Jobs, options: Options) -> None:
        self._catalog = catalog
        self._users = users
        self._topics = topics
        self._jobs = jobs
        self._options = options
        self._started_ms = now_ms()
        # Rows of `system.live`, one mapping per live query; the WebSocket part puts its own function here.
        self.live_rows: Callable[[], Iterable[Mapping[str, object]]] = lambda: ()
        # Ends a live query by its id and says whether there was one; set like `live_rows`.
        self.kill_live: Callable[[str], bool] = lambda live_id: False
        self._stored = [table for table in stored_tables(self._started_ms) if table.namespace == "system"]
        self.schemas = {name: _schema(text) for name, text in _VIEWS.items()}
        self.schemas |= {
            t.name: pa.schema([column.field for column in t.columns]) for t in self._stored if t.name not in _ABSENT
        }
        if options.row_policies:
            self.schemas["table_policies"] = _schema(_POLICIES)
        # Open transactions by id; the requests that hold them put them here.
        self.transactions: dict[str, OpenTransaction] = {}
        self._makers: dict[str, Callable[[], Iterable[Row]]] = {
            "namespaces": self._namespaces,
            "tables": self._tables,
            "columns": self._columns,
            "schemas": self._schema_versions,
            "users": self._user_rows,
            "live": self._live,
            "topics": topics.rows,
            "topic_offsets": topics.offset_rows,
            "jobs": jobs.rows,
            "job_nodes": jobs.node_rows,
            "manifest": self._manifest,
            "storages": self._storages,
            "settings": self._settings,
            "stats": self._stats,
            "datatypes": type_rows,
            "transactions": self._transactions,
            "server_logs": self._server_logs,
            "cluster": self._cluster,
            "table_policies": self._policies,
            "cluster_groups": cluster.group_rows,
            "sessions": tuple,
            "describe": tuple,
        }

    def definition(self, name: tuple[str, str]) -> TableDef | None:
        """Return the definition of a stored system table, None for a view or an unknown name."""
        return next((one for one in self._stored if (one.namespace, one.name) == name), None)

    def info(self, table: str) -> TableInfo | None:
        """Return a stored system table as live queries see it, None for a view or an unknown name."""
        stored = self.definition(("system", table))
        if stored is None:
            return None
        return TableInfo("system", table, stored.kind, tuple(column.wire for column in stored.columns))

    def key(self, table: str) -> str:
        """Return the key column of a system table, an empty text for none."""
        return next((f.name for f in self.schemas[table] if b"pk" in f.metadata.get(b"kalam_column_flags", b"")), "")

    def rows(self, table: str) -> pa.RecordBatch:
        """Return the present rows of a system table."""
        schema = self.schemas[table]
        with self._catalog.lock:
            rows = list(self._makers[table]())
        columns: list[Sequence[object]] = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
        if table in _IN_MILLISECONDS and not self._options.mix_time_units:
            columns = [_times(cells, field) for cells, field in zip(columns, schema, strict=True)]
        arrays = [pa.array(cells, field.type) for cells, field in zip(columns, schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _definitions(self) -> list[TableDef]:
        tables = self._catalog.tables
        return [tables[name].definition for name in sorted(tables)]

    def _namespaces(self) -> Iterable[Row]:
        for name, namespace in sorted(self._catalog.namespaces.items()):
            yield name, name, namespace.created_ms, json.dumps(namespace.options, separators=(",", ":")), 0

    def _tables(self) -> Iterable[Row]:
        for table in sorted([*self._definitions(), *self._stored], key=lambda one: (one.namespace, one.name)):
            storage = "local" if table.kind in ("user", "shared") else None
            yield (
                table.namespace, table.name, table.kind, storage, table.version, options_json(table), table.comment,
                table.updated_ms * 1000, table.created_ms * 1000,
            )  # fmt: skip

    def _columns(self) -> Iterable[Row]:
        for table in self._definitions():
            for ordinal, column in enumerate(table.columns, 1):
                yield (
                    table.namespace, table.name, table.version, column.column_id, column.name, column.comment,
                    column.type.sql, column.default.debug if column.default else None, ordinal, column.nullable,
                    column.is_key, 1 if column.is_key else None,
                )  # fmt: skip

    def _schema_versions(self) -> Iterable[Row]:
        for name in sorted(self._catalog.tables):
            table = self._catalog.tables[name]
            for definition in [*table.history, table.definition]:
                yield schema_row(definition, is_latest=definition is table.definition)
        for stored in self._stored:
            yield schema_row(stored, is_latest=True)

    def _user_rows(self) -> Iterable[Row]:
        for user in self._users.all():
            locked = int(user.locked_until * 1000) if user.locked_until else None
            # The real server shows the hash itself; nobody should learn to rely on that.
            yield (
                user.user_id, "<bcrypt hash>", user.role, user.email, user.auth_type, None, "Table", "local",
                user.failed_logins, locked, user.last_login_ms, user.created_ms, user.updated_ms, None, user.deleted_ms,
            )  # fmt: skip

    def _live(self) -> Iterable[Row]:
        names = self.schemas["live"].names
        for row in self.live_rows():
            yield tuple(row.get(name) for name in names)

    def _storages(self) -> Iterable[Row]:
        yield (
            "local", "Local Filesystem", "Memory of the sandbox server", "filesystem", "", None, None,
            "{namespace}/{tableName}", "{namespace}/{tableName}/{userId}", self._started_ms, self._started_ms,
        )  # fmt: skip

    def _settings(self) -> Iterable[Row]:
        options = self._options
        yield "server.host", options.host, "Server bind address", "server"
        yield "server.port", str(options.port), "Server port number", "server"
        yield "limits.max_message_size", "1048576", "Maximum message size for REST API requests", "limits"
        yield (
            "limits.max_query_limit",
            str(options.max_query_limit),
            "Maximum rows returned in a single query",
            "limits",
        )
        yield "limits.default_query_limit", str(options.default_query_limit), "Default LIMIT for queries", "limits"
        yield (
            "datafusion.memory_limit", str(options.query_memory_bytes), "Memory limit for query execution in bytes",
            "datafusion",
        )  # fmt: skip
        for name, option, description in _RATE_LIMITS:
            yield f"rate_limit.{name}", str(getattr(options, option)), description, "rate_limit"

    def _manifest(self) -> Iterable[Row]:
        """Return one row for each table and owner that has written to it."""
        for (namespace, name), table in sorted(self._catalog.tables.items()):
            at = table.definition.updated_ms * 1000
            for owner, log in table.logs.items():
                scope = owner or "shared"
                segments = [{"row_count": log.flushed, "max_seq": log.flushed_seq}] if log.flushed else []
                told = {"table_id": f"{namespace}:{name}", "user_id": owner, "segments": segments}
                state = "pending_write" if log.unflushed else "in_sync"
                key = f"{namespace}:{name}:{scope}"
                yield key, namespace, name, scope, None, at, at, True, state, json.dumps(told, separators=(",", ":"))

    def _policies(self) -> Iterable[Row]:
        for (namespace, name), table in sorted(self._catalog.tables.items()):
            for policy in table.policies.values():
                at = f"{namespace}.{name}"
                told = json.dumps(policy.command), json.dumps(policy.roles)
                yield f"{at}.{policy.name}", at, policy.name, *told, policy.using, policy.check

    def _transactions(self) -> Iterable[Row]:
        for identity, one in list(self.transactions.items()):
            age = now_ms() - one.opened_ms
            yield identity, one.owner_id, "sql_batch", "open", age, 0, *one.written(), one.snapshot_seq

    def _server_logs(self) -> Iterable[Row]:
        at = datetime.fromtimestamp(self._started_ms / 1000, UTC).isoformat(timespec="milliseconds")
        yield (
            at.replace("+00:00", "Z"),
            "INFO",
            "main",
            "kalam_sandbox",
            None,
            "The sandbox server has started",
        )

    def _cluster(self) -> Iterable[Row]:
        address = f"{self._options.host}:{self._options.port}"
        yield cluster.node_row(address, (now_ms() - self._started_ms) // 1000, self._options.told_version)

    def _stats(self) -> Iterable[Row]:
        yield "total_users", str(len(self._users.all()))
        yield "total_namespaces", str(len(self._catalog.namespaces))
        yield "total_tables", str(len(self._catalog.tables))
        yield "total_live_queries", str(len(list(self.live_rows())))
        yield "server_uptime_seconds", str((now_ms() - self._started_ms) // 1000)


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction as `system.transactions` shows it; `written` counts writes, bytes and tables."""

    owner_id: str
    opened_ms: int
    snapshot_seq: int
    written: Callable[[], tuple[int, int, int]]


def _schema(text: str) -> pa.Schema:
    fields = []
    for part in text.split():
        name, kind, flag = [*part.split(":"), ""][:3]
        metadata = {"kalam_data_type": json.dumps(kind)}
        if flag != "?":
            metadata["kalam_column_flags"] = '["pk","nn","uq"]' if flag == "k" else '["nn"]'
        fields.append(pa.field(name, _ARROW[kind], flag == "?", metadata))
    return pa.schema(fields)


def _times(cells: Sequence[object], field: pa.Field) -> Sequence[object]:
    """Return milliseconds as microseconds; cells of other columns as they are."""
    if not pa.types.is_timestamp(field.type):
        return cells
    return [cell * 1000 if isinstance(cell, int) else None for cell in cells]


def options_json(table: TableDef) -> str:
    """Return a table's options as `system.tables` shows them."""
    if table.kind == "system":
        return _SYSTEM_OPTIONS
    options: dict[str, object] = {"table_type": table.kind.upper()}
    if table.kind == "stream":
        options |= {"ttl_seconds": table.ttl_seconds, "compression": "none"}
    else:
        options["storage_id"] = table.options.get("storage_id", "local")
        if table.kind == "user":
            options["use_user_storage"] = table.options.get("use_user_storage", False)
        elif table.access_level is not None:
            options["access_level"] = table.access_level
        options |= {"flush_policy": table.options.get("flush_policy"), "compression": "snappy"}
    return json.dumps(options, separators=(",", ":"))


def schema_row(table: TableDef, *, is_latest: bool) -> Row:
    """Return one version of a table as `system.schemas` shows it."""
    columns = [_column_json(column, place) for place, column in enumerate(table.columns, 1)]
    user_storage = bool(table.options.get("use_user_storage", False)) if table.kind == "user" else None
    return (
        f"{table.namespace}:{table.name}", table.name, table.namespace, table.kind, table.created_ms * 1000,
        table.version, json.dumps(columns, separators=(",", ":"), ensure_ascii=False), table.comment,
        table.updated_ms * 1000, options_json(table), table.access_level.lower() if table.access_level else None,
        is_latest, None if table.kind == "stream" else "local", user_storage,
    )  # fmt: skip


def _column_json(column: ColumnDef, ordinal: int) -> dict[str, object]:
    return {
        "column_id": column.column_id,
        "column_name": column.name,
        "column_comment": column.comment,
        "data_type": column.type.wire,
        "default_value": column.default.json if column.default else "None",
        "ordinal_position": ordinal,
        "is_nullable": column.nullable,
        "is_primary_key": column.is_key,
        "is_partition_key": False,
    }
