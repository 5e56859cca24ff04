"""Reads a recording of a live table, up to where it breaks off. Called by ``recording.player``."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import IO, Any

import pyarrow as pa

from kalam_notebook.errors import RecordingError
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.recording.format import (
    CONTROL,
    END,
    FORMAT,
    GAP,
    MORE,
    MOVED,
    RECORDING,
    SNAPSHOT,
    START,
    Origin,
    RecordedChanges,
    RecordedEnd,
    RecordedStep,
    Snapshot,
    control_types,
)
from kalam_notebook.live_queries.rows.history import Effect
from kalam_notebook.wire.types import Column

__all__ = ["Records", "read_recording"]

#: What stands in a recording, one after the other.
Records = Generator[Snapshot | RecordedChanges | RecordedEnd, None, None]

EFFECTS: Mapping[str, Effect | None] = {effect.value: effect for effect in Effect} | {MOVED: None}

#: The year 10000, in seconds since 1970.
_LATEST = 253_402_300_800

_Title = tuple[Origin, tuple[Column, ...]]


def read_recording(source: IO[bytes], path: str) -> Records:
    """Read a recording record by record; the last is a ``RecordedEnd``.

    A file that breaks off is read up to its last whole record.

    Args:
        source: A binary file, at its beginning.
        path: Its name, for people.

    Raises:
        RecordingError: It is no recording, or damaged.
        OSError: It cannot be read.
    """
    is_empty = True
    for (origin, columns), batches in _records(source, path):
        is_empty = False
        try:
            record = _record(batches, origin, columns)
        except (ValueError, KeyError, TypeError, OverflowError) as exc:
            raise RecordingError(path, f"It is damaged: {exc}.") from None
        yield record
        if isinstance(record, RecordedEnd):
            return
    if is_empty:
        raise RecordingError(path, "It is no recording of a live table, or breaks off before its first rows.")
    yield RecordedEnd(None)


def _records(source: IO[bytes], path: str) -> Iterator[tuple[_Title, list[pa.RecordBatch]]]:
    """The batches of each whole record, with what its stream says of them all."""
    from pyarrow import ipc

    batches: list[pa.RecordBatch] = []
    try:
        while not _is_at_end(source):
            stream = ipc.open_stream(source)
            title = _title_of(stream.schema, path)
            while (found := _next_batch(stream)) is not None:
                batches.append(found[0])
                if not found[1]:
                    yield title, batches
                    batches = []
    except (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError) as exc:
        # A damaged length is one of memory that nobody has. Errors of the disk have a number, those of Arrow have none.
        if isinstance(exc, OSError) and exc.errno is not None:
            raise
        if not _is_at_end(source):
            raise RecordingError(path, "It is no recording of a live table, or damaged.") from None


def _next_batch(stream: pa.RecordBatchStreamReader) -> tuple[pa.RecordBatch, bool] | None:
    """The next batch, and whether its record goes on; None at the end of the stream."""
    try:
        batch, metadata = stream.read_next_batch_with_custom_metadata()
    except StopIteration:
        return None
    return batch, metadata is not None and MORE in metadata


def _is_at_end(source: IO[bytes]) -> bool:
    position = source.tell()
    is_at_end = not source.read(1)
    source.seek(position)
    return is_at_end


def _title_of(schema: pa.Schema, path: str) -> _Title:
    raw = (schema.metadata or {}).get(RECORDING)
    if raw is None:
        raise RecordingError(path, "It is an Arrow file, but no recording of a live table.")

    try:
        told = json.loads(raw)
        number, columns = told.pop("format"), told.pop("columns")
        if number == FORMAT:
            origin = Origin(**told | {"form": Form(told["form"]), "key": tuple(told["key"])})
            shown = tuple(Column(**column | {"flags": tuple(column["flags"])}) for column in columns)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise RecordingError(path, "Its description is damaged.") from None

    if number != FORMAT:
        raise RecordingError(path, f"It has the format {number}, and this version of the package reads {FORMAT} only.")

    kinds = [*control_types(), *schema.types[len(CONTROL) :]]
    if tuple(schema.names[: len(CONTROL)]) != CONTROL or schema.types != kinds:
        raise RecordingError(path, "Its columns are not those of a recording.")
    if len(schema.names) != len(CONTROL) + len(shown):
        raise RecordingError(path, "Its columns are not those that it describes.")
    return origin, shown


def _record(
    batches: Sequence[pa.RecordBatch], origin: Origin, columns: tuple[Column, ...]
) -> Snapshot | RecordedChanges | RecordedEnd:
    """Make out what a record says.

    Raises:
        ValueError: It makes no sense.
    """
    for batch in batches:
        batch.validate(full=True)  # Recordings are passed on, and Arrow trusts offsets.

    table = pa.Table.from_batches(batches)
    cells = table.select(range(len(CONTROL), table.num_columns)).replace_schema_metadata(None)
    control = table.select(range(len(CONTROL)))
    first = next(_rows_of(control.slice(0, 1)), None)
    if first is None:
        raise ValueError("a record is empty")

    kind, _, at, _, version, *_ = first
    if kind == END:
        return RecordedEnd(at)
    if kind not in {START, GAP}:
        return RecordedChanges(cells, tuple(_steps_of(_rows_of(control))))

    row_ids = control.column("_row").slice(1).to_pylist()
    kinds = control.column("_change").slice(1).unique().to_pylist()
    if kinds not in ([], [SNAPSHOT]) or None in row_ids or len(set(row_ids)) < len(row_ids):
        raise ValueError("a snapshot holds other rows, or rows twice")
    return Snapshot(origin, columns, cells.slice(1), tuple(row_ids), version, at, kind == GAP)


def _rows_of(control: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The control columns row by row, the time in seconds since 1970."""
    kinds, healed, at, *numbers = control.columns
    seconds = [micros / 1_000_000 for micros in at.cast(pa.int64()).to_pylist()]
    if not all(0 <= moment < _LATEST for moment in seconds):
        raise ValueError("a time is beyond the year 9999")
    return zip(kinds.to_pylist(), healed.to_pylist(), seconds, *(cells.to_pylist() for cells in numbers), strict=True)


def _steps_of(told: Iterable[tuple[Any, ...]]) -> Iterator[RecordedStep]:
    first = 0
    for version, group in groupby(told, itemgetter(4)):
        rows = list(group)
        _, healed, at, *_ = rows[0]
        concerned = tuple((row_id, EFFECTS[kind], seq) for kind, _, _, seq, _, row_id, _ in rows)
        places = {row_id: place for *_, row_id, place in rows if place is not None}
        if None in (version, *(number for row_id, _, seq in concerned for number in (row_id, seq))):
            raise ValueError("a row has no number")
        yield RecordedStep(version, at, bool(healed), first, concerned, places)
        first += len(rows)
