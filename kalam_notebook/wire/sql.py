"""A small tokenizer of the server's SQL dialect, and the few questions the client asks of a text.

Strings, quoted names, comments, dollar quotes and parameters are recognised; nothing is parsed further, and nothing is
ever changed inside them. What is not understood raises ``UnreadableSQL``: callers treat that as "suspicious", never as
"safe". The dialect: SQL reference, sections 3 and 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

__all__ = [
    "Kind",
    "TableName",
    "Token",
    "UnreadableSQL",
    "first_word",
    "is_repeatable",
    "qualify",
    "quote_name",
    "split_statements",
    "table_names",
    "tokenize",
]


class UnreadableSQL(ValueError):
    """The text cannot be tokenized: a string, comment or quoted name does not end, or a character is unknown."""


class Kind(Enum):
    """What a token is."""

    WORD = "word"  # Keyword or unquoted name.
    NAME = "name"  # Name in double quotes.
    STRING = "string"  # '…', E'…', X'…', $$…$$
    NUMBER = "number"
    PARAMETER = "parameter"  # $1
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
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<word>[^\W\d]\w*)
    | (?P<symbol><>|!=|<=|>=|::|\|\||->>|->|!~~?\*?|~\*|[-+*/%=<>(),;.\[\]{}:?&|^~!@\#])
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = {"string": Kind.STRING, "name": Kind.NAME, "parameter": Kind.PARAMETER, "number": Kind.NUMBER}
_KINDS |= {"word": Kind.WORD, "symbol": Kind.SYMBOL}


def tokenize(sql: str) -> list[Token]:
    """Split a text into tokens, without blanks and comments.

    Raises:
        UnreadableSQL: The text cannot be tokenized.
    """
    return list(_tokens(sql))


def _tokens(sql: str) -> Iterator[Token]:
    position = 0
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None:
            raise UnreadableSQL(f"Cannot read the SQL at character {position + 1}: {sql[position : position + 20]!r}")
        end, group = match.end(), str(match.lastgroup)
        if group == "comment":
            end = _comment_end(sql, position)
        elif group == "dollar":
            close = sql.find(match.group(), end)
            if close < 0:
                raise UnreadableSQL(f"The text quoted by {match.group()} does not end.")
            end = close + len(match.group())
            yield Token(Kind.STRING, sql[position:end], position, end)
        elif group != "skip":
            yield Token(_KINDS[group], match.group(), position, end)
        position = end


def _comment_end(sql: str, start: int) -> int:
    """The end of a block comment; they nest."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(sql, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    raise UnreadableSQL("A comment that begins with /* does not end.")


def split_statements(sql: str) -> list[str]:
    """Cut a text at the semicolons outside strings and comments; empty statements are left out."""
    statements, start, last = [], 0, 0
    for token in _tokens(sql):
        if token.text == ";" and token.kind is Kind.SYMBOL:
            if last > start:
                statements.append(sql[start : token.start].strip())
            start = token.end
        last = token.end if token.text != ";" else last
    if last > start:
        statements.append(sql[start:].strip())
    return statements


def first_word(sql: str) -> str:
    """The first keyword in upper case, or empty."""
    return next((token.word for token in _tokens(sql)), "")


_READS = {"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC"}
_WRITES = {"INSERT", "UPDATE", "DELETE", "INTO", "CREATE", "DROP", "ALTER", "CONSUME", "SNOWFLAKE_ID"}


def is_repeatable(sql: str) -> bool:
    """Whether sending the text twice does the same as sending it once: a single statement that only reads.

    A text that cannot be read is not repeatable.
    """
    try:
        tokens = tokenize(sql)
    except UnreadableSQL:
        return False
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    if not tokens or tokens[0].word not in _READS or any(token.text == ";" for token in tokens):
        return False
    return not any(token.word in _WRITES for token in tokens)


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as it stands in a text.

    Attributes:
        namespace: Lower-case namespace (or the quoted one), or None when the name is not qualified.
        table: The table's name.
        start: Offset of its first character.
    """

    namespace: str | None
    table: str
    start: int


_BEFORE_TABLE = {"FROM", "JOIN", "INTO", "UPDATE", "TABLE"}
_NOT_A_TABLE = {"SELECT", "VALUES", "LATERAL", "ONLY", "UNNEST", "SET", "SKIP"}


def table_names(sql: str) -> list[TableName]:
    """The tables that a text names, in order; table functions, sub-queries and names of CTEs are left out.

    Raises:
        UnreadableSQL: The text cannot be tokenized.
    """
    tokens = tokenize(sql)
    common = _cte_names(tokens)
    found = []
    for index in _table_positions(tokens):
        name = _name_at(tokens, index)
        if name is not None and not (name.namespace is None and name.table in common):
            found.append(name)
    return found


def _cte_names(tokens: Sequence[Token]) -> set[str]:
    """Names that stand before ``AS (`` (with or without a column list) in a text that has a WITH."""
    if not any(token.word == "WITH" for token in tokens):
        return set()
    names = set()
    for index, token in enumerate(tokens[:-1]):
        if token.word != "AS" or tokens[index + 1].text != "(" or index == 0:
            continue
        before = index - 1
        if tokens[before].text == ")":
            while before > 0 and tokens[before].text != "(":
                before -= 1
            before -= 1
        names.add(tokens[before].identifier)
    return names


def _table_positions(tokens: Sequence[Token]) -> Iterator[int]:
    """Indexes of tokens at which a table is named."""
    in_from: list[bool] = [False]  # For each open parenthesis: whether a FROM list is going on there.
    has_select: list[bool] = [False]
    for index, token in enumerate(tokens):
        if token.text == "(":
            in_from.append(False)
            has_select.append(False)
        elif token.text == ")" and len(in_from) > 1:
            in_from.pop()
            has_select.pop()
        elif token.text == "," and in_from[-1]:
            yield index + 1
        elif token.word in {"SELECT", "DELETE", "SHOW", "CONSUME"}:
            has_select[-1], in_from[-1] = True, False
        elif token.word in _BEFORE_TABLE and _introduces_table(tokens, index, has_select[-1]):
            in_from[-1] = token.word in {"FROM", "JOIN"}
            yield _skip_exists(tokens, index + 1)
        elif token.word in {"WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "UNION", "SET", "VALUES", "WINDOW", "ON"}:
            in_from[-1] = token.word == "ON" and in_from[-1]


def _introduces_table(tokens: Sequence[Token], index: int, has_select: bool) -> bool:
    if tokens[index].word != "FROM":
        return True
    # Not the FROM of ``IS DISTINCT FROM``, nor the one inside ``extract(… FROM …)`` and ``trim(… FROM …)``.
    distinct = index >= 2 and tokens[index - 1].word == "DISTINCT" and tokens[index - 2].word in {"IS", "NOT"}
    return has_select and not distinct


def _skip_exists(tokens: Sequence[Token], index: int) -> int:
    while index < len(tokens) and tokens[index].word in {"IF", "NOT", "EXISTS"}:
        index += 1
    return index


def _name_at(tokens: Sequence[Token], index: int) -> TableName | None:
    if index >= len(tokens) or not tokens[index].identifier or tokens[index].word in _NOT_A_TABLE:
        return None
    parts = [tokens[index].identifier]
    after = index + 1
    while after + 1 < len(tokens) and tokens[after].text == "." and tokens[after + 1].identifier:
        parts.append(tokens[after + 1].identifier)
        after += 2
    is_insert = index > 0 and tokens[index - 1].word == "INTO"
    is_create = any(token.word == "TABLE" for token in tokens[max(0, index - 4) : index])
    if after < len(tokens) and tokens[after].text == "(" and not is_insert and not is_create:
        return None  # A table function.
    return TableName(parts[-2] if len(parts) > 1 else None, parts[-1], tokens[index].start)


def quote_name(name: str) -> str:
    """A name as it can stand in SQL: as it is when it is plain and lower case, else in double quotes."""
    if re.fullmatch(r"[a-z][a-z0-9_]*", name):
        return name
    return '"' + name.replace('"', '""') + '"'


def qualify(sql: str, namespace: str) -> str:
    """Put a namespace before every table name that has none.

    The server's own ``namespace_id`` writes to the wrong table in some forms (truth R9), so the client does it.

    Raises:
        UnreadableSQL: The text cannot be tokenized.
    """
    parts, last = [], 0
    for name in table_names(sql):
        if name.namespace is None:
            parts += [sql[last : name.start], quote_name(namespace), "."]
            last = name.start
    return "".join([*parts, sql[last:]])
