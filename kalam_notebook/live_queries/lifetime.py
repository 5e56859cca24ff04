"""How something that works on a thread of its own ends: once, for one reason, in the process that made it."""

from __future__ import annotations

import os
import threading
from typing import ClassVar

from kalam_notebook.errors import KalamError, LiveError
from kalam_notebook.texts import first_line
from kalam_notebook.threads import Bell

__all__ = ["Lifetime"]


class Lifetime:
    """Whether it goes on, and why not. May be used from any thread.

    Attributes:
        bell: Rung when something has changed, and at the end.
        error: Why it ended; None before that, and when the owner wanted it.
        is_over: Whether nothing will change any more.
    """

    #: What to do in a child of the process that made it.
    forked: ClassVar[str]

    def __init__(self) -> None:
        self.bell = Bell()
        self.error: KalamError | None = None
        self.is_over = False
        self._stopped = ""
        # Reentrant: a collection of garbage may close it in the middle of anything.
        self._lock = threading.RLock()
        # In a forked child there is no thread, and the lock may be held for ever.
        self._pid = os.getpid()

    @property
    def is_forked(self) -> bool:
        """Whether this is a forked child of the process that made it."""
        return os.getpid() != self._pid

    def _check_process(self) -> None:
        if self.is_forked:
            raise LiveError(self.forked)

    def _end(self, error: KalamError | None, why: str = "closed") -> bool:
        """End once; what comes first is the reason. Tell whether this was the first."""
        with self._lock:
            is_first = not self.is_over
            if is_first:
                self.error = error
                self._stopped = f"stopped: {why if error is None else first_line(error)}"
                self.is_over = True
        self.bell.ring()
        return is_first
