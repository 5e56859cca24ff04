"""Ranges of rows for pages that do not hold all: sorted and filtered here, over all rows of a live table or frame.

A page names an order and a range of places; the answer holds the rows, and how many there are. Orders are kept and
follow the table. Finding what is wanted and sorting go on a thread of their own: until they are done an answer is
``pending``, and the page asks again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from kalam_notebook.errors import ConfigError
from kalam_notebook.notebook.page.ordering import Sort, Wanted, key_places
from kalam_notebook.notebook.page.page_rows import MAX_ROWS, page_stream
from kalam_notebook.notebook.page.row_view import HeldRows, RowView
from kalam_notebook.reading.order import is_in_order
from kalam_notebook.results.cells import CellColumn, describe
from kalam_notebook.threads import Flag, Worker

if TYPE_CHECKING:
    import pyarrow as pa

    from kalam_notebook.live_queries.table import LiveTable
    from kalam_notebook.wire.types import Column

__all__ = ["Ranges", "check_column", "with_columns"]

_T = TypeVar("_T")

#: Orders that are kept.
_MAX_VIEWS = 4
#: Seconds that an answer waits for the first rows: a page that asks again is later.
_PATIENCE = 0.4


class _Sorting:
    """An order that is being made on a thread of its own."""

    def __init__(self, rows: HeldRows, sort: Callable[[], Sort | None], wanted: Wanted) -> None:
        self.view: RowView | None = None
        self.fault: Exception | None = None
        self.has_first = Flag()
        self._make = lambda: RowView(rows, sort(), wanted)
        self._thread = Worker(self._work, name="kalam-page-order")
        self._thread.start()

    def _work(self) -> None:
        try:
            view = self._make()
            view.find_first()
            self.view = view
            self.has_first.set()
            view.sort()
        except Exception as exc:
            self.fault = exc
        finally:
            self.has_first.set()


class Ranges:
    """Orders of a live table's rows.

    Args:
        live: The live table.
    """

    def __init__(self, live: LiveTable) -> None:
        self._live = live
        self._lock = threading.Lock()
        self._rows: HeldRows | None = None
        self._views: OrderedDict[object, _Sorting] = OrderedDict()

    def answer(self, question: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[bytes, ...]]:
        """Answer a question about a range of rows.

        Args:
            question: ``sort`` (``column`` by position, its ``name``, ``descending``; None for the table's order),
                ``search``, ``conditions`` (each with ``column`` and ``name``), ``from`` and ``count``.

        Returns:
            ``pending`` alone, with ``hits`` once they are known; or ``hits`` (rows that are wanted), ``rows`` (all),
            ``version``, ``from``, ``names`` of the columns, ``newest`` (the greatest number that a row was ever given),
            and the rows as an Arrow IPC stream, as many as fit.

        Raises:
            ConfigError: The columns are others by now.
        """
        start = max(0, int(question["from"]))
        count = max(0, min(int(question["count"]), MAX_ROWS))
        making = self._making(question)
        making.has_first.wait(_PATIENCE)
        with self._lock:
            if making.fault is not None:
                self._views = OrderedDict((key, kept) for key, kept in self._views.items() if kept is not making)
                raise making.fault
            view = making.view
            if view is None:
                return {"pending": True}, ()
            slots = view.range(start, count)
            if slots is None:
                return {"pending": True, "hits": view.count}, ()
            held = view.rows
            slots = held.there(slots)
            rows, row_ids = held.take(slots), held.row_ids[slots].tolist()

        told = {
            "hits": view.count,
            "rows": held.num_rows,
            "version": held.version,
            "from": start,
            "names": [column.name for column in held.columns],
            "newest": held.newest,
        }
        return told, (page_stream(rows, row_ids, held.columns),)

    def numbered(self, row_ids: Sequence[int]) -> tuple[pa.Table, tuple[CellColumn, ...]]:
        """The rows with these numbers as they are now, without those that are gone, with the columns."""
        for making in list(self._views.values()):  # Until then the rows stay as they are.
            making.has_first.wait()
        with self._lock:
            rows = self._followed()
            return rows.numbered(row_ids), rows.columns

    def _making(self, question: Mapping[str, Any]) -> _Sorting:
        """The order that a question names, made or begun."""
        with self._lock:
            rows = self._followed()
            for asked in (question["sort"], *question["conditions"]):
                if asked is not None:
                    check_column(asked, rows.columns)

            key = repr((question["sort"], question["search"], question["conditions"]))
            making = self._views.pop(key, None)
            if making is None:
                wanted = Wanted(str(question["search"]).lower(), tuple(question["conditions"]))
                making = _Sorting(rows, partial(self._sort, question["sort"], rows), wanted)

            self._views[key] = making
            while len(self._views) > _MAX_VIEWS:
                self._views.popitem(last=False)
            return making

    def _sort(self, asked: Mapping[str, Any] | None, rows: HeldRows) -> Sort | None:
        """What a reader asked for; else the first column of the key, where rows do not come in its order anyway."""
        if asked is not None:
            return Sort(int(asked["column"]), bool(asked["descending"]))
        key = key_places(self._live)[:1]
        if not key or is_in_order(rows.column(key[0])):
            return None
        return Sort(key[0], descending=False)

    def _followed(self) -> HeldRows:
        """The rows, brought up to date with all orders, unless one of them is being prepared from them."""
        rows = self._rows
        if rows is not None and any(not making.has_first.is_set() for making in self._views.values()):
            return rows

        since = -1 if rows is None or rows.is_worn else rows.version
        delta, columns = with_columns(self._live, lambda: self._live.delta(since))

        if rows is None or delta.reset:
            self._views.clear()
            self._rows = rows = HeldRows(delta, describe(delta.rows.schema, columns))
        elif delta.version != rows.version:
            changed = rows.apply(delta)
            for key, making in list(self._views.items()):
                if making.view is None:
                    continue
                making.view.changed(changed, delta.rows)
                if making.view.is_outdated:
                    del self._views[key]
        return rows


def check_column(asked: Mapping[str, Any], columns: Sequence[CellColumn]) -> None:
    """Check that a page means one of these columns.

    Args:
        asked: ``column`` is its position, ``name`` its name.
        columns: Those of now.

    Raises:
        ConfigError: The columns are others by now.
    """
    place = int(asked["column"])
    if not 0 <= place < len(columns) or columns[place].name != asked["name"]:
        raise ConfigError("The columns of the table are others by now.")


def with_columns(live: LiveTable, look: Callable[[], _T]) -> tuple[_T, tuple[Column, ...]]:
    """Look at a live table, and return its columns of then: ALTER TABLE may come between the two."""
    columns = live.columns
    while True:
        before, seen, columns = columns, look(), live.columns
        if columns == before:
            return seen, columns
