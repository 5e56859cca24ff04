"""Topics: messages made from committed changes, and consumer groups with claims (protocol/http.md#topics).

The key of a row decides into which partition of a topic its changes go. A topic that is dropped and made anew goes on
counting, and so does the place where a group reads; only what groups acknowledged is forgotten (truth L31). Nothing
survives the process.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kalam_sandbox.backend import Change, SqlFailed
from kalam_sandbox.errors import execution
from kalam_sandbox.siphash import hash_text
from kalam_sandbox.store.catalog import now_ms

_RETENTION_SECONDS = 7 * 24 * 3600
_RETENTION_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Message:
    """One published row version; `payload` is JSON text, `op` is Insert, Update or Delete."""

    offset: int
    payload: bytes = field(repr=False)
    key: str | None
    timestamp_ms: int
    user: str | None
    op: str


@dataclass(frozen=True, slots=True)
class Route:
    """Where messages come from: a table, an operation and the payload mode."""

    table: str
    operation: str
    payload: str


@dataclass(slots=True)
class _Claim:
    """Messages handed to a group and not acknowledged as a whole yet."""

    first: int
    last: int
    deadline: float


@dataclass(slots=True)
class _Group:
    """A consumer group on one partition: what it acknowledged, where it reads next, what is claimed."""

    committed: int | None = None
    cursor: int | None = None
    claims: list[_Claim] = field(default_factory=list)
    updated_ms: int = 0


@dataclass(slots=True)
class _Log:
    """The messages of one partition."""

    messages: list[Message] = field(default_factory=list)
    # Offset of the first message kept; CLEAR TOPIC moves it to the end.
    first: int = 0

    @property
    def end(self) -> int:
        """Offset that the next message gets."""
        return self.first + len(self.messages)

    def clear(self) -> None:
        """Drop all messages; offsets go on."""
        self.first, self.messages = self.end, []

    def read(self, offset: int, limit: int) -> list[Message]:
        """Return messages from an offset on."""
        place = max(0, offset - self.first)
        return self.messages[place : place + limit]


@dataclass(slots=True)
class Topic:
    """One topic with a log for each partition, and its groups."""

    name: str
    partitions: int
    created_ms: int
    updated_ms: int = field(init=False)
    routes: list[Route] = field(default_factory=list)
    groups: dict[tuple[str, int], _Group] = field(default_factory=dict)
    logs: list[_Log] = field(init=False)

    def __post_init__(self) -> None:
        self.updated_ms = self.created_ms
        self.logs = [_Log() for _ in range(self.partitions)]

    def log(self, partition: int) -> _Log:
        """Return the log of a partition; one that does not exist is empty."""
        return self.logs[partition] if partition < self.partitions else _Log()


class Topics:
    """All topics of one server.

    Args:
        visibility_seconds: Time after which a claim is given back.
        numbers_commits: Whether rows in messages have a `_commit_seq`.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        *,
        visibility_seconds: float,
        numbers_commits: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = threading.Lock()
        self._topics: dict[str, Topic] = {}
        # What goes on under the name of a topic: the end of each partition that it ever had, and its groups.
        self._ends: dict[tuple[str, int], int] = {}
        self._groups: dict[str, dict[tuple[str, int], _Group]] = {}
        self._visibility = visibility_seconds
        self._clock = clock
        self._numbers_commits = numbers_commits
        self._commits = 0

    def create(self, name: str, partitions: int) -> None:
        """Create a topic.

        Raises:
            SqlFailed: There is one of this name.
        """
        if name in self._topics:
            raise execution(f"Already exists: Topic '{name}' already exists")
        topic = Topic(name, partitions, now_ms())
        topic.groups = self._groups.pop(name, {})
        for partition, log in enumerate(topic.logs):
            log.first = self._ends.get((name, partition), 0)
        self._topics[name] = topic

    def get(self, name: str) -> Topic | None:
        """Return a topic."""
        return self._topics.get(name)

    def require(self, name: str) -> Topic:
        """Return a topic.

        Raises:
            SqlFailed: There is none.
        """
        topic = self.get(name)
        if topic is None:
            raise execution(f"Not found: Topic '{name}' does not exist")
        return topic

    def add_route(self, name: str, route: Route) -> None:
        """Add a source.

        Raises:
            SqlFailed: The topic is missing or has a route for this table and operation.
        """
        topic = self.require(name)
        if any(old.table == route.table and old.operation == route.operation for old in topic.routes):
            raise execution(
                f"Already exists: Route for {route.table} ON {route.operation} already exists in topic '{name}'"
            )
        topic.routes.append(route)
        topic.updated_ms = now_ms()

    def clear(self, name: str) -> None:
        """Drop all messages of a topic and what its groups acknowledged; offsets go on."""
        topic = self.require(name)
        with self._lock:
            for log in topic.logs:
                log.clear()
            for group in topic.groups.values():
                group.committed = None

    def drop(self, name: str) -> None:
        """Forget a topic, but for what goes on when it is made anew."""
        self.clear(name)
        topic = self._topics.pop(name)
        self._ends |= {(name, partition): log.end for partition, log in enumerate(topic.logs)}
        self._groups[name] = topic.groups

    def publish(self, changes: Sequence[Change], key_of: Callable[[Change], str | None]) -> None:
        """Turn committed changes into messages."""
        with self._lock:
            self._commits += 1
            routes = [(topic, route) for topic in self._topics.values() for route in topic.routes]
            for topic, route in routes:
                for change in changes:
                    if _matches(route, change):
                        self._append(topic, route, change, key_of(change))

    def _append(self, topic: Topic, route: Route, change: Change, key: str | None) -> None:
        row = dict((change.new if change.new is not None else change.old) or {})
        if self._numbers_commits and (change.kind != "delete" or change.new is not None):
            row["_commit_seq"] = str(self._commits)
        if route.payload in ("full", "diff"):
            row["_table"] = f"{change.namespace}:{change.table}"
        payload = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        log = topic.logs[hash_text(payload if key is None else key) % topic.partitions]
        log.messages.append(Message(log.end, payload.encode(), key, now_ms(), change.owner, change.kind.title()))

    def consume(
        self, topic: Topic, group_id: str, *, partition: int, start: str | int, limit: int
    ) -> tuple[list[Message], int]:
        """Claim messages for a group.

        Args:
            topic: Which topic.
            group_id: Which group.
            partition: Which partition.
            start: ``earliest``, ``latest`` or an offset, used while the group has no committed offset.
            limit: Messages at most.

        Returns:
            The messages, and the offset behind them or the one where reading would start.
        """
        with self._lock:
            log = topic.log(partition)
            group = topic.groups.setdefault((group_id, partition), _Group())
            self._expire(group)
            initial = _start(log, group, start)
            if group.cursor is None:
                group.cursor = initial
            found = log.read(group.cursor, limit)
            if not found:
                return [], initial
            group.cursor = found[-1].offset + 1
            group.claims.append(_Claim(found[0].offset, found[-1].offset, self._clock() + self._visibility))
            return found, group.cursor

    def inspect(self, topic: Topic, partition: int, *, start: str | int, limit: int) -> tuple[list[Message], int]:
        """Read messages for nobody: nothing is claimed or remembered."""
        with self._lock:
            log = topic.log(partition)
            first = _start(log, _Group(), start)
            found = log.read(first, limit)
            return found, found[-1].offset + 1 if found else first

    def end(self, name: str, partition: int) -> int:
        """Return the offset that the next message of a partition gets, 0 for one that does not exist."""
        with self._lock:
            topic = self._topics.get(name)
            return topic.log(partition).end if topic is not None else 0

    def ack(self, name: str, group_id: str, *, partition: int, upto: int) -> None:
        """Acknowledge everything up to an offset, inclusive; nothing is validated, a lower offset is no step back."""
        topic = self._topics[name]
        with self._lock:
            group = topic.groups.setdefault((group_id, partition), _Group())
            group.committed = upto if group.committed is None else max(group.committed, upto)
            group.cursor = max(group.cursor or 0, group.committed + 1)
            group.claims = [claim for claim in group.claims if claim.last > group.committed]
            group.updated_ms = now_ms()

    def read(self, topic: Topic, group_id: str | None, *, start: str | int, limit: int) -> list[Message]:
        """Read partition 0 for SQL CONSUME; a group's offset is committed at once (protocol/sql.md#topics)."""
        log = topic.log(0)
        group = topic.groups.get((group_id, 0), _Group()) if group_id else _Group()
        found = log.read(_start(log, group, start), limit)
        if group_id and found:
            self.ack(topic.name, group_id, partition=0, upto=found[-1].offset)
        return found

    def _expire(self, group: _Group) -> None:
        """Give messages of overdue claims back, from the first of the oldest one on."""
        overdue = [claim for claim in group.claims if claim.deadline <= self._clock()]
        if overdue:
            group.cursor = min(claim.first for claim in overdue)
            group.claims = [claim for claim in group.claims if claim.first < group.cursor]

    def rows(self) -> Iterable[tuple[object, ...]]:
        """Return the rows of `system.topics`."""
        for topic in sorted(self._topics.values(), key=lambda one: one.name):
            routes = [
                {
                    "filter_expr": None,
                    "op": route.operation.lower(),
                    "partition_key_expr": None,
                    "payload_mode": route.payload,
                    "table_id": route.table,
                }
                for route in topic.routes
            ]
            yield (
                topic.name, topic.name, None, topic.partitions, _RETENTION_SECONDS, _RETENTION_BYTES,
                json.dumps(routes, separators=(",", ":")), topic.created_ms, topic.updated_ms,
            )  # fmt: skip

    def offset_rows(self) -> Iterable[tuple[object, ...]]:
        """Return the rows of `system.topic_offsets`."""
        for topic in self._topics.values():
            for (group_id, partition), group in topic.groups.items():
                if group.committed is not None:
                    yield topic.name, group_id, partition, group.committed, group.updated_ms


def _matches(route: Route, change: Change) -> bool:
    return route.table == f"{change.namespace}.{change.table}" and route.operation == change.kind.title()


def _start(log: _Log, group: _Group, start: str | int) -> int:
    if group.committed is not None:
        return group.committed + 1
    if isinstance(start, int):
        return start
    return log.end if start == "latest" else 0


def check_topic_namespace(name: str, namespaces: Iterable[str]) -> None:
    """Refuse a topic in a namespace that does not exist.

    Raises:
        SqlFailed: Names the namespace.
    """
    namespace = name.partition(".")[0]
    if namespace.lower() not in namespaces:
        raise SqlFailed("SQL_EXECUTION_ERROR", f"Not found: Namespace '{namespace}' does not exist")
