"""Live tables that do not begin, and those that end: what is raised, and that nothing is left behind."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from itertools import repeat

import pyarrow as pa
import pytest
from followed import (  # noqa: F401
    NEVER,
    SQL,
    DeltaGate,
    fail_with,
    held,
    ids,
    live_pool,
    live_server,
    live_socket,
    no_pauses_between_questions,
    no_spread,
    open_live_table,
    row,
    row_source,
)
from live_socket_server import SCHEMA
from live_source import RowSource

from kalam_notebook.errors import ConnectError, LiveError, QueryError, SubscriptionError
from kalam_notebook.live_queries import opening
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.following.plan import ResultReading
from kalam_notebook.wire.types import Column

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


# The end.


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
