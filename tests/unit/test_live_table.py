"""Live tables against a socket in the same process and rows in a dict: what a reader sees, whatever happens between."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from followed import (  # noqa: F401
    SOON,
    SQL,
    Gate,
    ReadGate,
    gone,
    held,
    ids,
    live_pool,
    live_server,
    live_socket,
    no_spread,
    open_live_table,
    row,
    row_source,
)

from kalam_notebook.errors import ConfigError, RequestTimeoutError
from kalam_notebook.live_queries.table import LiveTable

# Reading and following.


def test_rows_are_there_at_once_and_follow(server, open_table):
    table = open_table()
    assert held(table) == {1: ("a", 0), 2: ("a", 0)}
    assert (table.status, table.error, table.notice, table.key, table.sql) == ("live", None, None, ("id",), SQL)
    assert [column.name for column in table.columns] == table.schema.names == ["id", "room", "n"]
    server.change("insert", row(3, 12, "b", 7))
    table.wait_for(3)
    server.change("update", {"id": "1", "_seq": "13", "n": 5})
    table.wait_for(lambda t: t.stats.updated)
    server.change("delete", gone(2, 14))
    table.wait_for(lambda t: t.stats.deleted)
    assert held(table) == {1: (None, 5), 3: ("b", 7)}
    stats = table.stats
    assert (stats.inserted, stats.updated, stats.deleted, stats.events) == (1, 1, 1, 3)
    assert (stats.reconnects, stats.rows, stats.last_seq, stats.healed) == (0, 2, 14, 0)
    assert stats.events_per_second > 0
    assert stats.bytes_per_second > stats.events_per_second


def test_statements_that_are_sent(server, source, open_table):
    table = open_table("SELECT n FROM chat.messages WHERE id = 1 OR id = 2")
    (subscribed,) = server.active.values()
    assert subscribed[1] == "SELECT * FROM chat.messages WHERE (id = 1 OR id = 2)"
    (plan,) = source.reads
    assert (plan.source, plan.filter_sql, plan.form.value) == ("chat.messages", "id = 1 OR id = 2", table.form)
    assert [column.name for column in plan.columns] == ["id", "n", "_seq"]
    assert (table.schema.names, table.key) == (["n"], ("id",))
    server.change("update", row(1, 20, n=9))
    table.wait_for(lambda t: t.stats.updated)
    assert sorted(table.arrow().column("n").to_pylist()) == [0, 9]


def test_hidden_columns_when_selected_by_name(server, open_table):
    table = open_table("SELECT _seq, id FROM chat.messages")
    assert table.arrow().to_pylist() == [{"_seq": 10, "id": 1}, {"_seq": 11, "id": 2}]


def test_events_that_come_after_the_rows_were_read(server, source, open_table):
    gate = ReadGate(source, 1)
    tables = []
    thread = threading.Thread(target=lambda: tables.append(open_table()))
    thread.start()
    assert gate.reached.wait(10)
    # Each of these is newer or older than what has been read.
    source.put(row(2, 20, "new"), row(3, 21))
    source.remove("1", seq=22)
    server.change("update", row(1, 9, "late"))
    server.change("update", row(2, 20, "new"))
    server.change("insert", row(3, 21))
    server.change("delete", gone(1, 22))
    server.change("insert", row(4, 23))
    server.change("delete", gone(4, 24))
    server.change("insert", row(4, 23))
    gate.opened.set()
    thread.join(10)
    (table,) = tables
    table.wait_for(lambda t: t.stats.events == 7)
    assert held(table) == {2: ("new", 0), 3: ("a", 0)}
    assert table.verify()
    assert (len(source.reads), table.stats.healed) == (1, 0)


def test_a_slow_reading_holds_up_no_other_table(server, source, open_table):
    quick = open_table()
    gate = Gate(source, 2)
    slow: list[LiveTable] = []
    thread = threading.Thread(target=lambda: slow.append(open_table()))
    thread.start()
    assert gate.reached.wait(10)
    server.change("insert", row(3, 12))
    quick.wait_for(3)
    gate.opened.set()
    thread.join(10)
    slow[0].wait_for(3)


def test_stream_rows_go_by_their_seq(server, source, open_table):
    source.kind = "stream"
    table = open_table()
    assert (table.key, table.notice) == (("_seq",), None)
    server.change("insert", row(1, 30))
    table.wait_for(3)
    assert ids(table) == [1, 2, 1]
    server.change("delete", {"row_id": "root:10"})
    table.wait_for(lambda t: t.num_rows == 2)
    assert ids(table) == [2, 1]


def test_stream_rows_expire_by_the_servers_clock(server, source, open_table):
    source.kind, source.ttl_ms = "stream", 60_000
    seconds = [seconds << 32 for seconds in (5, 10, 90)]  # Any _seq: its upper bits are milliseconds.
    source.rows.clear()
    source.put(*(row(number, seq) for number, seq in enumerate(seconds)))
    oldest_ms = (seconds[1] >> 22) + 1_704_067_200_000
    source.now_ms = oldest_ms + 59_900
    table = open_table(rhythm=SOON)
    table.wait_for(lambda t: ids(t) == [2])
    assert table.changes()["_change"].tolist() == ["expired", "expired"]


def test_max_rows(server, open_table):
    table = open_table(max_rows=2)
    server.change("insert", row(3, 12))
    table.wait_for(lambda t: 3 in ids(t))
    assert ids(table) == [2, 3]


@pytest.mark.parametrize("max_rows", [0, -1, 1.5, "5", True])
def test_max_rows_has_to_leave_a_row(open_table, max_rows):
    with pytest.raises(ConfigError, match="from 1 on"):
        open_table(max_rows=max_rows)


def test_frames(server, open_table):
    table = open_table()
    server.change("update", {"id": "1", "_seq": "20", "room": "b"})
    table.wait_for(lambda t: t.stats.updated)
    assert str(table.df().dtypes["n"]) == "Int32"
    assert table.df()["n"].isna().tolist() == [True, False]
    pytest.importorskip("polars")
    assert table.polars()["room"].to_list() == ["b", "a"]


# Deltas.


def test_deltas_for_a_view(server, open_table):
    table = open_table()
    start = table.delta(-1)
    assert (start.reset, start.row_ids, start.num_rows, start.version) == (True, (0, 1), 2, table.version)
    server.change("insert", row(3, 12))
    server.change("delete", gone(1, 13))
    table.wait_for(lambda t: t.stats.deleted)
    delta = table.delta(start.version)
    assert (delta.reset, delta.row_ids, delta.inserted, delta.removed) == (False, (2,), frozenset({2}), (0,))
    assert delta.rows.to_pylist() == [{"id": 3, "room": "a", "n": 0}]


# What happened.


def test_changes_tell_cells_before_and_after(server, open_table):
    table = open_table()
    server.change("insert", row(3, 12, "b", 7))
    server.change("update", {"id": "1", "_seq": "13", "n": 5, "room": "a"})
    server.change("delete", gone(2, 14))
    table.wait_for(lambda t: t.stats.deleted)
    frame = table.changes()
    assert frame["_change"].tolist() == ["inserted", "updated", "deleted"]
    assert frame["_seq"].tolist() == [12, 13, 14]
    assert [None if names is None else list(names) for names in frame["_changed"]] == [None, ["n"], None]
    assert frame["id"].tolist() == [3, 1, 2]
    assert frame["_old"][0] is None
    assert frame["_old"][1] == {"id": 1, "room": "a", "n": 0}
    assert not frame["_healed"].any()
    assert table.changes(last=1)["_change"].tolist() == ["deleted"]


def test_batches_of_changes(server, open_table):
    table = open_table()
    batches = table.batches()
    server.change("insert", row(3, 12))
    first = next(batches)
    assert (first.is_whole, first.table.column("id").to_pylist()) == (True, [3])
    assert first.df()["_change"].tolist() == ["inserted"]
    table.close()
    assert list(batches) == []


def test_batches_of_changes_without_blocking_a_loop(server, open_table):
    table = open_table()

    seen = []

    async def main():
        batches = table.batches()
        server.change("insert", row(3, 12))
        async for batch in batches:
            seen.extend(batch.table.column("id").to_pylist())
            if seen[-1] == 5:
                break
            server.change("insert", row(seen[-1] + 1, seen[-1] + 20))

    asyncio.run(main())
    assert seen == [3, 4, 5]


def test_an_await_that_is_given_up_loses_no_batch(server, open_table):
    table = open_table()

    async def main():
        batches = table.batches()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(batches), 0.01)
        server.change("insert", row(3, 12))
        table.wait_for(3)
        return await anext(batches)

    assert asyncio.run(main()).table.column("id").to_pylist() == [3]


@pytest.mark.parametrize("loop", [iter, aiter, list, pd.Series])
def test_the_table_itself_cannot_be_looped_over(loop, open_table):
    with pytest.raises(TypeError, match=r"Type live\.df\(\), .* live\.batches\(\) for its changes\."):
        loop(open_table())


# Waiting.


def test_wait_for_tells_when_time_is_up(open_table):
    table = open_table()
    with pytest.raises(RequestTimeoutError, match=r"within 0\.05 s: 2 rows, live") as caught:
        table.wait_for(99, timeout=0.05)
    assert isinstance(caught.value, TimeoutError)


def test_wait_for_takes_numbers_of_any_library_and_nothing_else(open_table):
    table = open_table()
    table.wait_for(np.int64(2), timeout=math.inf)
    with pytest.raises(ConfigError, match="a number of rows or a function"):
        table.wait_for("2")


def test_waiting_without_an_end(server, open_table):
    table = open_table()
    waiting = ThreadPoolExecutor(1).submit(table.wait_for, 3, timeout=math.inf)
    server.change("insert", row(9, 30))
    waiting.result(10)
    assert table.verify(timeout=math.inf)


def test_the_version_stays_when_a_reading_brings_nothing_new(open_table):
    table = open_table()
    version = table.version
    table.refresh()
    table.refresh()
    assert table.version == version


# Callbacks.


def test_callbacks_run_on_a_thread_of_their_own(server, open_table):
    table = open_table()
    table.verify()
    seen = []
    called, release = threading.Event(), threading.Event()

    def callback(live):
        seen.append((live is table, threading.current_thread().name, live.num_rows))
        called.set()
        release.wait(20)

    stop = table.on_change(callback)
    server.change("insert", row(3, 12))
    assert called.wait(10)
    # A callback that does not return holds up nothing.
    server.change("insert", row(4, 13))
    table.wait_for(4)
    assert seen == [(True, "kalam-live-callbacks", 3)]
    called.clear()
    release.set()
    assert called.wait(10)
    assert seen[-1][2] == 4
    stop()
    stop()
    others = threading.Event()
    table.on_change(lambda t: others.set())
    number = len(seen)
    server.change("insert", row(5, 14))
    assert others.wait(10)
    assert len(seen) == number


def test_callbacks_hear_of_the_end(open_table):
    table = open_table()
    statuses, ended = [], threading.Event()

    def callback(live):
        statuses.append(live.status)
        if live.status == "stopped: closed":
            ended.set()

    table.on_change(callback)
    table.close()
    assert ended.wait(10)


def test_what_a_callback_raises_is_shown_and_ends_nothing(server, open_table, caplog):
    table = open_table()
    table.verify()
    called = threading.Semaphore(0)
    after = threading.Semaphore(0)

    def broken(live):
        called.release()
        raise ZeroDivisionError("oops")

    table.on_change(broken)
    table.on_change(lambda live: after.release())

    def change_and_wait(seq):
        server.change("update", row(1, seq))
        assert called.acquire(timeout=10)
        assert after.acquire(timeout=10)

    for seq in (12, 13):
        with pytest.warns(RuntimeWarning, match=r"Callback .*broken of a live table raised ZeroDivisionError: oops"):
            change_and_wait(seq)
    assert "broken of a live table raised" in caplog.text
    assert caplog.records[0].levelno == logging.ERROR


# In a notebook.


def test_repr_is_short_and_without_data(server, open_table):
    table = open_table()
    assert repr(table) == "<LiveTable chat.messages, 2 rows, live>"


def test_display_goes_to_the_widget(open_table, monkeypatch):
    shown = []
    fake = types.ModuleType("kalam_notebook.notebook.page.live_view")
    fake.display_live = shown.append
    monkeypatch.setitem(sys.modules, "kalam_notebook.notebook.page.live_view", fake)
    table = open_table()
    table._ipython_display_()
    assert shown == [table]
