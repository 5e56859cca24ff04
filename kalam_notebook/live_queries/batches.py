"""What ``LiveTable.batches`` gives: the changes of a live table, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from kalam_notebook.callers import short_failures
from kalam_notebook.live_queries.threads import call_in_thread
from kalam_notebook.results.frames import to_pandas, unsliced

if TYPE_CHECKING:
    import pandas as pd

    from kalam_notebook.live_queries.table import LiveTable

__all__ = ["LiveBatches", "LiveChanges"]


@dataclass(frozen=True, slots=True)
class LiveChanges:
    """What happened to a live table between two looks at it.

    Attributes:
        version: The table's version after it.
        table: A row for each change, as ``LiveTable.changes`` tells them.
        is_whole: Whether these are all changes. Otherwise there were more than are remembered: look at the table
            itself.
    """

    version: int
    table: pa.Table
    is_whole: bool

    def __repr__(self) -> str:
        return f"<LiveChanges {self.table.num_rows:,} changes{'' if self.is_whole else ', not all'}>"

    def df(self) -> pd.DataFrame:
        """Return the changes as a DataFrame."""
        return to_pandas(self.table)

    def __arrow_c_schema__(self) -> object:
        return self.table.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give ``table`` to any library that takes Arrow streams, for example ``polars.DataFrame(changes)``."""
        return unsliced(self.table).__arrow_c_stream__(requested_schema)


@short_failures
class LiveBatches:
    """The changes of a live table from now on, batch by batch, until it is closed.

    ``next`` waits for the next batch; ``async for`` does so without blocking the event loop. What an ``await`` that was
    cancelled waited for comes with the next one.

    Args:
        table: The live table.

    Raises:
        KalamError: The table stopped.
    """

    def __init__(self, table: LiveTable) -> None:
        self._table = table
        self._version = table.version

    def __iter__(self) -> LiveBatches:
        return self

    def __next__(self) -> LiveChanges:
        batch = self._table._wait_for_changes(self._version)
        if batch is None:
            raise StopIteration
        self._version = batch.version
        return batch

    def __aiter__(self) -> LiveBatches:
        return self

    async def __anext__(self) -> LiveChanges:
        batch = await call_in_thread(lambda: self._table._wait_for_changes(self._version))
        if batch is None:
            raise StopAsyncIteration
        self._version = batch.version
        return batch

    def __repr__(self) -> str:
        return f"<LiveBatches of {self._table!r}>"
