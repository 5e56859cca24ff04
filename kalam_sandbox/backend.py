"""What the live part of the sandbox asks of its SQL part, as values and one protocol.

The WebSocket code reads tables, runs snapshots and hears about commits through `LiveBackend` alone, and
the engine implements it, so that either side can be tested with a small double of the other. No behaviour
is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the user's id and the role in lower case (user, service, dba, system)."""

    user_id: str
    role: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column as the wire announces it.

    Attributes:
        name: Column name or expression text.
        data_type: Wire form, for example ``"BigInt"`` or ``{"Decimal": {"precision": 10, "scale": 2}}``.
        flags: Subset of ``("pk", "nn", "uq")`` in this order.
    """

    name: str
    data_type: str | dict[str, object]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table as the live part needs it.

    Attributes:
        namespace: Namespace in lower case.
        name: Table name in lower case.
        kind: ``"user"``, ``"shared"``, ``"stream"`` or ``"system"``.
        columns: All columns in ordinal order, hidden ones among them but for system tables.
        version: Name of the column that numbers row versions.
        domain: What versions of a SHARED table belong to, as clients are told; None where the server tells nothing.
        policy: Condition that rows must fulfil for the caller to see them, None for none.
    """

    namespace: str
    name: str
    kind: str
    columns: tuple[Column, ...]
    version: str = "_seq"
    domain: Mapping[str, object] | None = None
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class SelectRows:
    """The answer of one SELECT: its columns and its rows, cells encoded as in an HTTP answer."""

    columns: tuple[Column, ...]
    rows: list[list[object]]


@dataclass(frozen=True, slots=True)
class Change:
    """One row version, after its commit.

    Attributes:
        namespace: Namespace of the table.
        table: Name of the table.
        kind: ``"insert"``, ``"update"`` or ``"delete"``.
        owner: User id for USER and STREAM tables, None for SHARED tables.
        seq: Number of the new version, of the tombstone for a delete.
        new: Wire-encoded cells of all columns including the version (a string) and ``_deleted``. For a delete
            the last values with the tombstone's version and ``_deleted`` true.
        old: Wire-encoded cells of the previous version, for an update or a delete.
    """

    namespace: str
    table: str
    kind: str
    owner: str | None
    seq: int
    new: dict[str, object] | None
    old: dict[str, object] | None


class SqlFailed(Exception):
    """A statement was refused or failed; the message is the one an administrator sees.

    Attributes:
        code: Error code of the SQL envelope, for example ``SQL_EXECUTION_ERROR``.
        message: Text without the prefix ``Statement 1 failed: ``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Unencodable(Exception):
    """A result holds a value that the wire cannot carry (protocol/http.md#hanging-up).

    Attributes:
        message: What could not be encoded, in the server's words.
        row_count: Rows of the result, 0 where nobody asked.
    """

    def __init__(self, message: str, row_count: int = 0) -> None:
        super().__init__(message, row_count)
        self.message = message
        self.row_count = row_count


class LiveBackend(Protocol):
    """What the live part may ask of the SQL part; calls block and may come from any thread."""

    def authenticate(self, token: str) -> Caller:
        """Return who owns an access token.

        Raises:
            PermissionError: The token is malformed, expired, a refresh token, or its user is gone.
        """
        ...

    def describe(self, caller: Caller, namespace: str, table: str) -> TableInfo | None:
        """Return the table, or None when there is none (system tables count as none).

        Raises:
            SqlFailed: PERMISSION_DENIED, the caller may not read the table.
        """
        ...

    def select(self, caller: Caller, sql: str) -> SelectRows:
        """Run one SELECT exactly as over HTTP, row caps and default order included.

        Raises:
            SqlFailed: The statement was refused or failed.
            Unencodable: A value of the result cannot be sent.
        """
        ...

    def on_commit(self, listener: Callable[[Sequence[Change]], None]) -> None:
        """Call `listener` once per commit with its changes.

        Changes come in statement order, grouped by table, after the commit and before the HTTP answer, from
        whatever thread commits.
        """
        ...
