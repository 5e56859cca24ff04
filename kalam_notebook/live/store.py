"""The rows of one live query by key, the newest ``_seq`` wins.

The rules (live reference, section 9.6), for one key:

- a row is taken when its ``_seq`` is greater than the one held and greater than that of a remembered delete;
- a delete is taken when its ``_seq`` is not smaller than the one held; it is remembered, so that a late row does not
  come back. At equal ``_seq`` the delete wins: newer servers tell with the old ``_seq`` that a row left the filter;
- an update is the whole new row, and a column missing in it is NULL;
- the delete of a STREAM row names it by ``row_id``, whose end is its ``_seq``.

So the result does not depend on the order in which events come, nor on how often. A complete reading replaces
everything at once. Every row has a number, ``row_id``, from its first appearance to its end. No clock, no lock: whoever
shares a store between threads holds a lock around each call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from kalam_notebook.live.changelog import ChangeLog, Effect
from kalam_notebook.live.chunks import RowChunks
from kalam_notebook.live.events import decode_events
from kalam_notebook.wire.live import Change
from kalam_notebook.wire.types import Column, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Applied", "KeyedStore", "LiveDelta"]

#: Changes that can be told apart by version; a view that is further behind gets the whole table.
_MAX_LOG = 50_000

#: Deletes that are remembered. Events come at most seconds late, so this is for memory only.
_MAX_TOMBSTONES = 100_000

#: Beyond this many batches, or this many dead rows, the living rows are gathered anew.
_MAX_BATCHES = 500
_MAX_DEAD_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class LiveDelta:
    """What changed in a live table between two of its versions.

    Attributes:
        version: The table's version after this delta.
        reset: Whether ``rows`` is the whole table and replaces everything.
        rows: Inserted and updated rows with all visible columns, in the order of their numbers.
        row_ids: The stable number of each row of ``rows``.
        inserted: The numbers that are new; empty on a reset.
        removed: The numbers that are gone.
        num_rows: How many rows the table has now.
    """

    version: int
    reset: bool
    rows: pa.Table
    row_ids: tuple[int, ...]
    inserted: frozenset[int]
    removed: tuple[int, ...]
    num_rows: int


@dataclass(frozen=True, slots=True)
class Applied:
    """How many rows a batch of events inserted, updated and deleted; late and repeated events do not count."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0


