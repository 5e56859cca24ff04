"""One subscription for all who want the same: the server sends its events once, and its queue is not shared in vain.

Everything here runs on the socket's thread.
"""

from __future__ import annotations

from kalam_notebook.live_queries.connection.listener import Listener
from kalam_notebook.live_queries.connection.states import (
    Changed,
    Event,
    Interrupted,
    Refused,
    State,
    StatusChanged,
    Stopped,
    Subscribed,
)

__all__ = ["Fans"]


class _Fan:
    """Passes on what one subscription brings; itself a ``Listener``.

    Args:
        sql: The query as the server gets it; None for one that nobody may join.
    """

    def __init__(self, sql: str | None) -> None:
        self.sql = sql
        self._listeners: dict[int, Listener] = {}
        #: The same in a form for the many changes; it is made anew and never changed while somebody goes through it.
        self.all: tuple[Listener, ...] = ()
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
        for listener in self.all:
            listener(event, size)

    def add(self, key: int, listener: Listener) -> None:
        """Tell somebody more, first of all that the subscription stands."""
        self._listeners[key] = listener
        self.all = tuple(self._listeners.values())
        if self._stands is not None:
            listener(self._stands, 0)

    def remove(self, key: int) -> None:
        """Tell somebody nothing more."""
        self._listeners.pop(key, None)
        self.all = tuple(self._listeners.values())


class Fans:
    """The subscriptions of a connection, and the live queries that hear each of them."""

    def __init__(self) -> None:
        # By the key of the subscription, which is that of its first live query.
        self._fans: dict[int, _Fan] = {}
        # For each live query the key of its subscription.
        self._places: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._fans)

    def join(self, key: int, sql: str | None, listener: Listener) -> bool:
        """Let a live query hear.

        Args:
            key: The live query.
            sql: Its text, if it may share a subscription with others of the same text.
            listener: Hears it.

        Returns:
            Whether a subscription has to be made, with the same key.
        """
        shared = None
        if sql is not None:
            shared = next((place for place, fan in self._fans.items() if fan.sql == sql), None)
        place = self._places[key] = key if shared is None else shared
        if shared is None:
            self._fans[key] = _Fan(sql)
        self._fans[place].add(key, listener)
        return shared is None

    def leave(self, key: int) -> int | None:
        """Let a live query hear nothing more; return the key of the subscription if nobody else hears that."""
        place = self._places.pop(key, key)
        fan = self._fans.get(place)
        if fan is not None:
            fan.remove(key)
            if fan.all:
                return None
            del self._fans[place]
        return place

    def tell(self, event: Event, size: int) -> None:
        """Tell those whom it concerns.

        Args:
            event: What happened.
            size: Bytes of the frame that told it.
        """
        match event:
            case Changed():
                for listener in self._fans[event.key].all:
                    listener(event, size)
            case StatusChanged():
                for fan in self._fans.values():
                    fan(event, 0)
            case Stopped():
                fans, self._fans = self._fans, {}
                for fan in fans.values():
                    fan(event, 0)
            case Refused():
                self._fans.pop(event.key)(event, size)
            case _:
                self._fans[event.key](event, size)
