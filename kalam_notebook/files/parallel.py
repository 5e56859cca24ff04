"""A few at a time: what is done for each of many files, until one error ends all or the reader does."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from kalam_notebook.files.outcome import Outcome
from kalam_notebook.http.pacing import Bucket
from kalam_notebook.results.progress import Meter
from kalam_notebook.threads import Flag, Worker

__all__ = ["each_reported"]

_T = TypeVar("_T")
_R = TypeVar("_R")

#: Seconds that what was interrupted may take to clean up.
_LONGEST_END_S = 5.0


def each_reported(
    work: Callable[[_T], Outcome],
    items: Sequence[_T],
    *,
    done: str,
    meter: Meter,
    parallel: int,
    give_up: Callable[[], object],
) -> list[Outcome]:
    """Do work for each of many files, and tell the reader how far it is.

    Args:
        work: Done for each; what it raises ends all.
        items: What it is done for.
        done: The result of a file whose bytes have travelled.
        meter: Where the reader is told.
        parallel: Threads, at most.
        give_up: Called after an interrupt or error, so that what is still being done ends at once.

    Returns:
        What came of each, in their order.

    Raises:
        BaseException: The first that ``work`` raised.
    """

    def reported(item: _T) -> Outcome:
        outcome = work(item)
        if outcome.result == done:
            meter.received(outcome.bytes or 0, 0)
        meter.add(outcome.result != "failed")
        return outcome

    meter.expect(len(items))
    return _in_parallel(reported, items, parallel=parallel, give_up=give_up)


def _in_parallel(
    work: Callable[[_T], _R], items: Sequence[_T], *, parallel: int, give_up: Callable[[], object]
) -> list[_R]:
    """Do work for each item, in threads, no faster than the server's rate limit allows."""
    crew = _Crew(work, items)
    # A time for several requests together holds in the threads, too.
    contexts = [contextvars.copy_context() for _ in range(min(parallel, len(items)))]
    workers = [Worker(partial(context.run, crew.work), name="kalam-files") for context in contexts]

    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if crew.error is not None:
            raise crew.error
    except BaseException:
        crew.stop()
        give_up()
        for worker in workers:
            worker.join(_LONGEST_END_S)
        raise
    return [crew.results[number] for number in range(len(items))]


class _Crew(Generic[_T, _R]):
    """What the threads share."""

    def __init__(self, work: Callable[[_T], _R], items: Sequence[_T]) -> None:
        self._work = work
        self._left = iter(enumerate(items))
        self._lock = threading.Lock()
        self._bucket = Bucket()
        self._stopped = Flag()
        self.results: dict[int, _R] = {}
        self.error: BaseException | None = None

    def work(self) -> None:
        """Take one item after the other, until there are none or it is stopped."""
        while not self._stopped.is_set():
            with self._lock:
                taken = next(self._left, None)
            if taken is None:
                return
            number, item = taken
            if (pause := self._bucket.take(time.monotonic())) and self._stopped.wait(pause):
                return
            try:
                self.results[number] = self._work(item)
            except BaseException as exc:
                self.error = self.error or exc
                self.stop()

    def stop(self) -> None:
        """Begin with no other."""
        self._stopped.set()
