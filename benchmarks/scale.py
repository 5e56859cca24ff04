"""How far one server goes: viewers of a live table, simulated with the decisions of real clients and measured costs.

``python -m benchmarks.scale`` prints the table of ``docs/scale.md``. Nothing is sent and nobody waits: each viewer is a
``TruthSchedule``, the server a queue before some cores, and time is a number. ``benchmarks.viewers`` runs viewers that
are real, and compares.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass

from kalam_notebook.live_queries.connection.backoff import backoff
from kalam_notebook.live_queries.following.follower import SPREAD
from kalam_notebook.live_queries.following.schedule import Question, Rhythm, TruthSchedule

#: Seconds of a core, measured on KalamDB 0.4.3-rc.4 (optimised build): a row version of a scan that is not flushed and
#: one that is, a connection for a second, an event for one viewer, a login with a subscription, a delta.
SCAN_ROW_S, FLUSHED_ROW_S = 9e-6, 2e-6
CONNECTION_S, EVENT_S, OPENING_S, DELTA_S = 0.3e-3, 0.02e-3, 25e-3, 1.5e-3


@dataclass(frozen=True)
class Times:
    """Seconds from the beginning.

    Attributes:
        opening: Until then viewers open.
        settled: From here on is counted.
        gone: Here the server goes.
        away: For so long.
        end: So long all is watched.
    """

    opening: float = 15.0
    settled: float = 30.0
    gone: float = 120.0
    away: float = 20.0
    end: float = 300.0


@dataclass(frozen=True)
class Case:
    """What is looked at.

    Attributes:
        viewers: Clients of their own.
        rows: Rows of the table.
        rate: Changes a second.
        cores: Of the server.
        row_s: Seconds of a core for each row of a scan.
        delta_s: Seconds of a core for a question beside its scan.
        scans_wait: Whether scans take time and no core, as those of a sandbox do.
        times: When what happens.
    """

    viewers: int
    rows: int
    rate: float
    cores: int = 2
    row_s: float = SCAN_ROW_S
    delta_s: float = DELTA_S
    scans_wait: bool = False
    times: Times = Times()

    @property
    def scan(self) -> float:
        return self.rows * self.row_s

    @property
    def standing(self) -> float:
        """Cores that connections and events take, whatever is asked."""
        return self.viewers * (CONNECTION_S + self.rate * EVENT_S)

    def computed(self) -> float:
        """Cores at most: a delta rests 200 times its length, a proof 100 times, as long as nothing speaks for loss."""
        deltas = min(1 / 201, self.delta_s / Rhythm().gap) if self.rate else 0.0
        return self.standing + self.viewers * (deltas + 1 / 101)


@dataclass
class Found:
    """What came of it.

    Attributes:
        busy: Cores that were asked for, before the restart and behind the opening.
        longest: Seconds that a question took at most then, its wait included.
        opened: Seconds until all were open.
        back: Seconds from the server's return until all had what they had missed.
        events: Events that were told then.
        questions: Deltas and proofs that were asked then.
        proofs: Those of them that scan the table.
    """

    busy: float = 0.0
    longest: float = 0.0
    opened: float = 0.0
    back: float = math.inf
    events: int = 0
    questions: int = 0
    proofs: int = 0


class Server:
    """Cores that carry out questions in the order in which they come."""

    def __init__(self, case: Case) -> None:
        # What stands takes its part of each core.
        self._slower = 1 / max(0.02, 1 - case.standing / case.cores)
        self._free = [0.0] * case.cores

    def ask(self, now: float, seconds: float, waiting: float = 0.0) -> float:
        """When a question is answered that takes a core for some seconds, and then waits."""
        end = max(now, heapq.heappop(self._free)) + seconds * self._slower
        heapq.heappush(self._free, end)
        return end + waiting


class Simulation:
    """All viewers of a case, from their opening to some time after the server's restart."""

    def __init__(self, case: Case, *, seed: int = 42) -> None:
        self._case = case
        self._times = case.times
        self._dice = random.Random(seed)
        self._server = Server(case)
        self._schedules = [TruthSchedule(Rhythm(), lambda: backoff(self._dice.random)) for _ in range(case.viewers)]
        self._coming: list[tuple[float, int, str, int]] = []
        self._count = 0
        self._looks = [math.inf] * case.viewers  # When each is looked at again.
        self._asked: dict[int, tuple[float, float, Question]] = {}  # When, until when, what.
        self._is_connected = [False] * case.viewers
        self._current: set[int] = set()  # Have had an answer since they came, or came back.
        self._spent = 0.0
        self.found = Found()

    def run(self) -> Found:
        for viewer in range(self._case.viewers):
            self._later(self._dice.random() * self._times.opening, "open", viewer)
        self._later(self._times.gone, "gone")
        if self._case.rate:
            self._later(1 / self._case.rate, "change")
        while self._coming and self._coming[0][0] < self._times.end:
            now, _, what, viewer = heapq.heappop(self._coming)
            getattr(self, f"_{what}")(now, viewer)
        self.found.busy = self._spent / (self._times.gone - self._times.settled) + self._case.standing
        return self.found

    # What comes.

    def _open(self, now: float, viewer: int) -> None:
        self._is_connected[viewer] = True
        self._schedules[viewer].wish(now)
        self._ask(now, viewer, OPENING_S)

    def _change(self, now: float, _: int) -> None:
        self._later(now + 1 / self._case.rate, "change")
        for viewer, schedule in enumerate(self._schedules):
            if self._is_connected[viewer]:
                schedule.event(now)
                self.found.events += self._is_counted(now)
                self._look_later(now, viewer)

    def _look(self, now: float, viewer: int) -> None:
        if now >= self._looks[viewer]:
            self._looks[viewer] = math.inf
        if self._is_connected[viewer] and self._schedules[viewer].due <= now:
            self._ask(now, viewer)
        elif self._is_connected[viewer]:
            self._look_later(now, viewer)

    def _answer(self, now: float, viewer: int) -> None:
        began, end, question = self._asked.get(viewer, (0.0, 0.0, Question.DELTA))
        if end != now:
            return  # The server went before.
        del self._asked[viewer]
        self._schedules[viewer].finish(now, question)
        if now < self._times.gone and viewer not in self._current:
            self.found.opened = now
        elif now < self._times.gone:
            self.found.longest = max(self.found.longest, now - began)
        self._current.add(viewer)
        if now > self._times.gone and len(self._current) == self._case.viewers and self.found.back == math.inf:
            self.found.back = now - self._times.gone - self._times.away
        self._look_later(now, viewer)

    def _gone(self, now: float, _: int) -> None:
        if len(self._current) < self._case.viewers:
            self.found.opened = math.inf
        for viewer in self._asked:
            self._schedules[viewer].fail(now)
        self._asked.clear()
        self._current.clear()
        self._server = Server(self._case)
        for viewer in range(self._case.viewers):
            self._is_connected[viewer] = False
            at = now
            for delay in backoff(self._dice.random, spread=True):
                at += delay
                if at > now + self._times.away:
                    break
            self._later(at, "back", viewer)

    def _back(self, now: float, viewer: int) -> None:
        self._is_connected[viewer] = True
        self._server.ask(now, OPENING_S)
        self._schedules[viewer].returned(now, spread=self._dice.random() * SPREAD)
        self._look_later(now, viewer)

    # What is done.

    def _is_counted(self, now: float) -> bool:
        return self._times.settled < now < self._times.gone

    def _later(self, at: float, what: str, viewer: int = 0) -> None:
        self._count += 1
        heapq.heappush(self._coming, (at, self._count, what, viewer))

    def _look_later(self, now: float, viewer: int) -> None:
        at = max(now, self._schedules[viewer].due)
        if at < self._looks[viewer]:
            self._looks[viewer] = at
            self._later(at, "look", viewer)

    def _ask(self, now: float, viewer: int, more: float = 0.0) -> None:
        question = self._schedules[viewer].start(now)
        scan = self._case.scan if question is Question.PROOF else 0.0
        cost = self._case.delta_s + more
        if self._is_counted(now):
            self._spent += cost + scan
            self.found.questions += 1
            self.found.proofs += question is Question.PROOF
        end = self._server.ask(now, cost, scan) if self._case.scans_wait else self._server.ask(now, cost + scan)
        self._asked[viewer] = now, end, question
        self._later(end, "answer", viewer)


