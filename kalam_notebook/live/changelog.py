"""A bounded memory of which rows changed in which version of a live table."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum

__all__ = ["ChangeLog", "Effect"]


class Effect(Enum):
    """What happened to a row."""

    INSERTED = "inserted"
    UPDATED = "updated"
    REMOVED = "removed"


class ChangeLog:
    """The latest changes, oldest first.

    Args:
        max_entries: How many changes are remembered.
        version: The version up to which nothing is known.
    """

    def __init__(self, *, max_entries: int, version: int) -> None:
        self._max_entries = max_entries
        self._entries: deque[tuple[int, int, Effect]] = deque()
        self._floor = version

    def add(self, version: int, row_id: int, effect: Effect) -> None:
        """Remember one change; versions never go back."""
        self._entries.append((version, row_id, effect))
        if len(self._entries) > self._max_entries:
            self._floor = self._entries.popleft()[0]

    def forget(self, version: int) -> None:
        """Drop everything up to a version."""
        self._entries.clear()
        self._floor = version

    def since(self, version: int) -> Mapping[int, Effect] | None:
        """Return for each row the first thing that happened to it after a version; None when that is not known."""
        if version < self._floor:
            return None
        first: dict[int, Effect] = {}
        for entry_version, row_id, effect in reversed(self._entries):
            if entry_version <= version:
                break
            first[row_id] = effect
        return first
