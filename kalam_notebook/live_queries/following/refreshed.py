"""Rows that a thread of their own changes or makes anew, in place of a ``Follower``."""

from __future__ import annotations

import atexit
from abc import abstractmethod

from kalam_notebook.live_queries.following.followed import Followed
from kalam_notebook.threads import Flag, Worker

__all__ = ["Refreshed"]

#: Seconds that ``close`` waits for what the thread is about.
_JOIN_TIMEOUT = 0.5


class Refreshed(Followed):
    """Rows that can be paused, and the thread that changes them when it is woken or it is time.

    No column of a server holds versions of them.

    Args:
        thread_name: What the thread is called.
    """

    row_version = ""

    def __init__(self, thread_name: str) -> None:
        super().__init__()
        self._is_paused = False
        self._wake = Flag()
        self._thread = Worker(self._run, name=thread_name)

    @property
    def is_paused(self) -> bool:
        """Whether the rows are kept as they are."""
        return self._is_paused

    def close(self) -> None:
        """End it; the rows stay. May be called twice, and from any thread."""
        if self.is_forked:
            return
        self._end(None)
        self._awake()
        self._thread.join(_JOIN_TIMEOUT)

    def pause(self) -> None:
        """Let the rows stay as they are."""
        self._is_paused = True
        self.bell.ring()

    def resume(self) -> None:
        """Go on."""
        self._is_paused = False
        self._awake()
        self.bell.ring()

    def begin(self) -> None:
        """Start the thread, with the rows in place."""
        self._thread.start()
        # A thread that is inside of Arrow when the interpreter ends takes the process down.
        atexit.register(self.close)

    def _run(self) -> None:
        self._work()
        atexit.unregister(self.close)

    @abstractmethod
    def _work(self) -> None:
        """Change the rows until it is over; on the thread."""

    def _awake(self) -> None:
        """Have the thread look now."""
        self._wake.set()
