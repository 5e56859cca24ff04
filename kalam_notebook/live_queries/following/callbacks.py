"""Calls back when a live table changed, on a thread of its own: slow callbacks hold up nothing but each other."""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
import weakref
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Generic, TypeVar

from kalam_notebook.threads import Bell, Worker

__all__ = ["Callbacks"]

_T = TypeVar("_T")
_LOG = logging.getLogger("kalam_notebook.live")


class Callbacks(Generic[_T]):
    """Callbacks of one live table; changes that come while they run are told once, afterwards.

    Args:
        owner: The table, which the callbacks get. It is not kept alive.
        bell: Rung at each change, and at the end.
        is_over: Whether there will be no more changes.
    """

    def __init__(self, owner: _T, *, bell: Bell, is_over: Callable[[], bool]) -> None:
        self._owner = weakref.ref(owner)
        self._bell = bell
        self._is_over = is_over
        self._callbacks: dict[int, Callable[[_T], object]] = {}
        self._numbers = count()
        self._worker: Worker | None = None
        self._lock = threading.Lock()

    def add(self, callback: Callable[[_T], object]) -> Callable[[], None]:
        """Call back from now on; return a function that ends it."""
        number = next(self._numbers)
        with self._lock:
            self._callbacks[number] = callback
            if self._worker is None:
                # What rings from here on is told.
                work = partial(self._work, self._bell.count, self._is_over())
                self._worker = Worker(work, name="kalam-live-callbacks")
            self._worker.start()

        def remove() -> None:
            with self._lock:
                self._callbacks.pop(number, None)

        return remove

    def _work(self, seen: int, is_over: bool) -> None:
        while not is_over:
            seen = self._bell.wait_beyond(seen)
            is_over = self._is_over()  # The end is told too.
            self._call_all()

    def _call_all(self) -> None:
        owner = self._owner()
        if owner is None:
            return
        with self._lock:
            callbacks = list(self._callbacks.values())
        for callback in callbacks:
            try:
                callback(owner)
            except Exception as exc:
                _report(callback, exc)


def _report(callback: object, exc: Exception) -> None:
    name = getattr(callback, "__qualname__", type(callback).__name__)
    _LOG.error("callback %s of a live table raised", name, exc_info=exc)
    text = (
        f"Callback {name} of a live table raised {type(exc).__name__}: {exc}. It stays, and hears of the next change."
    )
    # Where warnings are errors, nobody is above this thread to catch one; the log has it.
    with contextlib.suppress(RuntimeWarning):
        warnings.warn(text, RuntimeWarning, stacklevel=2)