class KeyedStore:
    """The present rows, their history for a while, and the rules above.

    Args:
        columns: The columns that are held: the visible ones, the key and ``_seq``.
        key: Name of the column whose values are unique; ``_seq`` for STREAM tables.
        visible: Names of the columns that ``arrow`` and ``delta`` give, in order.
        max_rows: How many rows are kept, the latest to appear; None for all. Older ones come back when they change.
        version: Version of the empty store.
        next_row_id: Number of the first row.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        key: str,
        visible: Sequence[str],
        max_rows: int | None = None,
        version: int = 0,
        next_row_id: int = 0,
    ) -> None:
        self.columns = tuple(columns)
        self.key = key
        self.version = version
        self.next_row_id = next_row_id
        self.last_seq = 0
        self._schema = arrow_schema(self.columns)
        self._visible = list(visible)
        self._max_rows = max_rows
        self._ids: dict[Hashable, int] = {}
        self._seqs: dict[Hashable, int] = {}
        # Position of each row by its number. Numbers only grow and updates keep the place, so the order is theirs.
        self._places: dict[int, int] = {}
        self._chunks = RowChunks(self._schema)
        self._tombstones: dict[Hashable, int] = {}
        self._log = ChangeLog(max_entries=_MAX_LOG, version=version)
        # Rows whose decimals may have lost their sign on the socket (truth L5), until they are read over HTTP.
        self._doubtful: set[int] = set()
        # Rows in the order of their numbers, for dropping the oldest; kept only with a limit.
        self._by_age: deque[tuple[int, Hashable]] = deque()
        self._table: pa.Table | None = None

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self._ids)

    @property
    def has_doubtful_decimals(self) -> bool:
        """Whether a row came by event with a decimal between 0 and 1, which may be a negative one without its sign."""
        return bool(self._doubtful)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the visible columns."""
        import pyarrow as pa

        return pa.schema([self._schema.field(name) for name in self._visible])

    def arrow(self) -> pa.Table:
        """Return the visible columns of all rows, in the order of their numbers; the table never changes afterwards."""
        if self._table is None:
            self._table = self._chunks.take(list(self._places.values())).select(self._visible)
        return self._table

    def delta(self, since: int) -> LiveDelta:
        """Return what changed after a version; the whole table when that is not known (any more)."""
        changed = self._log.since(since) if since <= self.version else None
        if changed is None:
            return LiveDelta(self.version, True, self.arrow(), tuple(self._places), frozenset(), (), self.num_rows)
        ids = sorted(row_id for row_id in changed if row_id in self._places)
        rows = self._chunks.take([self._places[row_id] for row_id in ids]).select(self._visible)
        inserted = frozenset(row_id for row_id in ids if changed[row_id] is Effect.INSERTED)
        gone = (row_id for row_id, first in changed.items() if first is not Effect.INSERTED)
        removed = tuple(sorted(row_id for row_id in gone if row_id not in self._places))
        return LiveDelta(self.version, False, rows, tuple(ids), inserted, removed, self.num_rows)

    def apply(self, changes: Sequence[Change]) -> Applied:
        """Take events in; they may be late, repeated or out of order.

        Raises:
            DecodeError: A cell does not fit its column.
            ProtocolError: A row has no ``_seq``, or a delete names no row.
        """
        decoded = decode_events(changes, self.columns, self.key)
        start = self._chunks.append(decoded.rows)
        counts = dict.fromkeys(Effect, 0)
        version = self.version + 1
        for event in decoded.events:
            self.last_seq = max(self.last_seq, event.seq or 0)
            if event.offset is None:
                effect = self._delete(event.key, event.seq, version)
            else:
                effect = self._upsert(event.key, event.seq or 0, start + event.offset, version)
                if effect and event.offset in decoded.doubtful:
                    self._doubtful.add(self._ids[event.key])
            if effect:
                counts[effect] += 1
        if any(counts.values()):
            self._drop_oldest(version)
            self.version = version
            self._table = None
        self._gather_if_scattered()
        return Applied(counts[Effect.INSERTED], counts[Effect.UPDATED], counts[Effect.REMOVED])

    def load(self, table: pa.Table) -> None:
        """Replace all rows by a complete reading; rows that are still there keep their numbers.

        Args:
            table: The columns of the store, in any order of rows.

        Raises:
            pyarrow.ArrowInvalid: A column cannot be held in its type.
        """
        rows = self._newest_of_each(self._conform(table))
        keys, seqs = rows.column(self.key).to_pylist(), rows.column("_seq").to_pylist()
        old_ids, old_seqs = self._ids, self._seqs
        known = [old_ids.get(key) for key in keys]
        fresh = iter(range(self.next_row_id, self.next_row_id + known.count(None)))
        self._ids = {key: next(fresh) if row_id is None else row_id for key, row_id in zip(keys, known, strict=True)}
        self._seqs = dict(zip(keys, seqs, strict=True))
        self.next_row_id += known.count(None)
        # The rows come in the order of _seq; the places are kept in the order of the numbers.
        places = sorted(zip(self._ids.values(), range(len(keys)), strict=True))
        self._places = dict(places)
        self._chunks.replace(rows)
        if self._max_rows is not None:
            key_of = {row_id: key for key, row_id in self._ids.items()}
            self._by_age = deque((row_id, key_of[row_id]) for row_id in self._places)
        for key in self._tombstones.keys() & self._ids.keys():
            del self._tombstones[key]
        self.last_seq = max([self.last_seq, *seqs[-1:]])
        self.version += 1
        self._table = None
        self._log_reading(old_ids, old_seqs)
        self._doubtful.clear()

    def _conform(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        table = table.select(self._schema.names)
        if table.schema.types != self._schema.types:
            return table.cast(self._schema)
        return pa.Table.from_arrays(table.columns, schema=self._schema)

    def _newest_of_each(self, table: pa.Table) -> pa.Table:
        """The rows in the order of ``_seq``, one for each key, at most ``max_rows``."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table = table.take(pc.sort_indices(table.column("_seq")))
        last = dict(zip(table.column(self.key).to_pylist(), range(table.num_rows), strict=True))
        if len(last) < table.num_rows:
            table = table.take(pa.array(sorted(last.values()), pa.int64()))
        return table if self._max_rows is None else table.slice(max(0, table.num_rows - self._max_rows))

    def _log_reading(self, old_ids: dict[Hashable, int], old_seqs: dict[Hashable, int]) -> None:
        """Log the difference between the rows before and after a reading, as far as the log reaches."""
        differences = self._differences(old_ids, old_seqs) if old_ids else iter(())
        entries = list(islice(differences, _MAX_LOG + 1))
        if not old_ids or len(entries) > _MAX_LOG:
            self._log.forget(self.version)
            return
        for row_id, effect in entries:
            self._log.add(self.version, row_id, effect)

    def _differences(self, old_ids: dict[Hashable, int], old_seqs: dict[Hashable, int]) -> Iterator[tuple[int, Effect]]:
        for key, row_id in old_ids.items():
            if key not in self._ids:
                yield row_id, Effect.REMOVED
            elif self._seqs[key] != old_seqs[key] or row_id in self._doubtful:
                yield row_id, Effect.UPDATED
        for key, row_id in self._ids.items():
            if key not in old_ids:
                yield row_id, Effect.INSERTED

    def _upsert(self, key: Hashable, seq: int, position: int, version: int) -> Effect | None:
        if seq <= max(self._seqs.get(key, -1), self._tombstones.get(key, -1)):
            return None
        self._tombstones.pop(key, None)
        row_id = self._ids.get(key)
        effect = Effect.INSERTED if row_id is None else Effect.UPDATED
        if row_id is None:
            row_id = self.next_row_id
            self.next_row_id += 1
            self._ids[key] = row_id
            if self._max_rows is not None:
                self._by_age.append((row_id, key))
        self._seqs[key] = seq
        self._places[row_id] = position
        self._doubtful.discard(row_id)
        self._log.add(version, row_id, effect)
        return effect

    def _delete(self, key: Hashable, seq: int | None, version: int) -> Effect | None:
        held = self._seqs.get(key, -1)
        tombstone = held if seq is None else seq
        if tombstone < max(held, self._tombstones.get(key, 0)):
            return None
        self._tombstones[key] = tombstone
        if len(self._tombstones) > _MAX_TOMBSTONES:
            del self._tombstones[next(iter(self._tombstones))]
        if key not in self._ids:
            return None
        self._remove(key, version)
        return Effect.REMOVED

    def _remove(self, key: Hashable, version: int) -> None:
        row_id = self._ids.pop(key)
        del self._seqs[key], self._places[row_id]
        self._doubtful.discard(row_id)
        self._log.add(version, row_id, Effect.REMOVED)

    def _drop_oldest(self, version: int) -> None:
        while self._max_rows is not None and len(self._ids) > self._max_rows:
            row_id, key = self._by_age.popleft()
            if self._ids.get(key) == row_id:
                self._remove(key, version)

    def _gather_if_scattered(self) -> None:
        is_scattered = self._chunks.num_batches > _MAX_BATCHES
        if is_scattered or len(self._chunks) > 2 * self.num_rows + _MAX_DEAD_ROWS:
            self._chunks.replace(self._chunks.take(list(self._places.values())))
            self._places = dict(zip(self._places, range(len(self._places)), strict=True))
