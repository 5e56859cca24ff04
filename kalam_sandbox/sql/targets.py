"""Which table an INSERT, UPDATE or DELETE writes, without reading the rest of it."""

from __future__ import annotations

from kalam_sandbox.sql.tokens import Cursor, UnterminatedError


def written_table(sql: str) -> tuple[str | None, str] | None:
    """Return namespace (None when unqualified) and table, both lower case; None when they cannot be read."""
    try:
        cursor = Cursor(sql)
        cursor.next()
        cursor.accept("OR", "REPLACE")
        cursor.accept("INTO") or cursor.accept("FROM")
        cursor.accept("TABLE")
        return cursor.qualified()
    except (SyntaxError, UnterminatedError):
        return None
