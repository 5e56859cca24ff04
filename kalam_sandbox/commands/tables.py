"""CREATE, ALTER and DROP TABLE, CREATE VIEW (protocol/sql.md#create-table, #alter-table, #views)."""

from __future__ import annotations

from dataclasses import replace

from kalam_sandbox.commands.context import Call
from kalam_sandbox.commands.names import check_name
from kalam_sandbox.errors import denied, execution, invalid_sql
from kalam_sandbox.options import Options
from kalam_sandbox.sql.classify import ADMINS
from kalam_sandbox.sql.statements import AlterTable, CreateTable, CreateView, DropTable
from kalam_sandbox.store.catalog import Name, Table, View, now_ms
from kalam_sandbox.store.schema import ColumnDef, TableDef, hidden_columns

_BAD_VIEW = "Invalid SQL: Failed to parse CREATE VIEW statement: "


def create_table(call: Call, statement: CreateTable) -> str:
    """Create a table and return the message.

    Raises:
        SqlFailed: The role, the name, the key or the namespace does not allow it, or the table exists.
    """
    namespace = statement.namespace or "default"
    kind = _kind(call, statement, namespace)
    if namespace in ("system", "information_schema"):
        raise execution(
            f"Invalid operation: Cannot create system table '{namespace}.{statement.name}'. System tables are managed "
            "internally."
        )
    if kind == "shared" and call.caller.role == "user":
        raise denied("Unauthorized: Insufficient privileges to create shared tables")
    _check_names(statement)
    needs_key = kind != "stream" and not call.server.options.optional_keys
    if needs_key and not any(column.is_key for column in statement.columns):
        raise execution(f"Invalid operation: {kind.title()} tables require a PRIMARY KEY column")
    if any(column.is_key and column.type.is_list for column in statement.columns):
        raise execution("Invalid operation: A list cannot be the PRIMARY KEY")
    storage = statement.options.get("storage_id", "local")
    if storage != "local":
        raise execution(f"Invalid operation: Storage '{storage}' does not exist")
    catalog = call.server.catalog
    with catalog.lock:
        if namespace not in catalog.namespaces:
            raise execution(
                f"Invalid operation: Namespace '{namespace}' does not exist. "
                f"Create it first with CREATE NAMESPACE {namespace}"
            )
        if (namespace, statement.name) not in catalog.tables:
            catalog.add_table(_definition(statement, namespace, kind, call.server.options))
        elif not statement.if_not_exists:
            raise execution(f"Already exists: Table {namespace}.{statement.name} already exists")
    return f"CREATE TABLE via Raft consensus: {kind} table {namespace}.{statement.name} created successfully"


def _kind(call: Call, statement: CreateTable, namespace: str) -> str:
    """Return the kind of table; ordinary users' own namespaces turn SHARED into USER."""
    own = call.caller.role in ("user", "service") and namespace == call.caller.user_id.lower()
    if own and statement.kind in (None, "shared"):
        return "user"
    return statement.kind or "shared"


def _check_names(statement: CreateTable) -> None:
    check_name(statement.name, before="Invalid operation: ", what="Table")
    for column in statement.columns:
        before = f"Invalid operation: Invalid column name '{column.name}': "
        check_name(column.name, before=before, what="Column")


def _definition(statement: CreateTable, namespace: str, kind: str, settings: Options) -> TableDef:
    now = now_ms()
    declared = [replace(column, column_id=place) for place, column in enumerate(statement.columns, 1)]
    hidden = hidden_columns(len(declared) + 1, kind, by_log=settings.log_versions)
    options = statement.options
    has_level = kind == "shared" and not settings.row_policies
    level = str(options.get("access_level", "Private")) if has_level else None
    ttl = options.get("ttl_seconds")
    return TableDef(
        namespace=namespace,
        name=statement.name,
        kind=kind,
        columns=(*declared, *hidden),
        options=options,
        access_level=level,
        ttl_seconds=ttl if isinstance(ttl, int) else None,
        created_ms=now,
        updated_ms=now,
    )


def drop_table(call: Call, statement: DropTable) -> str:
    """Drop a table and return the message.

    Raises:
        SqlFailed: The role does not allow it, or there is no such table.
    """
    if call.caller.role not in ADMINS:
        raise denied("Unauthorized: Insufficient privileges to drop this table")
    name = (statement.namespace or "default", statement.name)
    full_name = ".".join(name)
    _check_own(name, "drop")
    catalog = call.server.catalog
    with catalog.lock:
        if name not in catalog.tables:
            if statement.if_exists:
                return f"Table {full_name} does not exist (skipped)"
            raise not_found(name)
        catalog.drop_table(name)
    job = call.server.jobs.done("CL", "cleanup", {"table_id": ":".join(name)}, f"Cleaned up table {full_name}")
    return f"Table {full_name} dropped successfully. Cleanup job: {job.job_id}"


def _check_own(name: Name, doing: str) -> None:
    if name[0] == "system":
        raise execution(
            f"Invalid operation: Cannot {doing} system table '{'.'.join(name)}'. System tables are managed internally."
        )


