"""The view of a live table without a browser: outputs, frames, messages of the page, freezing."""

from __future__ import annotations

import datetime as dt
import gc
import logging
import re
import threading
import time
import weakref
from contextlib import contextmanager

import ipywidgets
import pyarrow as pa
import pytest
from fake_live import FakeLive
from test_recording_replay import make_file

from kalam_notebook.errors import SubscriptionError
from kalam_notebook.live_queries.replay import replay
from kalam_notebook.notebook.page import freeze, live_view
from kalam_notebook.notebook.page.freeze import WIDGET_VIEW, Outputs
from kalam_notebook.notebook.page.live_view import LiveTableWidget, LiveView, display_live
from kalam_notebook.notebook.page.pace import INTERVAL
from kalam_notebook.wire.types import Column

#: What a page is told that was loaded anew, where alone an end is seen.
NOT_KEPT = " · run the cell again to keep these rows in the notebook"


class Notebook:
    """What the notebook would hold: outputs by display id, in order; and what went to the page."""

    def __init__(self) -> None:
        self.outputs: dict[str, dict[str, object]] = {}
        self.updates = 0
        self.end: str | None = None
        self.frames: list[tuple[dict, list[bytes], str]] = []
        self.waiting = 0  # Threads that are held up.
        self._open = threading.Event()
        self._open.set()
        self._changed = threading.Condition()

    @contextmanager
    def held(self):
        """Hold up whoever publishes."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def publish(self, data: dict, display_id: str, update: bool) -> None:
        with self._changed:
            self.waiting += 1
            self._changed.notify_all()
        assert self._open.wait(timeout=10.0)
        with self._changed:
            self.waiting -= 1
            assert update == (display_id in self.outputs)
            self.outputs[display_id] = data
            self.updates += update
            self._changed.notify_all()

    def send(self, content: dict, buffers: list[bytes] | None) -> None:
        with self._changed:
            if content["kind"] == "end":
                self.end = content["text"]
            else:
                self.frames.append((content, buffers, threading.current_thread().name))
            self._changed.notify_all()

    def wait(self, condition) -> None:
        """Wait until something is true of the notebook; checked after each event."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout=10.0), self.frames

    @property
    def copy(self) -> dict:
        return next(iter(self.outputs.values()))

    @property
    def widget_output(self) -> dict:
        return list(self.outputs.values())[1]

    def names(self) -> dict[int, str]:
        """The rows as a page would hold them."""
        rows: dict[int, str] = {}
        for content, (stream, removed), _ in self.frames:
            table = pa.ipc.open_stream(stream).read_all()
            if content["base"] < 0:
                rows = {}
            for row_id in memoryview(removed).cast("q"):
                rows.pop(row_id, None)
            rows |= dict(zip(table["id"].to_pylist(), table["1"].to_pylist(), strict=True))
        return rows


class Widget(LiveTableWidget):
    """The widget with its way to the page replaced."""

    notebook: Notebook

    def send(self, content, buffers=None):
        self.notebook.send(content, buffers)

    def hear(self, content: dict) -> None:
        self._handle_custom_msg(content, [])

    def open_pages(self, *pages: str) -> None:
        for page in pages:
            self.hear({"kind": "hello", "page": page})


@pytest.fixture
def notebook():
    return Notebook()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(autouse=True)
def first_word(monkeypatch):
    """Set how long a view waits for a page's first word; not at all, unless a test does."""

    def set_to(seconds: float) -> None:
        monkeypatch.setattr(live_view, "FIRST_WORD", seconds)

    set_to(0.0)
    return set_to


@pytest.fixture
def show(notebook):
    """Show a live table; the views are frozen in the end."""
    views: list[LiveView] = []

    def show(live: FakeLive, **settings) -> tuple[LiveView, Widget]:
        outputs = Outputs(notebook.publish)
        widget = Widget(sql=live.sql, twin=outputs.twin)
        widget.notebook = notebook
        view = LiveView(live, widget=widget, outputs=outputs, **settings)
        views.append(view)
        view.show()
        return view, widget

    yield show
    for view in views:
        view.freeze()


