"""Where a replay is: the time of a recording against the time of a clock. Pure: times in, times out."""

from __future__ import annotations

__all__ = ["Playhead"]


class Playhead:
    """Tells when recorded moments come.

    Args:
        speed: How many recorded seconds pass in one of the clock; infinity for all at once.
        at: The first moment, in seconds since 1970.
        now: The clock when it comes.
    """

    def __init__(self, speed: float, *, at: float, now: float) -> None:
        self._speed = speed
        self._first = at
        self._started = now
        self._paused: float | None = None

    def seconds_until(self, at: float, *, now: float) -> float | None:
        """Seconds of the clock until a moment, 0 when it has come; None while paused."""
        if self._paused is not None:
            return None
        return max(0.0, self._started + (at - self._first) / self._speed - now)

    def pause(self, now: float) -> None:
        """Stand still."""
        if self._paused is None:
            self._paused = now

    def resume(self, now: float) -> None:
        """Go on from where it stands."""
        if self._paused is not None:
            self._started += now - self._paused
            self._paused = None
