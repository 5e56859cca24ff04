"""What the socket's thread tells of a live query, on its way to the worker; and the phase that follows from it.

That thread never waits for the rows: it puts what it hears into an inbox, and moves the phase.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from kalam_notebook.errors import KalamError
from kalam_notebook.live_queries.connection.failures import subscription_error
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.connection.states import (
    Changed,
    Event,
    Interrupted,
    Refused,
    State,
    Status,
    StatusChanged,
    Stopped,
    Subscribed,
)
from kalam_notebook.live_queries.following.phases import TRANSITIONS, Move, Phase
from kalam_notebook.live_queries.following.schedule import Question
from kalam_notebook.live_queries.threads import Inbox
from kalam_notebook.threads import Bell
from kalam_notebook.wire.live import Change

__all__ = ["Answered", "Ended", "Established", "Hearing", "Woken"]

_LOG = logging.getLogger("kalam_notebook.live")

#: Events that may wait, and bytes of their messages. Beyond that they are dropped, and the next check brings what they
#: told.
_MAX_WAITING = 200_000
_MAX_WAITING_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Established:
    """All subscriptions stand, for the first time or again.

    Attributes:
        is_gap: Whether the connection stood all the time, and the server had told that it dropped events.
        domain: What the versions of a SHARED table belong to, where the server tells it.
    """

    is_gap: bool = False
    domain: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Woken:
    """Somebody wants to know now, what has changed or that it is all."""

    question: Question


@dataclass(frozen=True, slots=True)
class Answered:
    """The end of a round: what its job returned, or why it failed.

    Attributes:
        turn: The turn in which the round began.
        wishes: How many wishes there were then.
        outcome: What the job returned.
        error: Why it failed; None when it did not.
    """

    turn: int
    wishes: int
    outcome: object = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing will follow. ``error`` is None when the owner wanted it."""

    error: KalamError | None


class Hearing:
    """The subscriptions of one live query.

    Args:
        name: Its tables, for the log.
        bell: Rung when the phase or the connection is another.

    Attributes:
        inbox: What the worker takes out.
        connection: The connection as the socket's thread tells it.
        phase: Where the live query is.
        turn: Grows when something has happened that a round which began before does not know of.
        was_full: Whether events were dropped.
        is_ending: Whether nothing is to be asked any more.
    """

    def __init__(self, name: str, *, bell: Bell) -> None:
        self.inbox: Inbox[Change | Established | Woken | Answered | Ended] = Inbox()
        self.connection = Status(State.IDLE)
        self.phase = Phase.BEGINNING
        self.turn = 0
        self.was_full = self.is_ending = False
        self._name = name
        self._bell = bell
        self._socket: LiveSocket | None = None
        self._keys: list[int] = []
        self._num_subscriptions = 0
        self._established: set[int] = set()
        # Whether nothing but gaps that the server told keeps subscriptions from standing.
        self._is_gap = False
        # Guards the phase and the turn; nobody holds it for long.
        self._moving = threading.Lock()
        # Bytes of the events that were put into the inbox and taken out: not put with each, because there are many.
        self._heard_bytes = self._taken_bytes = 0

    @property
    def is_established(self) -> bool:
        """Whether all subscriptions stand."""
        return len(self._established) == self._num_subscriptions > 0

    @property
    def num_sharing(self) -> int:
        """How many subscriptions share the connection, and the server's queue for it (truth L14)."""
        return 1 if self._socket is None else max(1, self._socket.num_subscriptions)

    def subscribe(self, socket: LiveSocket, statements: tuple[str, ...]) -> None:
        """Begin to listen."""
        self._socket = socket
        self._num_subscriptions = len(statements)
        for number, sql in enumerate(statements):
            self._keys.append(socket.subscribe(sql, partial(self.hear, number)))

    def retry(self) -> None:
        """While waiting to try the connection again, try at once."""
        if self._socket is not None:
            self._socket.retry()

    def unsubscribe(self) -> None:
        """Listen no more; may be called twice."""
        for key in self._keys:
            assert self._socket is not None
            self._socket.unsubscribe(key)

    def stop(self, error: KalamError | None) -> None:
        """Let the worker end."""
        self.is_ending = True
        self.inbox.put(Ended(error))

    def take_bytes(self) -> int:
        """The bytes of the events that have come since this was asked last."""
        size = self._heard_bytes - self._taken_bytes
        self._taken_bytes += size
        return size

    # Phases.

    def move(self, move: Move) -> None:
        """Something happened that begins a turn."""
        with self._moving:
            self.phase = TRANSITIONS[self.phase].get(move, self.phase)
            self.turn += 1
        self._bell.ring()

    def pause(self) -> None:
        """The owner wants the rows to stay."""
        with self._moving:
            self.phase = TRANSITIONS[self.phase].get(Move.PAUSED, self.phase)
        self._bell.ring()

    def resume(self) -> None:
        """The owner wants the rows to follow again."""
        self.move(Move.RESUMED)
        if not self.is_established:
            self.move(Move.LOST)

    def catch_up(self, turn: int) -> None:
        """A round that began in this turn has ended well."""
        with self._moving:
            if turn == self.turn:
                self.phase = TRANSITIONS[self.phase].get(Move.CAUGHT_UP, self.phase)

    # On the socket's thread.

    def hear(self, number: int, event: Event, size: int) -> None:
        """Take what happened to a subscription."""
        match event:
            case Changed():
                self._put(event.change, size)
            case Subscribed():
                self._established.add(number)
                if self.is_established:
                    self.move(Move.ESTABLISHED)
                    self.inbox.put(Established(self._is_gap, event.ack.batch_control.version_domain))
                    self._is_gap = False
            case Interrupted():
                _LOG.info("live query of %s interrupted: %s", self._name, event.reason)
                self._is_gap = event.is_gap and (self.is_established or self._is_gap)
                self._established.discard(number)
                self.move(Move.LOST)
            case StatusChanged():
                self.connection = event.status
                if event.status.state is State.OPEN:
                    self._bell.ring()
                else:
                    self._established.clear()
                    self._is_gap = False
                    self.move(Move.LOST)
            case Refused():
                self.stop(subscription_error(event))
            case Stopped():
                self.stop(event.error)

    def _put(self, change: Change, size: int) -> None:
        # A frame may hold a thousand times as much as it has bytes.
        unpacked = size if self._socket is None else self._socket.message_bytes
        if not self.inbox.has_room(unpacked, items=_MAX_WAITING, num_bytes=_MAX_WAITING_BYTES):
            self.was_full = True
            return
        self._heard_bytes += size
        if change.change_type == "update":
            # The new row is whole; the old values would only wait with it for the garbage collector.
            change = Change(change.subscription_id, "update", change.rows, ())
        self.inbox.put(change, unpacked)