def test_two_outputs_a_static_copy_and_the_widget(notebook, show):
    _, widget = show(FakeLive({1: "Ada <b>"}))
    assert set(notebook.copy) == {"text/html", "text/plain"}
    assert "Ada &lt;b&gt;" in notebook.copy["text/html"]
    assert f'data-kalam-twin="{widget.twin}"' in notebook.copy["text/html"]
    assert "live, as of " in notebook.copy["text/plain"]
    assert "1 row · live" in notebook.copy["text/plain"]
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    assert notebook.widget_output == {WIDGET_VIEW: view, "text/plain": ""}


def test_the_model_holds_no_rows(notebook, show):
    _, widget = show(FakeLive({1: "a-value-of-a-row"}))
    notebook.wait(lambda: notebook.frames)
    state = widget.get_state()
    assert "a-value-of-a-row" not in str(state)
    assert {key for key in state if not key.startswith("_")} == {"layout", "sql", "tabbable", "tooltip", "twin"}


def test_changes_reach_the_page_from_a_thread_of_the_view(notebook, show):
    live = FakeLive({1: "Ada", 2: "Grace"})
    show(live)
    notebook.wait(lambda: notebook.names() == {1: "Ada", 2: "Grace"})
    live.put(3, "Alan")
    live.put(1, "Augusta")
    live.drop(2)
    notebook.wait(lambda: notebook.frames and notebook.frames[-1][0]["status"]["changes"] == 3)
    assert notebook.names() == {1: "Augusta", 3: "Alan"}
    content = notebook.frames[-1][0]
    assert content["status"]["rows"] == 2
    assert time.time() - content["status"]["changed_at"] / 1000 < 60
    assert {thread for _, _, thread in notebook.frames} == {"kalam-live-view"}


def test_changes_are_gathered_into_few_frames(notebook, show):
    live = FakeLive({1: "Ada"})
    _, widget = show(live)
    notebook.wait(lambda: notebook.frames)
    widget.hear({"kind": "ack", "frame": 1})
    started = time.monotonic()
    for i in range(2, 502):
        live.put(i, str(i))
    notebook.wait(lambda: len(notebook.names()) == 501)
    elapsed = time.monotonic() - started
    assert len(notebook.frames) <= 4 + elapsed / INTERVAL


def test_a_page_that_says_hello_gets_everything(notebook, show):
    _, widget = show(FakeLive({1: "Ada"}))
    notebook.wait(lambda: notebook.frames)
    widget.hear({"kind": "ack", "frame": 1})
    widget.hear({"kind": "hello", "page": "p"})
    notebook.wait(lambda: len(notebook.frames) == 2)
    assert notebook.frames[1][0]["base"] == -1


def test_a_page_that_speaks_before_the_first_frame_gets_the_rows_once(notebook, show, first_word):
    first_word(60.0)
    live = FakeLive({1: "Ada"})
    _, widget = show(live)
    widget.open_pages("p")
    notebook.wait(lambda: notebook.frames)
    widget.hear({"kind": "ack", "frame": 1})
    live.put(2, "Grace")
    notebook.wait(lambda: notebook.names() == {1: "Ada", 2: "Grace"})
    assert [content["base"] for content, _, _ in notebook.frames] == [-1, 1]


class Greeted(FakeLive):
    """A table whose page says hello while its rows are read."""

    widget: Widget

    def delta(self, since):
        found = super().delta(since)
        if since < 0:
            self.widget.open_pages("p")
        return found


def test_a_page_that_speaks_while_a_frame_is_made_gets_the_rows_once(notebook, show, first_word):
    first_word(60.0)
    live = Greeted({1: "Ada"})
    _, live.widget = show(live)
    live.widget.hear({"kind": "ack", "frame": 0})  # The view begins.
    notebook.wait(lambda: notebook.frames)
    live.put(2, "Grace")
    notebook.wait(lambda: notebook.names() == {1: "Ada", 2: "Grace"})
    assert [content["base"] for content, _, _ in notebook.frames].count(-1) == 1


