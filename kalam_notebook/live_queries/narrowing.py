"""A query with a further condition, as of ``LiveTable.where`` and ``--where``. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from kalam_notebook.errors import ConfigError, SubscriptionError
from kalam_notebook.live_queries.following.query import parse_live_query
from kalam_notebook.sql.shape import SET_OPERATIONS, top_level
from kalam_notebook.sql.statement import Statement, enclosed
from kalam_notebook.sql.tokens import Kind, Token, UnreadableSQL
from kalam_notebook.wire.arguments import check_text

__all__ = ["narrowed", "with_condition"]

_FORM = "Write what stands behind WHERE, with $1 for values: live.where('n > $1', [5])."
_CLAUSES = {"SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FETCH", *SET_OPERATIONS}


def narrowed(named: str, given: str, condition: str) -> tuple[str, str]:
    """Put a condition to a query.

    One over a table stays one, so that it is followed by its changes; of any other the result is filtered.

    Args:
        named: The query as it is sent, with values.
        given: The same as its reader wrote it, with ``$1 …`` in their place.
        condition: What stands behind WHERE, or that with the word.

    Returns:
        Both texts with the condition. In the second its placeholders are numbered on behind those of the query.

    Raises:
        ConfigError: The condition is none.
    """
    asked = _condition(condition)
    is_plain = False
    with contextlib.suppress(SubscriptionError):
        is_plain = bool(parse_live_query(named))
    shown = _numbered_on(asked, given)
    return with_condition(named, asked, is_plain=is_plain), with_condition(given, shown, is_plain=is_plain)


def _condition(text: str) -> Statement:
    check_text("The condition", text)
    statement = Statement.of(text)
    try:
        tokens = statement.tokens
    except UnreadableSQL as exc:
        raise ConfigError(f"The condition cannot be read: {exc}\n{_FORM}") from None

    if tokens and tokens[0].word == "WHERE":
        tokens = tokens[1:]
    if not tokens:
        raise ConfigError(f"The condition is empty.\n{_FORM}")
    _check_parentheses(tokens)
    for token in top_level(tokens):
        if token.text == ";" or token.word in _CLAUSES:
            raise ConfigError(f"{token.text} cannot stand in a condition.\n{_FORM}")
    return statement.part(tokens[0].start, tokens[-1].end)


def _check_parentheses(tokens: Sequence[Token]) -> None:
    """See that the condition ends where the parentheses end that are put around it."""
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind is Kind.SYMBOL else 0
        if depth < 0:
            raise ConfigError(f"A parenthesis of the condition is closed that was not opened.\n{_FORM}")
    if depth:
        raise ConfigError(f"A parenthesis of the condition is not closed.\n{_FORM}")


def _numbered_on(condition: Statement, sql: str) -> Statement:
    taken = max((int(token.text[1:]) for token in Statement.of(sql).places(Kind.PARAMETER)), default=0)
    places = condition.places(Kind.PARAMETER)
    return condition.replaced((token.start, token.end, f"${int(token.text[1:]) + taken}") for token in places)


def with_condition(sql: str, condition: str, *, is_plain: bool) -> str:
    """A query with a further condition.

    Args:
        sql: A single SELECT.
        condition: What stands behind WHERE.
        is_plain: Whether it is put to the query's own WHERE; otherwise to that of a query around it.
    """
    statement = Statement.of(sql)
    tokens = statement.single
    inner = statement.part(tokens[0].start, tokens[-1].end)
    if not is_plain:
        return f"SELECT *\nFROM {enclosed(inner)} AS t\nWHERE {condition}"

    where = next((token for token in top_level(inner.tokens) if token.word == "WHERE"), None)
    if where is None:
        return f"{inner}\nWHERE {condition}"
    # A comment may stand at the end of a line, and not at that of a condition.
    return f"{inner[: where.end]} ({inner[where.end :].strip()})\n  AND ({condition})"
