"""Change messages to rows: all cells of a batch of events decoded at once, each event with its key and ``_seq``.

What an event then does to the table is decided in ``live.store``.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalam_notebook.errors import ProtocolError
from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.live import Change, Row, row_seq
from kalam_notebook.wire.types import Column

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DecodedEvents", "RowEvent", "decode_events"]


@dataclass(frozen=True, slots=True)
class RowEvent:
    """What happened to one row.

    Attributes:
        key: Value of the key column.
        seq: ``_seq`` of the new version or of the tombstone; None for a delete that does not tell.
        offset: The row in the decoded batch; None for a delete.
    """

    key: Hashable
    seq: int | None
    offset: int | None


@dataclass(frozen=True, slots=True)
class DecodedEvents:
    """A batch of events.

    Attributes:
        events: In the order in which they came.
        rows: The new rows.
        doubtful: Offsets of rows with a decimal between 0 and 1, which may be a negative one without its sign.
    """

    events: tuple[RowEvent, ...]
    rows: pa.RecordBatch
    doubtful: frozenset[int]


def decode_events(changes: Sequence[Change], columns: Sequence[Column], key: str) -> DecodedEvents:
    """Decode a batch of change messages.

    Args:
        changes: The messages, in the order in which they came.
        columns: The columns that are held, with the key and ``_seq``.
        key: Name of the key column; ``_seq`` for STREAM tables.

    Raises:
        DecodeError: A cell does not fit its column.
        ProtocolError: A row has no ``_seq``, or a delete names no row.
    """
    upserts: list[Row] = []
    deletes: list[Row] = []
    order: list[tuple[bool, int]] = []  # For each event: whether it is a delete, and its index among its kind.
    for change in changes:
        is_delete = change.change_type == "delete"
        for row in change.old_values if is_delete else change.rows:
            # A row marked as deleted comes through filters with an OR (live reference, section 4.4).
            kind = deletes if is_delete or row.get("_deleted") else upserts
            order.append((kind is deletes, len(kind)))
            kind.append(row)
    batch = decode_columns(columns, [_cells(column, upserts) for column in columns])
    inserted = list(zip(batch.column(key).to_pylist(), map(_required_seq, upserts), range(len(upserts)), strict=True))
    deleted = _decode_deletes(deletes, columns, key)
    events = tuple(deleted[index] if is_delete else RowEvent(*inserted[index]) for is_delete, index in order)
    decimals = [column.name for column in columns if column.type_name == "Decimal"]
    doubtful = (n for n, row in enumerate(upserts) if any(_may_lack_sign(row.get(name)) for name in decimals))
    return DecodedEvents(events, batch, frozenset(doubtful))


def _cells(column: Column, rows: Sequence[Row]) -> list[Any]:
    # Updates leave out columns that are NULL now, and always ``_deleted`` (live reference, section 4.4).
    missing = False if column.name == "_deleted" else None
    return [row.get(column.name, missing) for row in rows]


def _required_seq(row: Row) -> int:
    seq = row_seq(row)
    if seq is None:
        raise ProtocolError(f"The server sent a row without _seq; its columns: {', '.join(sorted(row))}.")
    return seq


def _decode_deletes(rows: Sequence[Row], columns: Sequence[Column], key: str) -> list[RowEvent]:
    cells = [row[key] if row.get(key) is not None else _stream_seq(row, key) for row in rows]
    key_column = next(column for column in columns if column.name == key)
    keys = decode_columns([key_column], [cells]).column(0).to_pylist()
    return [
        RowEvent(value, value if key == "_seq" else row_seq(row), None) for value, row in zip(keys, rows, strict=True)
    ]


def _stream_seq(row: Row, key: str) -> str:
    """The ``_seq`` at the end of ``row_id``, which is ``<user>:<seq>``; users may have colons in their names."""
    seq = str(row.get("row_id", "")).rpartition(":")[2]
    if key != "_seq" or not seq.isdigit():
        raise ProtocolError(f"The server sent a delete that names no row; its columns: {', '.join(sorted(row))}.")
    return seq


def _may_lack_sign(cell: object) -> bool:
    return isinstance(cell, str) and cell.startswith("0.") and cell.strip("0.") != ""
