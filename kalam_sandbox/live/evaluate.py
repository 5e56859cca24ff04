"""Whether a live event passes a WHERE, as the server's own evaluator sees it (protocol/live.md#queries).

It is not SQL: NULL differs from every value, big integers are compared as doubles, text and times have no
order, and what it cannot do ends the evaluation, which drops the event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from kalam_sandbox.backend import Column
from kalam_sandbox.live.predicate import (
    And,
    ColumnRef,
    Comparison,
    Like,
    Literal,
    Not,
    Operand,
    Or,
    Predicate,
)

_NUMBERS = ("SmallInt", "Int", "BigInt", "Float", "Double")
_PLAIN = ("Text", "Json", "File", "Boolean")


class CannotEvaluate(Exception):
    """The evaluator met something it does not know; the event is dropped."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that equals only values of its own type and has no order: times, UUID, bytes, embeddings."""

    data_type: str
    text: str


Value = str | float | bool | Opaque | None


def passes(predicate: Predicate | None, row: Mapping[str, object], types: Mapping[str, object]) -> bool:
    """Say whether an event of this row is sent.

    Args:
        predicate: Tree of the WHERE; None lets everything pass.
        row: Cells as on the wire, by column name.
        types: Wire types of the columns, by name in lower case.
    """
    if predicate is None:
        return True
    # A row that was built without some columns (stream deletes) simply lacks them.
    cells = {name.lower(): cell for name, cell in row.items()}
    try:
        return _test(predicate, cells, types)
    except CannotEvaluate:
        return False


def column_types(columns: tuple[Column, ...]) -> dict[str, object]:
    """Return the wire type of each column by its name in lower case."""
    return {column.name.lower(): column.data_type for column in columns}


def _test(predicate: Predicate, row: Mapping[str, object], types: Mapping[str, object]) -> bool:
    match predicate:
        case And(terms):
            return all(_test(term, row, types) for term in terms)
        case Or(terms):
            return any(_test(term, row, types) for term in terms)
        case Not(inner):
            return not _test(inner, row, types)
        case Comparison(operator, left, right):
            return _compare(operator, _value(left, row, types), _value(right, row, types))
        case Like(left, pattern, negated, ignore_case):
            text, wanted = _value(left, row, types), _value(pattern, row, types)
            if not isinstance(text, str) or not isinstance(wanted, str):
                raise CannotEvaluate
            return negated != like(text, wanted, ignore_case=ignore_case)
    raise CannotEvaluate


def _value(operand: Operand, row: Mapping[str, object], types: Mapping[str, object]) -> Value:
    match operand:
        case Literal(value):
            return value
        case ColumnRef(name) if name in row:
            return _cell(row[name], types.get(name, "Text"))
    raise CannotEvaluate


def _cell(cell: object, data_type: object) -> Value:
    """Turn a cell as on the wire into what the evaluator compares."""
    if cell is None:
        return None
    if data_type in _NUMBERS:
        return float(str(cell))
    if data_type in _PLAIN and isinstance(cell, (str, bool)):
        return cell
    if isinstance(data_type, dict) and "Decimal" in data_type:
        raise CannotEvaluate
    return Opaque(str(data_type), str(cell))


def _compare(operator: str, left: Value, right: Value) -> bool:
    if operator in ("=", "<>", "!="):
        # Python takes True for 1.0, which the server does not.
        same = isinstance(left, bool) == isinstance(right, bool) and left == right
        return same == (operator == "=")
    if not isinstance(left, float) or not isinstance(right, float):
        raise CannotEvaluate
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]


def like(text: str, pattern: str, *, ignore_case: bool) -> bool:
    """Say whether a text matches a pattern of LIKE, or of ILIKE."""
    return _expression(pattern, ignore_case).fullmatch(text) is not None


@lru_cache(maxsize=256)
def _expression(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    """Translate a LIKE pattern; the wildcards do not match line breaks (protocol/live.md#queries)."""
    parts = {"%": ".*", "_": "."}
    expression = "".join(parts.get(char, re.escape(char)) for char in pattern)
    return re.compile(expression, re.IGNORECASE if ignore_case else 0)
