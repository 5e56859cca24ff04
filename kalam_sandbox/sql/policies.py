"""Reading CREATE, ALTER and DROP POLICY."""

from __future__ import annotations

from kalam_sandbox.sql.columns import skip_parentheses
from kalam_sandbox.sql.statements import AlterPolicy, CreatePolicy, DropPolicy, Statement
from kalam_sandbox.sql.tokens import Cursor
from kalam_sandbox.store.policies import PUBLIC

_COMMANDS = ("ALL", "SELECT", "INSERT", "UPDATE", "DELETE")
_ROLES = (PUBLIC, "user", "service", "dba", "system")


def read_policy(cursor: Cursor) -> Statement:
    """Read one statement about a policy.

    Raises:
        SyntaxError: It is no such statement, or a clause does not fit the command.
    """
    verb = cursor.next().upper
    cursor.expect("POLICY")
    if_exists = verb == "DROP" and cursor.accept("IF", "EXISTS")
    name = cursor.identifier()
    cursor.expect("ON")
    namespace, table = cursor.qualified()
    if verb == "DROP":
        cursor.end()
        return DropPolicy(namespace, table, name, if_exists)
    if verb == "ALTER" and cursor.accept("RENAME", "TO"):
        new_name = cursor.identifier()
        cursor.end()
        return AlterPolicy(namespace, table, name, new_name, None, None, None)
    command = _command(cursor) if verb == "CREATE" else "all"
    roles = _roles(cursor) if cursor.accept("TO") else None
    using = _condition(cursor) if cursor.accept("USING") else None
    check = _condition(cursor) if cursor.accept("WITH", "CHECK") else None
    cursor.end()
    if verb == "ALTER":
        return AlterPolicy(namespace, table, name, None, roles, using, check)
    if command == "insert" and using is not None:
        raise SyntaxError("INSERT policies cannot define USING")
    if command in ("select", "delete") and check is not None:
        raise SyntaxError(f"{command.upper()} policies cannot define WITH CHECK")
    return CreatePolicy(namespace, table, name, command, roles or (PUBLIC,), using, check)


def _command(cursor: Cursor) -> str:
    if cursor.accept("AS") and not cursor.accept("PERMISSIVE"):
        raise SyntaxError("RESTRICTIVE policies are not supported")
    if not cursor.accept("FOR"):
        return "all"
    word = next((word for word in _COMMANDS if cursor.accept(word)), None)
    if word is None:
        raise SyntaxError(f"Expected: a command, found: {cursor.found}")
    return word.lower()


def _roles(cursor: Cursor) -> tuple[str, ...]:
    roles = [_role(cursor)]
    while cursor.accept(","):
        roles.append(_role(cursor))
    return tuple(roles)


def _role(cursor: Cursor) -> str:
    name = cursor.identifier().lower()
    if name not in _ROLES:
        raise SyntaxError(f"unsupported policy target '{name}'")
    return name


def _condition(cursor: Cursor) -> str:
    """Return what stands in parentheses."""
    if not cursor.at("("):
        raise SyntaxError(f"Expected: (, found: {cursor.found}")
    first = cursor.place
    skip_parentheses(cursor)
    inside = cursor.tokens[first + 1 : cursor.place - 1]
    if not inside:
        raise SyntaxError("Expected: an expression, found: )")
    return cursor.sql[inside[0].start : inside[-1].end]
