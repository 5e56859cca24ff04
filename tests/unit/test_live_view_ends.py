"""How the view of a live table ends, without a browser: frozen outputs, errors, pages and cells that are gone."""

from __future__ import annotations

import datetime as dt
import gc
import logging
import threading
import weakref

import ipywidgets
import pytest
from fake_live import FakeLive
from shown_live import Widget, empty_notebook, first_word_at_once, show_live, still_clock  # noqa: F401
from test_recording_replay import make_file

from kalam_notebook.errors import SubscriptionError
from kalam_notebook.live_queries.replay import replay
from kalam_notebook.notebook.page import freeze, live_view
from kalam_notebook.notebook.page.freeze import WIDGET_VIEW, Outputs
from kalam_notebook.notebook.page.live_view import LiveView

#: What a page is told that was loaded anew, where alone an end is seen.
NOT_KEPT = " · run the cell again to keep these rows in the notebook"


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
