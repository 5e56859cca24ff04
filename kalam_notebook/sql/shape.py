"""What a SELECT looks like from outside: enough to tell whether its plain answer can be trusted.

The server cuts, re-sorts and mislabels results of certain shapes (truth L1–L7). Here a text is only looked at; whatever
is not understood is reported as such, and the reader then reads it the careful way. Pure; called by ``tables``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kalam_notebook.sql.statement import Statement, enclosed, quote_name
from kalam_notebook.sql.tokens import Kind, Token
from kalam_notebook.wire.row_version import DELETED, VERSION_COLUMNS

__all__ = [
    "SET_OPERATIONS",
    "Clauses",
    "Shape",
    "bare_branches",
    "impersonation",
    "items_of",
    "rename_duplicates",
    "returns_rows",
    "shape_of",
    "source_of",
    "split_items",
    "top_level",
    "until",
    "without_alias",
]

SET_OPERATIONS = {"UNION", "INTERSECT", "EXCEPT"}
_AFTER_SELECT_LIST = {
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "WINDOW",
    "QUALIFY",
    "ORDER",
    "LIMIT",
    "OFFSET",
    *SET_OPERATIONS,
}
_AFTER_FROM = _AFTER_SELECT_LIST - {"FROM"}
#: ``extract(year FROM ts)`` is not worth telling from a query that begins with FROM.
_BEGINS_QUERY = {"SELECT", "VALUES", "TABLE", "WITH", "FROM"}


@dataclass(frozen=True, slots=True)
class Clauses:
    """The parts of ``SELECT columns FROM table [alias] [WHERE condition]``, as written.

    Attributes:
        columns: Between SELECT and FROM.
        table: Between FROM and WHERE: the table and perhaps an alias.
        where: Behind WHERE; empty without one.
        looks_up: The column that the condition compares with one value, if it does nothing else; else empty.
        names_versions: Whether the condition names the row version or ``_deleted``, which decide what is scanned.
    """

    columns: str
    table: str
    where: str
    looks_up: str = ""
    names_versions: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """The outside of one statement.

    Attributes:
        text: The statement without semicolon; comments are kept.
        is_select: A SELECT or WITH, perhaps in parentheses, that can stand in a sub-query.
        is_told_whole: SHOW, DESCRIBE or EXPLAIN, whose rows are never cut.
        limits_top: LIMIT or OFFSET ends the statement itself: the cap is 1000 then. One inside IN or EXISTS does not
            count for the server, so elsewhere 50 is assumed.
        order_by: The output names it is sorted by at the top; empty when it is not sorted; None when it is sorted by
            something that is not a plain name.
        is_plain: Only columns or ``*`` of one or more tables, so that the announced types are those of the tables.
        is_grouped: DISTINCT, GROUP BY or a set operation stands somewhere in it.
        clauses: Of a plain query over one table without sort and limit, else None.
        is_count: ``SELECT count(*) FROM table`` and nothing else.
        has_inner_order: ORDER BY stands somewhere in it, if only in a sub-query.
        names_behind_from: Every name that occurs behind the FROM of the statement itself.
    """

    text: Statement
    is_select: bool
    is_told_whole: bool = False
    limits_top: bool = False
    order_by: tuple[str, ...] | None = ()
    is_plain: bool = False
    is_grouped: bool = False
    clauses: Clauses | None = None
    is_count: bool = False
    has_inner_order: bool = False
    names_behind_from: frozenset[str] = frozenset()


def shape_of(sql: str) -> Shape | None:
    """Look at a text.

    Returns:
        The shape, or None when the text is not exactly one statement that can be read.
    """
    return Statement.of(sql).keep(_shape_of)


def _shape_of(given: Statement) -> Shape | None:
    if not given.is_readable or len(given.statements) != 1:
        return None
    (statement,) = given.statements
    while _is_enclosed(statement.tokens):
        statement = statement.part(statement.tokens[0].end, statement.tokens[-1].start)

    tokens = statement.tokens
    first = next((token.word for token in tokens if token.text != "("), "")
    if first not in {"SELECT", "WITH"}:
        return Shape(statement, is_select=False, is_told_whole=first in {"SHOW", "DESCRIBE", "DESC", "EXPLAIN"})
    top = list(top_level(tokens))
    is_plain = _is_plain(tokens, top)
    return Shape(
        statement,
        is_select="INTO" not in {token.word for token in top},
        limits_top=any(token.word in {"LIMIT", "OFFSET"} for token in top),
        order_by=_order_by(top),
        is_plain=is_plain,
        is_grouped=any(token.word in {"DISTINCT", "GROUP", *SET_OPERATIONS} for token in tokens),
        clauses=_clauses(statement, tokens, top) if is_plain else None,
        is_count=_is_count(tokens),
        has_inner_order="ORDER" in {token.word for token in tokens},
        names_behind_from=_names_behind_from(tokens, top),
    )


def _is_enclosed(tokens: Sequence[Token]) -> bool:
    """Whether one pair of parentheses is around everything."""
    return len(tokens) > 2 and tokens[0].text == "(" and [token.text for token in top_level(tokens)] == ["(", ")"]


def impersonation(sql: str) -> tuple[str, Statement] | None:
    """Take the envelope from ``EXECUTE AS USER name (statement)``, from 0.5 on ``EXECUTE AS name (statement)``.

    Returns:
        What stands before the parenthesis as written, and the statement; None for any other text.
    """
    statement = Statement.of(sql)
    tokens = statement.single if statement.is_readable else ()
    words = [token.word for token in tokens[:3]]
    name = 3 if words[2:] == ["USER"] else 2
    if words[:2] != ["EXECUTE", "AS"] or len(tokens) < name + 4 or tokens[name + 1].text != "(":
        return None
    if tokens[-1].text != ")":
        return None
    return statement[tokens[0].start : tokens[name].end], statement.part(tokens[name + 1].end, tokens[-1].start)


def returns_rows(sql: str) -> bool:
    """Whether a statement only asks: a SELECT, also as another user, SHOW, DESCRIBE or EXPLAIN."""
    _, text = impersonation(sql) or ("", sql)
    shape = shape_of(text)
    return shape is not None and (shape.is_select or shape.is_told_whole)


def bare_branches(sql: str, names: Sequence[str]) -> Statement:
    """Make the sides of UNION, INTERSECT and EXCEPT equal in all but their values.

    The server's engine knows columns of tables by more than their type, and cannot put a set operation of different
    ones into a sub-query (truth R1). The element of a list has a type alone.

    Args:
        sql: A single SELECT without a semicolon.
        names: Its output names, all different.

    Returns:
        The text with each side wrapped; as it is without a set operation outside parentheses.
    """
    statement = Statement.of(sql)
    top = list(top_level(statement.tokens))
    cuts = [index for index, token in enumerate(top) if token.word in SET_OPERATIONS]
    if not cuts:
        return statement

    start = next(index for index, token in enumerate(top) if token.word == "SELECT" or token.text == "(")
    if top[0].word == "WITH":
        start = next((index for index, token in enumerate(top) if token.word == "SELECT"), start)
    tail = next((i for i in range(cuts[-1], len(top)) if top[i].word in {"ORDER", "LIMIT", "OFFSET"}), len(top))
    quoted = [quote_name(name) for name in names]
    columns = ", ".join(f"[{name}][1] AS {name}" for name in quoted)
    edits = []
    for begin, end in zip([start, *(_behind(top, cut) for cut in cuts)], [*cuts, tail], strict=True):
        first, stop = top[begin].start, top[end - 1].end
        side = f"{enclosed(sql[first:stop])} AS kalam_side({', '.join(quoted)})"
        edits.append((first, stop, f"SELECT {columns} FROM {side}"))
    return statement.replaced(edits)


def _behind(top: Sequence[Token], cut: int) -> int:
    """Where the side behind ``UNION [ALL | DISTINCT] [BY NAME]`` begins."""
    index = cut + 1
    while top[index].word in {"ALL", "DISTINCT", "BY", "NAME"}:
        index += 1
    return index


def _clauses(sql: Statement, tokens: Sequence[Token], top: Sequence[Token]) -> Clauses | None:
    words = [token.word for token in top]
    start = words.index("FROM")
    source = until(top[start + 1 :], {"WHERE"})
    allowed = all(token.identifier or token.text == "." for token in source)
    if not allowed or set(words[start + 1 :]) & {"JOIN", "ON", *_AFTER_FROM - {"WHERE"}}:
        return None

    rest = top[start + 1 + len(source) :]
    condition = [token for token in tokens if rest and token.start >= rest[0].end]
    if any(token.word in _BEGINS_QUERY for token in tokens[tokens.index(top[start]) + 1 :]):
        return None  # A sub-query in the condition reads tables of its own.

    return Clauses(
        sql[top[0].end : top[start].start].strip(),
        sql[source[0].start : source[-1].end],
        sql[rest[0].end : top[-1].end].strip() if rest else "",
        _looked_up(condition),
        any(token.identifier in {*VERSION_COLUMNS, DELETED} for token in condition),
    )


def _looked_up(condition: Sequence[Token]) -> str:
    """The column of ``column = value`` or ``t.column = value``."""
    texts = [token.text for token in condition]
    equals = texts.index("=") if "=" in texts else 0
    column, value = condition[:equals], condition[equals + 1 :]
    if value and value[0].text == "-":
        value = value[1:]
    is_value = len(value) == 1 and value[0].kind in {Kind.NUMBER, Kind.STRING, Kind.PARAMETER}
    is_column = len(column) == 1 or (len(column) == 3 and column[1].text == ".")
    return column[-1].identifier if is_value and is_column else ""


def _is_count(tokens: Sequence[Token]) -> bool:
    """``SELECT count(*) [[AS] name] FROM table [alias]``."""
    texts = [token.text.lower() for token in tokens]
    if texts[:5] != ["select", "count", "(", "*", ")"] or "from" not in texts:
        return False
    rest = tokens[5:]
    words = {token.word for token in rest}
    return all(token.identifier or token.text == "." for token in rest) and not words & {"JOIN", *_AFTER_FROM}


def _names_behind_from(tokens: Sequence[Token], top: Sequence[Token]) -> frozenset[str]:
    start = next((token.start for token in top if token.word == "FROM"), None)
    return frozenset(token.identifier for token in tokens if start is not None and token.start > start) - {""}


def rename_duplicates(sql: str, names: Sequence[str]) -> Statement | None:
    """Give columns with equal names names of their own, so that the query can stand in a sub-query.

    Args:
        sql: A single SELECT without a semicolon.
        names: Its output names.

    Returns:
        The text in which each repeated name is an alias ``kalam_0``, ``kalam_1`` …; None when the output columns are
        not written one by one.
    """
    statement = Statement.of(sql)
    items = items_of(statement.tokens)
    if items is None or len(items) != len(names):
        return None

    repeated = (
        (number, item) for number, (item, name) in enumerate(zip(items, names, strict=True)) if names.count(name) > 1
    )
    return statement.replaced(
        (without_alias(item)[-1].end, item[-1].end, f" AS kalam_{number}") for number, item in repeated
    )


def items_of(tokens: Sequence[Token]) -> list[list[Token]] | None:
    """The tokens of each output column, without what stands in parentheses; None when it is not one plain SELECT."""
    top = list(top_level(tokens))
    if tokens[0].word != "SELECT" or {token.word for token in top} & SET_OPERATIONS:
        return None
    return split_items(until(top[1:], _AFTER_SELECT_LIST))


def source_of(tokens: Sequence[Token]) -> list[Token]:
    """The tokens between FROM and what follows the tables, without what stands in parentheses."""
    top = list(top_level(tokens))
    start = next((index for index, token in enumerate(top) if token.word == "FROM"), len(top))
    return until(top[start + 1 :], _AFTER_FROM)


def top_level(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens outside of parentheses, and the parentheses."""
    depth = 0
    for token in tokens:
        if token.text in {")", "]", "}"} and token.kind is Kind.SYMBOL:
            depth -= 1
        if depth == 0:
            yield token
        if token.text in {"(", "[", "{"} and token.kind is Kind.SYMBOL:
            depth += 1


