"""When the truth lane asks the server next. Pure: times in, times out.

While events flow it asks at most every ``gap`` seconds, a little after an event so that a burst is over, and every
``quiet`` seconds otherwise; at once after a reconnect and when somebody wants to know. What takes long is asked less
often, and what fails is tried again after growing delays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["Rhythm", "TruthSchedule"]

#: A round that takes long is followed by a pause of so many times its length.
_REST = 3.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the truth lane asks, in seconds.

    Attributes:
        gap: From the end of one round to the next, while events flow.
        settle: From an event to the round that looks after it.
        quiet: Between two rounds without events.
    """

    gap: float = 0.25
    settle: float = 0.05
    quiet: float = 30.0


class TruthSchedule:
    """The times of the rounds of one live query.

    Args:
        rhythm: How often it asks.
        delays: Makes the delays after failures.
    """

    def __init__(self, rhythm: Rhythm, delays: Callable[[], Iterator[float]]) -> None:
        self._rhythm = rhythm
        self._new_delays = delays
        self._delays = delays()
        self._started: float | None = None
        # The reasons for a round: somebody's wish, events that no round has looked after, and time.
        self._wished: float | None = None
        self._first_event: float | None = None
        self._last_event = -math.inf
        self._next = math.inf
        self._not_before = -math.inf

    @property
    def is_running(self) -> bool:
        """Whether a round is on its way."""
        return self._started is not None

    @property
    def due(self) -> float:
        """When the next round begins; infinity while one is on its way, and before there is a reason."""
        if self.is_running:
            return math.inf
        if self._wished is not None:
            return self._wished
        if self._first_event is None:
            return self._next
        settled = min(self._last_event + self._rhythm.settle, self._first_event + self._rhythm.gap)
        return min(self._next, max(self._not_before, settled))

    def event(self, now: float) -> None:
        """Something changed on the server."""
        self._last_event = now
        if self._first_event is None:
            self._first_event = now

    def wish(self, now: float) -> None:
        """Somebody wants to know now."""
        self._wished = now

    def start(self, now: float) -> None:
        """A round begins."""
        self._started, self._wished, self._first_event, self._next = now, None, None, math.inf

    def finish(self, now: float, *, again_in: float | None = None) -> None:
        """The round ended.

        Args:
            now: The time.
            again_in: Seconds until the next one; None for the usual.
        """
        took, self._started = now - (self._started or now), None
        self._delays = self._new_delays()
        self._not_before = now + max(self._rhythm.gap, _REST * took)
        self._next = now + (self._rhythm.quiet if again_in is None else again_in)

    def fail(self, now: float) -> float:
        """The round failed; return the seconds until the next attempt."""
        self._started = None
        delay = next(self._delays)
        self._not_before = self._next = now + delay
        return delay
