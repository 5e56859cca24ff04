"""The rows of one live query by key, the newest version wins.

The rules (protocol/live.md#rows-by-key), for one key:

- a row is taken when its version is greater than the one held and greater than that of a remembered delete;
- a delete is taken when its version is not smaller than the one held; it is remembered, so that a late row does not
  come back. At equal version the delete wins: newer servers tell with the old version that a row left the filter;
- an update is the whole new row, and a column missing in it is NULL;
- the delete of a STREAM row names it by ``row_id``, whose end is its version.

So the result does not depend on the order in which events and deltas come, nor on how often. A complete reading
replaces everything at once. Every row has a number, ``row_id``, from its first appearance to its end, and keeps its
place among the others.

The rows themselves are in ``rows.slots``. No clock, no lock: whoever shares a store between
threads holds a lock around each call.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from operator import itemgetter

import pyarrow as pa

from kalam_notebook.live_queries.rows.comparison import Comparison, Versions
from kalam_notebook.live_queries.rows.decoding import USUAL, Doubts, decode_events
from kalam_notebook.live_queries.rows.delta import LiveDelta, changes, whole
from kalam_notebook.live_queries.rows.fingerprint import Delta, Fingerprint, fingerprint_of
from kalam_notebook.live_queries.rows.held import Rows
from kalam_notebook.live_queries.rows.history import Applied, Effect, Entries, Step
from kalam_notebook.live_queries.rows.limit import RowLimit
from kalam_notebook.live_queries.rows.replacing import Replaced, conformed, newest_of_each
from kalam_notebook.live_queries.rows.slots import Slots
from kalam_notebook.live_queries.rows.values import comparable
from kalam_notebook.wire.live import Change
from kalam_notebook.wire.row_version import GREATEST_VERSION, version_name
from kalam_notebook.wire.types import Column, arrow_schema

__all__ = ["KeyedStore"]

#: Changes that can be told apart by version; a view that is further behind gets the whole table.
_MAX_LOG = 50_000

#: Changes whose cells are remembered, before and after.
_MAX_CELLS = 10_000

#: Deletes that are remembered. Events come at most seconds late, so this is for memory only.
_MAX_TOMBSTONES = 100_000


class KeyedStore(Rows):
    """The present rows, their history for a while, and the rules above.

    Args:
        columns: The columns that are held: the visible ones, the key and the row version.
        key: Name of the column whose values are unique; that of the row version for STREAM tables.
        visible: Names of the columns that ``arrow`` and ``delta`` give, in order.
        max_rows: How many rows are kept, those with the greatest version; None for all. Older ones come back when they
            change.
        doubts: Which cells of events may not be what is stored.
        version: Version of the empty store.
        next_row_id: Number of the first row.

    Attributes:
        slots: Which versions are held, and where their cells lie; for reading only.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        key: str,
        visible: Sequence[str],
        max_rows: int | None = None,
        doubts: Doubts = USUAL,
        version: int = 0,
        next_row_id: int = 0,
    ) -> None:
        super().__init__(version, max_log=_MAX_LOG, max_cells=_MAX_CELLS)
        self.columns = tuple(columns)
        self.key = key
        self.doubts = doubts
        self.last_seq = 0
        self._schema = arrow_schema(self.columns)
        self._visible = list(visible)
        self._limit = RowLimit(max_rows)
        self.slots = Slots(
            self._schema,
            visible=visible,
            next_row_id=next_row_id,
            on_gather=lambda: self._history.settle(self._schema),
        )
        self._was_read = False
        self._tombstones: dict[Hashable, int] = {}
        # Since the last version.
        self._happened = Entries()
        # Rows with cells that may not be what is stored, until they are read over HTTP.
        self._doubtful: set[Hashable] = set()
        # With what was held when a check asked.
        self._comparison = Comparison(Fingerprint())
        self._comparison.end()

    @property
    def floor(self) -> int:
        """Rows up to this version may be missing, because ``max_rows`` left no room for them."""
        return self._limit.floor

    @property
    def next_row_id(self) -> int:
        """The number of the next row."""
        return self.slots.next_row_id

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self.slots)

    @property
    def has_doubtful_cells(self) -> bool:
        """Whether a row came by event with a cell that may not be what is stored."""
        return bool(self._doubtful)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the visible columns."""
        return pa.schema([self._schema.field(name) for name in self._visible])

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns of ``arrow``, as the server announced them."""
        by_name = {column.name: column for column in self.columns}
        return tuple(by_name[name] for name in self._visible)

    # Reading.

    def arrow(self) -> pa.Table:
        """Return the visible columns of all rows, in the order of their numbers; the table never changes afterwards."""
        return self.slots.table()

    def delta(self, since: int) -> LiveDelta:
        """Return what changed after a version; the whole table when that is not known (any more)."""
        changed = self._history.since(since) if since <= self.version else None
        if changed is None:
            return self._all()
        wanted = sorted(changed)
        found = zip(wanted, self.slots.find_numbers(wanted), strict=True)
        places = {row_id: self.slots.places[slot] for row_id, slot in found if slot >= 0}
        return changes(self.version, changed, places, self._visible_at, self.num_rows)

    def _all(self) -> LiveDelta:
        return whole(self.version, self.arrow(), self.slots.living(self.slots.row_ids).tolist())

    def _visible_at(self, places: Sequence[int]) -> pa.Table:
        return self.slots.chunks.take(places).select(self._visible)

    def fingerprint(self, after: int = 0) -> Fingerprint:
        """The fingerprint of the rows with a greater version (truth R5)."""
        seqs = self.slots.living(self.slots.seqs)
        return fingerprint_of(seqs[seqs > after] if after else seqs)

    # Events.

    def apply(self, changes: Sequence[Change], *, at: float = 0.0) -> Applied:
        """Take events in; they may be late, repeated or out of order.

        Args:
            changes: The events.
            at: When they came, in seconds since 1970; for the history.

        Raises:
            DecodeError: A cell does not fit its column.
            ProtocolError: A row has no version, or a delete names no row.
        """
        decoded = decode_events(changes, self.columns, self.key, self.doubts)
        start = self.slots.chunks.append(decoded.rows)
        for key, seq, offset in zip(decoded.keys, decoded.seqs, decoded.offsets, strict=True):
            if offset is None:
                self._delete(key, seq, Effect.DELETED)
            elif self._upsert(key, seq or 0, start + offset) and offset in decoded.doubtful:
                self._doubtful.add(key)
        self.last_seq = max([self.last_seq, *filter(None, decoded.seqs)])
        return self._commit(at=at, healed=False)

    # Checks.

    def ask(self, after: int = 0) -> None:
        """Note the moment before a check asks the server.

        Args:
            after: Rows up to this version are left out of the comparison, as they are in the server's fingerprint.
        """
        self._comparison = Comparison(self.fingerprint(after))

    def answer(
        self, delta: Delta, *, after: int = 0, at: float = 0.0, healed: bool = True
    ) -> tuple[Applied, Fingerprint]:
        """Take a delta in, which was asked for at ``ask``.

        Args:
            delta: What the server told.
            after: As at ``ask``.
            at: When it came, in seconds since 1970.
            healed: Whether events should have told it already.

        Returns:
            What it changed, and the fingerprint that the table had at the delta's point in time if it was right
            before: to be compared with ``delta.fingerprint``.
        """
        versions = Versions.of(delta)
        for key in versions.newest:
            # A row that had gone is there again with its old version: it matches again, or a flush has forgotten the
            # delete (truth L27). No event since contradicts the server.
            if not self._comparison.is_touched(key):
                self._tombstones.pop(key, None)
        held = self._comparison.compare(versions, self.slots.seq_of, after)

        start = self.slots.chunks.extend(conformed(delta.rows, self._schema))
        # The server tells them in no order; new rows get their numbers in the order of writing.
        for key, seq in sorted(versions.newest.items(), key=itemgetter(1)):
            offset = versions.offsets.get(seq)
            if offset is None:
                self._delete(key, seq, Effect.DELETED if seq in versions.deleted else Effect.LEFT)
            elif not self._upsert(key, seq, start + offset):
                self._mend(key, seq, start + offset)
        self.last_seq = max([self.last_seq, *versions.newest.values()])
        return self._commit(at=at, healed=healed), held

    def lacks(self, delta: Delta, *, before: int) -> bool:
        """Whether a delta tells of versions that are not held, though events of them should have come.

        Args:
            delta: What the server told.
            before: Versions from this version on may still be on their way.
        """
        versions = Versions.of(delta)
        late = ((key, seq) for key, seq in versions.newest.items() if self.floor < seq < before)
        for key, seq in late:
            held, is_delete = self.slots.seq_of(key), seq in versions.deleted
            if held is not None and (held < seq or (held == seq and is_delete)):
                return True
            if held is None and not is_delete and self._tombstones.get(key, -1) < seq:
                return True
        return False

    def answered(self) -> None:
        """End what ``ask`` began."""
        self._comparison.end()

    def _mend(self, key: Hashable, seq: int, position: int) -> None:
        """Replace the cells of a version that an event may have brought with a decimal without its sign."""
        slot = self.slots.find(key)
        if slot is None or key not in self._doubtful or self.slots.seqs[slot] != seq:
            return
        self._doubtful.discard(key)
        old = self.slots.places[slot]
        both = self.slots.chunks.take([old, position])
        if any(before != after for before, after in map(comparable, both.columns)):
            self.slots.replace(slot, seq, position)
            self._happened.add(self.slots.row_ids[slot], Effect.UPDATED, seq, position, old)

    def expire(self, before: int, *, at: float = 0.0) -> Applied:
        """Drop the rows of a STREAM table whose version is smaller: their time is over."""
        for key, slot in list(self.slots):
            if self.slots.seqs[slot] < before:
                self._delete(key, self.slots.seqs[slot], Effect.EXPIRED)
        return self._commit(at=at, healed=False)

    # A complete reading.

    def load(self, table: pa.Table, *, newest: int = GREATEST_VERSION, at: float = 0.0, healed: bool = True) -> Applied:
        """Replace all rows by a complete reading; rows that are still there keep their numbers.

        Args:
            table: The columns of the store, in any order of rows.
            newest: A version up to which the table was read; what had a greater one before is of another table.
            at: When it came, in seconds since 1970.
            healed: Whether events should have told the differences already.

        Raises:
            pyarrow.ArrowInvalid: A column cannot be held in its type.
            ProtocolError: A row has no version.
        """
        conform = conformed(table, self._schema)
        rows, self._limit.floor = newest_of_each(conform, self.key, self._limit.max_rows)
        keys = rows.column(self.key).to_pylist()
        seqs = rows.column(version_name(self._schema.names)).to_pylist()
        before = Replaced.of(self.slots)
        self.slots.load(rows, keys, seqs)
        self._limit.load(seqs, keys)
        # A server that was set up anew begins with low versions.
        self.last_seq = max([min(self.last_seq, newest), *seqs[-1:]])
        present = set(keys)
        self._tombstones = {key: seq for key, seq in self._tombstones.items() if key not in present and seq <= newest}
        self._comparison.end()

        if before.rows:
            happened, chunks = before.compare(
                self.slots, doubtful=self._doubtful, schema=self._schema, max_cells=_MAX_CELLS
            )
            self._history.settle(self._schema)
            if happened:
                self.version += 1
                self._history.add(Step(self.version, at, healed, happened, chunks))
            applied = happened.counted()
        else:
            if self.num_rows or not self._was_read:
                self.version += 1
                self._history.forget(self.version, at=at)
            applied = Applied(inserted=self.num_rows)
        self._was_read = True
        self._doubtful.clear()
        return applied

    # One row.

    def _upsert(self, key: Hashable, seq: int, position: int) -> bool:
        """Take a row; return whether it is newer than what is held."""
        rows = self.slots
        slot = rows.find(key)
        if slot is None:
            if seq <= max(self.floor, self._tombstones.get(key, -1)):
                return False
            self._comparison.touch(key, None)
            self._tombstones.pop(key, None)
            self._happened.add(rows.add(key, seq, position), Effect.INSERTED, seq, position, -1)
        else:
            held = rows.seqs[slot]
            if seq <= held:
                return False
            self._comparison.touch(key, held)
            self._happened.add(rows.row_ids[slot], Effect.UPDATED, seq, position, rows.places[slot])
            rows.replace(slot, seq, position)
            self._doubtful.discard(key)

        if self._limit.max_rows is not None:
            self._limit.add(seq, key)
        return True

    def _delete(self, key: Hashable, seq: int | None, effect: Effect) -> None:
        held = self.slots.seq_of(key)
        newest = -1 if held is None else held
        tombstone = newest if seq is None else seq
        if tombstone < max(newest, self._tombstones.get(key, 0)):
            return

        self._tombstones[key] = tombstone
        if len(self._tombstones) > _MAX_TOMBSTONES:
            del self._tombstones[next(iter(self._tombstones))]
        self._comparison.touch(key, held)
        if held is not None:
            self._remove(key, tombstone, effect)

    def _remove(self, key: Hashable, seq: int, effect: Effect) -> None:
        slot = self.slots.find(key)
        assert slot is not None
        self._happened.add(self.slots.row_ids[slot], effect, seq, -1, self.slots.places[slot])
        self.slots.remove(key)
        self._doubtful.discard(key)

    # Housekeeping.

    def _commit(self, *, at: float, healed: bool) -> Applied:
        """Make one version of what happened."""
        applied = Applied()
        if self._happened:
            for seq, key in self._limit.too_many(self.slots):
                self._comparison.touch(key, seq)
                self._remove(key, seq, Effect.EXPIRED)
            happened, self._happened = self._happened, Entries()
            self.version += 1
            self._history.add(Step(self.version, at, healed, happened, self.slots.chunks))
            applied = happened.counted()

        self.slots.gather_if_scattered()
        self._limit.tidy(self.slots)
        return applied
