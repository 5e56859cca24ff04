"""U8 and U9: rows that a page does not hold, from the click on a header to the bytes of the answer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.measure import Figure, seconds, wanted
from kalam_notebook.live_queries.rows.delta import LiveDelta
from kalam_notebook.notebook.page.ordering import Sort, Wanted
from kalam_notebook.notebook.page.page_rows import page_stream
from kalam_notebook.notebook.page.row_view import HeldRows, RowView
from kalam_notebook.results.cells import describe

#: Rows of an answer: those in sight and those around them.
_ANSWERED = 350


def figures(*, small: bool) -> Iterator[Figure]:
    if not wanted("U8", "U9"):
        return
    rows = held(500_000 if small else 5_000_000)
    for place, column in enumerate(rows.columns):
        sort = Sort(place, descending=True)
        made: list[RowView] = []
        first = 1_000 * seconds(lambda sort=sort, made=made: made.append(_first(rows, sort)))
        (view,) = made
        view.sort()
        far = max(
            1_000 * seconds(lambda at=at, view=view: _answer(rows, view, at)) for at in range(0, rows.num_rows, 997_331)
        )
        of = f"{rows.num_rows:,} rows by a column of type {column.sql_type}"
        yield Figure("U8", f"first page of a sort of {of}, CPU", first, 400, unit="ms")
        yield Figure("U9", f"a far place in a sort of {of}, CPU", far, 150, unit="ms")


def held(count: int) -> HeldRows:
    dice = np.random.default_rng(1)
    numbers = pa.array(dice.integers(0, count // 5, count)).cast(pa.string())
    table = pa.table(
        {
            "id": np.arange(count),
            "name": pc.binary_join_element_wise("customer ", numbers, ""),
            "total": dice.random(count),
        }
    )
    delta = LiveDelta(1, True, table, range(1, count + 1), frozenset(), (), count)
    return HeldRows(delta, describe(table.schema))


def _first(rows: HeldRows, sort: Sort) -> RowView:
    view = RowView(rows, sort, Wanted("", ()))
    view.find_first()
    _answer(rows, view, 0)
    return view


def _answer(rows: HeldRows, view: RowView, start: int) -> bytes:
    slots = view.range(start, _ANSWERED)
    assert slots is not None
    return page_stream(rows.take(slots), rows.row_ids[slots].tolist(), rows.columns)
