"""UPDATE and DELETE: DataFusion evaluates, the store applies (SQL reference, 6.7 and 6.8).

The server drops sub-queries and LIMIT from the condition (truth L25); so does this, by rewriting the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from datafusion import LogicalPlan

from kalam_notebook.sandbox.engine import access
from kalam_notebook.sandbox.engine.coerce import Coercer, CoercionError
from kalam_notebook.sandbox.engine.failures import engine_text
from kalam_notebook.sandbox.engine.insert_plain import unchecked_batch
from kalam_notebook.sandbox.engine.parameters import Value, named_parameters
from kalam_notebook.sandbox.engine.rewrite import rewrite
from kalam_notebook.sandbox.engine.select import Selector
from kalam_notebook.sandbox.engine.wording import literal_coercion
from kalam_notebook.sandbox.errors import execution
from kalam_notebook.sandbox.sql.tokens import PARAM, Cursor, Token, UnterminatedError
from kalam_notebook.sandbox.store.catalog import Catalog, Name
from kalam_notebook.sandbox.store.commit import Operation
from kalam_notebook.sandbox.store.schema import SYSTEM_COLUMNS, TableDef
from kalam_notebook.sandbox.store.versions import cast

# NOT NULL columns of these types must be set by every UPDATE (KalamDB SQL reference, section 6.7).
_FRAGILE = ("Decimal", "Time", "Bytes", "Uuid", "Embedding")


@dataclass(frozen=True, slots=True)
class _Parts:
    """An UPDATE or DELETE as far as rules need it.

    Attributes:
        sql: The statement with sub-queries dropped from its condition.
        assigned: Columns that SET names, in order.
        values: Parameter number per assigned column whose value is a bare ``$n``.
        is_identity: Whether every column is set to itself.
        has_where: Whether the statement as written has a condition.
        lost_condition: Whether nothing of the condition is left.
    """

    sql: str
    table: tuple[str | None, str]
    assigned: tuple[str, ...]
    values: dict[str, int]
    is_identity: bool
    has_where: bool
    lost_condition: bool


class Changer:
    """Prepare UPDATE and DELETE statements for one request."""

    def __init__(self, catalog: Catalog, selector: Selector) -> None:
        self._catalog = catalog
        self._selector = selector

    def prepare(self, kind: str, sql: str, params: Sequence[Value]) -> Operation:
        """Return the rows that an UPDATE or DELETE writes.

        Raises:
            SqlFailed: The statement is refused or fails.
        """
        parts = _read(kind, sql)
        name = self._target(parts, kind)
        text = rewrite(parts.sql if parts else sql, self._selector.caller)
        if name is not None and parts is not None:
            definition = self._catalog.tables[name].definition
            access.check_write(
                self._selector.caller,
                definition,
                before=f"{_operation(kind, definition)}Error during planning: ",
            )
            _check(kind, parts, definition)
            typed = self._parameters(parts, definition, params)
        else:
            typed = named_parameters(params)
        frame = self._selector.plan(text, typed, whole=True)
        if name is None or parts is None:
            raise engine_text("Error during planning: the sandbox does not understand this statement")
        self._check_condition(kind, frame.optimized_logical_plan().display_indent(), parts, definition)
        rows = self._evaluate(frame.logical_plan())
        if kind == "update":
            rows = self._changed(rows, name, parts, definition)
        is_shared = definition.kind == "shared"
        return Operation(kind, name, self._selector.caller.user_id, rows, is_shared=is_shared)

    def _target(self, parts: _Parts | None, kind: str) -> Name | None:
        if parts is None:
            return None
        namespace, table = parts.table
        if namespace == "system":
            raise execution(f"Invalid operation: Cannot {kind} system table 'system.{table}'")
        name = (namespace or self._selector.namespace, table)
        return name if name in self._catalog.tables else None

    def _parameters(self, parts: _Parts, definition: TableDef, params: Sequence[Value]) -> dict[str, object]:
        """Give parameters that are whole assigned values the type of their column."""
        typed = named_parameters(params)
        coercer = Coercer(self._selector.session.context)
        for column, number in parts.values.items():
            if column in definition.by_name and number <= len(params):
                try:
                    typed[str(number)] = coercer.column([params[number - 1]], definition.by_name[column])[0]
                except CoercionError as wrong:
                    raise execution(literal_coercion(f"{wrong}")) from None
        return typed

    def _check_condition(self, kind: str, optimized: str, parts: _Parts, definition: TableDef) -> None:
        """Refuse a statement whose condition says nothing: none, true, 1 = 1, IS NOT NULL on a NOT NULL column."""
        empty = "Filter:" not in optimized or "EmptyRelation" in optimized
        if not parts.has_where or (empty and not parts.lost_condition):
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
        while source.display().startswith("Limit:"):
            # DELETE … LIMIT 1 deletes all matches (truth L25).
            source = source.inputs()[0]
        return self._selector.session.evaluate(source)

    def _changed(self, rows: pa.RecordBatch, name: Name, parts: _Parts, definition: TableDef) -> pa.RecordBatch:
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
        key = definition.key
        assert key is not None  # STREAM tables refuse UPDATE, the others have a key.
        old = self._selector.reader.find(name, self._selector.caller.user_id, rows.column(key.name).to_pylist())
        new = _conformed(rows, definition)
        places = _differing(old, new, [c for c in parts.assigned if c not in SYSTEM_COLUMNS])
        return new.take(pa.array(places, pa.int64()))


def _conformed(rows: pa.RecordBatch, definition: TableDef) -> pa.RecordBatch:
    arrays = [cast(rows.column(column.name), column.type.arrow) for column in definition.columns]
    return unchecked_batch(arrays, definition)


def _differing(old: pa.RecordBatch, new: pa.RecordBatch, columns: Sequence[str]) -> list[int]:
    differs = [False] * new.num_rows
    for name in columns:
        before, after = old.column(name), new.column(name)
        if before.equals(after):
            continue
        for place, (left, right) in enumerate(zip(before.to_pylist(), after.to_pylist(), strict=True)):
            differs[place] = differs[place] or left != right
    return [place for place, different in enumerate(differs) if different]


def _operation(kind: str, definition: TableDef) -> str:
    return f"{kind.upper()} operation on table '{definition.full_name}'\ncaused by\n"


def _check(kind: str, parts: _Parts, definition: TableDef) -> None:
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


def _read(kind: str, sql: str) -> _Parts | None:
    try:
        cursor = Cursor(sql)
        cursor.next()
        cursor.accept("FROM")
        table = cursor.qualified()
        setting = _assignments(cursor) if kind == "update" else _Setting((), {}, is_identity=False)
        return _with_condition(cursor, table, setting)
    except (SyntaxError, UnterminatedError):
        return None


@dataclass(frozen=True, slots=True)
class _Setting:
    """The SET list: columns, bare parameters, and whether it changes nothing."""

    assigned: tuple[str, ...]
    values: dict[str, int]
    is_identity: bool


def _assignments(cursor: Cursor) -> _Setting:
    while not cursor.accept("SET"):
        cursor.next()
    assigned: list[str] = []
    values: dict[str, int] = {}
    is_identity = True
    while True:
        name = cursor.qualified()[1]
        cursor.expect("=")
        expression = _until(cursor, (",", "WHERE", "FROM", "LIMIT", "RETURNING"))
        assigned.append(name)
        if len(expression) == 1 and expression[0].kind == PARAM:
            values[name] = int(expression[0].text[1:])
        is_identity = is_identity and [token.text.lower() for token in expression] == [name]
        if not cursor.accept(","):
            return _Setting(tuple(assigned), values, is_identity)


def _until(cursor: Cursor, stops: Sequence[str]) -> list[Token]:
    found: list[Token] = []
    depth = 0
    while (token := cursor.peek()) is not None and (depth or token.upper not in stops):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        found.append(cursor.next())
    return found


def _with_condition(cursor: Cursor, table: tuple[str | None, str], setting: _Setting) -> _Parts:
    _until(cursor, ("WHERE",))
    where = cursor.peek()
    told = (table, setting.assigned, setting.values, setting.is_identity)
    if where is None:
        return _Parts(cursor.sql, *told, has_where=False, lost_condition=False)
    cursor.next()
    condition = _until(cursor, ("LIMIT", "RETURNING"))
    parts = _conjuncts(condition)
    kept = [part for part in parts if not any(token.upper == "SELECT" for token in part)]
    if len(kept) == len(parts):
        return _Parts(cursor.sql, *told, has_where=True, lost_condition=False)
    head = cursor.sql[: where.start]
    text = " AND ".join(cursor.sql[part[0].start : part[-1].end] for part in kept)
    sql = f"{head}WHERE {text}" if kept else head
    return _Parts(sql, *told, has_where=True, lost_condition=not kept)


def _conjuncts(tokens: list[Token]) -> list[list[Token]]:
    """Split a condition at its outermost ANDs; BETWEEN keeps its own, an outermost OR keeps all together."""
    parts: list[list[Token]] = [[]]
    depth, between = 0, False
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.upper == "OR":
            return [tokens]
        if depth == 0 and token.upper == "AND" and not between:
            parts.append([])
            continue
        between = (between or token.upper == "BETWEEN") and not (between and token.upper == "AND" and depth == 0)
        parts[-1].append(token)
    return [part for part in parts if part]
