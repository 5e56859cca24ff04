"""A WebSocket server on a thread, which does what a test says: enough of KalamDB's socket to test the client's.

It shares nothing with the sandbox, and its peer in the tests is the package's own socket.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

SCHEMA = [
    {"name": "id", "data_type": "BigInt", "index": 0, "flags": ["pk", "nn", "uq"]},
    {"name": "room", "data_type": "Text", "index": 1},
    {"name": "n", "data_type": "Int", "index": 2},
    {"name": "_seq", "data_type": "BigInt", "index": 3, "flags": ["nn"]},
    {"name": "_deleted", "data_type": "Boolean", "index": 4, "flags": ["nn"]},
]
READY = {"batch_num": 0, "has_more": False, "status": "ready", "last_seq_id": None}


class SocketServer:
    """Accepts tokens of ``tokens``, acknowledges subscriptions, sends what it is told to.

    ``http_status`` refuses the next handshakes with these codes, all with the first one when there is a ``location``;
    ``refusals`` refuses live queries by their text, once for each entry; ``is_mute`` accepts sockets and then says
    nothing. ``keeps_refused`` leaves the sockets open whose token it refuses. ``pages`` are the rows that a live query
    gets which asks for some.
    """

    def __init__(self) -> None:
        self.tokens = {"good"}
        self.schema = SCHEMA
        self.http_status: deque[int] = deque()
        self.location: str | None = None
        self.refusals: dict[str, deque[tuple[str, str]]] = {}
        self.is_mute = False
        self.keeps_refused = False
        self.hold_acks = False
        self.pages: list[list[dict]] = [[]]
        self.received: list[dict] = []
        self.paths: list[str] = []
        self.authorizations: list[str] = []
        # By connection and id, which is unique on its connection only.
        self.active: dict[tuple[ServerConnection, str], tuple[ServerConnection, str]] = {}
        self._changed = threading.Condition()
        self._connections: set[ServerConnection] = set()

    def __enter__(self) -> SocketServer:
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/ws"

    def _run(self, started: threading.Event) -> None:
        async def main() -> None:
            self._stop = asyncio.Event()
            async with serve(
                self._serve, "127.0.0.1", 0, process_request=self._refuse, compression=None, close_timeout=0.2
            ) as server:
                self.port = server.sockets[0].getsockname()[1]
                started.set()
                await self._stop.wait()
                for connection in self._connections:
                    connection.transport.abort()
            # Clients that came in the last moment are in no list yet.
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            for _ in range(3):
                await asyncio.sleep(0)

        self._loop.run_until_complete(main())
        self._loop.close()

    def _refuse(self, connection, request):
        self.paths.append(request.path)
        self.authorizations.append(request.headers.get("Authorization", ""))
        if self.location is not None:
            answer = connection.respond(HTTPStatus(self.http_status[0]), "")
            answer.headers["Location"] = self.location
            return answer
        if self.http_status:
            return connection.respond(HTTPStatus(self.http_status.popleft()), "no\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        self._connections.add(connection)
        token = connection.request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            if self.is_mute:
                connection.transport.pause_reading()
                await connection.wait_closed()
            elif token not in self.tokens:
                await connection.send('{"type":"auth_error","message":"Invalid credentials"}')
                if self.keeps_refused:
                    connection.transport.pause_reading()
                    await connection.wait_closed()
                await connection.close(1008, "Authentication failed")
            else:
                await connection.send('{"type":"auth_success","user":"root","role":"system"}')
                async for text in connection:
                    await self._answer(connection, json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            self._connections.discard(connection)
            self._forget(connection)

    async def _answer(self, connection: ServerConnection, message: dict) -> None:
        with self._changed:
            self.received.append(message)
            self._changed.notify_all()
        if message["type"] == "unsubscribe":
            self.active.pop((connection, message["subscription_id"]), None)
        if message["type"] == "next_batch":
            await self._send_page(connection, message["subscription_id"], message["last_seq_id"])
        if message["type"] != "subscribe" or self.hold_acks:
            return
        wire_id, sql = message["subscription"]["id"], message["subscription"]["sql"]
        if self.refusals.get(sql):
            code, text = self.refusals[sql].popleft()
            await connection.send(
                json.dumps({"type": "error", "subscription_id": wire_id, "code": code, "message": text})
            )
            return
        ack = {"type": "subscription_ack", "subscription_id": wire_id, "total_rows": 0}
        with self._changed:
            self.active[connection, wire_id] = (connection, sql)
            self._changed.notify_all()
        if message["subscription"]["options"] is None:
            await connection.send(json.dumps({**ack, "batch_control": READY, "schema": self.schema}))
        else:
            control = {"batch_num": 0, "has_more": len(self.pages) > 1, "status": "loading", "last_seq_id": None}
            await connection.send(json.dumps({**ack, "batch_control": control, "schema": self.schema}))
            await self._send_page(connection, wire_id, None)

    async def _send_page(self, connection: ServerConnection, wire_id: str, after: int | None) -> None:
        """Send the first page, or the one behind that which ends with ``after``."""
        ends = [int(page[-1]["_seq"]) if page else None for page in self.pages]
        number = 0 if after is None else ends.index(after) + 1
        more = number + 1 < len(self.pages)
        status = "ready" if not more else "loading" if number == 0 else "loading_batch"
        control = {"batch_num": number, "has_more": more, "status": status, "last_seq_id": ends[number]}
        batch = {"type": "initial_data_batch", "subscription_id": wire_id, "rows": self.pages[number]}
        await connection.send(json.dumps({**batch, "batch_control": control}))

    def _forget(self, connection: ServerConnection) -> None:
        with self._changed:
            self.active = {key: held for key, held in self.active.items() if held[0] is not connection}
            self._changed.notify_all()

    # What tests do.

    def wait_until(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0, "the server did not see what the test waits for"
                self._changed.wait(min(left, 0.02))

    def change(self, kind: str, row: dict, *, zipped: bool = False) -> None:
        """Send a change to every live query."""
        field = "old_values" if kind == "delete" else "rows"
        for connection, wire_id in list(self.active):
            text = json.dumps({"type": "change", "subscription_id": wire_id, "change_type": kind, field: [row]})
            self._do(connection.send(gzip.compress(text.encode()) if zipped else text))

    def send(self, frame: str | bytes) -> None:
        """Send a frame on every connection."""
        for connection in list(self._connections):
            self._do(connection.send(frame))

    def cut(self) -> None:
        """End every connection without a word."""
        for connection in list(self._connections):
            self._loop.call_soon_threadsafe(connection.transport.abort)

    def freeze(self) -> None:
        """Keep every connection open and do not read from it any more."""
        for connection in list(self._connections):
            self._loop.call_soon_threadsafe(connection.transport.pause_reading)

    def thaw(self) -> None:
        """Read from the connections again."""
        for connection in list(self._connections):
            self._loop.call_soon_threadsafe(connection.transport.resume_reading)

    def close_all(self, code: int, reason: str) -> None:
        for connection in list(self._connections):
            self._do(connection.close(code, reason))

    def _do(self, coroutine) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)
