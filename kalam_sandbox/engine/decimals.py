"""Text parameters that stand beside a DECIMAL column in a comparison, for a server without truth L28."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation

import pyarrow as pa

from kalam_sandbox.sql.tokens import PARAM, QUOTED, WORD, Token, UnterminatedError, tokenize
from kalam_sandbox.store.schema import TableDef

_COMPARISONS = {"=", "<", ">", "<=", ">=", "<>", "!="}
# Digits before and behind the point; both fit the engine's 38.
_TYPE = pa.decimal128(38, 18)


def as_decimals(text: str, params: Mapping[str, object], tables: Sequence[TableDef]) -> dict[str, object]:
    """Return parameters, those that are compared with a DECIMAL column as decimals.

    Args:
        text: The statement.
        params: Values by name, ``1`` for ``$1``.
        tables: Tables that the statement mentions.
    """
    names = {column.name for table in tables for column in table.columns if column.type.name == "Decimal"}
    typed = dict(params)
    try:
        compared = set(_compared(tokenize(text), names))
    except UnterminatedError:
        return typed
    for name in compared & typed.keys():
        value = typed[name]
        if isinstance(value, str):
            try:
                typed[name] = pa.scalar(Decimal(value), _TYPE)
            except (InvalidOperation, pa.ArrowInvalid):
                continue  # The engine words the error, if it is one.
    return typed


def _compared(tokens: Sequence[Token], names: set[str]) -> Iterator[str]:
    for place, token in enumerate(tokens):
        if token.kind != PARAM:
            continue
        before = place >= 2 and tokens[place - 1].text in _COMPARISONS and _is_one_of(tokens[place - 2], names)
        rest = tokens[place + 1 : place + 7]
        behind = len(rest) > 1 and rest[0].text in _COMPARISONS and any(_is_one_of(item, names) for item in rest[1:6:2])
        if before or behind:
            yield token.text[1:]


def _is_one_of(token: Token, names: set[str]) -> bool:
    return token.kind in (WORD, QUOTED) and token.name.lower() in names
