"""Ctrl-C, 2,500 times; a few of each in ``tests/client/test_interrupts.py``."""

import pytest
from interrupting import attack, interrupted_process, working

pytestmark = [
    pytest.mark.timeout(250),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def work(sandbox_server, tmp_path_factory):
    with working(sandbox_server, tmp_path_factory.mktemp("downloads")) as work:
        yield work


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("query", 600),
        ("exact", 500),
        ("write", 300),
        ("insert", 200),
        ("live", 350),
        ("download", 350),
    ],
)
def test_2300_interrupts_at_any_place(work, name, times):
    assert attack(work, name, times, seed=1) > times // 2


@pytest.mark.parametrize("place", ["script", "cell"])
def test_200_times_ctrl_c_at_random_moments(sandbox_server, place):
    assert interrupted_process(sandbox_server, place, 100) > 30
