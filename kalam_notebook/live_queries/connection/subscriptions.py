"""The live queries of one connection, from being wanted to being answered, and the pace of their messages.

Each attempt uses an id of its own: a reused id may bring the events of another table (protocol/live.md#ids).
Messages that name an id of the past are ignored. Part of ``connection.protocol``, and as free of clocks as that.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import chain, count

from kalam_notebook.live_queries.connection.cursor import StreamCursor
from kalam_notebook.live_queries.connection.states import (
    Changed,
    Event,
    Interrupted,
    Loaded,
    Refused,
    Subscribed,
    Timing,
    Unexplained,
)
from kalam_notebook.wire.live import (
    Change,
    ErrorMessage,
    InitialDataBatch,
    SubscribeOptions,
    SubscriptionAck,
    Unknown,
    greatest_seq,
    next_batch_message,
    subscribe_message,
    unsubscribe_message,
)
from kalam_notebook.wire.row_version import VERSION

__all__ = ["Subscriptions"]

#: The server has dropped events, or knows the place no more where to go on (protocol/live.md#other-versions).
_EXPIRED_CODE = "CURSOR_EXPIRED"

#: So often a live query is begun anew without standing in between.
_MAX_EXPIRED = 3

#: So often the connection may end in the place of an answer until the place where to go on is blamed: another server
#: may read it in another form, and ends the connection over this one.
_MAX_UNANSWERED = 2

#: A refusal that passes when the server has missed the old connection.
_LIMIT_CODE = "SUBSCRIPTION_LIMIT_EXCEEDED"


class _Phase(Enum):
    """Where a live query is."""

    WANTED = "wanted"  # There is no connection.
    QUEUED = "queued"  # Its message waits for its turn.
    SENT = "sent"
    LOADING = "loading"  # It is acknowledged, and rows that were asked for are still to come.
    ACTIVE = "active"
    RETRYING = "retrying"  # It will be queued again at its deadline.


class _Subscription:
    """A live query in the course of connections."""

    def __init__(self, key: int, sql: str, cursor: StreamCursor | None) -> None:
        self.key = key
        self.sql = sql
        # Tells which rows to ask for; None for a live query whose rows are read elsewhere.
        self.cursor = cursor
        self.options: SubscribeOptions | None = None
        # Where the page that came last ends, and the same as it came until the next one is asked for.
        self.page_end = -1
        self.unfetched: int | str | None = None
        self.phase = _Phase.WANTED
        self.wire_id = ""
        # When its answer is overdue, or its next attempt is due.
        self.deadline = math.inf
        # When an established one was lost; None before the first time and while it stands.
        self.lost_at: float | None = None
        # How often its place was lost since it stood last, and when that was.
        self.expired = 0
        self.expired_at = -math.inf
        # How often the connection ended when it had asked from a place on, and was not answered.
        self.unanswered = 0

    @property
    def is_established(self) -> bool:
        """Whether the server has acknowledged it."""
        phase = self.phase
        return phase is _Phase.ACTIVE or phase is _Phase.LOADING

    @property
    def is_awaited(self) -> bool:
        """Whether the server owes an answer."""
        return self.phase in {_Phase.SENT, _Phase.LOADING} and self.deadline < math.inf


@dataclass(frozen=True, slots=True)
class _Page:
    """A wish for the rows behind ``after``."""

    subscription: _Subscription
    wire_id: str
    after: int | str


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
        # Live queries to subscribe, pages to fetch, and wire ids to unsubscribe.
        self._queue: deque[_Subscription | _Page | str] = deque()
        self._sent_at: deque[float] = deque(maxlen=timing.messages_per_second)

    @property
    def awaits_rows(self) -> bool:
        """Whether the server is reading rows; it answers no ping meanwhile (protocol/live.md#subscriptions)."""
        return any(subscription.is_awaited and subscription.options for subscription in self._by_key.values())

    def add(self, key: int, sql: str, *, is_open: bool, cursor: StreamCursor | None = None) -> None:
        """Want a live query, with the rows that the cursor names."""
        subscription = self._by_key[key] = _Subscription(key, sql, cursor)
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
            if subscription.is_established:
                subscription.lost_at = now
            if subscription.phase is _Phase.SENT:
                self._doubt_place(subscription)
            subscription.phase = _Phase.WANTED
            subscription.deadline = math.inf
        self._forget_wire()

    def _doubt_place(self, subscription: _Subscription) -> None:
        """The connection ended in the place of an answer: begin anew when that was so before."""
        if subscription.cursor is None or subscription.options is None or subscription.options.from_seq is None:
            return
        subscription.unanswered += 1
        if subscription.unanswered >= _MAX_UNANSWERED:
            subscription.cursor.forget()

    def acknowledged(self, ack: SubscriptionAck, now: float) -> Iterable[Event]:
        """Take an acknowledgement in."""
        subscription = self._by_wire_id.get(ack.subscription_id)
        if subscription is None or subscription.phase is not _Phase.SENT:
            return
        if subscription.options is None:
            subscription.phase = _Phase.ACTIVE
            subscription.deadline = math.inf
        else:
            subscription.phase = _Phase.LOADING
            subscription.deadline = now + self._timing.ack_timeout
        subscription.lost_at = None
        subscription.expired = subscription.unanswered = 0
        if subscription.cursor is not None:
            subscription.cursor.belongs_to(ack.batch_control.version_domain)
        yield Subscribed(subscription.key, ack, subscription.options)

    def loaded(self, batch: InitialDataBatch) -> Iterable[Event]:
        """Take rows in that were asked for."""
        subscription = self._by_wire_id.get(batch.subscription_id)
        if subscription is None or subscription.phase is not _Phase.LOADING:
            return

        control, cursor = batch.batch_control, subscription.cursor
        last = None if control.last_seq_id is None else int(control.last_seq_id)
        if control.has_more and (last is None or last <= subscription.page_end):
            # Asked for what follows it, the server would send the same rows again and again.
            self.remove(subscription.key)
            text = f"The rows that follow batch {control.batch_num} cannot be asked for."
            yield Refused(subscription.key, subscription.sql, "SNAPSHOT_ENDLESS", text)
            return

        if cursor is not None:
            cursor.belongs_to(control.version_domain)
            is_text = isinstance(control.last_seq_id, str)
            cursor.take(greatest_seq(batch.rows), is_loading=control.has_more, is_text=is_text)

        subscription.deadline = math.inf
        if control.has_more and last is not None:
            subscription.page_end = last
            subscription.unfetched = control.last_seq_id
        else:
            subscription.phase = _Phase.ACTIVE
        yield Loaded(subscription.key, batch)

    def fetch(self, key: int, wire_id: str) -> None:
        """Want the rows that follow the batch that came last; ignored for batches of the past."""
        subscription = self._by_key.get(key)
        if subscription is None or subscription.wire_id != wire_id or subscription.unfetched is None:
            return
        self._queue.append(_Page(subscription, wire_id, subscription.unfetched))
        subscription.unfetched = None

    def changed(self, change: Change) -> Changed | None:
        """Take a change in; there are many, so this is no generator."""
        subscription = self._by_wire_id.get(change.subscription_id)
        if subscription is None or not subscription.is_established:
            return None
        if subscription.cursor is not None:
            rows = change.rows or change.old_values
            subscription.cursor.take(
                greatest_seq(rows), is_loading=subscription.phase is _Phase.LOADING, is_text=VERSION.name in rows[0]
            )
        return Changed(subscription.key, change)

    def puzzled(self, message: Unknown) -> Iterable[Event]:
        """Take a message in that is not known; it concerns a live query if it names one."""
        wire_id = message.raw.get("subscription_id")
        subscription = self._by_wire_id.get(wire_id) if isinstance(wire_id, str) else None
        if subscription is not None:
            yield Unexplained(subscription.key, message)

    def failed(self, error: ErrorMessage, now: float) -> Iterable[Event]:
        """Take the error of a live query in: try again, or give it up."""
        subscription = self._by_wire_id.pop(error.subscription_id, None)
        if subscription is None:
            return
        if error.code == _EXPIRED_CODE and subscription.expired < _MAX_EXPIRED:
            yield from self._begin_anew(subscription, error, now)
            return

        if subscription.phase is _Phase.ACTIVE:
            # Whatever it says, rows may be missing from here on (protocol/live.md#other-versions).
            subscription.lost_at = now
            self._queue.append(error.subscription_id)
            yield Interrupted(subscription.key, error.code, error.message)
        elif not self._may_pass(subscription, error.code, now):
            del self._by_key[subscription.key]
            held = tuple(other.sql for other in self._by_key.values() if other.phase is _Phase.ACTIVE)
            yield Refused(subscription.key, subscription.sql, error.code, error.message, held)
            return

        subscription.phase = _Phase.RETRYING
        subscription.deadline = now + self._timing.retry_delay

    def _begin_anew(self, subscription: _Subscription, error: ErrorMessage, now: float) -> Iterable[Event]:
        """Forget the place, and subscribe again at once: nothing more comes for the old id, which stays registered."""
        if subscription.is_established:
            self._queue.append(error.subscription_id)
            subscription.lost_at = now
        if subscription.cursor is not None:
            subscription.cursor.forget()
        is_again = now - subscription.expired_at < self._timing.retry_delay
        subscription.expired = subscription.expired + 1
        subscription.expired_at = now
        subscription.phase = _Phase.RETRYING
        subscription.deadline = now + self._timing.retry_delay if is_again else now
        yield Interrupted(subscription.key, error.code, error.message, is_gap=True)

    def is_overdue(self, now: float) -> bool:
        """Whether a live query, or a wish for more of its rows, was not answered in time."""
        return any(subscription.is_awaited and now >= subscription.deadline for subscription in self._by_key.values())

    def be_patient(self, now: float) -> None:
        """Let answers take as long again from now on: nobody has listened for a while."""
        for subscription in self._by_key.values():
            if subscription.is_awaited:
                subscription.deadline = now + self._timing.ack_timeout

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
            elif isinstance(item, _Page):
                if self._by_wire_id.get(item.wire_id) is item.subscription:
                    self._sent_at.append(now)
                    item.subscription.deadline = now + self._timing.ack_timeout
                    yield next_batch_message(item.wire_id, item.after)
            elif item.phase is _Phase.QUEUED and self._by_key.get(item.key) is item:
                self._sent_at.append(now)
                yield self._subscribe(item, now)

    def deadline(self) -> float:
        """The time at which something is due, or infinity."""
        return min(chain([self.turn()], (subscription.deadline for subscription in self._by_key.values())))

    def turn(self) -> float:
        """The time at which a message may be sent, or infinity when none waits."""
        return self._next_turn() if self._queue else math.inf

    def _enqueue(self, subscription: _Subscription) -> None:
        subscription.phase = _Phase.QUEUED
        subscription.deadline = math.inf
        self._queue.append(subscription)

    def _subscribe(self, subscription: _Subscription, now: float) -> str:
        subscription.phase = _Phase.SENT
        subscription.wire_id = f"live-{next(self._numbers)}"
        subscription.deadline = now + self._timing.ack_timeout
        subscription.options = None if subscription.cursor is None else subscription.cursor.options()
        subscription.page_end = -1
        subscription.unfetched = None
        self._by_wire_id[subscription.wire_id] = subscription
        return subscribe_message(subscription.wire_id, subscription.sql, subscription.options)

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
