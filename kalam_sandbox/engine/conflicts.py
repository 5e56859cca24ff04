"""INSERT … ON CONFLICT: which rows are new, and what becomes of the others (docs/sandbox.md#later-servers)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa

from kalam_sandbox.engine import access
from kalam_sandbox.engine.coerce import Coercer, CoercionError
from kalam_sandbox.engine.insert_plain import unchecked_batch
from kalam_sandbox.engine.parameters import Value
from kalam_sandbox.engine.select import Selector
from kalam_sandbox.engine.update import differing
from kalam_sandbox.errors import denied, execution
from kalam_sandbox.sql.conflicts import Conflict, Excluded
from kalam_sandbox.sql.inserts import Expression, Item, Placeholder
from kalam_sandbox.store.catalog import Name
from kalam_sandbox.store.schema import ColumnDef, TableDef


def check_conflict(conflict: Conflict, definition: TableDef, selector: Selector) -> None:
    """Refuse a clause that does not name the primary key, or is not for the caller.

    Raises:
        SqlFailed: Says why.
    """
    key = definition.key
    if key is None or definition.kind == "stream":
        raise execution("Invalid operation: ON CONFLICT needs a table whose rows are known by a primary key")
    if access.is_restricted(selector.caller, definition):
        role = selector.caller.role.title()
        raise denied(f"Permission denied: ON CONFLICT is not supported for role '{role}' on SHARED tables")
    if conflict.target is None:
        raise execution("Invalid operation: ON CONFLICT requires a primary key conflict target")
    if conflict.target != (key.name,):
        raise execution(f"Invalid operation: ON CONFLICT only supports the primary key conflict target ({key.name})")
    for name in conflict.assigned or ():
        column = definition.by_name.get(name)
        if column is None or column.is_hidden or column.is_key:
            raise execution(f"Invalid operation: ON CONFLICT cannot set column '{name}'")


def settle(
    rows: pa.RecordBatch,
    name: Name,
    definition: TableDef,
    conflict: Conflict,
    selector: Selector,
    coercer: Coercer,
    params: Sequence[Value],
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Return the rows to insert, and the rows that others become.

    Raises:
        SqlFailed: Two rows have one key, or a value does not fit its column.
    """
    assert definition.key is not None  # Checked before.
    keys = rows.column(definition.key.name).to_pylist()
    held = selector.reader.find(name, selector.caller.user_id, rows)
    place_of = {key: place for place, key in enumerate(held.column(definition.key.name).to_pylist())}
    fresh, known = [], []
    for place, key in enumerate(keys):
        if key in keys[:place]:
            if conflict.assigned is not None:
                raise execution(
                    "Invalid operation: ON CONFLICT DO UPDATE cannot affect a row a second time: two rows have one key"
                )
        elif key in place_of:
            known.append(place)
        else:
            fresh.append(place)
    inserted = rows.take(pa.array(fresh, pa.int64()))
    if conflict.assigned is None or not conflict.applies:
        return inserted, rows.slice(0, 0)
    old = held.take(pa.array([place_of[keys[place]] for place in known], pa.int64()))
    proposed = rows.take(pa.array(known, pa.int64()))
    new = unchecked_batch(
        [
            _cells(conflict.assigned[column.name], column, proposed, coercer, params)
            if column.name in conflict.assigned
            else old.column(column.name)
            for column in definition.columns
        ],
        definition,
    )
    return inserted, new.take(pa.array(differing(old, new, list(conflict.assigned)), pa.int64()))


def _cells(
    item: Item | Excluded, column: ColumnDef, proposed: pa.RecordBatch, coercer: Coercer, params: Sequence[Value]
) -> pa.Array:
    if isinstance(item, Excluded):
        if item.column not in proposed.schema.names:
            raise execution(f"Invalid operation: Column '{item.column}' does not exist")
        return proposed.column(item.column).cast(column.type.arrow)
    if isinstance(item, Placeholder):
        if item.number > len(params):
            raise execution(f"Parameter binding error: No value for ${item.number}")
        value: Value | Decimal = params[item.number - 1]
    else:
        assert not isinstance(item, Expression)  # Refused when it was read.
        value = item
    try:
        return coercer.column([value] * proposed.num_rows, column)
    except CoercionError as wrong:
        raise execution(f"Invalid operation: Schema coercion failed: {wrong}") from None
