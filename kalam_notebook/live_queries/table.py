"""``LiveTable``: what ``kalam.live()`` returns, a table that follows the server and proves that it does.

The work is done in ``following.follower``, or ``recording.player`` for a recording; the widget is in ``notebook`` and
reads ``delta``. ``opening`` makes one for a query.
"""

from __future__ import annotations

import datetime as dt
import os
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import pyarrow as pa

from kalam_notebook.advice import for_magic, is_below_magic
from kalam_notebook.callers import short_failures, told_when_interrupted
from kalam_notebook.errors import ConfigError, KalamError, LiveError, NotIterableError, RequestTimeoutError
from kalam_notebook.live_queries.batches import LiveBatches, LiveChanges
from kalam_notebook.live_queries.chart import LiveChart
from kalam_notebook.live_queries.derived import Derived
from kalam_notebook.live_queries.display import Displayed
from kalam_notebook.live_queries.following.callbacks import Callbacks
from kalam_notebook.live_queries.following.counters import LiveStats
from kalam_notebook.live_queries.following.followed import Followed
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.past import delta_at, rows_at
from kalam_notebook.live_queries.perspective import perspective_table
from kalam_notebook.live_queries.recording.recorder import LiveRecorder
from kalam_notebook.live_queries.rows.changes import change_table
from kalam_notebook.live_queries.rows.delta import LiveDelta
from kalam_notebook.live_queries.rows.fingerprint import Proof
from kalam_notebook.live_queries.rows.held import Rows
from kalam_notebook.live_queries.rows.history import Step
from kalam_notebook.live_queries.threads import call_in_thread
from kalam_notebook.results.chart import ChartKind, Drawn
from kalam_notebook.results.frames import file_cell, to_pandas, to_polars, unsliced
from kalam_notebook.results.results import QueryResult
from kalam_notebook.wire.arguments import check_function, check_moment, check_seconds
from kalam_notebook.wire.fileref import FileHost, FileRef
from kalam_notebook.wire.types import Column

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["LiveDelta", "LiveStats", "LiveTable", "Proof"]

_NO_ITERATOR = (
    "A live table cannot be looped over.\n"
    "Type live.df(), live.polars() or live.arrow() for its rows, live.batches() for its changes."
)
_NO_QUERY = (
    "These rows come from no query that the server could narrow.\n"
    "Type live.df().query(…) for some of them, or live.pipe(lambda rows: rows.query(…)) for a live table."
)

Narrow = Callable[[str, Sequence[Any] | None, Sequence[str] | None], "LiveTable"]


class View(Protocol):
    """What shows a live table somewhere, such as in a cell."""

    def freeze(self) -> None:
        """Show the rows of now and no later ones; on return this is done."""
        ...


