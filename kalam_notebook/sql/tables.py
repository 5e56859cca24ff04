"""Which tables a text names, which of them a query reads, and which of their columns it names. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kalam_notebook.sql.statement import Statement, quote_name
from kalam_notebook.sql.tokens import Kind, Token, UnreadableSQL

__all__ = [
    "SYSTEM_NAMESPACES",
    "TableName",
    "bound_table",
    "is_one_scan",
    "named_alone",
    "named_columns",
    "qualify",
    "reads_system_tables",
    "scanned_tables",
    "table_named",
    "table_names",
]

#: Namespaces of the server itself. Their tables have no row versions.
SYSTEM_NAMESPACES = frozenset({"system", "information_schema"})


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
_DEFINES = {"ALTER", "CREATE", "DROP"}
_BEFORE_UPDATE = {"WITH", "EXPLAIN", "DESCRIBE", "DESC"}
#: What has a table behind ON, and what rights are given on beside tables.
_ON_TABLE = {"INDEX", "POLICY"}
_RIGHTS = {"GRANT", "REVOKE"}
_NO_TABLE = {"ALL", "DATABASE", "FUNCTION", "NAMESPACE", "SCHEMA", "SEQUENCE", "STORAGE", "TOPIC"}
_NO_NAME = {"SELECT", "WITH", "TABLE", "INSERT", "UPDATE", "DELETE", "EXTENDED", "ANALYZE", "VERBOSE", "FORMAT"}


@dataclass(slots=True)
class _Scope:
    """What is known inside one pair of parentheses, or of a statement outside of any.

    Attributes:
        in_from: Whether a comma separates tables here.
        table_at: Index of the token at which a table is expected.
        may_call: Whether what stands there is a function when a parenthesis follows it.
        first: The first word.
        is_on_table: Whether it is of an index or a policy, whose table stands behind ON.
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
    is_on_table: bool = False
    has_from: bool = False
    ctes: set[str] = field(default_factory=set)
    cte: str = ""
    part: str = ""
    is_recursive: bool = False

    def expect(self, index: int, *, may_call: bool = False) -> None:
        self.table_at = index
        self.may_call = may_call


def named_alone(text: str) -> TableName | None:
    """The table of a text that is ``table`` or ``namespace.table``; None for anything else."""
    try:
        tokens = Statement.of(text).tokens
    except UnreadableSQL:
        return None

    names, points = tokens[::2], tokens[1::2]
    is_name = len(points) < 2 and len(names) == len(points) + 1 and all(token.text == "." for token in points)
    if not is_name or not all(token.identifier for token in names):
        return None
    return TableName(names[0].identifier if points else None, names[-1].identifier, names[0].start)


def table_named(text: str) -> TableName | None:
    """The table that a text names, with an alias or without; None where it is anything else, or cannot be read."""
    try:
        names = table_names(f"SELECT * FROM {text}")
    except UnreadableSQL:
        return None
    return names[0] if len(names) == 1 else None


def table_names(sql: str) -> list[TableName]:
    """The tables that a text names, in order; table functions, sub-queries and names of CTEs are left out.

    Raises:
        UnreadableSQL: The text cannot be tokenized, or something else stands where a table is expected.
    """
    return list(Statement.of(sql).keep(_table_names))


def _table_names(statement: Statement) -> tuple[TableName, ...]:
    tokens = statement.tokens
    scopes = [_Scope()]
    found = []
    for index, token in enumerate(tokens):
        scope = scopes[-1]
        if token.kind is Kind.SYMBOL:
            _enter_symbol(scopes, tokens, index)
        elif index == scope.table_at and token.word not in _BEGINS_QUERY:
            name = _name_at(tokens, index, scope)
            if name is not None and not (name.namespace is None and any(name.table in f.ctes for f in scopes)):
                found.append(name)
        else:
            _enter_word(scope, tokens, index, outermost=scopes[0].first)
    return tuple(found)


def _enter_symbol(scopes: list[_Scope], tokens: Sequence[Token], index: int) -> None:
    scope, text = scopes[-1], tokens[index].text
    if text == "(":
        is_table = index == scope.table_at  # FROM (a JOIN b …), or a sub-query.
        scopes.append(_Scope(in_from=is_table, table_at=index + 1 if is_table else -1))
    elif text == ")" and len(scopes) > 1:
        scopes.pop()
        if scopes[-1].part == "body":
            scopes[-1].ctes.add(scopes[-1].cte)
            scopes[-1].part = "next"
    elif text == ";":
        scopes[:] = [_Scope()]
    elif text == "," and scope.part == "next":
        scope.part = "name"
    elif text == "," and scope.in_from:
        scope.expect(index + 1, may_call=True)
    elif index == scope.table_at:
        raise UnreadableSQL(f"A table was expected at character {tokens[index].start + 1}, and {text!r} stands there.")


