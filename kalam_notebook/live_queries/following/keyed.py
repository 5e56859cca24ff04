"""The engine of a live query over one table: events and deltas into one keyed store, and a whole reading in need.

A round asks for what changed since a version (truth R4); a proof asks for a fingerprint as well (R5). When the rows
that are held, changed as the delta says, have the same fingerprint, they are those of the server. When not, the round
is repeated with a longer look back, and then the table is read whole and swapped in at once; that brings a fingerprint
of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kalam_notebook.errors import DecodeError, ProtocolError
from kalam_notebook.live_queries.following.clock import Expiry
from kalam_notebook.live_queries.following.engine import TIME_INTERVAL, Engine, Job, Verdict
from kalam_notebook.live_queries.following.jobs import DeltaJob, Deltas, ReadJob, seqs_of
from kalam_notebook.live_queries.following.plan import Form, Reading, TableInfo, TablePlan, plan_table
from kalam_notebook.live_queries.following.query import LiveQuery
from kalam_notebook.live_queries.following.reach import Agreement, Looks, Reach
from kalam_notebook.live_queries.following.schedule import Question
from kalam_notebook.live_queries.following.told import Told
from kalam_notebook.live_queries.rows.fingerprint import Delta, DeltaQuestion, Fingerprint, fingerprint_of
from kalam_notebook.live_queries.rows.history import Applied
from kalam_notebook.live_queries.rows.store import KeyedStore
from kalam_notebook.sql.live_filter import is_volatile
from kalam_notebook.wire.live import Change
from kalam_notebook.wire.row_version import RowVersion, tells_gaps

__all__ = ["KeyedEngine"]

_LOG = logging.getLogger("kalam_notebook.live")

#: Seconds until everything is read again when much is written in the moments after it was read.
_PAUSE = 1.0

#: An event is on its way for so many milliseconds at most, as long as none is lost.
_ON_ITS_WAY_MS = 1_000

#: Events that are kept while a whole reading is on its way. Beyond them the next delta brings what they told.
_MAX_MEANWHILE = 50_000

_DOUBTFUL_DECIMALS = (
    "Decimals between 0 and 1 that came by event may be negative: the server's events leave out the sign of values "
    "between -1 and 0."
)
_DOUBTFUL_NULLS = "NULL in a FLOAT or DOUBLE that came by event may be NaN or infinite: the server sends NULL for them."


class KeyedEngine(Engine):
    """The rows of a live query over one table.

    Args:
        query: The query.
        info: Its table, as it is now.
        max_rows: How many rows are kept; None for all.

    Raises:
        SubscriptionError: A column does not exist, or rows cannot be told apart.
    """

    def __init__(self, query: LiveQuery, info: TableInfo, *, max_rows: int | None) -> None:
        self._query = query
        self._max_rows = max_rows
        self._again_in = TIME_INTERVAL if is_volatile(query.filter_tokens) else None
        self._plan = plan_table(query, info)
        self.told = Told()
        self._store: KeyedStore | None = None
        self.form: Form = self._plan.form
        self.table_name = query.table_name
        self.subscriptions: tuple[str, ...] = (self._plan.subscription,)
        self._must_read = True
        self._domain: Mapping[str, Any] | None = None
        self._is_beyond = False
        self._doubt = ""
        self._reach = Reach()
        self._agreement = Agreement()
        self._looks = Looks()
        # Events that came since a whole reading began; None while none is on its way.
        self._meanwhile: list[Change] | None = None
        self._expiry = Expiry()

    @property
    def rows(self) -> KeyedStore | None:
        """The rows; None before the first round."""
        return self._store

    @property
    def key(self) -> tuple[str, ...]:
        """The column that tells rows apart."""
        return (self._plan.key,)

    @property
    def is_diverged(self) -> bool:
        """Whether the rows are known not to be those of the server."""
        return self._must_read or self._agreement.mismatches > 0

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the next round will put right, in sentences."""
        if self._store is None or not self._store.has_doubtful_cells:
            return ()
        return (_DOUBTFUL_NULLS,) if self._plan.doubts.nulls else (_DOUBTFUL_DECIMALS,)

    @property
    def is_provable(self) -> bool:
        """Whether a delta can prove that the rows are the server's; beyond the scan window only a reading can."""
        return not self._is_beyond

    @property
    def version(self) -> RowVersion:
        """The row version of the table."""
        return self._plan.version

    @property
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""
        notices = [f"The rows are {self._doubt}."] if self._doubt else []
        if self._plan.hidden and self._store is not None and not self._store.num_rows:
            notices.append(self._plan.hidden)
        if self._is_beyond:
            proof = "by the number of rows only" if not self._plan.filter_sql else "by reading it whole only"
            notices.append(
                f"{self.table_name} holds more unflushed row versions than one scan of the server reads, so this table "
                f"can be compared with it {proof}. STORAGE FLUSH TABLE {self.table_name} (needs dba) ends that."
            )
        if self._agreement.is_hopeless:
            notices.append(
                f"The server's fingerprint of {self.table_name} does not agree with the rows that it gives. The rows "
                "are read again from time to time; see live.verify()."
            )
        return tuple(notices)

    def look_closely(self) -> None:
        """Look at the columns with the next delta; read everything where a delta proves nothing."""
        self._looks.need()
        self._must_read = self._must_read or (self._is_beyond and bool(self._plan.filter_sql))

    def belongs_to(self, domain: Mapping[str, Any] | None) -> None:
        """Read everything where the versions are those of another table: equal ones mean nothing then."""
        self._must_read = self._must_read or self._domain not in (None, domain)
        self._domain = domain

    # Events.

    def take_in(self, changes: Sequence[Change], *, at: float) -> Applied:
        """Apply events; where they only ring, there is nothing to apply."""
        if self.form is not Form.DIRECT:
            return Applied()
        if self._meanwhile is not None and len(self._meanwhile) < _MAX_MEANWHILE:
            self._meanwhile += changes
        if self._store is None:
            return Applied()
        # Inserts have all columns; ALTER TABLE sends no message (protocol/live.md#ddl).
        newest = next((change for change in reversed(changes) if change.change_type == "insert"), None)
        if newest is not None and newest.rows[0].keys() != self._plan.row_names:
            self._must_read = True
        try:
            applied = self._store.apply(changes, at=at)
        except (DecodeError, ProtocolError) as exc:
            # A column of another type now, or a damaged event: what it told is read over HTTP.
            _LOG.info("events of %s could not be read, its rows are read again: %s", self.table_name, exc)
            self._must_read = True
            return Applied()

        if tells_gaps(self._plan.version) and self.told.is_whole and not self.doubts:
            # Versions come in order, so the next delta begins behind what events have told.
            self._reach.reach([self._store.last_seq])
        return applied

    # Checks.

    def reread(self) -> None:
        """Have the next round read everything."""
        self._must_read = True

    def next_job(self, question: Question, *, now: float) -> Job:
        """Begin a round."""
        self.told.ask()
        if self._must_read or self._store is None:
            self._meanwhile = []
            return ReadJob(self._query, self._max_rows)

        floor = max(self._store.floor, self._expiry.compared_from(self._store, self._plan, now))
        self._store.ask(floor)

        self._looks.ask(now)
        proves = question is Question.PROOF
        ask = DeltaQuestion(
            after=self._reach.after(self._plan.version, is_long=self._agreement.mismatches > 0),
            floor=floor,
            proves=proves,
            counts=proves and self._is_beyond and not self._plan.filter_sql,
        )
        return DeltaJob(self._plan, ask, self._is_beyond, self._looks.has_looked, self._looks.is_careful)

    def give_up(self) -> bool:
        """End a round whose job failed: after a delta, the table may have other columns, and is read whole."""
        was_delta = self._meanwhile is None
        self._meanwhile = None
        if self._store is not None:
            self._store.answered()
        return was_delta

    def finish(self, outcome: object, *, now: float, at: float) -> Verdict:
        """End a round with what its job returned."""
        if isinstance(outcome, Deltas):
            return self._finish_delta(outcome, now=now, at=at)
        assert isinstance(outcome, tuple)
        return self._finish_reading(*outcome, now=now, at=at)

    def _finish_reading(self, plan: TablePlan, reading: Reading, *, now: float, at: float) -> Verdict:
        self._expiry.clock.set(reading.now_ms, now)
        store = self._store_for(plan)
        # The same rows with other columns are no changes.
        healed = store is self._store and self.form is Form.DIRECT
        applied = store.load(reading.rows, newest=reading.newest, at=at, healed=healed)
        if store is not self._store:
            applied = Applied()
        self._plan = plan
        self._store = store

        meanwhile, self._meanwhile = self._meanwhile, None
        self._must_read = False
        self._is_beyond = reading.is_beyond
        self._doubt = reading.doubt
        self._reach.begin(reading.newest)
        self._looks.look(now)
        self.told.answer()
        since = self.take_in(meanwhile, at=at) if meanwhile else Applied()

        told = Verdict(
            Question.PROOF,
            True,
            is_final=True,
            how=f"read whole by {plan.version.name}" if reading.is_beyond else "read whole in one statement",
            seq=reading.newest,
            applied=applied,
            healed=applied.total if healed else 0,
        )
        # What events have changed since it began was not compared: a row may be back whose delete was dropped.
        if reading.fingerprint is not None and not since.total and not self._agreement.mismatches:
            held = fingerprint_of(reading.rows.column(plan.version.name).to_numpy())
            if held.agrees(reading.fingerprint):
                how = f"read whole in one statement, with the same fingerprint of the rows' {plan.version.name}"
                return self._as_usual(replace(told, how=how, server=reading.fingerprint, held=held))

        # A delta follows that proves it, at once, where one can.
        if reading.is_beyond and plan.filter_sql:
            return told
        return replace(told, is_final=False, again=Question.PROOF)

    def _as_usual(self, told: Verdict) -> Verdict:
        """Say when the next round follows one that is true."""
        if self._again_in is None:
            return told
        return replace(told, again=Question.PROOF, again_in=self._again_in)

    def _store_for(self, plan: TablePlan) -> KeyedStore:
        """The present store, or an empty one that goes on counting when the columns are others."""
        old = self._store
        if old is not None and (old.columns, old.key, plan.visible) == (plan.columns, plan.key, self._plan.visible):
            old.doubts = plan.doubts
            return old
        return KeyedStore(
            plan.columns,
            key=plan.key,
            visible=plan.visible,
            max_rows=self._max_rows,
            doubts=plan.doubts,
            version=0 if old is None else old.version,
            next_row_id=0 if old is None else old.next_row_id,
        )

    def _finish_delta(self, found: Deltas, *, now: float, at: float) -> Verdict:
        store, before = self._store, self._reach.told
        assert store is not None
        applied = Applied()
        server: Fingerprint | None = None
        held: Fingerprint | None = None
        counted: int | None = None
        is_lossy = False

        for delta in found.deltas:
            self._expiry.clock.set(delta.now_ms, now)
            is_lossy = is_lossy or self._is_lossy(delta)
            healed = self.form is Form.DIRECT
            more, held = store.answer(delta, after=found.ask.floor, at=at, healed=healed)
            applied += more
            self._reach.reach(seqs_of(delta))
            server, counted = delta.fingerprint, delta.counted

        store.answered()
        told = Verdict(
            Question.PROOF if found.ask.proves else Question.DELTA,
            False,
            is_final=True,
            how="",
            seq=self._reach.told,
            applied=applied,
            healed=applied.total if self.form is Form.DIRECT else 0,
            server=server,
            held=held if server is not None else None,
            took=sum(delta.took for delta in found.deltas) if found.deltas else None,
            is_lossy=is_lossy,
        )

        if found.has_other_columns:
            self._must_read = True
            return replace(told, is_final=False, how="the table has other columns", again=Question.PROOF)
        if found.is_cut:
            return self._was_cut(told)

        self._reach.is_fresh = False
        self.told.answer()
        if found.is_beyond and not self._is_beyond:
            self._is_beyond = True  # The fingerprint is that of what a scan reaches.
            if self._plan.filter_sql:
                self._must_read = True
                how = "one scan does not reach what has changed"
                return replace(told, is_final=False, how=how, again=Question.PROOF)
        elif not found.ask.proves or (server is not None and held is not None and held.agrees(server)):
            return self._agreed(told, has_changed=self._reach.told > before)
        if not found.ask.proves:
            return replace(told, is_true=True, how="beyond the server's scan window")
        return self._disagreed(told, counted)

    def _agreed(self, told: Verdict, *, has_changed: bool) -> Verdict:
        told = self._as_usual(replace(told, is_true=True, how="nothing else has changed"))
        if told.asked is Question.PROOF:
            self._agreement.reach()
            self._is_beyond = False
            told = replace(told, how=f"same fingerprint of the rows' {self._plan.version.name}")
        if told.again is None and has_changed and not self._looks.has_looked:
            # What changed may have columns that nobody looked for.
            told = replace(told, again=Question.DELTA, again_in=self._looks.interval)
        return told

    def _is_lossy(self, delta: Delta) -> bool:
        """Whether a delta brings what events should have told by then."""
        if self.form is not Form.DIRECT or self._store is None or not delta.now_ms:
            return False
        before = self._plan.version.at(delta.now_ms - _ON_ITS_WAY_MS)
        return before is not None and self._store.lacks(delta, before=before)

    def _was_cut(self, told: Verdict) -> Verdict:
        told = replace(told, is_final=False, how="more has changed than a delta tells", again=told.asked)
        # What was written in the moments before everything was read is too much to be told again.
        if self._reach.shorten():
            return told
        self._must_read = True
        return replace(told, again_in=_PAUSE if self._reach.is_fresh else 0.0)

    def _disagreed(self, told: Verdict, counted: int | None) -> Verdict:
        if self._is_beyond and counted is None:
            how = "a filtered table beyond the server's scan window cannot be compared; call refresh()"
            return replace(told, how=how)

        if self._is_beyond and told.held is not None and counted == told.held.count:
            self._agreement.reach()
            name = self._plan.version.name
            how = f"read whole by {name}, and the same number of rows since (beyond the server's scan window)"
            return replace(told, is_true=True, how=how, server=None, held=None)

        self._agreement.miss()
        if self._agreement.mismatches == 1:
            return replace(told, is_final=False, how="the fingerprints differ", again=Question.PROOF)
        self._must_read = True
        if self._agreement.mismatches == 2:
            return replace(told, is_final=False, how="the fingerprints differ", again=Question.PROOF)

        # The whole reading did not help either: not more often than the server can bear.
        how = "the fingerprints differ, and did so after reading the table whole"
        return replace(told, how=how, again=Question.PROOF, again_in=self._agreement.next_pause())

    # The time of STREAM rows.

    def expire(self, *, now: float, at: float) -> Applied:
        """Drop the rows whose time is over by the server's clock."""
        if self._store is None:
            return Applied()
        before = self._expiry.expired_before(self._store, self._plan, now)
        return Applied() if before is None else self._store.expire(before, at=at)

    def expiry(self, *, now: float) -> float | None:
        """Seconds until the oldest row expires."""
        return None if self._store is None else self._expiry.next(self._store, self._plan, now)
