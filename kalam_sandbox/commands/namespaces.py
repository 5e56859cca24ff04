"""CREATE, ALTER and DROP NAMESPACE, USE (protocol/sql.md#namespaces)."""

from __future__ import annotations

from kalam_sandbox.commands.context import Call
from kalam_sandbox.commands.names import check_name
from kalam_sandbox.errors import execution
from kalam_sandbox.sql.statements import AlterNamespace, CreateNamespace, DropNamespace
from kalam_sandbox.store.catalog import Namespace, now_ms

_RESERVED_TEXT = """
    system sys root kalamdb kalam main default sql admin internal information_schema pg_catalog datafusion
"""
_RESERVED = frozenset(_RESERVED_TEXT.split())


def create_namespace(call: Call, statement: CreateNamespace) -> str:
    """Create a namespace and return the message.

    Raises:
        SqlFailed: The name is taken, reserved or badly formed.
    """
    catalog, name = call.server.catalog, statement.name
    if name in _RESERVED:
        raise execution(f"Namespace '{name}' is reserved and cannot be used")
    check_name(name, before="", what="Namespace")
    with catalog.lock:
        if name in catalog.namespaces:
            if statement.if_not_exists:
                return f"Namespace '{name}' already exists"
            raise execution(f"Already exists: Namespace '{name}' already exists")
        catalog.namespaces[name] = Namespace(name, now_ms())
        catalog.touch()
    return f"Namespace '{name}' created successfully"


def drop_namespace(call: Call, statement: DropNamespace) -> str:
    """Drop a namespace with all its tables and return the message.

    Raises:
        SqlFailed: There is none.
    """
    catalog, name = call.server.catalog, statement.name
    with catalog.lock:
        if name not in catalog.namespaces:
            if statement.if_exists:
                return f"Namespace '{name}' does not exist"
            raise execution(f"Not found: Namespace '{name}' not found")
        catalog.drop_namespace(name)
    return f"Namespace '{name}' dropped successfully"


def alter_namespace(call: Call, statement: AlterNamespace) -> str:
    """Merge options into a namespace's and return the message.

    Raises:
        SqlFailed: There is none.
    """
    with call.server.catalog.lock:
        namespace = call.server.catalog.namespaces.get(statement.name)
        if namespace is None:
            raise execution(f"Not found: Namespace '{statement.name}' not found")
        namespace.options.update(statement.options)
    return f"Namespace '{statement.name}' altered successfully"


def use_namespace(call: Call, name: str) -> str:
    """Check that a namespace may be used and return the message.

    Raises:
        SqlFailed: There is none.
    """
    if name not in call.server.catalog.namespaces:
        raise execution(f"Not found: Namespace '{name}' does not exist")
    return f"Namespace switched to '{name}'"
