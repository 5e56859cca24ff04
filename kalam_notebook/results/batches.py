"""What ``query_batches`` returns: batches for ``for``, ``async for`` and ``next``, and what is known in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator

import pyarrow as pa

from kalam_notebook.callers import short_failures
from kalam_notebook.results.frames import unsliced
from kalam_notebook.results.results import Completeness

__all__ = ["QueryBatches"]


@short_failures
class QueryBatches:
    """The rows of one query in batches, read from the server as they are taken.

    Args:
        batches: Gives the batches, and returns what is known of their completeness.
        on_end: Called with that when the last batch has been taken; may raise or warn.
        find_schema: Finds out the schema when there are no rows, for those who need one.
    """

    def __init__(
        self,
        batches: Generator[pa.RecordBatch, None, Completeness],
        on_end: Callable[[Completeness], None],
        find_schema: Callable[[], pa.Schema],
    ) -> None:
        self._batches = batches
        self._on_end = on_end
        self._find_schema = find_schema
        self._completeness: Completeness | None = None
        self._rows = 0
        self._schema: pa.Schema | None = None
        self._ahead: list[pa.RecordBatch] = []

    @property
    def completeness(self) -> Completeness | None:
        """What is known of the completeness of all batches; None until the last one has been taken."""
        return self._completeness

    @property
    def row_count(self) -> int:
        """Rows taken so far."""
        return self._rows

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of all batches; before the first is taken, it is read for that, and given next.

        Raises:
            KalamError: As for taking a batch.
        """
        if self._schema is None:
            first = self._read()
            if first is None:
                self._schema = self._find_schema()
            else:
                self._ahead.append(first)
        assert self._schema is not None
        return self._schema

    def close(self) -> None:
        """Read nothing more."""
        self._ahead.clear()
        self._batches.close()

    def __iter__(self) -> QueryBatches:
        return self

    def __next__(self) -> pa.RecordBatch:
        batch = self._take()
        if batch is None:
            raise StopIteration
        return batch

    def __aiter__(self) -> QueryBatches:
        return self

    async def __anext__(self) -> pa.RecordBatch:
        batch = await asyncio.to_thread(self._take)
        if batch is None:
            raise StopAsyncIteration
        return batch

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give the batches that are left, one after the other, to a library that takes Arrow streams.

        ``pyarrow.RecordBatchReader.from_stream(batches)`` and what is built on it hold one batch at a time.
        """
        reader = pa.RecordBatchReader.from_batches(self.schema, map(unsliced, self))
        return reader.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __repr__(self) -> str:
        return f"<QueryBatches {self._rows} rows so far, {self._completeness or 'not at the end'}>"

    def _take(self) -> pa.RecordBatch | None:
        batch = self._ahead.pop() if self._ahead else self._read()
        if batch is not None:
            self._rows += batch.num_rows
        return batch

    def _read(self) -> pa.RecordBatch | None:
        try:
            batch = next(self._batches)
        except StopIteration as end:
            if self._completeness is None and end.value is not None:
                self._completeness = end.value
                self._on_end(end.value)
            return None
        self._schema = batch.schema
        return batch
