"""Identifiers the server makes: snowflakes for rows and files, UUIDv7 for transactions, ULID for defaults.

One `Snowflakes` value belongs to one server, since `_seq` must increase strictly over all its tables.
"""

from __future__ import annotations

import secrets
import threading
import time

# Milliseconds from 1970 to 2024-01-01 UTC, the epoch of `_seq` (protocol/sql.md#hidden-columns).
EPOCH_MS = 1_704_067_200_000
_SHIFT = 22
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Snowflakes:
    """Hand out strictly increasing 64-bit ids: milliseconds since the epoch << 22, then a counter."""

    def __init__(self, epoch_ms: int = EPOCH_MS) -> None:
        self._epoch_ms = epoch_ms
        self._lock = threading.Lock()
        self._last = 0

    def next(self, count: int = 1) -> int:
        """Return the first of `count` consecutive ids."""
        with self._lock:
            now = (time.time_ns() // 1_000_000 - self._epoch_ms) << _SHIFT
            first = max(now, self._last + 1)
            self._last = first + count - 1
            return first

    @property
    def last(self) -> int:
        """The greatest id handed out so far, 0 before the first."""
        return self._last


def uuid7() -> str:
    """Return a time-ordered UUID text, as used for transaction ids."""
    value = (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    value |= 0x2 << 62 | secrets.randbits(62)
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def ulid() -> str:
    """Return a ULID: 26 characters, random inside one millisecond."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


def job_id(prefix: str) -> str:
    """Return a job id such as ``FL-1fd88a3ab60e``."""
    return f"{prefix}-{secrets.token_hex(6)}"
