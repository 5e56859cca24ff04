"""What happened to the rows of a live table, as an Arrow table with a row for each change. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from kalam_notebook.live_queries.rows.history import Entry, Step, microseconds
from kalam_notebook.live_queries.rows.values import comparable

__all__ = ["cells_at", "change_table"]


def change_table(
    steps: Sequence[Step], schema: pa.Schema, *, last: int | None = None, row_id: int | None = None
) -> pa.Table:
    """Put changes into a table, oldest first.

    Args:
        steps: What happened, with cells.
        schema: The visible columns.
        last: How many changes, the latest; None for all.
        row_id: The number of the row whose changes are wanted; None for all rows.

    Returns:
        ``_change`` (inserted, updated, deleted, left, expired), ``_healed`` (whether no event told it), ``_at`` (when
        it was seen here), ``_seq``, ``_changed`` (the names of updated columns), the visible columns as they are after
        the change (as they were last, for a row that is gone), and ``_old``, the visible columns before the change.
    """
    pairs = [(step, entry) for step in steps for entry in step.entries if row_id in (None, entry.row_id)]
    pairs = pairs if last is None else pairs[max(0, len(pairs) - last) :]

    old = cells_at(pairs, schema, [entry.old for _, entry in pairs])
    new = cells_at(pairs, schema, [entry.new if entry.new >= 0 else entry.old for _, entry in pairs])
    updated = [entry.new >= 0 and entry.old >= 0 for _, entry in pairs]
    names = [
        [name for name, is_other in zip(schema.names, others, strict=True) if is_other] if is_update else None
        for is_update, others in zip(updated, _differences(old, new), strict=True)
    ]

    before = pa.StructArray.from_arrays(
        [column.combine_chunks() for column in old.columns],
        fields=list(schema),
        mask=pa.array([entry.old < 0 for _, entry in pairs], pa.bool_()),
    )

    at = [microseconds(step.at) for step, _ in pairs]
    columns = {
        "_change": pa.array([entry.effect.value for _, entry in pairs], pa.string()),
        "_healed": pa.array([step.healed for step, _ in pairs], pa.bool_()),
        "_at": pa.array(at, pa.timestamp("us", "UTC")),
        "_seq": pa.array([entry.seq for _, entry in pairs], pa.int64()),
        "_changed": pa.array(names, pa.list_(pa.string())),
    }

    fields = [pa.field(name, array.type) for name, array in columns.items()]
    return pa.Table.from_arrays(
        [*columns.values(), *new.columns, before],
        schema=pa.schema([*fields, *schema, pa.field("_old", before.type)]),
    )


def cells_at(pairs: Sequence[tuple[Step, Entry]], schema: pa.Schema, places: Sequence[int]) -> pa.Table:
    """The visible cells at places of the steps' chunks, in one batch.

    Args:
        pairs: The changes that the places belong to.
        schema: The visible columns, whose names may repeat.
        places: A place for each change; -1 gives a row of NULL.
    """
    pieces: list[pa.Table] = []
    order: list[int | None] = [None] * len(places)
    by_chunks: dict[int, list[int]] = {}
    for index, (step, _) in enumerate(pairs):
        if places[index] >= 0:
            by_chunks.setdefault(id(step.chunks), []).append(index)

    count = 0
    for indexes in by_chunks.values():
        chunks = pairs[indexes[0]][0].chunks
        assert chunks is not None
        rows = chunks.take([places[index] for index in indexes])
        # Names repeat in results only, which hold no hidden columns.
        pieces.append(rows if rows.schema.names == schema.names else rows.select(schema.names))
        for index in indexes:
            order[index], count = count, count + 1

    found = pa.concat_tables(pieces) if pieces else schema.empty_table()
    return found.combine_chunks().take(pa.array(order, pa.int64()))


def _differences(old: pa.Table, new: pa.Table) -> list[tuple[bool, ...]]:
    """For each row which columns differ."""
    columns = [
        [a != b and not (a != a and b != b) for a, b in zip(comparable(before), comparable(after), strict=True)]
        for before, after in zip(old.columns, new.columns, strict=True)
    ]
    return list(zip(*columns, strict=True)) if columns else [()] * new.num_rows
