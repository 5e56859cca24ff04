"""Questions about a logical plan: what it scans, whether it is limited or sorted, what it asks of hidden columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from datafusion import LogicalPlan

_SCAN = re.compile(r"TableScan: ([^\s,]+)")
_PROJECTED_SCAN = re.compile(r"TableScan: ([^\s,]+) projection=\[([^\]]*)\]")
_FILTERED_SCAN = re.compile(r"^( *)Filter: (.*)\n +TableScan: ([^\s,]+)", re.MULTILINE)
_ANY_SCAN = re.compile(r"^(?: *Filter: (.*)\n)? *TableScan: ([^\s,]+)(?: projection=\[([^\]]*)\])?", re.MULTILINE)
_AFTER = re.compile(r"\.(\w+) (>=?|=) Int64\((-?\d+)\)$")
# The same as written: on either side of a number without a cast.
_PLAIN_AFTER = re.compile(r"\.(\w+) (>=?|=) Int64\((-?\d+)\)")
_PLAIN_BEFORE = re.compile(r"Int64\((-?\d+)\) (<=?|=) [\w.\"]*\.(\w+)\b")
_LIMIT = re.compile(r"Limit: skip=(\d+), fetch=(\d+|None)$")
_DELETED = re.compile(r"\._deleted(?: = Boolean\(true\))?$")


@dataclass(frozen=True, slots=True)
class HiddenFilter:
    """What one scan asks of the hidden columns.

    Attributes:
        table: Table as the plan spells it.
        tombstones: A condition names ``_deleted``; deleted rows are then read as well, and judged by it as all others.
        after: Greatest w of conditions ``version > w``, None without any.
        others: Number of other conditions.
    """

    table: str
    tombstones: bool
    after: int | None
    others: int


@dataclass(frozen=True, slots=True)
class TableScan:
    """One scan of an optimised plan.

    Attributes:
        table: Table as the plan spells it.
        conditions: What the scan asks of its rows, all of it at once.
        reads_columns: Whether it reads any column; counting needs none.
        version: Name of the column that numbers row versions.
    """

    table: str
    conditions: tuple[str, ...]
    reads_columns: bool
    version: str

    @property
    def after(self) -> int | None:
        """The greatest w of conditions ``version > w``, None without any."""
        bounds = [bound for text in self.conditions if (bound := _bound(text, self.version)) is not None]
        return max(bounds, default=None)

    def looks_up(self, key: str) -> bool:
        """Say whether a condition asks for one value of a column."""
        return any(
            condition.startswith(f"{self.table}.{key} = ") and " OR " not in condition for condition in self.conditions
        )


def table_scans(optimized: LogicalPlan, version: str) -> list[TableScan]:
    """Return the scans of an optimised plan in its order, sub-queries included."""
    return [
        TableScan(table, tuple(_conjuncts(text)) if text else (), columns != "", version)
        for text, table, columns in _ANY_SCAN.findall(optimized.display_indent())
    ]


def scanned_tables(plan: LogicalPlan) -> list[str]:
    """Return the tables a plan reads, as it spells them, sub-queries included, in plan order."""
    return list(dict.fromkeys(_SCAN.findall(plan.display_indent())))


def reads_column(optimized: LogicalPlan, table: str, column: str) -> bool:
    """Say whether an optimised plan reads a column of a table, which it may spell with or without namespace."""
    return any(
        column in columns.split(", ")
        for scanned, columns in _PROJECTED_SCAN.findall(optimized.display_indent())
        if table.endswith(scanned)
    )


def scan_count(plan: LogicalPlan, table: str) -> int:
    """Return how many scans of a table the plan has."""
    return _SCAN.findall(plan.display_indent()).count(table)


def has_limit(plan: LogicalPlan) -> bool:
    """Say whether LIMIT or OFFSET stands in the query, a FROM sub-query, a CTE or a UNION branch.

    Sub-queries inside expressions do not count (protocol/http.md#caps).
    """
    return any(node.display().startswith("Limit:") for node in _nodes(plan))


def is_sorted_last(plan: LogicalPlan) -> bool:
    """Say whether the sort is the last step; only then does the server keep it."""
    return plan.display().startswith("Sort:")


def is_sorted(plan: LogicalPlan) -> bool:
    """Say whether the query sorts its result; a LIMIT or a projection above it does not matter."""
    while plan.display().startswith(("Limit:", "Projection:")):
        (plan,) = plan.inputs()
    return is_sorted_last(plan)


def limit_of(plan: LogicalPlan) -> tuple[int, int | None] | None:
    """Return rows to skip and rows to take of a LIMIT that stands last, None without one."""
    found = _LIMIT.match(plan.display())
    return None if found is None else (int(found[1]), None if found[2] == "None" else int(found[2]))


def hidden_filters(optimized: LogicalPlan, version: str) -> list[HiddenFilter]:
    """Return what the scans of an optimised plan ask of the version and `_deleted`."""
    return [_hidden(text, table, version) for _, text, table in _FILTERED_SCAN.findall(optimized.display_indent())]


def plain_bounds(logical: LogicalPlan, version: str) -> set[int]:
    """Return each w of a condition ``version > w`` that is written with a number, before anything is evaluated."""
    text = logical.display_indent()
    found = list(_PLAIN_AFTER.findall(text))
    found += [(name, operator.replace("<", ">"), number) for number, operator, name in _PLAIN_BEFORE.findall(text)]
    return {_before(operator, number) for name, operator, number in found if name == version}


def _hidden(text: str, table: str, version: str) -> HiddenFilter:
    tombstones, after, others = False, None, 0
    for condition in _conjuncts(text):
        if (bound := _bound(condition, version)) is not None:
            after = bound if after is None else max(after, bound)
        elif _DELETED.search(condition) and not condition.startswith("NOT "):
            tombstones = True
        else:
            # Behind an OR at the top it decides about a part only.
            tombstones = tombstones or ("._deleted" in condition and len(_split(text, " OR ")) == 1)
            others += 1
    return HiddenFilter(table, tombstones, after, others)


def _bound(condition: str, version: str) -> int | None:
    """Return w of a condition ``version > w``, ``version >= w + 1``, ``version = w + 1``; None for any other one."""
    found = _AFTER.search(condition)
    if found is None or found[1] != version or " OR " in condition:
        return None
    return _before(found[2], found[3])


def _before(operator: str, number: str) -> int:
    return int(number) - (operator != ">")


def _conjuncts(text: str) -> list[str]:
    """Split a printed condition at its outermost ANDs."""
    parts = _split(text, " AND ")
    # An outermost OR makes the whole one condition that says nothing about a single column.
    return [text] if any(" OR " in part and "(" not in part for part in parts) else parts


def _split(text: str, word: str) -> list[str]:
    """Split a printed condition where a word stands outside of parentheses and quotes."""
    parts, depth, start = [], 0, 0
    quoted = False
    for place, char in enumerate(text):
        quoted ^= char == '"'
        depth += 0 if quoted else {"(": 1, ")": -1}.get(char, 0)
        if depth == 0 and not quoted and text.startswith(word, place):
            parts.append(text[start:place])
            start = place + len(word)
    return [*parts, text[start:]]


def _nodes(plan: LogicalPlan) -> Iterator[LogicalPlan]:
    """Yield all nodes in any order; without recursion, since a UNION is as deep as it is long."""
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.inputs()
