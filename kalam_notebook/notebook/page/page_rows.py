"""The rows of a live table in the form that the page reads: few frames, each one or more messages of Arrow IPC.

Pure: no clock, no thread, no widget. ``PageRows`` remembers which rows the page holds and makes the frames that keep
them right. The other end is ``js/src/frames.ts``; the texts of the values are made there, by the rules of ``cells``.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.results.cells import BYTES_HEAD, LIST_WHOLE, CellColumn, describe, plain
from kalam_notebook.results.frames import ipc_stream

if TYPE_CHECKING:
    from kalam_notebook.live_queries.rows.delta import LiveDelta
    from kalam_notebook.wire.types import Column

__all__ = ["MAX_ROWS", "TEXT_CHARS", "Message", "PageRows", "page_stream", "whole_rows"]

#: Rows that go to the page at most; it says so when there are more.
MAX_ROWS = 100_000
#: Bytes of all rows in the page at most, and of one message. A tab has to hold the first, a socket to pass the second.
MAX_BYTES = 64 * 1024 * 1024
PART_BYTES = 512 * 1024
#: Characters of a cell that go to the page; it shows fewer and has the rest in a tooltip.
TEXT_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message to the page.

    Attributes:
        content: Numbers and column descriptions, as JSON.
        buffers: The rows as an Arrow IPC stream, and the ids of removed rows as int64.
    """

    content: dict[str, Any]
    buffers: tuple[bytes, bytes]

    @property
    def nbytes(self) -> int:
        """Bytes of the buffers."""
        return sum(map(len, self.buffers))


