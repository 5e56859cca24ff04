"""What has happened to a live table so far, in numbers. Pure: times are given."""

from __future__ import annotations

import datetime as dt
from collections import deque
from dataclasses import dataclass

from kalam_notebook.live_queries.rows.history import Applied

__all__ = ["Counters", "LiveStats"]

#: Seconds over which rates are told.
_SPAN = 10.0


@dataclass(frozen=True, slots=True)
class LiveStats:
    """Counters of a live table since its start.

    Attributes:
        inserted: Rows that appeared after the first reading.
        updated: Rows that changed.
        deleted: Rows that went away: deleted, expired, or not matching any more.
        events: Events that came, late and repeated ones included.
        events_per_second: Of the last ten seconds.
        bytes_per_second: Of their frames, as they came.
        lag_ms: Milliseconds from the server's commit of the latest event to its arrival, by both clocks; None before
            the first, and where nothing in a row tells its time.
        healed: Changed rows that a check brought, because no event had told of them.
        rounds: How often the server was asked what is true.
        reconnects: How often the live query was established again.
        gaps: How often the server told that it had dropped events; what they told was asked for at once.
        rows: Rows in the table now.
        last_seq: Greatest row version seen.
        verified_seq: The same when the table was last proved equal to the server; 0 before that.
        verified_at: When that was; None before that.
    """

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    events: int = 0
    events_per_second: float = 0.0
    bytes_per_second: float = 0.0
    lag_ms: float | None = None
    healed: int = 0
    rounds: int = 0
    reconnects: int = 0
    gaps: int = 0
    rows: int = 0
    last_seq: int = 0
    verified_seq: int = 0
    verified_at: dt.datetime | None = None


class Counters:
    """Counts."""

    def __init__(self) -> None:
        self._applied = Applied()
        self.events = self.healed = self.rounds = self.acknowledgements = self.gaps = 0
        self.last_seq = self.verified_seq = 0
        self.verified_at: dt.datetime | None = None
        self.lag_ms: float | None = None
        # When events came, how many, and their bytes; oldest first.
        self._recent: deque[tuple[float, int, int]] = deque()

    def add_events(self, count: int, size: int, *, now: float) -> None:
        """Count events that came, and the bytes of their frames."""
        self.events += count
        self._recent.append((now, count, size))
        self._forget(now)

    def add_changes(self, applied: Applied) -> None:
        """Count rows that changed."""
        self._applied += applied

    def stats(self, *, rows: int, now: float) -> LiveStats:
        """The numbers as of now."""
        self._forget(now)
        return LiveStats(
            inserted=self._applied.inserted,
            updated=self._applied.updated,
            deleted=self._applied.deleted,
            events=self.events,
            events_per_second=sum(count for _, count, _ in self._recent) / _SPAN,
            bytes_per_second=sum(size for _, _, size in self._recent) / _SPAN,
            lag_ms=self.lag_ms,
            healed=self.healed,
            rounds=self.rounds,
            reconnects=max(0, self.acknowledgements - 1),
            gaps=self.gaps,
            rows=rows,
            last_seq=self.last_seq,
            verified_seq=self.verified_seq,
            verified_at=self.verified_at,
        )

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - _SPAN:
            self._recent.popleft()
