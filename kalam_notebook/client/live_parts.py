"""What the live queries of a client share. Loaded by the first of them, with the library for the WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from kalam_notebook.http.endpoint import SqlEndpoint
from kalam_notebook.http.session import Session
from kalam_notebook.live_queries.connection.listener import Handlers, tell
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.following.delta import read_deltas
from kalam_notebook.live_queries.following.pool import Pool
from kalam_notebook.live_queries.following.together import Together
from kalam_notebook.live_queries.source import ClientSource
from kalam_notebook.reading.reader import Reader
from kalam_notebook.reading.window import WindowCheck
from kalam_notebook.settings import Timeouts

__all__ = ["LiveParts", "make_parts"]


@dataclass(frozen=True, slots=True)
class LiveParts:
    """The parts; nothing is sent and no thread runs before the first live query.

    Attributes:
        source: Makes what is asked over HTTP, anew for each live query: those over one table ask together, and are told
            apart by it.
        socket: The connection for events.
        pool: The threads for asking the server what is true.
    """

    source: Callable[[], ClientSource]
    socket: LiveSocket
    pool: Pool

    def close(self) -> None:
        """End all that uses them; may be called twice."""
        self.socket.close()
        self.pool.close()


def make_parts(
    url: str,
    *,
    session: Session,
    endpoint: SqlEndpoint,
    reader: Reader,
    window: WindowCheck,
    timeouts: Timeouts,
    compression: bool,
    handlers: Handlers,
    on_lost: Callable[[], object],
) -> LiveParts:
    """Make the parts of a client, which are the arguments and their names there; ``on_lost`` for a lost connection."""
    source = partial(
        ClientSource,
        url,
        session=session,
        endpoint=endpoint,
        reader=reader,
        window=window,
        deltas=Together(partial(read_deltas, endpoint)),
        domains={},
    )

    def lost(reason: str) -> None:
        on_lost()
        tell(handlers.on_disconnect, reason)

    socket = LiveSocket(
        url=source().websocket_url(),
        token=source().access_token,
        compression=compression,
        timeouts=timeouts,
        handlers=replace(handlers, on_disconnect=lost),
    )
    return LiveParts(source, socket, Pool())
