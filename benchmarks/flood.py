"""A WebSocket server in a process of its own that sends messages as fast as they are taken, when it is told to."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from benchmarks.live_rows import SCHEMA, WIRE_ID, change_texts


@dataclass(frozen=True)
class Flood:
    """The server as its client sees it."""

    url: str
    _process: subprocess.Popen[str]

    def go(self) -> None:
        """Have all messages sent on the connections there are."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()


@contextmanager
def flooding(count: int, *, rows: int) -> Iterator[Flood]:
    """Start a server that has so many changes of a table with so many rows to tell."""
    command = [sys.executable, "-m", "benchmarks.flood", str(count), str(rows)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Flood(f"ws://127.0.0.1:{process.stdout.readline().strip()}/v1/ws", process)
        finally:
            process.kill()


async def main(count: int, rows: int) -> None:
    texts = change_texts(count, rows=rows)
    # One buffer, so that the server is never what the client waits for.
    flood = b"".join(Frame(Opcode.TEXT, text.encode()).serialize(mask=False) for text in texts)
    async with serve(answer, "127.0.0.1", 0, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            for connection in server.connections:
                connection.transport.write(flood)


async def answer(connection: ServerConnection) -> None:
    """As much of KalamDB's socket as a live query needs."""
    await send(connection, {"type": "auth_success", "user": "root", "role": "system"})
    with suppress(ConnectionClosed):
        async for text in connection:
            message = orjson.loads(text)
            if message["type"] == "subscribe":
                assert message["subscription"]["id"] == WIRE_ID
                control = {"batch_num": 0, "has_more": False, "status": "ready", "last_seq_id": None}
                ack = {"type": "subscription_ack", "subscription_id": WIRE_ID, "total_rows": 0}
                await send(connection, {**ack, "batch_control": control, "schema": SCHEMA})


async def send(connection: ServerConnection, message: dict[str, object]) -> None:
    await connection.send(orjson.dumps(message).decode())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
