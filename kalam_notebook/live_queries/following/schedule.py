"""When checks ask the server next, and what. Pure: times in, times out.

There are two questions. A *delta* asks what changed since a version, and is cheap as a rule; a *proof* asks for the
fingerprint of everything as well, which costs the server a scan of the table. A delta follows events: when they pause,
and from time to time while they flow on. A proof follows when something speaks for loss, when it has got quiet after
changes, and now and then. Where the server tells when it drops events, ``told`` asks much less often.

Each is followed by a rest of so many times its own length. So what a live table costs the server is a share of one core
that depends neither on the size of its table nor on how often it changes. What fails is tried again after growing
delays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Flag, auto

__all__ = ["BURST", "ProofBudget", "Question", "Rhythm", "TruthSchedule", "told"]

#: So many events at once may have been more than the server's queue for one connection holds, which is 128 (truth L14).
BURST = 64

#: Events a second that come without waiting in that queue.
_DRAIN = 200.0

#: What follows a question, in multiples of its length: a delta that looks after loss; a proof; a proof for which there
#: is no other reason than time.
_LOSS_REST, _PROOF_REST, _USUAL_REST = 20.0, 100.0, 200.0

#: Seconds between two deltas, at least.
_SHORTEST = 0.25

#: Seconds from what speaks for loss to the proof that looks after it, while events flow on.
_SOON = 2.0

#: Seconds that do not pass. Infinity would be no number where nothing has happened yet.
_NEVER = 1e9

#: A delta of so many seconds goes through more than the end of the table.
_LONG = 0.1


class Question(Flag):
    """What a round asks."""

    #: What has changed.
    DELTA = auto()
    #: What has changed, and whether the rows are then those of the server.
    PROOF = auto()


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often checks ask.

    Attributes:
        settle: Seconds from an event to the delta that looks after it, when none follows.
        gap: The same while events flow on.
        rest: How long a delta rests, in multiples of its length.
        longest: Seconds that it rests at most, unless it costs much.
        calm: Seconds from the last event to the proof that looks after all of them.
        usual: Seconds between two proofs for which there is no other reason than time, at least.
        flowing: Seconds from the first event that no proof has looked after to the next proof, while events flow on.
    """

    settle: float = 0.3
    gap: float = 5.0
    rest: float = 200.0
    longest: float = math.inf
    calm: float = 2.0
    usual: float = 30.0
    flowing: float = math.inf

    def rest_after(self, took: float) -> float:
        """Seconds until the next delta, at least."""
        return max(_SHORTEST, min(self.rest * took, max(self.longest, _LOSS_REST * took)))


def told(rhythm: Rhythm) -> Rhythm:
    """A rhythm for a server that tells when it drops events.

    An event needs no delta that looks after it, unless it only rings, and proofs look for what nobody thinks of.
    """
    slow = replace(rhythm, usual=300.0)
    is_bell = rhythm.settle < Rhythm().settle
    return slow if is_bell else replace(slow, settle=_NEVER, gap=_NEVER, calm=30.0, flowing=60.0)


class ProofBudget:
    """What the proofs of all live tables of a client may cost the server together."""

    def __init__(self) -> None:
        self._ended = -math.inf
        self._took = 0.0

    def free_at(self, rest: float) -> float:
        """When the next proof may begin, if it rests so many times its length."""
        return self._ended + rest * self._took

    def spend(self, now: float, took: float) -> None:
        """A proof has ended."""
        if now + took * _PROOF_REST >= self.free_at(_PROOF_REST):
            self._ended = now
            self._took = took


