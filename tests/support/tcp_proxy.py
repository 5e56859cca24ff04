"""A TCP proxy on a thread, to take a server away from a client in the ways in which networks do.

It carries HTTP as bytes and a server's WebSocket frames one by one, so that a test can say where a connection ends and
put frames of its own in between. What a client sends on a WebSocket is masked and not looked into.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

TEXT, BINARY = 1, 2
DEADLINE = 10.0

_CHUNK = 65_536
_SOCKET_REQUEST = b"GET /v1/ws"
_BOTH = ("up", "down")
# What reading and writing raise when one of the two sides has gone.
_GONE = (OSError, asyncio.IncompleteReadError)


@dataclass
class _Trigger:
    """Something to do at a named point."""

    marker: bytes
    action: Callable[[], None]
    times: int


class _Link:
    """One connection of a client and the one of its own to the server."""

    def __init__(self, near: asyncio.StreamWriter) -> None:
        self.near = near
        self.far: asyncio.StreamWriter | None = None
        self.is_socket = False
        self.queues: dict[str, asyncio.Queue[tuple[float, bytes]]] = {name: asyncio.Queue() for name in _BOTH}

    def abort(self) -> None:
        for writer in (self.near, self.far):
            if writer is not None:
                writer.transport.abort()


class TcpProxy:
    """Forwards to a server until told otherwise.

    Methods may be called from any thread, and what they do is done when they return. The four ways to carry bytes are
    attributes that may be set at any time, and hold for both directions.

    Attributes:
        delay: Seconds that all bytes are late.
        stall: Seconds of silence before each chunk; the chunks behind it wait too.
        fragment: Size of the pieces that bytes are sent in; 0 for as they come.
        bytes_per_second: Bound of the speed of each connection; 0 for none.
        sockets: WebSockets that were forwarded.
        refused: Connections that were ended because the proxy is down.
        fired: How many of the named points have been reached.
    """

    def __init__(self, url: str) -> None:
        self.retarget(url)
        self.delay = self.stall = 0.0
        self.fragment = self.bytes_per_second = 0
        self.sockets = self.refused = self.fired = 0
        self._is_down = self._only_sockets = False
        self._links: set[_Link] = set()
        self._after: list[_Trigger] = []
        self._before: list[_Trigger] = []
        # Bytes that still come down before something is to be done.
        self._bytes_left: tuple[int, Callable[[], None]] | None = None

    def __enter__(self) -> TcpProxy:
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._started.wait(DEADLINE)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def num_links(self) -> int:
        """How many connections there are that are not wholly closed."""
        return len(self._links)

    def wait_until(self, condition: Callable[[], object], timeout: float = DEADLINE) -> None:
        """Wait until something is true of the proxy or of what the test knows."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "the proxy did not see what the test waits for"
            time.sleep(0.01)

    # Where the server is, and whether.

    def retarget(self, url: str) -> None:
        """Forward new connections to another server."""
        target = urlsplit(url)
        self._target = (target.hostname, target.port)

    def go_down(self, *, only_sockets: bool = False) -> None:
        """Cut all connections and end every new one at once; or only WebSockets, and leave HTTP alone."""

        def act() -> None:
            self._is_down, self._only_sockets = True, only_sockets
            self._abort(link for link in self._links if link.is_socket or not only_sockets)

        self._call(act)

    def come_up(self) -> None:
        self._is_down = False

    def stop_listening(self) -> None:
        """Cut all connections and have the system refuse new ones."""

        def act() -> None:
            self._server.close()
            self._abort(self._links)

        self._call(act)

    def listen(self) -> None:
        """Take connections again, at the same port."""
        asyncio.run_coroutine_threadsafe(self._listen(self.port), self._loop).result(DEADLINE)

    def cut(self) -> None:
        """Cut all connections."""
        self._call(lambda: self._abort(self._links))

    def cut_sockets(self) -> None:
        """Cut the WebSockets and leave HTTP alone."""
        self._call(lambda: self._abort(link for link in self._links if link.is_socket))

    def freeze(self, *directions: str) -> None:
        """Keep all connections, also new ones, and carry nothing more: both ways, or only ``up`` or ``down``."""
        self._call(lambda: [self._thawed[name].clear() for name in directions or _BOTH])

    def thaw(self) -> None:
        """Carry on, with what has been held back first."""
        self._call(lambda: [self._thawed[name].set() for name in _BOTH])

    # Named points.

    def after(self, marker: bytes, action: Callable[[], None], *, times: int = 1) -> None:
        """Do something as soon as a frame, or a chunk of an answer, has gone down that holds these bytes.

        Args:
            marker: The bytes; compressed frames hide them.
            action: Mostly a method of this proxy. It takes effect before the next byte.
            times: Do it for the first such frame, or only for the second and so on.
        """
        self._call(lambda: self._after.append(_Trigger(marker, action, times)))

    def before(self, marker: bytes, action: Callable[[], None], *, times: int = 1) -> None:
        """Do something before a request goes up whose chunk holds these bytes; see ``after``."""
        self._call(lambda: self._before.append(_Trigger(marker, action, times)))

    def after_bytes(self, number: int, action: Callable[[], None]) -> None:
        """Do something when so many more bytes have come down, wherever in a frame or answer that is."""

        def act() -> None:
            self._bytes_left = (number, action)

        self._call(act)

    def inject(self, frame: bytes) -> None:
        """Put bytes between two frames from the server, on every WebSocket."""

        def act() -> None:
            for link in self._links:
                if link.is_socket:
                    link.queues["down"].put_nowait((0.0, frame))

        self._call(act)

    # The thread.

    def _call(self, act: Callable[[], object]) -> None:
        if threading.current_thread() is self._thread:
            act()
            return
        done = threading.Event()

        def run() -> None:
            act()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(DEADLINE)

    def _run(self) -> None:
        async def main() -> None:
            self._stop = asyncio.Event()
            self._thawed = {name: asyncio.Event() for name in _BOTH}
            for event in self._thawed.values():
                event.set()
            await self._listen(0)
            self._started.set()
            await self._stop.wait()
            self._server.close()
            self._abort(self._links)
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # Aborted transports tell so in the next turn of the loop.
            await asyncio.sleep(0)

        self._loop.run_until_complete(main())
        self._loop.close()

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _abort(self, links: Iterable[_Link]) -> None:
        for link in list(links):
            link.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer)
        self._links.add(link)
        try:
            if self._is_down and not self._only_sockets:
                self.refused += 1
                return
            first = await reader.read(_CHUNK)
            link.is_socket = first.startswith(_SOCKET_REQUEST)
            if self._is_down and (link.is_socket or not self._only_sockets):
                self.refused += 1
                return
            self.sockets += link.is_socket
            far_reader, link.far = await asyncio.open_connection(*self._target)
            up, down = _requests(first, reader), _answers(far_reader, link)
            await asyncio.gather(self._carry(link, "up", up, link.far), self._carry(link, "down", down, writer))
        except _GONE:
            pass  # The server is not there, or one side has gone.
        except asyncio.CancelledError:
            pass  # The proxy ends; asyncio would log a handler that was cancelled.
        finally:
            link.abort()
            self._links.discard(link)

    async def _carry(
        self, link: _Link, direction: str, chunks: AsyncIterator[bytes], sink: asyncio.StreamWriter
    ) -> None:
        """Take chunks in at once, so that a delay does not add up, and give them out in their time."""
        queue = link.queues[direction]
        reading = asyncio.create_task(self._take_in(chunks, queue))
        try:
            while True:
                due, chunk = await queue.get()
                if not chunk:
                    break
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                await asyncio.sleep(self.stall)
                await self._forward(chunk, direction, sink)
        except _GONE:
            pass
        finally:
            reading.cancel()
            sink.close()

    async def _take_in(self, chunks: AsyncIterator[bytes], queue: asyncio.Queue[tuple[float, bytes]]) -> None:
        try:
            async for chunk in chunks:
                queue.put_nowait((self._loop.time() + self.delay, chunk))
        except _GONE:
            pass
        finally:
            queue.put_nowait((0.0, b""))

    async def _forward(self, chunk: bytes, direction: str, sink: asyncio.StreamWriter) -> None:
        if direction == "up":
            self._fire(self._before, chunk)
        rest = chunk
        while rest:
            await self._thawed[direction].wait()
            piece, rest = self._split(rest, direction)
            sink.write(piece)
            await sink.drain()
            if self.bytes_per_second:
                await asyncio.sleep(len(piece) / self.bytes_per_second)
            else:
                await asyncio.sleep(0)
            if direction == "down":
                self._count(len(piece))
        if direction == "down":
            self._fire(self._after, chunk)

    def _split(self, data: bytes, direction: str) -> tuple[bytes, bytes]:
        size = self.fragment or len(data)
        if self.bytes_per_second:
            size = min(size, max(1, self.bytes_per_second // 8))
        if self._bytes_left is not None and direction == "down":
            size = min(size, self._bytes_left[0])
        return data[:size], data[size:]

    def _count(self, number: int) -> None:
        if self._bytes_left is None:
            return
        left, action = self._bytes_left
        self._bytes_left = (left - number, action)
        if left <= number:
            self._bytes_left = None
            self._act(action)

    def _fire(self, triggers: list[_Trigger], chunk: bytes) -> None:
        for trigger in list(triggers):
            if trigger.marker in chunk:
                trigger.times -= 1
                if not trigger.times:
                    triggers.remove(trigger)
                    self._act(trigger.action)

    def _act(self, action: Callable[[], None]) -> None:
        action()
        self.fired += 1


async def _requests(first: bytes, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    chunk = first
    while chunk:
        yield chunk
        chunk = await reader.read(_CHUNK)


async def _answers(reader: asyncio.StreamReader, link: _Link) -> AsyncIterator[bytes]:
    """Yield chunks of HTTP as they come, and of a WebSocket whole frames."""
    if link.is_socket:
        head = await reader.readuntil(b"\r\n\r\n")
        yield head
        while b" 101 " in head.split(b"\r\n", 1)[0]:
            yield await _read_frame(reader)
    while chunk := await reader.read(_CHUNK):
        yield chunk


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    """Read one frame of a server, which are never masked (RFC 6455, 5.2)."""
    head = await reader.readexactly(2)
    length = head[1] & 0x7F
    extended = {126: 2, 127: 8}.get(length, 0)
    head += await reader.readexactly(extended)
    if extended:
        length = int.from_bytes(head[2:], "big")
    return head + await reader.readexactly(length)


def frame(opcode: int, payload: bytes, *, announced: int | None = None) -> bytes:
    """Make a frame of a server, or the beginning of one that announces more bytes than it holds."""
    length = len(payload) if announced is None else announced
    if length < 126:
        head = bytes([0x80 | opcode, length])
    elif length < 65_536:
        head = bytes([0x80 | opcode, 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, 127]) + length.to_bytes(8, "big")
    return head + payload
