"""The shape of a live query: ``SELECT columns FROM namespace.table [WHERE …]`` and nothing else.

Refusals carry the server's texts (protocol/live.md#server-messages, #queries).
What the WHERE means is for `predicate` (live
events) and for the engine (snapshot).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kalam_sandbox.sql.tokens import QUOTED, SYMBOL, WORD, Token, UnterminatedError, tokenize

_ONLY = "Subscription query supports only SELECT ... FROM ... [WHERE ...]."
_NOT = "Subscription query does not support {}. Only SELECT ... FROM ... [WHERE ...] is supported."
# Words that end the FROM and WHERE clauses, in the order in which the server complains about them.
_CLAUSES = {
    "ORDER": _NOT.format("ORDER BY"),
    "LIMIT": _ONLY,
    "OFFSET": _ONLY,
    "FETCH": _ONLY,
    "FOR": _ONLY,
    "UNION": "Subscription query supports only simple SELECT statements.",
    "EXCEPT": "Subscription query supports only simple SELECT statements.",
    "INTERSECT": "Subscription query supports only simple SELECT statements.",
    "DISTINCT": _ONLY,
    "INTO": _ONLY,
    "HAVING": _ONLY,
    "WINDOW": _ONLY,
    "QUALIFY": _ONLY,
    "GROUP": _NOT.format("GROUP BY"),
}
# Namespace and table.
_NAME_PARTS = 2
_JOIN = ("JOIN", "CROSS", "INNER", "LEFT", "RIGHT", "FULL", "NATURAL")


_NAMES = (WORD, QUOTED)


class _BadSql(Exception):
    """A text that is no SQL; the message is in the manner of the server's parser."""


class InvalidQuery(Exception):
    """A query that cannot be live; the text is the message of an ``INVALID_SQL`` error."""

    def __init__(self, reason: str) -> None:
        # The server wraps its own refusals twice (protocol/live.md#server-messages).
        super().__init__(f"Invalid SQL: {reason}")


@dataclass(frozen=True, slots=True)
class LiveQuery:
    """A live query, taken apart.

    Attributes:
        namespace: Namespace of the table.
        table: Name of the table.
        columns: Projected names or expressions as the snapshot selects them; None for ``*``.
        where: Text of the WHERE clause without comments, None without one.
        version: Name of the column that numbers row versions.
    """

    namespace: str
    table: str
    columns: tuple[str, ...] | None
    where: str | None
    version: str = "_seq"


def parse_live_query(sql: str, version: str = "_seq", *, is_plain: bool = False) -> LiveQuery:
    """Take a live query apart.

    Args:
        sql: Its text.
        version: Name of the column that numbers row versions.
        is_plain: Whether aliases, expressions and longer names are refused.

    Raises:
        InvalidQuery: It is no SQL, or has another shape.
    """
    try:
        tokens = _single_statement(tokenize(sql))
        clauses = _clauses(tokens)
        _refuse_clauses(clauses)
        name = _table_name(clauses.get("FROM"))
        if is_plain:
            _refuse_decoration(clauses)
        columns = _columns(_split_commas(clauses["SELECT"]), version)
        if is_plain and columns is not None:
            columns = tuple(name.lower() for name in columns)
    except (_BadSql, UnterminatedError) as error:
        raise InvalidQuery(f"Parse error: Failed to parse SQL: sql parser error: {error}") from None
    namespace, dot, table = name.partition(".")
    if not dot:
        raise InvalidQuery("Query must use namespace.table format")
    where = clauses.get("WHERE")
    return LiveQuery(namespace, table, columns, _render(where) if where is not None else None, version)


def _render(tokens: Sequence[Token]) -> str:
    """Write tokens as SQL on one line, without comments."""
    parts = []
    end = None
    for token in tokens:
        parts.append(" " + token.text if end is not None and token.start > end else token.text)
        end = token.end
    return "".join(parts)


