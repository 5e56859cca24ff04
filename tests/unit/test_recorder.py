"""Recording live tables: what ends it, what a disk refuses, and that the table never waits; nothing here sleeps."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
import time

import pytest
from test_live_store import delete, insert, update
from test_recording_replay import INF, SQL, ids, read, wait_for

from kalam_notebook.errors import LiveError, RecordingError
from kalam_notebook.live_queries.recording import recorder as recorder_module
from kalam_notebook.live_queries.recording.recorder import LiveRecorder
from kalam_notebook.live_queries.replay import replay
from kalam_notebook.live_queries.rows.history import History
from kalam_notebook.live_queries.table import LiveTable


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


KILLED = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_recording_replay import Kept, insert
from kalam_notebook.live_queries.recording.recorder import LiveRecorder
kept = Kept()
recorder = LiveRecorder(kept, sql="SELECT 1", path=Path(sys.argv[2]))
kept.change(insert(3, 12))
while recorder.changes < 1:
    time.sleep(0.001)
os._exit(1) if sys.argv[3] == "kill" else None
"""


@pytest.mark.parametrize("how", ["kill", "exit"])
@pytest.mark.slow
def test_the_file_outlives_the_kernel(path, how):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", KILLED, os.path.dirname(__file__), str(path), how],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    records = read(path)
    assert [type(record).__name__ for record in records] == ["Snapshot", "RecordedChanges", "RecordedEnd"]
    assert (records[-1].at is None) == (how == "kill")


def test_what_breaks_is_told(kept, path, monkeypatch):
    recorder = LiveRecorder(kept, sql=SQL, path=path)
    monkeypatch.setattr(recorder._writer, "glance", lambda rows: 1 / 0)
    kept.change(insert(3, 12))
    wait_for(lambda: not recorder.is_recording)
    assert "broke in an unexpected way: ZeroDivisionError" in str(recorder.error)
