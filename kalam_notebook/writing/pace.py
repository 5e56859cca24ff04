"""How many rows a statement and a request hold: found while writing, for it differs by columns, server and distance.

The server's cost of an INSERT grows with the square of its rows (truth L20), a small request has a price of its own,
and a large one keeps the server from working while it is read (truth R8). So the speed is measured as it goes: now and
then a request has another size, and where that was faster, the next ones have it too. Pure.
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass

__all__ = ["Size", "WritingPace"]

#: Rows of a statement and bytes of a request that are tried, and what is begun with (truth R8).
_ROWS = (12, 25, 50, 100, 200, 400, 800)
_BYTES = (25_000, 50_000, 100_000, 200_000, 400_000, 800_000)
_START = (2, 2)
#: Another size must be faster by so much, so many times: what else the machine does disturbs each measurement.
_FASTER = 1.1
_PROOFS = 2
#: Measurements of a size that count; older ones were made with fewer rows in the table.
_KEPT = 3
#: Another size is tried at these requests, and then at every tenth.
_EARLY = (3, 6)
_EVERY = 10


@dataclass(frozen=True, slots=True)
class Size:
    """Sizes of a request.

    Attributes:
        rows: Rows of a statement, at most.
        bytes: Bytes of all statements, at most.
    """

    rows: int
    bytes: int


class WritingPace:
    """Finds the sizes with which a table is written fastest.

    Args:
        rows: Rows of a statement where they are given; None to find them.
    """

    def __init__(self, rows: int | None = None) -> None:
        self._rows = _ROWS if rows is None else (rows,)
        self._at = (_START[0] if rows is None else 0, _START[1])
        self._asked = 0
        self._speeds: dict[tuple[int, int], deque[float]] = {}

    @property
    def best(self) -> Size:
        """The sizes that were fastest so far."""
        return self._size(self._at)

    def next(self) -> Size:
        """The sizes of the next request."""
        self._asked += 1
        if self._asked not in _EARLY and self._asked % _EVERY:
            return self.best
        return self._size(min(self._beside(), key=lambda place: len(self._speeds.get(place, ()))))

    def note(self, size: Size, rows: int, seconds: float) -> None:
        """Take note of how fast a full request was."""
        place = (self._rows.index(size.rows), _BYTES.index(size.bytes))
        self._speeds.setdefault(place, deque(maxlen=_KEPT)).append(rows / max(seconds, 1e-6))
        proved = [place for place in self._beside() if len(self._speeds.get(place, ())) >= _PROOFS]
        fastest = max(proved, key=self._speed, default=self._at)
        if self._at in self._speeds and self._speed(fastest) > _FASTER * self._speed(self._at):
            self._at = fastest

    def _speed(self, place: tuple[int, int]) -> float:
        return statistics.median(self._speeds[place])

    def _beside(self) -> list[tuple[int, int]]:
        """Half and twice the rows, and half and twice the bytes; what most often helps comes first."""
        rows, size = self._at
        places = [(rows - 1, size), (rows, size + 1), (rows + 1, size), (rows, size - 1)]
        return [p for p in places if 0 <= p[0] < len(self._rows) and 0 <= p[1] < len(_BYTES)]

    def _size(self, place: tuple[int, int]) -> Size:
        return Size(self._rows[place[0]], _BYTES[place[1]])
