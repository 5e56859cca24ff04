"""Delays between attempts to connect."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from functools import partial
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.live_queries.connection.backoff import backoff
from kalam_notebook.live_queries.following.follower import SPREAD
from kalam_notebook.live_queries.following.schedule import Question, Rhythm, TruthSchedule


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


def test_a_connection_that_stood_is_tried_about_every_second():
    delays = list(islice(backoff(lambda: 0.5, first=1.0, most=20.0, spread=True), 400))
    assert delays[:11] == [0.75] + [1.0] * 10
    # Whoever is away for long waits for a tenth of that time.
    assert delays[20] == pytest.approx(sum(delays[1:20]) / 10)
    assert delays[-1] == 20.0


@pytest.mark.parametrize("away", [0.5, 2.0, 10.0, 60.0])
def test_a_thousand_that_lost_a_server_are_back_soon_and_do_not_read_at_once(away):
    """They are live again with a delta, which finds its place; scans are spread."""
    dice = random.Random(away)
    back, scans = [], Counter()
    for _ in range(1000):
        at = 0.0
        for delay in backoff(dice.random, spread=True):
            at += delay
            if at >= away:
                break
        schedule = TruthSchedule(Rhythm(), partial(backoff, dice.random))
        schedule.returned(at, spread=dice.random() * SPREAD)
        assert schedule.due == at
        assert schedule.start(at) is Question.DELTA
        schedule.finish(at, Question.DELTA)
        back.append(at - away)
        due = schedule.due
        assert schedule.start(due) is Question.PROOF
        scans[int(due)] += 1
    assert statistics.median(back) <= max(2.0, away / 10)
    assert max(scans.values()) <= 100
