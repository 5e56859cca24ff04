"""What one committed row version looks like to one live query (protocol/live.md#changes).

Inserts carry every selected column, updates leave out what is NULL now, deletes carry the last values with
the tombstone's version, and streams tell of a delete only by a row id.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from kalam_sandbox.backend import Change

Row = dict[str, object]


def change_body(
    change: Change,
    *,
    is_stream: bool,
    columns: Sequence[str] | None,
    key: Sequence[str],
    passes: Callable[[Row], bool],
    version: str = "_seq",
    tells_leaving: bool = False,
) -> dict[str, object] | None:
    """Return the fields of a ``change`` message behind its subscription id.

    Args:
        change: The committed row version.
        is_stream: Whether it belongs to a STREAM table.
        columns: Projected names, None for ``*``; names that are no columns deliver nothing.
        key: Names of the primary key columns.
        passes: The filter.
        version: Name of the column that numbers row versions.
        tells_leaving: Whether the row before an update is tested as well, so that one that comes into the filter is an
            insert, and one that leaves it a delete. Else only the new version is: a row leaves without a word.

    Returns:
        The fields, or None when the live query does not hear of this change.
    """
    new, old = change.new or {}, change.old or {}
    if not (_is_encodable(new) and _is_encodable(old)):
        return None
    if change.kind == "delete" and is_stream:
        new = {"row_id": f"{change.owner}:{old.get(version, change.seq)}"}
    is_in = passes(new)
    was_in = passes(old) if tells_leaving and change.kind == "update" else is_in
    if was_in and not is_in:
        return {"change_type": "delete", "old_values": [_identity(old, key)]}
    if not is_in:
        return None
    if change.kind == "insert" or not was_in:
        return {"change_type": "insert", "rows": [_selected(new, columns, version)]}
    if change.kind == "delete":
        return {"change_type": "delete", "old_values": [_selected(new, columns, version)]}
    after, before = _update_rows(new, old, columns, (*key, version))
    return {"change_type": "update", "rows": [after], "old_values": [before]}


def _selected(row: Row, columns: Sequence[str] | None, version: str) -> Row:
    """Return the projected cells and the version, which comes without being asked for."""
    if columns is None:
        return dict(row)
    names = [*columns, version]
    return {name: row[name] for name in names if name in row}


def _identity(row: Row, key: Sequence[str]) -> Row:
    """Return what tells of a row that left a filter: the key, and the hidden columns of the version before."""
    return {name: cell for name, cell in row.items() if name in key or name.startswith("_")}


def _update_rows(new: Row, old: Row, columns: Sequence[str] | None, always: Sequence[str]) -> tuple[Row, Row]:
    """Return both halves of an update: key and version always, NULLs and unchanged cells never."""
    chosen = list(new) if columns is None else columns
    rest = [name for name in chosen if name in new and name not in (*always, "_deleted")]
    after = {name: new[name] for name in always if name in new}
    after |= {name: new[name] for name in rest if new[name] is not None}
    before = {name: old[name] for name in always if name in old}
    before |= {name: old[name] for name in rest if name in old and old[name] != new[name]}
    return after, before


def _is_encodable(row: Row) -> bool:
    """Say whether JSON can carry the row; NaN and infinity silence an event for everybody."""
    for cell in row.values():
        numbers = cell if isinstance(cell, list) else (cell,)
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            return False
    return True
