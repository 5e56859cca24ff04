"""When frames may go to the page: full speed, silence, repeats, and an end for a tab that is closed."""

from __future__ import annotations

import pytest

from kalam_notebook.notebook.page.pace import Pace

MIB = 1024 * 1024


def send(pace: Pace, count: int, *, start: int = 1, now: float = 0.0, nbytes: int = 1000, whole: bool = False) -> None:
    for frame in range(start, start + count):
        pace.sent(frame, nbytes, now, whole=whole)


def test_ten_frames_a_second_at_most():
    pace = Pace()
    assert pace.delay(0.0) == 0.0
    send(pace, 1, now=5.0)
    assert pace.delay(5.0) == pytest.approx(0.1)
    assert pace.delay(5.06) == pytest.approx(0.04)
    assert pace.delay(5.2) == 0.0


@pytest.mark.parametrize(("unacknowledged", "interval"), [(99, 0.1), (100, 1.0), (999, 1.0), (1000, 10.0)])
def test_silence_makes_frames_rare_but_does_not_stop_them(unacknowledged, interval):
    pace = Pace()
    send(pace, unacknowledged)
    assert pace.delay(0.0) == pytest.approx(interval)
    pace.acknowledged(unacknowledged)
    assert pace.unacknowledged == 0
    assert pace.delay(0.0) == pytest.approx(0.1)


def test_an_acknowledgement_counts_for_all_frames_before_it():
    pace = Pace()
    send(pace, 150)
    pace.acknowledged(60)
    assert pace.unacknowledged == 90
    pace.acknowledged(10)
    assert pace.unacknowledged == 90


def test_bytes_set_an_end_until_the_page_answers():
    pace = Pace()
    send(pace, 63, nbytes=MIB)
    assert pace.delay(1000.0) == 0.0
    send(pace, 1, start=64, nbytes=MIB)
    assert pace.delay(1000.0) is None
    pace.acknowledged(1)
    assert pace.delay(1000.0) == 0.0
    send(pace, 1, start=65, nbytes=MIB)
    pace.greeted()
    assert pace.delay(1000.0) == 0.0


def test_the_first_frame_is_repeated_after_growing_silences_and_not_for_ever():
    pace = Pace()
    now, gaps = 0.0, []
    send(pace, 1, whole=True)
    for frame in range(2, 20):
        wait = pace.repeat_in(now)
        if wait is None:
            break
        gaps.append(wait)
        now += wait
        assert pace.repeat_in(now) == 0.0
        pace.sent(frame, 1000, now, whole=True)
    assert gaps == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]


def test_who_acknowledges_gets_no_repeats():
    pace = Pace()
    send(pace, 1, whole=True)
    pace.acknowledged(1)
    assert pace.repeat_in(100.0) is None
    pace.sent(2, 10, 100.0, whole=False)
    assert pace.repeat_in(100.0) == 4.0
    pace.acknowledged(2)
    assert pace.repeat_in(200.0) is None


def test_a_new_page_begins_anew():
    pace = Pace()
    send(pace, 200, whole=True)
    pace.greeted()
    assert pace.unacknowledged == 0
    assert pace.repeat_in(0.0) is None
    assert pace.interval == 0.1
