"""How deep and how long a query of the local engine may be. Pure.

The engine plans by recursion: each operator of a chain is a level, and so is each part of a UNION and each table of a
FROM. The stack is made for so many levels, and planning takes time with their square. A plan can be deeper than its
text shows, so this spares time and a crash; that no crash ends the notebook, `local_process` sees to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tokens import Kind, Token

__all__ = ["refusal"]

#: Characters; the server takes no more either.
LONGEST = 1_048_576
#: Levels.
DEEPEST = 10_000

#: Symbols that make no level.
_FLAT = frozenset("(),.;")
#: Words that stand between the two sides of an operator, or behind its one side.
_OPERATORS = frozenset(["AND", "OR", "IS", "IN", "LIKE", "ILIKE", "SIMILAR", "BETWEEN", "AT"])
#: Words that begin a further item of a CASE.
_BRANCHES = frozenset(["WHEN", "THEN", "ELSE"])
#: Words that bring a further table or a further SELECT.
_PARTS = frozenset(["SELECT", "JOIN"])
#: Words that end a FROM.
_BEHIND_FROM = frozenset(["WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "SELECT"])


def refusal(sql: str) -> str:
    """Why a query is not run: it is too long or too deep. Empty when it is neither.

    Raises:
        UnreadableSQL: The text cannot be tokenized.
    """
    if len(sql) > LONGEST:
        return f"The query has {len(sql):,} characters; the local engine takes {LONGEST:,}."
    # A level takes two characters at least.
    if len(sql) > 2 * DEEPEST and (levels := _levels(Statement.of(sql).tokens)) > DEEPEST:
        return f"The query is {levels:,} levels deep; the local engine takes {DEEPEST:,}."
    return ""


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


def _levels(tokens: Sequence[Token]) -> int:
    """Levels of the deepest expression, and those of all parts."""
    parts, lists = 0, [_List()]
    for token in tokens:
        present, word = lists[-1], token.word
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
        elif word in _OPERATORS or (token.kind is Kind.SYMBOL and token.text not in _FLAT):
            present.operators += 1

        if word == "FROM" or word in _BEHIND_FROM:
            present.is_from = word == "FROM"

    lists[0].end_item()
    return lists[0].deepest + parts
