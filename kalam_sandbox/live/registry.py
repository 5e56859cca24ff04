"""All connections of one server: commits go in, ``system.live`` and the heartbeat come out.

Everything runs on the event loop; commits arrive from other threads and are handed over one by one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import count

from kalam_sandbox.backend import Change
from kalam_sandbox.live.connection import Connection, Ending
from kalam_sandbox.live.faults import EventFaults
from kalam_sandbox.live.frames import auth_error
from kalam_sandbox.live.replay import ReplayLog
from kalam_sandbox.live.subscription import Subscription
from kalam_sandbox.options import Options

# Events of one table that may wait until they are looked at.
_WORKER_QUEUE = 4096
# Seconds of idleness after which the server forgets a user's count (protocol/live.md#limits).
_FORGET_AFTER = 600.0


class SubscriptionCounter:
    """Count live queries per user as the server does, which is not how many there are.

    A replaced id or a killed query leaves the count one too high, an unknown id unsubscribed one too low.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[str, tuple[int, float]] = {}

    def of(self, user_id: str) -> int:
        """Return the count of a user."""
        count, used_at = self._counts.get(user_id, (0, 0.0))
        return 0 if self._clock() - used_at > _FORGET_AFTER else count

    def add(self, user_id: str, number: int) -> None:
        """Change the count of a user; it never falls below zero."""
        self._counts[user_id] = (max(0, self.of(user_id) + number), self._clock())


class LiveRegistry:
    """The live part of one server.

    Attributes:
        counter: Live queries per user.
        replay: What live queries may resume from; None on a server that keeps no changes.
    """

    def __init__(self, options: Options) -> None:
        self.counter = SubscriptionCounter()
        self.replay = ReplayLog() if options.replay_log else None
        self._options = options
        self._connections: dict[str, Connection] = {}
        self._numbers = count(1)
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Name the loop that the connections live on; None when the server is stopping."""
        self._loop = loop

    def commit(self, changes: Sequence[Change]) -> None:
        """Take the changes of one commit, from any thread; the loop keeps their order."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.publish, list(changes))

    def publish(self, changes: Sequence[Change]) -> None:
        """Queue the changes of one commit at once, so that a large one overruns the queues as it should."""
        waiting: Counter[tuple[str | None, tuple[str, str]]] = Counter()
        for change in changes:
            if self.replay is not None:
                self.replay.record(change)
            scope = (change.owner, (change.namespace, change.table))
            waiting[scope] += 1
            for connection in self._connections.values():
                if waiting[scope] > _WORKER_QUEUE:
                    # Without an effect where losses are not told.
                    connection.cut_scope(*scope)
                connection.publish(change)

    def open(self, *, wake: Callable[[], None], end: Callable[[Ending], None]) -> Connection:
        """Register a new connection; `end` is called when the server wants to close it."""
        late_by = self._options.late_by_ms / 1000
        connection = Connection(
            queue_size=self._options.notification_queue,
            tells_gaps=self._options.tell_gaps,
            faults=EventFaults(self._options, next(self._numbers)),
            wake=wake,
            end=end,
            later=lambda release: asyncio.get_running_loop().call_later(late_by, release),
        )
        self._connections[connection.id] = connection
        return connection

    def close(self, connection: Connection) -> None:
        """Forget a connection and give back the places of its live queries."""
        del self._connections[connection.id]
        if connection.caller is not None:
            self.counter.add(connection.caller.user_id, -len(connection.subscriptions))

    def kill(self, live_id: str) -> bool:
        """End a live query without telling its client; False when there is none.

        The id is split at its first two dashes, so queries of users with a dash in their id are not found.
        """
        _, _, rest = live_id.partition("-")
        connection_id, _, subscription_id = rest.partition("-")
        connection = self._connections.get(connection_id)
        return connection is not None and connection.remove(subscription_id)

    def rows(self) -> list[dict[str, object]]:
        """Return the rows of ``system.live``; times are microseconds since 1970."""
        return [
            _row(connection, subscription)
            for connection in list(self._connections.values())
            for subscription in list(connection.subscriptions.values())
            if subscription.is_listed
        ]

    def end_overdue(self, now: float) -> None:
        """End the connections that are late with their token, or have been silent for too long."""
        limit = self._options.auth_timeout
        for connection in self._connections.values():
            if not connection.auth_started and now - connection.opened_at > limit:
                text = f"Authentication timeout - no auth message received within {limit:g} seconds"
                connection.end(Ending(1008, "Authentication timeout", auth_error(text)))
            elif now - connection.last_seen > self._options.client_timeout:
                connection.end(Ending(1000, "Heartbeat timeout"))

    def end_all(self) -> None:
        """End every connection because the server stops."""
        for connection in self._connections.values():
            connection.end(Ending(1001, "Server shutting down"))


def _row(connection: Connection, subscription: Subscription) -> dict[str, object]:
    request, options = subscription.request, subscription.request.options
    names = {"batch_size": "batch_size", "last_rows": "last_rows", "from_seq": "from"}
    told = asdict(options).items() if options else ()
    given = {names[name]: value for name, value in told if name in names and value is not None} if options else None
    silent_for = time.monotonic() - connection.last_seen
    return {
        "live_id": connection.live_id(request.id),
        "connection_id": connection.id,
        "subscription_id": request.id,
        "namespace_id": subscription.table.namespace,
        "table_name": subscription.table.name,
        "user_id": connection.caller.user_id if connection.caller else "",
        "query": request.sql,
        "options": None if given is None else json.dumps(given, separators=(",", ":")),
        "status": "active",
        "created_at": subscription.created_at,
        "last_update": subscription.last_update,
        "changes": subscription.changes,
        "node_id": 1,
        "last_ping_at": time.time_ns() // 1000 - int(silent_for * 1_000_000),
    }
