"""Delays between attempts to connect."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.live.backoff import backoff


def test_delays_grow_to_a_bound():
    assert list(islice(backoff(lambda: 1.0, first=1.0, factor=2.0, most=5.0), 5)) == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_jitter_takes_up_to_half():
    numbers = iter([0.0, 0.5, 0.0])
    assert list(islice(backoff(lambda: next(numbers), first=1.0, factor=4.0, most=30.0), 3)) == [0.5, 3.0, 8.0]


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=12, max_size=12))
def test_delays_are_never_zero_nor_beyond_the_bound(numbers):
    values = iter(numbers)
    delays = list(islice(backoff(lambda: next(values)), 12))
    assert all(0.25 <= delay <= 30.0 for delay in delays)
    assert delays[-1] >= 15.0


def test_spread_delays_are_short_once_and_then_anything_up_to_half_of_the_bound():
    numbers = iter([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    assert list(islice(backoff(lambda: next(numbers), first=1.0, most=20.0, spread=True), 3)) == [0.5, 1.0, 10.0]
    assert list(islice(backoff(lambda: next(numbers), first=1.0, most=20.0, spread=True), 3)) == [1.0, 11.0, 20.0]
