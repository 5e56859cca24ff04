"""Keeps the rows of one live query true: applies its events, and has the server asked.

The socket's thread only puts what it hears into an inbox. One worker thread for each live query takes things out,
applies them, and begins the rounds of checks, whose questions are put on the threads of a ``Pool``; so
neither a long reading nor a slow consumer holds up anything else. What is asked and what an answer means is decided in
``following.keyed`` and ``following.rerunning``, when it is asked in ``following.schedule``.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from kalam_notebook.errors import (
    ConnectError,
    DecodeError,
    KalamError,
    LiveError,
    ProtocolError,
    RequestTimeoutError,
    ServerError,
    TransportError,
)
from kalam_notebook.live_queries.connection.backoff import backoff
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.connection.states import State, Status, first_line
from kalam_notebook.live_queries.following.counters import Counters, LiveStats
from kalam_notebook.live_queries.following.engine import Engine, Job, Rows, RowSource, Verdict
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.following.pool import Pool
from kalam_notebook.live_queries.following.schedule import BURST, ProofBudget, Question, Rhythm, TruthSchedule
from kalam_notebook.live_queries.rows.fingerprint import Proof
from kalam_notebook.live_queries.threads import Inbox
from kalam_notebook.threads import Bell, Flag, Worker
from kalam_notebook.wire.live import Change, SubscriptionAck, row_seq
from kalam_notebook.wire.seq import seq_ms

__all__ = ["SPREAD", "Follower"]

_T = TypeVar("_T")
_LOG = logging.getLogger("kalam_notebook.live")

#: Events applied at once; between two such batches, readers get their turn.
_MAX_BATCH = 5_000

#: Events that may wait, and bytes of their messages. Beyond that they are dropped, and the next check brings what they
#: told.
_MAX_WAITING = 200_000
_MAX_WAITING_BYTES = 64 * 1024 * 1024

#: Seconds that ``close`` waits for the worker.
_JOIN_TIMEOUT = 0.5

#: Seconds over which those who lost the same server have it scan their tables when it is back: in none of them more
#: than a tenth do.
SPREAD = 15.0

_SILENT = (
    "The server does not answer just now; it may be working on a long statement. The rows are those of before, and the "
    "connection is given up when it lasts."
)

#: What a question may fail with because the table has other columns now.
_REFUSALS = (ServerError, ProtocolError, DecodeError)


@dataclass(frozen=True, slots=True)
class _Established:
    """All subscriptions stand, for the first time or again."""


@dataclass(frozen=True, slots=True)
class _Woken:
    """Somebody wants to know now, what has changed or that it is all."""

    question: Question


@dataclass(frozen=True, slots=True)
class _Answered:
    """The end of a round: what its job returned, or why it failed."""

    outcome: object
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing will follow. ``error`` is None when the owner wanted it."""

    error: KalamError | None


@dataclass(frozen=True, slots=True)
class _Round:
    """A round on its way: the connection's turn, and the number of wishes, when it began."""

    turn: int
    wishes: int


