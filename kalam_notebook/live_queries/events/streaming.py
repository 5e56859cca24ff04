"""What the connection tells of one live query, turned into the events that a reader of ``live_events`` gets.

Pure. Each message becomes one event; before or after it comes what the server should have said as well. How events wait
for their reader is the work of ``events.feed``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import orjson

from kalam_notebook.errors import ConfigError
from kalam_notebook.live_queries.connection.states import (
    Changed,
    Event,
    Interrupted,
    Loaded,
    State,
    StatusChanged,
    Subscribed,
    Unexplained,
)
from kalam_notebook.live_queries.events import notices
from kalam_notebook.live_queries.events.messages import Ack, Delete, InitialBatch, Insert, LiveEvent, LiveNotice, Update
from kalam_notebook.texts import cut
from kalam_notebook.wire.arguments import check_number
from kalam_notebook.wire.live import MAX_BATCH_SIZE, Change, InitialDataBatch, SubscribeOptions, Unknown, greatest_seq

__all__ = ["EventStream", "stream_options"]


def stream_options(
    *, batch_size: int | None, last_rows: int | None = None, from_seq: int | None = None
) -> SubscribeOptions | None:
    """Check which rows are asked for.

    Args:
        batch_size: Rows of a batch; None for no rows.
        last_rows: Only so many.
        from_seq: Only those written after this ``_seq``.

    Raises:
        ConfigError: The server would refuse it, or do something else without telling.
    """
    if batch_size is not None and check_number("batch_size", batch_size) > MAX_BATCH_SIZE:
        raise ConfigError(
            f"batch_size is {batch_size}: from {MAX_BATCH_SIZE + 1} on the server ends the rows after 1000 without "
            f"telling. Give {MAX_BATCH_SIZE} or less."
        )
    if last_rows is not None and from_seq is not None:
        raise ConfigError("With from_seq the server ignores last_rows. Leave one of them out.")
    if batch_size is None:
        if last_rows is not None or from_seq is not None:
            raise ConfigError("batch_size=None asks for changes only. Leave it out to get rows too.")
        return None
    if last_rows is not None:
        check_number("last_rows", last_rows, most=batch_size)
    if from_seq is not None:
        check_number("from_seq", from_seq, least=0)
    return SubscribeOptions(batch_size, last_rows, from_seq)


class EventStream:
    """The story of one live query as a sequence of events.

    Args:
        remarks: Told after the first acknowledgement.
        is_whole_row: Whether the query is ``SELECT *``, whose rows have all columns of the table.

    Attributes:
        is_following: Whether events come, as far as is known.
        domain: What the versions of the rows belong to, where the server tells it.
        reconnects: How often it was established again.
    """

    def __init__(self, remarks: Sequence[LiveNotice] = (), *, is_whole_row: bool) -> None:
        self.is_following = False
        self.domain: Mapping[str, Any] | None = None
        self.reconnects = -1
        self._remarks = remarks
        self._is_whole_row = is_whole_row
        # What was asked for, until the first rows are there.
        self._options: SubscribeOptions | None = None
        self._has_key = False
        # Names of the columns of a whole row, until a difference was told.
        self._names: frozenset[str] | None = None

    def take(self, event: Event) -> Iterator[LiveEvent]:
        """Turn what happened into events, in the order in which they are to be read."""
        match event:
            case Changed():
                yield from self._changed(event.change)
            case Loaded():
                yield from self._loaded(event.batch)
            case Subscribed():
                yield from self._subscribed(event)
            case Interrupted():
                self.is_following = False
                yield LiveNotice(event.code, event.message, from_server=True)
            case StatusChanged() if self.is_following and event.status.state not in {State.OPEN, State.STOPPED}:
                self.is_following = False
                yield notices.connection_lost(event.status.reason)
            case Unexplained():
                yield _unknown(event.message)

    def _subscribed(self, event: Subscribed) -> Iterator[LiveEvent]:
        self.is_following = True
        self.reconnects += 1
        self._options = event.options
        columns = event.ack.columns
        self._has_key = any(column.is_primary_key for column in columns)
        self._names = frozenset(column.name for column in columns) if self._is_whole_row else None

        yield Ack(columns, event.ack.subscription_id, self.reconnects)
        if self.reconnects == 0:
            yield from self._remarks
            if (decimals := notices.doubtful_decimals(columns)) is not None:
                yield decimals

        self.domain = event.ack.batch_control.version_domain or self.domain
        if event.options is not None and event.options.from_seq is not None:
            # Servers that read versions as text may tell all that was missed; the first batch shows it.
            if not event.options.is_text:
                yield notices.deletes_not_told(event.options.from_seq)
        elif self.reconnects > 0:
            yield notices.CHANGES_NOT_TOLD if event.options is None else notices.ROWS_COME_AGAIN

    def _loaded(self, batch: InitialDataBatch) -> Iterator[LiveEvent]:
        options, self._options = self._options, None
        if options is not None:
            if options.from_seq is not None and options.is_text and not _is_replay(batch, options.from_seq):
                yield notices.deletes_not_told(options.from_seq)
            if batch.batch_control.has_more:
                yield notices.SNAPSHOT_MAY_MISS_ROWS
            # Without the key in the answer it is right (protocol/live.md#client-messages).
            if options.last_rows is not None and len(batch.rows) >= options.last_rows and self._has_key:
                yield notices.last_rows_may_be_wrong(options.last_rows)
        control = batch.batch_control
        yield InitialBatch(
            batch.rows, control.batch_num, control.has_more, greatest_seq(batch.rows), batch.subscription_id
        )

    def _changed(self, change: Change) -> Iterator[LiveEvent]:
        rows, old_values = change.rows, change.old_values
        if change.change_type == "delete":
            yield Delete(old_values, greatest_seq(old_values))
        elif change.change_type == "update":
            yield Update(rows, old_values, greatest_seq(rows))
        else:
            yield from self._compare(rows[0].keys())
            yield Insert(rows, greatest_seq(rows))

    def _compare(self, names: Set[str]) -> Iterator[LiveEvent]:
        """Tell once that the columns are others: ALTER TABLE sends no message (protocol/live.md#ddl)."""
        if self._names is not None and names != self._names:
            yield notices.columns_changed(sorted(names ^ self._names))
            self._names = None


def _is_replay(batch: InitialDataBatch, from_seq: int) -> bool:
    """Whether a server goes on from a version with all that was missed: then this is the first batch, and empty."""
    last = batch.batch_control.last_seq_id
    return not batch.rows and last is not None and int(last) == from_seq


def _unknown(message: Unknown) -> LiveNotice:
    text = orjson.dumps(message.raw).decode()
    return notices.unknown_message(message.raw.get("type"), cut(text, 500))
