"""Whether the server's events can be trusted for a filter.

Live events go through an evaluator of the server's own, which silently knows less than its SQL engine
(protocol/live.md#queries).
The forms that were seen to be right are listed here, conservatively; for all others the doubtful part is
named. Filters on columns that can be updated are told apart too: a row that leaves its filter sends no event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from kalam_notebook.sql.tokens import Kind, Token
from kalam_notebook.wire.types import Column

__all__ = ["doubtful_part", "filter_columns", "has_sub_query", "is_volatile"]

#: Deeper nesting makes the server send every row of the table; the exact limit lies below 66.
_MAX_DEPTH = 20

#: The evaluator compares all numbers as doubles.
_MAX_EXACT = 2**53

#: What gives another value each time, as a word and as a function.
_VOLATILE_WORDS = frozenset({"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"})
_VOLATILE_CALLS = frozenset({"NOW", "TODAY", "RANDOM", "UUID", "UUID_V7", "ULID", "SNOWFLAKE_ID"})

_NUMBERS = frozenset({"SmallInt", "Int", "BigInt", "Float", "Double"})
_EQUALITY = frozenset({"=", "<>", "!="})
_ORDER = frozenset({"<", "<=", ">", ">="})


def doubtful_part(tokens: Sequence[Token], columns: Sequence[Column]) -> str | None:
    """Return the first part of a filter for which events may be missing or too many, or None when all are right.

    Args:
        tokens: The filter, without WHERE.
        columns: All columns of the table.
    """
    reader = _Reader(tokens, {column.name: column for column in columns})
    try:
        reader.read_or(0)
        reader.expect_end()
    except _DoubtError as doubt:
        return str(doubt)
    return None


def filter_columns(tokens: Sequence[Token], columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the columns of the table that a filter names, in the order of the table."""
    named = {token.identifier for token in tokens if token.identifier}
    return tuple(column.name for column in columns if column.name in named)


def has_sub_query(tokens: Sequence[Token]) -> bool:
    """Whether a filter asks another table, or its own once more."""
    return any(token.word == "SELECT" for token in tokens)


def is_volatile(tokens: Sequence[Token]) -> bool:
    """Whether a query may have another result although its tables have not changed: it names the time, or chance."""
    is_called = any(name.word in _VOLATILE_CALLS and after.text == "(" for name, after in pairwise(tokens))
    return is_called or any(token.word in _VOLATILE_WORDS for token in tokens)


class _DoubtError(Exception):
    """The text from here on is not in the list."""


class _Reader:
    """Reads ``OR``, ``AND``, ``NOT``, parentheses and comparisons.

    Each ``read_…`` returns whether a NULL in the part ends the server's evaluation of the whole filter, which loses the
    terms of an OR that stand behind it.
    """

    def __init__(self, tokens: Sequence[Token], columns: Mapping[str, Column]) -> None:
        self._tokens = tokens
        self._columns = columns
        self._index = 0

    def read_or(self, depth: int) -> bool:
        start = self._index
        stops = self._read_and(depth)
        while self._accept("OR"):
            if stops:
                raise self._doubt(start, "when its column is NULL, the terms behind OR are not looked at")
            start = self._index
            stops = self._read_and(depth)
        return stops

    def expect_end(self) -> None:
        if self._index < len(self._tokens):
            raise self._doubt(self._index)

    def _read_and(self, depth: int) -> bool:
        stops = self._read_not(depth)
        while self._accept("AND"):
            stops = self._read_not(depth) or stops
        return stops

    def _read_not(self, depth: int) -> bool:
        start = self._index
        if not self._accept("NOT"):
            return self._read_term(depth)
        self._read_term(depth)
        names = {token.identifier for token in self._tokens[start : self._index]}
        if any(name in names and "nn" not in column.flags for name, column in self._columns.items()):
            raise self._doubt(start, "NOT sends events for rows with NULL")
        return False

    def _read_term(self, depth: int) -> bool:
        if self._peek() != "(":
            return self._read_comparison()
        if depth >= _MAX_DEPTH:
            raise self._doubt(self._index, "too many parentheses")
        start = self._index
        self._index += 1
        stops = self.read_or(depth + 1)
        if self._peek() != ")":
            raise self._doubt(start)
        self._index += 1
        return stops

    def _read_comparison(self) -> bool:
        start = self._index
        left = self._read_column()
        operator = self._peek()
        self._index += 1
        if left is None or operator not in _EQUALITY | _ORDER:
            raise self._doubt(start)
        nullable = not self._is_right(left, operator, start)
        if self._peek() not in {None, ")", "AND", "OR"}:
            raise self._doubt(start)  # Something more belongs to the term, such as arithmetic or a cast.
        return nullable and operator in _ORDER

    def _is_right(self, left: Column, operator: str | None, start: int) -> bool:
        """Check the right-hand side; return whether neither side can be NULL."""
        right = self._read_column()
        required = "nn" in left.flags and (right is None or "nn" in right.flags)
        if right is None:
            is_right = self._accept_literal(left, operator in _ORDER)
        else:
            # Values of two BigInt columns may lie beyond 2^53.
            numeric = left.type_name in _NUMBERS - {"BigInt"} and right.type_name in _NUMBERS - {"BigInt"}
            is_right = numeric or (left.type_name == right.type_name == "Text" and operator in _EQUALITY)
        if not is_right:
            raise self._doubt(start)
        if operator in {"<>", "!="} and not required:
            raise self._doubt(start, "it sends events for rows with NULL")
        return required

    def _accept_literal(self, left: Column, is_order: bool) -> bool:
        if self._index >= len(self._tokens):
            return False
        token = self._tokens[self._index]
        self._index += 1
        if token.kind is Kind.NUMBER and left.type_name in _NUMBERS:
            return "e" not in token.text.lower() and float(token.text) < _MAX_EXACT
        if is_order:
            return False
        if token.kind is Kind.STRING:
            return left.type_name == "Text" and token.text.startswith("'")
        return token.word in {"TRUE", "FALSE"} and left.type_name == "Boolean"

    def _read_column(self) -> Column | None:
        """A column, possibly behind its table; None, without moving, when there is none."""
        index = self._index
        while index + 2 < len(self._tokens) and self._tokens[index].identifier and self._tokens[index + 1].text == ".":
            index += 2
        column = self._columns.get(self._tokens[index].identifier) if index < len(self._tokens) else None
        # ``_deleted = false`` holds back the deletes.
        if column is None or column.name == "_deleted":
            return None
        self._index = index + 1
        return column

    def _peek(self) -> str | None:
        """The symbol or the upper-case word that comes next; empty for a value, None at the end."""
        if self._index >= len(self._tokens):
            return None
        token = self._tokens[self._index]
        return token.text if token.kind is Kind.SYMBOL else token.word

    def _accept(self, word: str) -> bool:
        if self._peek() != word:
            return False
        self._index += 1
        return True

    def _doubt(self, start: int, reason: str = "") -> _DoubtError:
        """Name the term that begins at ``start``: to the next AND or OR, or 60 characters."""
        text = self._tokens[start].text if start < len(self._tokens) else ""
        for token in self._tokens[start + 1 :]:
            if token.word in {"AND", "OR"} or len(text) > 60:
                break
            text += f" {token.text}"
        text = text if len(text) <= 60 else f"{text[:60]}…"
        return _DoubtError(f"{text}: {reason}" if reason else text)
