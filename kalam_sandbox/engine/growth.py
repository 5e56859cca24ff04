"""Functions that make much of little by a number, which the engine's memory pool does not count.

Numbers that stand in a text are looked at in its plan. Others, as those of columns, are known when the query runs: each
is handed through a function that knows how much a query has memory for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from datafusion import DataFrame, ScalarUDF, udf

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.engine.failures import engine_text
from kalam_sandbox.errors import unsupported
from kalam_sandbox.sql.tokens import NUMBER, QUOTED, SYMBOL, WORD, Token, UnterminatedError, tokenize

#: Which arguments of a function say how much it makes; `repeat` is the sandbox's own, and looks itself.
_COUNTS: dict[str, slice] = {
    **dict.fromkeys(("array_repeat", "list_repeat", "array_resize", "list_resize", "lpad", "rpad"), slice(1, 2)),
    **dict.fromkeys(("range", "generate_series"), slice(0, 2)),
}
# Those that repeat their first argument, whatever its size.
_REPEATING = frozenset(["array_repeat", "list_repeat"])
_MAKERS = rf"\b(?:repeat|{'|'.join(_COUNTS)})"
# As the engine prints them, and as they may be written.
_GROWING = re.compile(rf"{_MAKERS}\(", re.I)
_WRITTEN = re.compile(rf'{_MAKERS}"?\s*+(?:\(|--|/\*)', re.I)
_LITERAL = re.compile(r"Int64\((\d+)\)")
_ITEM_BYTES = 8
# Rows of a batch that are thought of where a result is made for each row.
_ROWS = 128
#: The function that counts: items, and the bytes of one.
_ITEMS = "kdb_sandbox_items"


def _makes_much(sql: str) -> bool:
    """Say whether a text calls a function that makes long lists or texts."""
    return _WRITTEN.search(sql) is not None


def check_growth(sql: str, frame: DataFrame, memory_bytes: int) -> None:
    """Refuse a plan in which such a function is told by numbers to make more than a query has memory for.

    Args:
        sql: The text of the plan.
        frame: The plan before it is optimised: that would carry the call out.
        memory_bytes: Memory of a query.

    Raises:
        SqlFailed: Resources exhausted.
    """
    if not _makes_much(sql):
        return
    plan = frame.logical_plan().display_indent()
    allowed = memory_bytes // _ITEM_BYTES // (_ROWS if "TableScan:" in plan else 1)
    for call in _GROWING.finditer(plan):
        arguments = plan[call.end() : _closing(plan, call.end())]
        count = math.prod(max(1, int(number)) for number in _LITERAL.findall(arguments))
        if count > allowed:
            raise engine_text(
                f"Resources exhausted: {call[0][:-1]} makes up to {count} items, and a query has memory for {allowed}"
            )


def counted(sql: str) -> str:
    """Return a text whose numbers that it does not show are counted as it runs; the same where there are none."""
    if not _makes_much(sql):
        return sql
    try:
        return _counted(tokenize(sql))
    except UnterminatedError:
        return sql  # The engine words the error.


def uncounted(name: str) -> str:
    """Return the name of a column, or any text of the engine, without the counting.

    >>> uncounted("array_repeat(Int64(1),kdb_sandbox_items(h.t.n,Int64(8)))")
    'array_repeat(Int64(1),h.t.n)'
    """
    while (start := name.find(f"{_ITEMS}(")) >= 0:
        inside = start + len(_ITEMS) + 1
        end = _closing(name, inside)
        first = next(_at_top(name[inside:end], ","), end - inside)
        name = name[:start] + name[inside : inside + first] + name[end + 1 :]
    return name


def plan_counted(plan: Callable[[str], DataFrame], sql: str) -> DataFrame:
    """Plan a text whose numbers are counted as it runs.

    Args:
        plan: Plans a text, or raises ``SqlFailed``.
        sql: A statement.

    Raises:
        SqlFailed: It cannot be planned, or what it makes cannot be counted.
    """
    text = counted(sql)
    if _ITEMS not in text:
        return plan(sql)
    try:
        return plan(text)
    except SqlFailed:
        plan(sql)  # What is wrong with it is told in its own words.
        raise unsupported("A number of items that is not in the text, for values of this type") from None


def items_function(memory_bytes: int) -> ScalarUDF:
    """Return the function that gives back numbers of items, unless a query has no memory for as many."""

    def items(counts: pa.Array, sizes: pa.Array) -> pa.Array:
        # As floats, which do not overflow.
        each = pc.max_element_wise(sizes.cast(pa.float64(), safe=False), float(_ITEM_BYTES))
        total = pc.sum(pc.multiply(pc.abs(counts.cast(pa.float64(), safe=False)), each)).as_py() or 0
        if total > memory_bytes:
            raise ValueError(f"Resources exhausted: {total:.0f} bytes of items, and a query has {memory_bytes}")
        return counts

    return udf(items, [pa.int64(), pa.int64()], pa.int64(), "immutable", _ITEMS)


def _counted(tokens: Sequence[Token]) -> str:
    pieces: list[str] = []
    place = end = 0
    while place < len(tokens):
        token = tokens[place]
        pieces += [" " if token.start > end else "", token.text]
        place += 1
        if _is_maker(token) and place < len(tokens) and tokens[place].text == "(":
            arguments, place = _arguments(tokens, place + 1)
            pieces.append(f"({', '.join(_counted_arguments(token.name, arguments))})")
        end = tokens[place - 1].end
    return "".join(pieces).lstrip()


def _is_maker(token: Token) -> bool:
    return token.kind in (WORD, QUOTED) and token.name in _COUNTS


def _counted_arguments(function: str, arguments: list[Sequence[Token]]) -> list[str]:
    texts = [_counted(argument) for argument in arguments]
    size = str(_ITEM_BYTES)
    if function in _REPEATING and not _is_shown(arguments[0]):
        size = f"octet_length(CAST(({texts[0]}) AS VARCHAR))"
    for number in range(*_COUNTS[function].indices(len(texts))):
        if not _is_shown(arguments[number]) or size != str(_ITEM_BYTES):
            texts[number] = f"{_ITEMS}({texts[number]}, {size})"
    return texts


def _is_shown(argument: Sequence[Token]) -> bool:
    """Whether an argument consists of numbers."""
    return all(token.kind in (NUMBER, SYMBOL) for token in argument)


def _arguments(tokens: Sequence[Token], start: int) -> tuple[list[Sequence[Token]], int]:
    """The tokens of each argument of a call, and the place behind its end."""
    arguments: list[Sequence[Token]] = []
    depth, begin = 0, start
    for place in range(start, len(tokens)):
        text = tokens[place].text
        if text == ")" and depth == 0:
            return [*arguments, tokens[begin:place]], place + 1
        if text == "," and depth == 0:
            arguments.append(tokens[begin:place])
            begin = place + 1
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(text, 0)
    return [*arguments, tokens[begin:]], len(tokens)


def _at_top(text: str, sign: str) -> Iterator[int]:
    """The places of a sign that stands in no parenthesis of the text."""
    depth = 0
    for place, letter in enumerate(text):
        if letter == sign and depth == 0:
            yield place
        depth += {"(": 1, ")": -1}.get(letter, 0)


def _closing(text: str, start: int) -> int:
    """Where the parenthesis closes that was opened before a place; the end where none does."""
    return next(_at_top(text[start:], ")"), len(text) - start) + start
