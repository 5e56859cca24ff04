"""Queries written so that the server's engine keeps what they say: their sort, and their groups of NULL.

The engine, DataFusion 53, does two things under a limit, and the server puts one on every query:

- Groups in the order of one key are found by a shortcut that leaves out the group of NULL: of ``SELECT DISTINCT city …
  ORDER BY city``, of ``max(n) … ORDER BY max(n) DESC``. A second key takes the shortcut away.
- A sort behind which only OFFSET or ``LIMIT ALL`` stands is planned away where its key is not shown. A limit keeps it.

What is added changes nothing of what a query means. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kalam_notebook.sql.shape import SET_OPERATIONS, items_of, split_items, top_level, until, without_alias
from kalam_notebook.sql.statement import Statement, quote_name
from kalam_notebook.sql.tokens import Kind, Token

__all__ = ["NO_LIMIT", "keep_sorts"]

#: More rows than there are anywhere.
NO_LIMIT = 9223372036854775807

_ORDER = re.compile(r"\border\b", re.IGNORECASE)
_GROUPS = {"DISTINCT", "GROUP", *SET_OPERATIONS}
_DIRECTIONS = {"ASC", "DESC", "NULLS", "FIRST", "LAST"}
_AFTER_ORDER = {"LIMIT", "OFFSET", "FETCH"}


def keep_sorts(sql: str) -> Statement:
    """Write a query so that its sorts are carried out, and leave no group out.

    Args:
        sql: Any text.

    Returns:
        The text, changed where a SELECT in it is sorted and limited or grouped; else as it is.
    """
    statement = Statement.of(sql)
    if not _ORDER.search(sql) or not statement.is_readable:
        return statement
    return statement.keep(_written)


def _written(statement: Statement) -> Statement:
    tokens = statement.tokens
    is_grouped = any(token.word in _GROUPS for token in tokens)
    return statement.replaced(
        sorted(edit for level in _levels(tokens) for edit in _edits(statement, level, is_grouped=is_grouped))
    )


def _levels(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The text and what stands in each pair of parentheses, by itself."""
    yield list(tokens)
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind is Kind.SYMBOL and token.text == "(":
            opened.append(index)
        elif token.kind is Kind.SYMBOL and token.text == ")" and opened:
            yield list(tokens[opened.pop() + 1 : index])


def _edits(sql: str, tokens: Sequence[Token], *, is_grouped: bool) -> Iterator[tuple[int, int, str]]:
    """What to put in the place of which characters of one SELECT."""
    top = list(top_level(tokens))
    words = [token.word for token in top]
    # Window functions and aggregates have an order of their own in their parentheses.
    if "ORDER" not in words or not {"SELECT", *SET_OPERATIONS} & set(words[: words.index("ORDER")]):
        return

    start = len(words) - 1 - words[::-1].index("ORDER")
    keys = until(top[start + 2 :], _AFTER_ORDER)
    rest = top[start + 2 + len(keys) :]
    items = split_items(keys)
    if is_grouped and len(items) == 1 and (key := _key(sql, tokens, items[0])):
        yield items[0][-1].end, items[0][-1].end, f", ({key}) IS NULL"

    limits = [token.word for token in rest]
    if "LIMIT" in limits:
        value = rest[limits.index("LIMIT") + 1] if limits[-1] != "LIMIT" else None
        if value is not None and value.word in {"ALL", "NULL"}:
            yield value.start, value.end, str(NO_LIMIT)
    elif "OFFSET" in limits and "FETCH" not in limits:
        offset = rest[limits.index("OFFSET")]
        yield offset.start, offset.start, f"LIMIT {NO_LIMIT} "


def _key(sql: str, tokens: Sequence[Token], item: Sequence[Token]) -> str:
    """What a query is sorted by, as an expression; empty where it stands for a column that has no name."""
    body = list(item)
    while body and body[-1].word in _DIRECTIONS:
        body.pop()
    if not body:
        return ""
    if len(body) > 1 or body[0].kind is not Kind.NUMBER:
        return sql[body[0].start : body[-1].end]
    place = int(body[0].text) - 1 if body[0].text.isdigit() else -1
    columns = _columns(sql, tokens)
    return columns[place] if 0 <= place < len(columns) else ""


def _columns(sql: str, tokens: Sequence[Token]) -> list[str]:
    """The output columns of a SELECT as its ORDER BY knows them; empty for those that it does not."""
    top = list(top_level(tokens))
    words = [token.word for token in top]
    begin = words.index("SELECT") if "SELECT" in words else len(words)
    is_set = bool(SET_OPERATIONS & set(words))
    items = items_of(until(top[begin:], SET_OPERATIONS)) if begin < len(words) else None
    if items is None or any(item[-1].text == "*" for item in items if item):
        return []
    return [_column(sql, item, is_set=is_set) for item in items]


def _column(sql: str, item: Sequence[Token], *, is_set: bool) -> str:
    body = without_alias(item)
    if len(body) < len(item) or is_set:
        return quote_name(item[-1].identifier) if item[-1].identifier else ""
    return sql[body[0].start : body[-1].end]
