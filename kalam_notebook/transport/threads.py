"""Small pieces with which the live threads talk to each other: an inbox, a bell, and a call on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

__all__ = ["Bell", "Inbox", "call_in_thread"]

_T = TypeVar("_T")
_K = TypeVar("_K")


class Inbox(Generic[_T]):
    """Items from one thread to another; putting never waits. One thread takes them out."""

    def __init__(self) -> None:
        self._items: SimpleQueue[_T] = SimpleQueue()
        # Taken out of the queue by ``take_more``, which it ended.
        self._next: _T | None = None

    def __len__(self) -> int:
        return self._items.qsize() + (self._next is not None)

    def put(self, item: _T) -> None:
        """Add an item."""
        self._items.put(item)

    def take(self, timeout: float | None = None) -> _T | None:
        """Wait for an item; None when there is none after so many seconds."""
        if self._next is not None:
            item, self._next = self._next, None
            return item
        with contextlib.suppress(Empty):
            return self._items.get(timeout=timeout)
        return None

    def take_more(self, kind: type[_K], limit: int) -> list[_K]:
        """Take the items of a kind that are there, up to the first other one, without waiting."""
        taken: list[_K] = []
        with contextlib.suppress(Empty):
            while self._next is None and len(taken) < limit:
                item = self._items.get_nowait()
                if isinstance(item, kind):
                    taken.append(item)
                else:
                    self._next = item
        return taken


class Bell:
    """Tells any number of threads that something is new; ringing never waits."""

    def __init__(self) -> None:
        self._count = 0
        self._rung = threading.Condition()

    @property
    def count(self) -> int:
        """How often it was rung."""
        return self._count

    def ring(self) -> None:
        """Wake all who wait."""
        with self._rung:
            self._count += 1
            self._rung.notify_all()

    def wait_beyond(self, count: int, deadline: float | None = None) -> int:
        """Wait until it was rung more than ``count`` times, or a time on the monotonic clock; return how often."""
        with self._rung:
            while self._count <= count:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._rung.wait(None if left is None else min(left, threading.TIMEOUT_MAX))
            return self._count


async def call_in_thread(call: Callable[[], _T]) -> _T:
    """Await a call that blocks, on a daemon thread: an executor's thread would hold up the end of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def succeed(result: _T) -> None:
        if not future.done():
            future.set_result(result)

    def fail(error: BaseException) -> None:
        if not future.done():
            future.set_exception(error)

    def run() -> None:
        with contextlib.suppress(RuntimeError):  # The loop may have been closed in the meantime.
            try:
                result = call()
            except BaseException as exc:
                loop.call_soon_threadsafe(fail, exc)
            else:
                loop.call_soon_threadsafe(succeed, result)

    threading.Thread(target=run, name="kalam-live-call", daemon=True).start()
    return await future
