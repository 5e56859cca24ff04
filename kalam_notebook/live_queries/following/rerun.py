"""Live queries of any shape: which tables they read, and by which columns the rows of two results are matched. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kalam_notebook.errors import SubscriptionError
from kalam_notebook.sql.shape import SET_OPERATIONS, shape_of, split_items, top_level, until
from kalam_notebook.sql.statement import Statement, quote_name
from kalam_notebook.sql.tables import SYSTEM_NAMESPACES, table_names
from kalam_notebook.sql.tokens import Kind, Token, UnreadableSQL
from kalam_notebook.wire.types import Column

__all__ = ["RerunQuery", "parse_rerun_query", "result_key"]

_AFTER_GROUP = {"HAVING", "WINDOW", "QUALIFY", "ORDER", "LIMIT", "OFFSET"}


@dataclass(frozen=True, slots=True)
class RerunQuery:
    """A query that is run again whenever one of its tables changes.

    Attributes:
        sql: The text, without a semicolon at its end.
        tables: The tables it reads, each once, as they can stand in SQL.
    """

    sql: Statement
    tables: tuple[str, ...]

    @property
    def table_name(self) -> str:
        """The tables, for people."""
        return ", ".join(self.tables)


def parse_rerun_query(sql: str) -> RerunQuery:
    """Take a query apart.

    Raises:
        SubscriptionError: The text is not a single SELECT or WITH over tables of the user.
    """
    shape = shape_of(sql)
    if shape is None or not shape.is_select:
        raise SubscriptionError("INVALID_SQL", "The text is not a single SELECT or WITH.", sql)

    missing = next((token.text for token in Statement.of(sql).tokens if token.kind is Kind.PARAMETER), None)
    if missing is not None:
        reason = f"There is no value for {missing}."
        raise SubscriptionError("INVALID_SQL", reason, sql, "Pass the values: params=[…].")

    try:
        names = table_names(sql)
    except UnreadableSQL as exc:
        raise SubscriptionError("INVALID_SQL", str(exc), sql) from None

    found: dict[str, None] = {}
    for name in names:
        if name.namespace is None:
            hint = "Write namespace.table, or pass namespace=…."
            raise SubscriptionError("INVALID_SQL", f"The table {name.table} has no namespace.", sql, hint)
        if name.namespace in SYSTEM_NAMESPACES:
            reason = f"The server sends no events for the system table {name.namespace}.{name.table}."
            raise SubscriptionError("UNSUPPORTED", reason, sql, "For a single answer use kalam.query(sql).")
        found[f"{quote_name(name.namespace)}.{quote_name(name.table)}"] = None

    if not found:
        hint = "For a single answer use kalam.query(sql)."
        raise SubscriptionError("UNSUPPORTED", "The query reads no table, so nothing can change.", sql, hint)
    return RerunQuery(shape.text, tuple(found))


def result_key(query: RerunQuery, columns: Sequence[Column]) -> tuple[str, ...]:
    """The columns by which the rows of two results are matched; empty for all their cells.

    These are the GROUP BY columns where the result has them, else the primary keys of all tables.

    Args:
        query: The query.
        columns: Columns of its result.
    """
    names = [column.name for column in columns]
    grouped = _group_by(query.sql.tokens, names)
    if grouped is not None:
        return grouped if all(names.count(name) == 1 for name in grouped) else ()
    keys = [column.name for column in columns if column.is_primary_key]
    is_whole = len(keys) == len(query.tables) and all(names.count(key) == 1 for key in keys)
    return tuple(keys) if is_whole else ()


def _group_by(tokens: Sequence[Token], names: Sequence[str]) -> tuple[str, ...] | None:
    """The columns of GROUP BY outside parentheses; empty when one is not in the result; None without GROUP BY."""
    top = list(top_level(tokens))
    words = [token.word for token in top]
    if "DISTINCT" in words or SET_OPERATIONS & set(words):
        return ()
    if "GROUP" not in words:
        return None

    items = split_items(until(top[words.index("GROUP") + 2 :], _AFTER_GROUP))
    found = [_name_of(item, names) for item in items]
    return tuple(name for name in found if name) if all(found) else ()


def _name_of(item: Sequence[Token], names: Sequence[str]) -> str:
    """The column of the result that a GROUP BY item stands for, or empty."""
    if len(item) == 1 and item[0].kind is Kind.NUMBER and item[0].text.isdigit():
        index = int(item[0].text) - 1
        return names[index] if 0 <= index < len(names) else ""
    is_name = bool(item) and all(token.identifier or token.text == "." for token in item)
    name = item[-1].identifier if is_name else ""
    return name if name in names else ""