@short_failures
class LiveTable(Displayed):
    """The result of a query, kept equal to the server's while your cell computes.

    Made by ``kalam.live(sql)`` and complete when that returns. Changes come in two ways: as events, within
    milliseconds, and by asking the server what is true, a moment after events and every half minute, which also
    repairs what the server did not tell: it drops events, and tells nothing of rows that leave a filter. ``verify``
    asks now and returns the proof.

    ``form`` tells how it follows: ``direct`` (events are applied as they come), ``delta`` (events only ring, then the
    changed rows are fetched: for filters that the server does not evaluate for events), or ``re-run`` (any other
    query: it is run again when one of its tables has changed, at most twice a second).

    Close it when it is no longer needed; a user may have ten live queries at a time by default. All methods may be
    called from any thread.

    Args:
        followed: Keeps the rows; it is closed with the table.
        sql: The query as the reader wrote it, with ``$1`` instead of values, which do not belong into what is saved.
        bind: Namespace and name of the table that FILE cells belong to; None for no table.
        host: What fetches their files.
        narrow: Opens the live table of the same query with a condition, values and the columns that tell the rows
            apart, None to find them; None where there is no query.
    """

    def __init__(
        self,
        followed: Followed,
        *,
        sql: str,
        bind: tuple[str, str] | None = None,
        host: FileHost | None = None,
        narrow: Narrow | None = None,
    ) -> None:
        self._follower = followed
        self._sql = sql
        self._bind = bind
        self._host = host
        self._narrow = narrow
        self._callbacks = Callbacks(self, bell=followed.bell, is_over=lambda: followed.is_over)
        self._recorders: list[LiveRecorder] = []
        self._views: weakref.WeakSet[View] = weakref.WeakSet()
        self._pipes: weakref.WeakSet[LiveTable] = weakref.WeakSet()
        self._is_closed = False
        self._is_of_magic = is_below_magic.get()

    def __repr__(self) -> str:
        return f"<LiveTable {self._follower.table_name}, {self._told()}>"

    def __enter__(self) -> LiveTable:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not self._follower.is_over and not self._follower.is_forked:
            text = f"{self!r} was not closed. Call close(), or use it in a with block."
            self.close()
            if not self._follower.ends_with_another:
                warnings.warn(text, ResourceWarning, stacklevel=2, source=self)

    # What it is.

    @property
    def sql(self) -> str:
        """The query as given, with ``$1`` where it has parameters."""
        return self._sql

    @property
    def form(self) -> str:
        """How it follows the server: ``direct``, ``delta`` or ``re-run``."""
        return self._follower.form.value

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of ``arrow()``."""
        return self._follower.look(lambda rows: rows.schema)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The visible columns as the server announced them, in order."""
        return self._follower.look(lambda rows: rows.shown)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns whose values tell rows apart; ``_seq`` for STREAM tables, empty for all columns together."""
        return self._follower.key

    @property
    def is_replay(self) -> bool:
        """Whether it shows a recording (``kalam.replay``) and not a server."""
        return self._follower.is_replay

    @property
    def status(self) -> str:
        """``connecting``, ``catching up``, ``live``, ``paused``, ``reconnecting in 3 s``, or ``stopped: …``.

        A recording is ``replaying``.
        """
        return self._follower.status

    @property
    def error(self) -> KalamError | None:
        """Why it stopped; None while it follows, and when it was closed."""
        error = self._follower.error
        if error is not None and self._is_of_magic:
            error.is_of_magic = True
        return error

    @property
    def is_closed(self) -> bool:
        """Whether it was closed; a table that stopped by itself is not."""
        return self._is_closed

    @property
    def notice(self) -> str | None:
        """What the table may not show rightly, why, and what to do; None when nothing is known."""
        text = "\n".join(self._follower.notices)
        return (for_magic(text) if self._is_of_magic else text) or None

    # What it holds.

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return self._follower.num_rows

    @property
    def version(self) -> int:
        """A number that grows with each change of the rows."""
        return self._follower.look(lambda rows: rows.version)

    @property
    def stats(self) -> LiveStats:
        """Counters since the start, and when it was last proved equal to the server."""
        return self._follower.stats()

    def arrow(self) -> pa.Table:
        """Return all rows as of now, at one point in time. The table does not change afterwards."""
        return self._follower.look(lambda rows: rows.arrow())

    def df(self) -> pd.DataFrame:
        """Return all rows as of now as a DataFrame, with the types of ``kalam.query``."""
        return to_pandas(self.arrow(), bind=self._bind, host=self._host)

    def file_of(self, cell: str | None) -> FileRef | str | None:
        """Return a FILE cell of ``arrow()`` as ``df()`` has it: a reference that its file can be read from.

        Args:
            cell: The JSON text. NULL and text that is no reference are returned as they are.
        """
        return file_cell(cell, self._bind, self._host)

    def polars(self) -> pl.DataFrame:
        """Return all rows as of now as a polars frame.

        Raises:
            MissingDependencyError: polars is not installed.
        """
        return to_polars(self.arrow())

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give ``arrow()`` to any library that takes Arrow streams, for example ``polars.DataFrame(live)``."""
        return unsliced(self.arrow()).__arrow_c_stream__(requested_schema)

    def at(self, moment: dt.datetime | float) -> QueryResult:
        """Return the rows as they were at a moment, from the changes that are remembered; the server is not asked.

        Args:
            moment: A datetime, of this machine's zone when it names none, or seconds since 1970. It is compared with
                ``_at`` of ``changes()``: when a change was seen here.

        Returns:
            The rows of then, with ``arrow()``, ``df()``, ``polars()`` and ``browse()``.

        Raises:
            ConfigError: It is no moment.
            LiveError: The rows of then are not known: it is before the first reading, before the changes that are
                remembered, some ten thousand, or has not come.
        """
        return rows_at(self._follower, check_moment("moment", moment), bind=self._bind, host=self._host)

    @property
    def moments(self) -> tuple[float, ...]:
        """Since when ``at`` knows the rows, and when they changed later, in seconds since 1970, oldest first."""
        return self._follower.look(lambda rows: rows.moments)

    def delta_at(self, moment: dt.datetime | float) -> LiveDelta:
        """Return the whole table as it was at a moment, with the numbers of its rows.

        Args:
            moment: As of ``at``.

        Raises:
            ConfigError: As of ``at``.
            LiveError: As of ``at``.
        """
        return delta_at(self._follower, check_moment("moment", moment))[0]

    def delta(self, since: int) -> LiveDelta:
        """Return what changed since a version.

        Args:
            since: A former ``version``; -1 for the whole table. A version that is not known any more gives the whole
                table too.
        """
        return self._follower.look(lambda rows: rows.delta(since))

    def changes(self, *, last: int | None = None) -> pd.DataFrame:
        """Return what happened lately, a row for each change, oldest first.

        Args:
            last: How many changes; None for all that are remembered, some ten thousand.

        Returns:
            A frame with ``_change`` (``inserted``, ``updated``, ``deleted``, ``left`` for rows that do not match the
            query any more, ``expired``), ``_healed`` (whether no event had told it), ``_at``, ``_seq``, ``_changed``
            (the names of updated columns), the columns of the table after the change, and ``_old``, those before it.
        """
        return to_pandas(self._changes_since(-1, last=last).table)

    def row_changes(self, row_id: int, *, last: int | None = None) -> LiveChanges:
        """Return what happened lately to one row, oldest first, also when it is gone.

        Args:
            row_id: Its number, as ``delta`` tells it.
            last: How many changes; None for all that are remembered.
        """
        return self._changes_since(-1, last=last, row_id=row_id)

    def _changes_since(self, version: int, *, last: int | None = None, row_id: int | None = None) -> LiveChanges:
        def look(rows: Rows) -> tuple[int, list[Step], bool, pa.Schema]:
            return rows.version, *rows.steps(version), rows.schema

        now, steps, is_whole, schema = self._follower.look(look)
        return LiveChanges(now, change_table(steps, schema, last=last, row_id=row_id), is_whole)

    def _wait_for_changes(self, version: int) -> LiveChanges | None:
        """Wait until something has changed since a version; None when the table was closed."""
        while True:
            # Asked before the rows are looked at: what came until the end counts.
            seen, is_over = self._follower.bell.count, self._follower.is_over
            changes = self._changes_since(version)
            if changes.version != version:
                return changes
            if is_over:
                if self._follower.error is not None:
                    raise self._follower.error
                return None
            self._follower.bell.wait_beyond(seen)

    # The truth.

    def verify(self, *, timeout: float = 30.0) -> Proof:
        """Ask the server now whether the rows are its own; repair what is not, and return the proof.

        Args:
            timeout: Seconds to wait.

        Returns:
            The proof, which is true when the rows were proved equal to the server's; ``print`` it to see how.

        Raises:
            RequestTimeoutError: No answer in time; also a TimeoutError.
            KalamError: The table stopped, or was closed or paused.
        """
        return self._verified(timeout, reread=False)

    def refresh(self, *, timeout: float = 120.0) -> Proof:
        """Read everything anew and swap it in at once; otherwise as ``verify``.

        Args:
            timeout: Seconds it may take.

        Returns:
            The proof; see ``verify``.
        """
        return self._verified(timeout, reread=True)

    def _verified(self, timeout: float, *, reread: bool) -> Proof:
        self._check_not_paused()
        with told_when_interrupted(lambda: f"The table goes on: {self._told()}."):
            return self._follower.verify(timeout=timeout, reread=reread)

    def retry(self) -> None:
        """Try a lost connection again now, without waiting for the next attempt; does not wait for it.

        Raises:
            KalamError: The table stopped, or was closed.
        """
        self._follower.raise_if_over()
        self._follower.retry()

    def pause(self) -> None:
        """Let the rows stay as they are until ``resume``."""
        self._follower.pause()

    def resume(self) -> None:
        """Follow again; what happened in the meantime is fetched at once."""
        self._follower.resume()

    def _check_not_paused(self) -> None:
        if self._follower.is_paused:
            raise LiveError("The live table is paused. Call resume() first.")

    def record(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> LiveRecorder:
        """Write the rows and what happens to them from now on into a file, until it is closed or this table is.

        ``kalam.replay`` plays it. It is an Arrow IPC stream, so other programs read it too. A thread of its own writes:
        the table does not wait for the disk.

        Args:
            path: The file, ``x.arrows`` by custom.
            overwrite: Whether a file that is there is replaced.

        Returns:
            What ends the recording: ``close`` it, or use it in a with block.

        Raises:
            RecordingError: The file exists, or cannot be written.
            KalamError: The table stopped, or was closed.
        """
        self._follower.raise_if_over()
        recorder = LiveRecorder(self._follower, sql=self._sql, path=Path(path).expanduser(), overwrite=overwrite)
        self._recorders = [other for other in self._recorders if other.is_recording] + [recorder]
        return recorder

    # Waiting.

    def on_change(self, callback: Callable[[LiveTable], object]) -> Callable[[], None]:
        """Have a function called with this table when rows or status have changed.

        It runs on a thread of its own for this table; changes that come while it runs are told by one more call. What
        it raises is logged and shown as a warning.

        Args:
            callback: Called with this table.

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
            ConfigError: The condition is neither.
            RequestTimeoutError: Time is up; also a TimeoutError.
            KalamError: The table stopped, or was closed, before the condition held.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with told_when_interrupted(lambda: f"The table goes on: {self._told()}."):
            while (seen := self._not_yet(condition, deadline, timeout)) is not None:
                self._follower.bell.wait_beyond(seen, deadline)

    async def until(
        self,
        condition: int | Callable[[LiveTable], object],
        *,
        timeout: float | None = 30.0,  # noqa: ASYNC109 - that of wait_for.
    ) -> None:
        """Do as ``wait_for`` without blocking the event loop; otherwise as ``wait_for``."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (seen := self._not_yet(condition, deadline, timeout)) is not None:
            await call_in_thread(partial(self._follower.bell.wait_beyond, seen, deadline))

    def _told(self) -> str:
        return f"{self.num_rows:,} rows, {self.status}"

    def _not_yet(
        self, condition: int | Callable[[LiveTable], object], deadline: float | None, timeout: float | None
    ) -> int | None:
        """How often the bell has rung up to now, while a condition does not hold; None when it does."""
        if not callable(condition) and not isinstance(condition, Integral):
            raise ConfigError(f"wait_for takes a number of rows or a function of the table, not {condition!r}.")
        # Asked before the rows are looked at: what came until the end counts.
        seen = self._follower.bell.count
        is_over = self._follower.is_over or self._follower.is_forked
        if condition(self) if callable(condition) else self.num_rows >= condition:
            return None
        if is_over:
            self._follower.raise_if_over()
        if deadline is not None and time.monotonic() >= deadline:
            raise RequestTimeoutError(f"The condition did not hold within {timeout:g} s: {self._told()}.")
        return seen

    def chart(self, *, x: str, y: str | Sequence[str], kind: ChartKind = "line") -> LiveChart:
        """Return a chart of the rows; as the last expression of a cell it shows itself and follows the table.

        Args:
            x: The column from left to right: a number or a time; with bars any.
            y: The column upwards, or up to eight, which make a series each: numbers.
            kind: ``line``, ``points``, or ``bar``: a bar for each row, named by x.

        Raises:
            ConfigError: There are no such columns, or they hold nothing that can be drawn so.
        """
        drawn = Drawn(x, (y,) if isinstance(y, str) else tuple(y), kind)
        self._follower.look(lambda rows: drawn.check(rows.schema, rows.shown))
        return LiveChart(self, drawn)

    def pipe(self, make: Callable[[pd.DataFrame], object], *, every: float = 1.0) -> LiveTable:
        """Return a live table of what a function makes of this one: called anew when the rows have changed.

        It is shown, looked at and closed as any live table, and ends with this one. What the function raises is told by
        ``notice`` and on the page, and the rows stay as they were; only the first call raises here.

        Args:
            make: Called with ``df()``, in the first place here, then on a thread of its own. It returns a frame with an
                Arrow stream (pandas, polars, pyarrow); the index of a DataFrame tells its rows apart.
            every: Seconds from one call to the next, at least.

        Raises:
            ConfigError: An argument is not what it is called, or the function returns something else.
            KalamError: The table stopped, or was closed.
        """
        check_function("make", make)
        if every is None or make is None:
            raise ConfigError("pipe takes a function, and the seconds between two calls at least.")
        check_seconds("every", every)
        self._follower.raise_if_over()
        name = getattr(make, "__name__", type(make).__name__).replace("<lambda>", "the function")
        derived = Derived(self._follower, lambda: make(self.df()), name=name, every=every)
        derived.begin()
        piped = LiveTable(derived, sql=f"{name} of {self._sql}", bind=None)
        self._pipes.add(piped)
        return piped

    def where(self, condition: str, params: Sequence[Any] | None = None) -> LiveTable:
        """Start a live query of its own over the rows of this one that meet a condition, and return its live table.

        It stays when this one is closed, and is closed like any. Of a query over one table the condition may name all
        columns of the table, and it is followed row by row; of any other it names those of the result, the order of
        which is not kept. Rows behind a LIMIT are not looked at.

        Args:
            condition: What stands behind WHERE, as *as SQL* on the page writes it.
            params: Values for ``$1 …`` in the condition, as for ``kalam.live``.

        Raises:
            ConfigError: The condition is none.
            LiveError: This table was closed, or its rows come from no query: from a recording, a topic or a function.
            KalamError: As ``kalam.live``.
        """
        if self._narrow is None:
            raise LiveError(_NO_QUERY)
        if self._is_closed:
            told = f"The live table of {self._follower.table_name} was closed."
            raise LiveError(f"{told} Open its query again: kalam.live(…).where(…).")
        self._follower.raise_if_over()
        # What tells the rows of a GROUP BY apart cannot be seen from outside of it.
        key = self.key if self._follower.form is Form.RERUN else ()
        return self._narrow(condition, params, key or None)

    def batches(self) -> LiveBatches:
        """Give the changes from now on batch by batch, for ``for``, ``async for`` and ``next``."""
        return LiveBatches(self)

    def changes_async(self) -> LiveBatches:
        """Give the changes from now on batch by batch, for ``async for``: ``batches()`` for those who look here."""
        return self.batches()

    def perspective(self) -> Any:  # noqa: ANN401 - Perspective has no types.
        """Return a table of Perspective with the rows, fed by the changes until this table ends.

        Show it with ``perspective.widget.PerspectiveWidget(live.perspective())``. Its rows are told apart by the key
        where that is one column of numbers or texts, and else by a column ``_row``. Perspective holds decimals as
        doubles; what it has no type for, such as times of day, lists and bytes, comes as text.

        Raises:
            MissingDependencyError: Perspective is not installed.
            ConfigError: Several columns have one name.
        """
        return perspective_table(self)

    def __iter__(self) -> NoReturn:
        # Without it, pandas and others would fail as well, but would not say what to type.
        raise NotIterableError(_NO_ITERATOR)

    def __aiter__(self) -> NoReturn:
        raise NotIterableError(_NO_ITERATOR)

    def freeze(self) -> None:
        """Turn what cells show of it into static html and text of the rows as of now; the table itself goes on."""
        if self._follower.is_forked:
            return
        for view in list(self._views):
            view.freeze()

    def attach_view(self, view: View) -> None:
        """Have a view frozen by ``freeze`` and ``close``. It is not kept alive."""
        self._views.add(view)

    def close(self) -> None:
        """Stop following, within a second; the rows stay, and so does what cells show. May be called twice."""
        self._is_closed = True
        self._follower.close()
        for recorder in self._recorders:
            recorder.close(timeout=0.5)
        for piped in list(self._pipes):
            piped.close()
        self.freeze()
