"""What a statement asks for, after classification: one frozen value per kind.

SELECT and DML stay text, since the engine parses them when their turn comes; KalamDB's own commands are read
completely (protocol/sql.md#statements).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kalam_sandbox.store.schema import ColumnDef


@dataclass(frozen=True, slots=True)
class Query:
    """SELECT or WITH."""

    sql: str


@dataclass(frozen=True, slots=True)
class Dml:
    """INSERT, UPDATE or DELETE; `kind` is the word in lower case."""

    kind: str
    sql: str


@dataclass(frozen=True, slots=True)
class EngineMeta:
    """EXPLAIN, SET, SHOW ALL, SHOW COLUMNS, DESCRIBE x: the engine's own commands."""

    sql: str


@dataclass(frozen=True, slots=True)
class Begin:
    """BEGIN or START TRANSACTION."""


@dataclass(frozen=True, slots=True)
class Commit:
    """COMMIT."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """ROLLBACK."""


@dataclass(frozen=True, slots=True)
class ExecuteAs:
    """EXECUTE AS USER 'target' (inner)."""

    target: str
    inner: Statement


@dataclass(frozen=True, slots=True)
class UseNamespace:
    """USE or SET NAMESPACE."""

    name: str


@dataclass(frozen=True, slots=True)
class CreateNamespace:
    """CREATE NAMESPACE."""

    name: str
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class DropNamespace:
    """DROP NAMESPACE, always with all its tables."""

    name: str
    if_exists: bool


@dataclass(frozen=True, slots=True)
class AlterNamespace:
    """ALTER NAMESPACE … SET OPTIONS."""

    name: str
    options: dict[str, object]


@dataclass(frozen=True, slots=True)
class CreateTable:
    """CREATE TABLE.

    Attributes:
        kind: ``user``, ``shared`` or ``stream``; None when the statement names none.
        columns: Declared columns without the hidden ones; the name keeps its spelling in lower case.
        options: Parsed options: access_level, ttl_seconds, storage_id, use_user_storage, flush_policy.
    """

    namespace: str | None
    name: str
    kind: str | None
    columns: tuple[ColumnDef, ...]
    options: dict[str, object] = field(default_factory=dict)
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class AlterTable:
    """ALTER TABLE with one operation.

    Attributes:
        action: add, drop, modify, set_not_null, drop_not_null, set_default, drop_default, rename, access, index,
            drop_index.
        column: Column the operation is about, None for access.
        definition: New definition for add and modify, default carrier for set_default.
        argument: New name of rename, level of access, metric of index.
        text: The operation as the answer repeats it.
    """

    namespace: str | None
    name: str
    action: str
    column: str | None
    definition: ColumnDef | None
    argument: str | None
    text: str


@dataclass(frozen=True, slots=True)
class DropTable:
    """DROP TABLE."""

    namespace: str | None
    name: str
    if_exists: bool


@dataclass(frozen=True, slots=True)
class CreatePolicy:
    """CREATE POLICY; conditions are what stands in the parentheses."""

    namespace: str | None
    table: str
    name: str
    command: str
    roles: tuple[str, ...]
    using: str | None
    check: str | None


@dataclass(frozen=True, slots=True)
class AlterPolicy:
    """ALTER POLICY; what is None stays as it is."""

    namespace: str | None
    table: str
    name: str
    new_name: str | None
    roles: tuple[str, ...] | None
    using: str | None
    check: str | None


@dataclass(frozen=True, slots=True)
class DropPolicy:
    """DROP POLICY."""

    namespace: str | None
    table: str
    name: str
    if_exists: bool


@dataclass(frozen=True, slots=True)
class CreateView:
    """CREATE [OR REPLACE] VIEW."""

    namespace: str | None
    name: str
    columns: tuple[str, ...]
    query: str
    or_replace: bool


@dataclass(frozen=True, slots=True)
class Show:
    """SHOW NAMESPACES, TABLES, TABLES IN, STORAGES, MANIFEST; `what` says which."""

    what: str


@dataclass(frozen=True, slots=True)
class DescribeTable:
    """DESCRIBE TABLE or SHOW STATS FOR TABLE; `stats` tells them apart."""

    namespace: str | None
    name: str
    stats: bool = False


@dataclass(frozen=True, slots=True)
class Flush:
    """STORAGE FLUSH TABLE, or FLUSH ALL when there is no table."""

    namespace: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class CreateUser:
    """CREATE USER."""

    user_id: str
    role: str
    password: str | None = field(repr=False)
    auth_type: str
    email: str | None


@dataclass(frozen=True, slots=True)
class AlterUser:
    """ALTER USER … SET PASSWORD, ROLE or EMAIL; exactly one is given."""

    user_id: str
    password: str | None = field(default=None, repr=False)
    role: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class DropUser:
    """DROP USER."""

    user_id: str
    if_exists: bool


@dataclass(frozen=True, slots=True)
class KillLiveQuery:
    """KILL LIVE QUERY 'id'."""

    live_id: str


@dataclass(frozen=True, slots=True)
class SubscribeTo:
    """SUBSCRIBE TO: answered with advice, opens nothing."""

    table: str
    sql: str


@dataclass(frozen=True, slots=True)
class CreateTopic:
    """CREATE TOPIC."""

    name: str
    partitions: int


@dataclass(frozen=True, slots=True)
class AddTopicSource:
    """ALTER TOPIC … ADD SOURCE; `operation` is Insert, Update or Delete."""

    topic: str
    table: str
    operation: str
    payload: str


@dataclass(frozen=True, slots=True)
class EndTopic:
    """CLEAR TOPIC, or DROP TOPIC when `drop` is true."""

    topic: str
    drop: bool


@dataclass(frozen=True, slots=True)
class Consume:
    """CONSUME FROM; `start` is ``latest``, ``earliest`` or an offset."""

    topic: str
    group: str | None
    start: str | int
    limit: int


@dataclass(frozen=True, slots=True)
class Ack:
    """ACK a topic up to an offset."""

    topic: str
    group: str
    partition: int
    upto: int


Statement = (
    Query
    | Dml
    | EngineMeta
    | Begin
    | Commit
    | Rollback
    | ExecuteAs
    | UseNamespace
    | CreateNamespace
    | DropNamespace
    | AlterNamespace
    | CreateTable
    | AlterTable
    | DropTable
    | CreatePolicy
    | AlterPolicy
    | DropPolicy
    | CreateView
    | Show
    | DescribeTable
    | Flush
    | CreateUser
    | AlterUser
    | DropUser
    | KillLiveQuery
    | SubscribeTo
    | CreateTopic
    | AddTopicSource
    | EndTopic
    | Consume
    | Ack
)

# Statements that a transaction refuses.
DDL = (
    CreateTable,
    AlterTable,
    DropTable,
    CreatePolicy,
    AlterPolicy,
    DropPolicy,
    CreateView,
    CreateNamespace,
    DropNamespace,
    AlterNamespace,
    CreateUser,
    AlterUser,
    DropUser,
    CreateTopic,
    AddTopicSource,
    EndTopic,
    Flush,
)
