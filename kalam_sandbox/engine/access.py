"""Who may read and write which table (protocol/http.md#roles)."""

from __future__ import annotations

from kalam_sandbox.backend import Caller, SqlFailed
from kalam_sandbox.errors import denied
from kalam_sandbox.store.schema import TableDef

_READERS = {
    "Public": ("user", "service", "dba", "system"),
    "Restricted": ("service", "dba", "system"),
    "Private": ("service", "dba", "system"),
    "Dba": ("dba", "system"),
}
_IMPERSONATES = {
    "user": (),
    "service": ("service", "user"),
    "dba": ("dba", "service", "user"),
    "system": ("system", "dba", "service", "user"),
}


def may_read(caller: Caller, definition: TableDef) -> bool:
    """Say whether the caller may read a table; own rows of USER and STREAM tables always.

    Of a table with policies everybody may read what they let through, be it nothing.
    """
    if definition.kind != "shared" or definition.access_level is None:
        return True
    return caller.role in _READERS[definition.access_level]


def may_write(caller: Caller, definition: TableDef) -> bool:
    """Say whether the caller may write a table; role user never writes SHARED ones that have a level."""
    if is_by_policy(definition):
        return True
    return definition.kind != "shared" or (caller.role != "user" and may_read(caller, definition))


def is_by_policy(definition: TableDef) -> bool:
    """Say whether rows of a table are judged one by one: it is SHARED and has no level."""
    return definition.kind == "shared" and definition.access_level is None


def is_restricted(caller: Caller, definition: TableDef) -> bool:
    """Say whether the caller sees and writes what policies let through alone."""
    return is_by_policy(definition) and caller.role in ("user", "service")


def may_act_as(caller: Caller, target: str, target_role: str) -> bool:
    """Say whether the caller may act for another user; everybody may act for themselves."""
    return target == caller.user_id or target_role in _IMPERSONATES[caller.role]


def check_read(caller: Caller, definition: TableDef) -> None:
    """Refuse reading a SHARED table by level.

    Raises:
        SqlFailed: PERMISSION_DENIED.
    """
    if not may_read(caller, definition):
        raise denied(f"Permission denied: Error during planning: {_refusal(caller, definition, 'access')}")


def check_write(caller: Caller, definition: TableDef, *, before: str) -> None:
    """Refuse writing a SHARED table by level.

    Args:
        caller: Who writes.
        definition: Which table.
        before: What the server puts before the text; it differs by path.

    Raises:
        SqlFailed: PERMISSION_DENIED.
    """
    if not may_write(caller, definition):
        raise denied(f"Permission denied: {before}{_refusal(caller, definition, 'write')}")


def check_system(caller: Caller, table: str) -> None:
    """Refuse `system.*` to all but dba and system.

    Raises:
        SqlFailed: PERMISSION_DENIED.
    """
    if caller.role not in ("dba", "system"):
        raise denied(
            f"Permission denied: Error during planning: Access denied: Role '{caller.role.title()}' cannot access "
            f"table 'system.{table}'. System tables require 'dba' or 'system' role."
        )


def _refusal(caller: Caller, definition: TableDef, doing: str) -> str:
    return (
        f"Access denied: Role '{caller.role.title()}' cannot access table '{definition.full_name}'. "
        f"Shared table {doing} denied (access_level={definition.access_level})"
    )


def not_authorized(caller: Caller, target: str, target_role: str) -> SqlFailed:
    """Return the refusal of EXECUTE AS USER."""
    return denied(
        f"Unauthorized: EXECUTE AS USER is not authorized: actor '{caller.user_id}' with role "
        f"{caller.role.title()} cannot target '{target}' with role {target_role.title()}"
    )
