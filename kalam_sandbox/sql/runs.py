"""Which INSERTs of a request form a run that takes the literal path inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence

from kalam_sandbox.sql import statements as s
from kalam_sandbox.sql.inserts import insert_head


def on_literal_path(statements: Sequence[s.Statement]) -> list[bool]:
    """Say for each statement whether a plain INSERT goes the literal path.

    Inside BEGIN … COMMIT only runs of two or more INSERTs with the same table and columns do; a single one goes the
    engine path (protocol/sql.md#insert).
    """
    heads = _heads(statements)
    allowed = []
    for place, head in enumerate(heads):
        before = heads[place - 1] if place else None
        after = heads[place + 1] if place + 1 < len(heads) else None
        allowed.append(head is None or head in (before, after))
    return allowed


def _heads(statements: Sequence[s.Statement]) -> list[str | None]:
    """Return the part before VALUES of each INSERT inside a transaction, None for everything else."""
    heads: list[str | None] = []
    inside = False
    for statement in statements:
        inside = (inside or isinstance(statement, s.Begin)) and not isinstance(statement, s.Commit | s.Rollback)
        is_insert = inside and isinstance(statement, s.Dml) and statement.kind == "insert"
        head = insert_head(statement.sql) if is_insert and isinstance(statement, s.Dml) else None
        heads.append(" ".join(head.lower().split()) if head is not None else None)
    return heads
