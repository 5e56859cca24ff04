"""``LiveTable``: what ``kalam.live()`` returns, a table that follows the server.

It subscribes first and reads the rows over HTTP after that, because a snapshot from the socket may lack rows (truth
L12). The work is done in ``transport.follower``; the widget is in ``notebook`` and reads ``delta``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kalam_notebook.errors import ConfigError, KalamError, RequestTimeoutError
from kalam_notebook.live.query import parse_live_query
from kalam_notebook.live.store import LiveDelta
from kalam_notebook.transport.callbacks import Callbacks
from kalam_notebook.transport.follower import Follower
from kalam_notebook.wire.types import Column

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from kalam_notebook.live.plan import TablePlan
    from kalam_notebook.live.store import KeyedStore
    from kalam_notebook.transport.socket import LiveSocket

__all__ = ["LiveDelta", "LiveSource", "LiveStats", "LiveTable"]


class LiveSource(Protocol):
    """What a live table needs of a client; all calls but the first may block and raise ``KalamError``."""

    def websocket_url(self) -> str:
        """``ws(s)://host/v1/ws``."""
        ...

    def access_token(self, *, renew: bool = False) -> str:
        """A token; with ``renew`` one other than the last, which was refused."""
        ...

    def read_complete(self, sql: str) -> pa.Table:
        """Every row of a SELECT, exact, at one point in time; fields as ``wire.types.arrow_field`` makes them."""
        ...

    def table_kind(self, table: str) -> str:
        """``user``, ``shared`` or ``stream``, for ``namespace.table``."""
        ...


@dataclass(frozen=True, slots=True)
class LiveStats:
    """Counters of a live table since its start.

    Attributes:
        inserted: Rows that came by event.
        updated: Rows that an event replaced.
        deleted: Rows that an event removed.
        events: Events that came, late and repeated ones included.
        reconnects: How often the live query was established again; each time all rows were read again.
        rows: Rows in the table now.
        last_seq: Greatest ``_seq`` seen.
    """

    inserted: int
    updated: int
    deleted: int
    events: int
    reconnects: int
    rows: int
    last_seq: int


