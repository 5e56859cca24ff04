"""What marimo gets of live tables: a widget that ends with its cell. `tests/ui/test_marimo.py` has the real marimo."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

import kalam_notebook as kalam
from kalam_notebook.notebook.page import live_view
from kalam_notebook.notebook.page.chart import LiveChartWidget
from kalam_notebook.notebook.page.live_view import LiveTableWidget, LiveView
from kalam_notebook.notebook.page.marimo import is_marimo


@pytest.fixture
def host(monkeypatch):
    monkeypatch.setitem(sys.modules, "marimo", SimpleNamespace(running_in_notebook=lambda: True))


def test_other_places_are_no_marimo(monkeypatch):
    monkeypatch.delitem(sys.modules, "marimo", raising=False)
    assert not is_marimo()
    monkeypatch.setitem(sys.modules, "marimo", SimpleNamespace(running_in_notebook=lambda: False))
    assert not is_marimo()


def test_a_cell_shows_the_widget_and_ends_it(live, host, monkeypatch):
    views: list[LiveView] = []
    show = LiveView.show
    monkeypatch.setattr(LiveView, "show", lambda view: (views.append(view), show(view)))
    table, chart = live._display_(), live.chart(x="id", y="n")._display_()
    assert isinstance(table, LiveTableWidget)
    assert isinstance(chart, LiveChartWidget)
    assert [view._thread.is_alive() for view in views] == [True, True]
    table.comm.close()
    chart.comm.close()
    assert [view._thread.is_alive() for view in views] == [False, False]
    assert live.status == "live"


def test_what_displays_itself_displays_a_widget(live, host, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    live._ipython_display_()
    kalam.browse(live)
    assert [isinstance(one, LiveTableWidget) for one in shown] == [True, True]
    assert live_view.display_live(live) is None


def test_a_closed_table_stays_in_the_page_and_is_told_to_be_over(live, host, monkeypatch):
    said = []
    monkeypatch.setattr(LiveTableWidget, "send", lambda widget, content, buffers=None: said.append(content))
    widget = live._display_()
    live._follower.status = "stopped: closed"
    live.close()
    assert said[-1] == {"kind": "end", "text": "stopped: closed"}
    assert widget.comm is not None
