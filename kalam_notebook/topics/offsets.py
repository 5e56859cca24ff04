"""A set of offsets that grows from the front: all up to a frontier, and single ones beyond it. Pure."""

from __future__ import annotations

__all__ = ["Offsets"]


class Offsets:
    """Offsets of one partition. All below the first one count as being in it.

    Attributes:
        frontier: The first offset that is not in it.
        end: One more than the greatest that is.
    """

    def __init__(self, first: int) -> None:
        self.frontier = self.end = first
        self._beyond: set[int] = set()

    def __contains__(self, offset: int) -> bool:
        return offset < self.frontier or offset in self._beyond

    @property
    def beyond(self) -> int:
        """How many are in it behind a missing one."""
        return len(self._beyond)

    def add(self, offset: int) -> None:
        """Put an offset in."""
        if offset >= self.frontier:
            self._beyond.add(offset)
            self.end = max(self.end, offset + 1)
            self._advance()

    def fill_to(self, offset: int) -> None:
        """Put all in that are below an offset."""
        if offset > self.frontier:
            self.frontier, self.end = offset, max(self.end, offset)
            self._beyond = {one for one in self._beyond if one >= offset}
            self._advance()

    def _advance(self) -> None:
        while self.frontier in self._beyond:
            self._beyond.remove(self.frontier)
            self.frontier += 1
