"""One connection and its live queries as a state machine: messages and times in, things to do and to tell out.

The rules (protocol/live.md#authentication, #frames, #subscriptions, #reconnecting):

- The token goes with the handshake; the server speaks first (``auth_success``). A refused token is renewed once, at
  once; refused again, everything stops.
- A WebSocket ping every 4 s, because the server hangs up after 10 s of silence and never pings. Nothing heard for 5 s
  after a ping: the connection is dead.
- After a loss all live queries are subscribed again. What was missed in between is not told: who holds the rows has to
  read them again after each acknowledgement.
- 50 messages a second are accepted and the others dropped without effect, so messages leave at most 40 a second.
- Errors of the connection as a whole (``rate_limit``, ``protocol``, …) do not tell what was lost: connect anew.
- Rows are asked for page by page, each when the owner has taken the one before. An error before the last page ends the
  live query: asked again, the server would fail again.
- While the owner does not listen (``hold``), silence means nothing; pings go out all the same.
- A live query that is refused as it comes back may find its old self still counted, on a connection that the server has
  not missed yet: it is tried again for a while.

The owner calls one input method at a time and then does what ``actions`` and tells what ``events`` hand out;
``deadline`` says when to call ``tick``. There is no clock, socket or thread here, and no input waits. The values and
the table of transitions are in ``connection.states``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from kalam_notebook.errors import AuthError, KalamError
from kalam_notebook.live_queries.connection.cursor import StreamCursor
from kalam_notebook.live_queries.connection.keepalive import Keepalive
from kalam_notebook.live_queries.connection.states import (
    TRANSITIONS,
    Action,
    Drop,
    Event,
    Failure,
    Input,
    Open,
    Ping,
    Send,
    State,
    Status,
    StatusChanged,
    Stopped,
    Timing,
)
from kalam_notebook.live_queries.connection.subscriptions import Subscriptions
from kalam_notebook.texts import first_line, in_line
from kalam_notebook.wire.live import (
    AuthErrorMessage,
    AuthSuccess,
    Change,
    ErrorMessage,
    InitialDataBatch,
    Message,
    SubscriptionAck,
    Unknown,
)

__all__ = ["LiveProtocol"]

#: Fixed ids of errors that concern the connection (protocol/live.md#server-messages).
_CONNECTION_IDS = frozenset({"subscribe", "invalid_subscription", "protocol", "rate_limit"})


class LiveProtocol:
    """A connection that may come and go, and the live queries that outlive it.

    Args:
        delays: Makes the delays before attempts to connect, in seconds, from the first on.
        timing: Deadlines and pace.
        return_delays: The same for a connection that stood; None for ``delays``.
    """

    def __init__(
        self,
        *,
        delays: Callable[[], Iterator[float]],
        timing: Timing,
        return_delays: Callable[[], Iterator[float]] | None = None,
    ) -> None:
        self.status = Status(State.IDLE)
        self._new_delays = delays
        self._new_return_delays = return_delays or delays
        self._delays = delays()
        self._timing = timing
        self._subscriptions = Subscriptions(timing)
        self._actions: list[Action] = []
        self._events: list[Event] = []
        self._is_renewed = False
        self._auth_deadline = math.inf
        self._opened_at = math.inf
        self._keepalive = Keepalive(timing)

    # Results.

    def actions(self) -> list[Action]:
        """Hand out what is to be done, in order."""
        actions, self._actions = self._actions, []
        return actions

    def events(self) -> list[Event]:
        """Hand out what is to be told, in order."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float:
        """The time at which ``tick`` has something to do, or infinity."""
        if self.status.state is State.WAITING:
            return math.inf if self.status.retry_at is None else self.status.retry_at
        if self.status.state is State.AUTHENTICATING:
            return self._auth_deadline
        if self.status.state is State.OPEN:
            answers = self._subscriptions.turn() if self._keepalive.is_held else self._subscriptions.deadline()
            dead_at = self._keepalive.dead_at(is_busy=self._subscriptions.awaits_rows)
            return min(self._keepalive.next_ping, dead_at, answers)
        return math.inf

    # Wishes of the owner.

    def connect(self) -> None:
        """Want the connection; while waiting, try at once."""
        if Input.CONNECT in TRANSITIONS[self.status.state]:
            self._open(Input.CONNECT, renew=False)

    def stop(self, now: float) -> None:
        """End the connection and all live queries."""
        self._leave(now)
        self._stop(None)

    def subscribe(self, key: int, sql: str, now: float, cursor: StreamCursor | None = None) -> None:
        """Add a live query, and connect if that was not wanted before; while waiting, try at once.

        Args:
            key: Names it in events; never used before.
            sql: As the server gets it.
            now: The time.
            cursor: Says at each attempt which rows to ask for, and hears what came; None for changes only.
        """
        self._subscriptions.add(key, sql, is_open=self.status.state is State.OPEN, cursor=cursor)
        if self.status.state in {State.IDLE, State.STOPPED, State.WAITING}:
            self.connect()
        self._send_due(now)

    def unsubscribe(self, key: int, now: float) -> None:
        """Remove a live query; unknown keys are ignored."""
        self._subscriptions.remove(key)
        self._send_due(now)

    def next_batch(self, key: int, wire_id: str, now: float) -> None:
        """Ask for the rows behind those that were told last.

        Args:
            key: The live query.
            wire_id: The ``subscription_id`` of the batch that was taken; another than the present one is ignored.
            now: The time.
        """
        self._subscriptions.fetch(key, wire_id)
        self._send_due(now)

    def hold(self) -> None:
        """Take note that nothing is read for now, so that nothing can be heard."""
        self._keepalive.is_held = True

    def go_on(self, now: float) -> None:
        """Take note that reading goes on; whoever was not heard meanwhile gets all their time again."""
        self._keepalive.go_on()
        self._subscriptions.be_patient(now)

    # What happened.

    def opened(self, now: float) -> None:
        """The socket is open."""
        self._auth_deadline = now + self._timing.auth_timeout
        self._go(Input.OPENED, reason=self.status.reason)

    def heard(self) -> None:
        """Something came from the server, a pong for example."""
        self._keepalive.unanswered = None
        if self.status.is_silent:
            self._become(Status(self.status.state))

    def received(self, message: Message, now: float) -> None:
        """A message came."""
        if isinstance(message, Change):
            self.changed(message)
            return
        self.heard()
        match message:
            case SubscriptionAck():
                self._events.extend(self._subscriptions.acknowledged(message, now))
            case InitialDataBatch():
                self._events.extend(self._subscriptions.loaded(message))
                self._send_due(now)
            case AuthSuccess() if self.status.state is State.AUTHENTICATING:
                self._authenticated(now)
            case AuthErrorMessage():
                self.lost(Failure(in_line(message.message), is_refusal=True), now)
            case ErrorMessage() if message.subscription_id in _CONNECTION_IDS:
                self.lost(Failure(in_line(f"{message.code}: {message.message}")), now)
            case ErrorMessage():
                self._events.extend(self._subscriptions.failed(message, now))
                self._send_due(now)
            case Unknown():  # Newer servers may send some.
                self._events.extend(self._subscriptions.puzzled(message))
            case AuthSuccess():
                pass

    def changed(self, change: Change) -> None:
        """A change came. There are many: each has something to be told, nothing to be done, and brings no deadline."""
        self.heard()
        if (changed := self._subscriptions.changed(change)) is not None:
            self._events.append(changed)

    def lost(self, failure: Failure, now: float) -> None:
        """The connection, or the attempt, ended; decide how to go on: a new token, a later attempt, or not at all."""
        was_accepted = self.status.state is State.OPEN
        self._leave(now)
        if failure.error is not None:
            self._stop(failure.error)
        elif failure.is_refusal and not self._is_renewed:
            self._is_renewed = True
            self._open(Input.REFUSED, renew=True)
        elif failure.is_refusal:
            self._stop(
                AuthError(
                    f"The server refused the token for live queries, and a renewed one too: {failure.reason}.\n"
                    "Log in again with kalam.connect(…)."
                )
            )
        else:
            if was_accepted:  # A server that refuses this token later was started anew, and may be so again.
                self._is_renewed = False
            self._go(Input.LOST, reason=failure.reason, retry_at=now + next(self._delays))

    def tick(self, now: float) -> None:
        """A deadline may have passed."""
        state = self.status.state
        if state is State.WAITING and now >= self.deadline():
            self._open(Input.CONNECT, renew=False)
        elif state is State.AUTHENTICATING and now >= self._auth_deadline:
            self.lost(Failure("the server did not answer the handshake"), now)
        elif state is State.OPEN:
            self._tick_open(now)

    def _tick_open(self, now: float) -> None:
        dead_at = self._keepalive.dead_at(is_busy=self._subscriptions.awaits_rows)
        if now >= dead_at:
            self.lost(Failure("the server is silent"), now)
            return
        if not self._keepalive.is_held and self._subscriptions.is_overdue(now):
            self.lost(Failure("the server did not answer a live query"), now)
            return

        if now >= self._keepalive.next_ping:
            if dead_at < math.inf:
                self._become(replace(self.status, reason="the server does not answer", is_silent=True))
            self._actions.append(Ping())
            self._keepalive.pinged(now)
        self._send_due(now)

    def _authenticated(self, now: float) -> None:
        self._opened_at = now
        self._keepalive.begin(now)
        self._go(Input.ACCEPTED)
        self._subscriptions.connected()
        self._send_due(now)

    def _send_due(self, now: float) -> None:
        if self.status.state is State.OPEN:
            self._actions.extend(Send(text) for text in self._subscriptions.take_messages(now))

    def _leave(self, now: float) -> None:
        if now - self._opened_at >= self._timing.stable_after:
            self._delays = self._new_return_delays()
            self._is_renewed = False
        self._opened_at = self._auth_deadline = math.inf
        self._keepalive.end()
        self._subscriptions.lost(now)
        self._actions = [Drop()]

    def _stop(self, error: KalamError | None) -> None:
        self._go(Input.GIVEN_UP, reason="closed" if error is None else first_line(error))
        self._subscriptions.clear()
        self._events.append(Stopped(error))

    def _open(self, trigger: Input, *, renew: bool) -> None:
        if self.status.state in {State.IDLE, State.STOPPED}:
            self._delays = self._new_delays()
            self._is_renewed = False
        self._actions.append(Open(renew))
        # What went wrong last is of interest until the connection stands.
        self._go(trigger, reason=self.status.reason)

    def _go(self, trigger: Input, *, reason: str = "", retry_at: float | None = None) -> None:
        self._become(Status(TRANSITIONS[self.status.state][trigger], reason, retry_at))

    def _become(self, status: Status) -> None:
        if status != self.status:
            self.status = status
            self._events.append(StatusChanged(status))
