"""A tokenizer for SQL text: enough to split, classify and rewrite statements, no grammar.

Strings ('…', E'…', $$…$$), quoted identifiers and comments are whole tokens, so nobody else looks inside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

WORD, QUOTED, STRING, NUMBER, PARAM, SYMBOL = "word", "quoted", "string", "number", "param", "symbol"

_TOKEN = re.compile(
    r"""
      (?P<skip>\s+ | --[^\n]*(?:\n|\Z))
    | (?P<comment>/\*)
    | (?P<string>[eExX]?'(?:[^']|'')*' | \$\$.*?\$\$)
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<param>\$\d+)
    | (?P<word>[^\W\d]\w*)
    | (?P<symbol>->>|->|::|<=|>=|<>|!=|\|\||!~\*|!~|~\*|<<|>>|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class UnterminatedError(ValueError):
    """A string, quoted identifier or comment has no end; the text says which."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind, its text as written, and where it stands."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Position behind the token."""
        return self.start + len(self.text)

    @property
    def upper(self) -> str:
        """The text in upper case for words; others as written, so that strings never look like keywords."""
        return self.text.upper() if self.kind == WORD else self.text

    @property
    def name(self) -> str:
        """The identifier meant: folded to lower case unless quoted."""
        return self.text[1:-1].replace('""', '"') if self.kind == QUOTED else self.text.lower()

    @property
    def value(self) -> str:
        """The text of a string literal."""
        if self.text.startswith("$$"):
            return self.text[2:-2]
        if self.text[0] in "eE":
            plain = self.text[2:-1].replace("''", "'")
            return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), plain)
        return self.text[1:-1].replace("''", "'")

    @property
    def is_plain_string(self) -> bool:
        """Whether this is a text literal and not X'…'."""
        return self.kind == STRING and self.text[0] not in "xX"


def tokenize(sql: str) -> list[Token]:
    """Return the tokens of a text without white space and comments.

    Raises:
        UnterminatedError: A string, identifier or comment is not closed.
    """
    return list(iterate(sql))


def iterate(sql: str) -> Iterator[Token]:
    """Yield the tokens of a text one by one; raises like `tokenize`."""
    place = 0
    while place < len(sql):
        found = _TOKEN.match(sql, place)
        assert found is not None  # The last alternative takes any character.
        kind = found.lastgroup
        if kind == "comment":
            place = comment_end(sql, place)
            continue
        text = found.group()
        if kind == SYMBOL and text == "'":
            raise UnterminatedError("Unterminated quoted string in SQL batch")
        if kind == SYMBOL and text == '"':
            raise UnterminatedError("Unterminated quoted identifier in SQL batch")
        if kind != "skip":
            assert kind is not None
            yield Token(kind, text, place)
        place = found.end()


def comment_end(sql: str, start: int) -> int:
    """Return the position behind a block comment; they nest."""
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(sql, start):
        depth += 1 if found.group() == "/*" else -1
        if depth == 0:
            return found.end()
    raise UnterminatedError("Unterminated block comment in SQL batch")


class Cursor:
    """Walk over tokens with a little grammar: look ahead, accept, expect."""

    def __init__(self, sql: str, tokens: list[Token] | None = None) -> None:
        self.sql = sql
        self.tokens = tokenize(sql) if tokens is None else tokens
        self.place = 0

    @property
    def done(self) -> bool:
        """Whether no token is left."""
        return self.place >= len(self.tokens)

    def peek(self, ahead: int = 0) -> Token | None:
        """Return a coming token, None at the end."""
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else None

    def next(self) -> Token:
        """Return the next token and step over it.

        Raises:
            SyntaxError: Nothing is left.
        """
        token = self.peek()
        if token is None:
            raise SyntaxError("unexpected end of statement")
        self.place += 1
        return token

    def at(self, *words: str) -> bool:
        """Say whether the coming tokens are these keywords or symbols."""
        return all((token := self.peek(i)) is not None and token.upper == word for i, word in enumerate(words))

    def accept(self, *words: str) -> bool:
        """Step over these keywords if they come; say whether they did."""
        if not self.at(*words):
            return False
        self.place += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Step over these keywords.

        Raises:
            SyntaxError: Something else comes.
        """
        if not self.accept(*words):
            raise SyntaxError(f"Expected: {' '.join(words)}, found: {self.found}")

    @property
    def found(self) -> str:
        """The coming token as error texts name it, with its position."""
        token = self.peek()
        if token is None:
            return "EOF"
        line = self.sql.count("\n", 0, token.start) + 1
        column = token.start - (self.sql.rfind("\n", 0, token.start) + 1) + 1
        return f"{token.text} at Line: {line}, Column: {column}"

    def identifier(self) -> str:
        """Return the next identifier, folded."""
        if (token := self.peek()) is None or token.kind not in (WORD, QUOTED):
            raise SyntaxError(f"Expected: identifier, found: {self.found}")
        self.place += 1
        return token.name

    def spelled(self) -> str:
        """Return the next identifier with the letters as they are written."""
        token = self.peek()
        name = self.identifier()
        return name if token is None or token.kind == QUOTED else token.text

    def qualified(self) -> tuple[str | None, str]:
        """Return ``(namespace or None, name)``, both folded to lower case."""
        first = self.identifier()
        if self.accept("."):
            return first.lower(), self.identifier().lower()
        return None, first.lower()

    def string(self) -> str:
        """Return the next string literal's text."""
        if (token := self.peek()) is None or not token.is_plain_string:
            raise SyntaxError(f"Expected: literal string, found: {self.found}")
        self.place += 1
        return token.value

    def integer(self) -> int:
        """Return the next whole number."""
        if (token := self.peek()) is None or token.kind != NUMBER or not token.text.isdigit():
            raise SyntaxError(f"Expected: number, found: {self.found}")
        self.place += 1
        return int(token.text)

    def rest(self) -> str:
        """Return the text from the coming token on, without a trailing comment."""
        token = self.peek()
        return self.sql[token.start : self.tokens[-1].end] if token else ""

    def end(self) -> None:
        """Refuse anything that is left.

        Raises:
            SyntaxError: A token is left.
        """
        if not self.done:
            raise SyntaxError(f"Expected: end of statement, found: {self.found}")
