"""Token buckets: how often somebody may ask."""

from __future__ import annotations

import time
from collections.abc import Callable


class RateLimiter:
    """One bucket per name; the burst equals the rate."""

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = float(per_second)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def allow(self, name: str) -> bool:
        """Take one token of a bucket; say whether there was one."""
        now = self._clock()
        tokens, at = self._buckets.get(name, (self._rate, now))
        tokens = min(self._rate, tokens + (now - at) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[name] = (tokens - 1.0 if allowed else tokens, now)
        return allowed
