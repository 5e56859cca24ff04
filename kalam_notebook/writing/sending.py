"""Sending the requests of a write, adding up what they did, and saying what was kept when one fails."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

from kalam_notebook.callers import told_when_interrupted
from kalam_notebook.errors import FrameError, KalamError, ServerError, WriteError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.threads import Worker
from kalam_notebook.wire.failed import failed_statement
from kalam_notebook.writing.inserts import Inserts
from kalam_notebook.writing.report import ChunkReport

__all__ = ["Sender", "ahead"]

T = TypeVar("T")

#: Seconds that the end of a write waits for what is made in vain.
_JOIN_TIMEOUT = 0.1

_DONE = {"Inserted": "inserted", "Updated": "updated", "Deleted": "deleted"}


class Sender:
    """Sends the requests of one write.

    Args:
        endpoint: Runs the SQL.
        table: The table's name, for messages.
        total: Rows of the frame.
        repeatable: Whether a row that is written twice is there once.
        hint: What makes it so when it is not; may be empty.
        on_progress: Called with the rows done and the rows of the frame after each request; None for nobody.
        on_sent: Called with the bytes of each request, before it is sent; None for nobody.

    Attributes:
        counts: ``inserted``, ``updated``, ``deleted``, ``unchanged``, ``missing``: rows so far.
        requests: Requests that were carried out.
        done: Rows of the frame that were dealt with.
        chunks: What was done, part by part.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        table: str,
        *,
        total: int,
        repeatable: bool,
        hint: str = "",
        on_progress: Callable[[int, int], object] | None = None,
        on_sent: Callable[[int], object] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._table = table
        self._total = total
        self._repeatable = repeatable
        self._hint = hint
        self._on_progress = on_progress
        self._on_sent = on_sent
        self._is_lost = False
        self._written = 0  # Rows of a request that failed which were written all the same.
        self._started = time.perf_counter()
        self.counts: Counter[str] = Counter()
        self.requests = 0
        self.done = 0
        self.chunks: list[ChunkReport] = []

    @property
    def seconds(self) -> float:
        """Seconds since the write began."""
        return time.perf_counter() - self._started

    @contextmanager
    def rows(self, count: int) -> Iterator[None]:
        """Deal with the next ``count`` rows; what fails inside says which rows they were.

        Raises:
            FrameError: The rows cannot be written; nothing was sent.
            WriteError: A request failed.
        """
        first, requests, counts, started = self.done, self.requests, self.counts.copy(), self.seconds
        with self.looking(count):
            yield
        self.done += count
        self.chunks.append(
            ChunkReport(
                (first, self.done),
                **{name: number - counts[name] for name, number in self.counts.items()},
                requests=self.requests - requests,
                seconds=self.seconds - started,
            )
        )
        if self._on_progress is not None:
            self._on_progress(self.done, self._total)

    @contextmanager
    def looking(self, count: int) -> Iterator[None]:
        """Ask about the next ``count`` rows; what fails inside says which rows they were.

        Raises:
            FrameError: The rows cannot be written; nothing was sent.
            WriteError: A request failed.
        """
        first, before, self._written = self.done, self.requests, 0
        others = f"; the {first:,} rows before them were" if first else ""
        fate = f"{self._table}: rows {first} to {first + count - 1} may have been written or not{others}."
        try:
            with told_when_interrupted(lambda: fate):
                yield
        except KalamError as exc:
            if isinstance(exc, FrameError) and not self.requests:
                raise
            # An answer that was lost, or an earlier part of these rows that went through.
            kept = None if self._is_lost or self.requests > before else False
            failure = str(exc).splitlines()[0]
            begin = first + self._written
            raise WriteError(
                self._table, (begin, first + count), kept, self._advice(begin, kept, exc), failure
            ) from None

    def insert(self, request: Inserts, look: Callable[[], int | None]) -> float:
        """Send a request that is no transaction; where it fails, the rows that were written are not among those named.

        Args:
            request: The request.
            look: Tells how many of its statements the server has carried out, for an answer that was lost; None where
                that cannot be told.

        Returns:
            Seconds that it took.
        """
        started = time.perf_counter()
        try:
            self.send(request.text)
        except KalamError as exc:
            statements = _carried_out(exc)
            if statements is None and (statements := look()) is None:
                raise
            self._is_lost = False
            self._written = request.count(statements)
            self.counts["inserted"] += self._written
            if statements < len(request.statements):
                raise
            self.requests += 1  # All of it was carried out, though the answer was lost.
        return time.perf_counter() - started

    def send(self, sql: str) -> Counter[str]:
        """Send one request that writes.

        Returns:
            What it did; results of several statements come added up per kind (truth L19).
        """
        if self._on_sent is not None:
            self._on_sent(len(sql.encode()))
        try:
            answer = self._endpoint.execute(sql)
        except KalamError as exc:
            self._is_lost = _is_lost(exc)
            raise
        self.requests += 1
        counts: Counter[str] = Counter()
        for result in answer.results:
            word = (result.message or "").partition(" ")[0]
            if word in _DONE:
                counts[_DONE[word]] += result.row_count
        self.counts += counts
        return counts

    def _advice(self, first: int, kept: bool | None, error: KalamError) -> str:
        rest = f"the frame from row {first} on (frame.iloc[{first}:], or frame.slice({first}))" if first else "it again"
        if kept is False:
            if not isinstance(error, (ServerError, FrameError)):
                return f"When the server can be reached again, write {rest}."
            return f"Correct what the server names, then write {rest}."
        if self._repeatable:
            return f"Write {rest}; repeating does no harm."
        return f"Look which of them are there before you write {rest}.{self._hint}"


def _is_lost(error: KalamError) -> bool:
    """Whether the server may have carried out what it was sent: no answer came, or one of a proxy before it."""
    return not isinstance(error, ServerError) or (error.status >= 500 and failed_statement(error.message) is None)


def _carried_out(error: KalamError) -> int | None:
    """How many statements of a request were carried out before it failed; None where the error does not tell."""
    if _is_lost(error):
        return None
    assert isinstance(error, ServerError)
    return (failed_statement(error.message) or 1) - 1


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The same items, the next of which is made in a thread while the one before is dealt with; to be closed."""
    wanted: SimpleQueue[bool] = SimpleQueue()
    made: SimpleQueue[list[T] | BaseException] = SimpleQueue()

    def make() -> None:
        while wanted.get():
            try:
                made.put(list(islice(items, 1)))
            except BaseException as exc:
                made.put(exc)

    wanted.put(True)
    maker = Worker(make, name="kalam-write")
    try:
        maker.start()
        while found := made.get():
            if isinstance(found, BaseException):
                raise found
            wanted.put(True)
            yield from found
    finally:
        wanted.put(False)
        maker.join(_JOIN_TIMEOUT)
