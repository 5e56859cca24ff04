"""Which namespaces, tables and views exist, and where their rows are.

Names are lower case here. Rights, messages and SQL belong to `commands` and `engine`. All access happens under
`Catalog.lock`, which also serialises commits.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from kalam_sandbox.ids import Numbers, Positions, Snowflakes, uuid7
from kalam_sandbox.store.policies import Policy
from kalam_sandbox.store.schema import TableDef
from kalam_sandbox.store.versions import VersionLog

Name = tuple[str, str]


def now_ms() -> int:
    """Return the Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Namespace:
    """A namespace: when it was made and its options."""

    name: str
    created_ms: int
    options: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Table:
    """A table: its present definition, the earlier ones, and one log per owner (None for SHARED).

    The incarnation tells it from a table of its name that was dropped.
    """

    definition: TableDef
    history: list[TableDef] = field(default_factory=list)
    logs: dict[str | None, VersionLog] = field(default_factory=dict)
    incarnation: str = field(default_factory=uuid7)
    policies: dict[str, Policy] = field(default_factory=dict)

    @property
    def is_owned(self) -> bool:
        """Whether rows belong to the user who wrote them."""
        return self.definition.kind != "shared"

    def owner_of(self, user_id: str) -> str | None:
        """Return the owner under which `user_id` reads and writes."""
        return user_id if self.is_owned else None

    def log(self, user_id: str) -> VersionLog:
        """Return the log that `user_id` reads and writes, made on first use."""
        owner = self.owner_of(user_id)
        if owner not in self.logs:
            self.logs[owner] = self.new_log()
        return self.logs[owner]

    def new_log(self) -> VersionLog:
        """Return an empty log for this table."""
        return new_log(self.definition)

    def redefine(self, definition: TableDef) -> None:
        """Put a new version of the definition in place."""
        self.history.append(self.definition)
        self.definition = definition
        for log in self.logs.values():
            log.with_schema(definition.schema)


def new_log(definition: TableDef) -> VersionLog:
    """Return an empty log for a definition; rows of a STREAM table are not found by key."""
    keyed = definition.key if definition.kind != "stream" else None
    return VersionLog(definition.schema, keyed.name if keyed else None, definition.version_column)


@dataclass(frozen=True, slots=True)
class View:
    """A named SELECT."""

    namespace: str
    name: str
    sql: str


class Catalog:
    """Everything the server keeps in memory about namespaces, tables and views.

    Args:
        by_log: Whether row versions are positions in a log; else they are times.
    """

    def __init__(self, *, by_log: bool = False) -> None:
        self.lock = threading.RLock()
        self.sequence: Numbers = Positions() if by_log else Snowflakes()
        # What is written to STREAM tables goes through no log.
        self.stream_sequence: Numbers = Positions() if by_log else self.sequence
        self.namespaces: dict[str, Namespace] = {}
        self.tables: dict[Name, Table] = {}
        self.views: dict[Name, View] = {}
        # Grows whenever a table or view appears, changes or goes.
        self.version = 0
        for name in ("default", "dba"):
            self.namespaces[name] = Namespace(name, now_ms())

    def touch(self) -> None:
        """Tell readers that tables or views have changed."""
        self.version += 1

    def add_table(self, definition: TableDef) -> None:
        """Add a table without rows."""
        self.tables[definition.namespace, definition.name] = Table(definition)
        self.touch()

    def drop_table(self, name: Name) -> None:
        """Forget a table and its rows."""
        del self.tables[name]
        self.touch()

    def drop_namespace(self, name: str) -> None:
        """Forget a namespace with everything in it."""
        for table in [key for key in self.tables if key[0] == name]:
            self.drop_table(table)
        for view in [key for key in self.views if key[0] == name]:
            del self.views[view]
        del self.namespaces[name]
        self.touch()