def test_rows_that_nobody_sorted_are_shown_by_their_key(notebook, show):
    numbered = dict.fromkeys((3, 1, 2), "Ada")
    live, ordered = FakeLive(dict(numbered)), FakeLive(dict(numbered), form="re-run")
    show(live)
    notebook.wait(lambda: notebook.frames)
    assert notebook.frames[0][0]["status"]["order"] == [0]
    assert re.findall(r"<td[^>]*>(\d)</td>", notebook.copy["text/html"]) == ["1", "2", "3"]
    show(ordered)
    notebook.wait(lambda: len(notebook.frames) == 2)
    assert notebook.frames[1][0]["status"]["order"] == []


def test_two_pages_show_one_table(notebook, show):
    live = FakeLive({1: "Ada"})
    _, widget = show(live)
    notebook.wait(lambda: notebook.frames)
    for page, frames in (("one", 2), ("two", 3)):  # Whoever comes gets everything; the other knows it already.
        widget.hear({"kind": "hello", "page": page})
        notebook.wait(lambda frames=frames: len(notebook.frames) == frames)
        widget.hear({"kind": "ack", "frame": frames})
    assert [content["base"] for content, _, _ in notebook.frames[1:]] == [-1, -1]

    # What both have goes on, and that one of them acknowledges is enough.
    for name in ("Grace", "Hedy", "Radia", "Edsger", "Alan"):
        before = len(notebook.frames)
        live.put(1, name)
        notebook.wait(lambda before=before: len(notebook.frames) > before)
        widget.hear({"kind": "ack", "frame": notebook.frames[-1][0]["frame"]})
    assert [content["base"] for content, _, _ in notebook.frames[3:]] == list(range(1, 6))

    # That it is gone from one page is no end for the other.
    widget.hear({"kind": "unseen", "page": "one"})
    widget.hear({"kind": "ack", "frame": notebook.frames[-1][0]["frame"]})
    live.put(2, "Barbara")
    notebook.wait(lambda: notebook.frames[-1][0]["version"] == live.version)
    assert live.status == "live"


def test_a_silent_page_gets_everything_again(notebook, show):
    live = FakeLive({1: "Ada"})
    show(live, hears=lambda: False)
    notebook.wait(lambda: len(notebook.frames) >= 2)
    assert [content["base"] for content, _, _ in notebook.frames[:2]] == [-1, -1]


def test_a_page_that_is_hidden_gets_nothing_more_and_all_of_it_when_it_is_back(notebook, show, clock):
    live = FakeLive({1: "Ada"})
    view, widget = show(live, clock=clock)
    notebook.wait(lambda: notebook.frames)
    for row in range(2, 30):
        clock.now += 1.0
        live.put(row, "x")
        if row < 11:
            notebook.wait(lambda row=row: len(notebook.names()) == row)
    sent = len(notebook.frames)
    assert view._next_in() is None or view._next_in() > 1.0  # Until the copy is due.
    widget.hear({"kind": "ack", "frame": notebook.frames[-1][0]["frame"]})
    notebook.wait(lambda: len(notebook.names()) == 29)
    assert len(notebook.frames) == sent + 1


def hear_aside(widget: Widget, frame: int) -> None:
    hearing = threading.Thread(target=widget.hear, args=({"kind": "ack", "frame": frame},))  # As on a subshell.
    hearing.start()
    hearing.join()


def test_who_was_heard_on_a_subshell_may_not_be_heard_while_a_cell_runs(notebook, show):
    cells: list[str] = []
    view, widget = show(FakeLive({1: "Ada"}), hears=lambda: not cells)
    notebook.wait(lambda: notebook.frames)
    hear_aside(widget, 1)
    cells.append("It runs.")
    assert not view._is_heard
    hear_aside(widget, 1)
    assert view._is_heard


