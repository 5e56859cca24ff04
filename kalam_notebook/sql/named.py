"""``$room`` in a text: a value by its name. The server knows numbers only, so names become ``$1 …``. Pure."""

from __future__ import annotations

from kalam_notebook.errors import ParameterError
from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tokens import Kind

__all__ = ["names_in", "numbered"]


def names_in(sql: str) -> list[str]:
    """The names behind ``$`` in a text, each once, in their order.

    Raises:
        UnreadableSQL: The text cannot be tokenized.
    """
    return list(dict.fromkeys(token.text[1:] for token in Statement.of(sql).places(Kind.VARIABLE)))


def numbered(sql: str) -> Statement:
    """The text with ``$1 …`` in the place of names, numbered in the order of ``names_in``.

    Raises:
        ParameterError: It has numbers, too.
        UnreadableSQL: The text cannot be tokenized.
    """
    names = {name: number for number, name in enumerate(names_in(sql), 1)}
    statement = Statement.of(sql)
    if names and any(token.kind is Kind.PARAMETER for token in statement.tokens):
        raise ParameterError(
            f"${next(iter(names))}", "the text has names and numbers such as $1. Write names only, or numbers only."
        )
    places = statement.places(Kind.VARIABLE)
    return statement.replaced((token.start, token.end, f"${names[token.text[1:]]}") for token in places)
