"""Asking until it works, by a clock of the test's own."""

from __future__ import annotations

import pytest

from kalam_notebook.errors import ConnectError, QueryError, TransportError
from kalam_notebook.live_queries.following.patience import patiently


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += seconds


def asking(*results):
    """A function that gives or raises one after the other, and how often it was asked."""
    left, asked = list(results), []

    def ask():
        asked.append(1)
        result = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(result, Exception):
            raise result
        return result

    return ask, asked


def test_what_works_is_asked_once():
    clock, (ask, asked) = Clock(), asking(5)
    assert patiently(ask, seconds=1.0, now=clock.now, wait=clock.wait) == 5
    assert (len(asked), clock.time) == (1, 0.0)


def test_it_is_asked_until_it_works():
    clock, (ask, asked) = Clock(), asking(ConnectError("down"), TransportError("cut"), 5)
    assert patiently(ask, seconds=10.0, now=clock.now, wait=clock.wait) == 5
    assert len(asked) == 3
    assert 0.75 <= clock.time <= 1.5


def test_time_is_up():
    clock, (ask, asked) = Clock(), asking(ConnectError("down"))
    with pytest.raises(ConnectError, match="down"):
        patiently(ask, seconds=10.0, now=clock.now, wait=clock.wait)
    assert 3 <= len(asked) <= 6
    assert clock.time <= 10.0


def test_refusals_are_not_repeated():
    clock, (ask, asked) = Clock(), asking(QueryError("TABLE_NOT_FOUND", "no", 400))
    with pytest.raises(QueryError):
        patiently(ask, seconds=10.0, now=clock.now, wait=clock.wait)
    assert (len(asked), clock.time) == (1, 0.0)
