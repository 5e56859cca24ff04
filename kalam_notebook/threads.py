"""Threads, and small pieces by which they wait for each other, which hold when an interrupt comes at any moment.

What Python's own are written in takes locks in functions of Python. An interrupt may come between the taking and the
``with`` that would give the lock back, and everybody else waits for it for ever. Standard library only.
"""

from __future__ import annotations

import _thread
import math
import threading
import time
from collections.abc import Callable

__all__ = ["Bell", "Flag", "Worker"]

#: Seconds of one wait at most: ringing that an interrupt cut short is heard after that.
_LONGEST_WAIT = 1.0

#: Seconds that a new thread is waited for, which the system may not give.
_START_TIMEOUT = 10.0


class Bell:
    """Tells any number of threads that something is new; ringing never waits.

    In the place of ``threading.Condition``, which an interrupt can leave locked for ever. Here ``with`` takes the lock
    itself, and whoever waits holds none.
    """

    def __init__(self) -> None:
        self._count = 0
        # Reentrant: a collection of garbage may close a live table in the middle of this.
        self._lock = threading.RLock()
        self._waiting: list[threading.Lock] = []

    @property
    def count(self) -> int:
        """How often it was rung."""
        return self._count

    def ring(self) -> None:
        """Wake all who wait."""
        with self._lock:
            self._count += 1
            for waiter in self._waiting:
                if waiter.locked():
                    waiter.release()

    def wait_beyond(self, count: int, deadline: float | None = None) -> int:
        """Wait until it was rung more than ``count`` times, or a time on the monotonic clock; return how often."""
        while self._count <= count:
            left = math.inf if deadline is None else deadline - time.monotonic()
            if left <= 0:
                break
            self._wait(count, min(left, _LONGEST_WAIT))
        return self._count

    def _wait(self, count: int, seconds: float) -> None:
        waiter = threading.Lock()
        waiter.acquire()
        try:
            with self._lock:
                if self._count <= count:
                    self._waiting.append(waiter)
            if waiter in self._waiting:
                waiter.acquire(timeout=seconds)
        finally:
            with self._lock:
                self._waiting = [other for other in self._waiting if other is not waiter]


class Flag:
    """What ``threading.Event`` is, for the reason that ``Bell`` tells."""

    def __init__(self) -> None:
        self._bell = Bell()
        self._cleared_at = 0

    def set(self) -> None:
        """Raise it, and wake all who wait."""
        self._bell.ring()

    def clear(self) -> None:
        """Take it down."""
        self._cleared_at = self._bell.count

    def is_set(self) -> bool:
        """Whether it is raised."""
        return self._bell.count > self._cleared_at

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is raised; False when it is not after so many seconds."""
        cleared_at = self._cleared_at
        deadline = None if timeout is None else time.monotonic() + timeout
        return self._bell.wait_beyond(cleared_at, deadline) > cleared_at


class Worker(threading.Thread):
    """A daemon thread that anybody may start again or wait for at any time.

    An interrupt in ``Thread.start``, which waits until the thread runs, leaves open whether it ever will, and can keep
    the new thread from it for ever.

    Args:
        work: Done on the thread.
        name: The thread's name.
    """

    def __init__(self, work: Callable[[], object], *, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._is_wanted = self._is_launched = False
        self._launching = threading.Lock()
        self._running = Flag()
        self._done = Flag()

    def start(self) -> None:
        """Start it, and wait until it runs; nothing happens the second time."""
        self._is_wanted = True
        if not self._is_launched:
            # ``Thread.start`` waits where no interrupt can come.
            _thread.start_new_thread(self._launch, ())
            self._running.wait(_START_TIMEOUT)

    def run(self) -> None:
        """Do the work."""
        self._running.set()
        try:
            self._work()
        finally:
            # Notebooks remember threads that have ended; what this one worked on shall not be remembered with it.
            del self._work
            self._done.set()

    def is_alive(self) -> bool:
        """Whether it works, or is about to."""
        return self._is_wanted and (not self._done.is_set() or super().is_alive())

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, at most so many seconds; not for itself, and not if it was never started."""
        if self._is_wanted and threading.current_thread() is not self and self._done.wait(timeout):
            super().join(timeout)

    def _launch(self) -> None:
        with self._launching:
            if self._is_launched:
                return
            self._is_launched = True
        super().start()
