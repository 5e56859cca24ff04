"""What to type next when a statement names a table that does not exist. Pure; called by the client after an error."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from kalam_notebook.wire.sql import UnreadableSQL, table_names, tokenize

__all__ = ["table_hint"]


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
        creates = any(token.word == "CREATE" for token in tokenize(sql))
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
