"""What ``kalam.live_events`` yields: the server's messages about one live query as it sent them, and notices.

A ``LiveNotice`` tells something about the stream, which goes on; a stream ends with an ``errors.LiveError``. Rows are
as the JSON parser made them: BIGINT and DECIMAL are text, times are integers. ``Ack.decode`` makes Arrow of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.live import Row
from kalam_notebook.wire.types import Column

__all__ = ["Ack", "Delete", "EventStats", "InitialBatch", "Insert", "LiveEvent", "LiveNotice", "OnFull", "Update"]

#: What happens when more events wait than may: reading pauses, or the stream ends with an error.
OnFull = Literal["block", "error"]


@dataclass(frozen=True, slots=True)
class Ack:
    """The server accepted the live query, for the first time or again after the connection was lost.

    Attributes:
        columns: The columns asked for, as the server announced them; ``_seq`` is among them only for ``SELECT *``.
        subscription_id: The name of the subscription on the wire; another one after each reconnect.
        reconnects: How often it was accepted before.
    """

    columns: tuple[Column, ...]
    subscription_id: str
    reconnects: int = 0

    def decode(self, rows: Sequence[Row]) -> pa.RecordBatch:
        """Convert rows of an event into Arrow, with exact types.

        Args:
            rows: ``event.rows``, or the ``old_values`` of a ``Delete``. A column that a row does not have becomes NULL,
                which is what it means in an ``Update``; the ``old_values`` of an ``Update`` have only what changed.

        Returns:
            A record batch with the columns of the acknowledgement.

        Raises:
            DecodeError: A cell does not fit its column.
        """
        return decode_columns(self.columns, [[row.get(column.name) for row in rows] for column in self.columns])


@dataclass(frozen=True, slots=True)
class InitialBatch:
    """Rows that were there before, or that changed while the connection was lost. The next batch is fetched afterwards.

    Attributes:
        rows: The rows. Different batches may hold the same row.
        batch_num: Number of the batch, from 0.
        has_more: Whether another batch follows; changes come after the last one.
        seq: Greatest ``_seq`` of the rows; None when there are none.
        subscription_id: As in ``Ack``.
    """

    rows: tuple[Row, ...] = field(repr=False)
    batch_num: int
    has_more: bool
    seq: int | None
    subscription_id: str


@dataclass(frozen=True, slots=True)
class Insert:
    """A row was inserted.

    Attributes:
        rows: The row, as the only element.
        seq: Its ``_seq``.
    """

    rows: tuple[Row, ...] = field(repr=False)
    seq: int | None

    @property
    def row(self) -> Row:
        """The row."""
        return self.rows[0]


@dataclass(frozen=True, slots=True)
class Update:
    """A row was updated. It may be one that was not in the filter before.

    Attributes:
        rows: The new row, as the only element; a column that is missing is NULL now.
        old_values: The key, ``_seq`` and the changed columns as they were.
        seq: The new ``_seq``.
    """

    rows: tuple[Row, ...] = field(repr=False)
    old_values: tuple[Row, ...] = field(repr=False)
    seq: int | None

    @property
    def row(self) -> Row:
        """The new row."""
        return self.rows[0]


@dataclass(frozen=True, slots=True)
class Delete:
    """A row was deleted.

    Attributes:
        old_values: The row as it was last, as the only element; of a STREAM table only ``row_id``.
        seq: ``_seq`` of the delete; None for a STREAM table.
    """

    old_values: tuple[Row, ...] = field(repr=False)
    seq: int | None

    @property
    def row(self) -> Row:
        """The row as it was last."""
        return self.old_values[0]


@dataclass(frozen=True, slots=True)
class LiveNotice:
    """Something that a reader of the stream has to know; the stream goes on.

    Attributes:
        code: The server's code, or one of this client, in capitals.
        message: What it means and what to do.
        from_server: Whether the server said so.
    """

    code: str
    message: str
    from_server: bool = False


@dataclass(frozen=True, slots=True)
class EventStats:
    """Counters of live events since their start; ``received`` is always ``delivered + pending + lost``.

    Attributes:
        received: Events that came, notices included.
        delivered: Events that the iterator has returned.
        pending: Events that wait in the queue.
        lost: 1 when the queue was full and the stream ended with ``SlowConsumerError``; else 0.
        reconnects: How often the live query was established again.
        bytes: Bytes of the messages, as they were sent.
    """

    received: int
    delivered: int
    pending: int
    lost: int
    reconnects: int
    bytes: int


LiveEvent = Ack | InitialBatch | Insert | Update | Delete | LiveNotice
