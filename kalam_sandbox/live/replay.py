"""What live queries may resume from: the latest changes of each table, as KalamDB 0.7.1 keeps them in memory.

A table of one user, or a SHARED table, is a scope. Its log begins with the first live query that reads a snapshot, and
is right for cursors from that snapshot on. Only so many changes and scopes are kept.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from kalam_sandbox.backend import Change

_MOST_EVENTS = 1024
_MOST_SCOPES = 64

#: Owner (None for a SHARED table), namespace and table.
Scope = tuple[str | None, str, str]


class Resume(Enum):
    """How a live query may go on from a cursor."""

    REPLAY = "the log has all changes since"
    SNAPSHOT = "the cursor is older than the log: rows written since are read, deletes are not told"
    EXPIRED = "the log does not know"


@dataclass(slots=True)
class _Log:
    """Changes of one scope.

    Attributes:
        floor: Cursors from here on are covered; None until a snapshot has told.
        is_void: Whether changes have been lost.
        awaits_first: Whether the snapshot was empty, so that the first change is the floor.
        changes: The latest ones.
    """

    floor: int | None = None
    is_void: bool = False
    awaits_first: bool = False
    changes: deque[Change] = field(default_factory=deque)

    def note(self, boundary: int) -> None:
        if self.is_void:
            return
        self.awaits_first = boundary == 0
        if boundary:
            self.floor = boundary if self.floor is None else min(self.floor, boundary)

    def record(self, change: Change) -> None:
        if change.new is None:
            # A row of a STREAM table went away, without a version.
            self.changes.clear()
            self.floor, self.is_void, self.awaits_first = None, True, False
            return
        if self.floor is None and self.awaits_first and not self.is_void:
            self.floor = change.seq
        self.changes.append(change)
        if len(self.changes) > _MOST_EVENTS:
            self.floor = self.changes.popleft().seq
            self.is_void, self.awaits_first = True, False


class ReplayLog:
    """The logs of one server; it forgets them when it ends."""

    def __init__(self) -> None:
        self._logs: OrderedDict[Scope, _Log] = OrderedDict()

    def begin(self, scope: Scope) -> None:
        """Begin to keep changes of a scope; the one that was used least recently goes for it."""
        if scope in self._logs:
            self._logs.move_to_end(scope)
            return
        while len(self._logs) >= _MOST_SCOPES:
            self._logs.popitem(last=False)
        self._logs[scope] = _Log()

    def note(self, scope: Scope, boundary: int) -> None:
        """Tell where a snapshot ended: its greatest version, 0 for an empty one."""
        self.begin(scope)
        self._logs[scope].note(boundary)

    def record(self, change: Change) -> None:
        """Keep a change, if its scope has a log."""
        scope = (change.owner, change.namespace, change.table)
        if (log := self._logs.get(scope)) is not None:
            log.record(change)
            self._logs.move_to_end(scope)

    def outcome(self, scope: Scope, cursor: int) -> Resume:
        """Say how a live query may go on behind a version."""
        log = self._logs.get(scope)
        if log is None:
            return Resume.EXPIRED
        if log.floor is not None and cursor >= log.floor:
            return Resume.REPLAY
        return Resume.EXPIRED if log.is_void else Resume.SNAPSHOT

    def after(self, scope: Scope, cursor: int) -> Sequence[Change] | None:
        """Return the changes behind a version, None where some are missing."""
        if self.outcome(scope, cursor) is not Resume.REPLAY:
            return None
        return [change for change in self._logs[scope].changes if change.seq > cursor]
