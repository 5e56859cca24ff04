"""Which rows a live table holds, by key, and where their cells lie.

The cells lie in immutable Arrow batches. Each row has a *slot*, and of each slot the version, the position of its
cells (-1 when the row is gone) and the row's number are known; slots are in the order of the numbers. ``table`` puts
runs of consecutive positions together, so what did not change is not copied.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from kalam_notebook.live_queries.rows.chunks import RowChunks, runs_of

__all__ = ["Slots"]

#: Beyond this many runs or batches, or this many dead rows, the living rows are gathered anew: more pieces cost more
#: than the copy.
_MAX_RUNS = 4_000
_RUNS_PER_ROW = 1 / 8
_MAX_DEAD_ROWS = 10_000

#: Numbering the slots anew means making a new dict, so it is done for many dead ones only.
_DEAD_SLOTS_PER_ROW = 1 / 4


class Slots:
    """The living rows. Who decides which version counts is ``rows.store``.

    Args:
        schema: The schema of the cells.
        visible: Names of the columns that ``table`` gives, in order.
        next_row_id: Number of the first row.
        on_gather: Called before cells are moved to other positions.

    Attributes:
        chunks: The batches that hold the cells.
        seqs: By slot: the version that is held.
        places: By slot: the position of the cells; -1 for a row that is gone.
        row_ids: By slot: the row's number.
        next_row_id: The number of the next row.
    """

    def __init__(
        self, schema: pa.Schema, *, visible: Sequence[str], next_row_id: int, on_gather: Callable[[], object]
    ) -> None:
        self.chunks = RowChunks(schema)
        self.seqs = array("q")
        self.places = array("q")
        self.row_ids = array("q")
        self.next_row_id = next_row_id
        self._schema = schema
        self._visible = list(visible)
        self._on_gather = on_gather
        self._by_key: dict[Hashable, int] = {}
        self._table: pa.Table | None = None

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[tuple[Hashable, int]]:
        """The keys and slots of all rows, in the order of their numbers."""
        return iter(self._by_key.items())

    def find(self, key: Hashable) -> int | None:
        """The slot of a row; None when there is no such row."""
        return self._by_key.get(key)

    def seq_of(self, key: Hashable) -> int | None:
        """The version that is held of a row; None when there is no such row."""
        slot = self._by_key.get(key)
        return None if slot is None else self.seqs[slot]

    def find_numbers(self, row_ids: Sequence[int]) -> list[int]:
        """The slot of each number, -1 for rows that are gone; numbers only grow with the slots."""
        known = np.array(self.row_ids)
        if not len(known):
            return [-1] * len(row_ids)
        slots = np.minimum(np.searchsorted(known, row_ids), len(known) - 1)
        held = (known[slots] == row_ids) & (np.array(self.places)[slots] >= 0)
        found: list[int] = np.where(held, slots, -1).tolist()
        return found

    def living(self, values: array[int]) -> np.ndarray:
        """A copy of ``seqs``, ``places`` or ``row_ids`` without the rows that are gone."""
        # A copy: an array that lends its memory out cannot grow.
        found = np.array(values)
        return found if len(self._by_key) == len(values) else found[np.array(self.places) >= 0]

    def table(self) -> pa.Table:
        """The visible cells of all rows, in the order of their numbers; the table never changes afterwards."""
        if self._table is None:
            firsts, lengths = runs_of(self.living(self.places))
            if len(firsts) > min(_MAX_RUNS, len(self) * _RUNS_PER_ROW + 16):
                self.gather()
                firsts, lengths = runs_of(self.living(self.places))
            self._table = self.chunks.slices(firsts, lengths).select(self._visible)
        return self._table

    # Changes.

    def add(self, key: Hashable, seq: int, place: int) -> int:
        """Let a row begin, and return its number."""
        row_id = self.next_row_id
        self.next_row_id += 1
        self._by_key[key] = len(self.seqs)
        self.seqs.append(seq)
        self.places.append(place)
        self.row_ids.append(row_id)
        self._table = None
        return row_id

    def replace(self, slot: int, seq: int, place: int) -> None:
        """Give a row another version."""
        self.seqs[slot] = seq
        self.places[slot] = place
        self._table = None

    def remove(self, key: Hashable) -> None:
        """Let a row end."""
        self.places[self._by_key.pop(key)] = -1
        self._table = None

    def load(self, rows: pa.Table, keys: Sequence[Hashable], seqs: Sequence[int]) -> None:
        """Replace all rows; those that are still there keep their numbers.

        Args:
            rows: Their cells, in the order of versions.
            keys: Their keys, each once.
            seqs: Their versions.
        """
        known = [-1 if (slot := self._by_key.get(key)) is None else self.row_ids[slot] for key in keys]
        fresh = iter(range(self.next_row_id, self.next_row_id + known.count(-1)))
        numbers = [next(fresh) if row_id < 0 else row_id for row_id in known]
        self.next_row_id += known.count(-1)

        # The slots are in the order of the numbers.
        order = np.argsort(np.array(numbers, np.int64), kind="stable")
        positions = order.tolist()
        self.chunks = RowChunks.of(rows if _is_ascending(order) else rows.take(pa.array(order)))
        self._by_key = {keys[position]: slot for slot, position in enumerate(positions)}
        self.seqs = array("q", [seqs[position] for position in positions])
        self.row_ids = array("q", [numbers[position] for position in positions])
        self.places = array("q", range(len(positions)))
        self._table = None

    # Housekeeping.

    def gather_if_scattered(self) -> None:
        """Gather the living rows where they lie in many pieces, or among many dead ones."""
        if self.chunks.num_batches > _MAX_RUNS or len(self.chunks) > 2 * len(self) + _MAX_DEAD_ROWS:
            self.gather()

    def gather(self) -> None:
        """Copy the living rows into one batch, and forget the slots of those that are gone when they are many."""
        self._on_gather()
        self.chunks = RowChunks.of(self.chunks.take(self.living(self.places)))
        if len(self.seqs) > len(self) * (1 + _DEAD_SLOTS_PER_ROW):
            self.seqs = array("q", self.living(self.seqs).tobytes())
            self.row_ids = array("q", self.living(self.row_ids).tobytes())
            # Keys are in the dict in the order of their slots.
            self._by_key = dict(zip(self._by_key, range(len(self)), strict=True))
            self.places = array("q", range(len(self)))
        else:
            places = np.array(self.places)
            places[places >= 0] = np.arange(len(self))
            self.places = array("q", places.tobytes())


def _is_ascending(order: np.ndarray) -> bool:
    return bool(np.all(order[:-1] < order[1:]))
