"""What one caller sees of the tables at one moment.

The newest rows, or inside a transaction its snapshot with its own writes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from kalam_sandbox.ids import EPOCH_MS, uuid7
from kalam_sandbox.store.catalog import Catalog, Name, Table, now_ms
from kalam_sandbox.store.commit import Operation, apply
from kalam_sandbox.store.schema import INGESTED, TableDef
from kalam_sandbox.store.versions import VersionLog, Window

# A scan hands out this many pieces, or few more; slicing copies nothing.
_SLICES = 16


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the tables at one moment.

    Attributes:
        upto: Greatest version in it.
        logs: Logs as they were then, so that a flush or drop does not reach it.
    """

    upto: int
    logs: dict[tuple[Name, str | None], VersionLog]


@dataclass(slots=True)
class Transaction:
    """An open BEGIN: its snapshots, and writes that nobody else sees yet.

    Attributes:
        begun_at: Greatest version at BEGIN.
        transaction_id: UUID told in the answers.
        snapshots: What it reads, by group of data: one for all from BEGIN on, or each from its first access on.
        staged: Private copies of the logs written so far.
        operations: What COMMIT will apply, in order.
        unnumbered: Tables with rows of a single INSERT, whose version cannot be read.
    """

    begun_at: int
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    transaction_id: str = field(default_factory=uuid7)
    staged: dict[tuple[Name, str], VersionLog] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    unnumbered: set[Name] = field(default_factory=set)

    def written(self) -> tuple[int, int, int]:
        """Return how many rows, bytes and tables the transaction has written so far."""
        rows = [operation.rows for operation in self.operations]
        tables = {operation.table for operation in self.operations}
        return sum(batch.num_rows for batch in rows), sum(batch.nbytes for batch in rows), len(tables)


@dataclass(frozen=True, slots=True)
class Filling:
    """What a scan wants of a table.

    Attributes:
        tombstones: Whether deleted rows are wanted, too.
        after: Only versions after this one are wanted.
        whole: Whether the scan window does not apply.
        vectors: Whether flushed vectors are read, as by a look-up of a key; other scans read NULL (truth L24).
    """

    tombstones: bool = False
    after: int | None = None
    whole: bool = False
    vectors: bool = False


