"""When the next frame may go to the page.

Pure: the caller passes the time. The page acknowledges what it shows. Where the kernel hears that, a page that answers
late gets less, and one that does not answer, because it is hidden or closed, gets nothing more until it speaks. While
a cell runs, a kernel without subshells hears nothing, so silence tells nothing: then time and bytes set the pace,
because the notebook server keeps everything for a tab that is closed.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

__all__ = ["INTERVAL", "FramePace", "Turns"]

#: Seconds between two frames of all tables of a kernel together.
INTERVAL = 1 / 30
#: Seconds for each changed row of a frame before the next one, and at most: nobody reads a flood, and few large frames
#: cost less than many small ones.
_PER_ROW = 80e-6
_FLOOD_INTERVAL = 0.105
#: A frame may come after so many times the seconds that making the last one computed, at most after so many seconds:
#: the rest is for the user's code.
_REST = 4.0
_LONGEST_REST = 0.25

#: Frames that a page that is heard may leave unanswered, until it has answered one in time and once it has. An answer
#: has JupyterLab show a busy kernel and an idle one, which costs it a quarter of what it needs for ten frames.
_CREDIT, _PROMPT_CREDIT = 3, 30
#: Seconds up to which an answer is in time. The page waits with it for one, unless the credit is used up before.
_PROMPT = 1.5
#: Seconds between two frames beyond them, and for how long.
_LATE_INTERVAL = 1.0
_LATE = 10.0
#: While the page is not heard: up to which silence in seconds, up to how many bytes, seconds between two frames.
_MIB = 1024 * 1024
_UNHEARD = ((60.0, 16 * _MIB, 0.0), (900.0, 48 * _MIB, 1.0), (float("inf"), 64 * _MIB, 10.0))

#: A page that was not ready lost the first frame, and one that was reloaded lost all; neither can say so while a cell
#: runs. So the whole table is sent again after silences of growing length, a few times, unless it is large.
_FIRST_SILENCE = 0.5
_SILENCE = 4.0
_LONGEST_SILENCE = 60.0
_MAX_REPEATS = 6
_MAX_REPEATED_BYTES = 16 * _MIB


class Turns:
    """The frames of all tables of a kernel, one after the other."""

    def __init__(self) -> None:
        self._next = float("-inf")
        self._lock = threading.Lock()

    def delay(self, now: float) -> float:
        """Seconds until a table may have its turn."""
        return max(0.0, self._next - now)

    def take(self, now: float) -> None:
        """Note that a table had it."""
        with self._lock:
            self._next = max(self._next, now) + INTERVAL


class _Sent(NamedTuple):
    """A frame that the page has not acknowledged."""

    frame: int
    nbytes: int
    at: float


class FramePace:
    """Keeps count of frames and acknowledgements of one table. Times are seconds of a clock that never goes back.

    Args:
        turns: Shared by the tables of a kernel.

    Attributes:
        credit: Frames that the page may leave unanswered.
    """

    def __init__(self, turns: Turns | None = None) -> None:
        self._turns = turns or Turns()
        self._waiting: deque[_Sent] = deque()
        self._bytes = 0
        self.credit = _CREDIT
        self._last = float("-inf")
        self._rest = INTERVAL  # Seconds after the last frame.
        self._silence = _FIRST_SILENCE
        self._repeats = 0
        self._repeated_bytes = 0
        self._repeat_at: float | None = None

    def interval(self, now: float, *, is_heard: bool) -> float:
        """Seconds between two frames as things stand; infinite when the page has to answer first.

        Args:
            now: The time.
            is_heard: Whether an answer of the page would reach the kernel now.
        """
        if not self._waiting:
            return self._rest
        silence = now - self._waiting[0].at
        if is_heard:
            if len(self._waiting) <= self.credit:
                return self._rest
            return max(self._rest, _LATE_INTERVAL) if silence < _LATE else float("inf")
        for longest, most, seconds in _UNHEARD:
            if silence < longest and self._bytes < most:
                return max(self._rest, seconds)
        return float("inf")

    def delay(self, now: float, *, is_heard: bool) -> float | None:
        """Seconds until the next frame may go; None when the page has to answer first. Arguments as of ``interval``."""
        interval = self.interval(now, is_heard=is_heard)
        if interval == float("inf"):
            return None
        return max(0.0, self._last + interval - now, self._turns.delay(now))

    def repeat_in(self, now: float, *, is_heard: bool) -> float | None:
        """Seconds until the whole table should be sent again to a silent page; None when that is not needed."""
        return None if self._repeat_at is None or is_heard else max(0.0, self._repeat_at - now)

    def sent(self, frame: int, nbytes: int, now: float, *, whole: bool, rows: int = 0, spent: float = 0.0) -> None:
        """Note a frame that went out.

        Args:
            frame: Its number; numbers grow.
            nbytes: Size of its buffers.
            now: The time when the work for it began.
            whole: Whether it held the whole table.
            rows: How many changed rows it held.
            spent: Seconds that the work computed.
        """
        self._turns.take(now)
        self._waiting.append(_Sent(frame, nbytes, now))
        self._bytes += nbytes
        self._last = now
        self._rest = max(INTERVAL, min(_PER_ROW * rows, _FLOOD_INTERVAL), min(_REST * spent, _LONGEST_REST))
        if whole and self._repeat_at is not None:
            self._repeats += 1
            self._repeated_bytes += nbytes
            self._silence = min(2 * self._silence, _LONGEST_SILENCE)
            may_repeat = self._repeats < _MAX_REPEATS and self._repeated_bytes + nbytes <= _MAX_REPEATED_BYTES
            self._repeat_at = now + self._silence if may_repeat else None
        elif self._repeat_at is None and self._repeats == 0:
            self._repeat_at = now + self._silence

    def acknowledged(self, frame: int, now: float) -> None:
        """Note that the page shows everything up to a frame."""
        while self._waiting and self._waiting[0].frame <= frame:
            shown = self._waiting.popleft()
            self._bytes -= shown.nbytes
            self.credit = _PROMPT_CREDIT if now - shown.at <= _PROMPT else _CREDIT
        self._answered()

    def greeted(self) -> None:
        """Note that a page is new: what was sent before is lost to it, so nothing is on its way any more."""
        self._waiting.clear()
        self._bytes = 0
        self.credit = _CREDIT
        self._answered()

    def _answered(self) -> None:
        self._repeats = 0
        self._repeated_bytes = 0
        self._repeat_at = None
        self._silence = _SILENCE
