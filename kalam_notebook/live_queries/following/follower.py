"""Keeps the rows of one live query true: one worker thread applies its events and begins the rounds of checks.

The socket's thread only puts what it hears into an inbox (``following.hearing``), and the questions of the rounds are
put on the threads of a ``Pool`` (``following.rounds``); so neither a long reading nor a slow consumer holds up anything
else.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence

from kalam_notebook.chance import chance
from kalam_notebook.errors import ConnectError, KalamError, LiveError, ProtocolError, RequestTimeoutError
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.connection.states import State
from kalam_notebook.live_queries.following.engine import Engine, RowSource
from kalam_notebook.live_queries.following.followed import Followed
from kalam_notebook.live_queries.following.hearing import Answered, Ended, Established, Hearing, Woken
from kalam_notebook.live_queries.following.phases import Phase
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.following.pool import Pool
from kalam_notebook.live_queries.following.rounds import Rounds
from kalam_notebook.live_queries.following.schedule import BURST, Question, Rhythm
from kalam_notebook.live_queries.rows.fingerprint import Proof
from kalam_notebook.live_queries.rows.held import Rows
from kalam_notebook.threads import Worker
from kalam_notebook.wire.live import Change, row_seq, written_ms
from kalam_notebook.wire.row_version import tells_gaps

__all__ = ["SPREAD", "Follower"]

#: Events applied at once; between two such batches, readers get their turn.
_MAX_BATCH = 5_000

#: Seconds that ``close`` waits for the worker.
_JOIN_TIMEOUT = 0.5

#: Seconds over which those who lost the same server have it scan their tables when it is back: in none of them more
#: than a tenth do.
SPREAD = 15.0

_SILENT = (
    "The server does not answer just now; it may be working on a long statement. The rows are those of before, and the "
    "connection is given up when it lasts."
)


class Follower(Followed):
    """The rows of one live query and the thread that keeps them.

    Args:
        engine: Holds the rows and knows what to ask.
        source: Answers; its calls block.
        pool: Runs them, and says what the proofs of all live queries of the client may cost.
        rhythm: How often the server is asked.
    """

    forked = "This live table belongs to the process that forked this one. Make a new one here."

    def __init__(self, engine: Engine, *, source: RowSource, pool: Pool, rhythm: Rhythm) -> None:
        super().__init__()
        self.engine = engine
        self._hearing = Hearing(engine.table_name, bell=self.bell)
        self._rounds = Rounds(
            engine,
            lock=self._lock,
            counters=self._counters,
            source=source,
            pool=pool,
            rhythm=rhythm,
            hearing=self._hearing,
        )
        self._thread = Worker(self._work, name="kalam-live-table")

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
        hearing = self._hearing
        deadline = self._rounds.patience = time.monotonic() + timeout
        hearing.subscribe(socket, self.engine.subscriptions)
        self._thread.start()
        while True:
            seen = self.bell.count
            if self.engine.rows is not None:
                return
            self.raise_if_over()
            is_beginning = hearing.phase is Phase.BEGINNING
            if is_beginning and time.monotonic() >= deadline:
                reason = hearing.connection.reason or self.status
                raise ConnectError(f"No live connection to {socket.url} within {timeout:g} s: {reason}.")
            self.bell.wait_beyond(seen, deadline if is_beginning else None)

    def close(self) -> None:
        """Unsubscribe and end the thread; the rows stay. May be called twice, and from any thread."""
        if self.is_forked:
            return
        # Before anything that an interrupt may leave out: the thread does the rest as well.
        self._hearing.stop(None)
        self._hearing.unsubscribe()
        self._end(None)
        self._thread.join(_JOIN_TIMEOUT)

    # What anybody may ask.

    @property
    def rows(self) -> Rows | None:
        """The rows; None before the first round."""
        return self.engine.rows

    @property
    def form(self) -> Form:
        """How the rows are followed."""
        return self.engine.form

    @property
    def table_name(self) -> str:
        """The tables, for people."""
        return self.engine.table_name

    @property
    def row_version(self) -> str:
        """The column that holds the version of a row; empty where there is none."""
        return "" if self.engine.version is None else self.engine.version.name

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart; empty for all of them."""
        return self.engine.key

    @property
    def is_paused(self) -> bool:
        """Whether the rows are kept as they are."""
        return self._hearing.phase is Phase.PAUSED

    @property
    def _progress(self) -> str:
        connection = self._hearing.connection
        if connection.state is not State.OPEN or connection.is_silent:
            return connection.text(time.monotonic())
        return "live" if self._hearing.phase is Phase.LIVE and not self.engine.is_diverged else "catching up"

    @property
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""
        connection, trouble = self._hearing.connection, self._rounds.trouble
        if self.is_over or self.is_paused:
            return self.engine.notices
        if connection.state is not State.OPEN and connection.reason:
            trouble = f"No connection to the server: {connection.reason.rstrip('.')}. The rows are those of before."
        elif connection.is_silent:
            trouble = _SILENT
        # What the next round puts right is of interest only while there is none.
        return (*self.engine.notices, *self.engine.doubts, trouble) if trouble else self.engine.notices

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
        wish = self._rounds.wish(reread=reread)
        self._hearing.inbox.put(Woken(Question.PROOF))
        deadline = time.monotonic() + timeout
        while True:
            seen = self.bell.count
            if (proof := self._rounds.proof_for(wish)) is not None:
                return proof
            self.raise_if_over()
            if time.monotonic() >= deadline:
                reason = self._rounds.trouble or f"it is {self.status}"
                raise RequestTimeoutError(f"The live table could not be verified within {timeout:g} s: {reason}.")
            self.bell.wait_beyond(seen, deadline)

    def retry(self) -> None:
        """While waiting to try the connection again, try at once."""
        self._hearing.retry()

    def pause(self) -> None:
        """Let the rows stay as they are."""
        self._hearing.pause()

    def resume(self) -> None:
        """Follow again; what was missed is brought by the next check."""
        self._hearing.resume()
        self._hearing.inbox.put(Woken(Question.DELTA))

    @property
    def _end_text(self) -> str:
        return f"The live query of {self.engine.table_name} was closed."

    # The worker.

    def _work(self) -> None:
        error: KalamError | None
        try:
            error = self._follow()
        except KalamError as exc:
            error = exc
        except Exception as exc:
            error = LiveError(f"The live query broke in an unexpected way: {type(exc).__name__}: {exc}")
            error.__cause__ = exc
        self._hearing.unsubscribe()
        self._end(error)

    def _follow(self) -> KalamError | None:
        """Do what comes, until the end; return its reason."""
        inbox = self._hearing.inbox
        while not isinstance(item := inbox.take(self._wait()), Ended):
            match item:
                case Change():
                    self._take_in([item, *inbox.take_more(Change, _MAX_BATCH - 1)])
                case Answered():
                    self._end_round(item)
                case Established():
                    self._return(item)
                case Woken():
                    self._wish(item.question)
            self._expire()
            if self._may_ask:
                self._rounds.begin()
        return item.error

    def _wait(self) -> float | None:
        """Seconds until there is something to do without anything coming in."""
        now = time.monotonic()
        due = self._rounds.schedule.due - now if self._may_ask else math.inf
        expiry = None if self.is_paused else self.engine.expiry(now=now)
        # Rows of one moment expire one by one; half a second later is soon enough.
        wait = min(due, math.inf if expiry is None else expiry + 0.5)
        return None if wait == math.inf else max(0.0, wait)

    @property
    def _may_ask(self) -> bool:
        return self._hearing.is_established and not self.is_paused

    def _wish(self, question: Question) -> None:
        now = time.monotonic()
        self._rounds.schedule.wish(now, question)
        if question is Question.DELTA:
            self._rounds.schedule.suspect(now)  # What happened during a pause was not listened to.

    def _return(self, established: Established) -> None:
        """All subscriptions stand; what happened before was not told."""
        now = time.monotonic()
        self.engine.told.miss()
        with self._lock:
            self.engine.belongs_to(established.domain)

        if established.is_gap:
            # The connection stands, and what was dropped is all that is missing. A delta brings it but for deletes that
            # leave no trace: of STREAM rows, and of rows that have been flushed since.
            self._counters.gaps += 1
            self._rounds.schedule.wish(now, Question.DELTA)
            self._rounds.schedule.suspect(now)
            return

        self._counters.acknowledgements += 1
        if self.engine.rows is None:
            self._rounds.schedule.wish(now)
            return
        with self._lock:
            self.engine.look_closely()
        self._rounds.schedule.returned(now, spread=chance() * SPREAD, scans=self.engine.is_diverged)

    def _take_in(self, changes: Sequence[Change]) -> None:
        now, at = time.monotonic(), time.time()
        size = self._hearing.take_bytes()
        if self.is_paused:
            self.engine.told.miss()
            return
        with self._lock:
            if self.is_over:
                return
            if self._hearing.was_full:
                self.engine.told.miss()
            was_diverged = self.engine.is_diverged
            applied = self.engine.take_in(changes, at=at)
            self._counters.add_events(len(changes), size, now=now)
            self._counters.add_changes(applied)
            if newest := _seq_of(changes[-1]):
                self._counters.last_seq = max(self._counters.last_seq, newest)
                written = _written_ms(changes[-1])
                self._counters.lag_ms = None if written is None else at * 1000 - written

        schedule = self._rounds.schedule
        most = max(1, BURST // self._hearing.num_sharing)
        if tells_gaps(self.engine.version):
            most = sys.maxsize
        schedule.event(now, len(changes), most=most, is_urgent=bool(self.engine.doubts))
        if self.engine.is_diverged and not was_diverged:
            schedule.wish(now)
        if self._hearing.was_full:
            self._hearing.was_full = False
            self.engine.told.miss()
            schedule.suspect(now)

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

    def _end_round(self, answered: Answered) -> None:
        if self.is_paused and self.engine.rows is not None:
            self._rounds.drop()
            return
        if answered.error is not None:
            self._rounds.fail(answered.error)
            self.bell.ring()
            return
        with self._lock:
            if self.is_over:
                return
            verdict = self._rounds.take(answered)
            # Before the lock is released: who has seen the proof is not told of this round once more.
            self.bell.ring()
        self._rounds.end(verdict)


def _seq_of(change: Change) -> int:
    """The greatest version of an event; 0 when there is none that can be read."""
    try:
        return max((row_seq(row) or 0 for row in (*change.rows, *change.old_values)), default=0)
    except ProtocolError:
        return 0


def _written_ms(change: Change) -> int | None:
    """When what an event tells was written, where that is known."""
    try:
        return written_ms((*change.rows, *change.old_values)[0])
    except ProtocolError:
        return None
