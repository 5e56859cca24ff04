"""Plays a recording of a live table: in place of a ``Follower``, without a server.

One thread reads the file record by record, waits until the moment of each step has come, and applies it. What stands
in the file and what it means is decided in ``recording``, when it comes in ``recording.playhead``.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from kalam_notebook.errors import KalamError, LiveError, RecordingError
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.following.refreshed import Refreshed
from kalam_notebook.live_queries.recording.format import RecordedChanges, RecordedEnd, RecordedStep, Snapshot
from kalam_notebook.live_queries.recording.playhead import Playhead
from kalam_notebook.live_queries.recording.reader import Records, read_recording
from kalam_notebook.live_queries.recording.rows import ReplayedRows
from kalam_notebook.live_queries.rows.fingerprint import Proof
from kalam_notebook.threads import Flag

__all__ = ["Clock", "Player", "play"]

_LOG = logging.getLogger("kalam_notebook.live")

#: Seconds of one wait at most: recorded clocks may have jumped by years, which threads cannot wait for.
_LONGEST_WAIT = 3600.0


class Clock(Protocol):
    """The time that a replay goes by."""

    def now(self) -> float:
        """Seconds that never go back."""
        ...

    def wait(self, wake: Flag, seconds: float | None) -> None:
        """Wait until the flag is raised, or so many seconds have passed; None for the flag only."""
        ...


class _SystemClock:
    """The monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, wake: Flag, seconds: float | None) -> None:
        wake.wait(seconds)


