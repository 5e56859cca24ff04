"""The WebSocket of a client: one daemon thread with an event loop of its own and one connection for all live queries.

A connection on the kernel's loop would be cut by any cell that computes for ten seconds; here pings go out whatever the
notebook does. What is done when is decided in ``connection.protocol`` and done in ``connection.driver``.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue
from typing import ParamSpec

from kalam_notebook.chance import chance
from kalam_notebook.errors import ConnectError, KalamError, LiveError, SubscriptionError
from kalam_notebook.live_queries.connection.backoff import backoff
from kalam_notebook.live_queries.connection.cursor import StreamCursor
from kalam_notebook.live_queries.connection.driver import Driver
from kalam_notebook.live_queries.connection.listener import Handlers, Listener, TokenSource
from kalam_notebook.live_queries.connection.states import State, Timing
from kalam_notebook.live_queries.connection.waiting import Gate
from kalam_notebook.settings import Timeouts
from kalam_notebook.threads import Worker
from kalam_notebook.wire.live import MAX_BATCH_SIZE, MAX_CLIENT_MESSAGE_BYTES, SubscribeOptions, subscribe_message

__all__ = ["LiveSocket"]

#: Seconds that ``close`` waits for the thread.
_JOIN_TIMEOUT = 1.0

#: Has as many digits as any cursor, to measure messages with.
_LONGEST = 2**63 - 1

_P = ParamSpec("_P")


def _delays() -> Iterator[float]:
    return backoff(chance)


def _return_delays() -> Iterator[float]:
    return backoff(chance, spread=True)


class LiveSocket:
    """One connection for all live queries of a client, opened by the first of them or by ``connect``.

    Args:
        url: ``ws://host:port/v1/ws`` or ``wss://…``, without a query.
        token: Asked for the access token before each attempt to connect, on a thread where it may block; with
            ``renew=True`` after the last token was refused.
        compression: Whether the server may compress frames.
        timeouts: ``connect``, ``auth``, ``subscribe``, ``pong`` and ``keepalive`` are used.
        delays: Makes the delays in seconds before attempts to connect; None for delays that grow from half a second to
            half a minute, with jitter; about a second each when a connection that stood cannot be opened again at once.
        handlers: Told of every frame and of the connection, and of those of siblings.

    Attributes:
        url: The address.
        gate: While it is shut nothing is read, though the pings go out. Shut it only where no other live query shares
            the connection.
    """

    def __init__(
        self,
        *,
        url: str,
        token: TokenSource,
        compression: bool = True,
        timeouts: Timeouts | None = None,
        delays: Callable[[], Iterator[float]] | None = None,
        handlers: Handlers | None = None,
    ) -> None:
        timeouts, handlers = timeouts or Timeouts(), handlers or Handlers()
        self.url = url
        self.gate = Gate()
        self._driver = Driver(
            url=url if compression else f"{url}?compress=false",
            token=token,
            timing=_timing(timeouts),
            open_timeout=timeouts.connect or None,
            delays=delays or _delays,
            return_delays=delays or _return_delays,
            handlers=handlers,
            gate=self.gate,
        )

        self._new_sibling = partial(
            LiveSocket,
            url=url,
            token=token,
            compression=compression,
            timeouts=timeouts,
            delays=delays,
            handlers=handlers,
        )
        self._siblings: weakref.WeakSet[LiveSocket] = weakref.WeakSet()

        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Worker | None = None
        self._is_closed = False
        # What is to be done on the loop.
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._keys = count(1)
        # Threads do not survive a fork: in the child this socket can only be thrown away.
        self._pid = os.getpid()

    @property
    def status(self) -> str:
        """Where the connection is, for people: ``connected``, ``reconnecting in 3 s``, ``stopped: …``."""
        return self._driver.status.text(time.monotonic())

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands."""
        return self._driver.status.state is State.OPEN

    @property
    def num_subscriptions(self) -> int:
        """How many subscriptions share the connection; live queries with the same text share one."""
        return self._driver.num_subscriptions

    @property
    def message_bytes(self) -> int:
        """Bytes of the message that a listener hears of just now, unpacked; on the socket's thread."""
        return self._driver.message_bytes

    def __repr__(self) -> str:
        return f"<LiveSocket {self.url} {self.status}>"

    def connect(self, *, timeout: float = 15.0) -> None:
        """Open the connection now, and wait until it stands.

        Args:
            timeout: Seconds to wait. The socket goes on trying after that.

        Raises:
            AuthError: The token is refused and cannot be renewed.
            ConnectError: The connection does not stand in time; tells the last reason.
            LiveError: The socket is closed.
        """
        told: SimpleQueue[KalamError | None] = SimpleQueue()
        self._post(self._driver.connect, told.put)
        try:
            error = told.get(timeout=timeout)
        except Empty:
            raise self.late(timeout) from None
        if error is not None:
            raise error

    def retry(self) -> None:
        """While waiting to try the connection again, try at once; does not wait for it."""
        self._post(self._driver.connect, lambda _: None)

    def late(self, timeout: float) -> ConnectError:
        """Make the error for a connection that does not stand after so many seconds; it tells the last reason."""
        reason = self._driver.status.reason or self.status
        return ConnectError(f"No live connection to {self.url} within {timeout:g} s: {reason}.")

    def subscribe(self, sql: str, listener: Listener, cursor: StreamCursor | None = None) -> int:
        """Start a live query on the connection, now or as soon as it stands.

        Args:
            sql: The query as the server gets it.
            listener: Hears what comes, on the socket's thread.
            cursor: Which rows come over the connection too, before the changes, now and whenever the connection comes
                back; None for changes only.

        Returns:
            A key for ``next_batch`` and ``unsubscribe``.

        Raises:
            SubscriptionError: The text is longer than the server reads.
            LiveError: The socket is closed.
        """
        key = next(self._keys)
        options = None if cursor is None else SubscribeOptions(MAX_BATCH_SIZE, None, _LONGEST)
        size = len(subscribe_message(f"live-{key:09}", sql, options).encode())
        if size > MAX_CLIENT_MESSAGE_BYTES:
            message = f"The live query has {size:,} bytes; the server reads {MAX_CLIENT_MESSAGE_BYTES:,} at most."
            raise SubscriptionError("MESSAGE_TOO_LARGE", message, sql, "Shorten the filter.")
        try:
            self._post(self._driver.subscribe, key, sql, listener, cursor)
        except BaseException:  # An interrupt may come when it is on its way already, and nobody would know the key.
            self.unsubscribe(key)
            raise
        return key

    def next_batch(self, key: int, wire_id: str) -> None:
        """Ask for the rows that follow a batch; nothing happens when it is of the past, or the socket is closed."""
        with contextlib.suppress(LiveError):
            self._post(self._driver.next_batch, key, wire_id)

    def sibling(self) -> LiveSocket:
        """Return a socket of the same kind, not connected yet, that is closed with this one at the latest.

        Raises:
            LiveError: The socket is closed.
        """
        self._check_process()
        with self._lock:
            self._check_open()
            sibling = self._new_sibling()
            self._siblings.add(sibling)
            return sibling

    def unsubscribe(self, key: int) -> None:
        """End a live query; nothing happens when it has ended already or the socket is closed."""
        with contextlib.suppress(LiveError):
            self._post(self._driver.unsubscribe, key)

    def close(self) -> None:
        """End all live queries, close the connection and end the thread, within a second; may be called twice."""
        if os.getpid() != self._pid:
            return
        deadline = time.monotonic() + _JOIN_TIMEOUT
        with self._lock:
            closing = [self, *self._siblings]
        threads = [socket._end() for socket in closing]
        for thread in threads:
            if thread is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _end(self) -> Worker | None:
        """Have everything ended; return the thread that does it."""
        with self._lock:
            self._is_closed = True
            if self._thread is not None:
                atexit.unregister(self.close)
                self._call(self._driver.close)
            return self._thread

    def _post(self, call: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Have the driver called on the loop, which is started by the first call."""
        self._check_process()
        with self._lock:
            self._check_open()
            if self._thread is None:
                self._thread = Worker(self._run, name="kalam-live")
                # A daemon thread that is killed at the end of the process would leave its socket to the garbage.
                atexit.register(self.close)
            self._thread.start()  # Each time, because an interrupt may have come before the first.
            self._call(partial(call, *args, **kwargs))

    def _call(self, call: Callable[[], None]) -> None:
        self._calls.put(call)
        if (loop := self._loop) is not None:
            with contextlib.suppress(RuntimeError):  # It ended in the meantime.
                loop.call_soon_threadsafe(self._do_calls)

    def _do_calls(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                self._calls.get_nowait()()

    def _check_process(self) -> None:
        # Before the lock, which may be held for ever in a forked child.
        if os.getpid() != self._pid:
            raise LiveError("This client was made before the process forked. Make a new one: kalam.connect(…).")

    def _check_open(self) -> None:
        if self._is_closed:
            raise LiveError("The connection of this client was closed. Open it again: kalam.connect(…).")

    def _run(self) -> None:
        # Made here, where no interrupt comes.
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        self._loop = loop
        loop.call_soon(self._do_calls)  # Those who had no loop to wake.
        try:
            loop.run_until_complete(self._driver.run())
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _timing(timeouts: Timeouts) -> Timing:
    """The deadlines of the protocol; 0 means for ever."""
    forever = float("inf")
    return Timing(
        ping_interval=timeouts.keepalive or forever,
        pong_timeout=timeouts.pong or forever,
        auth_timeout=timeouts.auth or forever,
        ack_timeout=timeouts.subscribe or forever,
    )
