"""The WHERE of a live query as servers from KalamDB 0.5 on test it: what cannot be tested is refused at the subscribe.

It is still not SQL: a comparison with NULL is false and its NOT is true, big integers are compared as doubles, and text
and times have no order, which ends the test and drops the event (docs/sandbox.md#later-servers).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from sys import float_info

from kalam_sandbox.live.evaluate import CannotEvaluate, Opaque, Value, like
from kalam_sandbox.live.predicate import COMPARISONS, CONSTANTS, ColumnRef, Literal
from kalam_sandbox.sql.tokens import NUMBER, QUOTED, WORD, Cursor, UnterminatedError

_MAX_DEPTH = 64
_MAX_VALUES = 1024
_NUMBERS = ("SmallInt", "Int", "BigInt", "Float", "Double")
_TEXTS = ("Text", "Json", "File")
# Words that are no columns where a value is expected.
_NOT_NAMES = (
    "NOT", "CASE", "CAST", "EXISTS", "SELECT", "INTERVAL", "ARRAY", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP",
)  # fmt: skip


class RefusedFilter(Exception):
    """A condition that the server does not take in a live query; the text says what of it."""


Operand = Literal | ColumnRef


@dataclass(frozen=True, slots=True)
class _Test:
    """One test of a row.

    Attributes:
        kind: ``bool``, an operator of comparison, ``between``, ``in``, ``null``, ``true``, ``false``, ``like`` or
            ``ilike``.
        operands: What is tested, then what with.
        negated: Whether the result is turned round.
    """

    kind: str
    operands: tuple[Operand, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class _Joined:
    """Several conditions of which all (``AND``), one (``OR``) or the only one not (``NOT``) must hold."""

    word: str
    terms: tuple[Condition, ...]


Condition = _Test | _Joined


def parse_filter(where: str) -> Condition:
    """Read a condition.

    Raises:
        RefusedFilter: It holds something that cannot be tested.
    """
    try:
        cursor = Cursor(where)
        condition = _any_of(cursor, 0)
        cursor.end()
    except (SyntaxError, UnterminatedError) as wrong:
        raise RefusedFilter(f"Unsupported expression: {wrong}") from None
    return condition


def admits(condition: Condition, row: Mapping[str, object], types: Mapping[str, object]) -> bool:
    """Say whether a row passes; one that cannot be tested does not.

    Args:
        condition: What was read.
        row: Cells as on the wire; a missing one is NULL.
        types: Wire types of the columns, by name in lower case.
    """
    cells = {name.lower(): cell for name, cell in row.items()}
    try:
        return _holds(condition, cells, types)
    except CannotEvaluate:
        return False


def _any_of(cursor: Cursor, depth: int) -> Condition:
    if depth > _MAX_DEPTH:
        raise RefusedFilter(f"row filter expression exceeds max depth of {_MAX_DEPTH}")
    terms = [_all_of(cursor, depth)]
    while cursor.accept("OR"):
        terms.append(_all_of(cursor, depth))
    return terms[0] if len(terms) == 1 else _Joined("OR", tuple(terms))


def _all_of(cursor: Cursor, depth: int) -> Condition:
    terms = [_negation(cursor, depth)]
    while cursor.accept("AND"):
        terms.append(_negation(cursor, depth))
    return terms[0] if len(terms) == 1 else _Joined("AND", tuple(terms))


def _negation(cursor: Cursor, depth: int) -> Condition:
    if cursor.accept("NOT"):
        return _Joined("NOT", (_negation(cursor, depth),))
    if cursor.at("(") and not cursor.at("(", "SELECT"):
        cursor.expect("(")
        inner = _any_of(cursor, depth + 1)
        cursor.expect(")")
        return inner
    return _test(cursor)


def _test(cursor: Cursor) -> Condition:
    left = _operand(cursor)
    token = cursor.peek()
    operator = token.text if token is not None else ""
    if operator in COMPARISONS:
        cursor.next()
        return _Test("<>" if operator == "!=" else operator, (left, _operand(cursor)))
    if cursor.accept("IS"):
        negated = cursor.accept("NOT")
        for word in ("NULL", "TRUE", "FALSE"):
            if cursor.accept(word):
                return _Test(word.lower(), (left,), negated)
        raise RefusedFilter(f"Unsupported expression: {cursor.found}")
    negated = cursor.accept("NOT")
    if cursor.accept("BETWEEN"):
        low = _operand(cursor)
        cursor.expect("AND")
        return _Test("between", (left, low, _operand(cursor)), negated)
    if cursor.accept("IN"):
        return _Test("in", (left, *_values(cursor)), negated)
    for word in ("LIKE", "ILIKE"):
        if cursor.accept(word):
            return _Test(word.lower(), (left, _operand(cursor)), negated)
    if negated:
        raise RefusedFilter(f"Unsupported expression: {cursor.found}")
    return _Test("bool", (left,))


def _values(cursor: Cursor) -> list[Operand]:
    cursor.expect("(")
    values = [_operand(cursor)]
    while cursor.accept(","):
        values.append(_operand(cursor))
    cursor.expect(")")
    if len(values) > _MAX_VALUES:
        raise RefusedFilter(f"IN list contains {len(values)} values, max supported is {_MAX_VALUES}")
    return values


def _operand(cursor: Cursor) -> Operand:
    """Read a literal or a column; a sign, a function, a cast or a sub-query is refused."""
    if cursor.accept("("):
        inner = _operand(cursor)
        cursor.expect(")")
        return inner
    token = cursor.next()
    if token.is_plain_string:
        return Literal(token.value)
    if token.kind == NUMBER:
        return Literal(float(token.text))
    if token.upper in CONSTANTS:
        return Literal(CONSTANTS[token.upper])
    if token.kind not in (WORD, QUOTED) or token.upper in _NOT_NAMES:
        raise RefusedFilter(f"Unsupported expression: {token.text}")
    while cursor.accept("."):
        token = cursor.next()
    if cursor.at("(") or cursor.at("["):
        raise RefusedFilter(f"Unsupported expression: {token.text}")
    return ColumnRef(token.name.lower())


def _holds(condition: Condition, row: Mapping[str, object], types: Mapping[str, object]) -> bool:
    if isinstance(condition, _Test):
        values = [_value(operand, row, types) for operand in condition.operands]
        return _TESTS[condition.kind](condition.kind, values, condition.negated)
    if condition.word == "AND":
        return all(_holds(term, row, types) for term in condition.terms)
    if condition.word == "OR":
        return any(_holds(term, row, types) for term in condition.terms)
    return not _holds(condition.terms[0], row, types)


def _value(operand: Operand, row: Mapping[str, object], types: Mapping[str, object]) -> Value:
    if isinstance(operand, Literal):
        return operand.value
    cell = row.get(operand.name)
    data_type = types.get(operand.name, "Text")
    if cell is None or isinstance(cell, bool):
        return cell
    if data_type in _NUMBERS and not isinstance(cell, list):
        return float(str(cell))
    return str(cell) if data_type in _TEXTS else Opaque(str(data_type), str(cell))


def _compares(operator: str, values: Sequence[Value], negated: bool = False) -> bool:
    left, right = values
    if left is None or right is None:
        return False
    if operator in ("=", "<>"):
        return _equal(left, right) == (operator == "=")
    if not isinstance(left, float) or not isinstance(right, float):
        raise CannotEvaluate
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]


def _equal(left: Value, right: Value) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return abs(left - right) < float_info.epsilon
    # Python takes True for 1.0, which the server does not.
    return type(left) is type(right) and left == right


def _is_between(kind: str, values: Sequence[Value], negated: bool) -> bool:
    value, low, high = values
    return negated != (_compares(">=", (value, low)) and _compares("<=", (value, high)))


def _is_in(kind: str, values: Sequence[Value], negated: bool) -> bool:
    value, *others = values
    if value is None:
        return False
    return negated != any(_compares("=", (value, other)) for other in others)


def _is(kind: str, values: Sequence[Value], negated: bool) -> bool:
    return negated != (values[0] is {"null": None, "true": True, "false": False}[kind])


def _is_like(kind: str, values: Sequence[Value], negated: bool) -> bool:
    text, pattern = values
    if text is None or pattern is None:
        return False
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise CannotEvaluate
    return negated != like(text, pattern, ignore_case=kind == "ilike")


def _is_set(kind: str, values: Sequence[Value], negated: bool) -> bool:
    if values[0] is not None and not isinstance(values[0], bool):
        raise CannotEvaluate
    return values[0] is True


_TESTS: dict[str, Callable[[str, Sequence[Value], bool], bool]] = {
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">="), _compares),
    **dict.fromkeys(("null", "true", "false"), _is),
    **dict.fromkeys(("like", "ilike"), _is_like),
    "between": _is_between,
    "in": _is_in,
    "bool": _is_set,
}
