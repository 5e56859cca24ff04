"""Writing: constraint checks, row versions, and the changes that listeners hear about.

An operation is prepared by the engine as complete rows of the declared columns; here it is applied to a log, either
at once or, inside a transaction, first to a private copy and at COMMIT to the table itself.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from kalam_sandbox.store.catalog import Catalog, Name, Table, now_ms
from kalam_sandbox.store.schema import DELETED, INGESTED, TableDef
from kalam_sandbox.store.versions import VersionLog


@dataclass(frozen=True, slots=True)
class Operation:
    """One INSERT, UPDATE or DELETE, ready to be applied.

    Attributes:
        kind: ``insert``, ``update`` or ``delete``.
        table: Which table.
        user_id: Whose rows.
        rows: Complete new rows for an insert or update; for a delete the rows to remove. Hidden columns
            in them do not matter, except that a STREAM delete finds its rows by key.
        is_shared: Whether the table is SHARED; one transaction may not write both SHARED and other tables.
        checks_keys: Whether an inserted key may not exist yet; else the new row replaces the old one.
    """

    kind: str
    table: Name
    user_id: str
    rows: pa.RecordBatch
    is_shared: bool = False
    checks_keys: bool = True


@dataclass(frozen=True, slots=True)
class Applied:
    """What one operation did to a log: row versions before and after, in equal order."""

    kind: str
    definition: TableDef
    owner: str | None
    old: pa.RecordBatch | None
    new: pa.RecordBatch | None


class ConstraintError(Exception):
    """A row breaks the primary key or a NOT NULL column; the text is the server's own."""


Listener = Callable[[Sequence[Applied]], None]


class Committer:
    """Apply operations to tables and tell listeners, one commit at a time.

    Args:
        catalog: The tables.
        most_rows: Row versions that one commit may write, 0 for any number.
    """

    def __init__(self, catalog: Catalog, *, most_rows: int = 0) -> None:
        self._catalog = catalog
        self._most_rows = most_rows
        self.listeners: list[Listener] = []

    def commit(self, operations: Sequence[Operation]) -> list[Applied]:
        """Apply operations, all or none, tell the listeners, and return what was done.

        Raises:
            ConstraintError: A row breaks a constraint; nothing was applied.
        """
        rows = sum(operation.rows.num_rows for operation in operations)
        if 0 < self._most_rows < rows:
            raise ConstraintError(
                f"Invalid operation: a transaction can write at most {self._most_rows} row versions, not {rows}"
            )
        with self._catalog.lock:
            if len(operations) > 1:
                self._rehearse(operations)
            self._catalog.sequence.begin()
            applied = [self._apply(operation) for operation in operations]
            # One message per row version, grouped by table in the order of first use (protocol/live.md#changes).
            order = {name: place for place, name in enumerate(dict.fromkeys(op.table for op in operations))}
            applied.sort(key=lambda item: order[item.definition.namespace, item.definition.name])
            for listener in self.listeners:
                listener(applied)
        return applied

    def _apply(self, operation: Operation) -> Applied:
        table = self._table(operation)
        log = table.log(operation.user_id)
        is_stream = table.definition.kind == "stream"
        numbers = self._catalog.stream_sequence if is_stream else self._catalog.sequence
        return apply(operation, table, log, numbers.next)

    def _table(self, operation: Operation) -> Table:
        table = self._catalog.tables.get(operation.table)
        if table is None:
            raise ConstraintError(f"Not found: Table '{operation.table[1]}' was dropped before COMMIT")
        return table

    def _rehearse(self, operations: Sequence[Operation]) -> None:
        """Apply to copies first, so that a failing operation leaves nothing behind."""
        copies: dict[tuple[Name, str], VersionLog] = {}
        for operation in operations:
            table = self._table(operation)
            place = (operation.table, operation.user_id)
            if place not in copies:
                log = table.log(operation.user_id)
                copies[place] = log.fork(max(log.last_seq, self._catalog.sequence.last))
            apply(operation, table, copies[place], self._catalog.sequence.next)


