"""INSERT: which table is meant and which of the two paths it takes (protocol/sql.md#insert).

Rows of plain values are built by `insert_plain`, everything else is evaluated by `insert_evaluated`; committing is
the request's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kalam_sandbox.engine import access, row_rights
from kalam_sandbox.engine.coerce import Coercer
from kalam_sandbox.engine.conflicts import check_conflict, settle
from kalam_sandbox.engine.defaults import Defaults
from kalam_sandbox.engine.failures import engine_text
from kalam_sandbox.engine.insert_evaluated import EvaluatedRows, planned_insert
from kalam_sandbox.engine.insert_plain import PlainRows
from kalam_sandbox.engine.keys import check_inserted_key, has_generated_key
from kalam_sandbox.engine.parameters import Value, named_parameters
from kalam_sandbox.engine.select import Selector
from kalam_sandbox.errors import execution, invalid_sql
from kalam_sandbox.sql.conflicts import Clauses, split_clauses
from kalam_sandbox.sql.inserts import InsertText, Placeholder, read_insert
from kalam_sandbox.store.catalog import Catalog, Name
from kalam_sandbox.store.commit import Operation


@dataclass(frozen=True, slots=True)
class Prepared:
    """An INSERT ready to commit.

    Attributes:
        operation: Its rows.
        is_literal: Whether it went the literal path.
        update: Rows that ON CONFLICT changes, None without it.
        returning: Columns that RETURNING answers, None without it.
    """

    operation: Operation
    is_literal: bool
    update: Operation | None = None
    returning: tuple[str, ...] | None = None


class Inserter:
    """Prepare INSERT statements for one request."""

    def __init__(self, catalog: Catalog, selector: Selector) -> None:
        self._catalog = catalog
        self._selector = selector
        self._caller = selector.caller

    def prepare(self, sql: str, params: Sequence[Value], *, literal_path: bool) -> Prepared:
        """Return the rows that an INSERT adds.

        Args:
            sql: The statement.
            params: Values of ``$1 …``.
            literal_path: Whether plain rows go the literal path: false for a single INSERT in a transaction.

        Raises:
            SqlFailed: The statement is refused or fails.
        """
        options = self._selector.options
        clauses = self._clauses(sql)
        sql = clauses.sql
        text = read_insert(sql, rounds=options.round_literals)
        plain = text is not None and text.rows is not None and not text.has_expressions
        name = self._target(text, is_plain=plain and not params and literal_path) if text is not None else None
        if text is None or name is None:
            # The engine words the error: bad syntax, unknown table.
            planned_insert(self._selector, sql, named_parameters(params))
            raise engine_text("Error during planning: the sandbox does not understand this statement")
        definition = self._catalog.tables[name].definition
        self._selector.check_transaction(definition)
        if hidden := next((name for name in text.columns or () if name in definition.hidden), None):
            raise execution(f"Invalid operation: Column '{hidden}' does not exist")
        is_literal = literal_path and plain and not params and not text.has_placeholders
        access.check_write(self._caller, definition, before="" if is_literal else "Error during planning: ")
        for column in clauses.returning or ():
            if column != "*" and column not in definition.by_name:
                raise execution(f"Invalid operation: Schema error: No field named {column}.")
        if clauses.conflict is not None:
            check_conflict(clauses.conflict, definition, self._selector)
        coercer = Coercer(self._selector.session.context, rounds=options.round_literals)
        defaults = Defaults(
            coercer,
            user_id=self._caller.user_id,
            is_literal=is_literal,
            zero_embeddings=options.zero_left_out_embeddings,
        )
        if is_literal:
            rows = PlainRows(definition, coercer, defaults, options).literal(text)
        elif plain and text.columns and _has_all(text, params):
            rows = PlainRows(definition, coercer, defaults, options).with_parameters(text, params)
        else:
            rows = EvaluatedRows(definition, self._selector, coercer, defaults).build(sql, text, params)
        check_inserted_key(definition, text, is_literal=is_literal)
        row_rights.check_written(self._selector.session, self._caller, self._catalog.tables[name], rows, "insert")
        is_shared = definition.kind == "shared"
        update = None
        if clauses.conflict is not None:
            rows, changed = settle(rows, name, definition, clauses.conflict, self._selector, coercer, params)
            update = Operation("update", name, self._caller.user_id, changed, is_shared=is_shared)
        operation = Operation(
            "insert",
            name,
            self._caller.user_id,
            rows,
            is_shared=is_shared,
            checks_keys=is_literal or not has_generated_key(definition),
        )
        return Prepared(operation, is_literal, update, clauses.returning)

    def _clauses(self, sql: str) -> Clauses:
        """Take ON CONFLICT and RETURNING off a statement, where the server has them."""
        if not self._selector.options.on_conflict:
            return Clauses(sql)
        try:
            return split_clauses(sql)
        except SyntaxError as wrong:
            raise invalid_sql(f"Invalid SQL: {wrong.msg}") from None

    def _target(self, text: InsertText, *, is_plain: bool) -> Name | None:
        """Return the table meant; an unqualified literal INSERT prefers `default` (protocol/http.md#request)."""
        namespace = text.namespace
        if namespace == "system":
            raise execution(f"Invalid operation: Cannot insert system table 'system.{text.table}'")
        here = self._selector.namespace
        forgets = is_plain and self._selector.options.forget_namespaces
        places = [namespace] if namespace is not None else ["default", here] if forgets else [here]
        return next(((place, text.table) for place in places if (place, text.table) in self._catalog.tables), None)


def _has_all(text: InsertText, params: Sequence[Value]) -> bool:
    numbers = [item.number for row in text.rows or [] for item in row if isinstance(item, Placeholder)]
    return all(1 <= number <= len(params) for number in numbers)