class Reader:
    """Rows as one request sees them."""

    def __init__(
        self, catalog: Catalog, *, scan_window: int, hides_vectors: bool = True, snapshot_at_access: bool = False
    ) -> None:
        self._catalog = catalog
        self._snapshot_at_access = snapshot_at_access
        self._scan_window = scan_window
        self._hides_vectors = hides_vectors
        self.transaction: Transaction | None = None

    def begin(self) -> Transaction:
        """Open a transaction with the present state as its snapshot, unless that is that of the first access."""
        self.transaction = Transaction(self._catalog.sequence.last)
        if not self._snapshot_at_access:
            self._snapshot(self.transaction, "")
        return self.transaction

    def _snapshot(self, transaction: Transaction, group: str) -> Snapshot:
        """The state of a group of data that a transaction reads: USER tables are one, SHARED tables another."""
        if not self._snapshot_at_access:
            group = ""
        if group not in transaction.snapshots:
            with self._catalog.lock:
                logs = {(name, owner): log for name, t in self._catalog.tables.items() for owner, log in t.logs.items()}
                transaction.snapshots[group] = Snapshot(self._catalog.sequence.last, logs)
        return transaction.snapshots[group]

    def stage(self, operation: Operation, *, numbered: bool) -> None:
        """Keep a write for COMMIT and show it to this transaction's reads.

        Args:
            operation: The write.
            numbered: Whether the version of its rows reads as 0; the engine path leaves it NULL, which cannot be read.
        """
        assert self.transaction is not None
        if not numbered:
            self.transaction.unnumbered.add(operation.table)
        with self._catalog.lock:
            table = self._catalog.tables[operation.table]
            place = (operation.table, operation.user_id)
            if place not in self.transaction.staged:
                source = self._log(operation.table, table, operation.user_id)
                snapshot = self._snapshot(self.transaction, table.definition.kind)
                self.transaction.staged[place] = source.fork(snapshot.upto)
            log = self.transaction.staged[place]
            apply(operation, table, log, self._catalog.sequence.next, staged=True)
        self.transaction.operations.append(operation)

    def is_beyond_window(self, name: Name, user_id: str) -> bool:
        """Say whether a table has more unflushed versions than a scan reads (truth L3)."""
        table = self._catalog.tables[name]
        return self._log(name, table, user_id).unflushed > self._scan_window > 0

    def versions(self, name: Name, user_id: str, after: int | None) -> tuple[int, int]:
        """Return how many unflushed versions and flushed rows a scan goes through.

        Args:
            name: Which table.
            user_id: Whose rows.
            after: Only unflushed versions after this one; files are read whole all the same.
        """
        with self._catalog.lock:
            log = self._log(name, self._catalog.tables[name], user_id)
            unflushed = log.unflushed if after is None else log.unflushed_after(after)
            return min(unflushed, self._scan_window or unflushed), log.flushed

    def scan(self, name: Name, user_id: str, filling: Filling) -> list[pa.RecordBatch]:
        """Return the rows of a table that `user_id` sees; `user_id` matters for USER and STREAM tables."""
        with self._catalog.lock:
            table = self._catalog.tables[name]
            log = self._log(name, table, user_id)
            staged = self.transaction is not None and (name, user_id) in self.transaction.staged
            upto = None
            if self.transaction is not None and not staged:
                upto = self._snapshot(self.transaction, table.definition.kind).upto
            limit = None if filling.whole or not self._scan_window else self._scan_window
            after = _alive_after(table.definition, log, filling.after)
            batches = log.scan(Window(upto=upto, after=after, limit=limit, tombstones=filling.tombstones))
            if not filling.vectors and self._has_hidden_vectors(table.definition, log):
                batches = [_without_vectors(batch, table.definition, log.flushed_seq) for batch in batches]
            return _in_no_order(batches)

    def has_hidden_vectors(self, name: Name, user_id: str) -> bool:
        """Say whether a plain scan reads NULL for vectors of this table."""
        table = self._catalog.tables[name]
        return self._has_hidden_vectors(table.definition, self._log(name, table, user_id))

    def _has_hidden_vectors(self, definition: TableDef, log: VersionLog) -> bool:
        return self._hides_vectors and log.flushed > 0 and bool(_vectors(definition))

    def find(self, name: Name, user_id: str, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return these rows as they are now, in their order; missing ones are left out."""
        with self._catalog.lock:
            log = self._log(name, self._catalog.tables[name], user_id)
            return log.take([row for row in log.locate(rows) if row is not None])

    def _log(self, name: Name, table: Table, user_id: str) -> VersionLog:
        if self.transaction is None:
            return table.log(user_id)
        staged = self.transaction.staged.get((name, user_id))
        if staged is not None:
            return staged
        log = self._snapshot(self.transaction, table.definition.kind).logs.get((name, table.owner_of(user_id)))
        return log if log is not None else table.new_log()


def _vectors(definition: TableDef) -> list[str]:
    return [column.name for column in definition.columns if column.type.name == "Embedding"]


def _without_vectors(batch: pa.RecordBatch, definition: TableDef, flushed_seq: int) -> pa.RecordBatch:
    """Return rows with NULL for the vectors of flushed ones."""
    is_hot = pc.greater(batch.column(definition.version_column), flushed_seq)
    for name in _vectors(definition):
        place = batch.schema.get_field_index(name)
        # Arrow cannot choose between vectors and NULL by a mask.
        pairs = zip(batch.column(place).to_pylist(), is_hot.to_pylist(), strict=True)
        cells = pa.array([vector if hot else None for vector, hot in pairs], batch.column(place).type)
        batch = batch.set_column(place, batch.schema.field(place), cells)
    return batch


def _in_no_order(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Return the rows in an order of this scan alone: pages without ORDER BY repeat and miss rows (truth L4)."""
    size = max(1, sum(batch.num_rows for batch in batches) // _SLICES)
    slices = [batch.slice(start, size) for batch in batches for start in range(0, batch.num_rows, size)]
    random.shuffle(slices)
    return slices


def _alive_after(definition: TableDef, log: VersionLog, after: int | None) -> int | None:
    """Return the bound below which rows of a STREAM table have outlived their time."""
    if definition.ttl_seconds is None:
        return after
    oldest_ms = now_ms() - definition.ttl_seconds * 1000
    # Either there is a time beside the version, or in it.
    has_time = INGESTED in definition.hidden
    oldest = log.last_before(INGESTED, oldest_ms) if has_time else (oldest_ms - EPOCH_MS) << 22
    return oldest if after is None else max(after, oldest)
