"""What the list of tables says of one: its kind, and for how long a STREAM table keeps its rows.

``SHOW TABLES`` tells it to every role, with a line for each version of each table of the server (protocol/sql.md#show).
The versions of a table differ in their columns, not in this.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa

from kalam_notebook.errors import KalamError, PermissionDeniedError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.sql.tables import table_named
from kalam_notebook.wire.answered import json_object, whole_number

__all__ = ["LISTED", "Listed", "Listings", "find_listed", "listed_table"]

#: The columns that tell it.
LISTED = ("namespace_id", "table_name", "table_type", "options")


@dataclass(frozen=True, slots=True)
class Listed:
    """A table as it is listed.

    Attributes:
        kind: ``user``, ``shared`` or ``stream``.
        ttl_ms: For how long a STREAM table keeps its rows; None for ever.
    """

    kind: str
    ttl_ms: int | None = None


class Listings:
    """Tables as they are listed, each looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, Listed | None] = {}

    def forget(self) -> None:
        """Look tables up anew: one of them may have been made anew."""
        self._known.clear()

    def of(self, endpoint: Endpoint, table: str) -> Listed | None:
        """A table, named as it can stand in SQL; None where nothing tells it."""
        if table not in self._known:
            try:
                self._known[table] = listed_table(endpoint, table)
            except KalamError:
                self._known[table] = None
        return self._known[table]

    def are_of_one_log(self, endpoint: Endpoint, tables: Collection[str]) -> bool:
        """Whether a transaction sees these tables at one moment, where it sees each log as at its first access.

        All USER tables of one user have one, and so have all SHARED tables of a server that is no cluster
        (protocol/sql.md#later-versions). Of STREAM tables nothing is known.
        """
        if len(tables) < 2:
            return True
        listed = [self.of(endpoint, table) for table in tables]
        kinds = {one.kind for one in listed if one is not None}
        return None not in listed and kinds in ({"user"}, {"shared"})


def listed_table(endpoint: Endpoint, table: str) -> Listed | None:
    """Ask for a table, named as it can stand in SQL; None when it is not listed, or this user may not list tables."""
    name = table_named(table)
    assert name is not None
    try:
        rows = endpoint.execute("SHOW TABLES").table(0, LISTED)
    except PermissionDeniedError:
        # Ordinary users may not from 0.5 on (protocol/sql.md#later-versions).
        return None
    return find_listed(rows, name.namespace or "default", name.table)


def find_listed(rows: pa.Table, namespace: str, table: str) -> Listed | None:
    """Find a table in the columns ``LISTED`` of the answer to ``SHOW TABLES``."""
    for row in rows.to_pylist():
        if (row["namespace_id"], row["table_name"]) == (namespace, table):
            kind = str(row["table_type"]).lower()
            options = json_object((row["options"] or "{}").encode()) if kind == "stream" else {}
            seconds = options.get("ttl_seconds")
            return Listed(kind, None if seconds is None else whole_number(seconds) * 1000)
    return None
