"""Recording and replaying live tables: threads, time and files; nothing here sleeps."""

from __future__ import annotations

import asyncio
import io
import logging
import math
import os
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
from kalam_notebook.live_queries.recording import recorder as recorder_module
from kalam_notebook.live_queries.recording.format import End, Origin
from kalam_notebook.live_queries.recording.player import Player
from kalam_notebook.live_queries.recording.playhead import Playhead
from kalam_notebook.live_queries.recording.reader import read_recording
from kalam_notebook.live_queries.recording.recorder import LiveRecorder
from kalam_notebook.live_queries.recording.writer import RecordingWriter
from kalam_notebook.live_queries.replay import replay
from kalam_notebook.live_queries.rows.fingerprint import Proof
from kalam_notebook.live_queries.rows.history import History
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
def path(tmp_path):
    return tmp_path / "x.arrows"


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def play(path, clock):
    tables = []

    def play(**options) -> LiveTable:
        player = Player(path, **{"speed": 1.0, "clock": clock, **options})
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
    assert isinstance(records[-1], End)
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


# Recording.


def test_what_is_recorded_can_be_replayed(kept, live, path):
    with live.record(path) as recorder:
        kept.change(insert(3, 12), at=time.time())
        kept.change(delete(1, 13), update(2, 14, body="q"), at=time.time())
        wait_for(lambda: recorder.changes == 3)
        kept.change(insert(4, 15), at=time.time())
    assert (recorder.error, recorder.is_recording, recorder.gaps, recorder.changes) == (None, False, 0, 4)
    assert repr(recorder) == f"<LiveRecorder {path}, 4 changes, closed>"
    kept.change(insert(5, 16))
    with replay(path, speed=INF) as again:
        again.wait_for(lambda again: again.status == "stopped: the recording has ended")
        assert ids(again) == [2, 3, 4]
        expected = live.changes().iloc[:-1].drop(columns="_at")
        assert again.changes().drop(columns="_at").equals(expected)
        assert (again.notice, again.sql) == ("Not all is well.", SQL)


def test_closing_the_table_ends_the_recording(kept, path):
    live = LiveTable(kept, sql=SQL)
    recorder = live.record(path)
    kept.change(insert(3, 12))
    live.close()
    assert not recorder.is_recording
    assert read(path)[-1].at
    recorder.close()
    with pytest.raises(LiveError, match="over"):
        live.record(path, overwrite=True)


def read(path):
    with path.open("rb") as file:
        return list(read_recording(file, str(path)))


def test_when_the_table_stops_the_recording_ends(kept, live, path):
    recorder = live.record(path)
    kept.close()
    wait_for(lambda: not recorder.is_recording)
    assert read(path)[-1].at


def test_files_are_not_overwritten_unasked(live, path, tmp_path):
    path.write_text("precious")
    with pytest.raises(RecordingError, match="exists already"):
        live.record(path)
    assert path.read_text() == "precious"
    live.record(str(path), overwrite=True).close()
    assert len(read(path)) == 2
    with pytest.raises(RecordingError, match="cannot be written: No such file"):
        live.record(tmp_path / "no" / "x.arrows")


def test_when_too_much_has_changed_all_rows_are_written_again(kept, live, path, monkeypatch):
    with live.record(path) as recorder:
        with kept.lock:
            kept.store.apply([insert(3, 12)])
            kept.store._history = History(version=kept.store.version, max_entries=10, max_cells=10)
        kept.bell.ring()
        wait_for(lambda: recorder.gaps == 1)
        kept.change(insert(4, 13))
    with replay(path, speed=INF) as again:
        again.wait_for(lambda again: again.status.startswith("stopped"))
        assert (ids(again), "More changed than" in again.notice) == ([1, 2, 3, 4], True)


class FullDisk(io.BytesIO):
    """Takes the first rows, and nothing after that once it is full."""

    is_full = False

    def write(self, data) -> int:
        if self.is_full:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_disk_stops_the_recording_and_not_the_table(kept, live, path, monkeypatch, caplog):
    disk = FullDisk()
    monkeypatch.setattr(recorder_module, "_create", lambda path, overwrite: disk)
    recorder = live.record(path)
    disk.is_full = True

    def change() -> None:
        kept.change(insert(3, 12))
        wait_for(lambda: not recorder.is_recording)

    caplog.set_level(logging.ERROR, "kalam_notebook.live")
    with pytest.warns(RuntimeWarning, match="not recorded any more"):
        change()
    assert isinstance(recorder.error, RecordingError)
    assert "cannot be written: No space left on device" in str(recorder.error)
    assert "No space left" in caplog.text
    assert repr(recorder).endswith("stopped>")
    kept.change(insert(4, 13))
    assert ids(live) == [1, 2, 3, 4]
    recorder.close()


def test_a_disk_that_is_full_at_once(live, path, monkeypatch):
    disk = FullDisk()
    disk.is_full = True
    monkeypatch.setattr(recorder_module, "_create", lambda path, overwrite: disk)
    with pytest.raises(RecordingError, match="No space left"):
        live.record(path)
    assert disk.closed


def test_the_table_never_waits_for_the_disk(kept, live, path, monkeypatch):
    opened, reached = threading.Event(), threading.Event()

    class SlowDisk(io.BytesIO):
        is_slow = False

        def write(self, data) -> int:
            if self.is_slow:
                reached.set()
                assert opened.wait(20)
            return super().write(data)

    disk = SlowDisk()
    monkeypatch.setattr(recorder_module, "_create", lambda path, overwrite: disk)
    recorder = live.record(path)
    disk.is_slow = True
    kept.change(insert(3, 12))
    assert reached.wait(20)
    for number in range(4, 100):
        kept.change(insert(number, number + 20))
    assert live.num_rows == 99
    opened.set()
    recorder.close()
    assert recorder.changes == 97


def test_a_forked_child_leaves_the_file_alone(live, path, monkeypatch):
    recorder = live.record(path)
    monkeypatch.setattr(recorder, "_pid", -1)
    recorder.close()
    assert recorder.is_recording
    monkeypatch.undo()
    recorder.close()
    assert not recorder.is_recording


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


KILLED = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_recording_replay import Kept, insert, LiveRecorder
kept = Kept()
recorder = LiveRecorder(kept, sql="SELECT 1", path=Path(sys.argv[2]))
kept.change(insert(3, 12))
while recorder.changes < 1:
    time.sleep(0.001)
os._exit(1) if sys.argv[3] == "kill" else None
"""


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_the_file_outlives_the_kernel(path, how):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", KILLED, os.path.dirname(__file__), str(path), how],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    records = read(path)
    assert [type(record).__name__ for record in records] == ["Snapshot", "Changes", "End"]
    assert (records[-1].at is None) == (how == "kill")


@pytest.mark.parametrize("speed", ["1", "inf"])
def test_a_process_may_end_in_the_middle_of_a_replay(path, speed):
    make_file(path)
    code = "import sys, kalam_notebook as k; live = k.replay(sys.argv[1], speed=float(sys.argv[2])); print(live.form)"
    command = [sys.executable, "-c", code, str(path), speed]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "direct\n", "")


def test_what_breaks_is_told(kept, path, monkeypatch):
    recorder = LiveRecorder(kept, sql=SQL, path=path)
    monkeypatch.setattr(recorder._writer, "glance", lambda rows: 1 / 0)
    kept.change(insert(3, 12))
    wait_for(lambda: not recorder.is_recording)
    assert "broke in an unexpected way: ZeroDivisionError" in str(recorder.error)