def test_who_is_heard_while_a_cell_runs_is_not_taken_for_absent(notebook, show):
    live = FakeLive({1: "Ada"})
    view, widget = show(live, hears=lambda: False)
    notebook.wait(lambda: notebook.frames)
    hear_aside(widget, 1)
    for row in range(2, 3 + view._pace.credit):
        live.put(row, "x")
        notebook.wait(lambda row=row: len(notebook.names()) == row)
    assert view._pace.delay(time.monotonic(), is_heard=view._is_heard) > 0.5  # It has not answered to so many.


def test_questions_of_the_page_are_answered_until_the_view_ends(notebook, show):
    view, widget = show(FakeLive({1: "Ada"}))

    def answers() -> dict[int, dict]:
        contents = (content for content, _, _ in notebook.frames)
        return {content["number"]: content for content in contents if content["kind"] == "answer"}

    widget.hear({"kind": "question", "number": 4, "about": "part", "name": "live_tools"})
    widget.hear({"kind": "question", "number": 5, "about": "nothing"})
    notebook.wait(lambda: len(answers()) == 2)
    assert "export" in answers()[4]["text"]
    assert "ConfigError" in answers()[5]["fault"]
    view.freeze()
    view._answer({"kind": "question", "number": 6, "about": "nothing"})
    assert 6 not in answers()


def test_a_message_that_is_not_known_is_ignored(notebook, show):
    _, widget = show(FakeLive({1: "Ada"}))
    widget.hear({"kind": "something"})
    widget.hear({})
    notebook.wait(lambda: notebook.frames)


class Altered(FakeLive):
    """A table whose columns change at the moment at which its rows are read."""

    PRESENT = (Column("id", "BigInt", flags=("pk",)), Column("name", "BigInt"))

    def arrow(self):
        self.columns = self.PRESENT
        return super().arrow()

    def delta(self, since):
        self.columns = self.PRESENT
        return super().delta(since)


def test_columns_are_those_of_the_rows(notebook, show, capsys):
    live = Altered({1: "9007199254740993"})
    _, widget = show(live)
    assert notebook.copy["text/plain"].splitlines()[2].split() == ["BIGINT", "PK", "BIGINT"]
    notebook.wait(lambda: notebook.frames)
    widget.hear({"kind": "ack", "frame": 1})
    live.PRESENT = FakeLive.columns
    widget.hear({"kind": "hello", "page": "p"})
    notebook.wait(lambda: len(notebook.frames) == 2)
    told = [[column["sql_type"] for column in content["columns"]] for content, _, _ in notebook.frames]
    assert told == [["BIGINT", "BIGINT"], ["BIGINT", "TEXT"]]
    display_live(Altered({1: "7"}))
    assert "BIGINT PK  BIGINT" in capsys.readouterr().out


def test_the_page_follows_the_status(notebook, show):
    live = FakeLive({1: "Ada"})
    show(live)
    notebook.wait(lambda: notebook.frames)
    live.notice = "deletes are not told"
    live.become("reconnecting in 3 s")
    notebook.wait(lambda: notebook.frames[-1][0]["status"]["text"] == "reconnecting in 3 s")
    status = notebook.frames[-1][0]["status"]
    assert (status["notice"], status["failed"]) == ("deletes are not told", False)
    live.status = "reconnecting in 2 s"  # Nobody calls back: the seconds pass by themselves.
    notebook.wait(lambda: notebook.frames[-1][0]["status"]["text"] == "reconnecting in 2 s")
    live.notice = None
    live.become("live")
    notebook.wait(lambda: notebook.frames[-1][0]["status"]["text"] == "live")
    assert notebook.frames[-1][0]["status"]["notice"] == ""


def test_the_copy_follows_slowly(notebook, show, monkeypatch):
    monkeypatch.setattr(live_view, "COPY_INTERVAL", 0.0)
    live = FakeLive({1: "Ada"})
    _, widget = show(live)
    notebook.wait(lambda: notebook.frames)
    widget.hear({"kind": "ack", "frame": 1})
    live.put(2, "Grace")
    notebook.wait(lambda: "Grace" in notebook.copy["text/html"])
    assert "2 rows · live, as of " in notebook.copy["text/plain"]
    assert WIDGET_VIEW in notebook.widget_output


