"""One subscription for all who want the same: the server sends its events once, and its queue is not shared in vain."""

from __future__ import annotations

from kalam_notebook.live_queries.connection.listener import Hearing
from kalam_notebook.live_queries.connection.states import Event, Interrupted, State, StatusChanged, Subscribed

__all__ = ["Fan"]


class Fan:
    """Passes on what one subscription brings; itself a ``Hearing``. Everything runs on the socket's thread.

    Args:
        sql: The query as the server gets it; None for one that nobody may join.
    """

    def __init__(self, sql: str | None) -> None:
        self.sql = sql
        self._hearings: dict[int, Hearing] = {}
        #: The same in a form for the many changes; it is made anew and never changed while somebody goes through it.
        self.all: tuple[Hearing, ...] = ()
        # What tells that the subscription stands; None while it does not.
        self._stands: Subscribed | None = None

    def __call__(self, event: Event, size: int) -> None:
        """Tell everybody."""
        if isinstance(event, Subscribed):
            self._stands = event
        elif isinstance(event, Interrupted) or (
            isinstance(event, StatusChanged) and event.status.state is not State.OPEN
        ):
            self._stands = None
        for hear in self.all:
            hear(event, size)

    def __len__(self) -> int:
        return len(self._hearings)

    def add(self, key: int, hear: Hearing) -> None:
        """Tell somebody more, first of all that the subscription stands."""
        self._hearings[key] = hear
        self.all = tuple(self._hearings.values())
        if self._stands is not None:
            hear(self._stands, 0)

    def remove(self, key: int) -> None:
        """Tell somebody nothing more."""
        self._hearings.pop(key, None)
        self.all = tuple(self._hearings.values())
