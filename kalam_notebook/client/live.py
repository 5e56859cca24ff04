"""The calls that follow the server: live tables, live events, topics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalam_notebook.callers import short_failures, told_when_interrupted
from kalam_notebook.client.base import ClientBase
from kalam_notebook.errors import ConfigError
from kalam_notebook.live_queries.events.messages import OnFull
from kalam_notebook.sql.params import write_parameters_in
from kalam_notebook.sql.statement import Statement, quote_name
from kalam_notebook.sql.tokens import UnreadableSQL
from kalam_notebook.wire.arguments import check_number, check_text, of_two_names
from kalam_notebook.wire.live import MAX_BATCH_SIZE
from kalam_notebook.wire.topics import Start, check_start, check_topic
from kalam_notebook.wire.types import Column
from kalam_notebook.writing.target import table_parts

if TYPE_CHECKING:
    from kalam_notebook.client.live_parts import LiveParts
    from kalam_notebook.live_queries.events.live_events import LiveEvents
    from kalam_notebook.live_queries.table import LiveTable
    from kalam_notebook.topics.consumer import Consumer

__all__ = ["LiveCalls", "Subscription"]

#: Of a live view of a topic: it is put together anew when some come.
_MOST_MESSAGES = 100_000


@dataclass(frozen=True, slots=True)
class Subscription:
    """A live query of a client.

    Attributes:
        sql: The query, without values.
        kind: ``table`` for a live table, ``events`` for a stream of events.
        status: As ``status`` of the live table or stream says.
        last_seq: Of a stream the greatest row version of the events that were taken; None for none.
    """

    sql: str
    kind: str
    status: str
    last_seq: int | None


@short_failures
class LiveCalls(ClientBase):
    """Live queries and topics."""

    @property
    def live_tables(self) -> tuple[LiveTable, ...]:
        """Its live tables that are not closed, in any order."""
        return tuple(live for live in self._live_tables if not live.is_closed)

    @property
    def is_connected(self) -> bool:
        """Whether the WebSocket of the live tables stands; False before the first live query opens it."""
        parts = self._live
        return parts is not None and parts.socket.is_connected

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Tell which live queries there are: live tables and event streams that are not closed."""
        tables = [Subscription(live.sql, "table", live.status, None) for live in self.live_tables]
        streams = [one for one in self._event_streams if not one.is_over]
        return (*tables, *(Subscription(one.sql, "events", one.status, one.last_seq) for one in streams))

    def live(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        key: str | Sequence[str] | None = None,
        max_rows: int | None = None,
        key_columns: str | Sequence[str] | None = None,
    ) -> LiveTable:
        """Start a live query: a table that stays equal to the server's result, and proves it.

        Args:
            sql: Any SELECT. A filter over one table is followed row by row, anything else is run again when one of its
                tables has changed.
            params: Values for ``$1 …``, as for ``execute_query``; they go as literals, because the server
                takes none here.
            namespace: Namespace of table names that have none; None for the client's.
            key: The columns that tell the rows of a result apart, where it is run again; None for those of GROUP BY,
                else the primary keys.
            max_rows: Rows of one table that are kept, those with the newest changes; None for all.
            key_columns: Another name for ``key``, that of the official SDKs.

        Returns:
            A ``LiveTable``; close it when it is no longer needed.

        Raises:
            SubscriptionError: The query cannot be followed, or the server refuses it.
            KalamError: As ``execute_query``.
        """
        self._check_open()
        named = self._live_sql(sql, params, namespace)
        key = of_two_names("key", key, "key_columns", key_columns)
        return self._followed(named, given=sql, namespace=namespace, key=key, max_rows=max_rows)

    def live_events(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        batch_size: int | None = MAX_BATCH_SIZE,
        last_rows: int | None = None,
        from_seq: int | None = None,
        max_queue: int = 10_000,
        on_full: OnFull = "error",
        from_: int | None = None,
    ) -> LiveEvents:
        """Start a live query and return the server's events as they come: first the rows, then the changes.

        Unlike ``live`` this is what the server sends, which may not be all. What is known to be missing comes as a
        ``LiveNotice`` among the events, with what to do.

        Args:
            sql: ``SELECT columns FROM namespace.table [WHERE …]``.
            params: Values for ``$1 …``, as for ``execute_query``; they go as literals, because the server
                takes none here.
            namespace: Namespace of a table name that has none; None for the client's.
            batch_size: Rows of one ``InitialBatch``, 999 at most and by default; None for changes only.
            last_rows: Only so many rows at first, up to ``batch_size``. The server sends the wrong ones when there are
                more.
            from_seq: Only rows written after this ``_seq``, for example ``last_seq`` of former events.
            max_queue: Events that may wait to be taken, 10,000 unless told otherwise.
            on_full: When more come, ``error`` ends the stream with ``SlowConsumerError`` after those that wait, and
                ``block`` reads nothing more until there is room, and tells that.
            from_: Another name for ``from_seq``, that of the official SDKs.

        Returns:
            ``LiveEvents`` for ``for``, ``async for`` and ``next``, with values of ``kalam_notebook.events``; close it
            when it is no longer needed.

        Raises:
            ConfigError: An option is one with which the server would silently do something else.
            SubscriptionError: The server refuses the query.
            KalamError: As ``execute_query``.
        """
        from kalam_notebook.live_queries.events.opening import open_events

        parts = self._live_parts()
        events = open_events(
            self._live_sql(sql, params, namespace),
            source=parts.source(),
            socket=parts.socket,
            batch_size=batch_size,
            last_rows=last_rows,
            from_seq=of_two_names("from_seq", from_seq, "from_", from_),
            max_queue=max_queue,
            on_full=on_full,
        )
        self._event_streams.add(events)
        return events

    def consumer(
        self,
        topic: str,
        *,
        group_id: str,
        start: Start = "latest",
        partitions: int | None = None,
        max_poll_records: int = 100,
        auto_commit: bool = False,
    ) -> Consumer:
        """Consume a topic as a member of a group: each message once, and acknowledged only by ``commit_sync``.

        Args:
            topic: ``namespace.topic``, case-sensitive; without a namespace in the client's.
            group_id: The group, which shares the messages among its consumers and remembers what was acknowledged.
            start: Where a group begins that has not acknowledged anything: ``earliest``, ``latest`` or an offset.
            partitions: How many partitions the topic has; None asks the server, which tells the roles dba and system.
            max_poll_records: Messages of one partition that are asked for at a time.
            auto_commit: Whether what was returned is acknowledged when the next messages are asked for, every 5 s at
                most, and when the block of ``with`` ends without an error.

        Returns:
            A ``Consumer`` for ``poll``, ``for`` and ``async for``.

        Raises:
            ConfigError: An argument is not one.
            TopicError: The number of partitions cannot be found out, or the group stands behind the end of the topic.
            NotFoundError: There is no such topic.
            PermissionDeniedError: The user has not the role service, dba or system.
            KalamError: As ``execute_query``.
        """
        from kalam_notebook.topics.consumer import Consumer, partitions_of
        from kalam_notebook.topics.endpoint import TopicEndpoint

        self._check_open()
        topic_id = check_topic(topic, self._namespace)
        if not isinstance(auto_commit, bool):
            raise ConfigError(f"auto_commit is True or False, not {auto_commit!r}.")
        if not check_text("group_id", group_id):
            raise ConfigError(f"group_id is {group_id!r}. Name the group of consumers: group_id='workers'.")
        check_number("max_poll_records", max_poll_records)
        begin = check_start(start)
        source = TopicEndpoint(self._http, self._endpoint, topic_id, group_id)
        return Consumer(
            source,
            start=begin,
            partitions=partitions_of(source, partitions),
            max_poll_records=max_poll_records,
            columns_of=self._columns_of,
            auto_commit=auto_commit,
            host=self._file_host,
        )

    def live_topic(self, topic: str, *, partitions: int | None = None, max_rows: int = 1_000) -> LiveTable:
        """Show the newest messages of a topic, and those that come, as a live table.

        They are read beside all groups: nobody's messages are taken, and nothing is acknowledged.

        Args:
            topic: ``namespace.topic``, case-sensitive; without a namespace in the client's.
            partitions: As for ``consumer``.
            max_rows: Messages that are kept, the newest.

        Returns:
            A ``LiveTable`` with ``partition``, ``offset``, ``time``, ``op``, ``table``, ``user`` and ``row``, the
            changed row as JSON, in order of the time. What comes beyond ``max_rows`` between two looks is passed over.
            There is no proof of it, as there is of rows. Close it when it is no longer needed.

        Raises:
            ConfigError: An argument is not one.
            KalamError: As ``consumer``.
        """
        from kalam_notebook.live_queries.opening import open_topic
        from kalam_notebook.topics.consumer import partitions_of
        from kalam_notebook.topics.endpoint import TopicEndpoint

        self._check_open()
        check_number("max_rows", max_rows, most=_MOST_MESSAGES)
        log = TopicEndpoint(self._http, self._endpoint, check_topic(topic, self._namespace), "live")
        with told_when_interrupted(lambda: "No live table was opened."):
            table = open_topic(log, partitions=partitions_of(log, partitions), max_rows=max_rows)
        self._live_tables.add(table)
        return table

    def connect(self) -> None:
        """Open the WebSocket now, instead of at the first live query.

        Raises:
            KalamError: The server refuses the login, or cannot be reached.
        """
        self._live_parts().socket.connect()

    def _followed(
        self,
        named: Statement,
        *,
        given: str,
        namespace: str | None,
        key: str | Sequence[str] | None,
        max_rows: int | None,
    ) -> LiveTable:
        """The live table of a query that holds its values; ``given`` is what its reader wrote."""
        from kalam_notebook.live_queries.narrowing import narrowed
        from kalam_notebook.live_queries.opening import open_table

        def narrow(condition: str, params: Sequence[Any] | None, found: Sequence[str] | None) -> LiveTable:
            text, shown = narrowed(named, given, condition)
            sql = self._live_sql(text, params, namespace)
            return self._followed(sql, given=shown, namespace=namespace, key=key or found, max_rows=max_rows)

        parts = self._live_parts()
        with self._hinting(named), told_when_interrupted(lambda: "No live table was opened."):
            table = open_table(
                named,
                source=parts.source(),
                socket=parts.socket,
                pool=parts.pool,
                key=key,
                max_rows=max_rows,
                given=given,
                host=self._file_host,
                narrow=narrow,
            )
        self._live_tables.add(table)
        return table

    def _live_sql(self, sql: str, params: Sequence[Any] | None, namespace: str | None) -> Statement:
        text, values = self._bound(sql, params, namespace, allow_unsafe=True)
        try:
            return write_parameters_in(text, values)
        except UnreadableSQL as exc:
            raise ConfigError(f"The values cannot be put into this SQL: {exc}") from None

    def _columns_of(self, table: str) -> tuple[Column, ...]:
        return self._live_parts().source().columns(".".join(map(quote_name, table_parts(table))))

    def _live_parts(self) -> LiveParts:
        """What live queries share, made by the first who asks for it."""
        from kalam_notebook.client.live_parts import make_parts
        from kalam_notebook.live_queries.connection.listener import Handlers

        self._check_open()
        with self._lock:
            if self._closed:
                raise ConfigError("This connection is closed. Open a new one: kalam.connect(...).")
            if self._live is None:
                self._live = make_parts(
                    self.url,
                    session=self._session,
                    endpoint=self._endpoint,
                    reader=self._reader,
                    window=self._window,
                    timeouts=self._timeouts,
                    compression=self._compression,
                    handlers=Handlers(**self._handlers),
                    on_lost=self._http.cut,
                )
            return self._live
