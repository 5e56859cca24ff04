"""`live.pipe`: what a function makes of a live table, again and again, and whatever the function does."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from itertools import pairwise

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from test_live_store import delete, insert, update

from kalam_notebook.errors import ConfigError, LiveError


def by_body(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.groupby("body")[["n"]].sum()


def test_it_follows_and_tells_what_changed(kept, live):
    piped = live.pipe(by_body, every=0)
    assert piped.arrow().to_pydict() == {"n": [1, 2], "body": ["a", "b"]}
    assert (piped.key, piped.form, piped.status, piped.sql) == (
        ("body",),
        "re-run",
        "live",
        "by_body of SELECT * FROM a.b",
    )
    kept.change(insert(3, 12, "b", 5))
    piped.wait_for(lambda table: 7 in table.df()["n"].tolist(), timeout=10)
    (change,) = piped.changes().to_dict("records")
    assert (change["_change"], change["body"], change["n"], change["_old"]["n"]) == ("updated", "b", 7, 2)
    assert piped.at(change["_at"]).df()["n"].tolist() == [1, 7]
    kept.change(delete(1, 13))
    piped.wait_for(lambda table: table.num_rows == 1, timeout=10)
    assert (piped.stats.updated, piped.stats.deleted) == (1, 1)
    assert "verify the live table that they are made of" in str(piped.verify())


@pytest.mark.parametrize("make", [pl.from_pandas, pa.Table.from_pandas, lambda frame: frame.iloc[::-1]])
def test_frames_of_all_libraries(live, make):
    piped = live.pipe(make)
    assert sorted(piped.arrow().column("body").to_pylist()) == ["a", "b"]


def test_it_is_called_at_most_so_often_and_only_after_a_change(kept, live):
    times: list[float] = []

    def make(frame):
        times.append(time.monotonic())
        return frame

    piped = live.pipe(make, every=0.2)
    kept.bell.ring()  # The status changed, and no row.
    for number in range(20):
        kept.change(update(1, 20 + number, body="x", n=number))
        time.sleep(0.01)
    piped.wait_for(lambda table: 19 in table.df()["n"].tolist(), timeout=10)
    assert 2 <= len(times) < 10
    assert all(after - before > 0.1 for before, after in pairwise(times))


def test_what_the_function_raises_is_told_and_ends_nothing(kept, live):
    def make(frame):
        if len(frame) == 3:
            raise KeyError("no <b>third</b>\nsecond line")
        return frame if len(frame) < 5 else 7

    piped = live.pipe(make, every=0)
    kept.change(insert(3, 12, "c", 3))
    piped.wait_for(lambda table: "raised" in table.notice, timeout=10)
    assert piped.notice.splitlines()[-1].startswith("make raised KeyError: ")
    assert piped.notice.endswith("the rows are those of before.")
    assert (piped.num_rows, piped.error, piped.status) == (2, None, "live")
    kept.change(insert(4, 13, "d", 4))
    piped.wait_for(4, timeout=10)
    assert piped.notice == live.notice
    kept.change(insert(5, 14, "e", 5))
    piped.wait_for(lambda table: "raised" in table.notice, timeout=10)
    assert "returned int, and pipe needs a frame with an Arrow stream" in piped.notice


def test_the_first_call_raises_here(live):
    with pytest.raises(ZeroDivisionError):
        live.pipe(lambda frame: 1 / 0)
    with pytest.raises(ConfigError, match="the function returned list"):
        live.pipe(lambda frame: [])
    with pytest.raises(ConfigError, match="make is a function, not int"):
        live.pipe(7)
    for every in (None, -1, "1"):
        with pytest.raises(ConfigError, match="seconds"):
            live.pipe(by_body, every=every)


def test_other_columns_are_shown_anew(kept, live):
    piped = live.pipe(lambda frame: frame.assign(more=1.5) if len(frame) > 2 else frame, every=0)
    version = piped.version
    kept.change(insert(3, 12, "c", 3))
    piped.wait_for(3, timeout=10)
    assert piped.schema.names == ["id", "body", "n", "more"]
    assert piped.version > version
    assert piped.delta(version).reset


def test_it_ends_with_its_table_after_the_last_change(kept, live):
    frozen = []

    class View:
        def freeze(self):
            frozen.append(piped.num_rows)

    piped, view = live.pipe(lambda frame: frame, every=1000), View()
    piped.attach_view(view)
    kept.change(insert(3, 12, "c", 3))
    kept.status = "stopped: over"
    live.close()
    assert (piped.status, piped.error, piped.num_rows, frozen) == ("stopped: over", None, 3, [3])
    with pytest.raises(LiveError):
        live.pipe(by_body)


def test_closing_it_leaves_its_table_alone(live):
    piped = live.pipe(by_body)
    piped.close()
    assert (piped.status, live.status) == ("stopped: closed", "live")
    with pytest.raises(LiveError, match="has stopped: closed"):
        piped.wait_for(99)


def test_pause_and_resume(kept, live):
    piped = live.pipe(lambda frame: frame, every=0)
    piped.pause()
    assert piped.status == "paused"
    kept.change(insert(3, 12, "c", 3))
    assert piped.num_rows == 2
    piped.resume()
    piped.wait_for(3, timeout=10)


def test_a_function_that_never_returns_holds_up_nobody(kept, live):
    called, let_go = threading.Event(), threading.Event()

    def make(frame):
        if len(frame) > 2:
            called.set()
            let_go.wait(20)
        return frame

    piped = live.pipe(make, every=0)
    kept.change(insert(3, 12, "c", 3))
    assert called.wait(10)
    assert piped.df()["id"].tolist() == [1, 2]
    began = time.monotonic()
    live.close()
    assert time.monotonic() - began < 5
    assert piped.status.startswith("stopped")
    let_go.set()
    piped._follower._thread.join(10)
    assert piped.num_rows == 2


def test_pipes_of_pipes(kept, live):
    last = live.pipe(by_body, every=0).pipe(lambda frame: frame.agg(["sum"])[["n"]], every=0)
    kept.change(insert(3, 12, "c", 4))
    last.wait_for(lambda table: table.df()["n"].tolist() == [7], timeout=10)
    live.close()
    assert last.status.startswith("stopped")


def test_what_nobody_holds_is_collected(live):
    piped = live.pipe(by_body)
    reference, thread = weakref.ref(piped), piped._follower._thread
    del piped
    gc.collect()
    assert reference() is None
    thread.join(10)
    assert not thread.is_alive()
    assert not list(live._pipes)