def test_a_closed_table_is_frozen(notebook, show):
    live = FakeLive({1: "Ada"})
    _, widget = show(live)
    widget.open_pages("first", "loaded anew")
    live.put(2, "<script>")
    live.become("stopped: closed")
    notebook.wait(lambda: notebook.end)
    assert notebook.widget_output == {"text/html": "", "text/plain": ""}
    html, text = notebook.copy["text/html"], notebook.copy["text/plain"]
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert " UTC · 1 change · direct · stopped: closed" in text
    assert "2 rows · live until " in text
    assert notebook.frames[-1][0]["status"]["text"] == "stopped: closed"
    assert live.callbacks == []
    assert notebook.end == f"stopped: closed{NOT_KEPT}"


def test_the_copy_of_a_table_that_is_not_followed_tells_how_old_it_is(notebook, show):
    live = FakeLive({1: "Ada"}, notice="No connection to the server: Connection refused.")
    live.stats.verified_at = dt.datetime(2026, 5, 20, 14, 29, 25, tzinfo=dt.UTC)
    live.status = "reconnecting in 24 s"
    view, _ = show(live)
    lines = notebook.copy["text/plain"].splitlines()
    assert lines[0] == "Warning: No connection to the server: Connection refused."
    assert lines[-1].startswith("1 row · reconnecting, as of 2026-05-20 14:29:25 UTC · ")
    view.freeze()
    assert "1 row · live until 2026-05-20 14:29:25 UTC · " in notebook.copy["text/plain"]


def test_a_replay_is_not_called_live(notebook, show):
    live = FakeLive({1: "Ada"}, status="replaying", is_replay=True)
    show(live)
    assert "replayed, as of " in notebook.copy["text/plain"]
    live.become("stopped: the recording has ended")
    notebook.wait(lambda: WIDGET_VIEW not in notebook.widget_output)
    assert "replayed until " in notebook.copy["text/plain"]


def test_a_recording_is_shown_as_it_is_replayed(notebook, show, tmp_path):
    make_file(tmp_path / "x.arrows")
    with replay(tmp_path / "x.arrows", speed=float("inf")) as live:
        show(live)
        notebook.wait(lambda: WIDGET_VIEW not in notebook.widget_output)
        assert " · 3 changes · direct · stopped: the recording has ended" in notebook.copy["text/plain"]
        assert "2 rows · replayed until " in notebook.copy["text/plain"]


def test_an_error_is_frozen_with_its_text(notebook, show):
    live = FakeLive({1: "Ada"})
    show(live)
    error = SubscriptionError("PERMISSION_DENIED", "no access to <app.people>", live.sql)
    live.become("stopped: refused", error)
    notebook.wait(lambda: WIDGET_VIEW not in notebook.widget_output)
    assert "Warning: SubscriptionError: PERMISSION_DENIED: no access to <app.people>" in notebook.copy["text/plain"]
    assert "&lt;app.people&gt;" in notebook.copy["text/html"]


def test_an_error_is_told_once(notebook, show):
    live = FakeLive({1: "Ada"})
    _, widget = show(live)
    widget.open_pages("first", "loaded anew")
    error = SubscriptionError("TABLE_NOT_FOUND", "table app.people is gone", live.sql)
    live.notice = f"Beyond the window.\nThe server could not be asked ({error}); it is asked again."
    live.become(f"stopped: {error}", error)
    notebook.wait(lambda: notebook.end)
    lines = notebook.copy["text/plain"].splitlines()
    assert [line for line in lines if "is gone" in line] == [f"Warning: SubscriptionError: {error}"]
    assert lines[0] == "Warning: Beyond the window."
    assert lines[-1].endswith(" · direct · stopped")
    assert notebook.copy["text/html"].count("is gone") == 1
    assert notebook.frames[-1][0]["status"]["notice"] == "Beyond the window."


