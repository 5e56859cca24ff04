"""The simulation behind docs/scale.md agrees with what is computed, and with what it is made of."""

import math
from pathlib import Path

import pytest

from benchmarks.scale import CASES, Case, Simulation

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("viewers", [1, 10, 60])
def test_a_server_that_is_not_full_is_busy_as_computed(viewers):
    case = Case(viewers, 20_000, 1)
    found = Simulation(case).run()
    assert case.standing < found.busy <= case.computed()
    assert 0 < found.back < 60  # All are back, and none of them opens beyond what the opening takes.
    assert found.opened < 15 + viewers * case.scan


def test_more_viewers_and_rows_cost_more():
    few, many, long = (Simulation(case).run() for case in (Case(5, 2_000, 1), Case(40, 2_000, 1), Case(40, 20_000, 1)))
    assert few.busy < many.busy < long.busy
    assert many.longest <= long.longest
    assert math.isfinite(long.back)


def test_the_page_shows_every_case():
    for case in CASES:
        flushed = ", flushed" if case.row_s < Case(1, 1, 1).row_s else ""
        assert (
            f"| {case.viewers:,} | {case.rows:,}{flushed} | {case.rate:g} | {case.cores} | {case.standing:.2f} " in PAGE
        )
