"""Rows of a statement and bytes of a request are found by what was fast; requests keep the order of the frame."""

import pytest

from kalam_notebook.writing.inserts import insert_requests
from kalam_notebook.writing.pace import Size, WritingPace
from kalam_notebook.writing.rows import Row, RowState

HEAD = "INSERT INTO app.t (id) VALUES "


def write(pace, seconds_of, requests=300):
    """Send full requests to a server whose time for one is a function of rows a statement and statements."""
    used = []
    for _ in range(requests):
        size = pace.next()
        rows = max(1, size.bytes // 100)
        used.append(size)
        pace.note(size, rows, seconds_of(size.rows, rows / size.rows))
    return used


def square(best, request_s=0.001):
    """Seconds that grow with the square of a statement's rows, beside a price of its own: ``best`` rows are fastest."""
    return lambda rows, statements: request_s + statements * (best**2 + rows**2) * 1e-6


@pytest.mark.parametrize("best", [25, 100, 400])
def test_the_rows_of_a_statement_are_found(best):
    pace = WritingPace()
    write(pace, square(best))
    assert pace.best.rows in {best // 2, best, 2 * best}


def test_where_requests_are_far_away_they_grow():
    pace = WritingPace()
    write(pace, square(100, request_s=0.5))
    assert pace.best.bytes == 800_000


def test_where_large_requests_are_slow_they_shrink():
    pace = WritingPace()
    write(pace, lambda rows, statements: (rows * statements) ** 2 * 1e-6 + 0.005)
    assert pace.best.bytes < 100_000


def test_most_requests_have_the_best_sizes():
    """What is begun with is best: what trying costs must not be much."""
    used = write(WritingPace(), square(50), requests=100)
    assert used.count(Size(50, 100_000)) + used.count(Size(50, 200_000)) >= 85
    assert len(set(used)) > 2
    assert used[0] == Size(50, 100_000)


def test_one_slow_request_changes_nothing():
    pace = WritingPace()
    write(pace, square(100), requests=40)
    before = pace.best
    for _ in range(2):
        pace.note(before, 1000, 0.2)
    pace.note(before, 1000, 60.0)
    assert pace.best == before


def test_given_rows_stay():
    pace = WritingPace(37)
    assert {size.rows for size in write(pace, square(400))} == {37}


# Requests -----------------------------------------------------------------------------------------------------------


def row(number, *, width=20, is_plain=True):
    return Row(str(number), f"({number}, '{'x' * width}')", "", is_plain)


def ids(request):
    return [int(key) for key in request.keys]


def test_requests_keep_the_order_and_the_sizes():
    rows = [row(number) for number in range(10_000)]
    requests = list(insert_requests(HEAD, rows, WritingPace(50)))
    assert [number for request in requests for number in ids(request)] == list(range(10_000))
    assert len(requests) > 2
    for request in requests[:-1]:
        assert request.is_full
        assert 0.9 * request.size.bytes < len(request.text.encode()) <= request.size.bytes
        assert {len(statement) for statement in request.statements[:-1]} == {50}
        assert request.text.count(HEAD) == len(request.statements)
    assert not requests[-1].is_full


def test_a_row_that_is_larger_than_a_request_goes_alone():
    rows = [row(0), row(1, width=300_000), row(2)]
    assert [ids(request) for request in insert_requests(HEAD, rows, WritingPace())] == [[0], [1], [2]]


def test_rows_that_are_no_literals_have_statements_of_their_own_in_their_place():
    rows = [row(number, is_plain=number not in {2, 3}) for number in range(6)]
    (request,) = insert_requests(HEAD, rows, WritingPace())
    assert [[int(r.key) for r in statement] for statement in request.statements] == [[0, 1], [2, 3], [4, 5]]


def test_what_is_there_tells_which_statements_were_carried_out():
    (request,) = insert_requests(HEAD, [row(number) for number in range(6)], WritingPace(2))
    same, new, other = RowState.SAME, RowState.NEW, RowState.CHANGED
    assert request.written([same] * 6) == 3
    assert request.written([same, same, same, new, same, same]) == 1
    assert request.written([new] * 6) == 0
    assert request.written([other, new, new, new, new, new]) == 0
    assert [request.count(statements) for statements in (0, 1, 3, None)] == [0, 2, 6, 6]


def test_no_rows_make_no_request():
    assert list(insert_requests(HEAD, [], WritingPace())) == []