def test_freezing_twice_is_freezing_once(notebook, show):
    view, widget = show(FakeLive({1: "Ada"}))
    widget.open_pages("first", "loaded anew")
    view.freeze()
    updates = notebook.updates
    view.freeze()
    assert notebook.updates == updates == 2
    assert "live until " in notebook.copy["text/plain"]
    assert not view._thread.is_alive()
    assert notebook.end == f"stopped: the kernel has ended or the view was frozen{NOT_KEPT}"


def test_a_frozen_view_is_silent_and_lets_go(notebook, show):
    live = FakeLive({1: "Ada"})
    view, widget = show(live)
    notebook.wait(lambda: notebook.frames)
    view.freeze()
    frames = len(notebook.frames)
    widget.hear({"kind": "hello", "page": "p"})
    live.put(2, "Grace")
    assert len(notebook.frames) == frames
    assert "Grace" not in notebook.copy["text/html"]


def test_the_page_asks_for_an_end_or_another_attempt(notebook, show):
    live = FakeLive({1: "Ada"}, status="reconnecting in 20 s")
    _, widget = show(live)
    widget.hear({"kind": "retry"})
    assert live.retries == 1
    live.error = SubscriptionError("X", "gone", live.sql)
    widget.hear({"kind": "retry"})  # Too late: it has stopped.
    live.error = None
    widget.hear({"kind": "freeze"})
    assert WIDGET_VIEW not in notebook.widget_output
    assert "live until " in notebook.copy["text/plain"]
    assert live.status == "reconnecting in 20 s"
    _, other = show(live)
    other.hear({"kind": "stop"})
    assert live.status == "stopped: closed"
    assert not [output for output in notebook.outputs.values() if WIDGET_VIEW in output]


def test_views_of_one_table_are_frozen_together(notebook, show):
    live, other = FakeLive({1: "Ada"}), FakeLive({1: "Grace"})
    show(live)
    show(live)
    show(other)
    live.close()
    states = [WIDGET_VIEW in output for output in notebook.outputs.values()][1::2]
    assert states == [False, False, True]
    freeze.freeze_all()
    assert not any(WIDGET_VIEW in output for output in notebook.outputs.values())


def test_who_comes_second_waits_until_the_last_state_is_written(notebook, show):
    """The thread of the view and who closes the table begin at the same time."""
    live = FakeLive({1: "Ada"})
    show(live)
    with notebook.held():
        live.become("stopped: closed")  # The thread of the view begins to freeze, and is held up.
        closing = threading.Thread(target=live.close)
        closing.start()
        closing.join(timeout=0.2)
        assert closing.is_alive()
    closing.join(timeout=10.0)
    assert WIDGET_VIEW not in notebook.widget_output


def test_nothing_is_written_behind_the_last_state(notebook, show, monkeypatch):
    monkeypatch.setattr(live_view, "COPY_INTERVAL", 0.0)
    live = FakeLive({1: "Ada"})
    view, widget = show(live)
    notebook.wait(lambda: notebook.frames)
    widget.hear({"kind": "ack", "frame": 1})
    with notebook.held():
        live.put(2, "Grace")
        notebook.wait(lambda: notebook.waiting)  # The thread of the view is about to write a copy.
        closing = threading.Thread(target=view.freeze)
        closing.start()
    closing.join(timeout=10.0)
    view._thread.join(timeout=10.0)
    assert "live until " in notebook.copy["text/plain"]
    assert WIDGET_VIEW not in notebook.widget_output


def test_a_cell_ends_with_the_present_state_where_no_page_shows_it(notebook, show):
    live = FakeLive({1: "Ada"})
    _, widget = show(live)
    live.put(2, "Grace")
    freeze.settle_all()
    assert "2 rows · live, as of " in notebook.copy["text/plain"]
    assert WIDGET_VIEW in notebook.widget_output
    widget.hear({"kind": "hello", "page": "p"})
    live.put(3, "Alan")
    freeze.settle_all()  # A page shows it, and hears of the end.
    assert "2 rows · live, as of " in notebook.copy["text/plain"]
    live.status = "stopped: closed"  # Nobody calls back: the thread of the view is late.
    freeze.settle_all()
    assert "3 rows · live until " in notebook.copy["text/plain"]


