"""Replaying recorded live tables: threads, time and files; nothing here sleeps."""

from __future__ import annotations

import asyncio
import io
import math
import subprocess
import sys
import threading
import time

import pytest
from test_live_store import delete, insert, make_store, table, update

import kalam_notebook
from kalam_notebook.errors import ConfigError, LiveError, RecordingError, RequestTimeoutError
from kalam_notebook.live_queries.following.counters import LiveStats
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.recording.format import Origin, RecordedEnd
from kalam_notebook.live_queries.recording.player import play as play_file
from kalam_notebook.live_queries.recording.playhead import Playhead
from kalam_notebook.live_queries.recording.reader import read_recording
from kalam_notebook.live_queries.recording.writer import RecordingWriter
from kalam_notebook.live_queries.replay import replay
from kalam_notebook.live_queries.rows.fingerprint import Proof
from kalam_notebook.live_queries.table import LiveTable
from kalam_notebook.threads import Bell

SQL = "SELECT * FROM a.b"
INF = float("inf")


class Kept:
    """Rows without a server, changed by hand: enough of a ``Followed``."""

    form, table_name, key, is_replay, is_forked, is_paused = Form.DIRECT, "a.b", ("id",), False, False, False
    ends_with_another = False
    status, notices, row_version = "live", ("Not all is well.",), "_version"

    def __init__(self) -> None:
        self.bell, self.error, self.is_over = Bell(), None, False
        self.lock = threading.Lock()
        self.store = make_store()
        self.store.load(table(("1", "a", 1, "10"), ("2", "b", 2, "11")))

    @property
    def num_rows(self):
        return self.store.num_rows

    def change(self, *changes, at=0.0):
        with self.lock:
            self.store.apply(changes, at=at)
        self.bell.ring()

    def look(self, view):
        with self.lock:
            return view(self.store)

    def stats(self):
        return LiveStats(rows=self.num_rows)

    def verify(self, *, timeout, reread=False) -> Proof:
        raise NotImplementedError

    def retry(self):
        raise NotImplementedError

    def pause(self):
        raise NotImplementedError

    def resume(self):
        raise NotImplementedError

    def raise_if_over(self):
        if self.is_over:
            raise LiveError("over")

    def close(self):
        self.is_over = True
        self.bell.ring()


class HandClock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = 0.0
        self.moved = threading.Condition()
        #: Until when the player waits; None before it does.
        self.until: float | None = None

    def now(self) -> float:
        return self.time

    def wait(self, wake: threading.Event, seconds: float | None) -> None:
        with self.moved:
            self.until = INF if seconds is None else self.time + seconds
            self.moved.notify_all()
            self.moved.wait_for(lambda: wake.is_set() or self.time >= self.until, 20)
            self.until = None

    def wait_until_waiting(self, until: float) -> None:
        """Wait until the player waits for this moment, which means that all before it has been done."""
        with self.moved:
            assert self.moved.wait_for(lambda: self.until is not None and math.isclose(self.until, until), 20), (
                self.until
            )

    def set(self, moment: float) -> None:
        with self.moved:
            self.time = moment
            self.moved.notify_all()


