"""The rows of one table and one owner: an append-only log of row versions in Arrow chunks.

Row numbers never change inside a log. The version (`_seq` or `_version`) grows with the row number, so a snapshot is
one number and a window `_seq > w` is a suffix. A version stops being visible when a later one of its key ends it.
Appending costs the new rows only: small chunks are merged like the runs of a merge sort. Locking is the caller's
business.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kalam_sandbox.ids import version_name
from kalam_sandbox.store.schema import DELETED

# A version that no later one has ended.
_NEVER = np.iinfo(np.int64).max
# Merging stops here: a changed row makes a scan filter its chunk anew.
_CHUNK_ROWS = 16_384

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


@dataclass(slots=True)
class _Chunk:
    """Some consecutive rows; `live` holds the visible ones until a row of the chunk changes."""

    start: int
    batch: pa.RecordBatch
    live: pa.RecordBatch | None = field(default=None)

    @property
    def stop(self) -> int:
        return self.start + int(self.batch.num_rows)


@dataclass(frozen=True, slots=True)
class Window:
    """What a scan may see of a log.

    Attributes:
        upto: Greatest `_seq` of the snapshot, None for everything committed.
        after: Versions up to this `_seq` are not wanted, None for no such bound.
        limit: Unflushed versions that the scan reads, oldest first; None for all of them.
        tombstones: Whether deleted rows are wanted, too.
    """

    upto: int | None = None
    after: int | None = None
    limit: int | None = None
    tombstones: bool = False


class ConversionError(ValueError):
    """Stored cells cannot be read as the present type of their column, which ALTER TABLE can bring about."""

    def __init__(self, cells: pa.Array, kind: pa.DataType) -> None:
        super().__init__(f"cannot read {cells.type} as {kind}")
        self.cells = cells
        self.kind = kind


class _Marks:
    """Of each row its version, the version that ended it, and whether it is a tombstone."""

    def __init__(self) -> None:
        self._size = 0
        self._seq = np.zeros(16, np.int64)
        self._ended = np.zeros(16, np.int64)
        self._deleted = np.zeros(16, np.bool_)

    def __len__(self) -> int:
        return self._size

    @property
    def seq(self) -> Numbers:
        return self._seq[: self._size]

    @property
    def ended(self) -> Numbers:
        return self._ended[: self._size]

    @property
    def deleted(self) -> Mask:
        return self._deleted[: self._size]

    def add(self, seqs: Numbers, deleted: Mask) -> None:
        """Mark further rows, which nothing has ended."""
        start, self._size = self._size, self._size + len(seqs)
        if self._size > len(self._seq):
            room = max(self._size, 2 * len(self._seq))
            self._seq = np.resize(self._seq, room)
            self._ended = np.resize(self._ended, room)
            self._deleted = np.resize(self._deleted, room)
        self._seq[start : self._size] = seqs
        self._ended[start : self._size] = _NEVER
        self._deleted[start : self._size] = deleted

    def end(self, row: int, seq: int) -> None:
        """Let a row be followed by a later version."""
        self._ended[row] = seq

    def after(self, seq: int) -> int:
        """Return the first row with a greater version."""
        return int(np.searchsorted(self.seq, seq, side="right"))

    def is_deleted(self, row: int) -> bool:
        """Say whether a row is a tombstone."""
        return bool(self._deleted[row])

    def is_living(self, row: int) -> bool:
        """Say whether a row is neither followed by another version nor a tombstone."""
        return bool(self._ended[row] == _NEVER and not self._deleted[row])

    def living(self) -> Mask:
        """Return of all rows whether they are living."""
        living: Mask = (self.ended == _NEVER) & ~self.deleted
        return living


class VersionLog:
    """Row versions of one table and owner, with the newest version of each key.

    Args:
        schema: Schema of the rows.
        key: Column by which rows are found, None for none.
        version: Column that numbers row versions.
    """

    def __init__(self, schema: pa.Schema, key: str | None, version: str = version_name(by_log=False)) -> None:
        self.key = key
        self.version = version
        self.schema = schema
        # Rows before this number are flushed: no tombstones among them, and no limit on reading them.
        self.flushed = 0
        # Keys of all rows in files, deleted ones included: files are only ever added to (truth L27).
        self.filed: frozenset[object] = frozenset()
        self._chunks: list[_Chunk] = []
        self._index: dict[object, int] = {}
        self._marks = _Marks()

    def __len__(self) -> int:
        return len(self._marks)

    @property
    def last_seq(self) -> int:
        """`_seq` of the newest version, 0 without any."""
        return int(self._marks.seq[-1]) if len(self) else 0

    @property
    def unflushed(self) -> int:
        """Number of versions that no flush has taken yet."""
        return len(self) - self.flushed

    def unflushed_after(self, seq: int) -> int:
        """Return the number of unflushed versions with a greater `_seq`."""
        return len(self) - max(self.flushed, self._marks.after(seq))

    @property
    def flushed_seq(self) -> int:
        """`_seq` of the newest flushed version, 0 without any."""
        return int(self._marks.seq[self.flushed - 1]) if self.flushed else 0

    def last_before(self, column: str, bound: int) -> int:
        """Return the version of the last row whose `column`, which never falls, is below a bound; 0 for none."""
        last = 0
        for chunk in self._chunks:
            place = int(np.searchsorted(np.asarray(chunk.batch.column(column)), bound))
            if place == 0:
                break
            last = int(self._marks.seq[chunk.start + place - 1])
        return last

    def buried(self) -> pa.RecordBatch:
        """Return the rows in files whose key was deleted; without keys none is found."""
        if self.key is None:
            return empty(self.schema)
        ended = np.flatnonzero(self._marks.ended[: self.flushed] != _NEVER).tolist()
        rows = self.take(ended)
        keys = rows.column(self.key).to_pylist()
        return rows.filter(pa.array([key in self.filed and self.find(key) is None for key in keys], pa.bool_()))

    def hide(self, keys: Iterable[object]) -> None:
        """Make rows invisible without a tombstone."""
        self.remove(self._index.pop(key) for key in keys)

    def find(self, key: object) -> int | None:
        """Return the row number of the key's living version, None when there is none."""
        row = self._index.get(key)
        return None if row is None or self._marks.is_deleted(row) else row

    def locate(self, rows: pa.RecordBatch) -> list[int | None]:
        """Return where the living version of each row is: of its key, or the row itself in a table without keys."""
        if self.key is not None:
            return [self.find(key) for key in rows.column(self.key).to_pylist()]
        return [self._at(seq) for seq in rows.column(self.version).to_pylist()]

    def _at(self, seq: int) -> int | None:
        """Return the row number of a living version, None when there is none."""
        row = self._marks.after(seq) - 1
        return row if row >= 0 and self._marks.seq[row] == seq and self._marks.is_living(row) else None

    def end(self, rows: Sequence[int], seqs: Sequence[int]) -> None:
        """Let rows of a table without keys be followed by later versions."""
        for row, seq in zip(rows, seqs, strict=True):
            self._end(row, seq)

    def rows_where(self, column: str, values: Iterable[object]) -> list[int]:
        """Return the living rows whose `column` has one of `values`, by scanning."""
        wanted = set(values)
        found: list[int] = []
        for chunk in self._chunks:
            cells = chunk.batch.column(column).to_pylist()
            found += [chunk.start + i for i, cell in enumerate(cells) if cell in wanted]
        return [row for row in found if self._marks.is_living(row)]

    def append(self, batch: pa.RecordBatch, keys: Sequence[object]) -> None:
        """Add versions and end the older ones of the same keys.

        Args:
            batch: Rows with ascending `_seq`, all greater than any in the log.
            keys: Key of each row, for the index; empty for a table without one.
        """
        start = len(self)
        seqs = np.asarray(batch.column(self.version))
        self._marks.add(seqs, np.asarray(batch.column(DELETED)))
        for offset, key in enumerate(keys):
            older = self._index.get(key)
            if older is not None:
                self._end(older, int(seqs[offset]))
            self._index[key] = start + offset
        self._chunks.append(_Chunk(start, batch))
        self._merge()

    def stage(self, batch: pa.RecordBatch, keys: Sequence[object], seqs: Sequence[int]) -> None:
        """Append rows whose visible `_seq` is not their place in the log (uncommitted ones show 0)."""
        shown = batch.column(self.version)
        place = batch.schema.get_field_index(self.version)
        real = batch.set_column(place, batch.schema.field(place), pa.array(seqs, pa.int64()))
        self.append(real, keys)
        last = self._chunks[-1]
        kept = last.batch.num_rows - batch.num_rows
        cells = pa.concat_arrays([last.batch.column(place).slice(0, kept), shown])
        last.batch = last.batch.set_column(place, last.batch.schema.field(place), cells)
        last.live = None

    def remove(self, rows: Iterable[int]) -> None:
        """Take rows away for good, also for whoever reads an older state, as a STREAM table does."""
        for row in rows:
            self._end(row, int(self._marks.seq[row]))

    def take(self, rows: Sequence[int]) -> pa.RecordBatch:
        """Return rows by number, in that order, as they were stored."""
        if not rows:
            return empty(self.schema)
        numbers = np.asarray(rows)
        order = np.argsort(numbers, kind="stable")
        ascending = numbers[order]
        pieces = []
        for chunk in self._chunks:
            first, last = np.searchsorted(ascending, (chunk.start, chunk.stop))
            if first < last:
                places = pa.array(ascending[first:last] - chunk.start)
                pieces.append(aligned(chunk.batch.take(places), self.schema))
        back = np.empty(len(numbers), np.int64)
        back[order] = np.arange(len(numbers))
        return pa.concat_batches(pieces).take(pa.array(back))

    def scan(self, window: Window) -> list[pa.RecordBatch]:
        """Return the visible rows, chunk by chunk, in an order that means nothing."""
        first = 0 if window.after is None else self._marks.after(window.after)
        upto = self._bound(window, first)
        if upto >= self.last_seq and not window.tombstones:
            return self._scan_newest(first)
        visible = (self._marks.seq <= upto) & (self._marks.ended > upto)
        if not window.tombstones:
            visible &= ~self._marks.deleted
        visible[:first] = False
        chunks = [chunk for chunk in self._chunks if chunk.stop > first]
        return [rows for chunk in chunks if (rows := _filtered(chunk, visible, self.schema)).num_rows]

    def fork(self, upto: int) -> VersionLog:
        """Return a copy of the snapshot at `upto` that may be written without touching this log."""
        copy = VersionLog(self.schema, self.key, self.version)
        window = Window(upto=upto, tombstones=True)
        for batch in sorted(self.scan(window), key=lambda rows: rows.column(self.version)[0].as_py()):
            rows = batch.sort_by(self.version)
            copy.append(rows, rows.column(self.key).to_pylist() if self.key else ())
        copy.flushed = min(self.flushed, len(copy))
        copy.filed = self.filed
        return copy

    def with_schema(self, schema: pa.Schema) -> None:
        """Read all rows under another schema from now on; stored cells stay as they are."""
        self.schema = schema
        for chunk in self._chunks:
            chunk.live = None

    def _bound(self, window: Window, first: int) -> int:
        """Return the `_seq` up to which versions count (truth L3: the oldest `limit` unflushed ones)."""
        upto = _NEVER - 1 if window.upto is None else window.upto
        start = max(first, self.flushed)
        if window.limit is not None and len(self) - start > window.limit:
            upto = min(upto, int(self._marks.seq[start + window.limit - 1]))
        return upto

    def _scan_newest(self, first: int) -> list[pa.RecordBatch]:
        """Return the living rows from row `first` on; whole chunks are filtered once and kept."""
        batches = []
        for chunk in self._chunks:
            if chunk.stop <= first:
                continue
            if chunk.live is None or chunk.start < first:
                visible = self._marks.living()
                visible[:first] = False
                live = _filtered(chunk, visible, self.schema)
                chunk.live = live if chunk.start >= first else chunk.live
            else:
                live = chunk.live
            if live.num_rows:
                batches.append(live)
        return batches

    def _end(self, row: int, seq: int) -> None:
        self._marks.end(row, seq)
        place = bisect_right(self._chunks, row, key=lambda chunk: chunk.start) - 1
        # The row may belong to the batch that is just being appended and has no chunk yet.
        if place >= 0 and row < self._chunks[place].stop:
            self._chunks[place].live = None

    def _merge(self) -> None:
        while len(self._chunks) > 1:
            left, right = self._chunks[-2:]
            rows = left.batch.num_rows + right.batch.num_rows
            if rows > _CHUNK_ROWS or left.batch.num_rows > 2 * right.batch.num_rows:
                return
            schema = self.schema
            try:
                batch = pa.concat_batches([aligned(left.batch, schema), aligned(right.batch, schema)])
            except ConversionError:
                return
            self._chunks[-2:] = [_Chunk(left.start, batch)]


