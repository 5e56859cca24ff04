"""A live chart in a cell: the view of a live table, with another module in the page and a picture in the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import traitlets

from kalam_notebook.notebook.page.freeze import StaticCopy
from kalam_notebook.notebook.page.live_view import LiveTableWidget, LiveView, display_live
from kalam_notebook.notebook.page.ordering import in_shown_order
from kalam_notebook.notebook.page.questions import page_module
from kalam_notebook.results.chart import COLOURS, render_chart_html
from kalam_notebook.results.render import render_text

if TYPE_CHECKING:
    from kalam_notebook.live_queries.chart import LiveChart
    from kalam_notebook.live_queries.table import LiveTable

__all__ = ["display_chart"]


class LiveChartWidget(LiveTableWidget):
    """The model of a chart: how it is drawn. Its rows come as those of a table do."""

    kind = traitlets.Unicode().tag(sync=True)
    colours = traitlets.List(traitlets.Unicode(), list(COLOURS)).tag(sync=True)

    @traitlets.default("_esm")
    def _read_page_module(self) -> str:
        return page_module("live_chart")


class ChartView(LiveView):
    """One live chart in one notebook cell."""

    @staticmethod
    def model(live: LiveTable, twin: str) -> LiveTableWidget:
        """Make the widget's model."""
        kind = cast("LiveChart", live).drawn.kind
        return LiveChartWidget(sql=live.sql, twin=twin, kind=kind)

    @staticmethod
    def render(live: LiveTable, **looks: Any) -> StaticCopy:  # noqa: ANN401 - as of the render functions.
        """Draw the rows of now as html and write them as text."""
        table, kind = in_shown_order(live, live.arrow()), cast("LiveChart", live).drawn.kind
        return StaticCopy(
            html=render_chart_html(table, kind, columns=live.columns, **looks),
            text=render_text(table, columns=live.columns, **looks),
        )


def display_chart(chart: LiveChart) -> None:
    """Show a live chart in the running cell; outside of notebooks its rows as text."""
    display_live(cast("LiveTable", chart), view=ChartView)