class Follower:
    """The rows of one live query and the thread that keeps them.

    Args:
        engine: Holds the rows and knows what to ask.
        source: Answers; its calls block.
        pool: Runs them.
        rhythm: How often the server is asked.
        budget: Shared with the other live queries of the client.
    """

    def __init__(
        self, engine: Engine, *, source: RowSource, pool: Pool, rhythm: Rhythm, budget: ProofBudget | None = None
    ) -> None:
        self.engine = engine
        self.bell = Bell()
        self.error: KalamError | None = None
        self.is_over = False
        self.is_paused = False
        self._source = source
        self._pool = pool
        self._schedule = TruthSchedule(rhythm, partial(backoff, random.random), budget)
        self._inbox: Inbox[Change | _Established | _Woken | _Answered | _End] = Inbox()
        # Bytes of the events that were put into it and taken out: not put with each, because there are many.
        self._heard_bytes = self._taken_bytes = 0
        # Whether events were dropped since the last were taken in.
        self._was_full = False
        self._ending = Flag()
        # Until when the first reading is repeated, if it fails on the way.
        self._patience = 0.0
        self._thread = Worker(self._work, name="kalam-live-table")
        self._unsubscribe: Callable[[], None] = lambda: None
        self._socket: LiveSocket | None = None
        # Guards the engine and the numbers. The socket's thread never takes it.
        self._lock = threading.Lock()
        self._counters = Counters()
        self._proof: Proof | None = None
        self._proved_wishes = self._proved_healed = 0
        self._trouble = ""
        # The connection as the socket's thread tells it. Each loss and each return begins a turn; the rows follow the
        # server when a round that began in the present one has ended well.
        self._connection = Status(State.IDLE)
        self._turn = 0
        self._true_turn = -1
        self._established: set[int] = set()
        self._was_established = False
        self._wishes = 0
        self._round: _Round | None = None
        # In a forked child there is no worker, and the lock may be held for ever.
        self._pid = os.getpid()

    def start(self, socket: LiveSocket, *, timeout: float) -> None:
        """Subscribe, and wait until the rows have been read for the first time.

        Args:
            socket: The connection.
            timeout: Seconds until the server has to acknowledge the query, and in which a reading that fails on the way
                is repeated.

        Raises:
            ConnectError: There was no acknowledgement in time.
            KalamError: The query was refused, or the rows could not be read.
        """
        keys: list[int] = []
        self._socket = socket
        self._patience = time.monotonic() + timeout

        def unsubscribe() -> None:
            for key in keys:
                socket.unsubscribe(key)

        self._unsubscribe = unsubscribe
        for number, sql in enumerate(self.engine.subscriptions):
            keys.append(socket.subscribe(sql, _Listener(self, number)))
        self._thread.start()
        deadline: float | None = time.monotonic() + timeout
        while self.engine.rows is None:
            seen = self.bell.count
            self.raise_if_over()
            if self._was_established:
                deadline = None
            elif deadline is not None and time.monotonic() >= deadline:
                reason = self._connection.reason or self.status
                raise ConnectError(f"No live connection to {socket.url} within {timeout:g} s: {reason}.")
            if self.engine.rows is None:
                self.bell.wait_beyond(seen, deadline)

    def close(self) -> None:
        """Unsubscribe and end the thread; the rows stay. May be called twice, and from any thread."""
        if self.is_forked:
            return
        self._ending.set()
        self._unsubscribe()
        self._finish(None)
        self._inbox.put(_End(None))
        self._thread.join(_JOIN_TIMEOUT)

    # What the socket's thread tells, through a ``_Listener`` for each subscription.

    def _subscribed(self, number: int) -> None:
        self._established.add(number)
        if len(self._established) == len(self.engine.subscriptions):
            self._turn += 1
            self._was_established = True
            self._inbox.put(_Established())
            self.bell.ring()

    def _changed(self, change: Change, size: int) -> None:
        # A frame may hold a thousand times as much as it has bytes.
        unpacked = size if self._socket is None else self._socket.message_bytes
        if len(self._inbox) >= _MAX_WAITING or self._inbox.num_bytes + unpacked > _MAX_WAITING_BYTES:
            self._was_full = True
        else:
            self._heard_bytes += size
            if change.change_type == "update":
                # The new row is whole; the old values would only wait with it for the garbage collector.
                change = Change(change.subscription_id, "update", change.rows, ())
            self._inbox.put(change, unpacked)

    def _interrupted(self, number: int, reason: str) -> None:
        _LOG.info("live query of %s interrupted: %s", self.engine.table_name, reason)
        self._established.discard(number)
        self._turn += 1
        self.bell.ring()

    def _status_changed(self, status: Status) -> None:
        self._connection = status
        if status.state is not State.OPEN:
            self._established.clear()
            self._turn += 1
        self.bell.ring()

    def _stopped(self, error: KalamError | None) -> None:
        self._ending.set()
        self._inbox.put(_End(error))

    # What anybody may ask.

    @property
    def form(self) -> Form:
        """How the rows are followed."""
        return self.engine.form

    @property
    def table_name(self) -> str:
        """The tables, for people."""
        return self.engine.table_name

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart; empty for all of them."""
        return self.engine.key

    @property
    def is_replay(self) -> bool:
        """No: there is a server."""
        return False

    @property
    def status(self) -> str:
        """Where the live query is, for people."""
        if self.is_over:
            return f"stopped: {'closed' if self.error is None else first_line(self.error)}"
        if self.is_paused:
            return "paused"
        if self._connection.state is not State.OPEN or self._connection.is_silent:
            return self._connection.text(time.monotonic())
        return "live" if self._true_turn == self._turn and not self.engine.is_diverged else "catching up"

    @property
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""
        connection = self._connection
        if self.is_over or self.is_paused:
            return self.engine.notices
        if connection.state is not State.OPEN and connection.reason:
            lost = f"No connection to the server: {connection.reason.rstrip('.')}. The rows are those of before."
            return (*self.engine.notices, *self.engine.doubts, lost)
        if connection.is_silent:
            return (*self.engine.notices, *self.engine.doubts, _SILENT)
        if not self._trouble:
            return self.engine.notices
        # What the next round puts right is of interest only while there is none.
        return (*self.engine.notices, *self.engine.doubts, self._trouble)

    @property
    def num_rows(self) -> int:
        """How many rows there are; never waits."""
        return 0 if self.engine.rows is None else self.engine.rows.num_rows

    def stats(self) -> LiveStats:
        """The numbers as of now."""
        self._check_process()
        with self._lock:
            return self._counters.stats(rows=self.num_rows, now=time.monotonic())

    def look(self, view: Callable[[Rows], _T]) -> _T:
        """Return what a function makes of the rows at one point in time; only after ``start``.

        Raises:
            LiveError: This is a forked child of the process that made the live table.
        """
        self._check_process()
        with self._lock:
            assert self.engine.rows is not None
            return view(self.engine.rows)

    def verify(self, *, timeout: float, reread: bool = False) -> Proof:
        """Have the server asked now, and return what came out.

        Args:
            timeout: Seconds to wait.
            reread: Whether to read everything.

        Raises:
            RequestTimeoutError: Nothing came out in time.
            KalamError: The live query has ended.
        """
        self._check_process()
        with self._lock:
            self._wishes += 1
            wish = self._wishes
            self.engine.look_closely()
            if reread or not self.engine.is_provable:
                self.engine.reread()
        self._inbox.put(_Woken(Question.PROOF))
        deadline = time.monotonic() + timeout
        while True:
            seen = self.bell.count
            with self._lock:
                if self._proof is not None and self._proved_wishes >= wish:
                    return self._proof
            self.raise_if_over()
            if time.monotonic() >= deadline:
                reason = self._trouble or f"it is {self.status}"
                raise RequestTimeoutError(f"The live table could not be verified within {timeout:g} s: {reason}.")
            self.bell.wait_beyond(seen, deadline)

    def pause(self) -> None:
        """Let the rows stay as they are."""
        self.is_paused = True
        self.bell.ring()

    def resume(self) -> None:
        """Follow again; what was missed is brought by the next check."""
        self.is_paused = False
        self._turn += 1
        self._inbox.put(_Woken(Question.DELTA))
        self.bell.ring()

    def raise_if_over(self) -> None:
        """Raise why the live query has ended, if it has.

        Raises:
            KalamError: The reason; ``LiveError`` when it was closed, or lives in another process.
        """
        self._check_process()
        if self.is_over:
            raise self.error or LiveError(f"The live query of {self.engine.table_name} was closed.")

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
        try:
            while not isinstance(item := self._inbox.take(self._wait()), _End):
                if isinstance(item, Change):
                    self._take_in([item, *self._inbox.take_more(Change, _MAX_BATCH - 1)])
                elif isinstance(item, _Answered):
                    self._end_round(item)
                elif isinstance(item, _Established):
                    self._return()
                elif item is not None:
                    self._wish(item.question)
                self._expire()
                self._begin_round()
            error = item.error
        except KalamError as exc:
            error = exc
        except Exception as exc:
            error = LiveError(f"The live query broke in an unexpected way: {type(exc).__name__}: {exc}")
            error.__cause__ = exc
        if error is not None:
            self._unsubscribe()
        self._finish(error)

    def _wish(self, question: Question) -> None:
        now = time.monotonic()
        self._schedule.wish(now, question)
        if question is Question.DELTA:
            self._schedule.suspect(now)  # What happened during a pause was not listened to.

    def _return(self) -> None:
        """All subscriptions stand; what happened before was not told."""
        self._counters.acknowledgements += 1
        now = time.monotonic()
        if self.engine.rows is None:
            self._schedule.wish(now)
            return
        with self._lock:
            self.engine.look_closely()
        spread = random.random() * SPREAD
        self._schedule.returned(now, spread=spread, scans=self.engine.is_diverged)

    def _wait(self) -> float | None:
        """Seconds until there is something to do without anything coming in."""
        now = time.monotonic()
        due = self._schedule.due - now if self._may_ask() else math.inf
        expiry = None if self.is_paused else self.engine.expiry(now=now)
        # Rows of one moment expire one by one; half a second later is soon enough.
        wait = min(due, math.inf if expiry is None else expiry + 0.5)
        return None if wait == math.inf else max(0.0, wait)

    def _may_ask(self) -> bool:
        is_established = len(self._established) == len(self.engine.subscriptions)
        return is_established and not self.is_paused

    def _take_in(self, changes: Sequence[Change]) -> None:
        now, at = time.monotonic(), time.time()
        size = self._heard_bytes - self._taken_bytes
        self._taken_bytes += size
        if self.is_paused:
            return
        with self._lock:
            if self.is_over:
                return
            was_diverged = self.engine.is_diverged
            applied = self.engine.take_in(changes, at=at)
            self._counters.add_events(len(changes), size, now=now)
            self._counters.add_changes(applied)
            if newest := _seq_of(changes[-1]):
                self._counters.last_seq = max(self._counters.last_seq, newest)
                self._counters.lag_ms = at * 1000 - seq_ms(newest)
        # All subscriptions of a connection share one queue on the server (truth L14).
        sharing = 1 if self._socket is None else self._socket.num_subscriptions
        most = max(1, BURST // max(1, sharing))
        self._schedule.event(now, len(changes), most=most, is_urgent=bool(self.engine.doubts))
        if self.engine.is_diverged and not was_diverged:
            self._schedule.wish(now)
        if self._was_full:
            self._was_full = False
            self._schedule.suspect(now)
        if applied.total:
            self.bell.ring()

    def _expire(self) -> None:
        if self.is_paused:
            return
        with self._lock:
            applied = self.engine.expire(now=time.monotonic(), at=time.time())
            self._counters.add_changes(applied)
        if applied.total:
            self.bell.ring()

    def _begin_round(self) -> None:
        now = time.monotonic()
        if not self._may_ask() or now < self._schedule.due:
            return
        with self._lock:
            self._round = _Round(self._turn, self._wishes)
            job = self.engine.next_job(self._schedule.start(now), now=now)
        self._pool.submit(partial(self._ask, job))

    def _ask(self, job: Job) -> None:
        """Ask, on a thread of the pool."""
        if self._ending.is_set():
            return
        try:
            self._inbox.put(_Answered(job.run(self._source)))
        except Exception as exc:
            self._inbox.put(_Answered(None, exc))

    def _end_round(self, answered: _Answered) -> None:
        now = time.monotonic()
        begun, self._round = self._round, None
        assert begun is not None
        if self.is_paused and self.engine.rows is not None:
            with self._lock:
                self.engine.give_up()
            self._schedule.finish(now, Question.DELTA)
            return
        if answered.error is not None:
            self._fail(answered.error, now)
            return
        with self._lock:
            if self.is_over:
                return
            is_first = self.engine.rows is None
            verdict = self.engine.finish(answered.outcome, now=now, at=time.time())
            self._count(verdict, is_first=is_first)
            if verdict.is_true:
                self._true_turn = begun.turn
            if verdict.is_final and Question.PROOF in verdict.asked:
                self._prove(verdict, begun)
            if verdict.is_lossy:
                self._schedule.suspect(now)
            self._trouble = ""
            # Before the lock is released: who has seen the proof is not told of this round once more.
            self.bell.ring()
        self._schedule.finish(now, verdict.asked, took=verdict.took, again=verdict.again, again_in=verdict.again_in)

    def _fail(self, error: Exception, now: float) -> None:
        with self._lock:
            is_first = self.engine.rows is None
            has_other_way = self.engine.give_up()
        # Who waits for the first reading is told of its error, after a while of trying.
        is_late = is_first and now >= self._patience
        if is_late or not (_may_pass(error) or (has_other_way and isinstance(error, _REFUSALS))):
            raise error
        if has_other_way and not _may_pass(error):
            with self._lock:
                self.engine.reread()
        delay = self._schedule.fail(now)
        self._trouble = f"The server could not be asked ({first_line(error)}); it is asked again."
        name, reason = self.engine.table_name, first_line(error)
        # The notice says it where people look; a log without handlers would write into their cells.
        _LOG.info("live query of %s could not ask the server, again in %.1f s: %s", name, delay, reason)
        self.bell.ring()

    def _count(self, verdict: Verdict, *, is_first: bool) -> None:
        self._counters.rounds += 1
        self._counters.last_seq = max(self._counters.last_seq, verdict.seq)
        if not is_first:
            self._counters.add_changes(verdict.applied)
            self._counters.healed += verdict.healed

    def _prove(self, verdict: Verdict, begun: _Round) -> None:
        at = dt.datetime.now(dt.UTC)
        if verdict.is_true:
            self._counters.verified_seq, self._counters.verified_at = verdict.seq, at
        self._proof = Proof(
            verdict.is_true,
            verdict.how,
            rows=self.num_rows,
            seq=verdict.seq,
            at=at,
            healed=self._counters.healed - self._proved_healed,
            server=verdict.server,
            held=verdict.held,
        )
        self._proved_wishes, self._proved_healed = begun.wishes, self._counters.healed

    def _finish(self, error: KalamError | None) -> None:
        """End once; what comes first is the reason."""
        with self._lock:
            if not self.is_over:
                self.error = error
                self.is_over = True
        self.bell.ring()


class _Listener:
    """Hears one subscription of a follower."""

    def __init__(self, follower: Follower, number: int) -> None:
        self._follower = follower
        self._number = number

    def subscribed(self, ack: SubscriptionAck) -> None:
        """See ``Listener``."""
        self._follower._subscribed(self._number)

    def changed(self, change: Change, size: int) -> None:
        """See ``Listener``."""
        self._follower._changed(change, size)

    def interrupted(self, reason: str) -> None:
        """See ``Listener``."""
        self._follower._interrupted(self._number, reason)

    def status_changed(self, status: Status) -> None:
        """See ``Listener``."""
        self._follower._status_changed(status)

    def stopped(self, error: KalamError | None) -> None:
        """See ``Listener``."""
        self._follower._stopped(error)


def _may_pass(error: Exception) -> bool:
    """Whether asking again may help."""
    if isinstance(error, ServerError):
        return error.status >= 500 or error.status == 429
    return isinstance(error, TransportError)


def _seq_of(change: Change) -> int:
    """The greatest ``_seq`` of an event; 0 when there is none that can be read."""
    try:
        return max((row_seq(row) or 0 for row in (*change.rows, *change.old_values)), default=0)
    except ProtocolError:
        return 0