def apply(
    operation: Operation, table: Table, log: VersionLog, next_seq: Callable[[int], int], *, staged: bool = False
) -> Applied:
    """Apply one operation to a log.

    Args:
        operation: What to do.
        table: Definition and kind.
        log: Where to do it: the table's log, or a copy of it.
        next_seq: Hands out consecutive versions.
        staged: Whether new rows show version 0, as uncommitted ones do.

    Raises:
        ConstraintError: A row breaks a constraint; the log is unchanged.
    """
    definition = table.definition
    owner = table.owner_of(operation.user_id)
    if operation.kind == "delete" and definition.kind == "stream":
        return _remove(operation, definition, owner, log)
    keys = _keys(operation.rows, log)
    # Uncommitted writes are checked at COMMIT (protocol/sql.md#transactions).
    if operation.kind != "delete" and not staged:
        check_not_null(operation.rows, definition)
    if operation.kind == "insert" and log.key and operation.checks_keys and not staged:
        _check_keys(keys, log, definition)
    found = log.locate(operation.rows) if operation.kind != "insert" else []
    kept = [place for place, row in enumerate(found) if row is not None]
    rows = operation.rows
    if found and len(kept) < len(found):
        rows, keys = rows.take(pa.array(kept, pa.int64())), [keys[i] for i in kept if log.key]
    living = [row for row in found if row is not None]
    old = log.take(living) if found else None
    new = _stamped(rows, definition, next_seq(rows.num_rows), deleted=operation.kind == "delete")
    if rows.num_rows and staged:
        log.stage(_with_version_zero(new, log.version), keys if log.key else (), new.column(log.version).to_pylist())
    elif rows.num_rows:
        log.append(new, keys if log.key else ())
    if living and not log.key:
        log.end(living, new.column(log.version).to_pylist())
    return Applied(operation.kind, definition, owner, old, new)


def check_not_null(rows: pa.RecordBatch, definition: TableDef) -> None:
    """Refuse NULL in a NOT NULL column.

    Raises:
        ConstraintError: Names the column and the first row, counted from 1.
    """
    for column in definition.writable:
        cells = rows.column(column.name)
        if not column.nullable and cells.null_count:
            row = cells.is_valid().to_pylist().index(False) + 1
            raise ConstraintError(
                "Constraint violation: Execution error: NOT NULL constraint violation: "
                f"column '{column.name}' cannot be NULL (row {row})"
            )


def _check_keys(keys: Sequence[object], log: VersionLog, definition: TableDef) -> None:
    key = definition.key
    assert key is not None  # Only keyed logs come here.
    for value in keys:
        # A deleted key in a file is taken still, though no SELECT shows it (protocol/sql.md#flush).
        if value in log.filed or log.find(value) is not None:
            raise ConstraintError(
                f"Already exists: Primary key violation: value '{key_text(value)}' already exists in column "
                f"'{key.name}'"
            )
    if len(set(keys)) < len(keys):
        twice = Counter(keys).most_common(1)[0][0]
        raise ConstraintError(
            f"Already exists: Primary key violation: value '{key_text(twice)}' appears multiple times in the insert "
            f"batch for column '{key.name}'"
        )


def key_text(value: object) -> str:
    """Return a key as the server writes it.

    >>> key_text(True), key_text(1.0), key_text(uuid.UUID(int=1).bytes)
    ('true', '1', '00000000-0000-0000-0000-000000000001')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return str(uuid.UUID(bytes=value))
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _remove(operation: Operation, definition: TableDef, owner: str | None, log: VersionLog) -> Applied:
    """Delete from a STREAM table: all rows with the same key value vanish, without a key none does."""
    key = definition.key
    rows = log.rows_where(key.name, operation.rows.column(key.name).to_pylist()) if key else []
    old = log.take(rows)
    log.remove(rows)
    return Applied("delete", definition, owner, old, None)


def _keys(rows: pa.RecordBatch, log: VersionLog) -> list[object]:
    return rows.column(log.key).to_pylist() if log.key else []


def _stamped(rows: pa.RecordBatch, definition: TableDef, first_seq: int, *, deleted: bool) -> pa.RecordBatch:
    count = rows.num_rows
    hidden = {
        definition.version_column: pa.array(range(first_seq, first_seq + count), pa.int64()),
        DELETED: pa.array([deleted] * count, pa.bool_()),
        INGESTED: pa.array([now_ms()] * count, pa.int64()),
    }
    arrays = [hidden[c.name] if c.is_hidden else rows.column(c.name) for c in definition.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=definition.schema)


def _with_version_zero(rows: pa.RecordBatch, version: str) -> pa.RecordBatch:
    place = rows.schema.get_field_index(version)
    return rows.set_column(place, rows.schema.field(place), pa.array([0] * rows.num_rows, pa.int64()))
