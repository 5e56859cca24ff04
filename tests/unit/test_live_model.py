"""Live tables against a plain dict: random writes, flushes and faults for thousands of steps, without a clock.

The server's side is a dict of rows with their ``_seq`` (``RowSource``) and a line of events, which are dropped,
doubled, late and out of order. The engine hears them, and has its questions asked in pieces, so that writes and events
fall between the question, the answer and its use.
"""

from __future__ import annotations

import random
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_socket_server import SCHEMA
from live_source import RowSource

from kalam_notebook.live_queries.following.keyed import KeyedEngine
from kalam_notebook.live_queries.following.query import parse_live_query
from kalam_notebook.live_queries.following.schedule import Question
from kalam_notebook.wire.live import Change

FILTERS = {"direct": "", "delta": " WHERE n = 0"}

#: Rounds after the last fault by which the table has to be true: a delta, another with a longer look back, a whole
#: reading, and its proof.
ROUNDS = 4


class Game:
    """A server, a network that damages events, and an engine."""

    def __init__(self, dice: random.Random, *, form: str, max_rows: int | None = None) -> None:
        self.dice = dice
        self.form = form
        self.max_rows = max_rows
        self.source = RowSource(SCHEMA)
        if form == "delta":
            self.source.matches = lambda row: row["n"] == 0
        self.engine = KeyedEngine(
            parse_live_query(f"SELECT * FROM chat.messages{FILTERS[form]}"), self.source.describe(""), max_rows=max_rows
        )
        assert self.engine.form.value == form
        self.seqs = count(10**15, 10**9)
        self.now = 0.0
        self.faults = 0.0
        # Events on the way, and answers that have not been used.
        self.line: list[Change] = []
        self.outcome: object = None
        self.job = None
        # Every version that ever was, and the one before the last of each key.
        self.versions: set[tuple[int, str, int]] = set()
        self.former: dict[str, dict] = {}

    # The server.

    def write(self) -> None:
        key, kind = str(self.dice.randrange(12)), self.dice.choice(["insert", "update", "update", "delete"])
        old = self.source.rows.get(key)
        seq = next(self.seqs)
        if old is not None:
            self.former[key] = old
        if kind == "delete" and old is not None:
            self.source.remove(key, seq=seq)
            self.send(Change("s", "delete", (), ({**old, "_seq": str(seq), "_deleted": True},)))
        elif kind != "delete":
            row = {"id": key, "room": f"r{seq}", "n": self.dice.randrange(2), "_seq": str(seq), "_deleted": False}
            self.source.put(row)
            self.source.tombstones.pop(key, None)
            self.versions.add((int(key), row["room"], row["n"]))
            self.send(Change("s", "insert" if old is None else "update", (row,), ()))

    def flush(self) -> None:
        """Tombstones are gone after it."""
        self.source.tombstones.clear()

    def forget(self) -> None:
        """A flush brings an old version back: of a deleted row, or of one that was written anew (truth L27).

        Events are not as late as that.
        """
        if self.former and not self.line:
            key = self.dice.choice(sorted(self.former))
            self.source.put(self.former.pop(key))
            self.source.tombstones.pop(key, None)

    # The network.

    def send(self, change: Change) -> None:
        if self.dice.random() < self.faults / 3:
            return
        self.line.append(change)
        if self.dice.random() < self.faults / 3:
            self.line.insert(self.dice.randrange(len(self.line)), change)

    def deliver(self) -> None:
        size = self.dice.randint(0, len(self.line))
        if self.dice.random() < self.faults:
            self.dice.shuffle(self.line)
        taken, self.line = self.line[:size], self.line[size:]
        if taken:
            self.engine.take_in(taken, at=0.0)
        self.look()

    # Checks, in pieces.

    def ask(self, question: Question | None = None) -> None:
        if self.job is None:
            self.now += 1.0
            question = self.dice.choice(list(Question)) if question is None else question
            self.job = self.engine.next_job(question, now=self.now)

    def run(self) -> None:
        if self.job is not None and self.outcome is None:
            self.outcome = self.job.run(self.source)

    def fail(self) -> None:
        """The question came to nothing."""
        if self.job is not None:
            self.job = self.outcome = None
            self.engine.give_up()

    def use(self):
        verdict = None
        if self.outcome is not None:
            verdict = self.engine.finish(self.outcome, now=self.now, at=0.0)
            self.job = self.outcome = None
            self.look()
        return verdict

    def settle(self) -> None:
        """No faults from here on: within a few rounds the table is true, and says so."""
        self.faults = 0.0
        self.use()
        self.deliver()
        for _ in range(ROUNDS + 1):
            self.ask(Question.PROOF)
            for step in (self.deliver, self.run, self.deliver):
                step()
            verdict = self.use()
            is_proof = verdict is not None and verdict.is_final and Question.PROOF in verdict.asked
            if is_proof and verdict.is_true:
                break
        else:
            pytest.fail(f"not true after {ROUNDS} rounds: {verdict}")
        assert self.held() == self.expected()
        assert verdict.server.agrees(verdict.held)

    # What a reader sees.

    def look(self) -> None:
        if self.engine.rows is not None:
            rows = self.engine.rows.arrow().to_pylist()
            assert len({row["id"] for row in rows}) == len(rows)
            assert {tuple(row.values()) for row in rows} <= self.versions
            assert self.max_rows is None or len(rows) <= self.max_rows

    def held(self) -> set[tuple]:
        assert self.engine.rows is not None
        return {tuple(row.values()) for row in self.engine.rows.arrow().to_pylist()}

    def expected(self) -> set[tuple]:
        rows = [row for row in self.source.rows.values() if self.source.matches(row)]
        floor = 0 if self.engine.rows is None else self.engine.rows.floor
        return {(int(row["id"]), row["room"], row["n"]) for row in rows if int(row["_seq"]) > floor}


STEPS = ("write", "write", "write", "deliver", "deliver", "ask", "run", "use", "flush", "forget", "fail")


@pytest.mark.parametrize("form", ["direct", "delta"])
@pytest.mark.parametrize("max_rows", [None, 5])
def test_thousands_of_steps(form, max_rows):
    dice = random.Random(f"{form}{max_rows}")
    game = Game(dice, form=form, max_rows=max_rows)
    for number in range(3_000):
        game.faults = 0.6
        getattr(game, dice.choice(STEPS))()
        if number % 50 == 49:
            game.settle()
            # Without faults the events alone keep a direct table true.
            if form == "direct" and max_rows is None:
                for _ in range(5):
                    game.write()
                while game.line:
                    game.deliver()
                assert game.held() == game.expected()


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.sampled_from(STEPS), max_size=60),
    st.sampled_from(["direct", "delta"]),
    st.sampled_from([None, 3]),
    st.randoms(use_true_random=False),
)
@pytest.mark.slow
def test_any_steps(steps, form, max_rows, dice):
    game = Game(dice, form=form, max_rows=max_rows)
    for step in steps:
        game.faults = 0.6
        getattr(game, step)()
    game.settle()


@pytest.mark.parametrize("form", ["direct", "delta"])
def test_without_faults_a_table_is_read_whole_only_once(form):
    dice = random.Random(form)
    game = Game(dice, form=form)
    verdicts = []
    for _ in range(2_000):
        verdict = getattr(game, dice.choice(["write", "write", "deliver", "ask", "run", "use"]))()
        verdicts += [] if verdict is None else [verdict]
    assert len(verdicts) > 100
    assert all(verdict.is_true for verdict in verdicts)
    assert len(game.source.reads) == 1
