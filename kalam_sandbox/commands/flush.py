"""STORAGE FLUSH: moving rows out of the hot part, with what that does to them (protocol/sql.md#flush).

The flush happens at once, while the server's job needs a moment; the job is listed as completed.
"""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from kalam_sandbox.commands.context import Call
from kalam_sandbox.engine.wording import debug_bytes
from kalam_sandbox.errors import execution
from kalam_sandbox.options import Options
from kalam_sandbox.sql.statements import Flush
from kalam_sandbox.store.catalog import Table
from kalam_sandbox.store.schema import TableDef
from kalam_sandbox.store.versions import ConversionError, VersionLog, Window


def flush(call: Call, statement: Flush) -> str:
    """Flush one table or all and return the message.

    Raises:
        SqlFailed: There is no such table, or it is a STREAM table.
    """
    catalog = call.server.catalog
    with catalog.lock:
        if statement.name is None:
            return _flush_all(call, statement.namespace or "default")
        name = (statement.namespace or "default", statement.name)
        table = catalog.tables.get(name)
        if table is None:
            raise execution(f"Not found: Table {'.'.join(name)} not found")
        if table.definition.kind == "stream":
            raise execution("Invalid operation: Cannot flush STREAM tables")
        if not _pending(table):
            return f"Storage flush skipped: no pending writes for table '{table.definition.full_name}'"
        return f"Storage flush started for table '{'.'.join(name)}'. Job ID: {_flush_table(call, table)}"


def _flush_all(call: Call, namespace: str) -> str:
    tables = [
        table
        for name, table in sorted(call.server.catalog.tables.items())
        if name[0] == namespace and table.definition.kind != "stream" and _pending(table)
    ]
    if not tables:
        return f"Storage flush skipped: no pending writes in namespace '{namespace}'"
    jobs = ", ".join(_flush_table(call, table) for table in tables)
    return f"Storage flush started for {len(tables)} table(s) in namespace '{namespace}'. Job IDs: [{jobs}]"


def _pending(table: Table) -> bool:
    return any(log.unflushed for log in table.logs.values())


def _flush_table(call: Call, table: Table) -> str:
    for owner, log in table.logs.items():
        if log.unflushed:
            # Values that cannot be read as the column's present type cannot be written to a file either.
            with suppress(ConversionError):
                table.logs[owner] = flushed(log, table.definition, call.server.options)
    definition = table.definition
    name = f"{definition.namespace}:{definition.name}"
    return call.server.jobs.done("FL", "flush", {"table_id": name}, f"Flushed {definition.full_name}").job_id


def flushed(log: VersionLog, definition: TableDef, options: Options) -> VersionLog:
    """Return the log after a flush: without tombstones, bytes spoilt; vectors are hidden by the reader (truth L24).

    Files are only ever added to. So a row that was flushed before it was deleted is in them still, and the next flush
    that writes any row makes it visible again (truth L27).
    """
    copy = VersionLog(definition.schema, log.key, log.version)
    living = pa.Table.from_batches(log.scan(Window()), definition.schema)
    is_new = pc.greater(living.column(log.version), log.flushed_seq)
    new, old, buried = living.filter(is_new), living.filter(pc.invert(is_new)), pa.table(log.buried())
    if options.spoil_flushed_columns:
        new = _spoilt(new, definition)
    rows = pa.concat_tables([old, new, buried]).sort_by(log.version).combine_chunks().to_batches()
    for batch in rows:
        copy.append(batch, _keys(batch, log))
    if not new.num_rows:
        copy.hide(_keys(buried, log))
    copy.flushed = len(copy)
    if options.return_deleted_rows:
        copy.filed = frozenset(key for batch in rows for key in _keys(batch, log))
    return copy


def _keys(rows: pa.RecordBatch | pa.Table, log: VersionLog) -> list[object]:
    return list(rows.column(log.key).to_pylist()) if log.key else []


def _spoilt(rows: pa.Table, definition: TableDef) -> pa.Table:
    arrays = []
    for column in definition.columns:
        cells = rows.column(column.name)
        if column.type.name == "Bytes":
            cells = pa.array([debug_bytes(value) for value in cells.to_pylist()], pa.binary())
        arrays.append(cells)
    return pa.Table.from_arrays(arrays, schema=definition.schema)
