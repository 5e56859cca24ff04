"""Keeps the rows of one live query: reads them over HTTP, applies events, reads again after each reconnect.

The socket's thread only puts what it hears into an inbox; one worker thread for each live table reads and applies, so
that neither a long reading nor a slow consumer holds up the socket. What an event means is decided in ``live.store``.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from kalam_notebook.errors import ConnectError, KalamError, LiveError
from kalam_notebook.live.counters import Counters
from kalam_notebook.live.plan import DOUBTFUL_DECIMALS, OTHER_COLUMNS, TablePlan, plan_table
from kalam_notebook.live.query import LiveQuery
from kalam_notebook.live.states import State, Status, first_line
from kalam_notebook.live.store import KeyedStore
from kalam_notebook.transport.rereading import read_patiently
from kalam_notebook.transport.socket import LiveSocket
from kalam_notebook.transport.threads import Bell, Inbox
from kalam_notebook.wire.live import Change, SubscriptionAck

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Follower"]

_T = TypeVar("_T")
_LOG = logging.getLogger("kalam_notebook.live")

#: Events applied at once; between two such batches, readers get their turn.
_MAX_BATCH = 5_000

#: Events that may wait. Beyond that they are dropped, and the rows are read again instead.
_MAX_WAITING = 200_000

#: Seconds that ``close`` waits for the worker, which may be in the middle of a reading.
_JOIN_TIMEOUT = 0.5


@dataclass(frozen=True, slots=True)
class _Established:
    """An acknowledgement, and the turn of the connection that it belongs to."""

    ack: SubscriptionAck
    turn: int


@dataclass(frozen=True, slots=True)
class _End:
    """No event will follow. ``error`` is None when the owner wanted it."""

    error: KalamError | None


class Follower:
    """The rows of one live query and the thread that keeps them.

    Args:
        query: The live query.
        read: Reads all rows of a SELECT at one point in time; blocks.
        table_kind: Tells ``user``, ``shared`` or ``stream`` for ``namespace.table``; blocks.
        max_rows: How many rows are kept; None for all.
    """

    def __init__(
        self,
        query: LiveQuery,
        *,
        read: Callable[[str], pa.Table],
        table_kind: Callable[[str], str],
        max_rows: int | None,
    ) -> None:
        self.query = query
        self.bell = Bell()
        self.counters = Counters()
        self.error: KalamError | None = None
        self.is_over = False
        self._read = read
        self._table_kind = table_kind
        self._kind = ""
        self._max_rows = max_rows
        self._inbox: Inbox[Change | _Established | _End] = Inbox()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kalam-live-table", daemon=True)
        self._unsubscribe: Callable[[], None] | None = None
        # Guards the store. The socket's thread never takes it.
        self._lock = threading.Lock()
        self._store: KeyedStore | None = None
        self._plan: TablePlan | None = None
        self._has_other_columns = False
        # The connection as the socket's thread tells it. Each loss and each return begins a turn; the rows follow the
        # server when they were read in the present one.
        self._connection = Status(State.IDLE)
        self._turn = 0
        self._read_in_turn = -1
        self._acknowledgements = 0
        self._is_overflowing = False
        # In a forked child there is no worker, and the lock may be held for ever.
        self._pid = os.getpid()

    def start(self, socket: LiveSocket, *, timeout: float) -> None:
        """Subscribe, and wait until the rows have been read for the first time.

        Args:
            socket: The connection.
            timeout: Seconds until the server has to acknowledge the query; the reading has its own.

        Raises:
            ConnectError: There was no acknowledgement in time.
            KalamError: The query was refused, or the rows could not be read.
        """
        key = socket.subscribe(self.query.subscription_sql(), self)
        self._unsubscribe = lambda: socket.unsubscribe(key)
        self._thread.start()
        deadline: float | None = time.monotonic() + timeout
        while self._store is None:
            seen = self.bell.count
            self.raise_if_over()
            if self._acknowledgements:
                deadline = None
            elif deadline is not None and time.monotonic() >= deadline:
                reason = self._connection.reason or self.status
                raise ConnectError(f"No live connection to {socket.url} within {timeout:g} s: {reason}.")
            if self._store is None:
                self.bell.wait_beyond(seen, deadline)

    def close(self) -> None:
        """Unsubscribe and end the thread; the rows stay. May be called twice, and from any thread."""
        if self.is_forked:
            return
        self._ending.set()
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._finish(None)
        self._inbox.put(_End(None))
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_JOIN_TIMEOUT)

    # What the socket's thread tells.

    def subscribed(self, ack: SubscriptionAck) -> None:
        """Events come from here on: the rows have to be read."""
        self._turn += 1
        self._acknowledgements += 1
        self._inbox.put(_Established(ack, self._turn))
        self.bell.ring()

    def changed(self, change: Change) -> None:
        """A row changed."""
        if len(self._inbox) < _MAX_WAITING:
            self._inbox.put(change)
        elif not self._is_overflowing:
            self._is_overflowing = True
            self.bell.ring()

    def interrupted(self, reason: str) -> None:
        """No events come for now."""
        _LOG.info("live query of %s interrupted: %s", self.query.table_name, reason)
        self._turn += 1
        self.bell.ring()

    def status_changed(self, status: Status) -> None:
        """The connection is somewhere else."""
        self._connection = status
        if status.state is not State.OPEN:
            self._turn += 1
        self.bell.ring()

    def stopped(self, error: KalamError | None) -> None:
        """The live query has ended."""
        self._ending.set()
        self._inbox.put(_End(error))

    # What anybody may ask.

    @property
    def status(self) -> str:
        """Where the live query is, for people."""
        if self.is_over:
            return f"stopped: {'closed' if self.error is None else first_line(self.error)}"
        if self._connection.state is not State.OPEN:
            return self._connection.text(time.monotonic())
        follows = self._read_in_turn == self._turn and not self._is_overflowing
        return "live" if follows else "catching up"

    @property
    def reconnects(self) -> int:
        """How often the live query was established again."""
        return max(0, self._acknowledgements - 1)

    @property
    def num_rows(self) -> int:
        """How many rows there are; never waits."""
        return 0 if self._store is None else self._store.num_rows

    @property
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""
        notices = () if self._plan is None else self._plan.notices
        if self._store is not None and self._store.has_doubtful_decimals:
            notices += (DOUBTFUL_DECIMALS,)
        return (*notices, OTHER_COLUMNS) if self._has_other_columns else notices

    def look(self, view: Callable[[KeyedStore, TablePlan], _T]) -> _T:
        """Return what a function makes of the rows at one point in time; only after ``start``.

        Raises:
            LiveError: This is a forked child of the process that made the live table.
        """
        self._check_process()
        with self._lock:
            assert self._store is not None
            assert self._plan is not None
            return view(self._store, self._plan)

    def raise_if_over(self) -> None:
        """Raise why the live query has ended, if it has.

        Raises:
            KalamError: The reason; ``LiveError`` when it was closed, or lives in another process.
        """
        self._check_process()
        if self.is_over:
            raise self.error or LiveError(f"The live query of {self.query.table_name} was closed.")

    @property
    def is_forked(self) -> bool:
        """Whether this is a forked child of the process that made it."""
        return os.getpid() != self._pid

    def _check_process(self) -> None:
        if self.is_forked:
            raise LiveError("This live table belongs to the process that forked this one. Make a new one here.")

    # The worker.

    def _work(self) -> None:
        error: KalamError | None = None
        established: _Established | None = None
        try:
            while True:
                item = self._inbox.take()
                match item:
                    case _End():
                        error = item.error
                        break
                    case _Established():
                        established = item
                        self._catch_up(item)
                    case Change():
                        self._take_in([item, *self._inbox.take_more(Change, _MAX_BATCH - 1)])
                if self._is_overflowing and established is not None:
                    # Whatever is dropped from here on is newer than the reading, and asks for another one.
                    self._is_overflowing = False
                    self._catch_up(established)
        except KalamError as exc:
            error = exc
        except Exception as exc:
            error = LiveError(f"The live query broke in an unexpected way: {type(exc).__name__}: {exc}")
            error.__cause__ = exc
        if error is not None and self._unsubscribe is not None:
            self._unsubscribe()
        self._finish(error)

    def _finish(self, error: KalamError | None) -> None:
        """End once; what comes first is the reason."""
        with self._lock:
            if not self.is_over:
                self.error = error
                self.is_over = True
        self.bell.ring()

    def _catch_up(self, established: _Established) -> None:
        """Read all rows and take in the events that came meanwhile, in one step for those who look."""
        self._kind = self._kind or self._table_kind(self.query.table_name)
        plan = plan_table(self.query, established.ack.columns, kind=self._kind)
        sql = self.query.read_sql(plan.columns)
        rows = self._read(sql) if self._store is None else read_patiently(self._read, sql, self._ending)
        if rows is None:
            return
        with self._lock:
            if self.is_over:
                return
            store = self._store_for(plan)
            store.load(rows)
            self._store, self._plan, self._has_other_columns = store, plan, False
            self._apply(store, self._inbox.take_more(Change, _MAX_WAITING))
            self._read_in_turn = established.turn
        self.bell.ring()

    def _store_for(self, plan: TablePlan) -> KeyedStore:
        """The present store, or an empty one that goes on counting when the columns are others."""
        old = self._store
        if old is not None and (old.columns, old.key) == (plan.columns, plan.key):
            return old
        return KeyedStore(
            plan.columns,
            key=plan.key,
            visible=plan.visible,
            max_rows=self._max_rows,
            version=0 if old is None else old.version,
            next_row_id=0 if old is None else old.next_row_id,
        )

    def _take_in(self, changes: Sequence[Change]) -> None:
        with self._lock:
            if self.is_over or self._store is None:
                return
            self._apply(self._store, changes)
        self.bell.ring()

    def _apply(self, store: KeyedStore, changes: Sequence[Change]) -> None:
        self.counters = self.counters.add(len(changes), store.apply(changes))
        newest = next((change for change in reversed(changes) if change.change_type == "insert"), None)
        # Inserts have all columns; ALTER TABLE sends no message (live reference, section 6.8).
        if newest is not None and self._plan is not None and newest.rows[0].keys() != self._plan.row_names:
            self._has_other_columns = True
