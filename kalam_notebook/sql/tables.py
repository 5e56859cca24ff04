"""Which tables a query reads, and which of their columns it names. Pure."""

from __future__ import annotations

from kalam_notebook.sql.statement import UnreadableSQL, quote_name, table_names, tokenize

__all__ = ["bound_table", "is_one_scan", "named_columns", "reads_system_tables", "scanned_tables"]

#: Namespaces of the server itself. Their tables have no row versions.
_OWN = {"system", "information_schema"}


def scanned_tables(sql: str) -> list[str] | None:
    """The tables that a query scans, each once, without the server's own; None when they cannot be told."""
    try:
        names = table_names(sql)
    except UnreadableSQL:
        return None
    found = {(name.namespace or "default", name.table): None for name in names}
    return [f"{quote_name(space)}.{quote_name(table)}" for space, table in found if space not in _OWN]


def is_one_scan(sql: str) -> bool:
    """Whether a query scans one table once, or none: several scans see several states (truth L29).

    A common table may be read more than once, and what cannot be told from the text may be, too.
    """
    try:
        count = len(table_names(sql))
        return count == 0 or (count == 1 and not any(token.word == "WITH" for token in tokenize(sql)))
    except UnreadableSQL:
        return False


def reads_system_tables(sql: str) -> bool:
    """Whether a query reads tables of the server itself, or may do so."""
    try:
        return any(name.namespace in _OWN for name in table_names(sql))
    except UnreadableSQL:
        return True


def bound_table(sql: str) -> tuple[str, str] | None:
    """The one table that a text reads, for binding FILE references; None when there are several or none."""
    try:
        names = {(name.namespace, name.table) for name in table_names(sql)}
    except UnreadableSQL:
        return None
    if len(names) != 1:
        return None
    namespace, table = names.pop()
    return (namespace or "default", table)


def named_columns(sql: str) -> tuple[set[str], bool]:
    """Every name that occurs in a query, and whether a ``*`` stands for columns in it."""
    tokens = tokenize(sql)
    stars = (i for i, token in enumerate(tokens) if token.text == "*")
    has_star = any(
        tokens[i - 1].word in {"SELECT", "ALL", "DISTINCT"} or tokens[i - 1].text in {",", "."} for i in stars if i
    )
    return {token.identifier for token in tokens} - {""}, has_star
