"""When to ping, and when silence means that the connection is dead. Pure: times in, times out."""

from __future__ import annotations

import math

from kalam_notebook.live_queries.connection.states import Timing

__all__ = ["Keepalive"]


class Keepalive:
    """The pings of one connection after another.

    Args:
        timing: Their interval, and how long an answer may take.

    Attributes:
        next_ping: When to ping; infinity while there is no connection.
        unanswered: The ping that nothing has followed yet.
        is_held: Whether the owner reads nothing for now, so that nothing can be heard.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self.end()

    def begin(self, now: float) -> None:
        """A connection stands."""
        self.next_ping = now + self._timing.ping_interval

    def end(self) -> None:
        """It is gone."""
        self.next_ping = math.inf
        self.unanswered: float | None = None
        self.is_held = False

    def go_on(self) -> None:
        """Reading goes on, and nobody was silent meanwhile."""
        self.is_held = False
        self.unanswered = None

    def pinged(self, now: float) -> None:
        """A ping was sent."""
        self.next_ping = now + self._timing.ping_interval
        if self.unanswered is None:
            self.unanswered = now

    def dead_at(self, *, is_busy: bool) -> float:
        """When silence means that the connection is dead; infinity while it means nothing.

        Args:
            is_busy: Whether the server is known to answer no ping for now.
        """
        if self.unanswered is None or self.is_held or is_busy:
            return math.inf
        return self.unanswered + self._timing.pong_timeout
