"""Where a SELECT names the tables that it reads, and the same text with a table of its own for each mention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from kalam_sandbox.sql.tokens import QUOTED, WORD, Token, UnterminatedError, tokenize

Name = tuple[str, str]

# Words behind the last table of a FROM.
_ENDS = frozenset(("WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FETCH", "UNION", "EXCEPT", "INTERSECT"))
# Words that may stand behind a table and are no alias of it.
_NO_ALIAS = _ENDS | {
    "WINDOW", "QUALIFY", "ON", "USING", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "TABLESAMPLE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mention:
    """A table behind FROM or JOIN; `number` is 1 where it is named first, then 2, and so on."""

    name: Name
    number: int


def separate(sql: str, resolve: Callable[[str | None, str], Name | None]) -> tuple[str, list[Mention]]:
    """Return the text with another table in the place of each further mention, and all mentions in order.

    Args:
        sql: A SELECT.
        resolve: Says which table a name as written means, None for what is no table.

    Returns:
        The text, in which the second mention of ``app.t`` reads ``"app"."t#2" AS "t"``, and the mentions.
    """
    try:
        tokens = tokenize(sql)
    except UnterminatedError:
        # The engine words the error.
        return sql, []
    named_queries = _named_queries(tokens)
    found: list[Mention] = []
    seen: Counter[Name] = Counter()
    parts, end = [], 0
    for first, last in _places(tokens):
        namespace = tokens[first].name.lower() if last > first else None
        table = tokens[last].name.lower()
        name = resolve(namespace, table) if namespace is not None or table not in named_queries else None
        if name is None:
            continue
        seen[name] += 1
        found.append(Mention(name, seen[name]))
        if seen[name] > 1:
            alias = "" if _has_alias(tokens, last) else f' AS "{table}"'
            parts += [sql[end : tokens[first].start], f'"{name[0]}"."{copy_name(table, seen[name])}"{alias}']
            end = tokens[last].end
    return "".join([*parts, sql[end:]]), found


def copy_name(table: str, number: int) -> str:
    """Return the table that stands for a mention; no table of a user has such a name."""
    return table if number == 1 else f"{table}#{number}"


def original_name(table: str) -> str:
    """Return the table that a copy stands for."""
    return table.partition("#")[0]


def _places(tokens: list[Token]) -> list[tuple[int, int]]:
    """Return first and last token of each name behind FROM, JOIN, or a comma between tables."""
    places = []
    # Whether a comma stands between tables, for each open bracket.
    lists = [False]
    for place, token in enumerate(tokens):
        if token.text == "(":
            lists.append(False)
        elif token.text == ")":
            lists = lists[:-1] or [False]
        elif token.upper == "FROM":
            lists[-1] = _text(tokens, place - 1) != "DISTINCT"
        elif token.upper in _ENDS:
            lists[-1] = False
        if (token.upper in ("FROM", ",") and lists[-1]) or token.upper == "JOIN":
            places.append(_name_at(tokens, place + 1))
    return [one for one in places if one is not None]


def _name_at(tokens: list[Token], place: int) -> tuple[int, int] | None:
    """Return first and last token of a name of one or two parts, None where something else stands."""
    if not _is_identifier(tokens, place):
        return None
    last = place
    if _text(tokens, place + 1) == "." and _is_identifier(tokens, place + 2):
        last = place + 2
    return None if _text(tokens, last + 1) in (".", "(") else (place, last)


def _named_queries(tokens: list[Token]) -> set[str]:
    """Return the names that WITH gives to queries: ``name AS (`` and ``name (columns) AS (``."""
    names = set()
    for place, token in enumerate(tokens):
        if token.upper != "AS" or _text(tokens, place + 1) != "(":
            continue
        before = place - 1
        if _text(tokens, before) == ")":
            while before > 0 and _text(tokens, before) != "(":
                before -= 1
            before -= 1
        if before >= 0 and _is_identifier(tokens, before):
            names.add(tokens[before].name.lower())
    return names


def _has_alias(tokens: list[Token], place: int) -> bool:
    following = _text(tokens, place + 1)
    return following == "AS" or (_is_identifier(tokens, place + 1) and following not in _NO_ALIAS)


def _is_identifier(tokens: list[Token], place: int) -> bool:
    return place < len(tokens) and tokens[place].kind in (WORD, QUOTED)


def _text(tokens: list[Token], place: int) -> str:
    return tokens[place].upper if 0 <= place < len(tokens) else ""
