"""A live table's rows at one version, and views of them: sorted and filtered orders that changes are put into.

Pure. Rows have *slots* in the order of the table; a view is a list of slots. It is sorted once. After that a change
costs as many comparisons as it takes to find a place, and the copy of a list of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from kalam_notebook.live_queries.rows.chunks import RowChunks
from kalam_notebook.notebook.page.ordering import (
    Sort,
    Wanted,
    comes_before,
    first_places,
    sort_keys,
    sorted_places,
)
from kalam_notebook.results.cells import CellColumn, plain

if TYPE_CHECKING:
    from kalam_notebook.live_queries.rows.delta import LiveDelta

__all__ = ["HeldRows", "RowView"]

#: Rows at the start of an order, which are found before all are sorted.
FIRST = 1_000
#: Batches beyond which those of keys are put together, so that looking for many keys costs little.
_MAX_BATCHES = 64
#: Changed rows beyond which sorting all anew costs less than finding a place for each.
_MOST_CHANGED = 1 / 8
_FEW_CHANGED = 10_000


class HeldRows:
    """The rows of a live table at one version, as views read them.

    Args:
        delta: The whole table.
        columns: Describes its columns.
    """

    def __init__(self, delta: LiveDelta, columns: Sequence[CellColumn]) -> None:
        self.version = delta.version
        self.columns = tuple(columns)
        self.num_rows = delta.num_rows
        self.row_ids = _numbers(delta.row_ids)
        self._chunks = RowChunks(delta.rows.schema)
        self._chunks.append_all(delta.rows.to_batches())
        #: By slot: where the cells lie; -1 for a row that is gone.
        self.places = np.arange(len(self.row_ids))

    @property
    def living(self) -> np.ndarray:
        """The slots of all rows, in the order of the table."""
        return np.flatnonzero(self.places >= 0)

    @property
    def is_worn(self) -> bool:
        """Whether most of what is kept belongs to rows that are gone."""
        return len(self._chunks) > 2 * self.num_rows + _FEW_CHANGED

    @property
    def newest(self) -> int:
        """The number of the row that came last, there or gone; -1 before the first."""
        return int(self.row_ids[-1]) if len(self.row_ids) else -1

    def there(self, slots: np.ndarray) -> np.ndarray:
        """Those of some slots whose rows are there."""
        found: np.ndarray = slots[self.places[slots] >= 0]
        return found

    def take(self, slots: np.ndarray) -> pa.Table:
        """The cells of rows that are there."""
        return self._chunks.take(self.places[slots])

    def column(self, index: int) -> pa.ChunkedArray:
        """A column of all rows, in the order of the table; no other is copied."""
        return self.all_places().column(index).take(pa.array(self.places[self.living]))

    def numbered(self, row_ids: Sequence[int]) -> pa.Table:
        """The cells of the rows with these numbers, in their order, without those that are gone."""
        numbers = _numbers(row_ids)
        slots = np.searchsorted(self.row_ids, numbers)
        slots, numbers = slots[slots < len(self.row_ids)], numbers[slots < len(self.row_ids)]
        return self.take(self.there(slots[self.row_ids[slots] == numbers]))

    def all_places(self) -> pa.Table:
        """All cells that are kept, by their places: also those of rows that are gone."""
        return self._chunks.slices(np.zeros(1, np.int64), np.array([len(self._chunks)]))

    def apply(self, delta: LiveDelta) -> np.ndarray:
        """Take changes in, and return the slots of the rows that changed, came or went, in order."""
        new = [row_id for row_id in delta.row_ids if row_id in delta.inserted]
        if new:  # Numbers only grow.
            self.row_ids = np.append(self.row_ids, np.array(new, np.int64))
            self.places = np.append(self.places, np.full(len(new), -1))

        start = len(self._chunks)
        for batch in delta.rows.to_batches():
            self._chunks.append(batch)
        changed = self._slots(_numbers(delta.row_ids))
        self.places[changed] = start + np.arange(len(changed))
        removed = self._slots(_numbers(delta.removed))
        self.places[removed] = -1

        self.version = delta.version
        self.num_rows = delta.num_rows
        return np.union1d(changed, removed)

    def _slots(self, row_ids: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.row_ids, row_ids)


class RowView:
    """One order of the rows that are wanted.

    Args:
        rows: The rows.
        sort: How they are sorted; None for the order of the table.
        wanted: Which of them.

    Attributes:
        rows: The rows, which somebody else brings up to date.
        count: How many are wanted.
    """

    def __init__(self, rows: HeldRows, sort: Sort | None, wanted: Wanted) -> None:
        self.rows = rows
        self._sort = sort
        self._wanted = wanted
        self._order: np.ndarray | None = None
        self._first = np.zeros(0, np.int64)
        # Slots that may stand wrongly in the order.
        self._changed = np.zeros(0, np.int64)
        self._keys: RowChunks | None = None

        # By slot, whether the row is wanted.
        self._matching = rows.places >= 0
        table = rows.all_places()
        if not wanted.is_all:
            self._matching[self._matching] = wanted.of(table, rows.columns)[rows.places[self._matching]]
        self._slots = np.flatnonzero(self._matching)
        self.count = len(self._slots)
        self._slot_keys = self._keys_at_first(table)

    def _keys_at_first(self, table: pa.Table) -> pa.ChunkedArray | None:
        """The keys of the rows that are wanted, in the order of the table."""
        if self._sort is None:
            return None
        keys = self._key_table(table)
        self._keys = RowChunks.of(keys)
        if self.count == len(keys):
            return keys.column(0)
        return self._keys.take(self.rows.places[self._slots]).column(0)

    def find_first(self) -> None:
        """Find the first rows."""
        if self._slot_keys is None or self._sort is None:
            self._order = self._slots
        else:
            self._first = self._slots[first_places(self._slot_keys, self._sort, FIRST)]

    def sort(self) -> None:
        """Sort all rows; may run on another thread than changes are told on."""
        if self._slot_keys is not None and self._sort is not None:
            self._order = self._slots[sorted_places(self._slot_keys, self._sort)]
        self._slots = self._slots[:0]
        self._slot_keys = None

    def changed(self, slots: np.ndarray, rows: pa.Table) -> None:
        """Note which rows changed, came or went, and the cells of those that are there, as the table got them."""
        if self._keys is not None:
            self._keys.extend(self._key_table(rows))
        self._changed = np.union1d(self._changed, slots)

        new = len(self.rows.places) - len(self._matching)
        if new:
            self._matching = np.append(self._matching, np.zeros(new, bool))
        there, before = self.rows.there(slots), np.count_nonzero(self._matching[slots])
        self._matching[slots] = False
        self._matching[there] = self._wanted.is_all or self._wanted.of(self.rows.take(there), self.rows.columns)
        self.count += int(np.count_nonzero(self._matching[slots]) - before)

    @property
    def is_outdated(self) -> bool:
        """Whether so much has changed that it is better made anew."""
        return len(self._changed) > max(_FEW_CHANGED, _MOST_CHANGED * self.rows.num_rows)

    def range(self, start: int, count: int) -> np.ndarray | None:
        """The slots of rows from a place on; None as long as they are not known."""
        if self._order is not None:
            self._order = self._amended(self._order)
            self._changed = self._changed[:0]
            return self._order[start : start + count]
        # Behind the first rows comes what is not sorted yet.
        first = self._amended(self._first, is_whole=False)
        is_known = start + count <= len(first) or len(first) == self.count
        return first[start : start + count] if is_known else None

    def _amended(self, order: np.ndarray, *, is_whole: bool = True) -> np.ndarray:
        """An order with the changed rows where they belong.

        Args:
            order: The order without them.
            is_whole: Whether no row that is wanted comes behind it.
        """
        if not len(self._changed):
            return order
        is_changed = np.zeros(len(self.rows.places), bool)
        is_changed[self._changed] = True
        order = order[~is_changed[order]]

        there = self._changed[self._matching[self._changed]]
        if self._sort is None:
            return np.insert(order, np.searchsorted(order, there), there)
        keys = self._keys_of(there)
        by_key = sorted_places(pa.chunked_array([keys]), self._sort)
        there, keys = there[by_key], keys.take(pa.array(by_key))
        places = self._bisect(order, there, keys, self._sort)
        is_known = np.full(len(there), True) if is_whole else places < len(order)
        return np.insert(order, places[is_known], there[is_known])

    def _bisect(self, order: np.ndarray, slots: np.ndarray, keys: pa.Array, sort: Sort) -> np.ndarray:
        """Where rows belong in an order: all of them are looked for at once."""
        low = np.zeros(len(slots), np.int64)
        high = np.full(len(slots), len(order))
        while np.any(low < high):
            is_open = low < high
            middle = np.minimum((low + high) // 2, len(order) - 1)
            before = comes_before(self._keys_of(order[middle]), order[middle], keys, slots, sort)
            low = np.where(is_open & before, middle + 1, low)
            high = np.where(is_open & ~before, middle, high)
        return low

    def _key_table(self, rows: pa.Table) -> pa.Table:
        place = 0 if self._sort is None else self._sort.column
        column = self.rows.columns[place]
        return pa.table({"key": sort_keys(plain(rows.column(place), column), column)})

    def _keys_of(self, slots: np.ndarray) -> pa.Array:
        if self._keys is None:
            return pa.nulls(len(slots))
        if self._keys.num_batches > _MAX_BATCHES:
            self._keys = RowChunks.of(self._keys.take(np.arange(len(self._keys))))
        found = self._keys.take(self.rows.places[slots]).column(0)
        return found.combine_chunks() if found.num_chunks != 1 else found.chunk(0)


def _numbers(row_ids: Sequence[int]) -> np.ndarray:
    if isinstance(row_ids, range):
        return np.arange(row_ids.start, row_ids.stop)
    return np.array(row_ids, np.int64)
