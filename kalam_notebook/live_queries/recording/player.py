"""Plays a recording of a live table: in place of a ``Follower``, without a server.

One thread reads the file record by record, waits until the moment of each step has come, and applies it. What stands
in the file and what it means is decided in ``recording``, when it comes in ``recording.playhead``.
"""

from __future__ import annotations

import atexit
import datetime as dt
import logging
import os
import threading
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import IO, Protocol, TypeAlias, TypeVar

from kalam_notebook.errors import KalamError, LiveError, RecordingError
from kalam_notebook.live_queries.connection.states import first_line
from kalam_notebook.live_queries.following.counters import Counters, LiveStats
from kalam_notebook.live_queries.following.engine import Rows
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.recording.format import Changes, End, Origin, RecordedStep, Snapshot
from kalam_notebook.live_queries.recording.playhead import Playhead
from kalam_notebook.live_queries.recording.reader import read_recording
from kalam_notebook.live_queries.recording.rows import ReplayedRows
from kalam_notebook.live_queries.rows.fingerprint import Proof
from kalam_notebook.threads import Bell, Flag, Worker

__all__ = ["Clock", "Player"]

_T = TypeVar("_T")
_LOG = logging.getLogger("kalam_notebook.live")

#: What stands in a file.
Records: TypeAlias = Generator[Snapshot | Changes | End, None, None]

#: Seconds that ``close`` waits for the thread.
_JOIN_TIMEOUT = 0.5

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


