"""A frame in the page: all its rows, with the tools of a live table, by the same view and the same page module."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from kalam_notebook.callers import fails_shortly
from kalam_notebook.errors import ConfigError
from kalam_notebook.live_queries.batches import LiveChanges
from kalam_notebook.live_queries.rows.changes import change_table
from kalam_notebook.live_queries.rows.delta import LiveDelta
from kalam_notebook.notebook.page.freeze import StaticCopy
from kalam_notebook.notebook.page.live_view import LiveView, display_live
from kalam_notebook.results.frames import file_cell
from kalam_notebook.results.render import render_html, render_text
from kalam_notebook.results.results import QueryResult
from kalam_notebook.wire.fileref import FileHost, FileRef

if TYPE_CHECKING:
    from kalam_notebook.live_queries.table import LiveTable
    from kalam_notebook.wire.types import Column

__all__ = ["browse"]


@dataclass(frozen=True, slots=True)
class _NoChanges:
    """Counts what happens to a frame."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    verified_at: dt.datetime | None = None


@dataclass(slots=True, weakref_slot=True)
class _Frame:
    """Rows that stay as they are, with what a view asks of a live table."""

    table: pa.Table
    columns: tuple[Column, ...] = ()
    bind: tuple[str, str] | None = None
    host: FileHost | None = None
    footer: tuple[str, ...] = ()
    notice: str | None = None
    sql: str = "Result"
    status: str = "result"
    form: str = ""
    key: tuple[str, ...] = ()
    version: int = 0
    is_replay: bool = False
    is_closed: bool = False
    error: None = None
    stats: _NoChanges = field(default_factory=_NoChanges)

    def arrow(self) -> pa.Table:
        return self.table

    def delta(self, since: int) -> LiveDelta:
        is_start = since < 0
        rows = self.table if is_start else self.table.slice(0, 0)
        ids = range(1, rows.num_rows + 1)
        return LiveDelta(self.version, is_start, rows, ids, frozenset(), (), self.table.num_rows)

    def row_changes(self, row_id: int, *, last: int | None = None) -> LiveChanges:
        return LiveChanges(self.version, change_table([], self.table.schema), is_whole=True)

    def file_of(self, cell: str | None) -> FileRef | str | None:
        return file_cell(cell, self.bind, self.host)

    def on_change(self, callback: Callable[[LiveTable], object]) -> Callable[[], None]:
        return lambda: None

    def attach_view(self, view: LiveView) -> None:
        pass

    def retry(self) -> None:
        pass

    def close(self) -> None:
        pass


class _FrameView(LiveView):
    """A frame in one notebook cell."""

    def _copy(self, *, is_last: bool = False) -> StaticCopy:
        frame = cast(Any, self.live)
        looks: dict[str, Any] = {"columns": frame.columns, "footer": frame.footer, "notices": self._notices()}
        return StaticCopy(html=render_html(frame.table, **looks), text=render_text(frame.table, **looks))


@fails_shortly
def browse(frame: object) -> None:
    """Show the rows of a result or frame in the running cell: sorted, searched, filtered and copied in the page.

    The notebook keeps the preview that a result has anyway. The page holds 100,000 rows, or those that fit into 64 MB,
    and has the kernel sort and search the others. Outside of notebooks the preview is printed.

    Args:
        frame: A ``QueryResult``, or any frame with an Arrow stream: pandas, polars, pyarrow.

    Raises:
        ConfigError: It is neither.
        ResultError: The statement of the result returns no rows.
    """
    if isinstance(frame, QueryResult):
        shown = _Frame(
            frame.arrow(),
            frame.columns,
            bind=frame._bind,
            host=frame._host,
            footer=frame.footer,
            notice="\n".join(frame.notices) or None,
        )
    elif hasattr(frame, "__arrow_c_stream__"):
        shown = _Frame(pa.table(frame))
    else:
        raise ConfigError(
            "browse shows a result, or a frame with an Arrow stream (pandas, polars, pyarrow), "
            f"not {type(frame).__name__}."
        )
    display_live(cast("LiveTable", shown), view=_FrameView)
