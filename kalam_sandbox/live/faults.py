"""Events that are lost, doubled, out of order or late, on purpose and by a seed; off unless an option says otherwise.

KalamDB itself loses events only where a queue is full (protocol/live.md#loss), and does so at moments that no test can
choose. Each connection has an `EventFaults` of its own; `connection` asks it before it queues an event.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Generic, TypeVar

from kalam_sandbox.options import Options

_T = TypeVar("_T")


@dataclass(slots=True)
class _Held(Generic[_T]):
    """An event that waits until so many others have passed."""

    event: _T
    passes: int


class EventFaults(Generic[_T]):
    """Decides what becomes of each event of one connection.

    The same options and the same number give the same decisions for the same events.

    Args:
        options: The probabilities and the seed.
        number: Tells connections of one server apart, in the order in which they were opened.
    """

    def __init__(self, options: Options, number: int) -> None:
        self._options = options
        self._random = random.Random(f"{options.fault_seed}/{number}")
        self._held: list[_Held[_T]] = []

    @property
    def is_holding(self) -> bool:
        """Whether events are held back, which `release_all` or later events bring."""
        return bool(self._held)

    def pass_on(self, event: _T) -> list[_T]:
        """Take in the next event and return those that are sent now, in order."""
        released = self._release_due()
        if self._happens(self._options.drop_events):
            return released
        copies = 2 if self._happens(self._options.double_events) else 1
        if self._happens(self._options.swap_events):
            passes = 1
        elif self._happens(self._options.late_events):
            passes = self._options.late_by_events
        else:
            return [event] * copies + released
        self._held += [_Held(event, passes) for _ in range(copies)]
        return released

    def release_all(self) -> list[_T]:
        """Return everything that is held back, in order."""
        held, self._held = self._held, []
        return [item.event for item in held]

    def _release_due(self) -> list[_T]:
        for item in self._held:
            item.passes -= 1
        due = [item.event for item in self._held if item.passes <= 0]
        self._held = [item for item in self._held if item.passes > 0]
        return due

    def _happens(self, probability: float) -> bool:
        # Without a fault nothing is drawn, so that one fault's numbers do not depend on another that is off.
        return probability > 0 and self._random.random() < probability
