"""What the live socket asks of others: a token before it connects, and listeners that never make it wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kalam_notebook.live_queries.connection.states import Event

__all__ = ["FrameHook", "Listener", "TokenSource"]

#: Gets the text of a frame.
FrameHook = Callable[[str], None]

#: Hears every event of one live query and of its connection, with the bytes of the frame that brought it, on the
#: socket's thread: return at once, and raise nothing. After ``Refused`` or ``Stopped`` it hears nothing more.
Listener = Callable[[Event, int], None]


class TokenSource(Protocol):
    """Gives the token for a connection; may block, and may raise ``KalamError``."""

    def __call__(self, *, renew: bool = False) -> str:
        """Return a token; with ``renew`` one other than the last, which was refused."""
        ...