def wait_for(condition, seconds: float = 20.0) -> None:
    """Wait for what no bell tells."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def make_file(path, *, end=True, gap=False):
    """Rows at 1000 s, changes at 1002, 1003 and 1010 s, the end at 1020 s."""
    store = make_store()
    store.load(table(("1", "a", 1, "10"), ("2", "b", 2, "11")))
    with path.open("wb") as file:
        writer = RecordingWriter(file, is_ordered=False)

        def look(at=0.0):
            if (glance := writer.glance(store)) is not None:
                writer.write(glance, Origin(SQL, Form.DIRECT, "a.b", ("id",), ""), at=at)

        look(1000.0)
        store.apply([insert(3, 12, "c", 3)], at=1002.0)
        store.apply([update(1, 13, body="z", n=9)], at=1003.0)
        look()
        if gap:
            store._history.forget(store.version)
        store.apply([delete(2, 14)], at=1010.0)
        if gap:
            store._history.forget(store.version)
        look(1010.0)
        if end:
            writer.end(at=1020.0)
    return store


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def play(path, clock):
    tables = []

    def play(**options) -> LiveTable:
        player = play_file(path, **{"speed": 1.0, "clock": clock, **options})
        tables.append(LiveTable(player, sql=player.origin.sql))
        return tables[-1]

    yield play
    for live in tables:
        close(live, clock)


def close(live, clock):
    """Close a replay whose clock hears of it when it is told to only."""
    closing = threading.Thread(target=live.close)
    closing.start()
    wait_for(lambda: live.status.startswith("stopped"))
    wake(clock)
    for thread in (closing, live._follower._thread):
        thread.join(20)
        assert not thread.is_alive()


def wake(clock):
    clock.set(clock.time)


def ids(live):
    return live.arrow().column("id").to_pylist()


# The playhead.


def test_the_playhead():
    head = Playhead(5.0, at=1000.0, now=50.0)
    assert head.seconds_until(1010.0, now=50.0) == 2.0
    assert head.seconds_until(1010.0, now=51.5) == 0.5
    assert head.seconds_until(1010.0, now=99.0) == head.seconds_until(900.0, now=50.0) == 0
    head.pause(51.0)
    head.pause(51.5)
    assert head.seconds_until(900.0, now=52.0) is None
    head.resume(61.0)
    head.resume(62.0)
    assert head.seconds_until(1010.0, now=61.0) == 1.0
    assert Playhead(INF, at=1000.0, now=50.0).seconds_until(1e9, now=50.0) == 0


# Replaying.


def test_everything_comes_in_its_time(path, clock, play):
    make_file(path)
    live = play()
    clock.wait_until_waiting(2.0)
    assert (ids(live), live.status, live.sql, live.form, live.key) == ([1, 2], "replaying", SQL, "direct", ("id",))
    assert (live.is_replay, live.error, live.notice) == (True, None, None)
    clock.set(2.5)
    clock.wait_until_waiting(3.0)
    assert ids(live) == [1, 2, 3]
    clock.set(9.0)
    clock.wait_until_waiting(10.0)
    assert live.arrow().column("body").to_pylist() == ["z", "b", "c"]
    clock.set(10.0)
    clock.wait_until_waiting(20.0)
    assert (ids(live), live.status) == ([1, 3], "replaying")
    clock.set(20.0)
    live.wait_for(lambda live: live.status != "replaying")
    assert (live.status, live.error, ids(live)) == ("stopped: the recording has ended", None, [1, 3])
    with pytest.raises(LiveError, match="has stopped: the recording has ended"):
        live.wait_for(5)


def test_speed_and_pauses(path, clock, play):
    make_file(path)
    live = play(speed=2.0)
    clock.wait_until_waiting(1.0)
    live.pause()
    wake(clock)
    clock.wait_until_waiting(INF)
    assert live.status == "paused"
    with pytest.raises(LiveError, match="paused"):
        live.verify()
    clock.set(100.0)
    clock.wait_until_waiting(INF)
    assert ids(live) == [1, 2]
    live.resume()
    wake(clock)
    clock.wait_until_waiting(101.0)
    clock.set(101.0)
    clock.wait_until_waiting(101.5)
    assert (ids(live), live.status) == ([1, 2, 3], "replaying")


def test_all_at_once_it_is_what_was_recorded(path):
    store = make_file(path)
    with replay(path, speed=INF) as live:
        live.wait_for(lambda live: live.status == "stopped: the recording has ended")
        assert live.version == store.version
        assert live.arrow().equals(store.arrow())
        assert live.changes()["_change"].tolist() == ["inserted", "updated", "deleted"]
        assert live.changes()["_changed"].tolist()[1].tolist() == ["body", "n"]
        assert [old and old["body"] for old in live.changes()["_old"]] == [None, "a", "b"]
        stats = live.stats
        assert (stats.inserted, stats.updated, stats.deleted, stats.events, stats.rows) == (1, 1, 1, 3, 2)
        assert (stats.last_seq, stats.healed, stats.verified_at) == (14, 0, None)
        assert [column.is_primary_key for column in live.columns] == [True, False, False]
        assert live.df()["id"].tolist() == [1, 3]
        assert repr(live) == "<LiveTable a.b, 2 rows, stopped: the recording has ended>"


def test_the_public_function_takes_a_string(path):
    make_file(path)
    live = kalam_notebook.replay(str(path), speed=INF)
    live.wait_for(lambda live: live.status.startswith("stopped"))
    assert isinstance(live, kalam_notebook.LiveTable)


def test_batches(path, clock, play):
    make_file(path)
    live = play()
    clock.wait_until_waiting(2.0)
    batches = live.batches()
    clock.set(100.0)
    tables = [batch.table for batch in batches]
    told = [kind for changes in tables for kind in changes.column("_change").to_pylist()]
    assert told == ["inserted", "updated", "deleted"]


def test_async_batches(path, clock, play):
    make_file(path)
    live = play()
    clock.wait_until_waiting(2.0)

    async def versions() -> list[int]:
        batches = live.batches()
        clock.set(100.0)
        return [batch.version async for batch in batches]

    assert asyncio.run(versions())[-1] == live.version == 4


def test_callbacks_hear_of_the_end(path, clock, play):
    make_file(path)
    live = play()
    statuses = []
    ended = threading.Event()

    def called(table: LiveTable) -> None:
        statuses.append(table.status)
        if table.status.startswith("stopped"):
            ended.set()

    live.on_change(called)
    clock.set(100.0)
    assert ended.wait(20)
    assert statuses[-1] == "stopped: the recording has ended"


def test_nothing_is_proved(path, clock, play):
    make_file(path)
    live = play()
    proof = live.verify()
    assert not proof
    assert "no server to compare with" in str(proof)
    assert (proof.rows, live.refresh().how) == (2, proof.how)


def test_closing_while_another_waits(path, clock, play):
    make_file(path)
    live = play()
    clock.wait_until_waiting(2.0)
    caught = []

    def wait() -> None:
        with pytest.raises(LiveError, match="closed") as error:
            live.wait_for(99, timeout=None)
        caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    close(live, clock)
    thread.join(20)
    assert not thread.is_alive()
    assert (len(caught), live.status, ids(live), live.error) == (1, "stopped: closed", [1, 2], None)
    live.close()


def test_closing_ends_a_long_wait_of_the_system_clock(path):
    make_file(path)
    live = replay(path, speed=1e-9)
    with pytest.raises(RequestTimeoutError, match="2 rows, replaying"):
        live.wait_for(3, timeout=0.01)
    live.close()
    live._follower._thread.join(20)
    assert not live._follower._thread.is_alive()


def test_a_replay_that_is_forgotten_warns_and_ends(path):
    make_file(path)
    live = replay(path)
    thread = live._follower._thread
    with pytest.warns(ResourceWarning, match="was not closed"):
        del live
    thread.join(20)
    assert not thread.is_alive()


def test_a_recording_that_breaks_off(path):
    store = make_file(path, end=False)
    with replay(path, speed=INF) as live:
        live.wait_for(lambda live: live.status != "replaying")
        assert (live.status, live.error) == ("stopped: the recording breaks off here", None)
        assert live.arrow().equals(store.arrow())


def test_a_gap_is_told(path):
    store = make_file(path, gap=True)
    with replay(path, speed=INF) as live:
        live.wait_for(lambda live: live.status != "replaying")
        assert live.arrow().equals(store.arrow())
        assert live.notice.startswith("More changed than could be recorded one by one, once, the last time before 1970")
        assert live.delta(2).reset


def test_damage_stops_it_visibly(path):
    make_file(path)
    data = bytearray(path.read_bytes())
    records = list(read_recording(io.BytesIO(bytes(data)), "x"))
    assert isinstance(records[-1], RecordedEnd)
    at = data.rindex(b"\xff\xff\xff\xff", 0, len(data) - 8)
    data[at + 8 : at + 40] = b"\x00" * 32
    path.write_bytes(bytes(data))
    with replay(path, speed=INF) as live:
        live.wait_for(lambda live: live.status != "replaying")
        assert isinstance(live.error, RecordingError)
        assert "damaged" in live.status
        assert ids(live) == [1, 3]
        with pytest.raises(RecordingError):
            list(live.batches())


def test_what_cannot_be_replayed(path, tmp_path):
    with pytest.raises(RecordingError, match="cannot be read: No such file"):
        replay(path)
    with pytest.raises(RecordingError, match="cannot be read"):
        replay(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(RecordingError, match="breaks off before its first rows"):
        replay(path)
    for speed in (0, -1, float("nan")):
        with pytest.raises(ConfigError, match="greater than 0"):
            replay(path, speed=speed)


def test_a_replay_in_a_forked_child(path, monkeypatch):
    make_file(path)
    with replay(path) as live:
        monkeypatch.setattr(live._follower, "_pid", -1)
        with pytest.raises(LiveError, match="belongs to the process that forked"):
            live.arrow()
        live.close()
        monkeypatch.undo()
        assert live.status == "replaying"


def read(path):
    with path.open("rb") as file:
        return list(read_recording(file, str(path)))


def test_a_replay_can_be_recorded(path, tmp_path, clock, play):
    make_file(path)
    live = play()
    clock.wait_until_waiting(2.0)
    with live.record(tmp_path / "y.arrows"):
        clock.set(100.0)
        live.wait_for(lambda live: live.status.startswith("stopped"))
    first, *changes, _ = read(path)
    second, *others, _ = read(tmp_path / "y.arrows")
    assert second.rows.equals(first.rows)
    assert steps(others) == steps(changes)


def steps(records):
    return [(step.version, step.at, step.rows, step.places) for record in records for step in record.steps]


@pytest.mark.parametrize("speed", ["1", "inf"])
def test_a_process_may_end_in_the_middle_of_a_replay(path, speed):
    make_file(path)
    code = "import sys, kalam_notebook as k; live = k.replay(sys.argv[1], speed=float(sys.argv[2])); print(live.form)"
    command = [sys.executable, "-c", code, str(path), speed]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "direct\n", "")