def _filtered(chunk: _Chunk, visible: Mask, schema: pa.Schema) -> pa.RecordBatch:
    """Return the visible rows of a chunk, shuffled: a scan of the server has no order (truth L4)."""
    rows = np.flatnonzero(visible[chunk.start : chunk.stop])
    if len(rows) > 1:
        rows = np.random.default_rng(chunk.start).permutation(rows)
    return aligned(chunk.batch, schema).take(pa.array(rows))


def empty(schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch of no rows."""
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)


def aligned(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return stored rows under the table's present schema.

    Cells are found by column name: a renamed or added column reads NULL (the zero value under NOT NULL), a
    dropped one is left out, a changed type is converted (protocol/sql.md#alter-table).

    Raises:
        ConversionError: A stored value cannot be converted to the column's present type.
    """
    if batch.schema.equals(schema, check_metadata=True):
        return batch
    arrays = []
    for wanted in schema:
        place = batch.schema.get_field_index(wanted.name)
        if place < 0:
            arrays.append(_filler(wanted, batch.num_rows))
        else:
            arrays.append(_converted(batch.column(place), wanted.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _converted(cells: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return cast(cells, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise ConversionError(cells, kind) from None


def cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return an array of another type; one of the same type as it is, since Arrow cannot cast some of these."""
    return array if array.type.equals(kind) else array.cast(kind)


def _filler(wanted: pa.Field, rows: int) -> pa.Array:
    if wanted.nullable:
        return pa.nulls(rows, wanted.type)
    return pa.array([zero_value(wanted.type)] * rows, wanted.type)


def zero_value(kind: pa.DataType) -> object:
    """Return what stands in a NOT NULL column that nobody filled: an empty text or list, 0, false or 1970."""
    if pa.types.is_string(kind):
        return ""
    if pa.types.is_binary(kind):
        return b""
    if pa.types.is_fixed_size_binary(kind):
        return bytes(kind.byte_width)
    if pa.types.is_fixed_size_list(kind):
        return [0.0] * kind.list_size
    if pa.types.is_list(kind):
        return []
    if pa.types.is_boolean(kind):
        return False
    return 0
