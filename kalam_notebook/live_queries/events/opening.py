"""``open_events``: from a query to the events that come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kalam_notebook.errors import ConfigError
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.events.feed import EventFeed
from kalam_notebook.live_queries.events.live_events import LiveEvents
from kalam_notebook.live_queries.events.messages import LiveNotice, OnFull
from kalam_notebook.live_queries.events.notices import query_notices
from kalam_notebook.live_queries.events.streaming import EventStream, stream_options
from kalam_notebook.live_queries.following.engine import RowSource
from kalam_notebook.live_queries.following.query import parse_live_query
from kalam_notebook.wire.arguments import check_number
from kalam_notebook.wire.live import MAX_BATCH_SIZE, SubscribeOptions
from kalam_notebook.wire.row_version import RowVersion, row_version_of

__all__ = ["open_events"]


def open_events(
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
) -> LiveEvents:
    """Subscribe to the events of a query, and wait for the acknowledgement.

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
    options = stream_options(batch_size=batch_size, last_rows=last_rows, from_seq=from_seq)
    check_number("max_queue", max_queue)
    if on_full not in ("error", "block"):
        raise ConfigError(f"on_full is {on_full!r}; give 'error' or 'block'.")
    query = parse_live_query(sql)

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
        if stream.domain is not None:
            source.domains[query.source] = stream.domain
        return LiveEvents(feed, query)
    except BaseException:
        feed.close()
        raise


def _as_read(
    options: SubscribeOptions | None, version: RowVersion | None, domain: Mapping[str, Any] | None
) -> SubscribeOptions | None:
    """The options with a version in the form that the server reads: another one would end the connection."""
    if options is None or version is None:
        return options
    return replace(options, is_text=version.is_text, version_domain=domain if version.is_text else None)