class TruthSchedule:
    """The times of the rounds of one live query.

    Args:
        rhythm: How often it asks.
        delays: Makes the delays after failures.
        budget: Shared with the other live queries of the client.
    """

    def __init__(
        self, rhythm: Rhythm, delays: Callable[[], Iterator[float]], budget: ProofBudget | None = None
    ) -> None:
        self._rhythm = rhythm
        self._new_delays = delays
        self._delays = delays()
        self._budget = budget or ProofBudget()
        # The round on its way: when it began, and what it asks.
        self._started: float | None = None
        self._question = Question.DELTA
        # Rounds that are wished for, or that an earlier one asked for.
        self._wished = {Question.DELTA: math.inf, Question.PROOF: math.inf}
        # Events that no delta has looked after, and how many of them may wait on the server.
        self._first_event: float | None = None
        self._last_event = -math.inf
        self._waiting = 0.0
        self._is_urgent = False
        # The last delta's end and length.
        self._delta_ended = -math.inf
        self._delta_took = 0.0
        # The last proof's end, what speaks for another one, and a moment before which there is none.
        self._proof_ended = math.inf
        self._proof_took = 0.0
        self._is_unproved = False
        self._unproved_since = math.inf
        self._suspected: float | None = None
        self._no_proof_before = -math.inf
        # After a failure nothing is asked but what is wished for.
        self._not_before = -math.inf

    @property
    def is_running(self) -> bool:
        """Whether a round is on its way."""
        return self._started is not None

    @property
    def due(self) -> float:
        """When the next round begins; infinity while one is on its way, and before there is a reason."""
        if self.is_running:
            return math.inf
        reasons = min(self._delta_due(), self._proof_due())
        return min(*self._wished.values(), max(reasons, self._not_before))

    def event(self, now: float, count: int = 1, *, most: int = BURST, is_urgent: bool = False) -> None:
        """Rows changed on the server.

        Args:
            now: The time.
            count: How many events told it.
            most: How many at once speak for loss.
            is_urgent: Whether the rows are wrong until a delta comes.
        """
        drained = (now - self._last_event) * _DRAIN
        self._waiting = max(0.0, self._waiting - drained) + count
        self._last_event = now
        if not self._is_unproved:
            self._is_unproved = True
            self._unproved_since = now
        self._is_urgent = self._is_urgent or is_urgent
        if self._first_event is None:
            self._first_event = now
        if self._waiting >= most:
            self.suspect(now)

    def suspect(self, now: float) -> None:
        """Something speaks for loss."""
        if self._suspected is None:
            self._suspected = now

    def wish(self, now: float, question: Question = Question.PROOF) -> None:
        """Somebody wants to know now."""
        self._wished[question] = now

    def returned(self, now: float, *, spread: float, scans: bool = False) -> None:
        """The connection is back: what was missed is asked for at once, and scans are spread.

        Args:
            now: The time.
            spread: Seconds until this one of all who lost the server may have it scan a table.
            scans: Whether a delta will not do.
        """
        self.suspect(now)
        self._no_proof_before = now + spread
        self._wished[Question.DELTA] = now + spread if scans or self._delta_took > _LONG else now

    def start(self, now: float) -> Question:
        """Begin a round; return what it asks."""
        is_proof = min(self._wished[Question.PROOF], max(self._proof_due(), self._not_before)) <= now
        self._started = now
        self._question = Question.PROOF if is_proof else Question.DELTA
        self._wished[Question.DELTA] = math.inf
        self._first_event = None
        self._is_urgent = False
        if is_proof:
            self._wished[Question.PROOF] = math.inf
            self._suspected = None
            self._is_unproved = False
        return self._question

    def finish(
        self,
        now: float,
        asked: Question,
        *,
        took: float | None = None,
        again: Question | None = None,
        again_in: float = 0.0,
    ) -> None:
        """The round ended.

        Args:
            now: The time.
            asked: What it asked in the end, which may be both: a query that is run again is its own proof.
            took: Seconds that it cost the server; None for all that have passed.
            again: What the next round asks, which follows in any case; None for none.
            again_in: Seconds until then.
        """
        started = now if self._started is None else self._started
        took = now - started if took is None else took
        self._started = None
        self._delays = self._new_delays()
        self._not_before = -math.inf
        self._delta_ended = now

        if Question.DELTA in asked:
            self._delta_took = took
        if Question.PROOF in asked:
            self._proof_ended = now
            self._proof_took = took
            self._is_unproved = self._is_unproved and self._last_event > started
        if self._question is Question.PROOF:
            self._budget.spend(now, took)

        if again is not None:
            rest = max(again_in, _LOSS_REST * took) if again_in else 0.0
            self._wished[again] = min(self._wished[again], now + rest)

    def fail(self, now: float) -> float:
        """The round failed; return the seconds until the next attempt."""
        self._started = None
        delay = next(self._delays)
        self._not_before = now + delay
        self._wished[self._question] = now + delay
        return delay

    def _delta_due(self) -> float:
        if self._first_event is None:
            return math.inf
        paused = self._last_event + self._rhythm.settle
        flowing = self._first_event + self._rhythm.gap
        rested = self._delta_ended + self._rhythm.rest_after(self._delta_took)
        due = max(min(paused, flowing), rested)
        if self._suspected is not None or self._is_urgent:
            loss_rested = self._delta_ended + max(_SHORTEST, _LOSS_REST * self._delta_took)
            due = min(due, max(self._last_event if self._is_urgent else paused, loss_rested))
        return due

    def _proof_due(self) -> float:
        rested = max(self._budget.free_at(_PROOF_REST), self._no_proof_before)
        due = max(self._usual_due(), rested)
        if self._suspected is not None:
            settled = min(self._last_event + self._rhythm.settle, self._suspected + _SOON)
            due = min(due, max(settled, self._suspected, rested))
        if self._is_unproved:
            calm = min(self._last_event + self._rhythm.calm, self._unproved_since + self._rhythm.flowing)
            due = min(due, max(calm, rested))
        return due

    def _usual_due(self) -> float:
        """The next proof that has no other reason than time; live tables of one process have theirs together."""
        if self._proof_ended == math.inf:
            return math.inf
        interval = self._rhythm.usual
        while interval < _USUAL_REST * self._proof_took:
            interval *= 2.0
        return interval * math.ceil(self._proof_ended / interval + 0.5)
