"""Identifiers the server makes: numbers of row versions, snowflakes, UUIDv7 for transactions, ULID for defaults.

One `Snowflakes` or `Positions` value belongs to one server, since the versions of all its tables grow together.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import Protocol

# Milliseconds from 1970 to 2024-01-01 UTC, the epoch of `_seq` (protocol/sql.md#hidden-columns).
EPOCH_MS = 1_704_067_200_000
_SHIFT = 22
# A log entry numbers so many rows; what is beyond would be taken for the next entry.
_ORDINAL_BITS = 16
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def version_name(*, by_log: bool) -> str:
    """Return what a server names the column that numbers row versions.

    Args:
        by_log: Whether the numbers are positions in a log; else they are times.
    """
    return "_version" if by_log else "_seq"


class Numbers(Protocol):
    """What hands out the numbers of row versions."""

    @property
    def last(self) -> int:
        """The greatest number handed out so far, 0 before the first."""
        ...

    def begin(self) -> None:
        """A commit begins."""
        ...

    def next(self, count: int = 1) -> int:
        """Return the first of `count` consecutive numbers."""
        ...


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

    def begin(self) -> None:
        """A commit begins, which makes no difference to numbers that are times."""

    @property
    def last(self) -> int:
        """The greatest id handed out so far, 0 before the first."""
        return self._last


class Positions:
    """Hand out strictly increasing positions in a log: number of its entry << 16, then of the row in the entry.

    Each commit is an entry, so numbers between two commits of a table are left out. Where nothing begins an entry the
    positions are a plain count from 1.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 1
        self._last = 0

    def begin(self) -> None:
        """Begin the next entry of the log."""
        with self._lock:
            self._next = ((self._last >> _ORDINAL_BITS) + 1) << _ORDINAL_BITS

    def next(self, count: int = 1) -> int:
        """Return the first of `count` consecutive positions."""
        with self._lock:
            first = self._next
            self._next = first + count
            self._last = max(self._last, self._next - 1)
            return first

    @property
    def last(self) -> int:
        """The greatest position handed out so far, 0 before the first."""
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
