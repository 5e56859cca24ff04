"""Ctrl-C at any moment: the client goes on to work, nothing hangs, and nothing is left open."""

import time
from functools import partial

import pytest
from interrupting import at_ends_of_blocks, at_locks_of, attack, count_places, interrupt, interrupted_process, working

pytestmark = [
    pytest.mark.timeout(120),
    # What an interrupt in a destructor or in the making of an event loop leaves to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def work(sandbox_server, tmp_path_factory):
    with working(sandbox_server, tmp_path_factory.mktemp("downloads")) as work:
        yield work


OPERATIONS = ["query", "first", "exact", "write", "insert", "download", "live", "events", "socket", "close"]


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_interrupt_at_any_moment_leaves_a_client_that_works(work, name):
    assert attack(work, name, 25) > 12


@pytest.mark.parametrize("name", ["query", "first", "exact", "write", "download", "live"])
def test_an_interrupt_behind_the_taking_of_a_lock_of_httpcore(work, name):
    where = at_locks_of("httpcore")
    total = count_places(getattr(work, name), where)
    work.check()
    assert total
    assert attack(work, name, min(total, 12), where=where) > 0


@pytest.mark.parametrize("name", ["exact", "write"])
@pytest.mark.slow
def test_an_interrupt_leaves_nothing_set_that_a_block_would_have_set_back(work, name):
    total = count_places(getattr(work, name), at_ends_of_blocks)
    assert attack(work, name, min(total, 20), where=at_ends_of_blocks) > 5


def test_closing_after_an_interrupt_takes_no_time(work):
    client = work.connect()
    client.execute_query("SELECT 1")
    call = partial(client.execute_query, "SELECT 1")
    places = count_places(call, at_locks_of("httpcore"))
    for place in range(1, places + 1):
        assert interrupt(call, place, at_locks_of("httpcore"))
    started = time.monotonic()
    client.close()
    assert time.monotonic() - started < 1


@pytest.mark.slow
def test_a_live_table_ends_wherever_its_closing_is_interrupted(work):
    places = count_places(work.opened().close)
    assert places > 20
    for place in range(1, places + 1):
        interrupt(work.opened().close, place)
        work.wait_until_followed_by_nobody()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["script", "cell"])
def test_ctrl_c_at_random_moments(sandbox_server, place):
    assert interrupted_process(sandbox_server, place, 20) > 5
