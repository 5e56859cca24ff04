"""Live tables that were away, were told too little or failed to ask: what they fetch, prove and say of it."""

from __future__ import annotations

import random
import re
import threading
from collections import deque
from dataclasses import replace
from itertools import repeat

import pytest
from followed import (  # noqa: F401
    NEVER,
    SOON,
    SQL,
    DeltaGate,
    Gate,
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

from kalam_notebook.errors import ConnectError, LiveError, QueryError, RequestTimeoutError, SubscriptionError
from kalam_notebook.live_queries import opening
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.following import hearing
from kalam_notebook.live_queries.rows.fingerprint import Fingerprint
from kalam_notebook.settings import Timeouts

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


def test_a_cell_that_does_not_fit_is_read_over_http(server, source, open_table, caplog):
    caplog.set_level("INFO", "kalam_notebook.live")
    table = open_table()
    table.verify()
    source.put(row(3, 12, n=7))
    server.change("insert", row(3, 12, n="many"))
    table.wait_for(3)
    assert held(table)[3] == ("a", 7)
    assert "could not be read" in caplog.text


def test_changed_columns_are_read_anew(server, source, open_table):
    table = open_table()
    extra = {"name": "extra", "data_type": "Text", "index": 3}
    source.schema = RowSource([*SCHEMA[:3], extra, *SCHEMA[3:]]).schema
    source.put(row(3, 12) | {"extra": "x"})
    server.change("insert", row(3, 12) | {"extra": "x"})
    table.wait_for(lambda t: t.schema.names == ["id", "room", "n", "extra"])
    assert table.arrow().column("extra").to_pylist() == [None, None, "x"]