#: What the page shows: one table that many look at, 5 changes a second; and what helps.
CASES = (
    Case(1, 20_000, 5), Case(10, 20_000, 5), Case(100, 20_000, 5), Case(100, 20_000, 5, row_s=FLUSHED_ROW_S),
    Case(1_000, 20_000, 5), Case(1_000, 20_000, 5, row_s=FLUSHED_ROW_S), Case(1_000, 1_000, 1),
    Case(10_000, 1_000, 1, cores=16, row_s=FLUSHED_ROW_S),
)  # fmt: skip

HEAD = """\
| viewers | rows | changes/s | cores | stands | at most | simulated | all open after | slowest question | back after |
|---|---|---|---|---|---|---|---|---|---|"""


def line(case: Case, found: Found) -> str:
    flushed = ", flushed" if case.row_s == FLUSHED_ROW_S else ""
    times = (seconds(number) for number in (found.opened, found.longest, found.back))
    cores = (f"{number:.2f}" for number in (case.standing, case.computed(), found.busy))
    cells = (f"{case.viewers:,}", f"{case.rows:,}{flushed}", f"{case.rate:g}", case.cores, *cores, *times)
    return f"| {' | '.join(map(str, cells))} |"


def seconds(number: float) -> str:
    if number == math.inf:
        return "more than 2 min"
    return f"{number:.0f} s" if number >= 10 else f"{max(0.1, number):.1f} s"


if __name__ == "__main__":
    print(HEAD)
    for one in CASES:
        print(line(one, Simulation(one).run()), flush=True)