class Player(Refreshed):
    """The rows of a recording and the thread that changes them.

    Args:
        path: The recording, for people.
        file: The same, which this closes.
        first: Its first rows.
        records: What follows them.
        speed: How many recorded seconds pass in one; infinity for all at once.
        clock: The time.

    Attributes:
        origin: What was recorded.
    """

    is_replay = True
    forked = "This replay belongs to the process that forked this one. Begin a new one here."

    def __init__(
        self, path: str, file: IO[bytes], first: Snapshot, records: Records, *, speed: float, clock: Clock
    ) -> None:
        super().__init__("kalam-live-replay")
        self._path = path
        self._file = file
        self._records = records
        self._clock = clock
        self._gaps: list[float] = []
        self.origin = first.origin
        self._rows = ReplayedRows(first)
        self._reached = first.at
        self._playhead = Playhead(speed, at=first.at, now=clock.now())

    # What anybody may ask.

    @property
    def form(self) -> Form:
        """How the recorded table followed the server."""
        return self.origin.form

    @property
    def table_name(self) -> str:
        """The tables, for people."""
        return self.origin.table_name

    @property
    def row_version(self) -> str:  # type: ignore[override]  # That of the recorded table.
        """The server's column that held the version of a row; empty where there was none."""
        return self.origin.row_version

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart; empty for all of them."""
        return self.origin.key

    @property
    def rows(self) -> ReplayedRows:
        """The rows."""
        return self._rows

    @property
    def reached(self) -> float:
        """The recorded time of what was played last."""
        return self._reached

    @property
    def _progress(self) -> str:
        return "replaying"

    @property
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""
        notices = [self.origin.notice] if self.origin.notice else []
        if self._gaps:
            times = "once" if len(self._gaps) == 1 else f"{len(self._gaps):,} times"
            notices.append(
                f"More changed than could be recorded one by one, {times}, the last time before "
                f"{dt.datetime.fromtimestamp(self._gaps[-1], dt.UTC):%Y-%m-%d %H:%M:%S} UTC. The rows were recorded "
                "whole after it."
            )
        return tuple(notices)

    def verify(self, *, timeout: float, reread: bool = False) -> Proof:
        """Say that nothing can be proved: there is no server."""
        return self._unproved("this is a replay of a recording, there is no server to compare with")

    def retry(self) -> None:
        """A recording has no connection."""

    def pause(self) -> None:
        """Stop the recording where it is."""
        with self._lock:
            self._playhead.pause(self._clock.now())
        self._awake()
        super().pause()

    def resume(self) -> None:
        """Let the recording go on from where it is."""
        with self._lock:
            self._playhead.resume(self._clock.now())
        super().resume()

    @property
    def _end_text(self) -> str:
        return f"The replay of {self._path} has {self._stopped}."

    # The thread.

    def _work(self) -> None:
        error: KalamError | None = None
        end = "closed"
        try:
            with self._file:
                while not self.is_over:
                    record = _next(self._records, self._path)
                    if isinstance(record, RecordedEnd):
                        end = self._play_end(record)
                        break
                    self._play(record)
        except KalamError as exc:
            error = exc
        except ValueError as exc:
            error = RecordingError(self._path, f"It is damaged: {exc}.")
            error.__cause__ = exc
        except Exception as exc:
            error = LiveError(f"The replay broke in an unexpected way: {type(exc).__name__}: {exc}")
            error.__cause__ = exc

        self._records.close()
        if self._end(error, end) and error is not None:
            _LOG.warning("replay of %s stopped: %s", self._path, error)

    def _play(self, record: Snapshot | RecordedChanges) -> None:
        if isinstance(record, Snapshot):
            self._when(record.at, lambda: self._load(record))
            return
        with self._lock:
            self._rows.hold(record)
        for step in record.steps:
            if not self._when(step.at, lambda step=step: self._apply(step)):  # type: ignore[misc]
                return

    def _play_end(self, end: RecordedEnd) -> str:
        """Wait until the recording was closed; return what there is to be said of the end."""
        if end.at is None:
            return "the recording breaks off here"
        return "the recording has ended" if self._when(end.at, lambda: None) else "closed"

    def _when(self, at: float, act: Callable[[], None]) -> bool:
        """Do something when its moment has come; tell whether it was done, and not closed before."""
        while True:
            self._wake.clear()
            with self._lock:
                if self.is_over:
                    return False
                seconds = self._playhead.seconds_until(at, now=self._clock.now())
                if seconds == 0:
                    act()
                    self._reached = at
                    break
            self._clock.wait(self._wake, None if seconds is None else min(seconds, _LONGEST_WAIT))
        self.bell.ring()
        return True

    def _load(self, snapshot: Snapshot) -> None:
        if snapshot.columns == self._rows.shown and snapshot.rows.schema.equals(self._rows.schema):
            self._rows.load(snapshot)
        else:
            self._rows = ReplayedRows(snapshot)
        self.origin = snapshot.origin
        self._gaps.append(snapshot.at)

    def _apply(self, step: RecordedStep) -> None:
        applied = self._rows.apply(step)
        self._counters.add_changes(applied)
        if step.healed:
            self._counters.healed += applied.total
        else:
            self._counters.add_events(applied.total, 0, now=time.monotonic())
        self._counters.last_seq = max(self._counters.last_seq, *(seq for _, _, seq in step.rows))


def play(path: Path, *, speed: float, clock: Clock | None = None) -> Player:
    """Open a recording and play it.

    Args:
        path: The file.
        speed: How many recorded seconds pass in one; infinity for all at once.
        clock: The time; None for that of the system.

    Raises:
        RecordingError: The file cannot be read, is no recording, or breaks off before its first rows.
    """
    name = str(path)
    file = _open(path)
    try:
        records = read_recording(file, name)
        first = _next(records, name)
        if not isinstance(first, Snapshot):
            raise RecordingError(name, "It is damaged: it does not begin with rows.")
    except BaseException:
        file.close()
        raise

    player = Player(name, file, first, records, speed=speed, clock=clock or _SystemClock())
    player.begin()
    return player


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as exc:
        raise RecordingError(str(path), f"It cannot be read: {exc.strerror}.") from None


def _next(records: Records, path: str) -> Snapshot | RecordedChanges | RecordedEnd:
    try:
        return next(records)
    except OSError as exc:
        raise RecordingError(path, f"It cannot be read: {exc.strerror or exc}.") from None
