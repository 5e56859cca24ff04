"""Questions that are asked together."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from kalam_notebook.live_queries.following.together import Together


class Asker:
    """Asks from time to time."""


@pytest.fixture
def pool():
    with ThreadPoolExecutor(16) as pool:
        yield pool


def test_who_comes_while_others_are_asked_goes_with_all_who_wait(pool):
    asked, begun, release = [], threading.Event(), threading.Event()

    def ask(questions):
        asked.append(sorted(questions))
        begun.set()
        assert release.wait(20)
        return [question * 10 for question in questions]

    together, askers = Together(ask), [Asker() for _ in range(5)]
    first = pool.submit(together.ask, 0, group="t", asker=askers[0])
    assert begun.wait(20)
    others = [pool.submit(together.ask, n, group="t", asker=askers[n]) for n in range(1, 5)]
    while len(together._groups["t"].waiting) < 4:
        assert not first.done()
    release.set()
    assert [future.result(20) for future in (first, *others)] == [0, 10, 20, 30, 40]
    assert asked == [[0], [1, 2, 3, 4]]


def test_those_who_asked_before_are_waited_for(pool):
    asked = []

    def ask(questions):
        asked.append(sorted(questions))
        return questions

    together, askers = Together(ask), [Asker(), Asker()]
    for number, asker in enumerate(askers):
        together.ask(number, group="t", asker=asker)
    asked.clear()
    together._patience = 20.0
    futures = [pool.submit(together.ask, number, group="t", asker=asker) for number, asker in enumerate(askers)]
    assert [future.result(20) for future in futures] == [0, 1]
    assert asked == [[0, 1]]
    # One that is gone is not.
    del askers[0], asker
    assert together.ask(7, group="t", asker=askers[0]) == 7


def test_groups_do_not_wait_for_each_other(pool):
    release = threading.Event()

    def ask(questions):
        assert questions == ["quick"] or release.wait(20)
        return questions

    together = Together(ask)
    slow = pool.submit(together.ask, "slow", group="a", asker=Asker())
    assert together.ask("quick", group="b", asker=Asker()) == "quick"
    release.set()
    assert slow.result(20) == "slow"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_what_asking_raises_reaches_everybody_and_ends_nothing(error):
    answers = iter([error, [5]])

    def ask(questions):
        answer = next(answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    together, asker = Together(ask), Asker()
    with pytest.raises(type(error)):
        together.ask(1, group="t", asker=asker)
    assert together.ask(2, group="t", asker=asker) == 5


def test_one_that_is_refused_does_not_concern_the_others():
    together = Together(lambda questions: [ValueError(f"not {question}") for question in questions])
    with pytest.raises(ValueError, match="not 3"):
        together.ask(3, group="t", asker=Asker())
