"""Cutting a request into statements at `;` outside strings and comments."""

from __future__ import annotations

from kalam_notebook.sandbox.backend import SqlFailed
from kalam_notebook.sandbox.sql.tokens import UnterminatedError, tokenize


def split_statements(sql: str) -> list[str]:
    """Return the statements of a text, without empty ones, comments kept inside them.

    A text with one statement, no inner `;` and no comment skips the tokenizer, as the server does; broken quotes
    in it are the engine's business.

    Raises:
        SqlFailed: EMPTY_SQL for nothing but comments, BATCH_PARSE_ERROR for an unclosed string.
    """
    plain = sql.strip().rstrip(";").strip()
    if plain and ";" not in plain and "--" not in plain and "/*" not in plain:
        return [plain]
    try:
        tokens = tokenize(sql)
    except UnterminatedError as broken:
        raise SqlFailed("BATCH_PARSE_ERROR", f"Failed to parse SQL batch: {broken}") from None
    statements: list[str] = []
    start: int | None = None
    end = 0
    for token in tokens:
        if token.text == ";":
            if start is not None:
                statements.append(sql[start:end])
            start = None
            continue
        start = token.start if start is None else start
        end = token.end
    if start is not None:
        statements.append(sql[start:end])
    if not statements:
        raise SqlFailed("EMPTY_SQL", "No SQL statements provided")
    return statements
