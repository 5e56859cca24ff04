"""Cutting a request into statements at `;` outside strings and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.sql.tokens import UnterminatedError, comment_end

# Everything that can hide a `;`, and the `;` itself; an opening quote alone has no end.
_BREAK = re.compile(
    r"""(?P<comment>--[^\n]*) | (?P<block>/\*) | '(?:[^']|'')*' | "(?:[^"]|"")*" | \$\$.*?\$\$
      | (?P<end>;) | (?P<open>['"])""",
    re.VERBOSE | re.DOTALL,
)


def split_statements(sql: str) -> list[str]:
    """Return the statements of a text, without empty ones; comments around them are cut off.

    A text with one statement, no inner `;` and no comment is not looked into, as on the server; broken quotes
    in it are the engine's business.

    Raises:
        SqlFailed: EMPTY_SQL for nothing but comments, BATCH_PARSE_ERROR for an unclosed string.
    """
    plain = sql.strip().rstrip(";").strip()
    if plain and ";" not in plain and "--" not in plain and "/*" not in plain:
        return [plain]
    try:
        statements = _split(sql)
    except UnterminatedError as broken:
        raise SqlFailed("BATCH_PARSE_ERROR", f"Failed to parse SQL batch: {broken}") from None
    if not statements:
        raise SqlFailed("EMPTY_SQL", "No SQL statements provided")
    return statements


def _split(sql: str) -> list[str]:
    statements: list[str] = []
    # Bounds of the present statement: from its first to its last character that is no comment.
    first: int | None = None
    last = start = 0
    for stop, following, ends in _breaks(sql):
        if sql[start:stop].strip():
            first = start + len(sql[start:stop]) - len(sql[start:stop].lstrip()) if first is None else first
            last = start + len(sql[start:stop].rstrip())
        start = following
        if ends and first is not None:
            statements.append(sql[first:last])
            first = None
    return statements


def _breaks(sql: str) -> Iterator[tuple[int, int, bool]]:
    """Yield where text stops at a comment, a `;` or the end, where it goes on, and whether a statement ends there."""
    place = 0
    while (found := _BREAK.search(sql, place)) is not None:
        place = found.end()
        if found["open"]:
            what = "string" if found["open"] == "'" else "identifier"
            raise UnterminatedError(f"Unterminated quoted {what} in SQL batch")
        if found["block"]:
            place = comment_end(sql, found.start())
        if found["comment"] or found["block"] or found["end"]:
            yield found.start(), place, bool(found["end"])
    yield len(sql), len(sql), True
