"""A text of SQL as a value: read once, and what is asked of it is kept with it.

Texts are only tokenized, and nothing is ever changed inside strings and comments. What is not understood raises
``UnreadableSQL``: callers treat that as "suspicious", never as "safe". The dialect:
protocol/sql.md#names, #column-types.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Any, TypeVar

from kalam_notebook.errors import ConfigError
from kalam_notebook.sql.tokens import Kind, Token, UnreadableSQL, first_token, tokenize

__all__ = ["Statement", "enclosed", "quote_name", "quote_text"]

_T = TypeVar("_T")

#: Texts up to here are kept: a notebook runs the same queries again. A longer text is rather a write, sent once.
_KEPT_CHARACTERS = 4_000
_READS = {"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC"}
_WRITES = {"INSERT", "UPDATE", "DELETE", "INTO", "CREATE", "DROP", "ALTER", "CONSUME", "SNOWFLAKE_ID"}


class Statement(str):
    """A text of one statement or several.

    It is text and can stand wherever text can. What is made from it is plain text, until it is read itself.
    """

    def __reduce__(self) -> tuple[type[Statement], tuple[str]]:
        return Statement, (str(self),)

    @classmethod
    def of(cls, text: str) -> Statement:
        """The value of a text; the same one where it is one already, or was read a moment ago."""
        if isinstance(text, cls):
            return text
        return _kept(text) if len(text) <= _KEPT_CHARACTERS else cls(text)

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Its tokens, without blanks and comments.

        Raises:
            UnreadableSQL: It cannot be tokenized.
        """
        if isinstance(self._read, UnreadableSQL):
            raise self._read
        return self._read

    @cached_property
    def _read(self) -> tuple[Token, ...] | UnreadableSQL:
        try:
            return tuple(tokenize(self))
        except UnreadableSQL as exc:
            return exc

    @property
    def is_readable(self) -> bool:
        """Whether it can be tokenized."""
        return not isinstance(self._read, UnreadableSQL)

    @cached_property
    def single(self) -> tuple[Token, ...]:
        """The tokens of its one statement, without semicolons at its end; empty where it has none or several.

        Raises:
            UnreadableSQL: It cannot be tokenized.
        """
        end = len(self.tokens)
        while end and self.tokens[end - 1].text == ";":
            end -= 1
        tokens = self.tokens[:end]
        return () if any(token.text == ";" for token in tokens) else tokens

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """Its statements, cut at the semicolons outside strings and comments; empty ones are left out.

        Raises:
            UnreadableSQL: It cannot be tokenized.
        """
        found, start, last = [], 0, 0
        for token in self.tokens:
            if token.text == ";":
                if last > start:
                    found.append(self.part(start, token.start))
                start = token.end
            else:
                last = token.end
        if last > start:
            found.append(self.part(start, len(self)))
        return tuple(found)

    def places(self, kind: Kind) -> Iterator[Token]:
        """Its tokens of a kind that stand for values: right behind a word one may be a part of a name.

        Raises:
            UnreadableSQL: It cannot be tokenized.
        """
        return (
            token
            for token in self.tokens
            if token.kind is kind and not re.match(r"\w", self[token.start - 1 : token.start])
        )

    @property
    def first_word(self) -> str:
        """Its first keyword in upper case, or empty.

        Raises:
            UnreadableSQL: It cannot be tokenized.
        """
        return self.tokens[0].word if self.tokens else ""

    @cached_property
    def is_repeatable(self) -> bool:
        """Whether sending it twice does the same as sending it once.

        That is a single statement that only reads, or a transaction of such. What cannot be read is not repeatable.
        """
        try:
            first = first_token(self)
            # A text that writes may be long; most tell it by their first word.
            if first is None or first.word not in _READS | {"BEGIN", ""}:
                return False
            statements = self.statements
        except UnreadableSQL:
            return False
        words = [statement.first_word for statement in statements]
        if words[:1] == ["BEGIN"] and words[1:] and words[-1] == "COMMIT":
            statements = statements[1:-1]
        elif len(statements) != 1:
            return False
        return all(_only_reads(statement) for statement in statements)

    def part(self, start: int, end: int) -> Statement:
        """What stands between two characters, without blanks around it; it is not read again.

        Args:
            start: Where it begins: at a token or between two.
            end: Where it ends: behind a token or between two.
        """
        text = self[start:end]
        start += len(text) - len(text.lstrip())
        text = text.strip()
        if len(text) == len(self):
            return self
        found = Statement(text)
        first = bisect_left(self.tokens, start, key=lambda token: token.start)
        behind = bisect_right(self.tokens, start + len(text), key=lambda token: token.end)
        found.__dict__["_read"] = tuple(token.moved(-start) for token in self.tokens[first:behind])
        return found

    def replaced(self, edits: Iterable[tuple[int, int, str]]) -> Statement:
        """The text with other words in the place of some characters; itself where there are none.

        Args:
            edits: First character, the one behind the last, and what stands there instead, in order.
        """
        parts, last = [], 0
        for start, end, text in edits:
            parts += [self[last:start], text]
            last = end
        return Statement("".join([*parts, self[last:]])) if parts else self

    def keep(self, look: Callable[[Statement], _T]) -> _T:
        """What a function finds in it, looked for once."""
        if look not in self._found:
            self._found[look] = look(self)
        found: _T = self._found[look]
        return found

    @cached_property
    def _found(self) -> dict[Callable[[Statement], Any], Any]:
        return {}


_kept = lru_cache(maxsize=64)(Statement)


def _only_reads(statement: Statement) -> bool:
    return statement.first_word in _READS and not any(token.word in _WRITES for token in statement.tokens)


def enclosed(sql: str) -> str:
    """A query or condition in parentheses, on lines of its own: a comment may end it."""
    return f"(\n{sql}\n)"


#: Reserved as names, though ALTER TABLE lets them through; accepted as names, and read as something else without quotes
#: (protocol/sql.md#reserved).
_NEEDS_QUOTES = {
    "table", "tables", "tablespace", "index", "view", "schema", "database", "insert", "update", "delete", "create",
    "drop", "alter", "with", "explain", "analyze", "select", "where", "group", "sort", "having", "order", "pivot",
    "unpivot", "top", "lateral", "limit", "offset", "fetch", "union", "except", "intersect", "minus", "on", "join",
    "inner", "cross", "full", "left", "right", "natural", "using", "cluster", "distribute", "global", "anti", "semi",
    "returning", "asof", "outer", "set", "qualify", "window", "end", "for", "partition", "prewhere", "settings",
    "format", "start", "connect", "match_recognize", "sample", "tablesample", "open", "from", "into", "exists",
    "interval", "struct", "trim", "not", "null", "true", "false", "distinct", "all", "current_user", "current_role",
}  # fmt: skip


def quote_name(name: str) -> str:
    """A name as it can stand in SQL: as it is when it is plain and lower case, else in double quotes.

    Every name that comes into SQL goes through here, and every value through ``params.literal``.

    Raises:
        ConfigError: It is no name: empty, no text, or with NUL or half of a character.
    """
    if not isinstance(name, str) or not name or re.search("[\0\ud800-\udfff]", name):
        raise ConfigError(f"{name!r} is no name in SQL. Write letters, digits and _.")
    return _quoted(name)


@lru_cache(maxsize=256)
def _quoted(name: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_]*", name) and name not in _NEEDS_QUOTES:
        return name
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """A text as it can stand in SQL. In plain quotes a backslash is a backslash."""
    return "'" + text.replace("'", "''") + "'"