def _enter_word(scope: _Scope, tokens: Sequence[Token], index: int, *, outermost: str) -> None:
    word = tokens[index].word
    is_first = not scope.first
    scope.first = scope.first or word or tokens[index].text
    if _enter_common_table(scope, tokens, index) or _enter_right(scope, tokens, index):
        return

    if _begins_list(scope, tokens, index, is_first=is_first):
        scope.in_from = True
        scope.expect(index + 1, may_call=True)
    elif word == "TABLE" or (word == "VIEW" and scope.first in _DEFINES and tokens[index - 1].word != "AS"):
        scope.in_from |= scope.first in {"DROP", "TRUNCATE"}  # In a FROM the list goes on behind TABLE(…).
        scope.expect(_skip_exists(tokens, index + 1))
    elif _precedes_table(scope, tokens, index, is_first=is_first, outermost=outermost):
        scope.expect(index + 1)
    elif word == "UPDATE" and (is_first or scope.first in _BEFORE_UPDATE) and tokens[index - 1].word != "FOR":
        scope.has_from = True
        scope.expect(index + 1)
    elif word in _ON_TABLE and scope.first in _DEFINES:
        scope.is_on_table = True
    elif word == "ON" and scope.is_on_table:
        scope.is_on_table = False
        scope.expect(index + 1)
    elif word in {"SELECT", "DELETE", "CONSUME", "COLUMNS"}:  # SHOW COLUMNS FROM t; SHOW TABLES FROM names no table.
        scope.has_from = True
        scope.in_from = False
    elif word in _END_OF_FROM:
        scope.in_from = False


def _begins_list(scope: _Scope, tokens: Sequence[Token], index: int, *, is_first: bool) -> bool:
    """Whether tables follow, or functions that give rows, between commas."""
    word, following = tokens[index].word, _word_at(tokens, index + 1)
    if word == "FROM":
        return (scope.has_from or is_first) and not _is_distinct_from(tokens, index)
    if word == "USING":
        # Behind JOIN columns stand in parentheses.
        return scope.first == "MERGE" or (scope.first in {"DELETE", "WITH"} and following != "(")
    return word == "JOIN" or (word == "TRUNCATE" and is_first and following != "TABLE")


def _precedes_table(scope: _Scope, tokens: Sequence[Token], index: int, *, is_first: bool, outermost: str) -> bool:
    """Whether one table follows."""
    word = tokens[index].word
    previous = _word_at(tokens, index - 1)
    following = _word_at(tokens, index + 1)
    if word == "TO":
        return scope.first == "SUBSCRIBE" or previous == "RENAME"
    if word == "REFERENCES":
        return outermost in _DEFINES and following not in {"", "(", ")", ",", "."}
    if word in {"DESCRIBE", "DESC"}:
        return is_first and following not in {"", *_NO_NAME}
    return word == "INTO" or (word == "SOURCE" and previous == "ADD")


def _word_at(tokens: Sequence[Token], index: int) -> str:
    """The word that stands there, or else the text; empty outside of the statement."""
    if not 0 <= index < len(tokens):
        return ""
    return tokens[index].word or tokens[index].text


def _enter_common_table(scope: _Scope, tokens: Sequence[Token], index: int) -> bool:
    """Follow ``WITH [RECURSIVE] name [(columns)] AS [[NOT] MATERIALIZED] (body), …``; tell whether this is of it."""
    token, word = tokens[index], tokens[index].word
    if word == "WITH" and not scope.has_from and not scope.ctes and tokens[index + 1 : index + 2]:
        # CREATE TABLE … WITH (…) begins options.
        scope.part = "" if tokens[index + 1].text == "(" else "name"
        return True

    if scope.part == "name":
        if word == "RECURSIVE":
            scope.is_recursive = True
        elif token.identifier:
            scope.cte = token.identifier
            scope.part = "as"
            if scope.is_recursive:
                scope.ctes.add(scope.cte)
        return True

    if scope.part == "as":
        if word == "AS":
            scope.part = "body"
        return True
    if scope.part == "body":
        return True  # [NOT] MATERIALIZED

    if scope.part == "next":
        scope.part = ""
    return False


