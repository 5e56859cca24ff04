"""How far something long is: counted by ``Meter``, shown by ``reporting`` where somebody can see it.

Shown only when it takes longer than half a second: in a notebook as an output that is replaced and goes away in the
end, in a terminal on one line of stderr, elsewhere not at all.
"""

from __future__ import annotations

import sys
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sized
from contextlib import closing, contextmanager
from contextvars import ContextVar
from html import escape
from typing import Any, NamedTuple, Protocol, TypeVar

from kalam_notebook.callers import running_shell, tell_of_interrupt
from kalam_notebook.errors import KalamError
from kalam_notebook.threads import Flag, Worker

__all__ = [
    "DOWNLOADING", "FETCHING", "PASSING", "READING", "RUNNING", "SENDING", "UPLOADING", "WRITING", "Doing", "Meter",
    "NotebookSurface", "Surface", "TerminalSurface", "each_reported", "find_surface", "metered", "reporting", "silent",
]  # fmt: skip

_B = TypeVar("_B", bound=Sized)
_R = TypeVar("_R")

#: Most queries are over before; a line that flashes up tells nothing.
DELAY_S = 0.5
INTERVAL_S = 0.25

#: What ``labextension/static/remoteEntry.js`` shows.
PROGRESS_MIME = "application/vnd.kalam.progress+json"


class Doing(NamedTuple):
    """The words for what is counted.

    Attributes:
        verb: What is being done.
        thing: One of what is counted; empty where nothing is.
        done: What had been done to them, for somebody who has ended it.
        rest: What becomes of the others.
    """

    verb: str
    thing: str
    done: str
    rest: str


READING = Doing("reading", "row", "read and let go", "The server may go on with the query.")
#: In batches, of which the reader has those that came.
PASSING = READING._replace(done="read")
DOWNLOADING = Doing("downloading", "file", "downloaded", "The same call goes on with the others.")
UPLOADING = Doing("uploading", "file", "uploaded", "The same call goes on with the others.")
WRITING = Doing("writing", "row", "written", "What was on its way may be written, too.")
RUNNING = Doing("running", "", "", "The server may carry out the statement all the same.")
SENDING = RUNNING._replace(verb="uploading")
FETCHING = Doing("downloading", "", "", "Nothing of the file was kept.")

#: Whether something around tells already how far it is, or nobody wants to know.
_is_told: ContextVar[bool] = ContextVar("kalam_progress_is_told", default=False)


class Meter:
    """Counts what has been done. Pure: the caller passes the time.

    Args:
        now: The time at the beginning, seconds of a clock that never goes back.
        doing: The words for it.
    """

    def __init__(self, now: float = 0.0, doing: Doing = READING) -> None:
        self._began = self._asked = now
        self._doing = doing
        self._lock = threading.Lock()
        self._bytes = 0
        self._rows = 0
        self._total: int | None = None
        #: Asks the server how many rows there are; None where only reading them tells.
        self.count: Callable[[], int] | None = None

    def received(self, nbytes: int, rows: int) -> None:
        """Note bytes that have come, and how many rows they and those before them hold; 0 where that is not known."""
        with self._lock:
            self._bytes += nbytes
        self._rows = max(self._rows, rows)

    def add(self, count: int) -> None:
        """Note that so many more are done; any thread may."""
        with self._lock:
            self._rows += count

    def found(self, rows: int) -> None:
        """Note how many rows there are so far."""
        self._rows = max(self._rows, rows)

    def expect(self, total: int) -> None:
        """Note how many rows there will be."""
        self._total = total

    def ask(self, now: float) -> None:
        """Note that somebody begins to wait again, after having worked on what had come."""
        self._asked = now

    def wait(self, now: float) -> float:
        """Seconds until there is something to show."""
        return max(0.0, self._asked + DELAY_S - now)

    def line(self, now: float) -> str:
        """One line for the reader."""
        size = _size(self._bytes) if self._bytes else ""
        parts = [self._rows_text(), size, f"{now - self._began:.1f} s"]
        return f"KalamDB: {self._doing.verb} · {' · '.join(part for part in parts if part)}"

    @property
    def summary(self) -> str:
        """What has been done, for somebody who has ended it."""
        if not self._doing.thing:
            return self._doing.rest
        if not self._rows and not self._bytes:
            return f"No {self._doing.thing} had been {self._doing.done.split()[0]}. {self._doing.rest}"
        size = f" and {_size(self._bytes)}" if self._bytes else ""
        return f"{self._rows:,} {self._things(self._rows)}{size} had been {self._doing.done}. {self._doing.rest}"

    def _things(self, count: int) -> str:
        return self._doing.thing if count == 1 else f"{self._doing.thing}s"

    def _rows_text(self) -> str:
        if self._total is not None:
            return f"{min(self._rows, self._total):,} of {self._total:,} {self._things(self._total)}"
        return f"{self._rows:,} {self._doing.thing}s" if self._rows else ""


def _size(nbytes: int) -> str:
    return f"{nbytes / 1e6:.1f} MB" if nbytes >= 100_000 else f"{nbytes / 1e3:.1f} kB"


class Surface(Protocol):
    """Where a line can be shown; any thread may do so."""

    def show(self, line: str) -> None:
        """Show a line in the place of the one before."""

    def clear(self) -> None:
        """Take the line away."""


