"""What the live socket asks of others: a token before it connects, and listeners that never make it wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kalam_notebook.errors import KalamError
from kalam_notebook.live_queries.connection.failures import subscription_error
from kalam_notebook.live_queries.connection.states import (
    Changed,
    Event,
    Interrupted,
    Refused,
    Status,
    StatusChanged,
    Stopped,
    Subscribed,
)
from kalam_notebook.wire.live import Change, SubscriptionAck

__all__ = ["FrameHook", "Hearing", "Listener", "TokenSource", "hearing_of"]

#: Gets the text of a frame.
FrameHook = Callable[[str], None]

#: Hears every event of one live query and of its connection, with the bytes of the frame that brought it, on the
#: socket's thread: return at once, and raise nothing. After ``Refused`` or ``Stopped`` it hears nothing more.
Hearing = Callable[[Event, int], None]


class TokenSource(Protocol):
    """Gives the token for a connection; may block, and may raise ``KalamError``."""

    def __call__(self, *, renew: bool = False) -> str:
        """Return a token; with ``renew`` one other than the last, which was refused."""
        ...


class Listener(Protocol):
    """Hears about one live query, on the socket's thread: return at once, and raise nothing."""

    def subscribed(self, ack: SubscriptionAck) -> None:
        """The live query is established, for the first time or again: what was missed before is not told."""
        ...

    def changed(self, change: Change, size: int) -> None:
        """A row changed; ``size`` is the bytes of the frame that told it."""
        ...

    def interrupted(self, reason: str) -> None:
        """No events come for now."""
        ...

    def status_changed(self, status: Status) -> None:
        """The connection is somewhere else."""
        ...

    def stopped(self, error: KalamError | None) -> None:
        """The live query has ended, without error when the socket was closed; nothing more will come."""
        ...


def hearing_of(listener: Listener) -> Hearing:
    """Return a function that tells a listener what is of interest to it."""

    def hear(event: Event, size: int) -> None:
        match event:
            case Changed():
                listener.changed(event.change, size)
            case Subscribed():
                listener.subscribed(event.ack)
            case Interrupted():
                listener.interrupted(event.reason)
            case StatusChanged():
                listener.status_changed(event.status)
            case Refused():
                listener.stopped(subscription_error(event))
            case Stopped():
                listener.stopped(event.error)

    return hear
