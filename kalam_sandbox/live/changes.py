"""What one committed row version looks like to one live query (protocol/live.md#changes).

Inserts carry every selected column, updates leave out what is NULL now, deletes carry the last values with
the tombstone's version, and streams tell of a delete only by a row id.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kalam_sandbox.backend import Change
from kalam_sandbox.live.evaluate import passes
from kalam_sandbox.live.predicate import Predicate

Row = dict[str, object]


def change_body(
    change: Change,
    *,
    is_stream: bool,
    columns: Sequence[str] | None,
    key: Sequence[str],
    predicate: Predicate | None,
    types: Mapping[str, object],
    version: str = "_seq",
) -> dict[str, object] | None:
    """Return the fields of a ``change`` message behind its subscription id.

    Args:
        change: The committed row version.
        is_stream: Whether it belongs to a STREAM table.
        columns: Projected names, None for ``*``; names that are no columns deliver nothing.
        key: Names of the primary key columns.
        predicate: The WHERE; None lets everything pass.
        types: Wire types of the columns, by name in lower case.
        version: Name of the column that numbers row versions.

    Returns:
        The fields, or None when the live query does not hear of this change.
    """
    new, old = change.new or {}, change.old or {}
    if not (_is_encodable(new) and _is_encodable(old)):
        return None
    if change.kind == "delete" and is_stream:
        new = {"row_id": f"{change.owner}:{old.get(version, change.seq)}"}
    # Only the new version is tested, so a row that leaves the filter leaves without a word.
    if not passes(predicate, new, types):
        return None
    if change.kind == "insert":
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
