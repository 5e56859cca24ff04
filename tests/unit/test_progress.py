"""How far a reading is: what is counted, when it is shown, where, and what an interrupted reader is told."""

import io
import sys
import threading
from types import SimpleNamespace

import pytest

from kalam_notebook.errors import QueryError
from kalam_notebook.results import progress
from kalam_notebook.results.progress import (
    PROGRESS_MIME,
    RUNNING,
    WRITING,
    Meter,
    NotebookSurface,
    TerminalSurface,
    each_reported,
    find_surface,
    reporting,
    silent,
)


def test_a_meter_counts_and_says_it_in_a_line():
    meter = Meter(now=100.0)
    assert meter.wait(100.1) == pytest.approx(0.4)
    assert meter.wait(100.6) == 0.0
    meter.received(12_345, 0)
    assert meter.line(100.64) == "KalamDB: reading · 12.3 kB · 0.6 s"
    meter.received(1_500_000, 12_000)
    meter.found(11_000)
    assert meter.line(102.0) == "KalamDB: reading · 12,000 rows · 1.5 MB · 2.0 s"
    meter.expect(120_000)
    assert meter.line(103.0) == "KalamDB: reading · 12,000 of 120,000 rows · 1.5 MB · 3.0 s"
    assert meter.summary == "12,000 rows and 1.5 MB had been read and let go. The server may go on with the query."


def test_words_for_what_is_done():
    assert Meter(0.0, RUNNING).line(2.0) == "KalamDB: running · 2.0 s"
    assert Meter(0.0, RUNNING).summary == "The server may carry out the statement all the same."
    meter = Meter(0.0, WRITING)
    meter.expect(10)
    meter.found(5)
    assert meter.line(2.0) == "KalamDB: writing · 5 of 10 rows · 2.0 s"
    assert meter.summary == "5 rows had been written. What was on its way may be written, too."


class Board:
    """A surface that says when something is shown."""

    def __init__(self):
        self.lines, self.cleared = [], 0
        self.changed = threading.Condition()

    def show(self, line):
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    def clear(self):
        self.cleared += 1

    def wait_for(self, words):
        with self.changed:
            assert self.changed.wait_for(lambda: any(words in line for line in self.lines), timeout=10), self.lines


def test_a_long_reading_is_shown_with_its_total_and_cleared(monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL_S", 0.01)
    board, meter = Board(), Meter(now=-1.0)
    meter.count = lambda: 500
    with reporting(meter, board, now=lambda: 0.0):
        meter.received(1_000_000, 100)
        board.wait_for("100 of 500 rows · 1.0 MB")
        meter.found(200)
        board.wait_for("200 of 500 rows")
    assert board.cleared == 1
    shown = len(board.lines)
    threads = [thread for thread in threading.enumerate() if thread.name == "kalam-progress"]
    for thread in threads:
        thread.join(10)
    assert len(board.lines) == shown


def test_a_total_that_cannot_be_had_is_done_without(monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL_S", 0.01)
    board, meter = Board(), Meter(now=-1.0)

    def refuse():
        raise QueryError("SQL_EXECUTION_ERROR", "no", 400)

    meter.count = refuse
    with reporting(meter, board, now=lambda: 0.0):
        meter.received(1, 7)
        board.wait_for("7 rows")


def test_a_short_reading_shows_nothing():
    board = Board()
    with reporting(Meter(now=0.0), board, now=lambda: 0.0):
        pass
    assert (board.lines, board.cleared) == ([], 0)


def test_who_interrupts_is_told_what_had_been_read():
    meter = Meter()
    meter.received(2_000, 1)
    with pytest.raises(KeyboardInterrupt) as caught, reporting(meter, None):
        raise KeyboardInterrupt
    assert caught.value.__notes__ == ["1 row and 2.0 kB had been read and let go. The server may go on with the query."]


def test_what_is_told_around_is_not_told_inside():
    outer, inner = Board(), Board()
    with reporting(Meter(now=-1.0), outer, now=lambda: 0.0):
        outer.wait_for("reading")
        with reporting(Meter(now=-1.0), inner, now=lambda: 0.0):
            pass
    with silent(), reporting(Meter(now=-1.0), inner, now=lambda: 0.0):
        pass
    assert (inner.lines, inner.cleared) == ([], 0)
    with reporting(Meter(now=-1.0), inner, now=lambda: 0.0):
        inner.wait_for("reading")


def test_batches_are_told_while_somebody_waits_for_them(monkeypatch):
    boards, closed = [], []

    def batches():
        try:
            for _ in range(3):
                boards[-1].wait_for("reading")
                yield [1, 2]
            return "complete"
        finally:
            closed.append(True)

    monkeypatch.setattr(progress, "find_surface", lambda: boards.append(Board()) or boards[-1])
    monkeypatch.setattr(progress, "DELAY_S", 0.0)
    meter = Meter()
    told = each_reported(batches(), meter, now=lambda: 0.0)
    assert next(told) == [1, 2]
    assert [board.cleared for board in boards] == [1]
    assert next(told) == [1, 2]
    assert meter.line(0.0) == "KalamDB: reading · 4 rows · 0.0 s"
    assert next(told) == [1, 2]
    with pytest.raises(StopIteration) as ended:
        next(told)
    assert ended.value.value == "complete"
    assert closed == [True]
    again = each_reported(batches(), Meter(), now=lambda: 0.0)
    next(again)
    again.close()
    assert closed == [True, True]


def test_a_notebook_has_one_output_that_is_replaced_and_emptied():
    published = []
    surface = NotebookSurface(lambda data, metadata, *, transient, update: published.append((data, transient, update)))
    surface.show("<b>1 row</b>")
    surface.show("2 rows")
    surface.clear()
    assert [data["text/html"] for data, _, _ in published] == [
        "<small>&lt;b&gt;1 row&lt;/b&gt;</small>", "<small>2 rows</small>", "",
    ]  # fmt: skip
    told = [data[PROGRESS_MIME] for data, _, _ in published]
    assert [one["line"] for one in told] == ["<b>1 row</b>", "2 rows", None]
    assert len({one["id"] for one in told}) == 1
    assert [update for _, _, update in published] == [False, True, True]
    assert len({transient["display_id"] for _, transient, _ in published}) == 1


def test_a_terminal_has_one_line():
    stream = io.StringIO()
    surface = TerminalSurface(stream)
    surface.show("one")
    surface.clear()
    assert stream.getvalue() == "\rone\x1b[K\r\x1b[K"


def test_nothing_is_shown_where_nobody_looks(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", io.StringIO())
    # As another thread sees a module that is just being imported, and as it is without a shell.
    for module in (SimpleNamespace(), SimpleNamespace(get_ipython=lambda: None)):
        monkeypatch.setitem(sys.modules, "IPython", module)
        assert find_surface() is None
    monkeypatch.setattr("sys.stderr", Terminal())
    assert isinstance(find_surface(), TerminalSurface)
    publisher = SimpleNamespace(pub_socket=None, publish=lambda *args, **options: None)
    for request, surface in (({"allow_stdin": True}, NotebookSurface), ({"allow_stdin": False}, type(None))):
        kernel = SimpleNamespace(display_pub=publisher, get_parent=lambda request=request: {"content": request})
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda kernel=kernel: kernel))
        assert isinstance(find_surface(), surface)
