"""The tokenizer of the server's SQL dialect.

Strings, quoted names, comments, dollar quotes and parameters are recognised; nothing is parsed further. What is not
understood raises ``UnreadableSQL``. The dialect: protocol/sql.md#names, #column-types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

__all__ = ["Kind", "Token", "UnreadableSQL", "first_token", "tokenize"]


class UnreadableSQL(ValueError):
    """The text cannot be tokenized: a string, comment or quoted name does not end, or a character is unknown.

    Attributes:
        position: Offset of what cannot be read; None when it is about something else.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class Kind(Enum):
    """What a token is."""

    WORD = "word"  # Keyword or unquoted name.
    NAME = "name"  # Name in double quotes.
    STRING = "string"  # '…', E'…', X'…', $$…$$
    NUMBER = "number"
    PARAMETER = "parameter"  # $1
    VARIABLE = "variable"  # $room: no SQL, a notebook's name for a value.
    SYMBOL = "symbol"  # Punctuation and operators.


@dataclass(frozen=True, slots=True)
class Token:
    """One token and where it stands.

    Attributes:
        kind: What it is.
        text: Exactly as written.
        start: Offset of its first character.
        end: Offset behind its last character.
    """

    kind: Kind
    text: str
    start: int
    end: int

    def moved(self, by: int) -> Token:
        """The same token so many characters further on."""
        return Token(self.kind, self.text, self.start + by, self.end + by) if by else self

    @property
    def word(self) -> str:
        """The word in upper case; empty for anything but an unquoted word."""
        return self.text.upper() if self.kind is Kind.WORD else ""

    @property
    def identifier(self) -> str:
        """The name it stands for: unquoted words are folded to lower case. Empty for other tokens."""
        if self.kind is Kind.WORD:
            return self.text.lower()
        return self.text[1:-1].replace('""', '"') if self.kind is Kind.NAME else ""


_TOKEN = re.compile(
    r"""
      (?P<skip>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<string>[eE]'(?:[^'\\]|\\.|'')*' | (?:[xX])?'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*")
    | (?P<dollar>\$(?:[A-Za-z_]\w*)?\$)
    | (?P<parameter>\$\d+)
    | (?P<variable>\$[^\W\d]\w*)
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<word>[^\W\d]\w*)
    | (?P<symbol><>|!=|<=|>=|::|\|\||->>|->|!~~?\*?|~\*|[-+*/%=<>(),;.\[\]{}:?&|^~!@\#])
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = {"string": Kind.STRING, "name": Kind.NAME, "parameter": Kind.PARAMETER, "number": Kind.NUMBER}
_KINDS |= {"word": Kind.WORD, "symbol": Kind.SYMBOL, "variable": Kind.VARIABLE}


def tokenize(sql: str) -> Iterator[Token]:
    """Split a text into tokens, without blanks and comments. ``sql.statement`` keeps them.

    Raises:
        UnreadableSQL: The text cannot be tokenized.
    """
    position = 0
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None:
            start = sql[position : position + 20]
            if start[0] in "'\"":
                what = "text" if start[0] == "'" else "name"
                raise UnreadableSQL(f"The {what} that begins with {start[:10]!r} does not end.", position)
            raise UnreadableSQL(f"Cannot read the SQL at character {position + 1}: {start!r}", position)

        end, group = match.end(), str(match.lastgroup)
        if group == "comment":
            end = _comment_end(sql, position)
        elif group == "dollar":
            close = sql.find(match.group(), end)
            if close < 0:
                raise UnreadableSQL(f"The text quoted by {match.group()} does not end.", position)
            end = close + len(match.group())
            yield Token(Kind.STRING, sql[position:end], position, end)
        elif group != "skip":
            yield Token(_KINDS[group], match.group(), position, end)

        position = end


def first_token(sql: str) -> Token | None:
    """The first token of a text, of which no more is read; None when there is none.

    Raises:
        UnreadableSQL: The text cannot be tokenized up to there.
    """
    return next(tokenize(sql), None)


def _comment_end(sql: str, start: int) -> int:
    """The end of a block comment; they nest."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(sql, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    raise UnreadableSQL("A comment that begins with /* does not end.", start)
