"""Does on an event loop what ``connection.protocol`` says: opens sockets, sends, pings, keeps the deadlines.

Everything here runs on the loop's thread. It decides nothing and never waits for a listener; ``connection.socket``
owns the thread and is what others use.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from typing import cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from kalam_notebook.errors import ConnectError, KalamError, LiveError
from kalam_notebook.http.proxies import proxy_for
from kalam_notebook.live_queries.connection.cursor import StreamCursor
from kalam_notebook.live_queries.connection.failures import describe_failure
from kalam_notebook.live_queries.connection.fan import Fans
from kalam_notebook.live_queries.connection.listener import FrameHook, Handlers, Listener, TokenSource, tell
from kalam_notebook.live_queries.connection.protocol import LiveProtocol
from kalam_notebook.live_queries.connection.states import (
    Action,
    Changed,
    Drop,
    Open,
    Ping,
    Send,
    State,
    Status,
    StatusChanged,
    Stopped,
    Timing,
)
from kalam_notebook.live_queries.connection.waiting import Gate
from kalam_notebook.live_queries.threads import call_in_thread
from kalam_notebook.texts import in_line
from kalam_notebook.wire.live import MAX_MESSAGE_BYTES, Change, Unknown, parse_message, unpack_frame

__all__ = ["Driver"]

_LOG = logging.getLogger("kalam_notebook.live")

#: The library's own log would show the Authorization header at level DEBUG.
_WEBSOCKETS_LOG = logging.getLogger("kalam_notebook.live.websockets")
_WEBSOCKETS_LOG.setLevel(logging.WARNING)

#: Seconds for the closing handshake; ``close`` has to be over within a second.
_CLOSE_TIMEOUT = 0.3


class _ConnectHere(connect):
    """Connects to the address it is given and to no other: a token and the SQL must not travel to another host.

    The library follows redirects, and up to version 16 takes the token along.
    """

    def process_redirect(self, exc: Exception) -> Exception:
        """Take the answer for what it is."""
        return exc


class Driver:
    """The connection of a ``LiveSocket`` on its loop.

    Args:
        url: Address of the socket, with its query.
        token: Asked before each attempt to connect.
        timing: Deadlines and pace.
        open_timeout: Seconds for the opening handshake; None for ever.
        delays: Makes the delays before attempts to connect.
        return_delays: The same after a connection that stood; None for ``delays``.
        handlers: Told of every frame and of the connection.
        gate: While it is shut, nothing is read.
    """

    def __init__(
        self,
        *,
        url: str,
        token: TokenSource,
        timing: Timing,
        open_timeout: float | None,
        delays: Callable[[], Iterator[float]],
        return_delays: Callable[[], Iterator[float]] | None = None,
        handlers: Handlers,
        gate: Gate,
    ) -> None:
        self._url = url
        self._proxy = proxy_for(url)
        self._token = token
        self._open_timeout = open_timeout
        self._handlers = handlers
        self._stood = False
        self._protocol = LiveProtocol(delays=delays, timing=timing, return_delays=return_delays)
        self._gate = gate
        self._fans = Fans()
        # Bytes of the frame that is being told, as it came and unpacked.
        self._size = self.message_bytes = 0
        self._waiting: list[Callable[[KalamError | None], None]] = []
        self._closed = asyncio.Event()
        self._secret = ""
        # The attempt or connection that counts, and the ones that are being closed.
        self._current: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._outgoing: asyncio.Queue[Send | Ping] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def status(self) -> Status:
        """Where the connection is; may be read from any thread."""
        return self._protocol.status

    async def run(self) -> None:
        """Work until ``close`` is called."""
        await self._closed.wait()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # The senders have been cancelled, and sockets that were aborted tell so in the next turn of the loop.
        await asyncio.sleep(0)

    @property
    def num_subscriptions(self) -> int:
        """How many subscriptions share the connection; may be read from any thread."""
        return len(self._fans)

    # Wishes; each is called on the loop's thread.

    def close(self) -> None:
        """End all live queries and the connection."""
        self._protocol.stop(self._now())
        self._pump()
        self._closed.set()

    def connect(self, waiting: Callable[[KalamError | None], None]) -> None:
        """Open the connection; ``waiting`` is told when it stands, or why it is given up."""
        self._waiting.append(waiting)
        self._protocol.connect()
        self._pump()
        if self.status.state is State.OPEN:
            self._release(None)

    def subscribe(self, key: int, sql: str, listener: Listener, cursor: StreamCursor | None = None) -> None:
        """Start a live query; without a cursor it joins a subscription of the same text."""
        listener(StatusChanged(self.status), 0)
        if self._fans.join(key, sql if cursor is None else None, listener):
            self._protocol.subscribe(key, sql, self._now(), cursor)
            self._pump()

    def next_batch(self, key: int, wire_id: str) -> None:
        """Ask for more rows of a live query."""
        self._protocol.next_batch(key, wire_id, self._now())
        self._pump()

    def unsubscribe(self, key: int) -> None:
        """End a live query; it hears nothing more."""
        left = self._fans.leave(key)
        if left is not None:
            self._protocol.unsubscribe(left, self._now())
            self._pump()

    # What the protocol says.

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _pump(self) -> None:
        for action in self._protocol.actions():
            self._do(action)
        self._tell_all()
        self._set_timer()

    def _do(self, action: Action) -> None:
        match action:
            case Open():
                self._outgoing = asyncio.Queue()
                self._current = asyncio.create_task(self._attempt(self._outgoing, renew=action.renew))
                self._tasks.add(self._current)
                self._current.add_done_callback(self._tasks.discard)
            case Send() | Ping():
                self._outgoing.put_nowait(action)
            case Drop():
                task, self._current = self._current, None
                # The reader itself sees that it does not count any more; cancelled, it could not close its socket.
                if task is not None and task is not asyncio.current_task():
                    task.cancel()

    def _tell_all(self) -> None:
        for event in self._protocol.events():
            if type(event) is Changed:  # There are many.
                self._fans.tell(event, self._size)
                continue
            if isinstance(event, StatusChanged):
                self._status_changed(event.status)
            self._fans.tell(event, self._size)
            if isinstance(event, Stopped):
                if event.error is not None:
                    tell(self._handlers.on_error, event.error)
                self._release(event.error or LiveError("The connection of this client was closed."))

    def _status_changed(self, status: Status) -> None:
        stands = status.state is State.OPEN
        if stands and not self._stood:
            tell(self._handlers.on_connect)
        elif self._stood and not stands:
            tell(self._handlers.on_disconnect, status.reason)
        elif status.state is State.WAITING:
            tell(self._handlers.on_error, ConnectError(f"No live connection to {self._url}: {status.reason}."))
        self._stood = stands

        if status.state in {State.WAITING, State.STOPPED}:
            _LOG.info("live connection %s: %s", status.state.value, status.reason)
        elif status.state is State.OPEN:
            self._release(None)

    def _release(self, error: KalamError | None) -> None:
        waiting, self._waiting = self._waiting, []
        for release in waiting:
            release(error)

    def _set_timer(self) -> None:
        deadline = self._protocol.deadline()
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return  # Too early does no harm, and most messages move no deadline to the front.
            self._timer.cancel()
            self._timer = None
        if deadline < math.inf:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._protocol.tick(self._now())
        self._pump()

    # The socket.

    async def _attempt(self, outgoing: asyncio.Queue[Send | Ping], *, renew: bool) -> None:
        """Connect and read to the end; report that before the closing handshake, which nothing may interrupt."""
        try:
            # The token is never in a local variable, where a verbose traceback would show it.
            self._secret = await call_in_thread(lambda: self._token(renew=renew))
            async with _ConnectHere(
                self._url,
                additional_headers={"Authorization": f"Bearer {self._secret}"},
                compression=None,
                open_timeout=self._open_timeout,
                close_timeout=_CLOSE_TIMEOUT,
                ping_interval=None,
                max_size=MAX_MESSAGE_BYTES,
                logger=_WEBSOCKETS_LOG,
                proxy=None if self._proxy is None else self._proxy.url.reveal(),
            ) as socket:
                try:
                    await self._read(socket, outgoing)
                except Exception as exc:
                    self._report(exc)
        except Exception as exc:
            self._report(exc)

    def _report(self, exc: Exception) -> None:
        if self._current is asyncio.current_task():
            self._current = None
            self._protocol.lost(describe_failure(exc, url=self._url, proxy=self._proxy), self._now())
            self._pump()

    async def _read(self, socket: ClientConnection, outgoing: asyncio.Queue[Send | Ping]) -> None:
        self._protocol.opened(self._now())
        self._pump()
        sender = asyncio.create_task(self._send(socket, outgoing))
        reader = asyncio.current_task()
        try:
            # A frame that makes the protocol leave this connection is its last.
            while self._current is reader:
                if not self._gate.is_open:
                    await self._hold()
                self._receive(await socket.recv())
        finally:
            sender.cancel()

    async def _hold(self) -> None:
        """Read nothing until the gate is open; timers go on, and with them the pings."""
        self._protocol.hold()
        await self._gate.passed()
        self._protocol.go_on(self._now())
        self._pump()

    def _receive(self, frame: str | bytes) -> None:
        self._size = len(frame) if isinstance(frame, bytes) or frame.isascii() else len(frame.encode())
        text = unpack_frame(frame)
        self.message_bytes = self._size if text is frame else len(text)
        if self._handlers.on_receive is not None:
            self._show(self._handlers.on_receive, text)
        message = parse_message(text)
        if isinstance(message, Change):
            self._protocol.changed(message)
            self._tell_all()
            return
        if isinstance(message, Unknown):
            _LOG.debug("unknown live message of type %s", in_line(repr(message.raw["type"])))
        self._protocol.received(message, self._now())
        self._pump()

    async def _send(self, socket: ClientConnection, outgoing: asyncio.Queue[Send | Ping]) -> None:
        # The reader hears of a closed connection too, and reports it.
        with contextlib.suppress(ConnectionClosed):
            while True:
                item = await outgoing.get()
                if isinstance(item, Send):
                    self._show(self._handlers.on_send, item.text)
                    await socket.send(item.text)
                else:
                    self._show(self._handlers.on_send, "[ping]")
                    # Typed as an awaitable, it is a future of the loop.
                    pong = cast("asyncio.Future[float]", await socket.ping())
                    pong.add_done_callback(self._ponged)

    def _ponged(self, pong: asyncio.Future[float]) -> None:
        if not pong.cancelled() and pong.exception() is None:
            self._protocol.heard()
            self._tell_all()

    def _show(self, hook: FrameHook | None, text: str | bytes) -> None:
        if hook is None:
            return
        shown = text if isinstance(text, str) else text.decode(errors="backslashreplace")
        tell(hook, shown.replace(self._secret, "<secret>") if self._secret else shown)
