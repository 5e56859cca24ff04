"""Times of the server's own tables: some hold milliseconds under a type of microseconds (truth L30). Pure.

A query is written so that it reads those tables with their times put right: then what it filters, sorts and computes
by them is right as well. ``shown`` does the same to the rows of SHOW, which cannot be written otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kalam_notebook.reading.shown import LEAST_MICROSECONDS
from kalam_notebook.sql.statement import Statement, quote_name
from kalam_notebook.sql.tables import table_names
from kalam_notebook.sql.tokens import Token, UnreadableSQL
from kalam_notebook.wire.types import Column

__all__ = ["system_tables", "with_true_times"]

_NAMESPACE = "system"
#: Words behind a table that are no alias of it.
_NO_ALIAS = {
    "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "FETCH", "UNION", "INTERSECT", "EXCEPT", "WINDOW",
    "QUALIFY", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "ON", "USING", "TABLESAMPLE", "FOR",
}  # fmt: skip


def system_tables(sql: str) -> list[str]:
    """The tables of the server itself that a query reads, each once; none when they cannot be told."""
    try:
        names = table_names(sql)
    except UnreadableSQL:
        return []
    return list(dict.fromkeys(name.table for name in names if name.namespace == _NAMESPACE))


def with_true_times(sql: str, columns: Mapping[str, Sequence[Column]]) -> Statement:
    """Write a query so that the times of the server's own tables are what their type says.

    Args:
        sql: A single SELECT.
        columns: The columns of each table in ``system_tables``.
    """
    statement = Statement.of(sql)
    tokens = statement.tokens
    read_at = {name.start: name.table for name in table_names(sql) if name.namespace == _NAMESPACE}
    edits = []
    for index, token in enumerate(tokens):
        if token.start in read_at:
            end = index + 3
            table = read_at[token.start]
            source = _source(table, columns[table])
            alias = "" if _has_alias(tokens[end : end + 1]) else f" AS {quote_name(table)}"
            edits.append((token.start, tokens[end - 1].end, source + alias))
        elif _begins_column(tokens[index : index + 4], columns):
            # A sub-query has no namespace.
            edits.append((token.start, tokens[index + 2].start, ""))
    return statement.replaced(edits)


def _begins_column(tokens: Sequence[Token], tables: Mapping[str, object]) -> bool:
    """Whether this is ``system.users.`` of a column."""
    names, dots = tokens[::2], [token.text for token in tokens[1::2]]
    return dots == [".", "."] and names[0].identifier == _NAMESPACE and names[1].identifier in tables


def _source(table: str, columns: Sequence[Column]) -> str:
    return f"(SELECT {', '.join(map(_true_column, columns))} FROM {_NAMESPACE}.{quote_name(table)})"


def _true_column(column: Column) -> str:
    name = quote_name(column.name)
    if column.type_name not in {"Timestamp", "DateTime"}:
        return name
    ticks = f"arrow_cast({name}, 'Int64')"
    scaled = f"arrow_cast({ticks} * 1000, 'Timestamp(Microsecond, None)')"
    return f"CASE WHEN abs({ticks}) < {LEAST_MICROSECONDS} THEN {scaled} ELSE {name} END AS {name}"


def _has_alias(following: Sequence[Token]) -> bool:
    return any(token.identifier and token.word not in _NO_ALIAS for token in following)
