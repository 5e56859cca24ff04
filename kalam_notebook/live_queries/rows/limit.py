"""Which rows are kept when there are more than wanted: those with the greatest versions."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator, Sequence

from kalam_notebook.live_queries.rows.slots import Slots

__all__ = ["RowLimit"]

#: Outdated entries beside those of the rows that are kept, until they are put away.
_MAX_OUTDATED = 10_000


class RowLimit:
    """The rows in the order in which they have to go.

    Args:
        max_rows: How many are kept; None for all.

    Attributes:
        floor: Rows up to this version may be missing, because there was no room for them.
    """

    def __init__(self, max_rows: int | None) -> None:
        self.max_rows = max_rows
        self.floor = 0
        # The rows by their versions, oldest first, with outdated entries among them; kept only with a limit.
        self._by_seq: list[tuple[int, Hashable]] = []

    def add(self, seq: int, key: Hashable) -> None:
        """A row has come, or has a new version; there are many, so it is not called without a limit."""
        heapq.heappush(self._by_seq, (seq, key))

    def load(self, seqs: Sequence[int], keys: Sequence[Hashable]) -> None:
        """All rows were replaced by these, in the order of versions."""
        self._by_seq = list(zip(seqs, keys, strict=True)) if self.max_rows is not None else []

    def too_many(self, rows: Slots) -> Iterator[tuple[int, Hashable]]:
        """The rows for which there is no room, oldest first; each has to be removed before the next is asked for."""
        while self.max_rows is not None and len(rows) > self.max_rows:
            seq, key = heapq.heappop(self._by_seq)
            if rows.seq_of(key) == seq:
                self.floor = max(self.floor, seq)
                yield seq, key

    def tidy(self, rows: Slots) -> None:
        """Put outdated entries away where they are many."""
        if len(self._by_seq) > 2 * len(rows) + _MAX_OUTDATED:
            self._by_seq = [(rows.seqs[slot], key) for key, slot in rows]
            heapq.heapify(self._by_seq)
