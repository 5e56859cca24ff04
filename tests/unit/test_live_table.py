"""Live tables against a socket in the same process and rows in a dict: what a reader sees, whatever happens between."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import re
import sys
import threading
import time
import types
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import repeat

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from live_socket_server import SCHEMA, SocketServer
from live_source import RowSource

from kalam_notebook.errors import (
    ConfigError,
    ConnectError,
    LiveError,
    QueryError,
    RequestTimeoutError,
    SubscriptionError,
)
from kalam_notebook.live_queries import opening
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.following import follower as follower_module
from kalam_notebook.live_queries.following import hearing, rounds
from kalam_notebook.live_queries.following.plan import ResultReading
from kalam_notebook.live_queries.following.pool import Pool
from kalam_notebook.live_queries.following.schedule import Rhythm
from kalam_notebook.live_queries.rows.fingerprint import Fingerprint
from kalam_notebook.live_queries.table import LiveTable
from kalam_notebook.settings import Timeouts
from kalam_notebook.wire.types import Column

SQL = "SELECT * FROM chat.messages"


def row(row_id, seq, room="a", n=0):
    return {"id": str(row_id), "room": room, "n": n, "_seq": str(seq), "_deleted": False}


def gone(row_id, seq):
    return {**row(row_id, seq), "_deleted": True}


@pytest.fixture(autouse=True)
def no_spread(monkeypatch):
    """What is asked after a reconnect is asked soon."""
    monkeypatch.setattr(follower_module, "SPREAD", 0.02)


@pytest.fixture
def server():
    with SocketServer() as server:
        yield server


@pytest.fixture
def source():
    source = RowSource(SCHEMA)
    source.put(row(1, 10), row(2, 11))
    return source


@pytest.fixture
def socket(server, source):
    socket = LiveSocket(
        url=server.url, token=source.access_token, timeouts=Timeouts(keepalive=0.5), delays=lambda: repeat(0.01)
    )
    yield socket
    socket.close()


@pytest.fixture
def pool():
    pool = Pool(per_second=1000)
    yield pool
    pool.close()


#: Checks ask soon, so that tests need not wait; and not by itself.
SOON = Rhythm(settle=0.01, gap=0.02, rest=0.0, calm=0.05, usual=600.0)

#: Checks ask only when it is told to.
NEVER = Rhythm(settle=600.0, gap=600.0, calm=600.0, usual=600.0)


@pytest.fixture
def open_table(source, socket, pool):
    tables = []

    def open_table(sql=SQL, **options) -> LiveTable:
        tables.append(opening.open_table(sql, source=source, socket=socket, pool=pool, **{"rhythm": NEVER, **options}))
        return tables[-1]

    yield open_table
    for table in tables:
        table.close()


class Gate:
    """Holds up the n-th reading until it is opened."""

    def __init__(self, source: RowSource, number: int) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self.number = number
        self._guard(source)

    def _guard(self, source: RowSource) -> None:
        source.before_read = self._pass

    def _pass(self, number: int) -> None:
        if number == self.number:
            self.reached.set()
            assert self.opened.wait(20)


class ReadGate(Gate):
    """Holds up the n-th reading when it has been read and not been used."""

    def _guard(self, source: RowSource) -> None:
        source.after_read = self._pass


class DeltaGate(Gate):
    """Holds up the n-th delta."""

    def _guard(self, source: RowSource) -> None:
        source.before_delta = self._pass


def held(table):
    return {cells["id"]: (cells["room"], cells["n"]) for cells in table.arrow().to_pylist()}


def ids(table):
    return table.arrow().column("id").to_pylist()


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


# Reconnecting.


def test_a_server_that_does_not_answer_for_a_while_is_no_lost_connection(server, source, pool):
    timeouts = Timeouts(keepalive=0.05, pong=30.0)
    socket = LiveSocket(url=server.url, token=source.access_token, timeouts=timeouts, delays=lambda: repeat(0.01))
    with opening.open_table(SQL, source=source, socket=socket, pool=pool, rhythm=NEVER) as table:
        server.freeze()
        table.wait_for(lambda t: t.status == "waiting for the server")
        assert "does not answer just now" in table.notice
        server.thaw()
        table.wait_for(lambda t: t.status == "live")
        assert (table.notice, table.stats.reconnects) == (None, 0)
    socket.close()


def test_after_a_reconnect_the_changes_are_fetched_and_proved(server, source, open_table):
    table = open_table()
    table.verify()
    version = table.version
    gate = DeltaGate(source, len(source.deltas) + 1)
    source.remove("2", seq=19)
    source.put(row(1, 20, "changed"), row(3, 21))
    server.cut()
    assert gate.reached.wait(10)
    assert (table.status, held(table)) == ("catching up", {1: ("a", 0), 2: ("a", 0)})
    source.put(row(4, 22))
    server.change("insert", row(4, 22))
    table.wait_for(3)
    gate.opened.set()
    table.wait_for(lambda t: t.status == "live")
    assert held(table) == {1: ("changed", 0), 3: ("a", 0), 4: ("a", 0)}
    delta = table.delta(version)
    assert (delta.reset, delta.row_ids, delta.removed) == (False, (0, 2, 3), (1,))
    assert (table.stats.reconnects, table.stats.healed, len(source.reads)) == (1, 3, 1)
    assert table.verify()
    assert table.stats.verified_seq == 22


def test_deletes_that_a_flush_has_hidden_are_found_by_the_fingerprint(server, source, open_table):
    table = open_table()
    table.verify()
    version = table.version
    gate = Gate(source, 2)
    source.remove("2")
    source.put(row(3, 21))
    server.cut()
    assert gate.reached.wait(10)
    # What the delta told is there; that it does not explain the fingerprint is known by now.
    assert (table.status, held(table)) == ("catching up", {1: ("a", 0), 2: ("a", 0), 3: ("a", 0)})
    source.put(row(4, 22))
    server.change("insert", row(4, 22))
    table.wait_for(4)
    gate.opened.set()
    table.wait_for(lambda t: t.status == "live")
    assert held(table) == {1: ("a", 0), 3: ("a", 0), 4: ("a", 0)}
    delta = table.delta(version)
    assert (delta.reset, delta.row_ids, delta.removed) == (False, (2, 3), (1,))


def test_status_while_the_server_is_away(server, source, pool):
    source.rows.clear()
    waiting = threading.Event()
    socket = LiveSocket(url=server.url, token=source.access_token, delays=lambda: repeat(2.5))
    with opening.open_table(SQL, source=source, socket=socket, pool=pool) as table:
        statuses = []
        table.on_change(lambda t: (statuses.append(t.status), waiting.set()))
        server.cut()
        table.wait_for(lambda t: t.status.startswith("reconnecting"))
        assert table.status in {"reconnecting in 3 s", "reconnecting in 2 s"}
        assert waiting.wait(10)
    socket.close()


def test_why_there_is_no_connection_is_told_until_it_is_back(server, source, pool):
    socket = LiveSocket(url=server.url, token=source.access_token, delays=lambda: repeat(0.2))
    with opening.open_table(SQL, source=source, socket=socket, pool=pool) as table:
        server.http_status.extend([503] * 3)
        server.cut()
        table.wait_for(lambda t: "503" in (t.notice or ""))
        assert re.fullmatch(r"No connection to the server: .+\. The rows are those of before\.", table.notice)
        table.wait_for(lambda t: t.status == "live" and t.notice is None)
    socket.close()


def test_a_table_that_has_ended_is_not_asked_again(source, open_table):
    table = open_table()
    source.before_read = source.before_delta = fail_with(QueryError("X", "gone", 400), times=9)
    with pytest.raises(QueryError):
        table.verify()
    assert (table.status, table.notice) == ("stopped: X: gone", None)


def fail_with(error, *, times):
    failures = repeat(error, times)

    def fail(number):
        error = next(failures, None)
        if error is not None:
            raise error

    return fail


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(rounds, "backoff", lambda random: repeat(0.01))


def test_a_question_that_fails_on_the_way_is_repeated(server, source, no_pauses, open_table):
    table = open_table()
    source.before_delta = fail_with(ConnectError("The server cannot be reached."), times=3)
    source.put(row(3, 12))
    server.cut()
    table.wait_for(3)
    table.wait_for(lambda t: t.status == "live")
    assert (table.error, table.notice, len(source.reads)) == (None, None, 1)


def test_trouble_is_told_while_it_lasts(server, source, open_table):
    table = open_table()
    table.verify()
    source.before_delta = fail_with(ConnectError("The server cannot be reached."), times=1)
    server.cut()
    table.wait_for(lambda t: "could not be asked" in (t.notice or ""))
    assert table.notice == "The server could not be asked (The server cannot be reached.); it is asked again."
    assert table.status == "catching up"


def test_a_refused_delta_leads_to_a_whole_reading(server, source, no_pauses, open_table):
    table = open_table()
    table.verify()
    source.before_delta = fail_with(QueryError("SQL_EXECUTION_ERROR", "No field named n", 400), times=1)
    assert table.verify()
    assert (len(source.reads), table.error) == (2, None)


def test_a_reading_that_cannot_succeed_stops_the_table(server, source, no_pauses, open_table):
    table = open_table()
    error = QueryError("TABLE_NOT_FOUND", "table chat.messages does not exist", 400)
    source.before_read = source.before_delta = fail_with(error, times=9)
    server.cut()
    table.wait_for(lambda t: t.error)
    assert isinstance(table.error, QueryError)
    assert table.status == "stopped: TABLE_NOT_FOUND: table chat.messages does not exist"
    assert held(table) == {1: ("a", 0), 2: ("a", 0)}
    server.wait_until(lambda: not server.active)
    with pytest.raises(QueryError):
        table.wait_for(3)


def test_the_random_numbers_of_a_reader_stay_as_they_are(server, open_table):
    table = open_table()
    random.seed(1)
    state = random.getstate()
    server.cut()
    table.wait_for(lambda t: t.stats.reconnects)
    assert table.verify()
    assert random.getstate() == state


def test_a_refusal_on_return_stops_the_table(server, open_table):
    table = open_table()
    server.refusals["SELECT * FROM chat.messages"] = deque([("NOT_FOUND", "Table not found")])
    server.cut()
    table.wait_for(lambda t: t.error)
    assert isinstance(table.error, SubscriptionError)
    assert table.error.code == "NOT_FOUND"


def test_other_columns_after_a_reconnect(server, source, open_table):
    table = open_table()
    version = table.version
    extra = {"name": "extra", "data_type": "Text", "index": 3}
    server.schema = [*SCHEMA[:3], extra, *SCHEMA[3:]]
    source.schema = RowSource(server.schema).schema
    source.put(row(1, 20) | {"extra": "x"})
    server.cut()
    table.wait_for(lambda t: t.version > version)
    assert table.schema.names == ["id", "room", "n", "extra"]
    delta = table.delta(version)
    assert (delta.reset, delta.row_ids) == (True, (2, 3))


def test_too_many_waiting_events_are_dropped_and_fetched(server, source, open_table, monkeypatch):
    table = open_table(rhythm=SOON)
    monkeypatch.setattr(hearing, "_MAX_WAITING", 5)
    inbox = table._follower._hearing.inbox
    taken = inbox._bytes_taken
    with table._follower._lock:  # The worker takes the first event out, and waits with it.
        for number in range(3, 43):
            source.put(row(number, 100 + number))
            server.change("insert", row(number, 100 + number))
            if number == 3:
                server.wait_until(lambda: inbox._bytes_taken > taken)
        server.wait_until(lambda: len(inbox) == 5)
    table.wait_for(42)
    assert table.verify()
    assert sorted(ids(table)) == [*range(1, 43)]
    assert table.stats.events < 20


# The truth.


def test_verify_proves_and_heals(server, source, open_table):
    table = open_table()
    proof = table.verify()
    assert proof
    assert proof.server == proof.held
    assert "equal to the server: same fingerprint" in str(proof)
    assert (proof.rows, proof.seq, proof.healed) == (2, 11, 0)
    # The server drops events without a sign.
    source.put(row(1, 20, "changed"), row(3, 21))
    source.remove("2", seq=22)
    proof = table.verify()
    assert (bool(proof), proof.rows, proof.seq, proof.healed) == (True, 2, 22, 3)
    assert held(table) == {1: ("changed", 0), 3: ("a", 0)}
    assert (table.stats.healed, table.stats.verified_seq) == (3, 22)
    assert table.changes()["_healed"].all()


def test_events_are_followed_by_a_round_that_heals(server, source, open_table):
    table = open_table(rhythm=SOON)
    source.put(*(row(number, 100 + number) for number in range(3, 300)))
    server.change("insert", row(3, 103))
    table.wait_for(299)


def test_a_row_that_leaves_its_filter(server, source, open_table):
    source.matches = lambda cells: cells["room"] == "a"
    table = open_table(f"{SQL} WHERE room = 'a'", rhythm=SOON)
    assert (table.form, table.num_rows, table.notice) == ("delta", 2, None)
    (subscribed,) = server.active.values()
    assert subscribed[1] == "SELECT id FROM chat.messages"
    source.put(row(2, 20, "b"))
    server.change("update", {"id": "2", "_seq": "20"})
    table.wait_for(lambda t: ids(t) == [1])
    assert table.changes()["_change"].tolist() == ["left"]
    source.put(row(2, 21))
    server.change("update", {"id": "2", "_seq": "21"})
    table.wait_for(2)
    assert table.verify()


@pytest.mark.parametrize(
    ("sql", "form"),
    [
        (SQL, "direct"),
        (f"{SQL} WHERE id = 1", "direct"),
        (f"{SQL} WHERE room = 'a'", "delta"),
        (f"{SQL} WHERE room IN ('a')", "delta"),
        (f"{SQL} WHERE id > -1", "delta"),
    ],
)
def test_forms(open_table, sql, form):
    table = open_table(sql)
    assert (table.form, table.notice) == (form, None)


def test_a_fingerprint_that_never_agrees_is_told(server, source, open_table, monkeypatch):
    table = open_table()
    ask = source.read_delta
    monkeypatch.setattr(
        source, "read_delta", lambda *args, **more: replace(ask(*args, **more), fingerprint=Fingerprint(7, 7, 7, 7))
    )
    proof = table.verify()
    assert not proof
    assert "NOT proved equal to the server: the fingerprints differ, and did so after reading" in str(proof)
    assert (table.status, table.error, held(table)) == ("catching up", None, {1: ("a", 0), 2: ("a", 0)})
    for _ in range(2):
        table.verify()
    assert "does not agree" in table.notice
    monkeypatch.undo()
    assert table.verify()
    assert (table.status, table.notice) == ("live", None)


def test_refresh_reads_everything(server, source, open_table):
    table = open_table()
    source.remove("2")
    assert table.refresh()
    assert (ids(table), len(source.reads)) == ([1], 2)


def test_verify_while_the_server_is_away(server, source, open_table):
    table = open_table()
    table.verify()
    server.http_status.extend([503] * 20)
    server.cut()
    table.wait_for(lambda t: t.status != "live")
    with pytest.raises(RequestTimeoutError, match=r"could not be verified within 0\.05 s"):
        table.verify(timeout=0.05)


def test_pause_and_resume(server, source, open_table):
    table = open_table()
    table.pause()
    assert table.status == "paused"
    source.put(row(3, 12))
    server.change("insert", row(3, 12))
    with pytest.raises(LiveError, match="resume"):
        table.verify()
    with pytest.raises(LiveError, match="resume"):
        table.refresh()
    server.wait_until(lambda: not len(table._follower._hearing.inbox))
    assert table.num_rows == 2
    table.resume()
    table.wait_for(3)
    table.wait_for(lambda t: t.status == "live")


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


# Not beginning.


def test_a_refused_query_raises(server, open_table):
    server.refusals["SELECT * FROM chat.messages"] = deque([("SUBSCRIPTION_LIMIT_EXCEEDED", "Maximum reached")])
    with pytest.raises(SubscriptionError, match="Maximum reached") as caught:
        open_table()
    assert "live.close()" in caught.value.hint


@pytest.mark.parametrize(
    ("sql", "code"),
    [("SELECT * FROM messages", "INVALID_SQL"), ("SELECT nope FROM chat.messages", "SUBSCRIPTION_FAILED")],
)
def test_a_query_of_the_wrong_shape_raises_and_leaves_nothing_behind(server, open_table, sql, code):
    with pytest.raises(SubscriptionError) as caught:
        open_table(sql)
    assert caught.value.code == code
    server.wait_until(lambda: not server.active)


@pytest.mark.parametrize(
    "schema",
    [[{**SCHEMA[0], "flags": []}, *SCHEMA[1:]], [field for field in SCHEMA if field["name"] not in {"_seq"}]],
    ids=["without a key", "without versions"],
)
def test_rows_that_cannot_be_told_apart_are_read_again(server, source, open_table, schema):
    source.schema = RowSource(schema).schema
    rows = [1]
    source.read_result = lambda sql: ResultReading((Column("id", "BigInt"),), pa.table({"id": list(rows)}))
    table = open_table(rhythm=None)
    assert (table.form, table.arrow().to_pylist()) == ("re-run", [{"id": 1}])
    assert "have no version, or no key; each event has the query run again" in table.notice
    rows.append(2)
    server.change("insert", {"id": "2"})
    table.wait_for(lambda t: t.num_rows == 2, timeout=10)
    assert table.verify()


def test_a_first_reading_that_fails_raises(server, source, open_table):
    def fail(number):
        raise QueryError("SQL_EXECUTION_ERROR", "no", 400)

    source.before_read = fail
    with pytest.raises(QueryError, match="no"):
        open_table()
    server.wait_until(lambda: not server.active)


def test_a_first_reading_that_is_cut_is_repeated(source, no_pauses, open_table):
    source.before_read = fail_with(ConnectError("The connection broke."), times=2)
    table = open_table()
    assert (table.num_rows, len(source.reads)) == (2, 3)


def test_a_first_reading_that_is_cut_again_and_again_raises(server, source, no_pauses, open_table):
    open_table(f"{SQL} WHERE room = 'a'")  # However long the connection takes, it is there.
    source.before_read = fail_with(ConnectError("The connection broke."), times=10**6)
    with pytest.raises(ConnectError, match="broke"):
        open_table(timeout=0.2)
    server.wait_until(lambda: len(server.active) == 1)


def test_a_server_that_cannot_be_reached_raises(source, pool):
    socket = LiveSocket(url="ws://127.0.0.1:1/v1/ws", token=source.access_token, delays=lambda: repeat(0.01))
    with pytest.raises(ConnectError, match=r"within 0\.2 s: .*Connection refused"):
        opening.open_table(SQL, source=source, socket=socket, pool=pool, timeout=0.2)
    socket.close()


def test_changed_columns_are_read_anew(server, source, open_table):
    table = open_table()
    extra = {"name": "extra", "data_type": "Text", "index": 3}
    source.schema = RowSource([*SCHEMA[:3], extra, *SCHEMA[3:]]).schema
    source.put(row(3, 12) | {"extra": "x"})
    server.change("insert", row(3, 12) | {"extra": "x"})
    table.wait_for(lambda t: t.schema.names == ["id", "room", "n", "extra"])
    assert table.arrow().column("extra").to_pylist() == [None, None, "x"]


# The end.


def test_a_cell_that_does_not_fit_is_read_over_http(server, source, open_table, caplog):
    caplog.set_level("INFO", "kalam_notebook.live")
    table = open_table()
    table.verify()
    source.put(row(3, 12, n=7))
    server.change("insert", row(3, 12, n="many"))
    table.wait_for(3)
    assert held(table)[3] == ("a", 7)
    assert "could not be read" in caplog.text


def test_close_unsubscribes_and_keeps_the_rows(server, open_table):
    table = open_table()
    table.close()
    table.close()
    server.wait_until(lambda: not server.active)
    assert (table.status, table.error, held(table)) == ("stopped: closed", None, {1: ("a", 0), 2: ("a", 0)})
    with pytest.raises(LiveError, match="was closed"):
        table.wait_for(3)
    table.wait_for(2)


def test_with_block(server, open_table):
    with open_table() as table:
        assert table.status == "live"
    assert table.status == "stopped: closed"


@pytest.mark.parametrize("who", ["table", "socket"])
def test_close_while_another_thread_waits(socket, open_table, who):
    table = open_table()
    waiting, errors = threading.Event(), []

    def condition(_):
        waiting.set()

    def wait():
        with pytest.raises(LiveError) as caught:
            table.wait_for(condition, timeout=60)
        errors.append(caught.value)

    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(10)
    start = time.monotonic()
    (table if who == "table" else socket).close()
    thread.join(10)
    assert time.monotonic() - start < 1.0
    assert len(errors) == 1
    assert (table.status, table.error) == ("stopped: closed", None)


def test_close_during_a_long_question(server, source, open_table):
    table = open_table()
    table.verify()
    gate = DeltaGate(source, len(source.deltas) + 1)
    server.cut()
    assert gate.reached.wait(10)
    start = time.monotonic()
    table.close()
    assert time.monotonic() - start < 1.0
    gate.opened.set()


def test_a_forgotten_table_warns_and_unsubscribes(server, source, socket, pool):
    tables = [opening.open_table(SQL, source=source, socket=socket, pool=pool, rhythm=NEVER)]
    tables[0].verify()
    tables[0].on_change(lambda t: None)
    with pytest.warns(ResourceWarning, match="LiveTable chat.messages, 2 rows, live> was not closed"):
        tables.clear()
    server.wait_until(lambda: not server.active)


def test_a_forked_child_cannot_use_it_and_does_not_hang(open_table, monkeypatch):
    table = open_table()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        # The worker may hold the lock at the moment of the fork; it is never released in the child.
        with table._follower._lock:
            table.close()
            for use in (table.arrow, lambda: table.delta(-1), lambda: table.wait_for(99)):
                with pytest.raises(LiveError, match="forked"):
                    use()
    assert table.status == "live"


def test_nothing_changes_after_close(server, source, open_table):
    table = open_table()
    table.verify()
    gate = DeltaGate(source, len(source.deltas) + 1)
    source.put(row(3, 12))
    server.cut()
    assert gate.reached.wait(10)
    table.close()
    worker = table._follower._thread
    gate.opened.set()
    worker.join(10)
    assert not worker.is_alive()
    assert ids(table) == [1, 2]


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
