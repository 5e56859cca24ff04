"""A set of offsets that grows from the front: all up to a frontier, and single ones beyond it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Offsets"]


class Offsets:
    """Offsets of one partition. It does not change: what is put in gives another one.

    Args:
        first: All below it are in it.
        beyond: So are these.

    Attributes:
        frontier: The first offset that is not in it.
        end: One more than the greatest that is.
    """

    __slots__ = ("_beyond", "end", "frontier")

    def __init__(self, first: int, beyond: Iterable[int] = ()) -> None:
        left = {offset for offset in beyond if offset >= first}
        self.end = max(left, default=first - 1) + 1
        while first in left:
            left.remove(first)
            first += 1
        self.frontier = first
        self._beyond = left

    def __contains__(self, offset: int) -> bool:
        return offset < self.frontier or offset in self._beyond

    @property
    def beyond(self) -> int:
        """How many are in it behind a missing one."""
        return len(self._beyond)

    def plus(self, offsets: Iterable[int]) -> Offsets:
        """These offsets, and others."""
        return Offsets(self.frontier, self._beyond.union(offsets))

    def filled_to(self, offset: int) -> Offsets:
        """These offsets, and all below one."""
        return Offsets(max(self.frontier, offset), self._beyond)
