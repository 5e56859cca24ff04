"""What changed in a live table between two of its versions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from kalam_notebook.live_queries.rows.history import Effect

__all__ = ["LiveDelta", "changes", "nothing", "whole"]


@dataclass(frozen=True, slots=True)
class LiveDelta:
    """What changed in a live table between two of its versions.

    Attributes:
        version: The table's version after this delta.
        reset: Whether ``rows`` is the whole table and replaces everything.
        rows: Inserted and updated rows with all visible columns, in the order of their numbers.
        row_ids: The stable number of each row of ``rows``.
        inserted: The numbers that are new; empty on a reset.
        removed: The numbers that are gone.
        num_rows: How many rows the table has now.
    """

    version: int
    reset: bool
    rows: pa.Table
    row_ids: Sequence[int]
    inserted: frozenset[int]
    removed: tuple[int, ...]
    num_rows: int


def nothing(version: int, schema: pa.Schema, num_rows: int) -> LiveDelta:
    """The delta of a table that is as it was."""
    return LiveDelta(version, False, schema.empty_table(), (), frozenset(), (), num_rows)


def whole(version: int, rows: pa.Table, row_ids: Sequence[int]) -> LiveDelta:
    """The delta that is the table."""
    return LiveDelta(version, True, rows, tuple(row_ids), frozenset(), (), rows.num_rows)


def changes(
    version: int,
    changed: Mapping[int, Effect],
    places: Mapping[int, int],
    take: Callable[[Sequence[int]], pa.Table],
    num_rows: int,
) -> LiveDelta:
    """The delta of rows that have changed one by one.

    Args:
        version: The version of now.
        changed: By the number of a row the first thing that happened to it.
        places: Where the cells of those lie that are there, by their numbers; it may tell of others too.
        take: Gives the visible cells at some places.
        num_rows: How many rows the table has now.
    """
    ids = tuple(row_id for row_id in sorted(changed) if row_id in places)
    inserted = frozenset(row_id for row_id in ids if changed[row_id] is Effect.INSERTED)
    gone = (row_id for row_id in sorted(changed) if row_id not in places)
    removed = tuple(row_id for row_id in gone if changed[row_id] is not Effect.INSERTED)
    return LiveDelta(version, False, take([places[row_id] for row_id in ids]), ids, inserted, removed, num_rows)
