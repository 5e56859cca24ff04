"""Writes a recording of a live table into a binary file. Called by ``recording.recorder``."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa

from kalam_notebook.live_queries.recording.format import (
    CONTROL,
    END,
    FORMAT,
    GAP,
    KINDS,
    MORE,
    MOVED,
    RECORDING,
    SNAPSHOT,
    START,
    Origin,
    control_types,
)
from kalam_notebook.live_queries.rows.changes import cells_at
from kalam_notebook.live_queries.rows.delta import LiveDelta
from kalam_notebook.live_queries.rows.held import Rows
from kalam_notebook.live_queries.rows.history import Step, microseconds
from kalam_notebook.wire.types import Column

__all__ = ["Glance", "RecordingWriter"]

CODES = {kind: code for code, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Glance:
    """What has to be written of a table at one point in time.

    Attributes:
        version: The table's version.
        columns: The visible columns.
        schema: Their Arrow schema.
        steps: What happened since the last glance; empty when ``is_whole``.
        whole: All rows, when they are needed.
        is_whole: Whether they are written instead of the steps.
    """

    version: int
    columns: tuple[Column, ...]
    schema: pa.Schema
    steps: tuple[Step, ...]
    whole: LiveDelta | None
    is_whole: bool


class RecordingWriter:
    """Writes a recording.

    Take a ``glance`` at the rows under their lock, and ``write`` it outside.

    Args:
        sink: A binary file.
        is_ordered: Whether the rows have an order of their own, which is that of a result.
    """

    def __init__(self, sink: IO[bytes], *, is_ordered: bool) -> None:
        self._sink = sink
        self._is_ordered = is_ordered
        self._stream: _Stream | None = None
        self._version = -1
        self._columns: tuple[Column, ...] = ()
        self._schema: pa.Schema | None = None
        # The numbers of the rows as a reader has them, where they have an order.
        self._order: list[int] = []
        #: Changed rows, and snapshots after the first.
        self.changes = self.gaps = 0

    def glance(self, rows: Rows) -> Glance | None:
        """Look at the rows; None when nothing has happened since the last glance that was written."""
        version, columns, schema = rows.version, rows.shown, rows.schema
        if version == self._version:
            return None
        is_same = self._schema is not None and columns == self._columns and schema.equals(self._schema)
        steps, is_whole = rows.steps(self._version) if is_same else ([], False)
        whole = rows.delta(-1) if self._is_ordered or not is_whole else None
        return Glance(version, columns, schema, tuple(steps) if is_whole else (), whole, not is_whole)

    def write(self, glance: Glance, origin: Origin, *, at: float) -> None:
        """Write what a glance found.

        Args:
            glance: The latest.
            origin: What is recorded, as it is now.
            at: The time, in seconds since 1970, for what has none of its own.

        Raises:
            OSError: The file does not take it.
        """
        if glance.is_whole:
            self._write_snapshot(glance, origin, at)
        else:
            self._write_steps(glance, at)
        self._version = glance.version
        self._columns = glance.columns
        self._schema = glance.schema

    def end(self, *, at: float) -> None:
        """Write that the recording is complete. The file stays open."""
        if self._stream is not None:
            self._write_note(END, self._version, at)
            self._stream.writer.close()
            self._stream = None

    def _write_snapshot(self, glance: Glance, origin: Origin, at: float) -> None:
        assert glance.whole is not None
        is_first = self._stream is None
        if self._schema is None or not glance.schema.equals(self._schema) or glance.columns != self._columns:
            self._begin(glance, origin)
        ids = glance.whole.row_ids
        self._write_note(START if is_first else GAP, glance.version, at, is_more=bool(ids))
        moment = _Moment(glance.version, at, False, len(ids))
        same = ([CODES[SNAPSHOT]] * len(ids), [0] * len(ids), ids, [None] * len(ids))
        self._write_rows(_control([moment], *same), glance.whole.rows.columns)
        self._order = list(ids) if self._is_ordered else []
        self.gaps += not is_first

    def _begin(self, glance: Glance, origin: Origin) -> None:
        from pyarrow import ipc

        if self._stream is not None:
            self._stream.writer.close()
        schema = _file_schema(glance.schema, glance.columns, origin)
        self._stream = _Stream(schema, ipc.new_stream(self._sink, schema))

    def _write_steps(self, glance: Glance, at: float) -> None:
        pairs = [(step, entry) for step in glance.steps for entry in step.entries]
        entries = [entry for _, entry in pairs]
        cells = cells_at(pairs, glance.schema, [entry.new if entry.new >= 0 else entry.old for entry in entries])
        codes = [CODES[entry.effect.value] for entry in entries]
        seqs = [entry.seq for entry in entries]
        row_ids = [entry.row_id for entry in entries]
        moments = [_Moment(step.version, step.at, step.healed, len(step.entries)) for step in glance.steps]

        places, moved = self._new_places(glance)
        if moved:
            assert glance.whole is not None
            moments.append(_Moment(glance.version, at, False, len(moved)))
            codes += [CODES[MOVED]] * len(moved)
            seqs += [0] * len(moved)
            row_ids += moved
            indexes = pa.array([places[row_id] for row_id in moved], pa.int64())
            cells = pa.concat_tables([cells, glance.whole.rows.combine_chunks().take(indexes)])

        told: list[int | None] = [None] * len(row_ids)
        if places:
            last = sum(moment.num_rows for moment in moments if moment.version < glance.version)
            told[last:] = [places.get(row_id) for row_id in row_ids[last:]]

        if row_ids:
            self._write_rows(_control(moments, codes, seqs, row_ids, told), cells.columns)
            self.changes += len(row_ids)

    def _new_places(self, glance: Glance) -> tuple[dict[int, int], list[int]]:
        """The places that have to be told, and the rows among them of which the last version tells nothing else."""
        if glance.whole is None:
            return {}, []

        expected = dict.fromkeys(self._order)
        for step in glance.steps:
            for entry in step.entries:
                if entry.new < 0:
                    del expected[entry.row_id]
                else:
                    expected[entry.row_id] = None

        self._order = list(glance.whole.row_ids)
        if list(expected) == self._order:
            return {}, []

        last = [entry for step in glance.steps if step.version == glance.version for entry in step.entries]
        added = {entry.row_id for entry in last if entry.old < 0}
        place_of = {row_id: place for place, row_id in enumerate(self._order)}
        staying = _longest_ascent([place_of[row_id] for row_id in expected if row_id not in added])
        places = {row_id: place for row_id, place in place_of.items() if place not in staying}
        told = {entry.row_id for entry in last}
        return places, [row_id for row_id in places if row_id not in told]

    def _write_note(self, kind: str, version: int, at: float, *, is_more: bool = False) -> None:
        assert self._stream is not None
        types = self._stream.schema.types[len(CONTROL) :]
        control = _control([_Moment(version, at, False, 1)], [CODES[kind]], [0], [None], [None])
        self._write_rows(control, [pa.nulls(1, kind) for kind in types], is_more=is_more)

    def _write_rows(
        self, control: Sequence[pa.Array], cells: Sequence[pa.ChunkedArray | pa.Array], *, is_more: bool = False
    ) -> None:
        assert self._stream is not None
        table = pa.Table.from_arrays([*control, *cells], schema=self._stream.schema).combine_chunks()
        left = table.num_rows
        for batch in table.to_batches():
            left -= batch.num_rows
            self._stream.writer.write_batch(batch, custom_metadata={MORE: b"1"} if is_more or left else None)


class _Stream(NamedTuple):
    """The stream that is being written."""

    schema: pa.Schema
    writer: pa.RecordBatchStreamWriter


class _Moment(NamedTuple):
    """What some rows of the file that follow each other have in common."""

    version: int
    at: float
    healed: bool
    num_rows: int


def _control(
    moments: Sequence[_Moment],
    codes: Sequence[int],
    seqs: Sequence[int],
    row_ids: Sequence[int | None],
    places: Sequence[int | None],
) -> list[pa.Array]:
    """The control columns."""
    counts = [moment.num_rows for moment in moments]
    healed, at, versions = (
        np.repeat(np.array(values), counts)
        for values in (
            [moment.healed for moment in moments],
            [microseconds(moment.at) for moment in moments],
            [moment.version for moment in moments],
        )
    )
    kinds = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(KINDS, pa.string()))
    columns = (healed, at, seqs, versions, row_ids, places)
    return [kinds, *(pa.array(values, kind) for values, kind in zip(columns, control_types()[1:], strict=True))]


def _file_schema(schema: pa.Schema, columns: Sequence[Column], origin: Origin) -> pa.Schema:
    told = asdict(origin) | {
        "format": FORMAT,
        "form": origin.form.value,
        "columns": [asdict(column) for column in columns],
    }
    control = [pa.field(name, kind) for name, kind in zip(CONTROL, control_types(), strict=True)]
    return pa.schema([*control, *schema], metadata={RECORDING: json.dumps(told).encode()})


def _longest_ascent(values: Sequence[int]) -> set[int]:
    """A longest selection of different values that ascends: rows at these places need not be told to have moved."""
    # The last values, each as small as can be, of ascents of each length, and what comes before each value in its own.
    tails: list[int] = []
    before: dict[int, int | None] = {}
    for value in values:
        length = bisect_left(tails, value)
        before[value] = tails[length - 1] if length else None
        tails[length : length + 1] = [value]
    found: set[int] = set()
    latest = tails[-1] if tails else None
    while latest is not None:
        found.add(latest)
        latest = before[latest]
    return found
