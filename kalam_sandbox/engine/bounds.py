"""What a text may ask of the engine: bounds that a process without a spare needs.

The engine plans by recursion, and a stack that overflows ends the process with all its tables; so does memory that
cannot be had (`engine.growth`). KalamDB grows its stack as it plans, and takes a text of a thousand levels, a second;
the sandbox refuses what is four times as deep. Statements that reach the file system are refused here, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.engine.failures import engine_text
from kalam_sandbox.errors import unsupported
from kalam_sandbox.sql.tokens import SYMBOL, WORD, Token, UnterminatedError, iterate, tokenize

#: Levels; `threads` has the stack for them.
DEEPEST = 4_000
_FLAT = frozenset("(),.;")
_OPERATORS = frozenset(["AND", "OR", "IS", "IN", "LIKE", "ILIKE", "SIMILAR", "BETWEEN", "AT"])
_BRANCHES = frozenset(["WHEN", "THEN", "ELSE"])
# Words that bring a further SELECT or table.
_PARTS = frozenset(["SELECT", "JOIN"])
_BEHIND_FROM = frozenset(["WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "SELECT"])
# Settings by which a request would lift the bounds of the sandbox, or write where it pleases.
_KEPT_SETTING = re.compile(r"datafusion\.(runtime|catalog)\.|recursion_limit")
# Sizes are taken at their word: a batch of 10^12 rows ends the process.
_LARGEST = re.compile(r"\d{8}")


@dataclass(slots=True)
class _List:
    """What stands between two parentheses, or CASE and END; items between commas, or WHEN, THEN and ELSE.

    Attributes:
        operators: Levels of the present item.
        inner: Levels of the deepest parenthesis in it.
        deepest: Levels of the deepest item so far.
        is_from: Whether its items are tables.
        is_case: Whether it ends with END.
    """

    operators: int = 0
    inner: int = 0
    deepest: int = 0
    is_from: bool = False
    is_case: bool = False

    def end_item(self) -> None:
        self.deepest = max(self.deepest, self.operators + self.inner)
        self.operators = self.inner = 0


def check_depth(sql: str) -> None:
    """Refuse a text whose plan would be too deep.

    Raises:
        SqlFailed: It has too many levels: operators in a chain, parts of a UNION, tables of a FROM.
    """
    # A level takes two characters at least.
    if len(sql) <= 2 * DEEPEST:
        return
    try:
        levels = _levels(iterate(sql))
    except UnterminatedError:
        return  # The engine words the error.
    if levels > DEEPEST:
        raise engine_text(
            f"SQL error: RecursionLimitExceeded (limit of the sandbox server: {DEEPEST} levels, found: {levels})"
        )


def _levels(tokens: Iterable[Token]) -> int:
    """Levels of the deepest expression, and those of all parts."""
    parts, lists = 0, [_List()]
    for token in tokens:
        present, word = lists[-1], token.upper if token.kind == WORD else ""
        if token.text == "(" or word == "CASE":
            lists.append(_List(is_case=word == "CASE"))
        elif (token.text == ")" or (word == "END" and present.is_case)) and len(lists) > 1:
            present.end_item()
            lists.pop()
            lists[-1].inner = max(lists[-1].inner, present.deepest)
        elif token.text == "," or word in _BRANCHES:
            present.end_item()
            parts += present.is_from and not word
        elif word in _PARTS:
            parts += 1
        elif word in _OPERATORS or (token.kind == SYMBOL and token.text not in _FLAT):
            present.operators += 1
        if word == "FROM" or word in _BEHIND_FROM:
            present.is_from = word == "FROM"
    lists[0].end_item()
    return lists[0].deepest + parts


def check_setting(sql: str) -> None:
    """Refuse a SET that lifts a bound.

    Raises:
        SqlFailed: It is about memory, files, the depth of a text, or names a size beyond all measure.
    """
    try:
        text = "".join(token.name for token in tokenize(sql))
    except UnterminatedError:
        return  # The engine words the error.
    if _KEPT_SETTING.search(text) or _LARGEST.search(text):
        raise unsupported(sql[:200])


def refused_copy(plan: str) -> SqlFailed | None:
    """Return the refusal of a plan that writes files, which EXPLAIN ANALYZE would carry out; None for others."""
    return unsupported("COPY") if re.search(r"^ *CopyTo:", plan, re.MULTILINE) else None