class TerminalSurface:
    """One line of a terminal."""

    def __init__(self, stream: Any = None) -> None:  # noqa: ANN401 - any text stream.
        self._stream = stream or sys.stderr

    def show(self, line: str) -> None:
        """See ``Surface``."""
        self._write(f"\r{line}\x1b[K")

    def clear(self) -> None:
        """See ``Surface``."""
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class NotebookSurface:
    """An output of a notebook cell.

    A kernel can empty an output, but not take it away: JupyterLab's extension of this package does that (labextension).

    Args:
        publish: ``publish(data, metadata, transient=..., update=...)`` of the kernel.
    """

    def __init__(self, publish: Callable[..., None]) -> None:
        self._publish = publish
        self._display_id = f"kalam-{uuid.uuid4().hex}-progress"
        self._is_shown = False

    def show(self, line: str) -> None:
        """See ``Surface``."""
        self._put(line, {"text/html": f"<small>{escape(line)}</small>", "text/plain": line})

    def clear(self) -> None:
        """See ``Surface``."""
        self._put(None, {"text/html": "", "text/plain": ""})

    def _put(self, line: str | None, data: dict[str, str]) -> None:
        told = {PROGRESS_MIME: {"id": self._display_id, "line": line}, **data}
        self._publish(told, {}, transient={"display_id": self._display_id}, update=self._is_shown)
        self._is_shown = True


def find_surface() -> Surface | None:
    """Where the reader of this process looks; None where nobody does, as where nbclient runs a notebook."""
    shell = running_shell()
    publisher: Any = getattr(shell, "display_pub", None)
    # Captured output has a publisher of its own that keeps everything; only the kernel's can replace outputs.
    if hasattr(publisher, "pub_socket"):
        request = shell.get_parent().get("content", {})
        # Who runs a notebook for nobody answers no questions either.
        return NotebookSurface(publisher.publish) if request.get("allow_stdin", True) else None
    return TerminalSurface() if sys.stderr is not None and sys.stderr.isatty() else None


@contextmanager
def metered(doing: Doing = READING, *, shows: bool = True) -> Iterator[Meter]:
    """Give a meter, and show it where the reader looks while the block runs.

    Args:
        doing: The words for what is counted.
        shows: Whether anything is shown.
    """
    meter = Meter(time.monotonic(), doing)
    with reporting(meter, find_surface() if shows else None):
        yield meter


@contextmanager
def reporting(meter: Meter, surface: Surface | None, *, now: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Show how far a reading is while the block runs; who interrupts it is told what had been read.

    Args:
        meter: What is counted.
        surface: Where it is shown; None for nowhere.
        now: A clock, for tests.
    """
    reporter = None if surface is None or _is_told.get() else _Reporter(meter, surface, now)
    was_told = _is_told.get()
    if reporter is not None:
        Worker(reporter.run, name="kalam-progress").start()
    try:
        _is_told.set(True)
        yield
    except KeyboardInterrupt as exc:
        tell_of_interrupt(exc, meter.summary)
        raise
    finally:
        _set_told(was_told)
        if reporter is not None:
            reporter.end()


def each_reported(
    batches: Generator[_B, None, _R], meter: Meter, *, now: Callable[[], float] = time.monotonic
) -> Generator[_B, None, _R]:
    """Show how far a reading is while somebody waits for its next batch, and not while that is worked on.

    Args:
        batches: Reads a batch whenever one is wanted.
        meter: What is counted, but the rows, which are counted here.
        now: A clock, for tests.
    """
    rows = 0
    with closing(batches):
        while True:
            meter.ask(now())
            with reporting(meter, find_surface(), now=now):
                try:
                    batch = next(batches)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
            rows += len(batch)
            meter.found(rows)
            yield batch


@contextmanager
def silent() -> Iterator[None]:
    """Show nothing while the block runs."""
    was_told = _is_told.get()
    try:
        _is_told.set(True)
        yield
    finally:
        _set_told(was_told)


def _set_told(value: bool) -> None:
    # A block that an interrupt cut off is ended when it is collected, in a context that has never been told.
    if _is_told.get() != value:
        _is_told.set(value)


class _Reporter:
    """Shows a meter from a thread of its own, since the reading waits in the caller's."""

    def __init__(self, meter: Meter, surface: Surface, now: Callable[[], float]) -> None:
        self._meter = meter
        self._surface = surface
        self._now = now
        self._ended = Flag()
        self._lock = threading.Lock()
        self._is_shown = False

    def run(self) -> None:
        if self._ended.wait(self._meter.wait(self._now())):
            return
        self._show()
        if self._meter.count is not None:
            try:
                self._meter.expect(self._meter.count())
            except KalamError:  # It goes without.
                self._meter.count = None
        while not self._ended.wait(INTERVAL_S):
            self._show()

    def end(self) -> None:
        """Take the line away; nothing is shown after that, whatever the thread still waits for."""
        with self._lock:
            self._ended.set()
            if self._is_shown:
                self._surface.clear()

    def _show(self) -> None:
        with self._lock:
            if not self._ended.is_set():
                self._is_shown = True
                self._surface.show(self._meter.line(self._now()))
