"""The connections to one server, in the place of httpcore's pool: each belongs to one request at a time.

An interrupt may fall behind the taking of a lock, which is then held for ever. The pool has one lock for all requests,
and takes it again while it deals with the interrupt. Here what an interrupt met is thrown away, with any lock that it
may hold, and nobody else ever waits for that. The locks of this module are taken by ``with`` and are Python's own, of
which an interrupt leaves none behind.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpcore
import httpx

from kalam_notebook.http.deadlines import Deadlines, TimedStream

__all__ = ["Transport"]

#: Connections that are kept for later; as many as httpx keeps.
_MAX_IDLE = 20


class Transport(httpx.HTTPTransport):
    """httpx's sockets over ``Connections``; takes the same arguments."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - they are httpx's.
        super().__init__(**options)
        self._pool._network_backend = Deadlines(self._pool._network_backend)
        # The pool goes on to say how to connect, through a proxy or without.
        self.connections = Connections(self._pool.create_connection)
        self._pool = self.connections  # type: ignore[assignment]


class Connections:
    """Sends requests as a pool of httpcore does.

    Args:
        make: Makes a connection to a server, which opens when it is used.

    Attributes:
        on_end: Called when a connection that waited for its next request was ended by the server.
    """

    def __init__(self, make: Callable[[httpcore.Origin], httpcore.ConnectionInterface]) -> None:
        self.on_end: Callable[[], object] = lambda: None
        self._make = make
        # Reentrant: a collection of garbage may close an answer in the middle of this.
        self._lock = threading.RLock()
        self._idle: list[_Connection] = []
        # Weakly: whatever else an interrupt may have cut short, who forgets a connection closes it.
        self._streams: list[weakref.ref[Any]] = []
        self._is_closed = False

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request on a connection of its own; the connection is free again when the answer is closed."""
        connection = self._take(request.url.origin)
        try:
            return connection.send(request)
        except BaseException:
            connection.give_up()
            raise

    def close(self) -> None:
        """Close the connections, and wake the threads that wait on one; may be called twice, and never waits."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
            streams = [stream() for stream in self._streams]
        for stream in streams:
            _shut_down(stream)
        for connection in idle:
            connection.give_up()

    def give_back(self, connection: _Connection) -> None:
        """Keep a connection for the next request, if it can be used again."""
        with self._lock:
            if connection.is_idle and not self._is_closed and len(self._idle) < _MAX_IDLE:
                self._idle.append(connection)
                return
        connection.give_up()

    def add(self, stream: httpcore.NetworkStream) -> None:
        """Know of a socket that was opened.

        Raises:
            httpcore.ConnectError: They were closed in the meantime, and so is this one.
        """
        with self._lock:
            if not self._is_closed:
                self._streams = [known for known in self._streams if known() is not None]
                self._streams.append(weakref.ref(stream))
                return
        stream.close()
        raise httpcore.ConnectError("closed")

    def look(self) -> None:
        """Give up the waiting connections that the server has ended. Others tell of it later, however old they are."""
        self._drop(lambda connection: connection.was_ended)

    def _take(self, origin: httpcore.Origin) -> _Connection:
        self._drop(lambda connection: not connection.is_usable)
        with self._lock:
            found = self._idle.pop() if self._idle else None
        return found or _Connection(self._make(origin), self)

    def _drop(self, is_useless: Callable[[_Connection], bool]) -> None:
        with self._lock:
            useless = [connection for connection in self._idle if is_useless(connection)]
            if useless:
                self._idle = [connection for connection in self._idle if connection not in useless]
        # Those that were found to be: another thread may use the others by now, and they look like these.
        for connection in useless:
            if connection.was_ended:
                self.on_end()
            connection.give_up()


class _Connection:
    """One connection, and its sockets from the moment at which they are open."""

    def __init__(self, connection: httpcore.ConnectionInterface, owner: Connections) -> None:
        self._connection = connection
        self._owner = owner
        self._streams: list[TimedStream] = []
        self._until: float | None = None
        self._silence: float | None = None

    @property
    def is_idle(self) -> bool:
        return self._connection.is_idle()

    @property
    def is_usable(self) -> bool:
        return self._connection.is_idle() and not self._connection.has_expired()

    @property
    def was_ended(self) -> bool:
        """Whether the server has ended it, where nothing is on its way."""
        return any(stream.get_extra_info("is_readable") for stream in self._streams)

    def send(self, request: httpcore.Request) -> httpcore.Response:
        self._until = request.extensions.get("until")
        self._silence = request.extensions.get("timeout", {}).get("read")
        if not self._streams:
            # Closing a socket does not wake who reads from it; shutting it down does. Nothing else tells of sockets.
            request.extensions = {**request.extensions, "trace": self._trace}
        self._await_head(self._silence)
        response = self._connection.handle_request(request)
        self._await_head(None)
        return httpcore.Response(
            response.status,
            headers=response.headers,
            content=_Body(response.stream, self, self._owner),
            extensions=response.extensions,
        )

    def give_up(self) -> None:
        """Close it without a word to the server, whatever state it is in."""
        self._connection.close()
        for stream in self._streams:
            stream.close()

    def _trace(self, event: str, details: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            stream = details["return_value"]
            self._streams.append(stream)
            self._owner.add(stream)
            self._await_head(self._silence)

    def _await_head(self, seconds: float | None) -> None:
        for stream in self._streams:
            stream.until = self._until
            stream.await_head(seconds)


class _Body:
    """The body of an answer, with the connection that it comes on."""

    def __init__(self, content: Any, connection: _Connection, owner: Connections) -> None:  # noqa: ANN401
        self._content = content
        self._connection = connection
        self._owner = owner

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._content
        except BaseException:
            self._connection.give_up()
            raise

    def close(self) -> None:
        try:
            self._content.close()
        except BaseException:
            self._connection.give_up()
            raise
        self._owner.give_back(self._connection)


def _shut_down(stream: httpcore.NetworkStream | None) -> None:
    """End a socket for both directions; who waits on it gets an error at once."""
    found = None if stream is None else stream.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):  # Closed already.
            # Not the method of a TLS socket, which would take the TLS away under the thread that reads.
            socket.socket.shutdown(found, socket.SHUT_RDWR)