def not_found(name: Name) -> Exception:
    """Return the failure of a command about a table that does not exist."""
    return execution(f"Not found: Table '{name[1]}' not found in namespace '{name[0]}'")


def create_view(call: Call, statement: CreateView) -> str:
    """Create a view and return the message; it lives in memory, and there is no DROP VIEW.

    Raises:
        SqlFailed: The name is taken.
    """
    name = (statement.namespace or "default", statement.name)
    catalog = call.server.catalog
    with catalog.lock:
        if name in catalog.tables or (name in catalog.views and not statement.or_replace):
            raise invalid_sql(f"{_BAD_VIEW}Execution error: Table '{'.'.join(name)}' already exists")
        query = statement.query
        if statement.columns:
            query = f"SELECT * FROM ({query}\n) AS view_query({', '.join(statement.columns)})"
        catalog.views[name] = View(*name, query)
        catalog.touch()
    return f"View {'.'.join(name)} created successfully"


def alter_table(call: Call, statement: AlterTable) -> str:
    """Change a table's definition and return the message; stored rows stay as they are.

    Raises:
        SqlFailed: The role, the table or a column does not allow it.
    """
    name = (statement.namespace or "default", statement.name)
    _check_own(name, "alter")
    catalog = call.server.catalog
    with catalog.lock:
        table = catalog.tables.get(name)
        if table is None:
            raise not_found(name)
        old = table.definition
        if old.kind == "shared" and call.caller.role == "user":
            raise denied("Unauthorized: Insufficient privileges to alter table")
        if statement.action in ("index", "drop_index"):
            return _vector_index(old, statement)
        new = _altered(old, statement)
        if new is None:
            return f"Table {old.full_name} unchanged: {statement.text} (version {old.version} - no changes needed)"
        if statement.action == "add":
            new = _with_birth(new, table, catalog.sequence.last)
        new = replace(new, version=old.version + 1, updated_ms=now_ms())
        table.redefine(new)
        catalog.touch()
    return f"Table {old.full_name} altered successfully: {statement.text} (version {new.version})"


def _vector_index(table: TableDef, change: AlterTable) -> str:
    """Return the message of CREATE or DROP INDEX; without `vector_search` nothing depends on one."""
    column = _existing(table, change.column or "", change.action)
    if column.type.name != "Embedding":
        raise execution(f"Invalid operation: Column '{column.name}' is not EMBEDDING")
    where = f"{table.full_name}.{column.name}"
    return (
        f"Vector index enabled on {where} ({change.argument})"
        if change.argument
        else f"Vector index disabled on {where}"
    )


def _with_birth(new: TableDef, table: Table, last_seq: int) -> TableDef:
    """Remember which rows have no value for the added column; one that was dropped before finds its values again."""
    added = new.columns[-1]
    if any(added.name in definition.by_name for definition in table.history):
        return new
    return replace(new, columns=(*new.columns[:-1], replace(added, added_after=last_seq)))


def _altered(table: TableDef, change: AlterTable) -> TableDef | None:
    """Return the new definition, None when nothing changes."""
    if change.action == "access":
        if table.kind != "shared":
            raise execution("Invalid operation: ACCESS LEVEL can only be set on SHARED tables")
        return replace(table, access_level=change.argument) if change.argument != table.access_level else None
    name = change.column or ""
    if change.action == "add":
        return _with_added(table, change, name)
    column = _existing(table, name, change.action)
    if change.action == "drop":
        if column.is_key:
            # The server says "altered successfully" and changes nothing (protocol/sql.md#alter-table).
            return table
        return replace(table, columns=tuple(c for c in table.columns if c.name != name))
    new = _changed_column(column, change)
    if new == column:
        return None
    return replace(table, columns=tuple(new if c.name == name else c for c in table.columns))


def _with_added(table: TableDef, change: AlterTable, name: str) -> TableDef:
    if name in table.hidden:
        raise execution(f"Invalid operation: Cannot add column '{name}': reserved system column name")
    if name in table.by_name:
        raise execution(f"Invalid operation: Column '{name}' already exists")
    assert change.definition is not None  # The parser gives one for ADD.
    number = max(column.column_id for column in table.columns) + 1
    return replace(table, columns=(*table.columns, replace(change.definition, column_id=number)))


def _existing(table: TableDef, name: str, action: str) -> ColumnDef:
    column = table.by_name.get(name)
    if column is None:
        raise execution(f"Invalid operation: Column '{name}' does not exist")
    if column.is_hidden:
        raise execution(f"Invalid operation: Cannot {action} column '{name}': system column cannot be modified")
    if column.is_key and action == "drop_not_null":
        raise execution(f"Invalid operation: Column '{name}' is a PRIMARY KEY and cannot be nullable")
    return column


def _changed_column(column: ColumnDef, change: AlterTable) -> ColumnDef:
    given = change.definition
    if change.action == "modify" and given is not None:
        return replace(column, type=given.type, nullable=given.nullable and not column.is_key)
    if change.action == "set_default" and given is not None:
        return replace(column, default=given.default)
    if change.action == "rename" and change.argument is not None:
        return replace(column, name=change.argument)
    if change.action == "drop_default":
        return replace(column, default=None)
    return replace(column, nullable=change.action == "drop_not_null")
