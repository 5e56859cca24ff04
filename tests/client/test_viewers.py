"""Real viewers beside simulated ones: what docs/scale.md shows of 10 and more, with two."""

from dataclasses import replace

import pytest

from benchmarks.scale import Case, Found, Simulation, Times
from benchmarks.viewers import Run, run

TIMES = Times(opening=0.5, settled=1.0, gone=3.0, away=1.0, end=60.0)


@pytest.mark.slow
def test_viewers_are_told_all_and_come_back_from_an_outage():
    real = run(Case(2, 100, 5, times=TIMES))
    found = Simulation(real.case).run()
    assert list(real.faults(found)) == []
    assert real.changes >= 5
    assert real.back < TIMES.end


def test_what_is_missing_or_too_much_is_told():
    good = Run(Case(10, 100, 5), 20, 200, 30, 10, opened=1.0, back=1.0, wrong=0, memory=1e6)
    found = Found(questions=20, proofs=5)
    assert list(good.faults(found)) == []
    assert list(replace(good, events=199).faults(found)) == ["199 events, and not 10 × 20"]
    assert list(replace(good, wrong=2).faults(found)) == ["2 of 10 viewers do not hold what the server holds"]
    assert list(replace(good, questions=41).faults(found)) == ["41 questions, and 20 simulated"]
    assert list(replace(good, scans=18).faults(found)) == ["18 scans, and 5 simulated"]
