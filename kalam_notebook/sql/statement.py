"""The few questions that the client asks of an SQL text: its statements, whether it only reads, the tables it names.

Texts are only tokenized, and nothing is ever changed inside strings and comments. What is not understood raises
``UnreadableSQL``: callers treat that as "suspicious", never as "safe". The dialect: SQL reference, sections 3 and 4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from kalam_notebook.errors import ConfigError
from kalam_notebook.sql.tokens import KEPT_CHARACTERS, Kind, Token, UnreadableSQL, first_token, tokenize

__all__ = [
    "Kind",
    "TableName",
    "Token",
    "UnreadableSQL",
    "first_word",
    "is_repeatable",
    "qualify",
    "quote_name",
    "quote_text",
    "split_statements",
    "table_names",
    "tokenize",
]


def split_statements(sql: str) -> list[str]:
    """Cut a text at the semicolons outside strings and comments; empty statements are left out."""
    statements, start, last = [], 0, 0
    for token in tokenize(sql):
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
    return next((token.word for token in tokenize(sql)), "")


_READS = {"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC"}
_WRITES = {"INSERT", "UPDATE", "DELETE", "INTO", "CREATE", "DROP", "ALTER", "CONSUME", "SNOWFLAKE_ID"}


def is_repeatable(sql: str) -> bool:
    """Whether sending the text twice does the same as sending it once.

    That is a single statement that only reads, or a transaction of such. A text that cannot be read is not repeatable.
    """
    return _kept_repeatable(sql) if len(sql) <= KEPT_CHARACTERS else _is_repeatable(sql)


def _is_repeatable(sql: str) -> bool:
    try:
        first = first_token(sql)
        # A text that writes may be long; most tell it by their first word.
        if first is None or first.word not in _READS | {"BEGIN", ""}:
            return False
        statements = _statements(tokenize(sql))
    except UnreadableSQL:
        return False
    words = [statement[0].word for statement in statements]
    if words[:1] == ["BEGIN"] and words[1:] and words[-1] == "COMMIT":
        statements = statements[1:-1]
    elif len(statements) != 1:
        return False
    return all(
        statement[0].word in _READS and not any(token.word in _WRITES for token in statement)
        for statement in statements
    )


def _statements(tokens: Sequence[Token]) -> list[list[Token]]:
    """The tokens of each statement."""
    found: list[list[Token]] = [[]]
    for token in tokens:
        if token.text == ";" and token.kind is Kind.SYMBOL:
            found.append([])
        else:
            found[-1].append(token)
    return [statement for statement in found if statement]


_kept_repeatable = lru_cache(maxsize=64)(_is_repeatable)


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


#: Words behind which no list of tables goes on.
_END_OF_FROM = {
    "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "UNION", "INTERSECT", "EXCEPT", "SET", "VALUES", "WINDOW",
    "QUALIFY",
}  # fmt: skip
#: Words that may stand where a table is expected without being its name.
_BEFORE_NAME = {"ONLY", "LATERAL"}
_BEGINS_QUERY = {"SELECT", "WITH", "VALUES", "TABLE", "FROM"}
_NO_NAME = {"SELECT", "WITH", "TABLE", "INSERT", "UPDATE", "DELETE", "EXTENDED", "ANALYZE", "VERBOSE", "FORMAT"}


@dataclass(slots=True)
class _Frame:
    """What is known inside one pair of parentheses, or of a statement outside of any.

    Attributes:
        in_from: Whether a comma separates tables here.
        table_at: Index of the token at which a table is expected.
        may_call: Whether what stands there is a function when a parenthesis follows it.
        first: The first word.
        has_from: Whether FROM introduces tables: not in ``extract(year FROM ts)``.
        ctes: Common tables that can be named from here on.
        cte: The common table that is being defined.
        part: What comes next of ``WITH name (columns) AS (body), …``: ``name``, ``as``, ``body``, ``next`` or nothing.
        is_recursive: Whether a common table can name itself.
    """

    in_from: bool = False
    table_at: int = -1
    may_call: bool = True
    first: str = ""
    has_from: bool = False
    ctes: set[str] = field(default_factory=set)
    cte: str = ""
    part: str = ""
    is_recursive: bool = False

    def expect(self, index: int, *, may_call: bool = False) -> None:
        self.table_at, self.may_call = index, may_call


def table_names(sql: str) -> list[TableName]:
    """The tables that a text names, in order; table functions, sub-queries and names of CTEs are left out.

    Raises:
        UnreadableSQL: The text cannot be tokenized, or something else stands where a table is expected.
    """
    return list(_kept_names(sql) if len(sql) <= KEPT_CHARACTERS else _table_names(sql))


def _table_names(sql: str) -> tuple[TableName, ...]:
    tokens = tokenize(sql)
    frames = [_Frame()]
    found = []
    for index, token in enumerate(tokens):
        frame = frames[-1]
        if token.kind is Kind.SYMBOL:
            _enter_symbol(frames, tokens, index)
        elif index == frame.table_at and token.word not in _BEGINS_QUERY:
            name = _name_at(tokens, index, frame)
            if name is not None and not (name.namespace is None and any(name.table in f.ctes for f in frames)):
                found.append(name)
        else:
            _enter_word(frame, tokens, index)
    return tuple(found)


_kept_names = lru_cache(maxsize=64)(_table_names)


def _enter_symbol(frames: list[_Frame], tokens: Sequence[Token], index: int) -> None:
    frame, text = frames[-1], tokens[index].text
    if text == "(":
        is_table = index == frame.table_at  # FROM (a JOIN b …), or a sub-query.
        frames.append(_Frame(in_from=is_table, table_at=index + 1 if is_table else -1))
    elif text == ")" and len(frames) > 1:
        frames.pop()
        if frames[-1].part == "body":
            frames[-1].ctes.add(frames[-1].cte)
            frames[-1].part = "next"
    elif text == ";":
        frames[:] = [_Frame()]
    elif text == "," and frame.part == "next":
        frame.part = "name"
    elif text == "," and frame.in_from:
        frame.expect(index + 1, may_call=True)
    elif index == frame.table_at:
        raise UnreadableSQL(f"A table was expected at character {tokens[index].start + 1}, and {text!r} stands there.")


def _enter_word(frame: _Frame, tokens: Sequence[Token], index: int) -> None:
    token, word = tokens[index], tokens[index].word
    previous = tokens[index - 1].word if index else ""
    is_first = not frame.first
    frame.first = frame.first or word or token.text
    if _enter_common_table(frame, tokens, index):
        return
    begins_list = word == "FROM" and (frame.has_from or is_first) and not _is_distinct_from(tokens, index)
    if begins_list or word == "JOIN":
        frame.in_from = True
        frame.expect(index + 1, may_call=True)
    elif word == "INTO" or (word == "SOURCE" and previous == "ADD") or (word == "TO" and frame.first == "SUBSCRIBE"):
        frame.expect(index + 1)
    elif word == "TABLE" or (word == "VIEW" and frame.first in {"CREATE", "DROP"} and previous != "AS"):
        frame.expect(_skip_exists(tokens, index + 1))
    elif word == "ON" and frame.first == "CREATE" and "INDEX" in {t.word for t in tokens[max(0, index - 3) : index]}:
        frame.expect(index + 1)
    elif (
        word == "UPDATE" and (is_first or frame.first in {"WITH", "EXPLAIN", "DESCRIBE", "DESC"}) and previous != "FOR"
    ):
        frame.has_from = True
        frame.expect(index + 1)
    elif (
        word in {"DESCRIBE", "DESC"} and is_first and index + 1 < len(tokens) and tokens[index + 1].word not in _NO_NAME
    ):
        frame.expect(index + 1)
    elif word in {"SELECT", "DELETE", "CONSUME", "COLUMNS"}:  # SHOW COLUMNS FROM t; SHOW TABLES FROM names no table.
        frame.has_from, frame.in_from = True, False
    elif word in _END_OF_FROM:
        frame.in_from = False


def _enter_common_table(frame: _Frame, tokens: Sequence[Token], index: int) -> bool:
    """Follow ``WITH [RECURSIVE] name [(columns)] AS [[NOT] MATERIALIZED] (body), …``; tell whether this is of it."""
    token, word = tokens[index], tokens[index].word
    if word == "WITH" and not frame.has_from and not frame.ctes and tokens[index + 1 : index + 2]:
        # CREATE TABLE … WITH (…) begins options.
        frame.part = "" if tokens[index + 1].text == "(" else "name"
        return True
    if frame.part == "name":
        if word == "RECURSIVE":
            frame.is_recursive = True
        elif token.identifier:
            frame.cte, frame.part = token.identifier, "as"
            if frame.is_recursive:
                frame.ctes.add(frame.cte)
        return True
    if frame.part == "as":
        if word == "AS":
            frame.part = "body"
        return True
    if frame.part == "body":
        return True  # [NOT] MATERIALIZED
    if frame.part == "next":
        frame.part = ""
    return False


def _is_distinct_from(tokens: Sequence[Token], index: int) -> bool:
    """``IS [NOT] DISTINCT FROM`` compares."""
    return index >= 2 and tokens[index - 1].word == "DISTINCT" and tokens[index - 2].word in {"IS", "NOT"}


def _skip_exists(tokens: Sequence[Token], index: int) -> int:
    while index < len(tokens) and tokens[index].word in {"IF", "NOT", "EXISTS"}:
        index += 1
    return index


def _name_at(tokens: Sequence[Token], index: int, frame: _Frame) -> TableName | None:
    """The table named here; None for a table function."""
    token = tokens[index]
    if token.word in _BEFORE_NAME and index + 1 < len(tokens) and tokens[index + 1].text != ".":
        frame.table_at = index + 1
        return None
    if not token.identifier:
        raise UnreadableSQL(f"A table was expected at character {token.start + 1}, and {token.text!r} stands there.")
    parts = [token.identifier]
    after = index + 1
    while after + 1 < len(tokens) and tokens[after].text == "." and tokens[after + 1].identifier:
        parts.append(tokens[after + 1].identifier)
        after += 2
    if frame.may_call and after < len(tokens) and tokens[after].text == "(":
        return None
    return TableName(parts[-2] if len(parts) > 1 else None, parts[-1], token.start)


#: Reserved as names, though ALTER TABLE lets them through; accepted as names, and read as something else without quotes
#: (SQL reference, section 3.2).
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
