"""The view of a live table without a browser: outputs, frames, messages of the page."""

from __future__ import annotations

import re
import threading
import time

from fake_live import FakeLive
from shown_live import Widget, empty_notebook, first_word_at_once, show_live, still_clock  # noqa: F401

from kalam_notebook.notebook.page import live_view
from kalam_notebook.notebook.page.freeze import WIDGET_VIEW
from kalam_notebook.notebook.page.live_view import display_live
from kalam_notebook.notebook.page.pace import INTERVAL
from kalam_notebook.wire.types import Column


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


def test_waiting_for_others_is_no_work_to_rest_from(notebook, show, clock):
    live = FakeLive({1: "Ada"})
    taken = live.delta

    def late(since: int) -> object:
        clock.now += 10.0  # Another thread or process has the processor.
        return taken(since)

    live.delta = late
    view, _ = show(live, clock=clock)
    notebook.wait(lambda: notebook.frames)
    live.put(2, "Grace")
    notebook.wait(lambda: len(notebook.names()) == 2)
    view.freeze()
    assert view._pace.interval(0.0, is_heard=True) < 0.1


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


def test_without_a_notebook_the_rows_are_shown_once(capsys):
    live = FakeLive({1: "Ada"})
    assert display_live(live) is None
    assert "Ada" in capsys.readouterr().out
    assert live.callbacks == []
