"""The rounds of checks of one live query: when the server is asked, on whose thread, and what the answer came to.

What is asked and what an answer means is decided in ``following.keyed`` and ``following.rerunning``, when it is asked
in ``following.schedule``. Everything here but the asking itself runs on the follower's worker.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from dataclasses import replace
from functools import partial

from kalam_notebook.chance import chance
from kalam_notebook.errors import DecodeError, ProtocolError, ServerError, TransportError
from kalam_notebook.live_queries.connection.backoff import backoff
from kalam_notebook.live_queries.following.counters import Counters
from kalam_notebook.live_queries.following.engine import Engine, Job, RowSource, Verdict
from kalam_notebook.live_queries.following.hearing import Answered, Hearing
from kalam_notebook.live_queries.following.pool import Pool
from kalam_notebook.live_queries.following.schedule import Question, Rhythm, TruthSchedule
from kalam_notebook.live_queries.rows.fingerprint import Proof
from kalam_notebook.texts import first_line

__all__ = ["Rounds"]

_LOG = logging.getLogger("kalam_notebook.live")

#: What a question may fail with because the table has other columns now.
_REFUSALS = (ServerError, ProtocolError, DecodeError)


class Rounds:
    """Has the server asked, and reconciles the rows with the answers.

    Args:
        engine: Holds the rows and knows what to ask.
        lock: Guards the engine, the counters and the proof.
        counters: Count what rounds bring.
        source: Answers; its calls block.
        pool: Runs them.
        rhythm: How often the server is asked.
        hearing: Gets the answers, and tells whether anything is to be asked.

    Attributes:
        schedule: When the next round begins.
        patience: Until when the first reading is repeated, if it fails on the way.
        trouble: Why the server could not be asked; empty when it could.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        lock: threading.RLock,
        counters: Counters,
        source: RowSource,
        pool: Pool,
        rhythm: Rhythm,
        hearing: Hearing,
    ) -> None:
        self.schedule = TruthSchedule(rhythm, partial(backoff, chance), pool.budget)
        self.patience = 0.0
        self.trouble = ""
        self._engine = engine
        self._lock = lock
        self._counters = counters
        self._source = source
        self._pool = pool
        self._hearing = hearing
        # Those who want to know now, the last proof, and how many of them it is for.
        self._wishes = 0
        self._proof: Proof | None = None
        self._proved_wishes = self._proved_healed = 0

    # Wishes; from any thread.

    def wish(self, *, reread: bool) -> int:
        """Want a proof that begins from now on; return the number of the wish."""
        with self._lock:
            self._wishes += 1
            self._engine.look_closely()
            if reread or not self._engine.is_provable:
                self._engine.reread()
            return self._wishes

    def proof_for(self, wish: int) -> Proof | None:
        """The proof that somebody wished for; None while there is none."""
        with self._lock:
            return self._proof if self._proved_wishes >= wish else None

    # Asking.

    def begin(self) -> None:
        """Begin the round that is due, if one is."""
        now = time.monotonic()
        if now < self.schedule.due:
            return
        with self._lock:
            begun = Answered(self._hearing.turn, self._wishes)
            job = self._engine.next_job(self.schedule.start(now), now=now)
        self._pool.submit(partial(self._ask, begun, job))

    def _ask(self, begun: Answered, job: Job) -> None:
        """Ask, on a thread of the pool."""
        if self._hearing.is_ending:
            return
        try:
            answered = replace(begun, outcome=job.run(self._source))
        except Exception as exc:
            answered = replace(begun, error=exc)
        self._hearing.inbox.put(answered)

    # Reconciling.

    def drop(self) -> None:
        """End a round whose answer nobody wants."""
        with self._lock:
            self._engine.give_up()
        self.schedule.finish(time.monotonic(), Question.DELTA)

    def take(self, answered: Answered) -> Verdict:
        """Take an answer in; under the lock, and to be followed by ``end``."""
        is_first = self._engine.rows is None
        verdict = self._engine.finish(answered.outcome, now=time.monotonic(), at=time.time())
        self._counters.rounds += 1
        self._counters.last_seq = max(self._counters.last_seq, verdict.seq)
        if not is_first:
            self._counters.add_changes(verdict.applied)
            self._counters.healed += verdict.healed
        if verdict.is_final and Question.PROOF in verdict.asked:
            self._prove(verdict, answered.wishes)
        if verdict.is_true:
            self._hearing.catch_up(answered.turn)
        self.trouble = ""
        return verdict

    def end(self, verdict: Verdict) -> None:
        """Plan the round after one that has come to an end."""
        now = time.monotonic()
        if verdict.is_lossy:
            self.schedule.suspect(now)
        self.schedule.finish(now, verdict.asked, took=verdict.took, again=verdict.again, again_in=verdict.again_in)

    def fail(self, error: Exception) -> None:
        """End a round that could not ask, and plan another.

        Raises:
            Exception: Asking again cannot help.
        """
        now = time.monotonic()
        with self._lock:
            is_first = self._engine.rows is None
            has_other_way = self._engine.give_up()
        # Who waits for the first reading is told of its error, after a while of trying.
        is_late = is_first and now >= self.patience
        if is_late or not (_may_pass(error) or (has_other_way and isinstance(error, _REFUSALS))):
            raise error
        if has_other_way and not _may_pass(error):
            with self._lock:
                self._engine.reread()

        delay = self.schedule.fail(now)
        reason = first_line(error)
        self.trouble = f"The server could not be asked ({reason}); it is asked again."
        # The notice says it where people look; a log without handlers would write into their cells.
        name = self._engine.table_name
        _LOG.info("live query of %s could not ask the server, again in %.1f s: %s", name, delay, reason)

    def _prove(self, verdict: Verdict, wishes: int) -> None:
        at = dt.datetime.now(dt.UTC)
        if verdict.is_true:
            self._counters.verified_seq = verdict.seq
            self._counters.verified_at = at
        rows = self._engine.rows
        self._proof = Proof(
            verdict.is_true,
            verdict.how,
            rows=0 if rows is None else rows.num_rows,
            seq=verdict.seq,
            at=at,
            healed=self._counters.healed - self._proved_healed,
            server=verdict.server,
            held=verdict.held,
        )
        self._proved_wishes = wishes
        self._proved_healed = self._counters.healed


def _may_pass(error: Exception) -> bool:
    """Whether asking again may help."""
    if isinstance(error, ServerError):
        return error.status >= 500 or error.status == 429
    return isinstance(error, TransportError)
