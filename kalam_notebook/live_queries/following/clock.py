"""The server's clock, by which the rows of STREAM tables expire."""

from __future__ import annotations

import math

from kalam_notebook.wire.seq import seq_at

__all__ = ["ServerClock"]

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
        """The ``_seq`` before which rows are over, or will be after a margin; None where rows stay."""
        if ttl_ms is None or self._ahead is None:
            return None
        return seq_at(math.ceil(now * 1000 + self._ahead + margin_ms - ttl_ms))

    def expiring(self, ttl_ms: int | None, now: float) -> int:
        """The ``_seq`` up to which rows may be over any moment, and are not compared; 0 for none."""
        if ttl_ms is None:
            return 0
        return self.expired_before(ttl_ms, now, margin_ms=min(_EXPIRY_MARGIN_MS, ttl_ms / 2)) or 0
