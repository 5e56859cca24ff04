"""What is sent for what stands in a cell: its statements with their values, and what options make of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kalam_notebook.errors import ConfigError
from kalam_notebook.live_queries.narrowing import with_condition
from kalam_notebook.notebook.values import Bound, bind_names, check_used, nearest
from kalam_notebook.sql.pointer import line_at
from kalam_notebook.sql.shape import shape_of
from kalam_notebook.sql.statement import Statement, enclosed, quote_text
from kalam_notebook.sql.tokens import UnreadableSQL

__all__ = ["as_user", "bound_statement", "bound_statements", "explained", "pasted", "with_where"]

_PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def bound_statement(sql: str, params: list[Any] | dict[str, Any] | None, variables: Mapping[str, Any]) -> Bound:
    """A statement with its values; see ``bind_names``.

    Raises:
        ConfigError: It cannot be read, which is said with the place.
    """
    try:
        return bind_names(sql, params, variables)
    except UnreadableSQL as exc:
        raise _unreadable(sql, exc) from None


def bound_statements(sql: str, params: list[Any] | dict[str, Any] | None, variables: Mapping[str, Any]) -> list[Bound]:
    """The statements of a cell with their values; a transaction goes in one piece."""
    try:
        statements: Sequence[Statement] = Statement.of(sql).statements
        words = [statement.first_word for statement in statements]
    except UnreadableSQL as exc:
        raise _unreadable(sql, exc) from None

    if not statements:
        raise ConfigError("The cell holds no SQL. Write a statement below the %%kalam line.")
    if len(statements) > 1 and ("BEGIN" in words or "START" in words):
        statements = [Statement.of(sql)]
    elif len(statements) > 1 and isinstance(params, list) and params:
        raise ConfigError("--params belongs to one statement, and the cell holds several. Use one cell for each.")
    bound = [bound_statement(statement, params, variables) for statement in statements]
    if isinstance(params, dict):
        check_used(params, [name for statement in bound for name in statement.names])
    return bound


def _unreadable(sql: str, error: UnreadableSQL) -> ConfigError:
    told = f"The SQL cannot be read: {error}"
    return ConfigError(told if error.position is None else f"{told}\n{line_at(sql, error.position)}")


def explained(statement: str) -> str:
    """The statement that asks how a query would be run; EXPLAIN of a change carries it out (protocol/sql.md#show)."""
    shape = shape_of(statement)
    if shape is None or not shape.is_select:
        raise ConfigError("--explain is for a SELECT; EXPLAIN of a change would carry it out.")
    return f"EXPLAIN {statement}"


def as_user(statement: str, user: str, *, is_later: bool = False) -> str:
    """A statement that runs as another user; from KalamDB 0.5 on it may be written shorter.

    Raises:
        ConfigError: It is a transaction, which has no such form.
    """
    if len(Statement.of(statement).statements) > 1:
        raise ConfigError("--as runs single statements as another user, and no transaction. Log in as that user.")
    return f"EXECUTE AS {'' if is_later else 'USER '}{quote_text(user)} {enclosed(statement)}"


def with_where(sql: str, condition: str) -> str:
    """A query with the condition of ``--where``."""
    shape = shape_of(sql)
    if shape is None or not shape.is_select:
        raise ConfigError("--where is for a SELECT.")
    return with_condition(shape.text, condition, is_plain=shape.clauses is not None)


def pasted(sql: str, variables: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """A text with what variables hold in the place of ``{{name}}``, and the names.

    Raises:
        ConfigError: There is no such variable, or it holds neither a text nor a whole number.
    """
    names: list[str] = []

    def paste(match: re.Match[str]) -> str:
        name = match[1]
        if name not in variables:
            raise ConfigError(
                f"{{{{{name}}}}} is pasted by --template, and there is no such variable."
                f"{nearest(name, variables)} It takes a name, and evaluates nothing."
            )
        value = variables[name]
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            raise ConfigError(
                f"{{{{{name}}}}} is a {type(value).__name__}, and --template pastes texts and whole numbers. "
                f"Write ${name} to send it as a value."
            )
        names.append(name)
        return str(value)

    return _PLACE.sub(paste, sql), tuple(dict.fromkeys(names))
