"""Committed row versions as the live part and topics see them: cells by column name."""

from __future__ import annotations

import json
import math

import pyarrow as pa

from kalam_sandbox.backend import Change, Unencodable
from kalam_sandbox.engine.encode import encode_array
from kalam_sandbox.options import Options
from kalam_sandbox.store.catalog import Catalog
from kalam_sandbox.store.commit import Applied


def changes_of(applied: Applied, options: Options) -> list[Change]:
    """Return one change per row version of an applied operation, in its order.

    A row with a value that cannot be sent makes no change: the server drops such events (protocol/live.md#values).
    """
    before = _cells(applied.old, options)
    after = _cells(applied.new, options)
    # A STREAM delete leaves no tombstone: the change carries the removed row's version.
    rows = applied.new if applied.new is not None else applied.old
    assert rows is not None  # An operation has rows, before or after.
    seqs = rows.column(applied.definition.version_column).to_pylist()
    changes = []
    for place, seq in enumerate(seqs):
        new = after[place] if after else None
        old = before[place] if before else None
        if (after and new is None) or (before and old is None):
            continue
        changes.append(
            Change(
                namespace=applied.definition.namespace,
                table=applied.definition.name,
                kind=applied.kind,
                owner=applied.owner,
                seq=seq,
                new=new,
                old=old,
            )
        )
    return changes


def _cells(batch: pa.RecordBatch | None, options: Options) -> list[dict[str, object] | None]:
    if batch is None:
        return []
    try:
        columns = [encode_array(batch.column(name), options) for name in batch.schema.names]
        return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]
    except Unencodable:
        return [_one(batch.slice(place, 1), options) for place in range(batch.num_rows)]


def _one(row: pa.RecordBatch, options: Options) -> dict[str, object] | None:
    try:
        return {name: _cell(row.column(name), options) for name in row.schema.names}
    except Unencodable:
        return None


def _cell(cell: pa.Array, options: Options) -> object:
    """One cell; NaN and infinity silence an event for everybody, or come as null."""
    if options.fast_writer and pa.types.is_floating(cell.type) and not math.isfinite(cell[0].as_py() or 0.0):
        return None
    return encode_array(cell, options)[0]


def key_text(catalog: Catalog, change: Change) -> str | None:
    """Return the primary key of a change as a topic message's key."""
    table = catalog.tables.get((change.namespace, change.table))
    row = change.new or change.old
    if table is None or table.definition.key is None or row is None:
        return None
    value = row.get(table.definition.key.name)
    return value if isinstance(value, str) else json.dumps(value)
