"""What to type next when a statement names what does not exist. Pure; called by the client after an error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tables import table_names
from kalam_notebook.sql.tokens import UnreadableSQL

__all__ = ["column_hint", "rights_hint", "table_hint"]

_RIGHTS = (
    "Tables are made and changed by the roles service, dba and system; up to KalamDB 0.4 a user may make some as well."
)

#: The server's words for an unknown column. Only advice depends on them.
_UNKNOWN_COLUMN = re.compile(r"No field named (?P<name>.+?)\. Valid fields are (?P<known>.+?)\.?$")


def column_hint(message: str) -> str:
    """Name the column that was probably meant.

    Args:
        message: The server's text; it lists the columns that there are.

    Returns:
        A question; empty when it is not about a column, or none is similar.
    """
    found = _UNKNOWN_COLUMN.search(message)
    if found is None:
        return ""
    columns = [name.rpartition(".")[2] for name in found["known"].split(", ")]
    plain = {column.strip('"').lower(): column for column in columns}
    name = found["name"].rpartition(".")[2].strip('"').lower()
    close = difflib.get_close_matches(name, plain, 1)
    return f"Did you mean {plain[close[0]]}?" if close else ""


def rights_hint(sql: str) -> str:
    """Say who may change tables, where a statement that does was refused; empty for any other."""
    statement = Statement.of(sql)
    words = {token.word for token in statement.tokens[:1]} if statement.is_readable else set()
    return _RIGHTS if words & {"CREATE", "ALTER", "DROP"} else ""


def table_hint(sql: str, known: Collection[tuple[str, str]]) -> str:
    """Name the first table of a statement that does not exist, and the one that was probably meant.

    Args:
        sql: The statement.
        known: Namespace and name of every table of the server.

    Returns:
        A sentence or two; empty when all tables exist or the text cannot be read.
    """
    try:
        names = table_names(sql)
        creates = any(token.word == "CREATE" for token in Statement.of(sql).tokens)
    except UnreadableSQL:
        return ""
    if creates:  # What it names need not exist.
        return ""
    everywhere = {table: f"{namespace}.{table}" for namespace, table in known}
    for name in names:
        namespace = name.namespace or "default"
        if (namespace, name.table) in known:
            continue
        full = f"{namespace}.{name.table}"
        close = difflib.get_close_matches(full, [f"{space}.{table}" for space, table in known], 1, 0.75)
        meant = close[0] if close else everywhere.get(name.table)
        advice = f" Did you mean {meant}?" if meant else ""
        return f"There is no table {full}.{advice} See the tables with: %kalam tables"
    return ""
