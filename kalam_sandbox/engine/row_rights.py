"""Row policies at work: which rows of a SHARED table a caller sees, changes and may write."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from kalam_sandbox.backend import Caller
from kalam_sandbox.engine import access
from kalam_sandbox.engine.rewrite import rewrite
from kalam_sandbox.engine.session import Session
from kalam_sandbox.errors import denied
from kalam_sandbox.sql.identity import with_user
from kalam_sandbox.store.catalog import Table
from kalam_sandbox.store.policies import allowed, visible


def seen(
    session: Session, caller: Caller, table: Table, batches: list[pa.RecordBatch], command: str
) -> list[pa.RecordBatch]:
    """Return the rows that a command of the caller sees.

    Args:
        session: The engine.
        caller: Who reads.
        table: Whose policies count.
        batches: All rows.
        command: ``select``, ``update`` or ``delete``; who changes rows must see them.

    Raises:
        SqlFailed: A condition cannot be evaluated.
    """
    if not access.is_restricted(caller, table.definition):
        return batches
    policies = table.policies.values()
    conditions = {visible(policies, caller.role, one) for one in ("select", command)}
    return _kept(session, caller, table, batches, conditions)


def check_written(session: Session, caller: Caller, table: Table, rows: pa.RecordBatch, command: str) -> None:
    """Refuse rows that the caller may not insert, or make of others by an update.

    Raises:
        SqlFailed: PERMISSION_DENIED.
    """
    if not access.is_restricted(caller, table.definition) or not rows.num_rows:
        return
    condition = allowed(table.policies.values(), caller.role, command)
    kept = _kept(session, caller, table, [rows], {condition})
    if sum(batch.num_rows for batch in kept) < rows.num_rows:
        raise denied(f"Permission denied: a row violates the policies of table '{table.definition.full_name}'")


def live_condition(caller: Caller, table: Table) -> str | None:
    """Return what rows of live events must fulfil, None for nothing."""
    if not access.is_restricted(caller, table.definition):
        return None
    return with_user(visible(table.policies.values(), caller.role, "select"), caller.user_id)


def _kept(
    session: Session, caller: Caller, table: Table, batches: Sequence[pa.RecordBatch], conditions: set[str]
) -> list[pa.RecordBatch]:
    if "false" in conditions:
        return []
    told = " AND ".join(f"({with_user(condition, caller.user_id)})" for condition in sorted(conditions))
    return session.filtered(table.definition.name, batches, rewrite(told, caller))
