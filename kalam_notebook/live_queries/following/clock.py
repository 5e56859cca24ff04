"""The server's clock, by which the rows of STREAM tables expire."""

from __future__ import annotations

import math

import numpy as np

from kalam_notebook.live_queries.following.plan import TablePlan
from kalam_notebook.live_queries.rows.store import KeyedStore
from kalam_notebook.wire.row_version import WRITTEN_AT, RowVersion

__all__ = ["Expiry", "ServerClock"]

#: Rows of a STREAM table that expire within this time are not compared: the server's scan decides when they go.
_EXPIRY_MARGIN_MS = 5_000


class ServerClock:
    """What is known of the server's time from its answers."""

    def __init__(self) -> None:
        # Milliseconds of the server's clock less those of ours.
        self._ahead: float | None = None

    def set(self, now_ms: int, now: float) -> None:
        """Take note of the time in an answer.

        Args:
            now_ms: The server's, in milliseconds since 1970; 0 where it was not told.
            now: Ours, in seconds of a clock that never goes back.
        """
        if now_ms:
            self._ahead = now_ms - now * 1000

    def expired_before(self, ttl_ms: int | None, now: float, *, margin_ms: float = 0.0) -> int | None:
        """The moment before which rows are over, or will be after a margin, in milliseconds; None where they stay."""
        if ttl_ms is None or self._ahead is None:
            return None
        return math.ceil(now * 1000 + self._ahead + margin_ms - ttl_ms)

    def expiring(self, ttl_ms: int | None, now: float) -> int | None:
        """The moment up to which rows may be over any time, and are not compared; None where they stay."""
        if ttl_ms is None:
            return None
        return self.expired_before(ttl_ms, now, margin_ms=min(_EXPIRY_MARGIN_MS, ttl_ms / 2))


class Expiry:
    """Which rows of a STREAM table are over; of other tables none is.

    Attributes:
        clock: The server's.
    """

    def __init__(self) -> None:
        self.clock = ServerClock()
        # The oldest version that was held, and when it was written.
        self._oldest: tuple[int | None, int | None] | None = None

    def compared_from(self, store: KeyedStore, plan: TablePlan, now: float) -> int:
        """The version from which on rows are compared: older ones may be over any time."""
        expiring = self.clock.expiring(plan.ttl_ms, now)
        return 0 if expiring is None else _version_before(store, plan.version, expiring)

    def expired_before(self, store: KeyedStore, plan: TablePlan, now: float) -> int | None:
        """The version before which rows are over; None when none is."""
        before = self.clock.expired_before(plan.ttl_ms, now)
        if before is None or (self._oldest_ms(store, plan) or before) >= before:
            return None
        self._oldest = None
        return _version_before(store, plan.version, before)

    def next(self, store: KeyedStore, plan: TablePlan, now: float) -> float | None:
        """Seconds until the oldest row is over; None when none ever is."""
        before = self.clock.expired_before(plan.ttl_ms, now)
        oldest = None if before is None else self._oldest_ms(store, plan)
        return None if oldest is None or before is None else max(0.0, (oldest - before) / 1000)

    def _oldest_ms(self, store: KeyedStore, plan: TablePlan) -> int | None:
        """When the oldest row was written; later rows are newer, so that it is looked up once for each."""
        oldest = _oldest_version(store)
        if self._oldest is None or self._oldest[0] != oldest:
            self._oldest = (oldest, _oldest_ms(store, plan.version))
        return self._oldest[1]


def _version_before(store: KeyedStore, version: RowVersion, ms: int) -> int:
    """The version before which the rows of a STREAM table are older than a moment."""
    if (told := version.at(ms)) is not None:
        return told
    seqs, times = _written(store)
    count = int(np.searchsorted(times, ms))
    return int(seqs[count - 1]) + 1 if count else 0


def _oldest_version(store: KeyedStore) -> int | None:
    """The smallest version held; None without rows."""
    seqs = store.slots.living(store.slots.seqs)
    return int(seqs.min()) if len(seqs) else None


def _oldest_ms(store: KeyedStore, version: RowVersion) -> int | None:
    """When the oldest row of a STREAM table was taken in, in milliseconds since 1970; None without rows."""
    oldest = _oldest_version(store)
    if oldest is None or version.has_time:
        return None if oldest is None else version.ms(oldest)
    return int(_written(store)[1][0])


def _written(store: KeyedStore) -> tuple[np.ndarray, np.ndarray]:
    """The versions held in their order, and when each was taken in: never before the one before it."""
    slots = store.slots
    seqs = slots.living(slots.seqs)
    times = slots.chunks.take(slots.living(slots.places)).column(WRITTEN_AT).to_numpy()
    order = np.argsort(seqs)
    return seqs[order], np.maximum.accumulate(times[order])
