"""How often statements may be sent, so that the server's rate limit is never met (protocol/http.md#limits).

``Bucket`` decides and does not wait; the transport waits for as long as it says.
"""

from __future__ import annotations

import threading

__all__ = ["STATEMENTS_PER_SECOND", "Bucket"]

#: A server with default settings takes 100 queries a second of one user, with a burst of as many.
STATEMENTS_PER_SECOND = 90.0


class Bucket:
    """A token bucket whose burst equals its rate; any number of threads may take from it.

    Args:
        rate: Tokens that come in a second.
    """

    def __init__(self, rate: float = STATEMENTS_PER_SECOND) -> None:
        self._rate = rate
        self._tokens = rate
        self._at: float | None = None
        self._lock = threading.Lock()

    def take(self, now: float) -> float:
        """Take one token, perhaps one that is still to come.

        Args:
            now: Seconds of a clock that never goes back.

        Returns:
            Seconds until the token is there; 0 when it is there now.
        """
        with self._lock:
            if self._at is not None:
                self._tokens = min(self._rate, self._tokens + max(0.0, now - self._at) * self._rate)
            self._at = now
            self._tokens -= 1.0
            return max(0.0, -self._tokens / self._rate)
