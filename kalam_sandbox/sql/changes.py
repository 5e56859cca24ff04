"""Reading UPDATE and DELETE texts: which table, which columns, and a condition without sub-queries.

The server drops sub-queries from the condition (truth L25); so does this, by rewriting the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kalam_sandbox.sql.tokens import PARAM, Cursor, Token, UnterminatedError


@dataclass(frozen=True, slots=True)
class ChangeText:
    """An UPDATE or DELETE as far as rules need it.

    Attributes:
        sql: The statement with sub-queries dropped from its condition.
        table: Namespace (None when unqualified) and name, lower case.
        assigned: Columns that SET names, in order.
        parameters: Number of the parameter for each assigned column whose value is a bare ``$n``.
        is_identity: Whether every column is set to itself.
        has_where: Whether the statement as written has a condition.
        lost_condition: Whether nothing of the condition is left.
        has_single_list: Whether the condition compares with a list of one item.
        sets_subquery: Whether an assigned value holds a sub-query.
    """

    sql: str
    table: tuple[str | None, str]
    assigned: tuple[str, ...]
    parameters: dict[str, int]
    is_identity: bool
    has_where: bool
    lost_condition: bool
    has_single_list: bool
    sets_subquery: bool


def read_change(kind: str, sql: str, *, keep_subqueries: bool = False) -> ChangeText | None:
    """Read an UPDATE or DELETE; None when it cannot be read, which the engine will explain.

    Args:
        kind: ``update`` or ``delete``.
        sql: The statement.
        keep_subqueries: Whether sub-queries stay in the condition.
    """
    try:
        cursor = Cursor(sql)
        cursor.next()
        cursor.accept("FROM")
        table = cursor.qualified()
        assigned = _assignments(cursor) if kind == "update" else {}
        return _with_condition(cursor, table, assigned, keep_subqueries=keep_subqueries)
    except (SyntaxError, UnterminatedError):
        return None


def _assignments(cursor: Cursor) -> dict[str, list[Token]]:
    """Return the expression of each column in the SET list."""
    while not cursor.accept("SET"):
        cursor.next()
    assigned: dict[str, list[Token]] = {}
    while True:
        name = cursor.qualified()[1]
        cursor.expect("=")
        assigned[name] = _until(cursor, (",", "WHERE", "FROM", "LIMIT", "RETURNING"))
        if not cursor.accept(","):
            return assigned


def _until(cursor: Cursor, stops: Sequence[str]) -> list[Token]:
    found: list[Token] = []
    depth = 0
    while (token := cursor.peek()) is not None and (depth or token.upper not in stops):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        found.append(cursor.next())
    return found


def _with_condition(
    cursor: Cursor, table: tuple[str | None, str], assigned: dict[str, list[Token]], *, keep_subqueries: bool
) -> ChangeText:
    _until(cursor, ("WHERE",))
    where = cursor.peek()
    sql, lost_condition, has_single_list = cursor.sql, False, False
    if where is not None:
        cursor.next()
        condition = _until(cursor, ("LIMIT", "RETURNING"))
        has_single_list = _has_single_list(condition)
        parts = _conjuncts(condition)
        kept = [part for part in parts if not any(token.upper == "SELECT" for token in part)]
        if len(kept) < len(parts) and not keep_subqueries:
            sql = _rebuilt(cursor.sql, where, kept)
            lost_condition = not kept
    bare = {name: tokens[0] for name, tokens in assigned.items() if len(tokens) == 1}
    return ChangeText(
        sql=sql,
        table=table,
        assigned=tuple(assigned),
        parameters={name: int(token.text[1:]) for name, token in bare.items() if token.kind == PARAM},
        is_identity=bool(assigned) and all(name in bare and bare[name].name == name for name in assigned),
        has_where=where is not None,
        lost_condition=lost_condition,
        has_single_list=has_single_list,
        sets_subquery=any(token.upper == "SELECT" for tokens in assigned.values() for token in tokens),
    )


def _has_single_list(condition: Sequence[Token]) -> bool:
    texts = [token.upper for token in condition]
    return any(texts[i : i + 2] == ["IN", "("] and texts[i + 3 : i + 4] == [")"] for i in range(len(texts)))


def _rebuilt(sql: str, where: Token, kept: list[list[Token]]) -> str:
    head = sql[: where.start]
    return f"{head}WHERE {' AND '.join(sql[part[0].start : part[-1].end] for part in kept)}" if kept else head


def _conjuncts(tokens: list[Token]) -> list[list[Token]]:
    """Split a condition at its outermost ANDs; BETWEEN keeps its own, an outermost OR keeps all together."""
    parts: list[list[Token]] = [[]]
    depth, between = 0, False
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.upper == "OR":
            return [tokens]
        if depth == 0 and token.upper == "AND" and not between:
            parts.append([])
            continue
        between = (between or token.upper == "BETWEEN") and not (between and token.upper == "AND" and depth == 0)
        parts[-1].append(token)
    return [part for part in parts if part]
