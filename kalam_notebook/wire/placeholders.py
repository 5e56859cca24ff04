"""The values of ``$1 … $n`` of one statement: encoded, and seen to be enough before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from kalam_notebook.errors import ParameterError
from kalam_notebook.wire.params import encode_parameters
from kalam_notebook.wire.sql import Kind, UnreadableSQL, tokenize

__all__ = ["parameters_for"]

#: Statements that take parameters; all others ignore them (SQL reference, section 6.10).
_TAKE_PARAMETERS = {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "EXECUTE"}


def parameters_for(sql: str, params: Sequence[Any] | None) -> list[Any]:
    """Convert the values for a statement to JSON values.

    Args:
        sql: One statement or several.
        params: Values for ``$1``, ``$2`` …; None for none. More than are needed are ignored by the server.

    Returns:
        The list to send.

    Raises:
        ParameterError: A placeholder has no value, there is none for any value, or a value cannot be sent exactly.
    """
    values = encode_parameters(params)
    numbers = _placeholders(sql)
    if numbers is None:
        return values
    missing = [number for number in numbers if number > len(values)]
    if missing:
        marks = ", ".join("…" for _ in range(min(max(missing), 5)))
        raise ParameterError(
            f"${min(missing)}",
            f"it has no value; {len(values) or 'none'} given. Nothing was sent.\n"
            f"Pass params=[{marks}], or write --params [{marks}] behind %%kalam.",
        )
    if values and not numbers:
        # The server ignores values that are not used. Where none is, something else was meant.
        raise ParameterError(
            "$1",
            "it has a value, and the statement has no $1. Nothing was sent.\n"
            "Write $1 where it belongs, without quotes; ? and %s are no placeholders.",
        )
    return values


def _placeholders(sql: str) -> set[int] | None:
    """The numbers of a single statement's placeholders; None where the server has to judge the text."""
    try:
        tokens = tokenize(sql)
    except UnreadableSQL:
        return None
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    if not tokens or tokens[0].word not in _TAKE_PARAMETERS or any(token.text == ";" for token in tokens):
        return None
    return {
        int(token.text[1:])
        for before, token in pairwise(tokens)
        # Right behind a word it may be a part of a name.
        if token.kind is Kind.PARAMETER and not (before.end == token.start and before.kind is Kind.WORD)
    }
