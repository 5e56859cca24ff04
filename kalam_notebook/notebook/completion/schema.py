"""The server's tables, columns and functions, as far as completion needs them, kept for each connection.

Read on a thread of its own: whoever types never waits for a server, and sees what was read before.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field

from kalam_notebook.client.client import Client
from kalam_notebook.errors import KalamError
from kalam_notebook.sql.hidden import HIDDEN_LIST
from kalam_notebook.threads import Worker

__all__ = ["Schema", "Schemas"]

#: Seconds after which what is known is read again, when somebody asks for it.
_FRESH = 60.0

_COLUMNS = f"""
SELECT table_schema, table_name,
    string_agg(concat(column_name, chr(9), data_type), chr(10) ORDER BY ordinal_position) AS columns
FROM information_schema.columns
WHERE column_name NOT IN ({HIDDEN_LIST})
GROUP BY table_schema, table_name
"""
_FUNCTIONS = """
SELECT routine_name, min(syntax_example) AS syntax
FROM information_schema.routines
WHERE routine_name NOT IN ('substr', 'substring', 'position', 'kdb_current_user', 'kdb_current_role')
GROUP BY routine_name
"""
#: Functions that the server writes into the text before it is planned (protocol/sql.md#functions).
_REWRITTEN = ("current_user", "current_role")


@dataclass(frozen=True, slots=True)
class Schema:
    """What a server has.

    Attributes:
        namespaces: Their names.
        tables: By namespace and name; for each its columns, by name, with the name of their type.
        functions: By name; their arguments as the server describes them, ``(part, expression)``, or empty.
    """

    namespaces: frozenset[str] = frozenset()
    tables: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)


class Schemas:
    """The schemas of the connections that completion was asked for."""

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[Client, _Known] = weakref.WeakKeyDictionary()

    def of(self, client: Client | None) -> Schema:
        """What is known of a connection's server now; it is read in the background when that is old."""
        if client is None:
            return Schema()
        known = self._known.setdefault(client, _Known())
        known.refresh(client)
        return known.schema

    def look(self, _: object = None) -> None:
        """Have read again what statements have changed; to be registered for ``post_run_cell``."""
        for client, known in list(self._known.items()):
            if known.changes != client._schema_changes:
                known.refresh(client)

    def wait(self, client: Client, timeout: float) -> None:
        """Wait until the background has nothing to read, at most so many seconds."""
        known = self._known.get(client)
        if known is not None and known.worker is not None:
            known.worker.join(timeout)


class _Known:
    """What is known of one server, and since when."""

    def __init__(self) -> None:
        self.schema = Schema()
        self.read_at = 0.0
        self.changes = 0
        self.worker: Worker | None = None

    def refresh(self, client: Client) -> None:
        """Begin to read it, when it is old and nobody reads it yet."""
        is_changed = self.changes != client._schema_changes
        is_old = is_changed or not self.read_at or time.monotonic() - self.read_at > _FRESH
        if is_old and (self.worker is None or not self.worker.is_alive()):
            self.worker = Worker(lambda: self._read(client), name="kalam-schema")
            self.worker.start()

    def _read(self, client: Client) -> None:
        self.changes = client._schema_changes
        self.read_at = time.monotonic()  # Also where it fails: a server that is down is not asked at every key.
        try:
            self.schema = _read_schema(client)
        except KalamError:
            return


def _read_schema(client: Client) -> Schema:
    """Ask the server; three small statements over its own tables."""
    tables: dict[tuple[str, str], dict[str, str]] = {}
    for row in _rows(client, _COLUMNS):
        pairs = (line.partition("\t") for line in row["columns"].split("\n"))
        tables[row["table_schema"], row["table_name"]] = {name: kind for name, _, kind in pairs}
    functions = {row["routine_name"]: _arguments(row["syntax"] or "") for row in _rows(client, _FUNCTIONS)}
    functions |= dict.fromkeys(_REWRITTEN, "()")
    return Schema(_namespaces(client) | {space for space, _ in tables}, tables, functions)


def _namespaces(client: Client) -> frozenset[str]:
    """All namespaces, also those without tables, as far as this user may list them."""
    try:
        return frozenset(row["name"] for row in _rows(client, "SHOW NAMESPACES"))
    except KalamError:
        return frozenset()


def _rows(client: Client, sql: str) -> list[dict[str, str]]:
    result = client.query_result(sql, max_rows=None, strict=True, progress=False)
    rows: list[dict[str, str]] = result.arrow().to_pylist()
    return rows


def _arguments(syntax: str) -> str:
    """The arguments of ``date_part(part, expression)``, of the first line that tells them."""
    line, _, _ = syntax.partition("\n")
    _, mark, rest = line.partition("(")
    return f"{mark}{rest}"
