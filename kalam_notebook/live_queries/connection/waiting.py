"""Waiting for another thread without blocking an event loop: sleepers that are woken, and a gate they wait at."""

from __future__ import annotations

import asyncio
import contextlib
import threading

__all__ = ["Gate", "Sleepers"]


class Sleepers:
    """Coroutines of any event loops that wait for something. Its owner calls it under a lock of the owner's."""

    def __init__(self) -> None:
        self._futures: list[asyncio.Future[None]] = []

    def add(self) -> asyncio.Future[None]:
        """Return what the running coroutine awaits, once the lock is released."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        return future

    def wake(self) -> None:
        """Wake all, from any thread."""
        futures, self._futures = self._futures, []
        for future in futures:
            with contextlib.suppress(RuntimeError):  # Its loop may have been closed in the meantime.
                future.get_loop().call_soon_threadsafe(_finish, future)


class Gate:
    """Open or shut by any thread; coroutines wait until it is open."""

    def __init__(self) -> None:
        self.is_open = True
        self._lock = threading.Lock()
        self._sleepers = Sleepers()

    def shut(self) -> None:
        """Let nobody pass from now on."""
        self.is_open = False

    def open(self) -> None:
        """Let all pass who wait."""
        with self._lock:
            self.is_open = True
            self._sleepers.wake()

    async def passed(self) -> None:
        """Wait until it is open."""
        while True:
            with self._lock:
                if self.is_open:
                    return
                future = self._sleepers.add()
            await future


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
