"""Statements that the server carries out otherwise than they read; found before they are sent.

The server drops a sub-query from the WHERE of UPDATE and DELETE and the LIMIT of DELETE, and EXPLAIN of a statement
that writes carries it out (truth L25, L26); an empty name ends its process (L34). Only the words are looked at. Pure;
called by the client before sending.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from kalam_notebook.errors import UnsafeStatementError
from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tokens import Kind, Token, UnreadableSQL

__all__ = ["check_statements"]

_SUSPICIOUS = re.compile(r"\b(?:update|delete|explain|describe|desc)\b|\"\"|''", re.IGNORECASE)
_CHANGES = re.compile(r"\b(?:update|delete)\b", re.IGNORECASE)
_DROPPED = re.compile(r"\b(?:select|limit|explain|describe|desc)\b", re.IGNORECASE)
_EXPLAINS = {"EXPLAIN", "DESCRIBE", "DESC"}
_WRITES = {"INSERT", "UPDATE", "DELETE"}
_READS = {"SELECT", "WITH", "SHOW"}
#: Words behind which a string is a name.
_BEFORE_NAME = {"GROUP", "USER"}


def check_statements(sql: str) -> None:
    """Refuse a text with a statement that the server would carry out otherwise than it reads.

    Comments and strings are not looked into; the statement inside EXECUTE AS USER is.

    Args:
        sql: One or more statements.

    Raises:
        UnsafeStatementError: A sub-query in the WHERE of UPDATE or DELETE, DELETE … LIMIT, EXPLAIN of INSERT, UPDATE or
            DELETE, or an empty name. Also a text that cannot be read and holds the words of one of these: the server's
            own reading of it may differ, for example of names in backticks.
    """
    if not _SUSPICIOUS.search(sql):
        return
    try:
        statements = Statement.of(sql).statements
    except UnreadableSQL as exc:
        _check_unreadable(sql, exc)
        return
    for statement in statements:
        _check(statement, _unwrapped(statement.tokens))


def _check_unreadable(sql: str, problem: UnreadableSQL) -> None:
    """The server refuses most texts that cannot be read here, but not all."""
    writes = _CHANGES.search(sql) or re.search(r"\binsert\b", sql, re.IGNORECASE)
    if writes and (dropped := _DROPPED.search(sql)):
        raise UnsafeStatementError(
            sql,
            f"Not sent: the text holds {writes.group().upper()} and {dropped.group().upper()}, and it cannot be read "
            f"well enough to tell whether they belong together. {problem}",
            "Write names without backticks, end every string, and send the statements one by one.",
        )


def _unwrapped(statement: Sequence[Token]) -> Sequence[Token]:
    """The statement inside EXECUTE AS USER."""
    if statement[0].word == "EXECUTE":
        opening = next((i for i, token in enumerate(statement) if _is_symbol(token, "(")), len(statement))
        return statement[opening + 1 :]
    return statement


def _check(sql: str, statement: Sequence[Token]) -> None:
    while statement and _is_symbol(statement[0], "("):
        statement = statement[1:]
    first = statement[0].word if statement else ""
    if first not in _READS:
        _check_names(sql, statement)
    if first in _EXPLAINS:
        _check_explain(sql, statement)
        return
    start = 0 if first in {"UPDATE", "DELETE"} else _behind_common_tables(statement)
    if start is not None:
        _check_change(sql, statement[start:])


def _check_names(sql: str, statement: Sequence[Token]) -> None:
    for before, token in pairwise(statement):
        if token.text == '""' or (token.text == "''" and before.word in _BEFORE_NAME):
            raise UnsafeStatementError(
                _text(sql, statement),
                "Not sent: a name in it is empty, and an empty name ends the server's process, for all its users.",
                f"Write the name in the place of {token.text}.",
            )


def _check_explain(sql: str, statement: Sequence[Token]) -> None:
    """These words are reserved, so that they are no names of columns; SELECT … FOR UPDATE only reads."""
    for index, token in enumerate(statement):
        if token.word in _WRITES and not (token.word == "UPDATE" and statement[index - 1].word == "FOR"):
            table = _table_name(sql, statement[index:])
            raise UnsafeStatementError(
                _text(sql, statement),
                f"Not sent: the server carries out the {token.word} on {table} when it is asked to EXPLAIN it.",
                f"EXPLAIN SELECT * FROM {table} WHERE … shows how its rows are found.",
            )


def _behind_common_tables(statement: Sequence[Token]) -> int | None:
    """Where an UPDATE or DELETE begins behind WITH, if there is one."""
    if not statement or statement[0].word != "WITH":
        return None
    return next((i for i, token in _outermost(statement) if token.word in {"UPDATE", "DELETE"}), None)


def _check_change(sql: str, statement: Sequence[Token]) -> None:
    word, done = statement[0].word, f"{statement[0].word.lower()}d"
    table = _table_name(sql, statement)
    where = next((i for i, token in _outermost(statement) if token.word == "WHERE"), None)
    if where is not None and _has_subquery(statement[where:]):
        raise UnsafeStatementError(
            _text(sql, statement),
            f"Not sent: the server ignores the sub-query in the WHERE of this {word}. Every row of {table} that the "
            f"rest of the condition matches would be {done}; without a rest, all rows.",
            _safe_form(word, table, sql, statement),
        )
    if word == "DELETE" and any(token.word == "LIMIT" for _, token in _outermost(statement)):
        raise UnsafeStatementError(
            _text(sql, statement),
            f"Not sent: the server ignores the LIMIT of DELETE. Every row of {table} that the condition matches would "
            "be deleted.",
            _safe_form(word, table, sql, statement),
        )


def _safe_form(word: str, table: str, sql: str, statement: Sequence[Token]) -> str:
    change = f"DELETE FROM {table}" if word == "DELETE" else f"UPDATE {table} {_set_clause(sql, statement)}"
    return f"Read the keys first (SELECT key FROM {table} WHERE …), then for each: {change} WHERE key = $1"


def _set_clause(sql: str, statement: Sequence[Token]) -> str:
    """The SET clause as written, when it is short."""
    marks = {token.word: i for i, token in reversed(list(_outermost(statement))) if token.word in {"SET", "WHERE"}}
    if "SET" not in marks or marks.get("WHERE", 0) <= marks["SET"]:
        return "SET …"
    text = " ".join(sql[statement[marks["SET"]].start : statement[marks["WHERE"] - 1].end].split())
    return text if len(text) <= 80 else "SET …"


def _has_subquery(condition: Sequence[Token]) -> bool:
    """Whether a query stands in parentheses: SELECT, or the forms that begin with VALUES, WITH, TABLE or FROM."""
    for index, token in enumerate(condition):
        if token.word == "SELECT":
            return True
        if _is_symbol(token, "(") and len(condition) > index + 2:
            first, second = condition[index + 1], condition[index + 2]
            if first.word == "VALUES" and _is_symbol(second, "("):
                return True
            if first.word in {"WITH", "TABLE", "FROM"} and second.identifier:
                return True
    return False


def _outermost(statement: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """The tokens outside parentheses, with their places."""
    depth = 0
    for index, token in enumerate(statement):
        if _is_symbol(token, ")"):
            depth -= 1
        if depth <= 0:
            yield index, token
        if _is_symbol(token, "("):
            depth += 1


def _table_name(sql: str, statement: Sequence[Token]) -> str:
    """The table's name as written behind UPDATE, DELETE FROM or INSERT INTO."""
    index = 1
    while index < len(statement) and statement[index].word in {"FROM", "INTO", "TABLE", "ONLY", "OR", "REPLACE"}:
        index += 1
    if index >= len(statement) or not statement[index].identifier:
        return "the table"
    end = index
    while end + 2 < len(statement) and _is_symbol(statement[end + 1], ".") and statement[end + 2].identifier:
        end += 2
    return sql[statement[index].start : statement[end].end]


def _text(sql: str, statement: Sequence[Token]) -> str:
    return sql[statement[0].start : statement[-1].end]


def _is_symbol(token: Token, text: str) -> bool:
    return token.kind is Kind.SYMBOL and token.text == text
