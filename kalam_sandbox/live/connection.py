"""State of one connection: who it is, its live queries, and the queue of events waiting for the socket.

No socket here; `routes` empties the queue and is woken through `wake`.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kalam_sandbox.backend import Caller, Change
from kalam_sandbox.live import frames
from kalam_sandbox.live.faults import EventFaults
from kalam_sandbox.live.frames import Message
from kalam_sandbox.live.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Ending:
    """How the server ends a connection: a last message, if any, then a close frame."""

    code: int
    reason: str
    message: Message | None = None


class Connection:
    """One WebSocket connection.

    Args:
        queue_size: Events that may wait for the socket.
        tells_gaps: Whether a live query is told that it has lost events; it then gets no more.
        faults: What becomes of each event before it is queued.
        wake: Called when an event has been queued.
        end: Called when the server wants to close the connection.
        later: Calls a function when events that are held back have waited long enough.

    Attributes:
        id: Identifier without dashes, part of the ids of its live queries.
        caller: Who it is, None before authentication.
        auth_started: Whether a token has arrived.
        serialization: How messages behind the authentication are written: ``json`` or ``msgpack``.
        opened_at: Monotonic time in seconds.
        last_seen: Monotonic time in seconds of the last frame from the client.
        outbox: Events waiting for the socket.
        subscriptions: Live queries by the client's id.
    """

    def __init__(
        self,
        *,
        queue_size: int,
        tells_gaps: bool,
        faults: EventFaults[tuple[Subscription, Message]],
        wake: Callable[[], None],
        end: Callable[[Ending], None],
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        self.id = secrets.token_hex(8)
        self.caller: Caller | None = None
        self.auth_started = False
        self.serialization = "json"
        self.opened_at = self.last_seen = time.monotonic()
        self.outbox: deque[Message] = deque()
        self.subscriptions: dict[str, Subscription] = {}
        self.end = end
        self._queue_size = queue_size
        self._tells_gaps = tells_gaps
        self._faults = faults
        self._wake = wake
        self._later = later
        self._will_release = False
        # By table as well, since an id used again for another table leaves the old query behind as a
        # ghost: it keeps sending until the socket closes (protocol/live.md#ids).
        self._receivers: dict[tuple[tuple[str, str], str], Subscription] = {}

    def live_id(self, subscription_id: str) -> str:
        """Return the server-wide id of a live query."""
        user = self.caller.user_id if self.caller else ""
        return f"{user}-{self.id}-{subscription_id}"

    def add(self, subscription: Subscription) -> None:
        """Register a live query; one of the same id on the same table is replaced."""
        self.subscriptions[subscription.request.id] = subscription
        self._receivers[subscription.table_key, subscription.request.id] = subscription

    def remove(self, subscription_id: str) -> bool:
        """Forget a live query; False when there is none of this id."""
        subscription = self.subscriptions.pop(subscription_id, None)
        if subscription is not None:
            self._receivers.pop((subscription.table_key, subscription_id), None)
        return subscription is not None

    def publish(self, change: Change) -> None:
        """Tell every live query of the changed table that may see the row."""
        if self.caller is None or change.owner not in (None, self.caller.user_id):
            return
        table = (change.namespace, change.table)
        for (receiving_table, _), subscription in list(self._receivers.items()):
            if receiving_table != table or subscription.is_cut:
                continue
            message = subscription.message_for(change)
            if message is None:
                continue
            if not subscription.is_loading:
                self._pass_on(subscription, message)
            elif not subscription.hold(change.seq, message):
                self.cut(subscription)

    def cut_scope(self, owner: str | None, table: tuple[str, str]) -> None:
        """Tell every live query of a table that may see an owner's rows that events were lost."""
        if self.caller is not None and owner in (None, self.caller.user_id):
            for (receiving_table, _), subscription in list(self._receivers.items()):
                if receiving_table == table:
                    self.cut(subscription)

    def cut(self, subscription: Subscription) -> None:
        """Tell a live query that it has lost events, where the server does so; nothing follows."""
        if not self._tells_gaps or subscription.is_cut:
            return
        subscription.is_cut = True
        self.outbox.append(frames.error(subscription.request.id, *frames.EXPIRED))
        self._wake()

    def finish_loading(self, subscription: Subscription) -> None:
        """Let a live query send its changes; what was held goes out until the queue is full once."""
        self.offer_all(subscription, subscription.finish_loading())

    def offer_all(self, subscription: Subscription, messages: Iterable[Message]) -> None:
        """Queue events until the queue is full."""
        for message in messages:
            if not self._offer(subscription, message):
                return

    def _pass_on(self, subscription: Subscription, message: Message) -> None:
        """Queue an event, if the faults let it; what they hold back is queued a while later at the latest."""
        for event in self._faults.pass_on((subscription, message)):
            self._offer(*event)
        if self._faults.is_holding and not self._will_release:
            self._will_release = True
            self._later(self._release)

    def _release(self) -> None:
        self._will_release = False
        for event in self._faults.release_all():
            self._offer(*event)

    def _offer(self, subscription: Subscription, message: Message) -> bool:
        """Queue an event; a full queue drops it, without a sign on 0.4.3 (protocol/live.md#loss)."""
        if subscription.is_cut:
            return False
        if len(self.outbox) >= self._queue_size:
            self.cut(subscription)
            return False
        self.outbox.append(message)
        subscription.note_delivery()
        self._wake()
        return True
