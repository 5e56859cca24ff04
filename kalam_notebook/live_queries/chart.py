"""``LiveChart``: what ``LiveTable.chart`` returns, the columns of a live table that are drawn."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kalam_notebook.callers import short_failures
from kalam_notebook.live_queries.display import Displayed
from kalam_notebook.results.chart import Drawn

if TYPE_CHECKING:
    from kalam_notebook.live_queries.rows.delta import LiveDelta
    from kalam_notebook.live_queries.table import LiveTable, View
    from kalam_notebook.wire.types import Column

__all__ = ["LiveChart"]


@short_failures
class LiveChart(Displayed):
    """A chart of a live table. It shows itself as the last expression of a cell, and ends with its table.

    Args:
        table: The live table.
        drawn: Which columns are drawn, and how.

    Attributes:
        table: The live table.
        drawn: Which columns are drawn, and how.
    """

    def __init__(self, table: LiveTable, drawn: Drawn) -> None:
        self.table = table
        self.drawn = drawn
        self._views: weakref.WeakSet[View] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"<LiveChart {self.drawn.kind} of {', '.join(self.drawn.y)} by {self.drawn.x}, {self.table!r}>"

    def freeze(self) -> None:
        """Turn what cells show of it into a static picture of the rows as of now; the live table itself goes on."""
        for view in list(self._views):
            view.freeze()

    def close(self) -> None:
        """Close its live table."""
        self.table.close()

    # What shows it asks of it what it asks of a live table, and gets the columns that are drawn.

    @property
    def columns(self) -> tuple[Column, ...]:
        """The drawn columns as the server announced them, x first."""
        columns = self.table.columns
        if not columns:  # Those of a derived table have the types of Arrow only.
            return ()
        return tuple(columns[place] for place in self.drawn.places([column.name for column in columns]))

    def arrow(self) -> pa.Table:
        """Return the drawn columns of all rows as of now."""
        return self.drawn.of(self.table.arrow())

    def delta(self, since: int) -> LiveDelta:
        """Return what changed in the table since a version, of the drawn columns."""
        delta = self.table.delta(since)
        return replace(delta, rows=self.drawn.of(delta.rows))

    def on_change(self, callback: Callable[[LiveTable], object]) -> Callable[[], None]:
        """Have a function called when the table has changed."""
        return self.table.on_change(callback)

    def attach_view(self, view: View) -> None:
        """Have a view frozen by ``freeze``, and with the table. It is not kept alive."""
        self._views.add(view)
        self.table.attach_view(view)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what a live table has.
        if name in _OF_TABLE:
            return getattr(self.table, name)
        raise AttributeError(
            f"A live chart has no attribute {name!r}; its live table is chart.table.", name=name, obj=self
        )


_OF_TABLE = {"error", "form", "key", "is_closed", "is_replay", "notice", "retry", "sql", "stats", "status", "version"}
