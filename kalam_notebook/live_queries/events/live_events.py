"""``LiveEvents``: what ``kalam.live_events()`` returns, the server's events of one query as an iterator.

The events are values of ``events.messages``; how they get here is the work of ``events.feed``.
"""

from __future__ import annotations

import asyncio
import time
import warnings

from kalam_notebook.callers import short_failures, told_when_interrupted
from kalam_notebook.errors import LiveError, RequestTimeoutError
from kalam_notebook.live_queries.events.feed import EventFeed
from kalam_notebook.live_queries.events.messages import EventStats, LiveEvent
from kalam_notebook.live_queries.following.query import LiveQuery

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
        feed: The events, which have begun to come.
        query: What they are of.
    """

    def __init__(self, feed: EventFeed, query: LiveQuery) -> None:
        self._feed = feed
        self._query = query

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
        if not self._feed.is_over and not self._feed.is_forked:
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
        return self._feed.status

    @property
    def is_over(self) -> bool:
        """Whether no more events come: it was closed, or has ended by itself."""
        return self._feed.is_over

    @property
    def stats(self) -> EventStats:
        """Counters since the start."""
        return self._feed.stats()

    @property
    def last_seq(self) -> int | None:
        """The greatest ``_seq`` of the events taken so far: as ``from_seq`` it begins again behind them.

        None while rows of the first batches are still to be taken. Deletes in between are never told.
        """
        return self._feed.last_seq

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
        feed = self._feed
        while not feed.is_closed:
            # Between waking up and taking there is nothing to be cancelled: no event gets lost.
            if (event := feed.take()) is not None:
                return event
            feed.raise_if_over()
            await feed.sleep()
        raise StopAsyncIteration

    def close(self) -> None:
        """End it, within a second; events that wait are forgotten. May be called twice, and while others wait."""
        self._feed.close()

    def _take(self, timeout: float | None) -> LiveEvent | None:
        """The next event; None when it was closed."""
        feed = self._feed
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