class PageRows:
    """The rows that the page holds: the first ones of the table, as many as fit."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._limit = MAX_ROWS
        self._rows = 0
        #: Number of the last frame that was made.
        self.frame = 0
        #: The version that the page has once it has taken all frames; -1 before the first.
        self.version = -1

    @property
    def has_room(self) -> bool:
        """Whether the page holds fewer rows than it could, because some went away: only a new start fills it up."""
        return len(self._ids) < min(self._limit, self._rows)

    def messages(self, delta: LiveDelta, columns: Sequence[Column], status: dict[str, Any]) -> list[Message]:
        """Make the frame that brings the page to ``delta.version``.

        Args:
            delta: The changes since ``version``, or a reset.
            columns: Those of ``delta.rows`` as the server announced them; ALTER TABLE changes them, with a reset.
            status: What the status line shows; goes with the frame as it is.

        Returns:
            The messages of the frame, in order.
        """
        self.frame += 1
        described = describe(delta.rows.schema, columns)
        base = -1 if delta.reset else self.version
        rows, ids = (delta.rows.slice(0, MAX_ROWS), delta.row_ids[:MAX_ROWS]) if delta.reset else self._held(delta)

        table = _page_table(rows, ids, described)
        if delta.reset:
            table = self._fitting(table)
            ids = ids[: table.num_rows]

        removed = () if delta.reset else tuple(row_id for row_id in delta.removed if row_id in self._ids)
        if delta.reset:
            self._ids = set()
        self._ids.difference_update(removed)
        self._ids.update(ids)
        self._rows = delta.num_rows
        self.version = delta.version

        parts = _parts(table)
        content = {"kind": "frame", "frame": self.frame, "parts": len(parts), "base": base, "version": self.version}
        content["status"] = {**status, "rows": delta.num_rows}
        content["columns"] = [asdict(column) for column in described] if delta.reset else None
        gone = [array("q", removed).tobytes(), *[b""] * (len(parts) - 1)]

        return [
            Message({**content, "part": number, "count": count}, (rows_part, gone_part))
            for number, ((count, rows_part), gone_part) in enumerate(zip(parts, gone, strict=True))
        ]

    def _fitting(self, table: pa.Table) -> pa.Table:
        """The first rows of the whole table, as many as the page takes."""
        self._limit = MAX_ROWS
        if table.nbytes > MAX_BYTES:
            self._limit = max(1, table.num_rows * MAX_BYTES // table.nbytes)
        return table.slice(0, self._limit)

    def _held(self, delta: LiveDelta) -> tuple[pa.Table, Sequence[int]]:
        """The changed rows that the page holds, and new ones while nothing is left out before them."""
        if self._ids.issuperset(delta.row_ids):
            return delta.rows, delta.row_ids
        whole = len(self._ids) == self._rows
        room = self._limit - len(self._ids) if whole else 0
        kept: list[int] = []
        for index, row_id in enumerate(delta.row_ids):
            if row_id in self._ids:
                kept.append(index)
            elif room > 0 and row_id in delta.inserted:
                kept.append(index)
                room -= 1
        if len(kept) == len(delta.row_ids):
            return delta.rows, delta.row_ids
        return delta.rows.take(pa.array(kept, pa.int64())), tuple(delta.row_ids[index] for index in kept)


def page_stream(rows: pa.Table, ids: Sequence[int], columns: Sequence[CellColumn]) -> bytes:
    """The first of some rows, as many as a page takes, as an Arrow IPC stream in the page's form."""
    table = _page_table(rows, ids, columns)
    if table.nbytes > MAX_BYTES:
        table = table.slice(0, max(1, table.num_rows * MAX_BYTES // table.nbytes))
    return ipc_stream(table)


def whole_rows(rows: pa.Table, columns: Sequence[CellColumn]) -> bytes:
    """Rows in the page's form with nothing cut, numbered from 0."""
    arrays = {str(index): _narrow(plain(rows.column(index), column)) for index, column in enumerate(columns)}
    return ipc_stream(pa.table({**arrays, "id": pa.array(range(rows.num_rows), pa.int64())}))


def _page_table(rows: pa.Table, ids: Sequence[int], columns: Sequence[CellColumn]) -> pa.Table:
    """The columns in the page's form, named by position; long values cut, their length in a column beside them."""
    arrays: dict[str, pa.ChunkedArray] = {}
    for index, column in enumerate(columns):
        values, lengths = _cut(plain(rows.column(index), column), column)
        arrays[str(index)] = _narrow(values)
        if lengths is not None:
            arrays[f"{index}.length"] = lengths
    arrays["id"] = pa.chunked_array([pa.array(ids, pa.int64())])
    return pa.table(arrays)


def _cut(values: pa.ChunkedArray, column: CellColumn) -> tuple[pa.ChunkedArray, pa.ChunkedArray | None]:
    """The start of each value, and where one was cut its length: characters, bytes or elements."""
    if column.is_long:
        limit, lengths = TEXT_CHARS, pc.utf8_length(values)
    elif column.kind == "bytes":
        limit, lengths = BYTES_HEAD, pc.binary_length(values)
    elif column.kind in ("list", "list32"):
        limit, lengths = LIST_WHOLE, pc.list_value_length(values)
    else:
        return values, None

    too_long = pc.greater(lengths, limit)
    if not pc.any(too_long).as_py():
        return values, None
    lengths = pc.if_else(too_long, lengths, None).cast(pa.int32())

    if column.is_long:
        return pc.utf8_slice_codeunits(values, 0, limit), lengths
    if column.kind == "bytes":
        heads = [None if value is None else value[:limit] for value in values.to_pylist()]
        return pa.chunked_array([pa.array(heads, pa.binary())]), lengths
    return pc.list_slice(values, 0, limit, return_fixed_size_list=False), lengths


def _narrow(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same values, those of different sizes with 32-bit offsets: the page reads no others."""
    kind = values.type
    if pa.types.is_large_string(kind):
        return values.cast(pa.string())
    if pa.types.is_large_binary(kind):
        return values.cast(pa.binary())
    return values.cast(pa.list_(kind.value_type)) if pa.types.is_large_list(kind) else values


def _parts(table: pa.Table) -> list[tuple[int, bytes]]:
    """The table as Arrow IPC streams of about ``PART_BYTES``, each with its rows; at least one, which may hold none."""
    count = max(1, -(-table.nbytes // PART_BYTES))
    size = max(1, -(-table.num_rows // count))
    slices = [table.slice(start, size) for start in range(0, max(1, table.num_rows), size)]
    return [(part.num_rows, ipc_stream(part)) for part in slices]
