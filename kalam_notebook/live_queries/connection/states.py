"""The states of a live connection and everything that its state machine takes in and hands out, as values.

The machine is ``connection.protocol``; the socket thread drives it and does what it says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from kalam_notebook.errors import KalamError
from kalam_notebook.texts import in_line
from kalam_notebook.wire.live import Change, InitialDataBatch, SubscribeOptions, SubscriptionAck, Unknown

__all__ = [
    "TRANSITIONS",
    "Action",
    "Changed",
    "Drop",
    "Event",
    "Failure",
    "Input",
    "Interrupted",
    "Loaded",
    "Open",
    "Ping",
    "Refused",
    "Send",
    "State",
    "Status",
    "StatusChanged",
    "Stopped",
    "Subscribed",
    "Timing",
    "Unexplained",
]


class State(Enum):
    """Where the connection is."""

    IDLE = "idle"  # Not wanted yet.
    OPENING = "opening"  # A token is fetched, the socket is opened.
    AUTHENTICATING = "authenticating"  # The socket is open, the server has not spoken.
    OPEN = "open"
    WAITING = "waiting"  # Lost; the next attempt has a time.
    STOPPED = "stopped"  # Given up, or ended by the owner.


class Input(Enum):
    """What moves the connection."""

    CONNECT = "connect"
    OPENED = "opened"
    ACCEPTED = "accepted"
    LOST = "lost"
    REFUSED = "refused"
    GIVEN_UP = "given up"


#: Where an input leads; an input that is not listed cannot come in that state.
TRANSITIONS: dict[State, dict[Input, State]] = {
    State.IDLE: {Input.CONNECT: State.OPENING, Input.GIVEN_UP: State.STOPPED},
    State.OPENING: {
        Input.OPENED: State.AUTHENTICATING,
        Input.LOST: State.WAITING,
        Input.REFUSED: State.OPENING,
        Input.GIVEN_UP: State.STOPPED,
    },
    State.AUTHENTICATING: {
        Input.ACCEPTED: State.OPEN,
        Input.LOST: State.WAITING,
        Input.REFUSED: State.OPENING,
        Input.GIVEN_UP: State.STOPPED,
    },
    State.OPEN: {
        Input.LOST: State.WAITING,
        Input.REFUSED: State.OPENING,
        Input.GIVEN_UP: State.STOPPED,
    },
    State.WAITING: {Input.CONNECT: State.OPENING, Input.GIVEN_UP: State.STOPPED},
    State.STOPPED: {Input.CONNECT: State.OPENING, Input.GIVEN_UP: State.STOPPED},
}


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of one connection, in seconds, and its pace.

    Attributes:
        ping_interval: From one ping to the next.
        pong_timeout: Silence after a ping that means a dead connection.
        auth_timeout: From the open socket to ``auth_success``.
        ack_timeout: From ``subscribe`` to its answer; a busy server works on one at a time.
        retry_delay: From a refusal that may pass to the next attempt.
        retry_for: How long a live query that was established before is tried again.
        stable_after: Life of a connection after which delays begin anew and a token may be renewed again.
        messages_per_second: Messages that are sent in any second, at most.
    """

    ping_interval: float = 4.0
    pong_timeout: float = 5.0
    auth_timeout: float = 5.0
    ack_timeout: float = 10.0
    retry_delay: float = 2.0
    retry_for: float = 30.0
    stable_after: float = 2.0
    messages_per_second: int = 40


@dataclass(frozen=True, slots=True)
class Status:
    """What can be said about the connection.

    Attributes:
        state: Where it is.
        reason: Why it was lost or given up, in a few words; empty when it stands, or never did anything else.
        retry_at: Time of the next attempt while waiting, on the owner's clock.
        is_silent: Whether it stands, and the server does not answer: it may be working on a long statement.
    """

    state: State
    reason: str = ""
    retry_at: float | None = None
    is_silent: bool = False

    def text(self, now: float) -> str:
        """Return the status for people."""
        if self.retry_at is not None:
            return f"reconnecting in {max(0, math.ceil(self.retry_at - now))} s"
        if self.state is State.STOPPED:
            return f"stopped: {self.reason}"
        if self.is_silent:
            return "waiting for the server"
        return {State.IDLE: "not connected", State.OPEN: "connected"}.get(self.state, "connecting")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a connection, or an attempt, ended.

    Attributes:
        reason: In a few words.
        is_refusal: Whether the token was not accepted.
        error: Set when trying again cannot help.
    """

    reason: str
    is_refusal: bool = False
    error: KalamError | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """Fetch a token, a new one if ``renew``, and open the socket; then call ``opened`` or ``lost``."""

    renew: bool


@dataclass(frozen=True, slots=True)
class Send:
    """Send a text frame."""

    text: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a WebSocket ping; call ``heard`` when it is answered."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the socket or end the attempt, and say nothing more about it."""


Action = Open | Send | Ping | Drop


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A live query is established, for the first time or again: read the rows now.

    Attributes:
        key: The live query.
        ack: The server's answer.
        options: The rows that were asked for, and will be told; None for none.
    """

    key: int
    ack: SubscriptionAck
    options: SubscribeOptions | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows that were asked for came; if there are more, ``next_batch`` gets them."""

    key: int
    batch: InitialDataBatch


class Changed(NamedTuple):
    """A row changed. There are many, and tuples are made fastest."""

    key: int
    change: Change


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A live query gets no events for now, though the connection stands; ``Subscribed`` or ``Refused`` will follow.

    Attributes:
        key: The live query.
        code: The server's code.
        message: Its text.
        is_gap: Whether it says that events were dropped, or that it cannot go on where it was to.
    """

    key: int
    code: str
    message: str
    is_gap: bool = False

    @property
    def reason(self) -> str:
        """What the server said."""
        return in_line(f"{self.code}: {self.message}")


@dataclass(frozen=True, slots=True)
class Unexplained:
    """The server sent a message about a live query that this client does not know."""

    key: int
    message: Unknown


@dataclass(frozen=True, slots=True)
class Refused:
    """The server does not accept a live query, or cannot send its rows; it is forgotten.

    Attributes:
        key: Which one.
        sql: Its text.
        code: The server's reason.
        message: The same in words.
        held: The texts of the live queries that stand on the connection.
    """

    key: int
    sql: str
    code: str
    message: str
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """The connection is somewhere else."""

    status: Status


@dataclass(frozen=True, slots=True)
class Stopped:
    """The connection has ended for good, and all live queries are forgotten.

    Attributes:
        error: Why; None when the owner ended it.
    """

    error: KalamError | None


Event = Subscribed | Loaded | Changed | Interrupted | Unexplained | Refused | StatusChanged | Stopped
