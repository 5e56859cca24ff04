"""State of one live query: its filter, its snapshot boundary, and the changes held back while it loads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from kalam_sandbox.backend import Caller, Change, TableInfo
from kalam_sandbox.live import frames
from kalam_sandbox.live.changes import change_body
from kalam_sandbox.live.evaluate import column_types, passes
from kalam_sandbox.live.messages import Subscribe
from kalam_sandbox.live.predicate import parse_predicate
from kalam_sandbox.live.query import LiveQuery
from kalam_sandbox.live.row_filter import admits, parse_filter
from kalam_sandbox.options import Options
from kalam_sandbox.sql.identity import with_user


class Subscription:
    """One live query of one connection.

    Args:
        request: What the client sent.
        query: The query taken apart.
        table: The table as it is now.
        caller: Who asks.
        options: Habits of the server.

    Raises:
        RefusedFilter: The server takes no such condition.

    Attributes:
        request: What the client sent.
        query: The query taken apart.
        table: The table as it was at the subscribe.
        boundary: Greatest version of the snapshot, 0 for an empty one.
        batch_num: Number of the page sent last.
        is_loading: Whether the last page is still to come.
        is_listed: Whether ``system.live`` shows it.
        is_cut: Whether it was told that events were lost; it gets no more.
        changes: Changes handed to the connection's queue.
        key: Names of the primary key columns.
        created_at: Unix time in microseconds.
        last_update: Unix time in microseconds of the last change handed on.
    """

    def __init__(
        self, request: Subscribe, query: LiveQuery, table: TableInfo, *, caller: Caller, options: Options
    ) -> None:
        self.request = request
        self.query = query
        self.table = table
        self.boundary = 0
        self.batch_num = 0
        self.is_loading = request.options is not None
        self.is_listed = True
        self.is_cut = False
        self.changes = 0
        self.created_at = self.last_update = time.time_ns() // 1000
        self.key = tuple(column.name for column in table.columns if "pk" in column.flags)
        self._passes = _row_test(query, table, caller, options)
        self._tells_leaving = options.tell_leaving
        # When it is full the oldest change falls out without a sign (protocol/live.md#during-snapshots).
        self._held: deque[tuple[int, frames.Message]] = deque(maxlen=options.snapshot_buffer)

    @property
    def selected_key(self) -> tuple[str, ...]:
        """The key columns that the query selects; only with them are its pages sorted by key."""
        columns = self.query.columns
        return tuple(name for name in self.key if columns is None or name in columns)

    @property
    def table_key(self) -> tuple[str, str]:
        """Namespace and name of the table."""
        return self.table.namespace, self.table.name

    def message_for(self, change: Change) -> frames.Message | None:
        """Return what the client hears of a change, None when nothing."""
        body = change_body(
            change,
            is_stream=self.table.kind == "stream",
            columns=self.query.columns,
            key=self.key,
            passes=self._passes,
            version=self.query.version,
            tells_leaving=self._tells_leaving,
        )
        return None if body is None else frames.change(self.request.id, body)

    def hold(self, seq: int, message: frames.Message) -> bool:
        """Keep a change until the snapshot is complete; say whether the oldest one had not to go for it."""
        has_room = len(self._held) != self._held.maxlen
        self._held.append((seq, message))
        return has_room

    def finish_loading(self) -> list[frames.Message]:
        """Return the held changes that are no part of the snapshot, in order of their versions."""
        self.is_loading = False
        held = sorted(self._held, key=lambda item: item[0])
        self._held.clear()
        return [message for seq, message in held if seq > self.boundary]

    def note_delivery(self) -> None:
        """Count one change handed to the connection's queue."""
        self.changes += 1
        self.last_update = time.time_ns() // 1000


def _row_test(
    query: LiveQuery, table: TableInfo, caller: Caller, options: Options
) -> Callable[[dict[str, object]], bool]:
    """Return the test that rows of events must pass."""
    types = column_types(table.columns)
    conditions = [] if table.policy is None else [parse_filter(table.policy)]
    predicate = None
    if query.where is not None and options.refuse_odd_filters:
        conditions.append(parse_filter(with_user(query.where, caller.user_id)))
    elif query.where is not None:
        predicate = parse_predicate(query.where)
    return lambda row: passes(predicate, row, types) and all(admits(condition, row, types) for condition in conditions)
