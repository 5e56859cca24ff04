"""Records a live table into a file, on a thread of its own.

It looks at the table whenever something has changed there, and writes what is new since it looked last. Neither the
socket's thread nor the table's waits for the disk. What is written is decided in ``recording.writer``.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import time
import warnings
from pathlib import Path
from typing import IO

from kalam_notebook.errors import KalamError, RecordingError
from kalam_notebook.live_queries.following.followed import Followed
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.recording.format import Origin
from kalam_notebook.live_queries.recording.writer import RecordingWriter
from kalam_notebook.threads import Flag, Worker

__all__ = ["LiveRecorder"]

_LOG = logging.getLogger("kalam_notebook.live")

#: Seconds from one look to the next: the changes in between make one batch.
_INTERVAL = 0.05

#: So many changes at a look do not wait for more: the table remembers some ten thousand.
_MANY = 1_000

#: Writing all rows anew is followed by a pause of so many times its length, so that it does not take all the time.
_REST = 3.0


class LiveRecorder:
    """Writes what happens to a live table into a file, until it or the table is closed.

    Made by ``live.record(path)``. Every batch is given to the system at once, so the file can be replayed up to the
    last one even if the kernel is killed. When the disk does not take it, recording stops with a warning and ``error``;
    the live table goes on.

    Args:
        followed: What keeps the rows.
        sql: The live query.
        path: The file.
        overwrite: Whether a file that is there is replaced.

    Raises:
        RecordingError: The file exists, or cannot be written.
    """

    def __init__(self, followed: Followed, *, sql: str, path: Path, overwrite: bool = False) -> None:
        self.path = path
        #: Why recording stopped; None while it goes on, and when it was closed.
        self.error: RecordingError | None = None
        self._followed = followed
        self._sql = sql
        self._ending = Flag()
        self._ended = Flag()
        self._pid = os.getpid()
        self._file = _create(path, overwrite=overwrite)
        self._writer = RecordingWriter(self._file, is_ordered=followed.form is Form.RERUN)
        self._seen = followed.bell.count

        try:
            self._write()
        except BaseException as exc:
            with contextlib.suppress(OSError):
                self._file.close()
            if isinstance(exc, OSError):
                raise _disk_error(path, exc) from None
            raise

        self._thread = Worker(self._work, name="kalam-live-recorder")
        self._thread.start()
        # Daemon threads are stopped before the last batch is written.
        atexit.register(self.close)

    def __repr__(self) -> str:
        state = "closed" if self._ended.is_set() else "recording"
        return f"<LiveRecorder {self.path}, {self.changes:,} changes, {'stopped' if self.error else state}>"

    def __enter__(self) -> LiveRecorder:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def changes(self) -> int:
        """How many changes have been written."""
        return self._writer.changes

    @property
    def gaps(self) -> int:
        """How often more had changed than the table remembers, so that all rows were written anew."""
        return self._writer.gaps

    @property
    def is_recording(self) -> bool:
        """Whether it goes on."""
        return not self._ended.is_set()

    def close(self, *, timeout: float = 10.0) -> None:
        """Write what happened until now, and close the file. May be called twice.

        Args:
            timeout: Seconds to wait for the disk; it is gone on with afterwards.
        """
        if os.getpid() != self._pid:
            return
        self._ending.set()
        self._followed.bell.ring()
        self._thread.join(timeout)

    # The thread.

    def _work(self) -> None:
        try:
            with self._file:
                is_last = False
                while not is_last:
                    self._seen = self._followed.bell.wait_beyond(self._seen)
                    # Whatever happened before the end is in the last look.
                    is_last = self._ending.is_set() or self._followed.is_over
                    self._ending.wait(self._write())
                self._writer.end(at=time.time())
        except Exception as exc:
            self.error = _disk_error(self.path, exc) if isinstance(exc, OSError) else _broken(self.path, exc)
            self.error.__cause__ = exc
            _warn(self.error)
        finally:
            self._ended.set()
            atexit.unregister(self.close)

    def _write(self) -> float:
        """Write what is new; return how many seconds to wait before the next time."""
        started = time.monotonic()
        gaps = self._writer.gaps
        changes = self._writer.changes
        glance = self._followed.look(self._writer.glance)
        if glance is None:
            return 0.0
        followed = self._followed
        notice = "\n".join(followed.notices)
        origin = Origin(self._sql, followed.form, followed.table_name, followed.key, notice, followed.row_version)
        self._writer.write(glance, origin, at=time.time())
        self._file.flush()  # What is the system's outlives this process.
        if self._writer.gaps > gaps:
            return max(_INTERVAL, _REST * (time.monotonic() - started))
        return _INTERVAL if self._writer.changes - changes < _MANY else 0.0


def _create(path: Path, *, overwrite: bool) -> IO[bytes]:
    try:
        return path.open("wb" if overwrite else "xb")
    except FileExistsError:
        raise RecordingError(str(path), "It exists already. Give another name, or overwrite=True.") from None
    except OSError as exc:
        raise _disk_error(path, exc) from None


def _disk_error(path: Path, exc: OSError) -> RecordingError:
    reason = "The rest of the recording is lost; what was written can be replayed."
    return RecordingError(str(path), f"It cannot be written: {exc.strerror or exc}. {reason}")


def _broken(path: Path, exc: Exception) -> RecordingError:
    if isinstance(exc, KalamError):
        return RecordingError(str(path), f"Recording stopped: {exc}")
    return RecordingError(str(path), f"Recording broke in an unexpected way: {type(exc).__name__}: {exc}")


def _warn(error: RecordingError) -> None:
    _LOG.error("recording stopped: %s", error)
    # Where warnings are errors, nobody is above this thread to catch one; the log has it.
    with contextlib.suppress(RuntimeWarning):
        warnings.warn(f"A live table is not recorded any more. {error}", RuntimeWarning, stacklevel=2)