def _enter_right(scope: _Scope, tokens: Sequence[Token], index: int) -> bool:
    """Follow ``GRANT rights ON tables TO users``; tell whether this is of it. Its words mean something else there."""
    if scope.first not in _RIGHTS:
        return False
    word = tokens[index].word
    if word == "ON" and index + 1 < len(tokens) and tokens[index + 1].word not in _NO_TABLE:
        scope.in_from = True
        scope.expect(index + 2 if tokens[index + 1].word == "TABLE" else index + 1)
    elif word in {"TO", "FROM"}:
        scope.in_from = False
    return True


def _is_distinct_from(tokens: Sequence[Token], index: int) -> bool:
    """``IS [NOT] DISTINCT FROM`` compares."""
    return index >= 2 and tokens[index - 1].word == "DISTINCT" and tokens[index - 2].word in {"IS", "NOT"}


def _skip_exists(tokens: Sequence[Token], index: int) -> int:
    while index < len(tokens) and tokens[index].word in {"IF", "NOT", "EXISTS"}:
        index += 1
    return index


def _name_at(tokens: Sequence[Token], index: int, scope: _Scope) -> TableName | None:
    """The table named here; None for a table function."""
    token = tokens[index]
    if token.word in _BEFORE_NAME and index + 1 < len(tokens) and tokens[index + 1].text != ".":
        scope.table_at = index + 1
        return None
    if not token.identifier:
        raise UnreadableSQL(f"A table was expected at character {token.start + 1}, and {token.text!r} stands there.")
    parts = [token.identifier]
    after = index + 1
    while after + 1 < len(tokens) and tokens[after].text == "." and tokens[after + 1].identifier:
        parts.append(tokens[after + 1].identifier)
        after += 2
    if scope.may_call and after < len(tokens) and tokens[after].text == "(":
        return None
    return TableName(parts[-2] if len(parts) > 1 else None, parts[-1], token.start)


def qualify(sql: str, namespace: str) -> Statement:
    """Put a namespace before every table name that has none.

    The server's own ``namespace_id`` writes to the wrong table in some forms (truth R9), so the client does it.

    Raises:
        UnreadableSQL: The text cannot be tokenized.
    """
    prefix = f"{quote_name(namespace)}."
    bare = [name.start for name in table_names(sql) if name.namespace is None]
    return Statement.of(sql).replaced((start, start, prefix) for start in bare)


def scanned_tables(sql: str) -> list[str] | None:
    """The tables that a query scans, each once, without the server's own; None when they cannot be told."""
    found = Statement.of(sql).keep(_scanned_tables)
    return None if found is None else list(found)


def _scanned_tables(statement: Statement) -> tuple[str, ...] | None:
    try:
        names = table_names(statement)
    except UnreadableSQL:
        return None
    found = {(name.namespace or "default", name.table): None for name in names}
    return tuple(f"{quote_name(space)}.{quote_name(table)}" for space, table in found if space not in SYSTEM_NAMESPACES)


def is_one_scan(sql: str) -> bool:
    """Whether a query scans one table once, or none: several scans see several states (truth L29).

    A common table may be read more than once, and what cannot be told from the text may be, too.
    """
    return Statement.of(sql).keep(_is_one_scan)


def _is_one_scan(statement: Statement) -> bool:
    try:
        count = len(table_names(statement))
        return count == 0 or (count == 1 and not any(token.word == "WITH" for token in statement.tokens))
    except UnreadableSQL:
        return False


def reads_system_tables(sql: str) -> bool:
    """Whether a query reads tables of the server itself, or may do so."""
    try:
        return any(name.namespace in SYSTEM_NAMESPACES for name in table_names(sql))
    except UnreadableSQL:
        return True


def bound_table(sql: str) -> tuple[str, str] | None:
    """The one table that a text reads, for binding FILE references; None when there are several or none."""
    try:
        names = {(name.namespace, name.table) for name in table_names(sql)}
    except UnreadableSQL:
        return None
    if len(names) != 1:
        return None
    namespace, table = names.pop()
    return (namespace or "default", table)


def named_columns(sql: str) -> tuple[set[str], bool]:
    """Every name that occurs in a query, and whether a ``*`` stands for columns in it."""
    tokens = Statement.of(sql).tokens
    stars = (i for i, token in enumerate(tokens) if token.text == "*")
    has_star = any(
        tokens[i - 1].word in {"SELECT", "ALL", "DISTINCT"} or tokens[i - 1].text in {",", "."} for i in stars if i
    )
    return {token.identifier for token in tokens} - {""}, has_star
