"""What is written, put into statements and batches. Pure: what happens on failures and in between is the writer's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from kalam_notebook.errors import FrameError
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.writing.inserts import Inserts, insert_requests
from kalam_notebook.writing.pace import WritingPace
from kalam_notebook.writing.requests import batches, cost_of, insert_statements
from kalam_notebook.writing.rows import CheckedRows, Row, RowState

__all__ = ["Plan", "Span"]

#: Statements of a request that were seen to work (protocol/http.md#batches); every UPDATE is one.
_MAX_STATEMENTS = 500
#: Rows that are compared with the table at a time: the questions read up to 2,000 keys each.
_SPAN_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive rows of the frame, what they are to the table, and what one request writes of them.

    Attributes:
        count: Rows of the frame.
        new: Those that the table does not have.
        old: Those that it has with other values.
        same: How many it has as they are.
        missing: How many an update finds no row for.
    """

    count: int
    new: list[Row]
    old: list[Row]
    same: int
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows are written.

    Attributes:
        rows: The checked rows.
        mode: ``insert``, ``upsert``, ``update`` or ``delete``.
        chunk_rows: Rows of a statement, where they are not found out.
        atomic: Whether all rows go in one request.
    """

    rows: CheckedRows
    mode: str
    chunk_rows: int
    atomic: bool

    @property
    def is_stream(self) -> bool:
        """Whether it is a STREAM table, which has no transactions: a statement is whole, a request is not."""
        return self.rows.target.kind == "stream"

    @property
    def key_name(self) -> str:
        """The key's name as it stands in SQL."""
        assert self.rows.target.key is not None
        return quote_name(self.rows.target.key.name)

    @property
    def on_conflict(self) -> str:
        """The clause that makes an INSERT an upsert."""
        names = [quote_name(column.name) for column in self.rows.columns if not column.is_primary_key]
        action = f"UPDATE SET {', '.join(f'{name} = EXCLUDED.{name}' for name in names)}" if names else "NOTHING"
        return f" ON CONFLICT ({self.key_name}) DO {action}"

    def check_atomic(self) -> None:
        """Refuse ``atomic=True`` where it cannot be had.

        Raises:
            FrameError: The rows do not fit into one request.
        """
        if not self.atomic:
            return
        first = list(islice(self.batches(), 2))
        is_split = self.is_stream and self.mode == "insert" and first and len(self.inserts(first[0])) > 1
        if len(first) < 2 and not is_split:
            return
        limit = f"the {self.chunk_rows} rows of a statement of a STREAM table" if self.is_stream else "1 MiB of SQL"
        raise FrameError(
            f"atomic=True is not possible: a transaction lives inside one request, and the {len(self.rows):,} rows do "
            f"not fit into it ({limit}; {len(first[0]):,} rows would). Write fewer rows, or leave atomic out."
        )

    def batches(self, rows: CheckedRows | None = None) -> Iterator[list[Row]]:
        """All rows or the given ones, cut into what one request takes."""
        with_changes = self.mode in {"update", "upsert"}
        max_rows = None if self.mode == "insert" or self.atomic else _MAX_STATEMENTS
        if self.is_stream:
            max_rows = self.chunk_rows
        head = cost_of(self.rows.head + (self.on_conflict if self.mode == "upsert" else ""))
        spelled = (self.rows if rows is None else rows).spelled(with_changes=with_changes)
        return batches(spelled, self._cost, head=head, chunk_rows=self.chunk_rows, max_rows=max_rows)

    def insert_requests(self, pace: WritingPace) -> Iterator[Inserts]:
        """All rows in requests that are no transactions."""
        return insert_requests(self.rows.head, self.rows.spelled(with_changes=False), pace)

    def spans(self) -> Iterator[tuple[int, int]]:
        """First row and row behind the last one of what is compared with the table at a time."""
        size = max(1, len(self.rows)) if self.atomic else _SPAN_ROWS
        for start in range(0, len(self.rows), size):
            yield start, min(start + size, len(self.rows))

    def changes(self, start: int, states: Sequence[RowState]) -> Iterator[Span]:
        """What is to be written of consecutive rows, cut into what one request takes.

        Args:
            start: The first row.
            states: What each row is to the table (``existing.look_up``).
        """
        left_out = {RowState.SAME} if self.mode == "upsert" else {RowState.SAME, RowState.NEW}
        places = [place for place, state in enumerate(states) if state not in left_out]
        done = behind = 0
        for batch in self.batches(self.rows.take([start + place for place in places])):
            behind += len(batch)
            stop = places[behind] if behind < len(places) else len(states)
            yield self._part(states[done:stop], batch)
            done = stop
        if done < len(states):
            yield self._part(states[done:], [])

    def _part(self, states: Sequence[RowState], batch: Sequence[Row]) -> Span:
        if self.mode == "update":
            return Span(len(states), [], list(batch), states.count(RowState.SAME), states.count(RowState.NEW))
        wanted = zip(batch, (state for state in states if state != RowState.SAME), strict=True)
        parts: tuple[list[Row], list[Row]] = ([], [])
        for row, state in wanted:
            parts[state != RowState.NEW].append(row)
        return Span(len(states), *parts, states.count(RowState.SAME))

    def _cost(self, row: Row) -> int:
        if self.mode == "insert":
            return cost_of(row.values)
        # Each row may become a statement of its own.
        by_key = cost_of(self.rows.target.name) + cost_of(self.key_name) + cost_of(row.key) + cost_of(row.changes) + 50
        return max(by_key, cost_of(row.values)) if self.mode == "upsert" else by_key

    def inserts(self, batch: Sequence[Row], *, suffix: str = "", at_least: int = 1) -> list[str]:
        """INSERT statements for a batch; rows that are not plain literals go apart, for they take the other path."""
        head = self.rows.head
        plain = [row.values for row in batch if row.is_plain]
        other = [row.values for row in batch if not row.is_plain]
        statements = [
            *insert_statements(head, plain, chunk_rows=self.chunk_rows, at_least=at_least),
            *insert_statements(head, other, chunk_rows=self.chunk_rows),
        ]
        return [statement + suffix for statement in statements]

    def updates(self, batch: Sequence[Row]) -> list[str]:
        """An UPDATE for each row; none for a table that has nothing but a key."""
        name = self.rows.target.name
        return [f"UPDATE {name} SET {row.changes} WHERE {self.key_name} = {row.key}" for row in batch if row.changes]

    def deletes(self, batch: Sequence[Row], *, one_by_one: bool) -> list[str]:
        """DELETE statements for a batch, of ``chunk_rows`` keys each or of one."""
        delete = f"DELETE FROM {self.rows.target.name} WHERE {self.key_name}"
        keys = [row.key for row in batch]
        if one_by_one:
            return [f"{delete} = {key}" for key in keys]
        parts = (keys[start : start + self.chunk_rows] for start in range(0, len(keys), self.chunk_rows))
        return [f"{delete} IN ({', '.join(part)})" for part in parts]
