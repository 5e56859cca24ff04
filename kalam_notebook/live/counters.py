"""What has happened to a live table so far, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from kalam_notebook.live.store import Applied

__all__ = ["Counters"]


@dataclass(frozen=True, slots=True)
class Counters:
    """What has happened so far. Rows that a reading brought or removed are not counted as events."""

    events: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def add(self, number: int, applied: Applied) -> Counters:
        """Count a batch of events."""
        return Counters(
            self.events + number,
            self.inserted + applied.inserted,
            self.updated + applied.updated,
            self.deleted + applied.deleted,
        )
