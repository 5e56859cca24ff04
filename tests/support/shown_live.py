"""A notebook in memory, and live tables shown in it without a browser; modules import the fixtures."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pyarrow as pa
import pytest
from fake_live import FakeLive

from kalam_notebook.notebook.page import live_view
from kalam_notebook.notebook.page.freeze import Outputs
from kalam_notebook.notebook.page.live_view import LiveTableWidget, LiveView


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


@pytest.fixture(name="notebook")
def empty_notebook():
    return Notebook()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(name="clock")
def still_clock():
    return Clock()


@pytest.fixture(name="first_word", autouse=True)
def first_word_at_once(monkeypatch):
    """Set how long a view waits for a page's first word; not at all, unless a test does."""

    def set_to(seconds: float) -> None:
        monkeypatch.setattr(live_view, "FIRST_WORD", seconds)

    set_to(0.0)
    return set_to


@pytest.fixture(name="show")
def show_live(notebook):
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
