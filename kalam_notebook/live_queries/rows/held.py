"""What the rows of every live table offer, however they are kept. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pyarrow as pa

from kalam_notebook.live_queries.rows.delta import LiveDelta
from kalam_notebook.live_queries.rows.history import History, Step
from kalam_notebook.live_queries.rows.past import taken_back
from kalam_notebook.wire.types import Column

__all__ = ["Rows"]


class Rows(ABC):
    """The present rows of a live table and their history.

    Args:
        version: Their version, which grows with each change.
        max_log: How many changed rows are remembered by number.
        max_cells: How many of them with their cells.
    """

    def __init__(self, version: int, *, max_log: int, max_cells: int) -> None:
        self.version = version
        self._history = History(version=version, max_entries=max_log, max_cells=max_cells)

    @property
    @abstractmethod
    def num_rows(self) -> int:
        """How many rows there are."""

    @property
    @abstractmethod
    def schema(self) -> pa.Schema:
        """The Arrow schema of ``arrow``."""

    @property
    @abstractmethod
    def shown(self) -> tuple[Column, ...]:
        """The columns of ``arrow``, as the server announced them."""

    @abstractmethod
    def arrow(self) -> pa.Table:
        """Return all rows as of now; the table never changes afterwards."""

    @abstractmethod
    def delta(self, since: int) -> LiveDelta:
        """Return what changed after a version; the whole table when that is not known (any more)."""

    @property
    def known_since(self) -> float:
        """From when on ``at`` can tell how the rows were, in seconds since 1970."""
        return self._history.known_since

    @property
    def moments(self) -> tuple[float, ...]:
        """``known_since`` and the later times at which rows changed, each once, in seconds since 1970."""
        since = self.known_since
        return tuple(sorted({since, *(step.at for step in self._history.later_than(since)[0])}))

    def at(self, seconds: float) -> LiveDelta:
        """Return all rows as they were at a time since ``known_since``, in seconds since 1970; those of now beyond."""
        return taken_back(self._all(), *self._history.later_than(seconds))

    @abstractmethod
    def _all(self) -> LiveDelta:
        """The whole table."""

    def steps(self, since: int) -> tuple[list[Step], bool]:
        """What happened after a version, oldest first, and whether that is all of it."""
        return self._history.steps(since)