def _split_commas(tokens: Sequence[Token]) -> list[list[Token]]:
    """Split a list at the commas that stand outside of brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _spelled(token: Token) -> str:
    """Return a name as written, without its quotes; case is kept, as the server does here."""
    return token.name if token.kind == QUOTED else token.text


def _invalid(reason: str) -> InvalidQuery:
    return InvalidQuery(f"Invalid SQL: {reason}")


def _single_statement(tokens: list[Token]) -> list[Token]:
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    if not tokens:
        raise _invalid("Empty SQL statement")
    if any(token.text == ";" for token in tokens):
        raise _invalid("Subscription query must contain exactly one SELECT statement")
    if tokens[0].upper == "WITH":
        raise _invalid(_NOT.format("WITH clauses"))
    if tokens[0].text == "(" or tokens[0].upper == "VALUES":
        raise _invalid(_CLAUSES["UNION"])
    if tokens[0].upper != "SELECT":
        raise _invalid("Only SELECT queries are supported for subscriptions")
    return tokens


def _clauses(tokens: Sequence[Token]) -> dict[str, list[Token]]:
    """Split a statement at the words that begin its clauses."""
    clauses: dict[str, list[Token]] = {"SELECT": []}
    current, depth = clauses["SELECT"], 0
    for token in tokens[1:]:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth < 0:
            raise _BadSql("Expected: end of statement, found: )")
        begins = depth == 0 and token.upper in ("FROM", "WHERE", *_CLAUSES) and token.upper not in clauses
        # ``IS DISTINCT FROM`` may stand in a WHERE.
        if begins and not ("WHERE" in clauses and token.upper in ("DISTINCT", "FROM")):
            clauses[token.upper] = []
            # The columns go on behind DISTINCT.
            current = current if token.upper == "DISTINCT" else clauses[token.upper]
        else:
            current.append(token)
    if depth:
        raise _BadSql("Expected: ), found: EOF")
    return clauses


def _refuse_clauses(clauses: dict[str, list[Token]]) -> None:
    for word, reason in _CLAUSES.items():
        if word in clauses:
            raise _invalid(reason)
    if clauses.get("WHERE") == [] or not clauses["SELECT"]:
        raise _BadSql("Expected: an expression, found: EOF")


def _table_name(tokens: list[Token] | None) -> str:
    """Read ``namespace.table [AS alias]``; the alias has no effect."""
    tables = _split_commas(tokens or [])
    if not tokens or len(tables) != 1:
        raise _invalid("Subscription query requires exactly one table in the FROM clause.")
    if any(token.upper in _JOIN for token in tokens):
        raise _invalid(_NOT.format("JOIN clauses"))
    if tokens[0].text == "(":
        raise _invalid("Subscription query requires a direct table reference in FROM.")
    path, rest = _path(tokens)
    if rest[:1] and rest[0].upper == "AS":
        rest = rest[1:]
    if not path or len(rest) > 1 or (rest and rest[0].kind not in _NAMES):
        found = rest[-1].text if rest else tokens[0].text
        raise _BadSql(f"Expected: end of statement, found: {found}")
    return ".".join(part.name for part in path)


def _refuse_decoration(clauses: dict[str, list[Token]]) -> None:
    """Refuse all but plain columns, and a table of two names."""
    path, rest = _path(clauses["FROM"])
    if rest:
        raise _invalid(_NOT.format("table aliases"))
    if len(path) > _NAME_PARTS:
        raise _invalid("Subscription query must use namespace.table format")
    items = _split_commas(clauses["SELECT"])
    if any(len(item) != 1 or (item[0].kind not in _NAMES and item[0].text != "*") for item in items):
        raise _invalid(_NOT.format("column aliases or expressions"))


def _path(tokens: Sequence[Token]) -> tuple[list[Token], list[Token]]:
    """Split off a dotted name at the front."""
    path = []
    index = 0
    while index < len(tokens) and tokens[index].kind in _NAMES:
        path.append(tokens[index])
        if index + 2 >= len(tokens) or tokens[index + 1].text != ".":
            index += 1
            break
        index += 2
    return path, list(tokens[index:])


def _columns(items: list[list[Token]], version: str) -> tuple[str, ...] | None:
    """Name the projected columns; an alias takes the column's place, which is why aliases fail."""
    names = []
    for item in items:
        if not item:
            raise _BadSql("Expected: an expression, found: ,")
        expression, alias = _alias(item)
        path, rest = _path(expression)
        name = _render(expression) if rest else ".".join(_spelled(part) for part in path)
        if name.rpartition(".")[2].lower() in (version, "_deleted"):
            raise _invalid(f"Subscription query cannot project system columns '{version}' or '_deleted'.")
        names.append(_spelled(alias) if alias else name)
    return None if any(name == "*" or name.endswith(".*") for name in names) else tuple(names)


def _alias(item: list[Token]) -> tuple[list[Token], Token | None]:
    if len(item) > 2 and item[-2].upper == "AS" and item[-1].kind in _NAMES:
        return item[:-2], item[-1]
    before = item[-2] if len(item) > 1 else None
    ends_expression = before is not None and (before.kind != SYMBOL or before.text in (")", "]"))
    if item[-1].kind in _NAMES and ends_expression and item[-1].upper not in ("END", "NULL", "TRUE", "FALSE"):
        return item[:-1], item[-1]
    return item, None
