"""When frames may go to the page: full speed, silence, repeats, and an end for a tab that is closed."""

from __future__ import annotations

import pytest

from kalam_notebook.notebook.page.pace import INTERVAL, FramePace, Turns

MIB = 1024 * 1024


def send(
    pace: FramePace, count: int, *, start: int = 1, now: float = 0.0, nbytes: int = 1000, whole: bool = False
) -> None:
    for frame in range(start, start + count):
        pace.sent(frame, nbytes, now, whole=whole)


def alone() -> FramePace:
    """A pace whose turns never make it wait."""

    class Always(Turns):
        def take(self, now: float) -> None:
            pass

    return FramePace(Always())


def test_thirty_frames_a_second_at_most_counted_from_the_start_of_the_work():
    pace = FramePace()
    assert pace.delay(0.0, is_heard=True) == 0.0
    pace.sent(1, 1000, 5.0, whole=False, spent=0.005)
    assert pace.delay(5.005, is_heard=True) == pytest.approx(1 / 30 - 0.005)
    assert pace.delay(5.04, is_heard=True) == 0.0


def test_a_flood_comes_in_few_large_frames():
    pace = alone()
    pace.sent(1, 1000, 0.0, whole=False, rows=1_000)
    assert pace.delay(0.0, is_heard=True) == pytest.approx(0.08)  # Ten such frames a second are no flood.
    pace.sent(2, 1000, 1.0, whole=False, rows=50_000)
    assert pace.delay(1.0, is_heard=True) == pytest.approx(0.105)


def test_dear_frames_leave_the_kernel_time():
    pace = alone()
    pace.sent(1, 1000, 0.0, whole=False, spent=0.05)
    assert pace.delay(0.05, is_heard=True) == pytest.approx(0.15)
    pace.sent(2, 1000, 1.0, whole=True, spent=0.5)  # The whole table is no measure of what changes cost.
    assert pace.delay(1.5, is_heard=True) == 0.0


def test_the_tables_of_a_kernel_take_turns():
    turns = Turns()
    paces = [FramePace(turns) for _ in range(5)]
    sent, now = [0] * len(paces), 0.0
    while now < 2.0:
        waits = [pace.delay(now, is_heard=True) for pace in paces]
        now += min(waits)
        first = min(range(len(paces)), key=lambda index: (paces[index].delay(now, is_heard=True), sent[index]))
        sent[first] += 1
        paces[first].sent(sent[first], 100, now, whole=False)
        paces[first].acknowledged(sent[first], now)
    assert sum(sent) == pytest.approx(2.0 / INTERVAL, abs=2)
    assert max(sent) - min(sent) <= 1


def test_a_page_that_is_heard_and_silent_gets_little_and_then_nothing():
    pace = alone()
    send(pace, 3)
    assert pace.delay(0.0, is_heard=True) == pytest.approx(INTERVAL)
    send(pace, 1, start=4)
    assert pace.delay(0.0, is_heard=True) == pytest.approx(1.0)
    assert pace.delay(9.0, is_heard=True) == 0.0
    assert pace.delay(10.0, is_heard=True) is None
    pace.acknowledged(4, 10.0)
    assert pace.delay(10.0, is_heard=True) == 0.0


def test_a_page_that_answers_in_time_may_leave_more_unanswered():
    pace = alone()
    assert pace.credit == 3
    send(pace, 3)
    pace.acknowledged(3, 1.5)
    assert pace.credit == 30
    send(pace, 30, start=4)
    assert pace.delay(0.0, is_heard=True) == pytest.approx(INTERVAL)
    send(pace, 1, start=34)
    assert pace.delay(0.0, is_heard=True) == pytest.approx(1.0)
    pace.acknowledged(34, 1.6)
    assert pace.credit == 3
    pace.sent(35, 10, 2.0, whole=False)
    pace.acknowledged(35, 2.0)
    assert pace.credit == 30
    pace.greeted()
    assert pace.credit == 3


@pytest.mark.parametrize(("silence", "interval"), [(59.0, INTERVAL), (60.0, 1.0), (899.0, 1.0), (900.0, 10.0)])
def test_silence_while_a_cell_runs_makes_frames_rare_but_does_not_stop_them(silence, interval):
    pace = alone()
    send(pace, 1_000)
    pace.sent(1_001, 1000, silence, whole=False)
    assert pace.delay(silence, is_heard=False) == pytest.approx(interval)
    pace.acknowledged(1_001, silence)
    assert pace.delay(silence, is_heard=False) == pytest.approx(INTERVAL)


def test_an_acknowledgement_counts_for_all_frames_before_it():
    pace = alone()
    send(pace, 150, nbytes=16 * MIB // 90 + 1)
    pace.acknowledged(60, 0.0)
    assert pace.interval(1.0, is_heard=False) == 1.0
    pace.acknowledged(10, 0.0)
    assert pace.interval(1.0, is_heard=False) == 1.0
    pace.acknowledged(61, 0.0)
    assert pace.interval(1.0, is_heard=False) == INTERVAL


def test_bytes_set_an_end_until_the_page_answers():
    pace = alone()
    send(pace, 15, nbytes=MIB)
    assert pace.interval(1.0, is_heard=False) == INTERVAL
    send(pace, 1, start=16, nbytes=MIB)
    assert pace.interval(1.0, is_heard=False) == 1.0
    send(pace, 47, start=17, nbytes=MIB)
    assert pace.delay(1000.0, is_heard=False) == 0.0
    send(pace, 1, start=64, nbytes=MIB)
    assert pace.delay(1000.0, is_heard=False) is None
    pace.acknowledged(1, 0.0)
    assert pace.delay(1000.0, is_heard=False) == 0.0
    send(pace, 1, start=65, nbytes=MIB)
    pace.greeted()
    assert pace.delay(1000.0, is_heard=False) == 0.0


@pytest.mark.parametrize(
    ("nbytes", "expected"), [(1000, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]), (5 * MIB, [0.5, 1.0, 2.0]), (20 * MIB, [0.5])]
)
def test_the_first_frame_is_repeated_after_growing_silences_and_not_for_ever(nbytes, expected):
    pace = FramePace()
    now, gaps = 0.0, []
    send(pace, 1, whole=True)
    assert pace.repeat_in(now, is_heard=True) is None  # A page that is there would have said so.
    for frame in range(2, 20):
        wait = pace.repeat_in(now, is_heard=False)
        if wait is None:
            break
        gaps.append(wait)
        now += wait
        assert pace.repeat_in(now, is_heard=False) == 0.0
        pace.sent(frame, nbytes, now, whole=True)
    assert gaps == expected


def test_who_acknowledges_gets_no_repeats():
    pace = FramePace()
    send(pace, 1, whole=True)
    pace.acknowledged(1, 0.0)
    assert pace.repeat_in(100.0, is_heard=False) is None
    pace.sent(2, 10, 100.0, whole=False)
    assert pace.repeat_in(100.0, is_heard=False) == 4.0
    pace.acknowledged(2, 0.0)
    assert pace.repeat_in(200.0, is_heard=False) is None


def test_a_new_page_begins_anew():
    pace = alone()
    send(pace, 200, whole=True)
    pace.greeted()
    assert pace.repeat_in(0.0, is_heard=False) is None
    assert pace.interval(0.0, is_heard=True) == INTERVAL
