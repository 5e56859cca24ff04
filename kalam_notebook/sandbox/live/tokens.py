"""Tokens of a live query's SQL: enough to split its clauses and to read its WHERE.

`query` and `predicate` use it. The server's SQL proper is planned elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<odd>[eE]'(?:[^'\\]|\\.|'')*'|[bBnNxXuU]&?'(?:[^']|'')*'|\$\$.*?\$\$)
  | (?P<text>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<parameter>\$\w+|\?)
  | (?P<operator>->>|\#>>|<=>|!~~\*|::|->|\#>|<=|>=|<>|!=|==|=>|\|\||&&|!~\*|!~~|~~\*|!~|~\*|~~|@>|<@|<<|>>
      |[-+*/%^&|#~!@<>=(),.;\[\]{}:])
    """,
    re.VERBOSE | re.DOTALL,
)


class BadSql(Exception):
    """A text that is no SQL; the message is in the manner of the server's parser."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        kind: text, quoted, number, word, operator, parameter, or odd (strings with a prefix).
        raw: The characters as sent.
        spaced: Whether space or a comment stood before it.
    """

    kind: str
    raw: str
    spaced: bool

    @property
    def word(self) -> str:
        """The word in upper case, empty for anything but a bare word."""
        return self.raw.upper() if self.kind == "word" else ""

    @property
    def value(self) -> str:
        """Content of a string or quoted name without its quotes; else as sent."""
        if self.kind not in ("text", "quoted"):
            return self.raw
        quote = self.raw[0]
        return self.raw[1:-1].replace(quote * 2, quote)

    @property
    def is_name(self) -> bool:
        """Whether it can name a column or a table."""
        return self.kind in ("word", "quoted")


def tokenize(sql: str) -> list[Token]:
    """Split SQL into tokens, leaving out comments.

    Raises:
        BadSql: A string or comment has no end, or a character has no meaning.
    """
    tokens: list[Token] = []
    position, spaced = 0, False
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None:
            raise BadSql(f"sql parser error: Unexpected character or open quote at {sql[position : position + 20]!r}")
        position = match.end()
        if match.lastgroup == "space":
            spaced = True
        else:
            tokens.append(Token(match.lastgroup or "", match.group(), spaced))
            spaced = False
    return tokens


def render(tokens: Sequence[Token]) -> str:
    """Write tokens as SQL on one line, spaced as they were."""
    return "".join((" " if token.spaced and index else "") + token.raw for index, token in enumerate(tokens))


def split_commas(tokens: Sequence[Token]) -> list[list[Token]]:
    """Split a list at the commas that stand outside of brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.raw, 0)
        if token.raw == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
