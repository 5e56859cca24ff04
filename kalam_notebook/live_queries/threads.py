"""Small pieces with which the live threads talk to each other: an inbox, and a call on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from kalam_notebook.threads import Worker

__all__ = ["Inbox", "call_in_thread"]

_T = TypeVar("_T")
_K = TypeVar("_K")


class Inbox(Generic[_T]):
    """Items from one thread to another; putting never waits. One thread takes them out, one puts those with bytes."""

    def __init__(self) -> None:
        self._items: SimpleQueue[tuple[_T, int]] = SimpleQueue()
        # Taken out of the queue by ``take_more``, which it ended.
        self._next: tuple[_T, int] | None = None
        # Each is changed by one thread.
        self._bytes_put = self._bytes_taken = 0

    def __len__(self) -> int:
        return self._items.qsize() + (self._next is not None)

    @property
    def num_bytes(self) -> int:
        """Bytes of the items that wait."""
        return self._bytes_put - self._bytes_taken

    def has_room(self, size: int, *, items: int, num_bytes: int) -> bool:
        """Whether one more of a size may wait, beside no more than so many items and bytes."""
        return self._items.qsize() < items and self._bytes_put - self._bytes_taken + size <= num_bytes

    def put(self, item: _T, size: int = 0) -> None:
        """Add an item of so many bytes."""
        if size:
            self._bytes_put += size
        self._items.put((item, size))

    def take(self, timeout: float | None = None) -> _T | None:
        """Wait for an item; None when there is none after so many seconds."""
        if self._next is not None:
            (item, size), self._next = self._next, None
        else:
            try:
                item, size = self._items.get(timeout=timeout)
            except Empty:
                return None
        self._bytes_taken += size
        return item

    def take_more(self, kind: type[_K], limit: int) -> list[_K]:
        """Take the items of a kind that are there, up to the first other one, without waiting."""
        taken: list[_K] = []
        with contextlib.suppress(Empty):
            while self._next is None and len(taken) < limit:
                found = item, size = self._items.get_nowait()
                if isinstance(item, kind):
                    taken.append(item)
                    self._bytes_taken += size
                else:
                    self._next = found
        return taken


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

    Worker(run, name="kalam-live-call").start()
    return await future
