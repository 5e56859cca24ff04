"""The time in a ``_seq``: milliseconds since 2024-01-01 UTC above 22 other bits (protocol/live.md#seq)."""

from __future__ import annotations

__all__ = ["OVERLAP", "seq_at", "seq_ms", "seq_span"]

_EPOCH_MS = 1_704_067_200_000
_SHIFT = 22


def seq_ms(seq: int) -> int:
    """When a row version was written, in milliseconds since 1970."""
    return (seq >> _SHIFT) + _EPOCH_MS


def seq_at(ms: int) -> int:
    """The smallest ``_seq`` of a moment, in milliseconds since 1970."""
    return (ms - _EPOCH_MS) << _SHIFT


def seq_span(ms: int) -> int:
    """How far two ``_seq`` lie apart that were given so many milliseconds after each other."""
    return ms << _SHIFT


#: Concurrent writers may commit out of order, so a delta begins this much before the newest version known: two seconds
#: of ``_seq``, whose upper bits are milliseconds (truth R4).
OVERLAP = seq_span(2_000)
