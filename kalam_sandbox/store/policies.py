"""Row policies of SHARED tables: who may see and write which rows (docs/sandbox.md#later-servers).

Where they are in force, a table without any shows nothing to roles user and service and takes nothing from them.
Policies are permissive: a row passes if one of them lets it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy.

    Attributes:
        name: Its name, unique in the table.
        command: ``all``, ``select``, ``insert``, ``update`` or ``delete``.
        roles: Roles that it is for, or ``public`` for all.
        using: Condition on rows that are read, changed or deleted; None for no condition.
        check: Condition on rows that are written; None for that of `using`.
    """

    name: str
    command: str
    roles: tuple[str, ...]
    using: str | None
    check: str | None

    def covers(self, role: str, command: str) -> bool:
        """Say whether it is about what a role does."""
        return self.command in ("all", command) and (PUBLIC in self.roles or role in self.roles)


def visible(policies: Iterable[Policy], role: str, command: str) -> str:
    """Return the condition on rows that a role may select, update or delete."""
    return _any_of(policy.using for policy in policies if policy.covers(role, command))


def allowed(policies: Iterable[Policy], role: str, command: str) -> str:
    """Return the condition on rows that a role may insert, or write by an update."""
    return _any_of(policy.check or policy.using for policy in policies if policy.covers(role, command))


def _any_of(conditions: Iterable[str | None]) -> str:
    return " OR ".join(f"({condition or 'true'})" for condition in conditions) or "false"
