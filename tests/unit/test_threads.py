"""Waiting for other threads, with interrupts at every place where one can come."""

import threading
import time
from functools import partial

import pytest
from interrupting import count_places, interrupt

from kalam_notebook.threads import Bell, Flag, Worker

pytestmark = pytest.mark.timeout(60)


def test_a_bell_wakes_all_who_wait():
    bell, heard = Bell(), []
    waiting = [threading.Thread(target=lambda: heard.append(bell.wait_beyond(0))) for _ in range(5)]
    for thread in waiting:
        thread.start()
    bell.ring()
    for thread in waiting:
        thread.join(10)
    assert heard == [1] * 5
    assert bell.count == 1


def test_a_bell_that_is_not_rung():
    bell = Bell()
    bell.ring()
    assert bell.wait_beyond(0) == 1
    started = time.monotonic()
    assert bell.wait_beyond(1, time.monotonic() + 0.05) == 1
    assert time.monotonic() - started >= 0.05


def test_a_bell_works_after_an_interrupt_at_any_place_of_waiting_and_ringing():
    def wait(bell):
        bell.wait_beyond(bell.count, time.monotonic() + 0.001)

    for call in (wait, Bell.ring):
        for place in range(1, count_places(partial(call, Bell())) + 1):
            bell = Bell()
            interrupt(partial(call, bell), place)
            seen, heard = bell.count, []
            other = threading.Thread(target=lambda bell=bell, seen=seen, to=heard: to.append(bell.wait_beyond(seen)))
            other.start()
            bell.ring()
            other.join(5)
            assert heard == [seen + 1], place


def test_a_ring_that_is_cut_short_is_heard_within_a_second():
    for place in range(1, count_places(Bell().ring) + 3):
        bell, heard = Bell(), []
        other = threading.Thread(target=lambda bell=bell, to=heard: to.append(bell.wait_beyond(0)))
        other.start()
        while not bell._waiting:
            time.sleep(0.001)
        interrupt(bell.ring, place)
        if not bell.count:  # It had not begun.
            bell.ring()
        other.join(3)
        assert heard == [1], place


def test_a_flag_is_raised_and_taken_down():
    flag = Flag()
    assert not flag.is_set()
    assert not flag.wait(0.01)
    flag.set()
    assert flag.is_set()
    assert flag.wait(0)
    flag.clear()
    assert not flag.is_set()
    assert not flag.wait(0.01)


def test_a_worker_works_once_and_can_be_waited_for():
    done = []
    worker = Worker(lambda: done.append(threading.current_thread()), name="kalam-test")
    worker.join(5)  # It was not started.
    assert not worker.is_alive()
    worker.start()
    worker.start()
    worker.join(5)
    assert done == [worker]
    assert not worker.is_alive()


def test_a_worker_whose_work_fails_has_ended(monkeypatch):
    def fail():
        raise ValueError("broken")

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    worker = Worker(fail, name="kalam-test")
    worker.start()
    worker.join(5)
    assert not worker.is_alive()


def test_a_worker_does_not_wait_for_itself():
    ended = threading.Event()
    worker = Worker(lambda: (worker.join(), ended.set()), name="kalam-test")
    worker.start()
    assert ended.wait(5)


def test_a_worker_is_started_in_spite_of_an_interrupt_at_any_place():
    places = count_places(Worker(lambda: None, name="kalam-test").start)
    assert places
    for place in range(1, places + 1):
        done = []
        worker = Worker(lambda done=done: done.append(1), name="kalam-test")
        interrupt(worker.start, place)
        worker.start()
        worker.join(5)
        assert done == [1], place


def test_waiting_for_a_worker_can_be_interrupted():
    go = threading.Event()
    places = None
    for place in range(1, 60):
        worker = Worker(go.wait, name="kalam-test")
        worker.start()
        places = interrupt(lambda worker=worker: worker.join(0.001), place)
        go.set()
        worker.join(5)
        assert not worker.is_alive()
        go.clear()
    assert places is False
