"""What the live socket asks of others: a token before it connects, and listeners that never make it wait."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kalam_notebook.errors import KalamError
from kalam_notebook.live_queries.connection.states import Event

__all__ = ["FrameHook", "Handlers", "Listener", "TokenSource", "tell"]

_LOG = logging.getLogger("kalam_notebook.live")

#: Gets the text of a frame.
FrameHook = Callable[[str], None]

#: Hears every event of one live query and of its connection, with the bytes of the frame that brought it, on the
#: socket's thread: return at once, and raise nothing. After ``Refused`` or ``Stopped`` it hears nothing more.
Listener = Callable[[Event, int], None]


@dataclass(frozen=True, slots=True)
class Handlers:
    """What the owner of a client is told of a connection, on the socket's thread: return soon.

    Attributes:
        on_receive: Called with the text of every frame received, without secrets.
        on_send: The same for every frame sent; a ping is shown as ``[ping]``.
        on_connect: Called when the connection stands, the first time and each time that it is back.
        on_disconnect: Called with the reason when a connection that stood is lost or closed.
        on_error: Called with why an attempt to connect failed, and with the error for which it is given up.
    """

    on_receive: FrameHook | None = None
    on_send: FrameHook | None = None
    on_connect: Callable[[], object] | None = None
    on_disconnect: Callable[[str], object] | None = None
    on_error: Callable[[KalamError], object] | None = None


class TokenSource(Protocol):
    """Gives the token for a connection; may block, and may raise ``KalamError``."""

    def __call__(self, *, renew: bool = False) -> str:
        """Return a token; with ``renew`` one other than the last, which was refused."""
        ...


def tell(handler: Callable[..., object] | None, *told: object) -> None:
    """Call a handler, whatever it does."""
    if handler is None:
        return
    try:
        handler(*told)
    except Exception:
        _LOG.exception("a handler of the client (on_receive, on_connect, …) raised; the live connection goes on")
