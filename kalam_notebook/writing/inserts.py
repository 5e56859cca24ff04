"""INSERTs outside of a transaction, which cost the server half of those inside (truth R8). Pure.

The server carries the statements of such a request out in order, each whole or not at all, up to the first that fails.
So rows stay in the order of the frame, and the number of the failed statement tells which rows are in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from kalam_notebook.writing.pace import Size, WritingPace
from kalam_notebook.writing.requests import ENVELOPE, cost_of
from kalam_notebook.writing.rows import Row, RowState

__all__ = ["Inserts", "insert_requests"]


@dataclass(slots=True)
class Inserts:
    """A request of INSERTs.

    Attributes:
        head: What stands before the rows of each.
        size: The sizes it was made with.
        statements: The rows of each statement.
        is_full: Whether it holds as much as its size allows.
    """

    head: str
    size: Size
    statements: list[list[Row]] = field(default_factory=list)
    is_full: bool = False

    @property
    def text(self) -> str:
        """The text to send."""
        return ";\n".join(self.head + ",\n".join(row.values for row in rows) for rows in self.statements)

    @property
    def keys(self) -> list[str]:
        """The keys of all rows."""
        return [row.key for rows in self.statements for row in rows]

    def count(self, statements: int | None = None) -> int:
        """The rows of the first statements, or of all."""
        return sum(map(len, self.statements[:statements]))

    def written(self, states: Sequence[RowState]) -> int:
        """How many of the first statements were carried out, by what the rows are to the table afterwards."""
        begin = 0
        for number, rows in enumerate(self.statements):
            if RowState.NEW in states[begin : begin + len(rows)]:
                return number
            begin += len(rows)
        return len(self.statements)


def insert_requests(head: str, rows: Iterable[Row], pace: WritingPace) -> Iterator[Inserts]:
    """Cut rows into requests of the sizes that are fastest.

    Args:
        head: What stands before the rows of an INSERT.
        rows: The rows. One that is no plain literal has the statement to itself and others of its kind, for they take
            another path (protocol/sql.md#insert).
        pace: Tells the sizes; a request that is too large for a single row holds that row.
    """
    head_cost = cost_of(head)
    request, cost = Inserts(head, pace.next()), ENVELOPE
    for row in rows:
        own = cost_of(row.values)
        begins = _begins_statement(request, row)
        # A text costs twice its bytes, or more.
        if request.statements and cost + own + begins * head_cost > 2 * request.size.bytes:
            request.is_full = True
            yield request
            request, cost, begins = Inserts(head, pace.next()), ENVELOPE, True
        if begins:
            request.statements.append([])
        request.statements[-1].append(row)
        cost += own + begins * head_cost
    if request.statements:
        yield request


def _begins_statement(request: Inserts, row: Row) -> bool:
    if not request.statements:
        return True
    last = request.statements[-1]
    return len(last) == request.size.rows or last[-1].is_plain != row.is_plain
