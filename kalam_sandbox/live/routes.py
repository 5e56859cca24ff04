"""``GET /v1/ws`` on aiohttp: frames in, frames out, and the order in which the server looks at things.

What the frames mean is decided in `session`. One difference from the server: aiohttp joins fragments before
anyone sees them, so fragmented messages are answered here, while KalamDB ignores them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from kalam_sandbox.backend import LiveBackend
from kalam_sandbox.live import frames
from kalam_sandbox.live.connection import Ending
from kalam_sandbox.live.registry import LiveRegistry
from kalam_sandbox.live.session import Closed, Session
from kalam_sandbox.options import Options

LIVE_REGISTRY = web.AppKey("live_registry", LiveRegistry)

# Larger frames cut the connection without a close frame (protocol/live.md#frames).
_MAX_FRAME_BYTES = 65_536
_BEARER = "Bearer "
_FRAMES = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)
# Frames read ahead while a snapshot is under way; beyond it the client has to wait.
_READ_AHEAD = 64
# Seconds that a closing client gets to answer the close frame.
_CLOSE_TIMEOUT = 0.3


def add_live_routes(app: web.Application, backend: LiveBackend, options: Options) -> None:
    """Add the WebSocket route, the heartbeat and the registry (under `LIVE_REGISTRY`) to an application."""
    registry = LiveRegistry(options)
    app[LIVE_REGISTRY] = registry
    backend.on_commit(registry.commit)

    async def handle(request: web.Request) -> web.StreamResponse:
        # The size is checked by the driver, since aiohttp would send a close frame.
        socket = web.WebSocketResponse(
            timeout=_CLOSE_TIMEOUT, autoping=False, autoclose=False, compress=False, max_msg_size=0
        )
        if not socket.can_prepare(request):
            return web.Response(status=400)
        await socket.prepare(request)
        await _Driver(request, socket, registry, backend, options).run()
        return socket

    async def heart(_: web.Application) -> AsyncIterator[None]:
        registry.bind(asyncio.get_running_loop())
        beat = asyncio.create_task(_beat(registry, options.heartbeat_interval))
        yield
        beat.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beat

    async def shut_down(_: web.Application) -> None:
        registry.bind(None)
        registry.end_all()

    app.router.add_get("/v1/ws", handle)
    app.cleanup_ctx.append(heart)
    app.on_shutdown.append(shut_down)


async def _beat(registry: LiveRegistry, interval: float) -> None:
    """Look at every connection at fixed intervals; that is why the server's timeouts come late."""
    while True:
        await asyncio.sleep(interval)
        registry.end_overdue(time.monotonic())


class _Driver:
    """Moves frames between one socket and its session."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        registry: LiveRegistry,
        backend: LiveBackend,
        options: Options,
    ) -> None:
        self._request = request
        self._socket = socket
        self._registry = registry
        self._options = options
        self._wake = asyncio.Event()
        self._inbox: asyncio.Queue[WSMessage] = asyncio.Queue(_READ_AHEAD)
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._parameters = request.query_string.lower().split("&")
        self._compress = "compress=false" not in self._parameters
        self._connection = registry.open(wake=self._wake.set, end=self._end)
        self._session = Session(self._connection, registry, backend, options=options, send=self._send)

    async def run(self) -> None:
        """Serve until either side ends the connection."""
        reading = asyncio.create_task(self._read())
        serving = asyncio.create_task(self._serve())
        try:
            await asyncio.wait((serving, self._ending, reading), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._registry.close(self._connection)
            for task in (serving, reading):
                task.cancel()
            results = await asyncio.gather(serving, reading, return_exceptions=True)
        await self._finish(results[0])

    async def _finish(self, result: object) -> None:
        """Say good-bye as the server does; a client that does not read is cut off."""
        if isinstance(result, Closed):
            self._end(result.ending)
        elif isinstance(result, Exception) and not isinstance(result, ConnectionError):
            raise result
        if not self._ending.done() or self._socket.closed:
            return
        ending = self._ending.result()
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                if ending.message is not None:
                    await self._send(ending.message)
                await self._socket.close(code=ending.code, message=frames.close_reason(ending.reason))
                return
        self._abort()

    def _end(self, ending: Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    def _abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _read(self) -> None:
        """Put what the client sends into the inbox; its close frame is echoed."""
        while (message := await self._socket.receive()).type in _FRAMES:
            await self._inbox.put(message)
            self._wake.set()
        if message.type is WSMsgType.CLOSE:
            reason = frames.close_reason(message.extra or "")
            await self._socket.close(code=message.data or WSCloseCode.OK, message=reason)

    async def _serve(self) -> None:
        """Work off client messages before events, one at a time (protocol/live.md#loss)."""
        await self._greet()
        while True:
            if not self._inbox.empty():
                await self._receive(self._inbox.get_nowait())
                # Lets the reader bring the next message before an event is sent.
                await asyncio.sleep(0)
            elif self._connection.outbox:
                await self._send(self._connection.outbox.popleft())
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _greet(self) -> None:
        """Authenticate by header, if there is one of exactly the right form."""
        header = self._request.headers.get("Authorization", "")
        if header.startswith(_BEARER):
            compression = "none" if "compression=none" in self._parameters else "gzip"
            serialization = self._serialization()
            await self._session.authenticate(header.removeprefix(_BEARER), compression, serialization)

    def _serialization(self) -> str:
        """Return what the parameters ask for; JSON unless they name something else.

        Raises:
            Closed: The server does not speak it.
        """
        asked = "serialization="
        if self._options.msgpack:
            return "msgpack" if f"{asked}msgpack" in self._parameters else "json"
        for given in self._parameters:
            if given.startswith(asked) and given != f"{asked}json":
                raise Closed(Ending(1008, f"Unsupported serialization: {given.removeprefix(asked)}"))
        return "json"

    async def _receive(self, message: WSMessage) -> None:
        self._connection.last_seen = time.monotonic()
        if message.type is WSMsgType.PING:
            await self._socket.pong(message.data)
        elif message.type is WSMsgType.BINARY or message.type is WSMsgType.TEXT:
            await self._receive_data(message.data)

    async def _receive_data(self, data: str | bytes) -> None:
        if len(data if isinstance(data, bytes) else data.encode()) > _MAX_FRAME_BYTES:
            self._abort()
            raise ConnectionAbortedError
        if isinstance(data, bytes):
            await self._session.on_binary(data)
        else:
            await self._session.on_text(data)

    async def _send(self, message: frames.Message) -> None:
        payload = frames.encode(message, compress=self._compress, serialization=self._connection.serialization)
        if isinstance(payload, str):
            await self._socket.send_str(payload)
        else:
            await self._socket.send_bytes(payload)
