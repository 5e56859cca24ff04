"""Rows that a function makes of those of a live table, in place of a ``Follower``: what ``LiveTable.pipe`` follows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pyarrow as pa

from kalam_notebook.errors import ConfigError
from kalam_notebook.live_queries.following.followed import Followed
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.following.refreshed import Refreshed
from kalam_notebook.live_queries.rows.fingerprint import Proof
from kalam_notebook.live_queries.rows.result_store import ResultStore
from kalam_notebook.texts import first_line

__all__ = ["Derived"]

_LOG = logging.getLogger("kalam_notebook.live")

#: Seconds that ``close`` waits for a function that runs.
_JOIN_TIMEOUT = 1.0


class Derived(Refreshed):
    """The rows that a function returned last, and the thread that calls it when the rows it is made of have changed.

    What the function raises is told as a notice, and the rows stay; only the first time it is raised here.

    Args:
        source: The rows that they are made of. When it ends, so does this, after a last call.
        make: Returns a frame with an Arrow stream. The index of a DataFrame tells its rows apart.
        name: What the function is called, for people.
        every: Seconds from one call to the next, at least.
    """

    form = Form.RERUN
    ends_with_another = True
    forked = "This live table belongs to the process that forked this one. Call pipe here."

    def __init__(self, source: Followed, make: Callable[[], object], *, name: str, every: float) -> None:
        super().__init__("kalam-live-pipe")
        self._source = source
        self._make = make
        self._name = name
        self._every = every
        self._fault = ""
        self._seen = -1
        self._began = 0.0
        self._rows: ResultStore | None = None

    def begin(self) -> None:
        """Call the function, and go on when the rows that it is called with have changed.

        Raises:
            ConfigError: It returns something else.
        """
        self._begin_call()
        self._load(self._made())
        super().begin()

    def close(self) -> None:
        """End it, after the last call where the source has ended; the rows stay. May be called twice."""
        if self.is_forked:
            return
        if not self._source.is_over:
            self._end(None)
        self._awake()
        self._thread.join(_JOIN_TIMEOUT)
        self._end(None)

    # What anybody may ask.

    @property
    def rows(self) -> ResultStore | None:
        """The rows."""
        return self._rows

    @property
    def table_name(self) -> str:
        """The tables, for people."""
        return f"{self._name} of {self._source.table_name}"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart; empty for all of them."""
        return () if self._rows is None else self._rows.key

    @property
    def is_replay(self) -> bool:  # type: ignore[override]  # It is as the source is.
        """Whether there is a recording in place of a server."""
        return self._source.is_replay

    @property
    def _progress(self) -> str:
        # The source has ended, and this is about to.
        return "catching up" if self._source.is_over else self._source.status

    @property
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""
        return (*self._source.notices, *([self._fault] if self._fault else []))

    def verify(self, *, timeout: float, reread: bool = False) -> Proof:
        """Say that nothing can be proved: no server has these rows."""
        return self._unproved(f"these rows are made by {self._name}; verify the live table that they are made of")

    def retry(self) -> None:
        """Try a lost connection of the source again now."""
        self._source.retry()

    # The thread.

    def _awake(self) -> None:
        super()._awake()
        self._source.bell.ring()

    def _work(self) -> None:
        count = -1
        while not self.is_over:
            count = self._source.bell.wait_beyond(count)
            is_last = self._source.is_over
            self._wake.clear()
            if not self._is_paused and self._version_of_source() != self._seen:
                if not self._source.is_over and not self.is_over:
                    self._wake.wait(self._began + self._every - time.monotonic())
                self._call()
            self.bell.ring()  # Status and notices of the source are its own.
            if is_last:
                self._end(self._source.error, self._source.status.removeprefix("stopped: "))

    def _call(self) -> None:
        if self.is_over:
            return
        self._begin_call()
        try:
            self._load(self._made())
            self._fault = ""
        except Exception as exc:
            _LOG.error("%s, called by pipe, raised", self._name, exc_info=exc)
            self._fault = f"{self._name} raised {type(exc).__name__}: {first_line(exc)} – the rows are those of before."

    def _begin_call(self) -> None:
        self._began = time.monotonic()
        self._seen = self._version_of_source()

    def _version_of_source(self) -> int:
        return self._source.look(lambda rows: rows.version)

    def _made(self) -> tuple[pa.Table, list[str]]:
        """What the function makes of the rows of now, and the columns of its index."""
        frame = self._make()
        if not hasattr(frame, "__arrow_c_stream__"):
            raise ConfigError(
                f"{self._name} returned {type(frame).__name__}, and pipe needs a frame with an Arrow stream "
                "(pandas, polars, pyarrow)."
            )
        table = pa.table(frame)
        index = (table.schema.pandas_metadata or {}).get("index_columns", [])
        return table.replace_schema_metadata(), [name for name in index if isinstance(name, str)]

    def _load(self, made: tuple[pa.Table, list[str]]) -> None:
        table, key = made
        at = time.time()
        with self._lock:
            old = self._rows
            if self.is_over:  # The function returned too late.
                return
            if old is not None and old.schema.equals(table.schema) and old.key == tuple(key):
                self._counters.add_changes(old.load(table, at=at))
                return
            version, next_row_id = (0, 0) if old is None else (old.version, old.next_row_id)
            self._rows = ResultStore((), key=key, rows=table, version=version, next_row_id=next_row_id, at=at)
