"""CREATE, ALTER and DROP USER, KILL LIVE QUERY (protocol/sql.md#subscribe, #users)."""

from __future__ import annotations

from kalam_sandbox.commands.context import Call
from kalam_sandbox.errors import execution
from kalam_sandbox.sql.statements import AlterUser, CreateUser, DropUser
from kalam_sandbox.store.catalog import now_ms


def create_user(call: Call, statement: CreateUser) -> str:
    """Create a user and return the message.

    Raises:
        SqlFailed: The name was used before.
    """
    users, name = call.server.users, statement.user_id
    if users.is_taken(name):
        raise execution(f"Already exists: User '{name}' already exists")
    users.add(name, statement.role, password=statement.password, email=statement.email, auth_type=statement.auth_type)
    return f"User '{name}' created"


def alter_user(call: Call, statement: AlterUser) -> str:
    """Change password, role or e-mail and return the message.

    Raises:
        SqlFailed: There is no such user.
    """
    user = call.server.users.get(statement.user_id)
    if user is None:
        raise execution(f"Not found: User '{statement.user_id}' not found")
    if statement.password is not None:
        call.server.users.set_password(user, statement.password)
    user.role = statement.role or user.role
    user.email = statement.email or user.email
    user.updated_ms = now_ms()
    return f"User '{statement.user_id}' updated"


def drop_user(call: Call, statement: DropUser) -> str:
    """Drop a user, softly, and return the message; dropping twice succeeds.

    Raises:
        SqlFailed: There never was such a user.
    """
    users, name = call.server.users, statement.user_id
    if not users.is_taken(name):
        if statement.if_exists:
            return f"User '{name}' does not exist (skipped)"
        raise execution(f"Not found: User '{name}' not found")
    if (user := users.get(name)) is not None:
        user.deleted_ms = now_ms()
    return f"User '{name}' dropped (soft delete)"


def kill_live_query(call: Call, live_id: str) -> str:
    """End somebody's live query and return the message; its client is not told.

    Raises:
        SqlFailed: There is no such live query.
    """
    if not call.server.system.kill_live(live_id):
        raise execution(f"Not found: Connection not found for live query: {live_id}")
    return f"Live query killed: {live_id}"
