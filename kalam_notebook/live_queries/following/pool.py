"""What the live queries of a client share to ask the server: a few paced threads, and what proofs may cost together.

A live query never asks two questions at once, so questions are small pieces of work that wait for their turn here.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from kalam_notebook.live_queries.following.schedule import ProofBudget
from kalam_notebook.threads import Worker

__all__ = ["Pool"]

#: Seconds after which a thread without work ends.
_IDLE = 5.0

#: Seconds that ``close`` waits for the threads, each of which may be in the middle of a question.
_JOIN_TIMEOUT = 0.5


class Pool:
    """Does pieces of work on a few daemon threads, which are started when they are needed.

    Args:
        max_threads: Threads at most.
        per_second: Pieces that are begun in a second, at most.

    Attributes:
        budget: What the proofs of all live queries may cost.
    """

    def __init__(self, *, max_threads: int = 10, per_second: float = 100.0) -> None:
        self.budget = ProofBudget()
        self._max_threads = max_threads
        self._interval = 1.0 / per_second
        self._work: deque[Callable[[], None]] = deque()
        # Taken by itself where an interrupt may come: the condition takes it in a function written in Python.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._next_start = 0.0
        self._is_closed = False

    def submit(self, work: Callable[[], None]) -> None:
        """Have a piece of work done; it must not raise. Nothing happens after ``close``."""
        with self._changed:
            if self._is_closed:
                return
            self._work.append(work)
            if len(self._work) > self._idle and len(self._threads) < self._max_threads:
                thread = Worker(self._run, name="kalam-live-truth")
                self._threads.add(thread)
                thread.start()
            else:
                self._changed.notify()

    def close(self) -> None:
        """Drop the work that has not begun, and end the threads; may be called twice."""
        with self._lock:
            self._is_closed = True
            self._work.clear()
            threads = list(self._threads)
            self._changed.notify_all()
        deadline = time.monotonic() + _JOIN_TIMEOUT
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while (work := self._next()) is not None:
            work()

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next piece and its time; None when this thread is not needed any more."""
        with self._changed:
            idle_until = time.monotonic() + _IDLE
            while not self._is_closed:
                now = time.monotonic()
                if self._work and now >= self._next_start:
                    self._next_start = now + self._interval
                    return self._work.popleft()

                until = self._next_start if self._work else idle_until
                if not self._work and now >= idle_until:
                    break
                self._idle += 1
                self._changed.wait(until - now)
                self._idle -= 1
            self._threads.discard(threading.current_thread())
            return None
