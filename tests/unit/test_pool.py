"""The threads on which live queries ask."""

from __future__ import annotations

import threading
import time

import pytest

from kalam_notebook.live_queries.following import pool as pool_module
from kalam_notebook.live_queries.following.pool import Pool


@pytest.fixture
def make_pool():
    made = []

    def make_pool(**options):
        made.append(Pool(**{"per_second": 10_000, **options}))
        return made[-1]

    yield make_pool
    for pool in made:
        pool.close()


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "kalam-live-truth"]


def wait_until(condition, timeout=10.0):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def test_threads_are_started_when_needed_and_shared(make_pool):
    pool = make_pool(max_threads=2)
    assert threads() == []
    running, release, done = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)

    def work():
        running.release()
        release.wait(20)
        done.release()

    for _ in range(5):
        pool.submit(work)
    assert running.acquire(timeout=10)
    assert running.acquire(timeout=10)
    assert not running.acquire(timeout=0.05)
    assert len(threads()) == 2
    release.set()
    for _ in range(5):
        assert done.acquire(timeout=10)


def test_work_is_paced(make_pool):
    pool, begun = make_pool(max_threads=4, per_second=50), []
    done = threading.Semaphore(0)

    def work():
        begun.append(time.monotonic())
        done.release()

    for _ in range(6):
        pool.submit(work)
    for _ in range(6):
        assert done.acquire(timeout=10)
    begun.sort()
    # Not before its time; a busy machine may be late.
    assert begun[-1] - begun[0] >= 5 * 0.02 - 0.005


def test_threads_end_when_there_is_nothing_to_do(make_pool, monkeypatch):
    monkeypatch.setattr(pool_module, "_IDLE", 0.02)
    pool, done = make_pool(), threading.Semaphore(0)
    for _ in range(2):
        pool.submit(done.release)
        assert done.acquire(timeout=10)
        wait_until(lambda: threads() == [])


def test_close_drops_what_waits(make_pool):
    pool = make_pool(max_threads=1)
    running, release, later = threading.Event(), threading.Event(), threading.Event()
    pool.submit(lambda: (running.set(), release.wait(20)))
    pool.submit(later.set)
    assert running.wait(10)
    start = time.monotonic()
    pool.close()
    assert time.monotonic() - start < 1.0
    release.set()
    pool.close()
    pool.submit(later.set)
    assert threads() == []
    assert not later.is_set()
