"""When the truth lane asks: every rule by times that are given."""

from __future__ import annotations

import math
from itertools import pairwise, repeat

from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.live.schedule import Rhythm, TruthSchedule

RHYTHM = Rhythm(gap=0.25, settle=0.05, quiet=30.0)


def schedule(*delays: float) -> TruthSchedule:
    return TruthSchedule(RHYTHM, lambda: iter([*delays, *repeat(9.0, 99)]))


def after_a_round(at: float = 10.0, took: float = 0.0) -> TruthSchedule:
    made = schedule()
    made.wish(at - took)
    made.start(at - took)
    made.finish(at)
    return made


def test_nothing_is_due_before_there_is_a_reason():
    assert schedule().due == math.inf


def test_a_wish_is_due_at_once_and_once():
    made = schedule()
    made.wish(5.0)
    assert made.due == 5.0
    made.start(5.0)
    assert (made.due, made.is_running) == (math.inf, True)
    made.finish(5.1)
    assert (made.due, made.is_running) == (35.1, False)


def test_an_event_is_due_when_it_has_settled():
    made = after_a_round(10.0)
    made.event(20.0)
    assert made.due == 20.05
    made.event(20.04)
    assert made.due == 20.09


def test_a_burst_that_does_not_settle_is_due_after_the_gap():
    made = after_a_round(10.0)
    for number in range(100):
        made.event(20.0 + number * 0.04)
    assert made.due == 20.25


def test_rounds_of_a_flow_of_events_keep_their_distance():
    made = after_a_round(10.0)
    made.event(10.01)
    assert made.due == 10.25
    slow = after_a_round(10.0, took=2.0)
    slow.event(10.01)
    assert slow.due == 16.0


def test_a_wish_waits_for_no_distance():
    made = after_a_round(10.0)
    made.wish(10.01)
    assert made.due == 10.01


def test_what_comes_during_a_round_is_due_after_it():
    made = schedule()
    made.wish(1.0)
    made.start(1.0)
    made.event(1.1)
    assert made.due == math.inf
    made.finish(1.2)
    assert made.due == 1.2 + 3 * (1.2 - 1.0)
    made.start(1.8)
    made.wish(1.9)
    made.finish(2.0, again_in=0.5)
    assert made.due == 1.9


def test_another_round_at_once():
    made = schedule()
    made.wish(1.0)
    made.start(1.0)
    made.finish(1.2, again_in=0.0)
    assert made.due == 1.2


def test_failures_are_followed_by_growing_delays_until_a_round_ends_well():
    made = schedule(0.5, 4.0)
    for delay in (0.5, 4.0):
        made.wish(1.0)
        made.start(1.0)
        assert made.fail(2.0) == delay
        assert made.due == 2.0 + delay
    made.start(7.0)
    made.finish(7.1)
    made.start(40.0)
    assert made.fail(41.0) == 0.5


@given(st.lists(st.tuples(st.sampled_from(["event", "round"]), st.floats(0, 2)), max_size=60))
def test_at_most_four_rounds_a_second_while_events_flow(steps):
    made, now, begun = after_a_round(0.0), 0.0, []
    for kind, pause in steps:
        now += pause
        if kind == "event":
            made.event(now)
        elif made.due <= now:
            begun.append(now)
            made.start(now)
            made.finish(now)
    assert all(later - earlier >= 0.25 for earlier, later in pairwise(begun))
