"""CREATE, ALTER and DROP POLICY on SHARED tables (docs/sandbox.md#later-servers)."""

from __future__ import annotations

from dataclasses import replace

from kalam_sandbox.commands.context import Call
from kalam_sandbox.commands.tables import not_found
from kalam_sandbox.errors import execution
from kalam_sandbox.sql.statements import AlterPolicy, CreatePolicy, DropPolicy
from kalam_sandbox.store.catalog import Table
from kalam_sandbox.store.policies import Policy


def create_policy(call: Call, statement: CreatePolicy) -> str:
    """Create a policy and return the message.

    Raises:
        SqlFailed: There is no such table, it is not SHARED, or it has a policy of this name.
    """
    with call.server.catalog.lock:
        table = _table(call, statement.namespace, statement.table)
        if statement.name in table.policies:
            raise execution(f"Already exists: Policy '{statement.name}' already exists")
        table.policies[statement.name] = Policy(
            statement.name, statement.command, statement.roles, statement.using, statement.check
        )
    return f"Policy '{statement.name}' created on table '{table.definition.full_name}'"


def alter_policy(call: Call, statement: AlterPolicy) -> str:
    """Rename a policy or change what it says, and return the message.

    Raises:
        SqlFailed: There is no such policy, or one of the new name.
    """
    with call.server.catalog.lock:
        table = _table(call, statement.namespace, statement.table)
        policy = _existing(table, statement.name)
        if statement.new_name is not None and statement.new_name in table.policies:
            raise execution(f"Already exists: Policy '{statement.new_name}' already exists")
        changed = replace(
            policy,
            name=statement.new_name or policy.name,
            roles=statement.roles or policy.roles,
            using=statement.using or policy.using,
            check=statement.check or policy.check,
        )
        del table.policies[policy.name]
        table.policies[changed.name] = changed
    return f"Policy '{statement.name}' altered"


def drop_policy(call: Call, statement: DropPolicy) -> str:
    """Drop a policy and return the message.

    Raises:
        SqlFailed: There is no such policy.
    """
    with call.server.catalog.lock:
        table = _table(call, statement.namespace, statement.table)
        if statement.if_exists and statement.name not in table.policies:
            return f"Policy '{statement.name}' does not exist (skipped)"
        del table.policies[_existing(table, statement.name).name]
    return f"Policy '{statement.name}' dropped"


def _table(call: Call, namespace: str | None, name: str) -> Table:
    full_name = (namespace or "default", name)
    table = call.server.catalog.tables.get(full_name)
    if table is None:
        raise not_found(full_name)
    if table.definition.kind != "shared":
        raise execution("Invalid operation: Policies can only be defined on SHARED tables")
    return table


def _existing(table: Table, name: str) -> Policy:
    if name not in table.policies:
        raise execution(f"Not found: Policy '{name}' not found")
    return table.policies[name]
