"""Asking until it works: connections break, and come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from kalam_notebook.chance import chance
from kalam_notebook.errors import TransportError
from kalam_notebook.live_queries.connection.backoff import backoff

__all__ = ["patiently"]

_T = TypeVar("_T")


def patiently(
    ask: Callable[[], _T],
    *,
    seconds: float,
    now: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> _T:
    """Call a function, again and again with growing pauses while the server cannot be reached.

    Args:
        ask: The function; it may be called several times.
        seconds: For how long.
        now: The clock.
        wait: Waits for so many seconds.

    Raises:
        TransportError: Time is up; the last reason.
    """
    until = now() + seconds
    for delay in backoff(chance):
        try:
            return ask()
        except TransportError:
            if now() + delay >= until:
                raise
        wait(delay)
    raise AssertionError("unreachable")
