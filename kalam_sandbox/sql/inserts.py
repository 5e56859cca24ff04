"""Reading INSERT texts far enough to know the table, the columns and rows of plain values.

Anything else (a query, expressions, broken syntax) is left to the engine, which words the errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from kalam_sandbox.sql.tokens import NUMBER, PARAM, Cursor, Token, UnterminatedError

_VALUES = re.compile(r"\bVALUES\b", re.IGNORECASE)
_WHOLE = re.compile(r"\d+$")
_CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}
Literal = bool | int | float | Decimal | str | None


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A parameter that is a whole value: ``$n``."""

    number: int


@dataclass(frozen=True, slots=True)
class Expression:
    """Any other value, as written."""

    text: str


Item = Literal | Placeholder | Expression
_Fraction = Callable[[str], float | Decimal]


@dataclass(frozen=True, slots=True)
class InsertText:
    """An INSERT as far as it was read.

    Attributes:
        namespace: Namespace as written, lower case; None when unqualified.
        table: Table name, lower case.
        columns: Column list, lower case; None without one.
        rows: Values of VALUES, None for INSERT … SELECT or anything unread.
        has_expressions: Whether a value is neither literal nor parameter.
        has_placeholders: Whether a value is a parameter.
        row_texts: Where the VALUES rows begin in the text, for rewriting.
    """

    namespace: str | None
    table: str
    columns: tuple[str, ...] | None
    rows: list[list[Item]] | None
    has_expressions: bool = False
    has_placeholders: bool = False
    head: str = ""


def read_insert(sql: str, *, rounds: bool = True) -> InsertText | None:
    """Read an INSERT; None when not even the table can be read.

    Args:
        sql: The statement.
        rounds: Whether decimal literals are doubles (truth L11); else they are read as `Decimal`.
    """
    try:
        cursor = Cursor(sql)
        cursor.expect("INSERT")
        cursor.accept("OR", "REPLACE")
        cursor.expect("INTO")
        cursor.accept("TABLE")
        namespace, table = cursor.qualified()
        columns = _columns(cursor)
    except (SyntaxError, UnterminatedError):
        return None
    start = cursor.peek()
    head = sql[: start.start] if start is not None else sql
    unread = InsertText(namespace, table, columns, None, head=head)
    if not cursor.accept("VALUES"):
        return unread
    rows = _rows(cursor, float if rounds else Decimal)
    if rows is None:
        return unread
    kinds = {type(item) for row in rows for item in row}
    return InsertText(namespace, table, columns, rows, Expression in kinds, Placeholder in kinds, head)


def insert_head(sql: str) -> str | None:
    """Return what stands before the rows of an INSERT; None when not even the table can be read."""
    # Rows may be a megabyte: they are looked at only where the word stands in a name or a string.
    values = _VALUES.search(sql)
    text = read_insert(sql[: values.start()]) if values is not None else None
    text = text or read_insert(sql)
    return None if text is None else text.head


def _columns(cursor: Cursor) -> tuple[str, ...] | None:
    if not cursor.at("(") or cursor.at("(", "SELECT"):
        return None
    cursor.expect("(")
    names = [cursor.identifier().lower()]
    while cursor.accept(","):
        names.append(cursor.identifier().lower())
    cursor.expect(")")
    return tuple(names)


def _rows(cursor: Cursor, fraction: _Fraction) -> list[list[Item]] | None:
    """Read all rows up to the end; None when something else follows or a row is broken."""
    tokens, place = cursor.tokens, cursor.place
    rows: list[list[Item]] = []
    while place < len(tokens) and tokens[place].text == "(":
        row, place = _row(cursor.sql, tokens, place + 1, fraction)
        if row is None:
            return None
        rows.append(row)
        if place < len(tokens) and tokens[place].text == ",":
            place += 1
            continue
        break
    return rows if place == len(tokens) and rows else None


def _row(sql: str, tokens: list[Token], place: int, fraction: _Fraction) -> tuple[list[Item] | None, int]:
    row: list[Item] = []
    start, depth = place, 0
    while place < len(tokens):
        text = tokens[place].text
        if depth == 0 and text in (",", ")"):
            if place == start:
                return None, place
            row.append(read_item(sql, tokens, start, place, fraction))
            if text == ")":
                return row, place + 1
            start = place + 1
        elif text in ("(", "["):
            depth += 1
        elif text in (")", "]"):
            depth -= 1
        place += 1
    return None, place


def read_item(sql: str, tokens: list[Token], start: int, stop: int, fraction: _Fraction) -> Item:
    """Read one value from the tokens between two places; what is neither literal nor parameter is an expression."""
    first = tokens[start]
    count = stop - start
    if count == 1:
        if first.kind == NUMBER:
            return _number(first.text, fraction)
        if first.is_plain_string:
            return first.value
        if first.kind == PARAM:
            return Placeholder(int(first.text[1:]))
        if first.upper in _CONSTANTS:
            return _CONSTANTS[first.upper]
    if count == 2 and first.text in ("-", "+") and tokens[start + 1].kind == NUMBER:
        return _number(first.text + tokens[start + 1].text, fraction)
    return Expression(sql[first.start : tokens[stop - 1].end])


def _number(text: str, fraction: _Fraction) -> int | float | Decimal:
    if _WHOLE.match(text.lstrip("+-")):
        value = int(text)
        # Numbers beyond 64 bit are doubles to the engine.
        return value if -(2**63) <= value < 2**64 else float(value)
    return fraction(text)