def _order_by(top: Sequence[Token]) -> tuple[str, ...] | None:
    starts = [index for index, token in enumerate(top[:-1]) if token.word == "ORDER" and top[index + 1].word == "BY"]
    if not starts:
        return ()
    names = []
    for item in split_items(until(top[starts[-1] + 2 :], {"LIMIT", "OFFSET"})):
        if not item or not item[0].identifier:
            return None
        if any(token.word not in {"ASC", "DESC", "NULLS", "FIRST", "LAST"} for token in item[1:]):
            return None
        names.append(item[0].identifier)
    return tuple(names)


def _is_plain(tokens: Sequence[Token], top: Sequence[Token]) -> bool:
    words = {token.word for token in top}
    if tokens[0].word != "SELECT" or words & (SET_OPERATIONS | {"GROUP", "DISTINCT"}):
        return False
    columns = until(top[1:], _AFTER_SELECT_LIST)
    if not all(_is_plain_item(item) for item in split_items(columns)):
        return False
    rest = top[1 + len(columns) :]
    # A sub-query or table function in FROM brings computed columns under plain names.
    return (
        bool(rest)
        and rest[0].word == "FROM"
        and "(" not in {token.text for token in until(rest[1:], _AFTER_FROM | {"ON"})}
    )


def _is_plain_item(item: Sequence[Token]) -> bool:
    """``*``, ``t.*``, ``c``, ``t.c``, each with or without an alias."""
    body = without_alias(item)
    names, dots = body[::2], body[1::2]
    return (
        len(body) % 2 == 1
        and all(token.text == "." for token in dots)
        and all(token.identifier for token in names[:-1])
        and (bool(names[-1].identifier) or names[-1].text == "*")
        and names[-1].word not in {"NULL", "TRUE", "FALSE", "CURRENT_USER", "CURRENT_ROLE", "CURRENT_DATE",
                                   "CURRENT_TIME", "CURRENT_TIMESTAMP"}
    )  # fmt: skip


def without_alias(item: Sequence[Token]) -> list[Token]:
    """The tokens of an output column before its alias."""
    if len(item) >= 3 and item[-2].word == "AS" and item[-1].identifier:
        return list(item[:-2])
    if len(item) >= 2 and item[-1].identifier and (item[-2].identifier or item[-2].text == ")"):
        return list(item[:-1])
    return list(item)


def until(tokens: Sequence[Token], words: set[str]) -> list[Token]:
    """The tokens before the first of these words."""
    taken = []
    for token in tokens:
        if token.word in words:
            break
        taken.append(token)
    return taken


def split_items(tokens: Sequence[Token]) -> list[list[Token]]:
    """The tokens between commas."""
    items: list[list[Token]] = [[]]
    for token in tokens:
        if token.text == "," and token.kind is Kind.SYMBOL:
            items.append([])
        else:
            items[-1].append(token)
    return items
