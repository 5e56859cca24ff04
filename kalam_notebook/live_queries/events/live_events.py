"""``LiveEvents``: what ``kalam.live_events()`` returns, the server's events of one query as an iterator.

The events are values of ``events.messages``; how they get here is the work of ``events.feed``.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kalam_notebook.callers import short_failures, told_when_interrupted
from kalam_notebook.errors import ConfigError, LiveError, RequestTimeoutError
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.events.feed import EventFeed
from kalam_notebook.live_queries.events.messages import EventStats, LiveEvent, LiveNotice, OnFull
from kalam_notebook.live_queries.events.notices import query_notices
from kalam_notebook.live_queries.events.streaming import EventStream, stream_options
from kalam_notebook.live_queries.following.engine import RowSource
from kalam_notebook.live_queries.following.query import parse_live_query
from kalam_notebook.wire.arguments import check_number
from kalam_notebook.wire.live import MAX_BATCH_SIZE, SubscribeOptions
from kalam_notebook.wire.row_version import RowVersion, row_version_of

__all__ = ["LiveEvents"]


@short_failures
class LiveEvents:
    """The server's events of one query, for ``for``, ``async for`` and ``next``.

    Made by ``kalam.live_events(sql)``, with a connection and a thread of its own: events keep coming while your cell
    computes. Close it when it is no longer needed; a user may have ten live queries at a time by default. All methods
    may be called from any thread; each event is given to one reader.

    These are the events as the server sends them, not a table that stays true. It drops events without a sign when more
    than 128 wait on one connection, which a single statement over that many rows can bring about, and when a row holds
    NaN or infinity. What this client knows to be wrong comes as a ``LiveNotice`` among the events.

    Args:
        sql: ``SELECT columns | * FROM namespace.table [WHERE …]``.
        source: Tells about the table.
        socket: The client's connection, of which this makes a sibling.
        batch_size: Rows of one ``InitialBatch``; None for changes only.
        last_rows: Only so many rows at first.
        from_seq: Only rows written after this ``_seq``.
        max_queue: Events that may wait.
        on_full: ``error`` ends the stream when more come; ``block`` reads nothing more until there is room.
        timeout: Seconds until the server has to acknowledge the query.

    Raises:
        ConfigError: An option is one with which the server would silently do something else.
        SubscriptionError: The query has not the shape of a live query, or the server refuses it.
        ConnectError: There is no live connection within ``timeout``.
        KalamError: The table's columns cannot be read.
    """

    _feed: EventFeed | None = None

    def __init__(
        self,
        sql: str,
        *,
        source: RowSource,
        socket: LiveSocket,
        batch_size: int | None = MAX_BATCH_SIZE,
        last_rows: int | None = None,
        from_seq: int | None = None,
        max_queue: int = 10_000,
        on_full: OnFull = "error",
        timeout: float = 20.0,
    ) -> None:
        options = stream_options(batch_size=batch_size, last_rows=last_rows, from_seq=from_seq)
        check_number("max_queue", max_queue)
        if on_full not in ("error", "block"):
            raise ConfigError(f"on_full is {on_full!r}; give 'error' or 'block'.")
        query = self._query = parse_live_query(sql)
        remarks: tuple[LiveNotice, ...] = ()
        # Without a filter or names of columns the server's events are what they seem to be.
        has_remarks = bool(query.filter_sql) or query.projection is not None
        if has_remarks or from_seq is not None:
            info = source.describe(query.source)
            remarks = query_notices(query, info.columns, info.kind) if has_remarks else ()
            options = _as_read(options, row_version_of(info.columns), source.domains.get(query.source))
        stream = EventStream(remarks, is_whole_row=query.projection is None)
        feed = EventFeed(stream, socket=socket.sibling(), options=options, max_queue=max_queue, on_full=on_full)
        try:
            feed.start(query.events_sql(), timeout=timeout)
        except BaseException:
            feed.close()
            raise
        if stream.domain is not None:
            source.domains[query.source] = stream.domain
        self._feed = feed

    def __repr__(self) -> str:
        return f"<LiveEvents {self._query.table_name}, {self.stats.pending:,} pending, {self.status}>"

    def __enter__(self) -> LiveEvents:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> LiveEvents:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.to_thread(self.close)

    def __del__(self) -> None:
        if self._feed is not None and not self._feed.is_over and not self._feed.is_forked:
            text = f"{self!r} was not closed. Call close(), or use it in a with block."
            self.close()
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)

    # What it is.

    @property
    def sql(self) -> str:
        """The query as given."""
        return self._query.sql

    @property
    def status(self) -> str:
        """``live``, ``held up: …``, ``reconnecting in 3 s``, or ``stopped: …`` with the reason."""
        return self._started.status

    @property
    def is_over(self) -> bool:
        """Whether no more events come: it was closed, or has ended by itself."""
        return self._started.is_over

    @property
    def stats(self) -> EventStats:
        """Counters since the start."""
        return self._started.stats()

    @property
    def last_seq(self) -> int | None:
        """The greatest ``_seq`` of the events taken so far: as ``from_seq`` it begins again behind them.

        None while rows of the first batches are still to be taken. Deletes in between are never told.
        """
        return self._started.last_seq

    # Reading.

    def __iter__(self) -> LiveEvents:
        return self

    def __next__(self) -> LiveEvent:
        event = self._take(None)
        if event is None:
            raise StopIteration
        return event

    def next(self, *, timeout: float | None = None) -> LiveEvent:
        """Wait for the next event and return it.

        Args:
            timeout: Seconds to wait; None for ever.

        Returns:
            The event.

        Raises:
            RequestTimeoutError: None came in time; also a TimeoutError.
            SlowConsumerError: The queue was full; all events before that have been returned.
            KalamError: The stream has ended, with the reason; ``LiveError`` when it was closed.
        """
        event = self._take(timeout)
        if event is None:
            raise LiveError(f"The live events of {self._query.table_name} were closed.")
        return event

    def __aiter__(self) -> LiveEvents:
        return self

    async def __anext__(self) -> LiveEvent:
        feed = self._started
        while not feed.is_closed:
            # Between waking up and taking there is nothing to be cancelled: no event gets lost.
            if (event := feed.take()) is not None:
                return event
            feed.raise_if_over()
            await feed.sleep()
        raise StopAsyncIteration

    def close(self) -> None:
        """End it, within a second; events that wait are forgotten. May be called twice, and while others wait."""
        if self._feed is not None:
            self._feed.close()

    def _take(self, timeout: float | None) -> LiveEvent | None:
        """The next event; None when it was closed."""
        feed = self._started
        deadline = None if timeout is None else time.monotonic() + timeout
        while not feed.is_closed:
            if (event := feed.take()) is not None:
                return event
            feed.raise_if_over()
            with told_when_interrupted(lambda: "No event is lost: what has come is returned by the next call."):
                came = feed.wait(deadline)
            if not came:
                raise RequestTimeoutError(f"No event of {self._query.table_name} within {timeout:g} s: {self.status}.")
        return None

    @property
    def _started(self) -> EventFeed:
        assert self._feed is not None
        return self._feed


def _as_read(
    options: SubscribeOptions | None, version: RowVersion | None, domain: Mapping[str, Any] | None
) -> SubscribeOptions | None:
    """The options with a version in the form that the server reads: another one would end the connection."""
    if options is None or version is None:
        return options
    return replace(options, is_text=version.is_text, version_domain=domain if version.is_text else None)
