"""The rows of a live table as they were at a moment: those of now, with what has happened since taken back. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from kalam_notebook.live_queries.rows.changes import cells_at
from kalam_notebook.live_queries.rows.delta import LiveDelta, whole
from kalam_notebook.live_queries.rows.history import Entry, Step

__all__ = ["taken_back"]


def taken_back(now: LiveDelta, steps: Sequence[Step], version: int) -> LiveDelta:
    """Take steps back.

    Args:
        now: All rows of now.
        steps: The latest steps with their cells, oldest first.
        version: The version before them.

    Returns:
        All rows of then, in the order of then.
    """
    # What a row was before the first thing that happened to it; an entry without an old place: it was not there.
    before: dict[int, tuple[Step, Entry]] = {}
    for step in steps:
        for entry in step.entries:
            before.setdefault(entry.row_id, (step, entry))
    order = next((step.order for step in steps if step.order is not None), None)
    if not before and order is None:
        return whole(version, now.rows, now.row_ids)

    pairs = [pair for pair in before.values() if pair[1].old >= 0]
    cells = cells_at(pairs, now.rows.schema, [entry.old for _, entry in pairs])
    ids = np.array(now.row_ids, np.int64)
    stayed = np.flatnonzero(~np.isin(ids, list(before)))
    rows = pa.concat_tables([now.rows.combine_chunks().take(pa.array(stayed)), cells]).combine_chunks()
    ids = np.append(ids[stayed], np.array([entry.row_id for _, entry in pairs], np.int64))

    by_number = np.argsort(ids)
    places = by_number if order is None else by_number[np.searchsorted(ids, order, sorter=by_number)]
    return whole(version, rows.take(pa.array(places)), ids[places].tolist())