class Player:
    """The rows of a recording and the thread that changes them.

    Args:
        path: The recording.
        speed: How many recorded seconds pass in one; infinity for all at once.
        clock: The time; None for that of the system.

    Raises:
        RecordingError: The file cannot be read, is no recording, or breaks off before its first rows.
    """

    def __init__(self, path: Path, *, speed: float, clock: Clock | None = None) -> None:
        self.bell = Bell()
        self.error: KalamError | None = None
        self.is_over = False
        self.is_paused = False
        self.is_replay = True
        self._path = str(path)
        self._clock = clock or _SystemClock()
        self._lock = threading.Lock()
        self._wake = Flag()
        self._end = "closed"
        self._gaps: list[float] = []
        self._counters = Counters()
        self._pid = os.getpid()
        file = _open(path)
        try:
            records = read_recording(file, self._path)
            first = self._next(records)
            if not isinstance(first, Snapshot):
                raise RecordingError(self._path, "It is damaged: it does not begin with rows.")
        except BaseException:
            file.close()
            raise
        self._origin = first.origin
        self._rows = ReplayedRows(first)
        self._playhead = Playhead(speed, at=first.at, now=self._clock.now())
        self._thread = Worker(partial(self._work, file, records), name="kalam-live-replay")
        self._thread.start()
        # A thread that is inside of Arrow when the interpreter ends takes the process down.
        atexit.register(self.close)

    def close(self) -> None:
        """End the replay and its thread; the rows stay. May be called twice, and from any thread."""
        if self.is_forked:
            return
        self._finish(None, "closed")
        self._wake.set()
        self._thread.join(_JOIN_TIMEOUT)

    # What anybody may ask.

    @property
    def origin(self) -> Origin:
        """What was recorded."""
        return self._origin

    @property
    def form(self) -> Form:
        """How the recorded table followed the server."""
        return self._origin.form

    @property
    def table_name(self) -> str:
        """The tables, for people."""
        return self._origin.table_name

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart; empty for all of them."""
        return self._origin.key

    @property
    def is_forked(self) -> bool:
        """Whether this is a forked child of the process that made it."""
        return os.getpid() != self._pid

    @property
    def status(self) -> str:
        """Where the replay is, for people."""
        if self.is_over:
            return f"stopped: {self._end}"
        return "paused" if self.is_paused else "replaying"

    @property
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""
        notices = [self._origin.notice] if self._origin.notice else []
        if self._gaps:
            times = "once" if len(self._gaps) == 1 else f"{len(self._gaps):,} times"
            notices.append(
                f"More changed than could be recorded one by one, {times}, the last time before "
                f"{dt.datetime.fromtimestamp(self._gaps[-1], dt.UTC):%Y-%m-%d %H:%M:%S} UTC. The rows were recorded "
                "whole after it."
            )
        return tuple(notices)

    @property
    def num_rows(self) -> int:
        """How many rows there are; never waits."""
        return self._rows.num_rows

    def stats(self) -> LiveStats:
        """The numbers as of now; events are the recorded changes that an event had told."""
        self._check_process()
        with self._lock:
            return self._counters.stats(rows=self.num_rows, now=time.monotonic())

    def look(self, view: Callable[[Rows], _T]) -> _T:
        """Return what a function makes of the rows at one point in time.

        Raises:
            LiveError: This is a forked child of the process that began the replay.
        """
        self._check_process()
        with self._lock:
            return view(self._rows)

    def verify(self, *, timeout: float, reread: bool = False) -> Proof:
        """Say that nothing can be proved: there is no server."""
        self._check_process()
        with self._lock:
            return Proof(
                False,
                "this is a replay of a recording, there is no server to compare with",
                rows=self.num_rows,
                seq=self._counters.last_seq,
                at=dt.datetime.now(dt.UTC),
                healed=0,
            )

    def pause(self) -> None:
        """Stop the recording where it is."""
        self._set_paused(True)

    def resume(self) -> None:
        """Let the recording go on from where it is."""
        self._set_paused(False)

    def _set_paused(self, is_paused: bool) -> None:
        with self._lock:
            self.is_paused = is_paused
            (self._playhead.pause if is_paused else self._playhead.resume)(self._clock.now())
        self._wake.set()
        self.bell.ring()

    def raise_if_over(self) -> None:
        """Raise why the replay has ended, if it has.

        Raises:
            KalamError: The reason; ``LiveError`` when it was closed, came to its end, or lives in another process.
        """
        self._check_process()
        if self.is_over:
            raise self.error or LiveError(f"The replay of {self._path} has stopped: {self._end}.")

    def _check_process(self) -> None:
        if self.is_forked:
            raise LiveError("This replay belongs to the process that forked this one. Begin a new one here.")

    # The thread.

    def _work(self, file: IO[bytes], records: Records) -> None:
        error: KalamError | None = None
        end = "closed"
        try:
            with file:
                while not self.is_over:
                    record = self._next(records)
                    if isinstance(record, End):
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
        records.close()
        atexit.unregister(self.close)
        self._finish(error, end if error is None else first_line(error))

    def _next(self, records: Records) -> Snapshot | Changes | End:
        try:
            return next(records)
        except OSError as exc:
            raise RecordingError(self._path, f"It cannot be read: {exc.strerror or exc}.") from exc

    def _play(self, record: Snapshot | Changes) -> None:
        if isinstance(record, Snapshot):
            self._when(record.at, lambda: self._load(record))
            return
        with self._lock:
            self._rows.hold(record)
        for step in record.steps:
            if not self._when(step.at, lambda step=step: self._apply(step)):  # type: ignore[misc]
                return

    def _play_end(self, end: End) -> str:
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
                    break
            self._clock.wait(self._wake, None if seconds is None else min(seconds, _LONGEST_WAIT))
        self.bell.ring()
        return True

    def _load(self, snapshot: Snapshot) -> None:
        if snapshot.columns == self._rows.shown and snapshot.rows.schema.equals(self._rows.schema):
            self._rows.load(snapshot)
        else:
            self._rows = ReplayedRows(snapshot)
        self._origin = snapshot.origin
        self._gaps.append(snapshot.at)

    def _apply(self, step: RecordedStep) -> None:
        applied = self._rows.apply(step)
        self._counters.add_changes(applied)
        if step.healed:
            self._counters.healed += applied.total
        else:
            self._counters.add_events(applied.total, 0, now=time.monotonic())
        self._counters.last_seq = max(self._counters.last_seq, *(seq for _, _, seq in step.rows))

    def _finish(self, error: KalamError | None, end: str) -> None:
        """End once; what comes first is the reason."""
        with self._lock:
            if self.is_over:
                return
            self.error, self._end, self.is_over = error, end, True
        if error is not None:
            _LOG.warning("replay of %s stopped: %s", self._path, error)
        self.bell.ring()


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as exc:
        raise RecordingError(str(path), f"It cannot be read: {exc.strerror}.") from exc
