"""Change messages to rows: all cells of a batch of events decoded at once, each event with its key and version.

What an event then does to the table is decided in ``rows.store``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from kalam_notebook.errors import ProtocolError
from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.live import Change, Row, row_seq
from kalam_notebook.wire.row_version import VERSION_COLUMNS, version_name
from kalam_notebook.wire.types import FLOATS, Column

__all__ = ["USUAL", "DecodedEvents", "Doubts", "decode_events"]


@dataclass(frozen=True, slots=True)
class Doubts:
    """Which cells of events may not be what is stored; a delta brings what is.

    Attributes:
        signs: Decimals between 0 and 1 may be negative ones without their sign (truth L5).
        nulls: NULL may stand for NaN or an infinity (protocol/http.md#later-versions).
    """

    signs: bool = True
    nulls: bool = False


#: Those of KalamDB 0.4.3.
USUAL = Doubts()


@dataclass(frozen=True, slots=True)
class DecodedEvents:
    """A batch of events, in the order in which they came.

    Attributes:
        keys: Value of the key column of each.
        seqs: The new version, or that of the tombstone; None for a delete that does not tell.
        offsets: The row in ``rows``; None for a delete.
        rows: The new rows.
        doubtful: Offsets of rows with a cell that may not be what is stored.
    """

    keys: Sequence[Hashable]
    seqs: Sequence[int | None]
    offsets: Sequence[int | None]
    rows: pa.RecordBatch
    doubtful: frozenset[int]


def decode_events(
    changes: Sequence[Change], columns: Sequence[Column], key: str, doubts: Doubts = USUAL
) -> DecodedEvents:
    """Decode a batch of change messages.

    Args:
        changes: The messages, in the order in which they came.
        columns: The columns that are held, with the key and the version.
        key: Name of the key column; that of the version for STREAM tables.
        doubts: Which cells may not be what is stored.

    Raises:
        DecodeError: A cell does not fit its column.
        ProtocolError: A row has no version, or a delete names no row.
    """
    versions = version_name([column.name for column in columns])
    upserts: list[Row] = []
    deletes: list[Row] = []
    order: list[bool] = []  # For each event whether it is a delete.
    for change in changes:
        is_delete = change.change_type == "delete"
        for row in change.old_values if is_delete else change.rows:
            # A row marked as deleted comes through filters with an OR (protocol/live.md#seq).
            gone = is_delete or bool(row.get("_deleted"))
            order.append(gone)
            (deletes if gone else upserts).append(row)

    cells = [_cells(column, upserts) for column in columns]
    batch = decode_columns(columns, cells)
    keys: list[Hashable] = batch.column(key).to_pylist()
    seqs: list[int | None] = batch.column(versions).to_pylist()
    if None in seqs:
        names = ", ".join(sorted(upserts[seqs.index(None)]))
        raise ProtocolError(f"The server sent a row without {versions}; its columns: {names}.")

    offsets: list[int | None] = list(range(len(upserts)))
    if deletes:
        gone_keys, gone_seqs = _decode_deletes(deletes, columns, key)
        keys = _merged(order, keys, gone_keys)
        seqs = _merged(order, seqs, gone_seqs)
        offsets = _merged(order, offsets, [None] * len(deletes))
    doubtful = _doubtful(columns, cells, doubts)
    return DecodedEvents(keys, seqs, offsets, batch, frozenset(doubtful))


def _doubtful(columns: Sequence[Column], cells: Sequence[Sequence[Any]], doubts: Doubts) -> Iterator[int]:
    """The offsets of rows with a cell that may not be what is stored."""
    for column, found in zip(columns, cells, strict=True):
        if doubts.signs and column.type_name == "Decimal":
            yield from (n for n, cell in enumerate(found) if _may_lack_sign(cell))
        elif doubts.nulls and column.type_name in FLOATS:
            yield from (n for n, cell in enumerate(found) if cell is None)


def _merged(order: Sequence[bool], upserts: Sequence[Any], deletes: Sequence[Any]) -> list[Any]:
    kept, gone = iter(upserts), iter(deletes)
    return [next(gone) if is_delete else next(kept) for is_delete in order]


def _cells(column: Column, rows: Sequence[Row]) -> list[Any]:
    # Updates leave out columns that are NULL now, and always ``_deleted`` (protocol/live.md#seq).
    missing = False if column.name == "_deleted" else None
    name = column.name
    return [row.get(name, missing) for row in rows]


def _decode_deletes(rows: Sequence[Row], columns: Sequence[Column], key: str) -> tuple[list[Any], list[int | None]]:
    cells = [row[key] if row.get(key) is not None else _stream_version(row, key) for row in rows]
    key_column = next(column for column in columns if column.name == key)
    keys = decode_columns([key_column], [cells]).column(0).to_pylist()
    is_stream = key in VERSION_COLUMNS
    return keys, [value if is_stream else row_seq(row) for value, row in zip(keys, rows, strict=True)]


def _stream_version(row: Row, key: str) -> str:
    """The version at the end of ``row_id``, which is ``<user>:<version>``; users may have colons in their names."""
    seq = str(row.get("row_id", "")).rpartition(":")[2]
    if key not in VERSION_COLUMNS or not seq.isdigit():
        raise ProtocolError(f"The server sent a delete that names no row; its columns: {', '.join(sorted(row))}.")
    return seq


def _may_lack_sign(cell: object) -> bool:
    return isinstance(cell, str) and cell.startswith("0.") and cell.strip("0.") != ""
