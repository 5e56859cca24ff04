"""What a write did, in numbers and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kalam_notebook.results.render import render_message_html
from kalam_notebook.texts import shown

__all__ = ["ChunkReport", "WriteReport"]


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """What one part of a write did with consecutive rows of the frame.

    Attributes:
        rows: The first row, counted from 0, and the row behind the last one.
        inserted: Rows that are new.
        updated: Rows whose values changed.
        deleted: Rows that are gone.
        unchanged: Rows that were there already, with the same values.
        missing: Rows that an update or delete found no row of the table for.
        requests: Requests that wrote; 0 where nothing was to be done, 2 where one could not take all kinds of rows.
        seconds: Time that those took.
    """

    rows: tuple[int, int]
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    missing: int = 0
    requests: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What a write did.

    Attributes:
        table: The table, with its namespace.
        mode: ``insert``, ``upsert``, ``update`` or ``delete``.
        inserted: Rows that are new.
        updated: Rows whose values changed.
        deleted: Rows that are gone.
        unchanged: Rows that were there already, with the same values.
        missing: Rows of the frame that an update or delete found no row of the table for.
        requests: Requests that wrote.
        seconds: From the first request to the last.
        created_sql: The CREATE TABLE that was sent, or None.
        count_before: Rows of the table before; of those that this user sees. None when not asked for.
        count_after: Rows of the table afterwards; None when not asked for.
        notices: Things the caller should know, in words.
        chunks: The numbers of each part of the frame, in its order.
    """

    table: str
    mode: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    missing: int = 0
    requests: int = 0
    seconds: float = 0.0
    created_sql: str | None = None
    count_before: int | None = None
    count_after: int | None = None
    notices: tuple[str, ...] = ()
    chunks: tuple[ChunkReport, ...] = ()

    @property
    def summary(self) -> str:
        """One line, for example ``app.t: 100 inserted, 3 updated in 0.12 s (2 requests)``."""
        names = ("inserted", "updated", "deleted", "unchanged", "missing")
        counts = [f"{getattr(self, name):,} {name}" for name in names if getattr(self, name)]
        requests = "1 request" if self.requests == 1 else f"{self.requests} requests"
        text = f"{self.table}: {', '.join(counts) or 'nothing written'} in {self.seconds:.2f} s ({requests})"
        if self.count_after is not None:
            text += f"; {self.count_after:,} {'row' if self.count_after == 1 else 'rows'} now"
        return text

    @classmethod
    def of_parts(cls, parts: Sequence[WriteReport], *notices: str) -> WriteReport:
        """The report on several writes into one table, one after the other.

        Args:
            parts: Their reports, at least one.
            notices: What is to be said besides.
        """
        chunks: list[ChunkReport] = []
        for part in parts:
            behind = chunks[-1].rows[1] if chunks else 0
            chunks += [replace(chunk, rows=(chunk.rows[0] + behind, chunk.rows[1] + behind)) for chunk in part.chunks]
        names = ("inserted", "updated", "deleted", "unchanged", "missing", "requests", "seconds")
        said = dict.fromkeys([*notices, *(notice for part in parts for notice in part.notices)])
        return replace(
            parts[0],
            **{name: sum(getattr(part, name) for part in parts) for name in names},
            notices=tuple(said),
            chunks=tuple(chunks),
        )

    def __repr__(self) -> str:
        lines = [self.summary, *(f"Warning: {shown(notice)}" for notice in self.notices)]
        if self.created_sql is not None:
            lines.append(self.created_sql)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        message = self.summary if self.created_sql is None else f"{self.summary}\n{self.created_sql}"
        return render_message_html(message, notices=self.notices)
