"""The live queries of one connection, from being wanted to being answered, and the pace of their messages.

Each attempt uses an id of its own: a reused id may bring the events of another table (live reference, section 6.5).
Messages that name an id of the past are ignored. Part of ``live.protocol``, and as free of clocks as that.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from enum import Enum
from itertools import chain, count

from kalam_notebook.live.states import Changed, Event, Interrupted, Refused, Subscribed, Timing
from kalam_notebook.wire.live import Change, ErrorMessage, SubscriptionAck, subscribe_message, unsubscribe_message

__all__ = ["Subscriptions"]

#: A refusal that passes when the server has missed the old connection.
_LIMIT_CODE = "SUBSCRIPTION_LIMIT_EXCEEDED"


class _Phase(Enum):
    """Where a live query is."""

    WANTED = "wanted"  # There is no connection.
    QUEUED = "queued"  # Its message waits for its turn.
    SENT = "sent"
    ACTIVE = "active"
    RETRYING = "retrying"  # It will be queued again at its deadline.


class _Subscription:
    """A live query in the course of connections."""

    def __init__(self, key: int, sql: str) -> None:
        self.key = key
        self.sql = sql
        self.phase = _Phase.WANTED
        self.wire_id = ""
        # When its answer is overdue, or its next attempt is due.
        self.deadline = math.inf
        # When an established one was lost; None before the first time and while it stands.
        self.lost_at: float | None = None


class Subscriptions:
    """All live queries of a connection.

    Args:
        timing: Deadlines and pace.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._by_key: dict[int, _Subscription] = {}
        self._by_wire_id: dict[str, _Subscription] = {}
        self._numbers = count(1)
        # Live queries to subscribe and wire ids to unsubscribe.
        self._queue: deque[_Subscription | str] = deque()
        self._sent_at: deque[float] = deque(maxlen=timing.messages_per_second)

    def add(self, key: int, sql: str, *, is_open: bool) -> None:
        """Want a live query."""
        subscription = self._by_key[key] = _Subscription(key, sql)
        if is_open:
            self._enqueue(subscription)

    def remove(self, key: int) -> None:
        """Want it no more; unknown keys are ignored."""
        subscription = self._by_key.pop(key, None)
        if subscription is not None and self._by_wire_id.pop(subscription.wire_id, None) is not None:
            self._queue.append(subscription.wire_id)

    def clear(self) -> None:
        """Forget everything."""
        self._by_key.clear()
        self._forget_wire()

    def connected(self) -> None:
        """Queue all live queries on a connection that has just been authenticated."""
        for subscription in self._by_key.values():
            self._enqueue(subscription)

    def lost(self, now: float) -> None:
        """Take note that the connection is gone."""
        for subscription in self._by_key.values():
            if subscription.phase is _Phase.ACTIVE:
                subscription.lost_at = now
            subscription.phase = _Phase.WANTED
            subscription.deadline = math.inf
        self._forget_wire()

    def acknowledged(self, ack: SubscriptionAck) -> Iterable[Event]:
        """Take an acknowledgement in."""
        subscription = self._by_wire_id.get(ack.subscription_id)
        if subscription is None or subscription.phase is not _Phase.SENT:
            return
        subscription.phase = _Phase.ACTIVE
        subscription.deadline = math.inf
        subscription.lost_at = None
        yield Subscribed(subscription.key, ack)

    def changed(self, change: Change) -> Iterable[Event]:
        """Take a change in."""
        subscription = self._by_wire_id.get(change.subscription_id)
        if subscription is not None and subscription.phase is _Phase.ACTIVE:
            yield Changed(subscription.key, change)

    def failed(self, error: ErrorMessage, now: float) -> Iterable[Event]:
        """Take the error of a live query in: try again, or give it up."""
        subscription = self._by_wire_id.pop(error.subscription_id, None)
        if subscription is None:
            return
        if subscription.phase is _Phase.ACTIVE:
            # Whatever it says, rows may be missing from here on (live reference, section 12.7, rule 3).
            subscription.lost_at = now
            self._queue.append(error.subscription_id)
            yield Interrupted(subscription.key, f"{error.code}: {error.message}")
        elif not self._may_pass(subscription, error.code, now):
            del self._by_key[subscription.key]
            yield Refused(subscription.key, subscription.sql, error.code, error.message)
            return
        subscription.phase = _Phase.RETRYING
        subscription.deadline = now + self._timing.retry_delay

    def is_overdue(self, now: float) -> bool:
        """Whether a live query was not answered in time."""
        return any(s.phase is _Phase.SENT and now >= s.deadline for s in self._by_key.values())

    def take_messages(self, now: float) -> Iterable[str]:
        """Return the messages whose turn it is."""
        for subscription in self._by_key.values():
            if subscription.phase is _Phase.RETRYING and now >= subscription.deadline:
                self._enqueue(subscription)
        while self._queue and now >= self._next_turn():
            item = self._queue.popleft()
            if isinstance(item, str):
                self._sent_at.append(now)
                yield unsubscribe_message(item)
            elif item.phase is _Phase.QUEUED and self._by_key.get(item.key) is item:
                self._sent_at.append(now)
                yield self._subscribe(item, now)

    def deadline(self) -> float:
        """The time at which something is due, or infinity."""
        turn = [self._next_turn()] if self._queue else []
        return min(chain(turn, (subscription.deadline for subscription in self._by_key.values())), default=math.inf)

    def _enqueue(self, subscription: _Subscription) -> None:
        subscription.phase = _Phase.QUEUED
        subscription.deadline = math.inf
        self._queue.append(subscription)

    def _subscribe(self, subscription: _Subscription, now: float) -> str:
        subscription.phase = _Phase.SENT
        subscription.wire_id = f"live-{next(self._numbers)}"
        subscription.deadline = now + self._timing.ack_timeout
        self._by_wire_id[subscription.wire_id] = subscription
        return subscribe_message(subscription.wire_id, subscription.sql)

    def _may_pass(self, subscription: _Subscription, code: str, now: float) -> bool:
        lost_at = subscription.lost_at
        return code == _LIMIT_CODE and lost_at is not None and now - lost_at < self._timing.retry_for

    def _next_turn(self) -> float:
        is_full = len(self._sent_at) == self._timing.messages_per_second
        return self._sent_at[0] + 1.0 if is_full else -math.inf

    def _forget_wire(self) -> None:
        self._by_wire_id.clear()
        self._queue.clear()
        self._sent_at.clear()
