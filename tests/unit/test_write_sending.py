"""Of a request that fails, what the server says tells which rows are in."""

import threading

import pytest

from kalam_notebook.errors import NotLeaderError, QueryError, RequestTimeoutError, WriteError
from kalam_notebook.writing.inserts import insert_requests
from kalam_notebook.writing.pace import WritingPace
from kalam_notebook.writing.rows import Row
from kalam_notebook.writing.sending import Sender, ahead


class Failing:
    def __init__(self, error):
        self.error = error

    def execute(self, sql, params=()):
        raise self.error


def failed(error, carried_out=None):
    """The error of a write whose one request of five statements of two rows fails, and whether the table was asked."""
    asked = []
    sender = Sender(Failing(error), "app.t", total=10, repeatable=False)
    rows = [Row(str(number), f"({number})", "", True) for number in range(10)]
    (request,) = insert_requests("INSERT INTO app.t (id) VALUES ", rows, WritingPace(2))
    with pytest.raises(WriteError) as caught, sender.rows(10):
        sender.insert(request, lambda: (asked.append(1), carried_out)[1])
    return caught.value, bool(asked)


def refusal(message, status=400):
    return QueryError("SQL_EXECUTION_ERROR", message, status, "INSERT")


@pytest.mark.parametrize(
    ("error", "first", "is_asked"),
    [
        (refusal("Statement 1 failed: no"), 0, False),
        (refusal("Statement 3 failed: SQL statement failed"), 4, False),
        (refusal("Statement 5 failed: no", status=500), 8, False),
        (refusal("SQL statement is invalid or not allowed"), 0, False),
    ],
)
def test_the_server_tells_which_statement_failed(error, first, is_asked):
    told, was_asked = failed(error)
    assert (told.rows, told.kept, was_asked) == ((first, 10), False, is_asked)


@pytest.mark.parametrize(
    "error",
    [RequestTimeoutError("no answer"), refusal("Bad gateway", status=502), NotLeaderError("X", "moved", 503, "")],
    ids=["timeout", "proxy", "leader"],
)
def test_what_was_lost_is_looked_for(error):
    told, was_asked = failed(error, carried_out=2)
    assert (told.rows, told.kept, was_asked) == ((4, 10), False, True)
    told, was_asked = failed(error, carried_out=None)
    assert (told.rows, told.kept, was_asked) == ((0, 10), None, True)


def test_a_lost_answer_does_not_end_a_write_that_was_carried_out():
    sender = Sender(Failing(RequestTimeoutError("no answer")), "app.t", total=1, repeatable=False)
    (request,) = insert_requests("INSERT INTO app.t (id) VALUES ", [Row("1", "(1)", "", True)], WritingPace())
    with sender.rows(1):
        sender.insert(request, lambda: 1)
    assert (sender.done, sender.requests, sender.counts["inserted"]) == (1, 1, 1)


def test_the_next_item_is_made_while_one_is_dealt_with():
    made = [threading.Event() for _ in range(3)]

    def items():
        for number, event in enumerate(made):
            event.set()
            yield number

    for item in ahead(items()):
        if item < 2:
            assert made[item + 1].wait(timeout=20)
    assert item == 2


def test_an_error_in_the_making_is_raised():
    def items():
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(ahead(items()))
