"""What the checks of a live query over one table remember: how far back to ask, and how often in vain. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from kalam_notebook.wire.row_version import RowVersion

__all__ = ["Agreement", "Looks", "Reach"]

#: How much further a delta looks back after a fingerprint that did not agree, in milliseconds.
_LONG_OVERLAP_MS = 60_000

#: Seconds between two whole readings that did not help, at first and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0

#: Seconds between two looks at the table's columns.
_LOOK_INTERVAL = 5.0


class Reach:
    """From which version on a delta asks.

    Attributes:
        told: Everything up to this version has been told.
        is_fresh: Whether no delta has come through since everything was read.
    """

    def __init__(self) -> None:
        self.told = 0
        self.is_fresh = False
        # Up to here, more was written than a delta tells once more.
        self._dense = 0

    def begin(self, newest: int) -> None:
        """Everything up to a version has been read whole."""
        self.told = newest
        self.is_fresh = True
        self._dense = min(self._dense, newest)  # A server that was set up anew begins with low versions.

    def reach(self, versions: Iterable[int]) -> None:
        """These versions have been told."""
        self.told = max([self.told, *versions])

    def after(self, version: RowVersion, *, is_long: bool) -> int:
        """The version after which the next delta asks; with a long look back after one that did not agree."""
        overlap = version.span(_LONG_OVERLAP_MS) if is_long else version.overlap
        return max(self._dense, self.told - overlap)

    def shorten(self) -> bool:
        """A delta was too long; tell whether a shorter one may do, in which nothing is told twice."""
        if not self.is_fresh or self._dense >= self.told:
            return False
        self._dense = self.told
        return True


class Agreement:
    """Fingerprints in a row that did not agree, and how long to wait with the next whole reading.

    Attributes:
        mismatches: How many.
    """

    def __init__(self) -> None:
        self.reach()

    @property
    def is_hopeless(self) -> bool:
        """Whether readings that did not help have come to be some time apart."""
        return self._pause > 2 * _FIRST_PAUSE

    def reach(self) -> None:
        """They agree."""
        self.mismatches = 0
        self._pause = _FIRST_PAUSE

    def miss(self) -> None:
        """They do not."""
        self.mismatches += 1

    def next_pause(self) -> float:
        """Seconds until the next whole reading after one that did not help: twice as many each time."""
        pause = self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return pause


class Looks:
    """When deltas look at the columns of the table too.

    Attributes:
        interval: Seconds between two looks.
        has_looked: Whether the last delta did.
        is_careful: Whether it did, or came after a while without any.
    """

    interval = _LOOK_INTERVAL

    def __init__(self) -> None:
        self.has_looked = self.is_careful = False
        self._looked_at = self._asked_at = -math.inf

    def need(self) -> None:
        """Have the next delta look."""
        self._looked_at = -math.inf

    def look(self, now: float) -> None:
        """The columns have been seen."""
        self._looked_at = now

    def ask(self, now: float) -> None:
        """A delta begins: decide whether it looks."""
        self.has_looked = now - self._looked_at > self.interval
        if self.has_looked:
            self._looked_at = now
        self.is_careful = self.has_looked or now - self._asked_at > self.interval
        self._asked_at = now
