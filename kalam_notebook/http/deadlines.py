"""Times by which an answer has to have come, beside the silence that httpx allows between two of its bytes.

Whoever sends a byte now and then is never silent: the head of an answer, with all that may come before it, has a time
of its own, and a request may have one for all of it. Both shorten what a read of the socket may take.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore

__all__ = ["Allowed", "Deadlines", "Overdue", "TimedStream", "allowed", "within"]


#: What is left of a time when it counts as over: sockets wait to the millisecond.
_SOON_S = 0.005


@dataclass(frozen=True, slots=True)
class Allowed:
    """A time for several requests together.

    Attributes:
        seconds: How long it is, which may also be one silence.
        until: Its end, on the monotonic clock.
    """

    seconds: float
    until: float


_allowed: ContextVar[Allowed | None] = ContextVar("kalam_allowed", default=None)


def allowed() -> Allowed | None:
    """The time for the requests of this thread now; None where each has its own."""
    return _allowed.get()


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Give the requests of a block so many seconds together, in the place of each one's own; None changes nothing."""
    if seconds is None:
        yield
        return
    token = _allowed.set(Allowed(seconds, time.monotonic() + seconds))
    try:
        yield
    finally:
        _allowed.reset(token)


class Overdue(httpcore.ReadTimeout):
    """A time is over, though the server may not have been silent; says which.

    Attributes:
        is_total: Whether it is that of the whole request.
    """

    def __init__(self, message: str, *, is_total: bool = False) -> None:
        super().__init__(message)
        self.is_total = is_total


class Deadlines(httpcore.NetworkBackend):
    """Opens sockets that keep to deadlines.

    Args:
        backend: Opens the sockets.
    """

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> TimedStream:
        """See httpcore."""
        return TimedStream(self._backend.connect_tcp(host, port, timeout, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        """See httpcore."""
        self._backend.sleep(seconds)


class TimedStream(httpcore.NetworkStream):
    """A socket that is read and written no longer than until a moment of the monotonic clock.

    Args:
        stream: The socket.
        until: When the request has to be over; None for no such time.
    """

    def __init__(self, stream: httpcore.NetworkStream, until: float | None = None) -> None:
        self._stream = stream
        self._head_s: float | None = None
        self._head_until: float | None = None  # Once a byte of the head has come: before, its time is that of silence.
        self.until = until

    def await_head(self, seconds: float | None) -> None:
        """What is read next is the head of an answer, for so many seconds; None when it is there, or for ever."""
        self._head_s, self._head_until = seconds, None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """See httpcore."""
        began = time.monotonic()
        try:
            found = self._stream.read(max_bytes, self._left(timeout))
        except httpcore.TimeoutException:
            self._left(timeout)  # Says so where it was not silence.
            raise
        if self._head_s is not None and self._head_until is None:
            self._head_until = began + self._head_s
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """See httpcore."""
        self._head_until = None  # The head that is read next is the answer to this.
        try:
            self._stream.write(buffer, self._left(timeout))
        except httpcore.TimeoutException:
            self._left(timeout)
            raise

    def close(self) -> None:
        """See httpcore."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> TimedStream:
        """See httpcore."""
        return TimedStream(self._stream.start_tls(ssl_context, server_hostname, timeout), self.until)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401
        """See httpcore."""
        return self._stream.get_extra_info(info)

    def _left(self, timeout: float | None) -> float | None:
        """Seconds that may pass now: of silence, until the head, until the end; whatever is shortest."""
        if self._head_until is None and self.until is None:
            return timeout
        now = time.monotonic() + _SOON_S
        if self.until is not None:
            if self.until <= now:
                raise Overdue("all of it took too long", is_total=True)
            timeout = self.until - now if timeout is None else min(timeout, self.until - now)
        if self._head_until is not None:
            if self._head_until <= now:
                raise Overdue(f"no whole head of an answer had come after {self._head_s:g} s")
            timeout = self._head_until - now if timeout is None else min(timeout, self._head_until - now)
        return timeout