class LiveTable:
    """Rows of one table on the server, kept up to date while your cell computes.

    Made by ``kalam.live(sql)`` and complete when that returns. Close it when it is no longer needed; a user may have
    ten live queries at a time by default. All methods may be called from any thread.

    The server drops events without a sign when more than 128 wait on one connection, which a single statement over
    that many rows can bring about, and when a row holds NaN or infinity. Such changes are missing here until the next
    event of the row or the next reconnect; ``notice`` tells what else may not be right.

    Args:
        sql: ``SELECT columns | * FROM namespace.table [WHERE …]``.
        source: Reads rows and tokens.
        socket: The client's connection for live queries.
        max_rows: How many rows are kept, the latest to appear; None for all. Older ones come back when they change.
        timeout: Seconds until the server has to acknowledge the query. Reading the rows has the client's own timeout.

    Raises:
        SubscriptionError: The query has not the shape of a live query, or the server refuses it.
        ConnectError: There is no live connection within ``timeout``.
        KalamError: The rows cannot be read.
    """

    _is_open = False

    def __init__(
        self,
        sql: str,
        *,
        source: LiveSource,
        socket: LiveSocket,
        max_rows: int | None = None,
        timeout: float = 20.0,
    ) -> None:
        if max_rows is not None and max_rows < 1:
            raise ConfigError(f"max_rows is {max_rows}; give at least 1, or None to keep all rows.")
        query = parse_live_query(sql)
        self._follower = Follower(query, read=source.read_complete, table_kind=source.table_kind, max_rows=max_rows)
        follower = self._follower
        self._callbacks = Callbacks(self, bell=follower.bell, is_over=lambda: follower.is_over)
        try:
            self._follower.start(socket, timeout=timeout)
        except BaseException:
            self._follower.close()
            raise
        self._is_open = True

    def __repr__(self) -> str:
        return f"<LiveTable {self._follower.query.table_name}, {self.num_rows:,} rows, {self.status}>"

    def __enter__(self) -> LiveTable:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._is_open and not self._follower.is_over and not self._follower.is_forked:
            text = f"{self!r} was not closed. Call close(), or use it in a with block."
            self.close()
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)

    def _ipython_display_(self) -> None:
        from kalam_notebook.notebook.live_view import display_live

        display_live(self)

    # What it is.

    @property
    def sql(self) -> str:
        """The query as given."""
        return self._follower.query.sql

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of ``arrow()``."""
        return self._follower.look(lambda store, plan: store.schema)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The visible columns as the server announced them, in order."""

        def visible(store: KeyedStore, plan: TablePlan) -> tuple[Column, ...]:
            by_name = {column.name: column for column in plan.columns}
            return tuple(by_name[name] for name in plan.visible)

        return self._follower.look(visible)

    @property
    def key(self) -> str:
        """Name of the column whose values tell rows apart; ``_seq`` for STREAM tables. It need not be visible."""
        return self._follower.look(lambda store, plan: plan.key)

    @property
    def status(self) -> str:
        """``connecting``, ``catching up``, ``live``, ``reconnecting in 3 s`` or ``stopped: …`` with the reason."""
        return self._follower.status

    @property
    def error(self) -> KalamError | None:
        """Why it stopped; None while it follows, and when it was closed."""
        return self._follower.error

    @property
    def notice(self) -> str | None:
        """What the table may not show rightly, why, and what to do; None when nothing is known."""
        return "\n".join(self._follower.notices) or None

    # What it holds.

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return self._follower.num_rows

    @property
    def version(self) -> int:
        """A number that grows with each change of the rows."""
        return self._follower.look(lambda store, plan: store.version)

    @property
    def stats(self) -> LiveStats:
        """Counters since the start."""

        def count(store: KeyedStore, plan: TablePlan) -> LiveStats:
            seen = self._follower.counters
            reconnects = self._follower.reconnects
            return LiveStats(
                seen.inserted, seen.updated, seen.deleted, seen.events, reconnects, store.num_rows, store.last_seq
            )

        return self._follower.look(count)

    def arrow(self) -> pa.Table:
        """Return all rows as of now. The table does not change afterwards."""
        return self._follower.look(lambda store, plan: store.arrow())

    def df(self) -> pd.DataFrame:
        """Return all rows as of now as a DataFrame, with the types of ``kalam.query``."""
        from kalam_notebook.frames import to_pandas

        query = self._follower.query
        return to_pandas(self.arrow(), bind=(query.namespace, query.table))

    def polars(self) -> pl.DataFrame:
        """Return all rows as of now as a polars frame.

        Raises:
            MissingDependencyError: polars is not installed.
        """
        from kalam_notebook.frames import to_polars

        return to_polars(self.arrow())

    def delta(self, since: int) -> LiveDelta:
        """Return what changed since a version.

        Args:
            since: A former ``version``; -1 for the whole table. A version that is not known any more gives the whole
                table too.
        """
        return self._follower.look(lambda store, plan: store.delta(since))

    # Waiting.

    def on_change(self, callback: Callable[[LiveTable], object]) -> Callable[[], None]:
        """Have a function called with this table when rows or status have changed.

        It runs on a thread of its own for this table; changes that come while it runs are told by one more call. What
        it raises is logged and shown as a warning.

        Returns:
            A function that ends it.
        """
        return self._callbacks.add(callback)

    def wait_for(self, condition: int | Callable[[LiveTable], object], *, timeout: float | None = 30.0) -> None:
        """Wait until the table has so many rows, or a condition holds.

        Args:
            condition: A number of rows that is reached or exceeded, or a function of the table that is asked after
                each change.
            timeout: Seconds to wait; None for ever.

        Raises:
            RequestTimeoutError: Time is up; also a TimeoutError.
            KalamError: The table stopped, or was closed, before the condition held.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            seen = self._follower.bell.count
            if self.num_rows >= condition if isinstance(condition, int) else condition(self):
                return
            self._follower.raise_if_over()
            if deadline is not None and time.monotonic() >= deadline:
                raise RequestTimeoutError(
                    f"The condition did not hold within {timeout:g} s: {self.num_rows:,} rows, {self.status}."
                )
            self._follower.bell.wait_beyond(seen, deadline)

    def close(self) -> None:
        """Stop following, within a second; the rows stay. May be called twice."""
        self._follower.close()
