"""Placeholders as tools write them, ``:1`` and ``:name``, made the server's own ``$1``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from kalam_notebook.errors import ParameterError
from kalam_notebook.sql.decimals import DecimalText
from kalam_notebook.sql.params import MAX_PARAMETERS, encode, write_parameters_in
from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tokens import Kind, Token, UnreadableSQL

__all__ = ["Parameters", "placed", "rows_in", "written_row"]

Parameters = Sequence[Any] | Mapping[str, Any]

_OPENING, _CLOSING = {"[", "{"}, {"]", "}"}


def placed(sql: str, parameters: Parameters | None) -> tuple[Statement, Sequence[Any]]:
    """The text with ``$1 …``, and the values in their order.

    Args:
        sql: One statement.
        parameters: Values for ``:1`` or ``$1``, or by name for ``:name``; None or nothing for a text without any, of
            which every character is left as it is.

    Raises:
        ParameterError: A name has no value, or a value no name; a text or another single value is given.
    """
    text, values = _numbered(sql, parameters)
    if values and (len(values) > MAX_PARAMETERS or _lacks_columns(text)):
        return write_parameters_in(text, _encoded(values)), ()
    return text, values


def written_row(sql: str, parameters: Parameters) -> Statement:
    """An INSERT of one row, found by ``rows_in``, with the values themselves in it; raises as ``placed``."""
    text, values = _numbered(sql, parameters)
    # As text a decimal is exact for a column, and the row stays one of plain literals (protocol/sql.md#literals).
    literals = [str(value) if isinstance(value, DecimalText) else value for value in _encoded(values)]
    return write_parameters_in(text, literals)


def _encoded(values: Sequence[Any]) -> list[object]:
    return [encode(f"${number}", value) for number, value in enumerate(values, 1)]


def _numbered(sql: str, parameters: Parameters | None) -> tuple[Statement, Sequence[Any]]:
    statement = Statement.of(sql)
    if not parameters:
        return statement, ()

    try:
        marks = list(_marks(statement))
    except UnreadableSQL:
        marks = []  # The server tells what is wrong with it.

    if isinstance(parameters, Mapping):
        named = [(mark, name) for mark, name in marks if name.kind is Kind.WORD]
        order = list(dict.fromkeys(name.text for _, name in named))
        _check_names(order, parameters)
        edits = [(mark.start, name.end, f"${order.index(name.text) + 1}") for mark, name in named]
        values: Sequence[Any] = [parameters[name] for name in order]
    else:
        edits = [(mark.start, name.end, f"${name.text}") for mark, name in marks if name.kind is Kind.NUMBER]
        values = parameters

    return Statement.of(statement.replaced(edits)), values


def rows_in(statement: Statement) -> tuple[int, int] | None:
    """Where the one row of an INSERT stands, if it is one of plain literals and placeholders at the end of the text.

    Returns:
        The offsets of its parentheses; None for other statements.
    """
    _, behind = _around_values(statement.single if statement.is_readable else ())
    if len(behind) < 2:
        return None
    first, *row, last = behind
    is_plain = all(token.kind is not Kind.SYMBOL or token.text in {",", ":", "-"} for token in row)
    return (first.start, last.end) if (first.text, last.text) == ("(", ")") and is_plain else None


def _lacks_columns(statement: Statement) -> bool:
    """Whether it is an INSERT without names of columns, where the server counts hidden ones too if it has parameters.

    Source: protocol/sql.md#insert.
    """
    before, _ = _around_values(statement.tokens if statement.is_readable else ())
    return bool(before) and all(token.text != "(" for token in before)


def _around_values(tokens: Sequence[Token]) -> tuple[Sequence[Token], Sequence[Token]]:
    """The tokens before and behind the VALUES of an INSERT; none of another statement."""
    words = [token.word for token in tokens]
    if words[:2] != ["INSERT", "INTO"] or "VALUES" not in words:
        return (), ()
    place = words.index("VALUES")
    return tokens[:place], tokens[place + 1 :]


def _marks(statement: Statement) -> Iterator[tuple[Token, Token]]:
    """Each colon that begins a placeholder, with the number or name behind it.

    In brackets it stands between the ends of a slice, in braces between a key and its value.
    """
    depth = 0
    for mark, name in pairwise(statement.tokens):
        if mark.kind is Kind.SYMBOL:
            depth += (mark.text in _OPENING) - (mark.text in _CLOSING)
        is_name = name.kind is Kind.WORD or (name.kind is Kind.NUMBER and name.text.isdigit())
        if mark.text == ":" and mark.end == name.start and is_name and not depth:
            yield mark, name


def _check_names(wanted: Sequence[str], given: Mapping[str, Any]) -> None:
    if missing := [name for name in wanted if name not in given]:
        raise ParameterError(
            f":{missing[0]}", f"it has no value; given: {', '.join(given) or 'none'}. Nothing was sent."
        )
    if unused := [name for name in given if name not in wanted]:
        raise ParameterError(
            f":{unused[0]}",
            f"it has a value, and the statement has no :{unused[0]}. Nothing was sent.\n"
            "Write it where it belongs, without quotes; ? and %(name)s are no placeholders.",
        )