def test_a_frozen_view_leaves_nothing_behind(notebook):
    def show_and_freeze():
        outputs = Outputs(notebook.publish)
        widget = Widget(twin=outputs.twin)
        widget.notebook = notebook
        live = FakeLive({1: "Ada"})
        view = LiveView(live, widget=widget, outputs=outputs)
        view.show()
        notebook.wait(lambda: notebook.frames)
        view.freeze()
        return [weakref.ref(item) for item in (view, widget, widget.layout, live)]

    before = len(ipywidgets.widget._instances)
    gone = [reference for _ in range(20) for reference in show_and_freeze()]
    gc.collect()
    assert [reference() for reference in gone if reference() is not None] == []
    assert len(ipywidgets.widget._instances) == before


def test_the_model_stays_open_for_a_page_that_was_loaded_anew_as_long_as_it_shows_the_rows(notebook, show):
    view, widget = show(FakeLive({1: "Ada"}))
    widget.open_pages("first", "second", "second")
    view.freeze()
    assert widget.comm is not None
    assert notebook.end
    widget.hear({"kind": "unseen", "page": "first"})  # Its output was replaced.
    assert widget.comm is not None
    widget.hear({"kind": "unseen", "page": "second"})
    assert widget.comm is None


@pytest.fixture
def unseen(notebook, show, clock, first_word):
    """Show a live table, and return functions: the page says that nobody looks; whether the table was let go."""
    first_word(60.0)
    released: list[bool] = []
    _, widget = show(FakeLive({1: "Ada"}), release=lambda: released.append(True), clock=clock)
    widget.open_pages("p")
    notebook.wait(lambda: notebook.frames)
    return widget, lambda: widget.hear({"kind": "unseen", "page": "p"}), released


def test_a_table_whose_cell_was_deleted_is_let_go(notebook, clock, unseen):
    widget, look_away, released = unseen
    widget.hear({"kind": "ack", "frame": 1})
    clock.now += 1.0
    look_away()
    notebook.wait(lambda: len(notebook.frames) == 2)  # For another page, which would acknowledge it.
    assert released == []
    clock.now += live_view.GRACE
    look_away()
    assert released == [True]
    assert widget.comm is None
    assert WIDGET_VIEW not in notebook.widget_output


@pytest.mark.parametrize("sign", [{"kind": "ack", "frame": 2}, {"kind": "hello", "page": "q"}])
def test_a_table_that_is_seen_again_is_kept(clock, unseen, sign):
    widget, look_away, released = unseen
    look_away()
    clock.now += 2 * live_view.GRACE
    widget.hear(sign)
    look_away()
    assert released == []
    clock.now += live_view.GRACE
    look_away()
    assert released == [True]


def test_messages_that_waited_for_a_long_cell_do_not_count_as_time(clock, unseen):
    _, look_away, released = unseen
    for _ in range(5):
        look_away()
    assert released == []


def test_a_table_whose_model_was_closed_in_the_page_is_let_go(notebook, unseen):
    widget, _, released = unseen
    widget.comm.handle_close({})
    assert released == [True]
    assert WIDGET_VIEW not in notebook.widget_output


def test_a_fault_in_the_view_is_told_and_frozen(notebook, show, caplog):
    live = FakeLive({1: "Ada"})
    live.delta = lambda since: 1 / 0
    with caplog.at_level(logging.ERROR, "kalam_notebook"):
        show(live)
        notebook.wait(lambda: len(notebook.outputs) == 2 and WIDGET_VIEW not in notebook.widget_output)
    assert "The view ended with ZeroDivisionError" in notebook.copy["text/plain"]
    assert "Ada" in notebook.copy["text/plain"]
    assert "The view of a live table ended" in caplog.text


def test_without_a_notebook_the_rows_are_shown_once(capsys):
    live = FakeLive({1: "Ada"})
    assert display_live(live) is None
    assert "Ada" in capsys.readouterr().out
    assert live.callbacks == []
