"""Where in a text an error is: its line, with a mark below the place. Pure; only what is shown depends on it.

The server tells a line and a column of the text that it read, which may not be the reader's, or it names a word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import east_asian_width

from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tokens import Token, UnreadableSQL

__all__ = ["line_at", "pointed"]

#: The server's words for a place, and for a word that it does not know (protocol/sql.md#errors).
_PLACE = re.compile(r"(?:found: (?P<found>.+?) )?at Line: (?P<line>\d+), Column: (?P<column>\d+)")
_WORD = re.compile(
    r"No field named (?P<field>[^\s,]+?)\.(?:\s|$)|Invalid function '(?P<function>\w+)'"
    r"|table '(?P<table>[\w.]+)' not found|Name '(?P<name>\w+)' is a reserved"
)
_UNCLOSED = re.compile(r"Expected: \), found: EOF")

_WIDTH = 76
_BEFORE = 40


def pointed(sql: str, message: str) -> str:
    """The line that a message is about, with a mark below the place.

    Args:
        sql: The text.
        message: The server's text.

    Returns:
        Two lines; empty where the place is not known for sure.
    """
    try:
        tokens = Statement.of(sql).tokens
    except UnreadableSQL as exc:
        return "" if exc.position is None else line_at(sql, exc.position)
    if _UNCLOSED.search(message):
        at = _open_parenthesis(tokens)
    elif place := _PLACE.search(message):
        at = _told(sql, tokens, place)
    else:
        named = _WORD.search(message)
        word = next(filter(None, named.groups()), "") if named else ""
        at = _only(tokens, word.rpartition(".")[2].strip('"'))
    return "" if at is None else line_at(sql, at)


def line_at(text: str, at: int) -> str:
    """The line of a text around a character, numbered where there are several, and a mark below it."""
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)].replace("\t", " ").rstrip()
    column = at - start
    if len(line) > _WIDTH:
        first = max(0, column - _BEFORE)
        line = f"{'…' if first else ''}{line[first : first + _WIDTH]}{'…' if first + _WIDTH < len(line) else ''}"
        column += (1 if first else 0) - first
    number = f"line {text.count(chr(10), 0, at) + 1}: " if "\n" in text.strip() else ""
    width = sum(2 if east_asian_width(character) in "WF" else 1 for character in line[:column])
    return f"{number}{line}\n{' ' * (len(number) + width)}^"


def _told(sql: str, tokens: Sequence[Token], place: re.Match[str]) -> int | None:
    """The place that the server tells, if the word that it found stands there; else where that word stands alone."""
    lines = sql.split("\n")
    number = int(place["line"]) - 1
    column = int(place["column"]) - 1
    found = place["found"]
    if number < len(lines) and column < len(lines[number]):
        at = sum(len(line) + 1 for line in lines[:number]) + column
        if found is None or sql.startswith(found, at):
            return at
    return _only(tokens, found or "")


def _only(tokens: Sequence[Token], word: str) -> int | None:
    """Where a word stands, if it does so once."""
    places = [token.start for token in tokens if word and word in {token.text, token.identifier}]
    return places[0] if len(places) == 1 else None


def _open_parenthesis(tokens: Sequence[Token]) -> int | None:
    """The last parenthesis that is not closed."""
    is_open: list[int] = []
    for token in tokens:
        if token.text == "(":
            is_open.append(token.start)
        elif token.text == ")" and is_open:
            is_open.pop()
    return is_open[-1] if is_open else None
