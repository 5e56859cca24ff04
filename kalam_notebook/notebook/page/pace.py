"""When the next frame may go to the page.

Pure: the caller passes the time. The page acknowledges what it shows; but while a cell runs, the kernel does not hear
it, so silence alone means little. After silence frames become rare instead of stopping, and only bytes set an end,
because the notebook server keeps everything for a tab that is closed.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Pace"]

#: Seconds between frames, by the number of frames the page has not acknowledged (about 10 s and 15 minutes of them).
_INTERVALS = ((100, 0.1), (1_000, 1.0))
_SLOWEST = 10.0
#: Bytes that may be on their way to a page that does not answer.
_MAX_BYTES = 64 * 1024 * 1024
#: A page that was not ready lost the first frame, and one that was reloaded lost all; neither can say so while a cell
#: runs. So the whole table is sent again after silences of growing length, a few times.
_FIRST_SILENCE = 0.5
_SILENCE = 4.0
_LONGEST_SILENCE = 60.0
_MAX_REPEATS = 6


class Pace:
    """Keeps count of frames and acknowledgements. Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, int]] = deque()  # Frame number and bytes, not acknowledged.
        self._bytes = 0
        self._last = float("-inf")
        self._silence = _FIRST_SILENCE
        self._repeats = 0
        self._repeat_at: float | None = None

    @property
    def unacknowledged(self) -> int:
        """Frames that the page has not acknowledged."""
        return len(self._waiting)

    @property
    def interval(self) -> float:
        """Seconds between two frames as things stand."""
        return next((seconds for limit, seconds in _INTERVALS if len(self._waiting) < limit), _SLOWEST)

    def delay(self, now: float) -> float | None:
        """Seconds until the next frame may go; None when the page has to answer first."""
        if self._bytes >= _MAX_BYTES:
            return None
        return max(0.0, self._last + self.interval - now)

    def repeat_in(self, now: float) -> float | None:
        """Seconds until the whole table should be sent again to a silent page; None when that is not needed."""
        return None if self._repeat_at is None else max(0.0, self._repeat_at - now)

    def sent(self, frame: int, nbytes: int, now: float, *, whole: bool) -> None:
        """Note a frame that went out.

        Args:
            frame: Its number; numbers grow.
            nbytes: Size of its buffers.
            now: The time.
            whole: Whether it held the whole table.
        """
        self._waiting.append((frame, nbytes))
        self._bytes += nbytes
        self._last = now
        if whole and self._repeat_at is not None:
            self._repeats += 1
            self._silence = min(2 * self._silence, _LONGEST_SILENCE)
            self._repeat_at = now + self._silence if self._repeats < _MAX_REPEATS else None
        elif self._repeat_at is None and self._repeats == 0:
            self._repeat_at = now + self._silence

    def acknowledged(self, frame: int) -> None:
        """Note that the page shows everything up to a frame."""
        while self._waiting and self._waiting[0][0] <= frame:
            self._bytes -= self._waiting.popleft()[1]
        self._repeats = 0
        self._repeat_at = None
        self._silence = _SILENCE

    def greeted(self) -> None:
        """Note that a page is new: what was sent before is lost to it, so nothing is on its way any more."""
        self._waiting.clear()
        self._bytes = 0
        self._repeats = 0
        self._repeat_at = None
        self._silence = _SILENCE
