"""Decimal parameters in queries: the server compares a text with DECIMAL as text, so it has to be cast (truth L28).

Pure; called by the reader. Values of INSERT and UPDATE need no cast: there a text is read exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tokens import Kind

__all__ = ["DecimalText", "cast_decimals", "decimal_literal"]

#: Digits of the widest decimal.
_MAX_DIGITS = 38


class DecimalText(str):
    """A decimal as it travels: the text of the number."""

    __slots__ = ()


def cast_decimals(sql: str, params: Sequence[Any]) -> Statement:
    """Write a CAST around each parameter that is a decimal.

    Args:
        sql: A query.
        params: JSON values for ``$1 …``; decimals as ``DecimalText``.

    Returns:
        The query; as it is when it cannot be read, or a decimal has more digits than the server knows.
    """
    types = {f"${n}": _sql_type(value) for n, value in enumerate(params, 1) if isinstance(value, DecimalText)}
    statement = Statement.of(sql)
    if not any(types.values()) or not statement.is_readable:
        return statement
    decimals = (token for token in statement.tokens if token.kind is Kind.PARAMETER and types.get(token.text))
    return statement.replaced((t.start, t.end, f"CAST({t.text} AS {types[t.text]})") for t in decimals)


def decimal_literal(text: DecimalText) -> str:
    """A decimal as it stands in SQL; as text when it has more digits than the server knows."""
    kind = _sql_type(text)
    return f"'{text}'" if kind is None else f"CAST('{text}' AS {kind})"


def _sql_type(text: str) -> str | None:
    """The narrowest type that holds a number, so that comparing it with a wide column does not overflow."""
    number = Decimal(text).as_tuple()
    scale = max(0, -int(number.exponent))
    digits = max(len(number.digits) + max(0, int(number.exponent)), scale, 1)
    return f"DECIMAL({digits}, {scale})" if digits <= _MAX_DIGITS else None
