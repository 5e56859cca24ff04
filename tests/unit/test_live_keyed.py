"""Rounds of checks that bring more than a delta can tell."""

import pytest
from live_socket_server import SCHEMA
from live_source import RowSource

from kalam_notebook.live_queries.following.keyed import KeyedEngine
from kalam_notebook.live_queries.following.query import parse_live_query
from kalam_notebook.live_queries.following.schedule import Question
from kalam_notebook.wire.live import Change
from kalam_notebook.wire.row_version import SEQ

#: Versions that a delta of this source tells at most.
MOST = 10


#: The same table on a server that tells when it drops events.
LATER = [{**field, "name": "_version"} if field["name"] == "_seq" else field for field in SCHEMA]


class Source(RowSource):
    def read_delta(self, plan, ask):
        versions = [int(row[self.version]) for row in self.rows.values()] + list(self.tombstones.values())
        found = super().read_delta(plan, ask)
        return None if sum(seq > ask.after for seq in versions) > MOST else found


class Scene:
    def __init__(self):
        self.source = Source(SCHEMA)
        self.seq = 10**15
        self.now = 0.0
        self.engine = None

    def begin(self):
        query = parse_live_query("SELECT * FROM chat.messages")
        self.engine = KeyedEngine(query, self.source.describe(""), max_rows=None)

    def write(self, count, *, ms_apart=1):
        for _ in range(count):
            self.seq += SEQ.span(ms_apart)
            key = str(len(self.source.rows))
            self.source.put({"id": key, "room": "a", "n": 0, "_seq": str(self.seq), "_deleted": False})

    def round(self, question=Question.PROOF):
        self.now += 1.0
        job = self.engine.next_job(question, now=self.now)
        return self.engine.finish(job.run(self.source), now=self.now, at=0.0)

    def rounds(self, most=6):
        """Rounds until one is final."""
        for number in range(1, most + 1):
            verdict = self.round()
            if verdict.is_final and verdict.is_true:
                return number
            assert verdict.again is not None
        return pytest.fail(f"not proved after {most} rounds: {verdict}")


@pytest.fixture
def scene():
    return Scene()


def test_many_rows_written_at_once_are_read_and_proved(scene):
    scene.write(50)
    scene.begin()
    assert scene.rounds() == 1  # The reading is its own proof.
    assert scene.rounds() == 2  # A delta that is cut, one that is not.
    # Nothing was written meanwhile: the next rounds need no reading either.
    assert [scene.rounds(), scene.rounds()] == [1, 1]
    assert len(scene.source.reads) == 1


def test_events_that_came_while_everything_was_read_are_proved_too(scene):
    scene.begin()
    job = scene.engine.next_job(Question.PROOF, now=scene.now)
    scene.write(1)
    ((key, row),) = scene.source.rows.items()
    scene.engine.take_in([Change("s", "insert", (row,), ())], at=0.0)
    # Its delete is dropped on the way.
    scene.source.remove(key, seq=scene.seq + 1)
    verdict = scene.engine.finish(job.run(scene.source), now=scene.now, at=0.0)
    assert (scene.engine.rows.num_rows, verdict.is_final, verdict.again) == (1, False, Question.PROOF)
    verdict = scene.round()
    assert (scene.engine.rows.num_rows, verdict.is_true, verdict.healed) == (0, True, 1)


def test_a_burst_while_following_is_read_and_proved(scene):
    scene.write(3)
    scene.begin()
    scene.rounds()
    scene.write(50)
    assert scene.rounds() == 3  # Two deltas that are cut: since the reading, since just before it.
    assert (len(scene.source.reads), scene.engine.rows.num_rows) == (2, 53)


def test_a_lie_about_many_rows_is_found_all_the_same(scene):
    scene.write(50)
    scene.begin()
    scene.rounds()
    # One that was written before, and was to be seen only now.
    scene.source.put({"id": "99", "room": "a", "n": 0, "_seq": str(scene.seq - 5), "_deleted": False})
    scene.rounds()
    assert scene.engine.rows.num_rows == 51


def test_writers_that_never_stop_do_not_have_it_read_without_a_pause(scene):
    scene.write(50)
    scene.begin()
    pauses = []
    for _ in range(12):
        pauses.append(scene.round().again_in)
        scene.write(50)
    assert pauses.count(1.0) >= 3


def test_what_changed_is_followed_by_a_look_at_the_columns(scene):
    scene.write(3)
    scene.begin()
    scene.rounds()
    scene.write(1)
    scene.now += 0.5  # The last look was just now.
    verdict = scene.round()
    assert (verdict.is_true, verdict.again, verdict.again_in) == (True, Question.DELTA, 5.0)
    scene.now += 5
    assert scene.round().again is None


def test_where_gaps_are_told_a_delta_begins_behind_what_events_have_told():
    scene = Scene()
    scene.source = Source(LATER)
    scene.begin()

    def hear(version):
        row = {"id": str(version), "room": "a", "n": 0, "_version": str(version), "_deleted": False}
        scene.source.put(row)
        scene.engine.take_in([Change("s", "insert", (row,), ())], at=0.0)

    def asked_after():
        job = scene.engine.next_job(Question.DELTA, now=scene.now)
        scene.engine.finish(job.run(scene.source), now=scene.now, at=0.0)
        return job.ask.after

    hear(1)
    scene.rounds()
    hear(5)
    assert asked_after() == 5
    hear(7)
    scene.engine.told.miss()
    hear(9)
    assert asked_after() == 7
    hear(11)
    assert asked_after() == 11
    # What is missed while a check is on its way, that one has not brought.
    job = scene.engine.next_job(Question.DELTA, now=scene.now)
    scene.engine.told.miss()
    hear(13)
    scene.engine.finish(job.run(scene.source), now=scene.now, at=0.0)
    hear(15)
    assert asked_after() == 13
    assert scene.rounds() == 1
