"""Reading what may stand behind the rows of an INSERT: ON CONFLICT and RETURNING."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kalam_sandbox.sql.inserts import Expression, Item, read_item
from kalam_sandbox.sql.tokens import Cursor, Token, UnterminatedError, tokenize

_INTERESTING = re.compile(r"\b(?:conflict|returning)\b", re.IGNORECASE)
_ASSIGNED = "ON CONFLICT DO UPDATE assignments support literals, parameters, or EXCLUDED.<column>"


@dataclass(frozen=True, slots=True)
class Excluded:
    """``EXCLUDED.column``: what the row would have inserted."""

    column: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """``ON CONFLICT (target) DO …``.

    Attributes:
        target: Columns that are named, None for none.
        assigned: What DO UPDATE sets, None for DO NOTHING.
        applies: Whether its WHERE is true, as without one.
    """

    target: tuple[str, ...] | None
    assigned: Mapping[str, Item | Excluded] | None = None
    applies: bool = True


@dataclass(frozen=True, slots=True)
class Clauses:
    """An INSERT without these clauses, and what they say; `returning` names columns or ``*``."""

    sql: str
    conflict: Conflict | None = None
    returning: tuple[str, ...] | None = None


def split_clauses(sql: str) -> Clauses:
    """Take the clauses off an INSERT.

    Raises:
        SyntaxError: A clause is broken, or one that the server does not take.
    """
    if not _INTERESTING.search(sql):
        return Clauses(sql)
    try:
        tokens = tokenize(sql)
    except UnterminatedError:
        return Clauses(sql)  # The engine words the error.
    start = _start(tokens)
    if start is None:
        return Clauses(sql)
    cursor = Cursor(sql, tokens)
    cursor.place = start
    conflict = _conflict(cursor) if cursor.accept("ON", "CONFLICT") else None
    returning = _returning(cursor) if cursor.accept("RETURNING") else None
    cursor.end()
    return Clauses(sql[: tokens[start - 1].end], conflict, returning)


def _start(tokens: list[Token]) -> int | None:
    """Return where the first of the clauses begins, outside of all parentheses."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and place and (token.upper == "RETURNING" or _words(tokens, place) == ["ON", "CONFLICT"]):
            return place
    return None


def _words(tokens: list[Token], place: int) -> list[str]:
    return [token.upper for token in tokens[place : place + 2]]


def _conflict(cursor: Cursor) -> Conflict:
    if cursor.at("ON", "CONSTRAINT"):
        raise SyntaxError("ON CONFLICT ON CONSTRAINT is not supported")
    target = _names(cursor) if cursor.accept("(") else None
    cursor.expect("DO")
    if cursor.accept("NOTHING"):
        return Conflict(target)
    cursor.expect("UPDATE", "SET")
    assigned: dict[str, Item | Excluded] = {}
    while True:
        name = cursor.identifier().lower()
        cursor.expect("=")
        assigned[name] = _assigned(cursor)
        if not cursor.accept(","):
            break
    applies = True
    if cursor.accept("WHERE"):
        applies = cursor.accept("TRUE")
        if not applies and not cursor.accept("FALSE"):
            raise SyntaxError("ON CONFLICT DO UPDATE only supports literal TRUE/FALSE WHERE clauses")
    return Conflict(target, assigned, applies)


def _names(cursor: Cursor) -> tuple[str, ...]:
    names = [cursor.identifier().lower()]
    while cursor.accept(","):
        names.append(cursor.identifier().lower())
    cursor.expect(")")
    return tuple(names)


def _assigned(cursor: Cursor) -> Item | Excluded:
    if cursor.accept("EXCLUDED", "."):
        return Excluded(cursor.identifier().lower())
    start, depth = cursor.place, 0
    while (token := cursor.peek()) is not None and (depth or token.upper not in (",", "WHERE", "RETURNING")):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        cursor.next()
    if cursor.place == start:
        raise SyntaxError(_ASSIGNED)
    item = read_item(cursor.sql, cursor.tokens, start, cursor.place, float)
    if isinstance(item, Expression):
        raise SyntaxError(_ASSIGNED)
    return item


def _returning(cursor: Cursor) -> tuple[str, ...]:
    names = []
    while True:
        names.append("*" if cursor.accept("*") else cursor.identifier().lower())
        if not cursor.accept(","):
            return tuple(names)
