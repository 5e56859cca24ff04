"""UPDATE and DELETE: DataFusion evaluates the rows, the store applies them (protocol/sql.md#update-delete)."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from datafusion import LogicalPlan

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.engine import access, row_rights
from kalam_sandbox.engine.coerce import Coercer, CoercionError
from kalam_sandbox.engine.failures import engine_text
from kalam_sandbox.engine.insert_evaluated import without_null_vectors
from kalam_sandbox.engine.insert_plain import check_parameter, unchecked_batch
from kalam_sandbox.engine.keys import check_changed_key, removes_rows
from kalam_sandbox.engine.parameters import Value, named_parameters
from kalam_sandbox.engine.rewrite import rewrite
from kalam_sandbox.engine.select import Selector
from kalam_sandbox.engine.wording import literal_constraint
from kalam_sandbox.errors import execution
from kalam_sandbox.sql.changes import ChangeText, read_change
from kalam_sandbox.store.catalog import Catalog, Name
from kalam_sandbox.store.commit import Operation
from kalam_sandbox.store.schema import TableDef
from kalam_sandbox.store.versions import cast

# NOT NULL columns of these types must be set by every UPDATE (protocol/sql.md#update-delete).
_FRAGILE = ("Decimal", "Time", "Bytes", "Uuid", "Embedding")


class Changer:
    """Prepare UPDATE and DELETE statements for one request."""

    def __init__(self, catalog: Catalog, selector: Selector) -> None:
        self._catalog = catalog
        self._selector = selector
        # Why a parameter does not fit its column, which the server finds out when there is a row to change.
        self._misfit: str | None = None

    def prepare(self, kind: str, sql: str, params: Sequence[Value]) -> Operation:
        """Return the rows that an UPDATE or DELETE writes.

        Raises:
            SqlFailed: The statement is refused or fails.
        """
        options = self._selector.options
        parts = read_change(kind, sql, keep_subqueries=not options.ignore_subqueries)
        name = self._target(parts, kind)
        text = rewrite(parts.sql if parts else sql, self._selector.caller, options)
        if name is not None and parts is not None:
            definition = self._catalog.tables[name].definition
            access.check_write(
                self._selector.caller,
                definition,
                before=f"{_operation(kind, definition)}Error during planning: ",
            )
            _check(kind, parts, definition)
            if parts.sets_subquery and options.ignore_subqueries:
                raise engine_text(
                    f"{_operation(kind, definition)}This feature is not implemented: Physical plan does not support "
                    "logical expression ScalarSubquery(<subquery>)"
                )
            typed = self._parameters(parts, definition, params)
        else:
            typed = named_parameters(params)
        self._selector.tables.command = kind
        frame = self._selector.plan(text, typed, whole=True)
        if name is None or parts is None:
            raise engine_text("Error during planning: the sandbox does not understand this statement")
        optimized = self._selector.session.optimized(frame)
        self._check_condition(kind, optimized.display_indent(), parts, definition)
        self._selector.note_scans(optimized)
        try:
            rows = self._evaluate(frame.logical_plan())
        except SqlFailed as failed:
            raise SqlFailed(failed.code, _behind_operation(failed.message, kind, definition)) from None
        if self._misfit is not None and rows.num_rows:
            raise execution(f"Execution error: {_operation(kind, definition)}Execution error: {self._misfit}")
        check_changed_key(kind, definition, rows, before=_operation(kind, definition))
        _check_identity(rows, definition)
        if kind == "delete" and definition.kind == "stream" and not removes_rows(definition):
            rows = rows.slice(0, 0)
        if kind == "update":
            rows = self._changed(rows, name, parts, definition)
            table = self._catalog.tables[name]
            row_rights.check_written(self._selector.session, self._selector.caller, table, rows, kind)
        is_shared = definition.kind == "shared"
        return Operation(kind, name, self._selector.caller.user_id, rows, is_shared=is_shared)

    def _target(self, parts: ChangeText | None, kind: str) -> Name | None:
        if parts is None:
            return None
        namespace, table = parts.table
        if namespace == "system":
            raise execution(f"Invalid operation: Cannot {kind} system table 'system.{table}'")
        name = (namespace or self._selector.namespace, table)
        return name if name in self._catalog.tables else None

    def _parameters(self, parts: ChangeText, definition: TableDef, params: Sequence[Value]) -> dict[str, object]:
        """Give parameters that are whole assigned values the type of their column."""
        typed = named_parameters(params)
        coercer = Coercer(self._selector.session.context)
        for column, number in parts.parameters.items():
            if column in definition.by_name and number <= len(params):
                check_parameter(params[number - 1], definition.by_name[column], self._selector.options)
                if params[number - 1] is None:
                    # The package cannot hand over a NULL vector.
                    typed[str(number)] = pa.scalar(None, pa.null())
                    continue
                try:
                    typed[str(number)] = coercer.column([params[number - 1]], definition.by_name[column])[0]
                except CoercionError as wrong:
                    self._misfit = f"{wrong}"
                    typed[str(number)] = pa.scalar(None, pa.null())
        return typed

    def _check_condition(self, kind: str, optimized: str, parts: ChangeText, definition: TableDef) -> None:
        """Refuse a statement whose condition says nothing: none, true, 1 = 1, IS NOT NULL on a NOT NULL column."""
        # A sub-query that is not ignored becomes a join, or an empty relation where it reads no table.
        is_filtered = "Filter:" in optimized or " Join:" in optimized
        empty = not is_filtered or ("EmptyRelation" in optimized and not parts.sets_subquery)
        # The server sees a condition in IN (NULL), which the engine here evaluates beforehand.
        is_told = parts.lost_condition or parts.has_single_list
        if not parts.has_where or (empty and not is_told):
            word = kind.upper()
            raise execution(
                f"Execution error: {_operation(kind, definition)}Error during planning: {word} requires a WHERE clause"
            )
        if parts.is_identity:
            raise execution(
                f"Execution error: {_operation(kind, definition)}Error during planning: "
                "UPDATE requires at least one assignment"
            )

    def _evaluate(self, logical: LogicalPlan) -> pa.RecordBatch:
        source = logical.inputs()[0]
        while source.display().startswith("Limit:") and self._selector.options.ignore_subqueries:
            # DELETE … LIMIT 1 deletes all matches (truth L25).
            source = source.inputs()[0]
        return self._selector.session.evaluate(source)

    def _changed(self, rows: pa.RecordBatch, name: Name, parts: ChangeText, definition: TableDef) -> pa.RecordBatch:
        """Keep the rows whose values differ from what is stored; only these are written and counted."""
        fragile = [
            column.name
            for column in definition.columns
            if not column.nullable and column.type.name in _FRAGILE and column.name not in parts.assigned
        ]
        if fragile and rows.num_rows:
            raise execution(
                "Execution error: Failed to build record batch: Invalid argument error: "
                f"Column '{fragile[0]}' is declared as non-nullable but contains null values"
            )
        old = self._selector.reader.find(name, self._selector.caller.user_id, rows)
        _check_missing(old, parts, definition)
        new = self._conformed(rows, parts, definition)
        places = differing(old, new, [c for c in parts.assigned if c not in definition.hidden])
        return new.take(pa.array(places, pa.int64()))

    def _conformed(self, rows: pa.RecordBatch, parts: ChangeText, definition: TableDef) -> pa.RecordBatch:
        """Return evaluated rows as they are stored."""
        arrays = []
        for column in definition.columns:
            array = cast(rows.column(column.name), column.type.arrow)
            is_set = column.name in parts.assigned and column.type.name == "Embedding"
            if is_set and self._selector.options.zero_left_out_embeddings:
                array = without_null_vectors(array, column)
            arrays.append(array)
        return unchecked_batch(arrays, definition)


def _check_identity(rows: pa.RecordBatch, definition: TableDef) -> None:
    """Refuse uncommitted rows of a table without keys, which all show version 0."""
    if definition.key is not None or definition.kind == "stream":
        return
    if 0 in rows.column(definition.version_column).to_pylist():
        raise execution("Execution error: the sandbox cannot change uncommitted rows of a table without primary key")


def _check_missing(old: pa.RecordBatch, parts: ChangeText, definition: TableDef) -> None:
    """Refuse rows that have no value for a NOT NULL column added later (protocol/sql.md#alter-table)."""
    seqs = old.column(definition.version_column).to_pylist()
    for column in definition.columns:
        # Uncommitted rows show 0 and have all columns.
        row = next((place for place, seq in enumerate(seqs, 1) if 0 < seq <= column.added_after), None)
        if row is not None and not column.nullable and column.name not in parts.assigned:
            raise execution(
                literal_constraint(
                    "Constraint violation: Execution error: NOT NULL constraint violation: "
                    f"column '{column.name}' is missing in row {row}"
                )
            )


def differing(old: pa.RecordBatch, new: pa.RecordBatch, columns: Sequence[str]) -> list[int]:
    """Return where rows differ in any of some columns."""
    differs = [False] * new.num_rows
    for name in columns:
        before, after = old.column(name), new.column(name)
        if before.equals(after):
            continue
        # Arrow's own values, since Python has no time of day beyond 24 hours and no year 10000.
        for place, (left, right) in enumerate(zip(before, after, strict=True)):
            differs[place] = differs[place] or not left.equals(right)
    return [place for place, different in enumerate(differs) if different]


def _operation(kind: str, definition: TableDef) -> str:
    return f"{kind.upper()} operation on table '{definition.full_name}'\ncaused by\n"


def _behind_operation(message: str, kind: str, definition: TableDef) -> str:
    """Return how a failure of the engine is told that comes while rows are being looked for."""
    return message.replace("Execution error: ", f"Execution error: {_operation(kind, definition)}", 1)


def _check(kind: str, parts: ChangeText, definition: TableDef) -> None:
    if kind == "delete":
        return
    if definition.kind == "stream":
        raise execution("Invalid operation: UPDATE not supported for STREAM tables")
    key = definition.key
    if key is not None and key.name in parts.assigned:
        raise execution(
            f"Already exists: {_operation(kind, definition)}Error during planning: "
            f"UPDATE cannot modify primary key column '{key.name}'"
        )
