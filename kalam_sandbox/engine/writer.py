"""Writes of one request: preparing, committing at once or at COMMIT, and the transaction's own statements.

Rules: protocol/sql.md#insert, #update-delete, #transactions.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import pyarrow as pa

from kalam_sandbox.backend import Caller
from kalam_sandbox.engine.insert import Inserter, Prepared
from kalam_sandbox.engine.parameters import Value
from kalam_sandbox.engine.reader import Reader
from kalam_sandbox.engine.results import Message, written
from kalam_sandbox.engine.select import ArrowRows, Selector
from kalam_sandbox.engine.update import Changer
from kalam_sandbox.engine.wording import commit_failure, engine_constraint, literal_constraint
from kalam_sandbox.errors import execution
from kalam_sandbox.ids import uuid7
from kalam_sandbox.options import Options
from kalam_sandbox.sql import statements as s
from kalam_sandbox.store.catalog import Catalog
from kalam_sandbox.store.commit import Committer, ConstraintError, Operation


class Writer:
    """Carry out INSERT, UPDATE, DELETE, BEGIN, COMMIT and ROLLBACK of one request."""

    def __init__(self, catalog: Catalog, committer: Committer, reader: Reader, options: Options) -> None:
        self._catalog = catalog
        self._committer = committer
        self._reader = reader
        self._options = options

    def write(
        self, dml: s.Dml, selector: Selector, params: Sequence[Value], *, literal_path: bool
    ) -> Message | ArrowRows:
        """Carry out one INSERT, UPDATE or DELETE; the answer is rows where RETURNING asks for some.

        Raises:
            SqlFailed: The statement is refused or fails.
        """
        # Evaluating and committing belong together, so that no other write comes between.
        with self._catalog.lock:
            if dml.kind == "insert":
                prepared = Inserter(self._catalog, selector).prepare(dml.sql, params, literal_path=literal_path)
                operations = [one for one in (prepared.operation, prepared.update) if one is not None]
                rows = self._commit_or_stage(operations, is_literal=prepared.is_literal)
            else:
                prepared = None
                operations = [Changer(self._catalog, selector).prepare(dml.kind, dml.sql, params)]
                self._commit_or_stage(operations, is_literal=True)
        # Others go on while this one pays.
        cost = sum(scan.seconds(self._options) for scan in selector.scans)
        time.sleep(cost + sum(self._insert_seconds(operation) for operation in operations))
        if prepared is not None and prepared.returning is not None:
            return self._returned(prepared, rows)
        return written(dml.kind, sum(one.rows.num_rows for one in operations), selector.caller.user_id)

    def _returned(self, prepared: Prepared, rows: Sequence[pa.RecordBatch]) -> ArrowRows:
        """Return the columns that RETURNING names of the rows written."""
        definition = self._catalog.tables[prepared.operation.table].definition
        names: list[str] = []
        for name in prepared.returning or ():
            names += definition.schema.names if name == "*" else [name]
        schema = pa.schema([definition.schema.field(name) for name in names])
        return ArrowRows(schema, [batch.select(names) for batch in rows])

    def _insert_seconds(self, operation: Operation) -> float:
        """Return what an INSERT costs: some for each value, and more for each value beside it (truth L20)."""
        if operation.kind != "insert":
            return 0.0
        declared = self._catalog.tables[operation.table].definition.writable
        values = int(operation.rows.num_rows * len(declared))
        return (values * self._options.insert_value_ns + values**2 * self._options.insert_square_ns) / 1e9

    def _commit_or_stage(self, operations: Sequence[Operation], *, is_literal: bool) -> list[pa.RecordBatch]:
        """Write rows of one table at once, or keep them for COMMIT; return them as they are now."""
        kind = self._catalog.tables[operations[0].table].definition.kind
        # Rows of STREAM tables are written at once and stay after ROLLBACK (protocol/sql.md#tables).
        if self._reader.transaction is not None and kind != "stream":
            for operation in operations:
                self._reader.stage(operation, numbered=is_literal)
            return [operation.rows for operation in operations]
        written_ones = [operation for operation in operations if operation.rows.num_rows]
        if not written_ones:
            return []
        try:
            return [applied.new for applied in self._committer.commit(written_ones) if applied.new is not None]
        except ConstraintError as broken:
            text = (
                literal_constraint(f"{broken}")
                if is_literal
                else engine_constraint(f"{broken}", is_shared=kind == "shared")
            )
            raise execution(text) from None

    def begin(self, caller: Caller) -> Message:
        """Open a transaction.

        Raises:
            SqlFailed: One is open already.
        """
        if (open_one := self._reader.transaction) is not None:
            raise execution(
                f"Conflict: request owner 'sql-req-{uuid7()}' already has an active transaction "
                f"'{open_one.transaction_id}'"
            )
        return Message(f"Transaction started ({self._reader.begin().transaction_id})", caller.user_id)

    def end(self, caller: Caller, *, commit: bool) -> Message:
        """Commit or roll back the open transaction.

        Raises:
            SqlFailed: None is open, or a constraint is broken; then nothing was written.
        """
        open_one = self._reader.transaction
        if open_one is None:
            word = "COMMIT" if commit else "ROLLBACK"
            raise execution(f"Invalid operation: {word} requires an active explicit SQL transaction")
        self._reader.transaction = None
        identity = open_one.transaction_id
        if not commit:
            return Message(f"Transaction rolled back ({identity})", caller.user_id)
        is_shared = {operation.is_shared for operation in open_one.operations}
        if len(is_shared) > 1:
            raise execution(commit_failure("explicit transactions must remain within one data raft group", identity))
        try:
            self._committer.commit(open_one.operations)
        except ConstraintError as broken:
            text = engine_constraint(f"{broken}", is_shared=True in is_shared, transaction_id=identity)
            raise execution(text) from None
        return Message(f"Transaction committed ({identity})", caller.user_id)
