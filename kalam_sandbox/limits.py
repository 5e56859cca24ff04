"""Token buckets: how often somebody may ask."""

from __future__ import annotations

import time
from collections import Counter
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


class Bans:
    """Who was refused so often that nothing is answered for a while (protocol/http.md#limits)."""

    def __init__(self, after: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._after = after
        self._seconds = seconds
        self._clock = clock
        self._refused: Counter[str] = Counter()
        self._until: dict[str, float] = {}

    def holds(self, name: str) -> bool:
        """Say whether somebody is banned now."""
        return self._until.get(name, 0.0) > self._clock()

    def refuse(self, name: str) -> None:
        """Note one refusal; enough of them ban, each further time longer, up to six times."""
        self._refused[name] += 1
        if factor := min(self._refused[name] // self._after, 6):
            self._until[name] = self._clock() + self._seconds * factor
