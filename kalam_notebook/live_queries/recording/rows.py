"""The rows of a recording as they were at some moment, with their history: what a replay shows. Pure.

As ``rows.store`` but driven by row numbers: what happened is known, nothing has to be decided. No clock, no lock.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.recording.format import RecordedChanges, RecordedStep, Snapshot
from kalam_notebook.live_queries.rows.chunks import RowChunks, runs_of
from kalam_notebook.live_queries.rows.delta import LiveDelta, changes, nothing, whole
from kalam_notebook.live_queries.rows.held import Rows
from kalam_notebook.live_queries.rows.history import Applied, Effect, Entries, Step
from kalam_notebook.wire.types import Column

__all__ = ["ReplayedRows"]

#: Changes that are remembered by number, and with their cells: as many as a live table remembers.
_MAX_LOG, _MAX_CELLS = 50_000, 10_000

#: Batches, or dead rows beyond as many as there are living ones, after which the living are copied together.
_MAX_BATCHES, _MAX_DEAD_ROWS = 4_000, 10_000


class ReplayedRows(Rows):
    """The present rows of a replay.

    Args:
        snapshot: The first rows.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot.version, max_log=_MAX_LOG, max_cells=_MAX_CELLS)
        self._is_ordered = snapshot.origin.form is Form.RERUN
        self._columns = snapshot.columns
        self._schema = snapshot.rows.schema
        self._chunks = RowChunks(self._schema)
        # Where the cells of each row lie, by its number and in the order of the rows.
        self._places: dict[int, int] = {}
        # The cells of the changes that are under way, and the place of the first.
        self._coming: Sequence[pa.RecordBatch] = ()
        self._base = 0
        self._table: pa.Table | None = None
        self.load(snapshot)

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self._places)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of ``arrow``."""
        return self._schema

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns of ``arrow``."""
        return self._columns

    # Reading.

    def arrow(self) -> pa.Table:
        """Return all rows; the table never changes afterwards."""
        if self._table is None:
            firsts, lengths = runs_of(self._living_places())
            if len(firsts) > _MAX_BATCHES:
                self._gather()
                firsts, lengths = runs_of(self._living_places())
            self._table = self._chunks.slices(firsts, lengths)
        return self._table

    def delta(self, since: int) -> LiveDelta:
        """Return what changed after a version; the whole table when that is not known, or rows may have moved."""
        if since == self.version:
            return nothing(self.version, self._schema, self.num_rows)
        changed = self._history.since(since) if since < self.version and not self._is_ordered else None
        if changed is None:
            return self._all()
        return changes(self.version, changed, self._places, self._chunks.take, self.num_rows)

    def _all(self) -> LiveDelta:
        return whole(self.version, self.arrow(), tuple(self._places))

    # Replaying.

    def load(self, snapshot: Snapshot) -> None:
        """Replace all rows; what happened before is forgotten.

        Args:
            snapshot: Rows of the same columns.
        """
        self._chunks = RowChunks(self._schema)
        self._chunks.append_all(snapshot.rows.to_batches())
        self._places = dict(zip(snapshot.row_ids, range(len(snapshot.row_ids)), strict=True))
        self._coming = ()
        self._table = None
        self.version = snapshot.version
        self._history.forget(self.version, at=snapshot.at)

    def hold(self, coming: RecordedChanges) -> None:
        """Take the cells of changes in, before their steps are applied one by one."""
        self._coming = ()
        if self._chunks.num_batches > _MAX_BATCHES or len(self._chunks) > 2 * self.num_rows + _MAX_DEAD_ROWS:
            self._gather()
        self._coming = coming.cells.to_batches()
        self._append_coming()

    def apply(self, step: RecordedStep) -> Applied:
        """Take a step of the changes that are held.

        Raises:
            ValueError: It does not fit the rows.
        """
        if step.version <= self.version:
            raise ValueError(f"version {step.version} comes after {self.version}")

        entries = Entries()
        order = array("q", self._places) if self._is_ordered else None
        for place, (row_id, effect, seq) in enumerate(step.rows, self._base + step.first):
            old = self._places.get(row_id, -1)
            if (old < 0) is not (effect is Effect.INSERTED):
                raise ValueError(f"row {row_id} is {'not ' if old < 0 else ''}there already")
            if effect is None:
                continue

            is_there = effect is Effect.INSERTED or effect is Effect.UPDATED
            if is_there:
                self._places[row_id] = place
            else:
                del self._places[row_id]
            entries.add(row_id, effect, seq, place if is_there else -1, old)

        if step.places:
            self._places = {row_id: self._places[row_id] for row_id in _rearranged(list(self._places), step.places)}

        self.version = step.version
        self._table = None
        if entries or order is not None:
            self._history.add(Step(step.version, step.at, step.healed, entries, self._chunks, order))
        return entries.counted()

    def _living_places(self) -> np.ndarray:
        return np.fromiter(self._places.values(), np.int64, len(self._places))

    def _gather(self) -> None:
        """Copy the living rows into one batch."""
        rows = self._chunks.take(self._living_places().tolist())
        self._history.settle(self._schema)
        self._chunks = RowChunks.of(rows)
        self._places = dict(zip(self._places, range(len(self._places)), strict=True))
        self._append_coming()

    def _append_coming(self) -> None:
        self._base = self._chunks.append_all(self._coming)


def _rearranged(order: Sequence[int], places: Mapping[int, int]) -> list[int]:
    """Put rows where they belong; the others keep their order.

    Raises:
        ValueError: The places are not those of rows.
    """
    by_place = {place: row_id for row_id, place in places.items()}
    rest = [row_id for row_id in order if row_id not in places]
    if len(by_place) < len(places) or len(rest) + len(places) != len(order):
        raise ValueError("two rows at one place, or the place of a row that is not there")
    others = iter(rest)
    found = [by_place[place] if place in by_place else next(others, -1) for place in range(len(order))]
    if -1 in found:
        raise ValueError("a row's place is beyond the others")
    return found
