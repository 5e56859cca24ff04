"""Live queries on KalamDB from 0.7.1 on, as the sandbox plays it: who takes 0.4.3 for granted is deceived, ours is not.

None of these servers was at hand; what each habit rests on is told in docs/sandbox.md.
"""

import uuid
from dataclasses import replace

import pytest
import websockets
from later_servers import follows, insert, kind_of_table, later_client, later_server, make_table  # noqa: F401
from plain_live import PlainLive
from scan_counter import scan_counter
from servers import Server

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, RequestTimeoutError
from kalam_notebook.live_queries import opening
from kalam_notebook.live_queries.events.messages import Delete, InitialBatch
from kalam_notebook.live_queries.following import schedule
from kalam_notebook.live_queries.following.schedule import told

#: Rows that one statement writes, and more than wait for a connection.
MANY = 1_000


def test_a_cursor_as_a_number_ends_the_connection(later, client, make, kind):
    table = make((1, 1), kind=kind)
    sql = f"SELECT * FROM {table}"
    with follows(later, sql, {"batch_size": 999}, version="_version") as socket:
        socket.subscribe("s2", sql, {"from": socket.last_seq})
        with pytest.raises(websockets.ConnectionClosed) as closed:
            socket.listen()
        assert closed.value.rcvd.code == 1011
    with client.live_events(sql) as events:
        next(event for event in events if isinstance(event, InitialBatch))
        seq = events.last_seq
    insert(client, table, [(2, 2)])
    with client.live_events(sql, from_seq=seq) as events:
        rows = []
        while {"2"} - {row["id"] for row in rows}:
            event = events.next(timeout=20)
            rows += getattr(event, "rows", ())
    assert isinstance(seq, int)


def test_a_burst_is_told_as_a_gap_and_healed_in_one_delta(later, client, make, kind):
    table = make((0, 0), kind=kind)
    sql = f"SELECT * FROM {table}"
    rows = [(i, 0) for i in range(1, MANY)]
    with follows(later, sql, {"batch_size": 999}, version="_version") as deceived, client.live(sql) as live:
        rounds = live.stats.rounds
        insert(client, table, rows, together=MANY)
        live.wait_for(lambda t: t.num_rows == MANY, timeout=30)
        stats = live.stats
        assert stats.gaps >= 1
        assert stats.rounds - rounds <= stats.gaps + 1
        assert (stats.reconnects, live.notice) == (0, None)
        deceived.listen()
        assert len(deceived.rows) < MANY
        insert(client, table, [(9_999, 0)])
        assert "9999" not in deceived.listen().rows  # Nothing more comes.
        live.wait_for(lambda t: t.num_rows == MANY + 1, timeout=30)
        assert live.verify(timeout=30)


def test_a_burst_of_5000_rows_is_healed_by_one_delta(later, client, make, kind):
    """Requests are counted by the server: one delta, and one look for what a scan would not have reached."""
    server, _ = later
    table = make((0, 0), kind=kind)
    with scan_counter(server.url, server.root_password) as counter, client.live(f"SELECT * FROM {table}") as live:
        assert live.verify(timeout=20)
        counter.reset()
        insert(client, table, [(i, 0) for i in range(1, 5_000)], together=5_000)
        live.wait_for(lambda t: t.num_rows == 5_000 and t.status == "live", timeout=30)
        assert live.stats.gaps >= 1
        asked = [one["sql"] for one in counter.statements(table) if one["sql"].startswith("SELECT")]
        proofs = sum("bit_xor" in sql for sql in asked)  # One follows after two seconds.
        assert sum("kalam_found" in sql for sql in asked) - proofs == 1
        assert proofs <= 1
        assert len(asked) - 2 * proofs <= 2
        assert live.verify(timeout=30)


def test_deletes_that_a_gap_has_swallowed(client, make, monkeypatch):
    """No delta tells those of STREAM rows: the proof that follows a gap does."""
    monkeypatch.setattr(schedule, "_PROOF_REST", 0.0)  # A proof that took long on a busy machine is not waited for.
    table = make((0, 0), kind="STREAM", ttl_seconds=600)
    with client.live(f"SELECT * FROM {table}") as live:
        insert(client, table, [(i, 0) for i in range(1, MANY)], together=MANY)
        client.execute_query(f"DELETE FROM {table} WHERE id < {MANY - 5}")
        live.wait_for(lambda t: sorted(t.arrow()["id"].to_pylist()) == [*range(MANY - 5, MANY)], timeout=15)
        assert live.stats.gaps >= 1


def test_a_row_that_leaves_the_filter_is_told_with_its_old_version(later, client, make, kind):
    table = make((1, 1), (2, 2), kind=kind)
    sql = f"SELECT * FROM {table} WHERE n > 0"
    with follows(later, sql, {"batch_size": 999}, version="_version") as plain, client.live(sql) as live:
        assert live.form == "direct"
        rounds = live.stats.rounds
        insert(client, table, [(3, 3)])
        client.execute_query(f"UPDATE {table} SET n = 0 WHERE id = 1")
        live.wait_for(lambda t: sorted(t.arrow()["id"].to_pylist()) == [2, 3], timeout=20)
        assert live.stats.rounds == rounds
        # Who drops what is not newer than all that came keeps the row.
        (gone,) = plain.listen().deletes
        assert int(gone["_version"]) < plain.last_seq
        client.execute_query(f"UPDATE {table} SET n = 5 WHERE id = 1")
        live.wait_for(lambda t: sorted(t.arrow()["n"].to_pylist()) == [2, 3, 5], timeout=20)
        assert live.verify(timeout=20)


def snapshot_ids(client, sql, **options):
    """The keys of the rows that a stream of events begins with."""
    with client.live_events(sql, **options) as events:
        batches = []
        while not batches or batches[-1].has_more:
            event = events.next(timeout=20)
            batches += [event] if isinstance(event, InitialBatch) else []
    return sorted(int(row["id"]) for batch in batches for row in batch.rows)


def test_pages_of_a_thousand_rows_end_early(later, client, make, kind):
    """A thousand is a size that the server takes, and with which it ends after one page."""
    table = make(*((i, i) for i in range(1_500)), kind=kind)
    sql = f"SELECT * FROM {table}"
    with follows(later, sql, {"batch_size": 1_000}, version="_version") as deceived:
        assert len(deceived.rows) == 1_000
    with client.live(sql) as live:
        assert live.num_rows == 1_500
        assert live.verify(timeout=20)
    assert snapshot_ids(client, sql) == list(range(1_500))
    with pytest.raises(ConfigError, match="batch_size is 1000"):
        client.live_events(sql, batch_size=1_000)


def test_a_page_that_is_asked_for_by_a_number_ends_the_connection(later, client, make, kind):
    table = make(*((i, i) for i in range(1_200)), kind=kind)
    with follows(later, f"SELECT * FROM {table} WHERE id < 0", None, version="_version") as plain:
        plain.subscribe("s2", f"SELECT * FROM {table}", {"batch_size": 500})
        while (message := plain._receive(20)).get("batch_control", {}).get("last_seq_id") is None:
            assert message["type"] != "error"
        last = message["batch_control"]["last_seq_id"]
        assert isinstance(last, str)
        plain._send(type="next_batch", subscription_id="s2", last_seq_id=int(last))
        with pytest.raises(websockets.ConnectionClosed) as closed:
            plain.listen()
        assert closed.value.rcvd.code == 1011
    assert snapshot_ids(client, f"SELECT * FROM {table}", batch_size=500) == list(range(1_200))


def test_a_policy_that_changes_sends_no_event(later, client, make):
    server, _ = later
    table = make(*((i, i) for i in range(10)))
    client.execute_query(f"CREATE POLICY some ON {table} USING (n < 100)")
    name = f"u{uuid.uuid4().hex[:8]}"
    client.execute_query(f"CREATE USER '{name}' WITH PASSWORD 'Passw0rd!{name}' ROLE 'user'")
    with kalam.Client(server.url, user=name, password=f"Passw0rd!{name}") as user:
        seen = Server(server.url, "")
        vars(seen)["token"] = user._session.token().reveal()
        sql = f"SELECT * FROM {table}"
        with PlainLive(seen, sql, {"batch_size": 999}, version="_version") as deceived, user.live(sql) as live:
            assert (len(deceived.rows), live.num_rows) == (10, 10)
            client.execute_query(f"ALTER POLICY some ON {table} USING (n < 5)")
            assert live.verify(timeout=20)
            assert sorted(live.arrow()["id"].to_pylist()) == list(range(5))
            assert len(deceived.listen().rows) == 10


@pytest.mark.slow
def test_a_live_table_that_nothing_happens_to_asks_nothing(client, make, kind):
    table = make((1, 1), kind=kind)
    with client.live(f"SELECT * FROM {table}") as live:
        proof = str(live.verify(timeout=20))
        assert "same fingerprint of the rows' _version" in proof
        assert "_seq" not in proof
        rounds = live.stats.rounds
        for i in range(2, 12):
            insert(client, table, [(i, i)])
        live.wait_for(lambda t: t.num_rows == 11, timeout=20)
        # On 0.4.3 a delta follows after 0.3 s, and a proof after two.
        with pytest.raises(RequestTimeoutError):
            live.wait_for(lambda t: t.stats.rounds != rounds, timeout=3)
        assert live.stats.rounds == rounds


@pytest.mark.slow
def test_a_quiet_live_table_asks_nothing_but_the_slow_check(later, client, make, kind, monkeypatch):
    """In a rhythm 100 times as fast: what takes two of its checks is ten minutes of the real one."""
    server, _ = later
    for rest in ("_PROOF_REST", "_USUAL_REST"):  # A check that took long on a busy machine is not waited for.
        monkeypatch.setattr(schedule, rest, 0.0)
    monkeypatch.setattr(opening, "told", lambda rhythm: replace(told(rhythm), usual=told(rhythm).usual / 100))
    table = make((1, 1), kind=kind)
    with scan_counter(server.url, server.root_password) as counter, client.live(f"SELECT * FROM {table}") as live:
        assert live.verify(timeout=20)
        counter.reset()
        before = live.stats.rounds
        live.wait_for(lambda t: t.stats.rounds == before + 2, timeout=30)
        asked = [one["sql"] for one in counter.statements(table)]
        assert sum("bit_xor" in sql for sql in asked) == 2
        assert sum("kalam_found" in sql for sql in asked) == 2
        assert len(asked) == 4


def refusal(socket, name, sql, options=None):
    """The error that answers a subscribe, as a client hears it that asks as 0.4.3 is asked."""
    socket.subscribe(name, sql, options)
    while True:
        message = socket._receive(20)
        if message.get("subscription_id") == name and message["type"] == "error":
            return message["code"]


@pytest.mark.slow
def test_an_id_that_is_in_use_is_not_replaced(later, client, make, kind):
    """A live table that is interrupted again and again takes a new one each time."""
    table = make((1, 1), kind=kind)
    sql = f"SELECT * FROM {table}"
    with follows(later, sql, {"batch_size": 999}, version="_version") as plain, client.live(sql) as live:
        assert refusal(plain, "s1", sql) == "ALREADY_EXISTS"
        for start in (10, 5_000):
            insert(client, table, [(start + i, 0) for i in range(MANY)], together=MANY)
        live.wait_for(lambda t: t.num_rows == 2 * MANY + 1, timeout=30)
        assert live.stats.gaps >= 1


def test_a_cursor_without_its_domain_is_void(later, client, make):
    table = make((1, 1), kind="SHARED")
    sql = f"SELECT * FROM {table}"
    with follows(later, sql, {"batch_size": 999}, version="_version") as plain:
        assert refusal(plain, "s2", sql, {"from": str(plain.last_seq)}) == "CURSOR_EXPIRED"
    with client.live_events(sql) as events:
        next(event for event in events if isinstance(event, InitialBatch))
        seq = events.last_seq
    client.execute_query(f"DELETE FROM {table} WHERE id = 1")
    with client.live_events(sql, from_seq=seq) as events:
        assert next(event for event in events if isinstance(event, Delete)).row["id"] == "1"


@pytest.mark.parametrize("condition", ["n > -1", "n - 1 >= 0", "abs(n) > 0"])
def test_a_filter_that_is_refused_for_events_is_followed(later, client, make, condition):
    table = make((1, 1), kind="SHARED")
    sql = f"SELECT * FROM {table} WHERE ({condition})"
    with follows(later, f"SELECT * FROM {table}", None, version="_version") as plain:
        assert refusal(plain, "s2", sql) == "UNSUPPORTED"
    with client.live(sql) as live:
        insert(client, table, [(2, 2)])
        live.wait_for(lambda t: sorted(t.arrow()["id"].to_pylist()) == [1, 2], timeout=20)


@pytest.mark.parametrize("columns", ["id AS key", "id, n + 1", "upper(t)"])
@pytest.mark.slow
def test_what_is_computed_is_followed_all_the_same(later, client, make, columns):
    table = make(columns="id BIGINT PRIMARY KEY, n INT, t TEXT")
    sql = f"SELECT {columns} FROM {table}"
    with follows(later, f"SELECT * FROM {table}", None, version="_version") as plain:
        assert refusal(plain, "s2", sql) == "INVALID_SQL"
    with client.live(sql) as live:
        client.execute_query(f"INSERT INTO {table} (id, n, t) VALUES (1, 2, 'x')")
        live.wait_for(1, timeout=20)
        assert [tuple(row.values()) for row in live.arrow().to_pylist()] in ([(1,)], [(1, 3)], [("X",)])


@pytest.mark.parametrize("condition", ["NOT (n = 1)", "NOT (n IN (1, 2))", "big = 9007199254740993", "d <> 1.5"])
@pytest.mark.slow
def test_a_filter_that_lets_too_much_through_is_followed(later, client, make, condition):
    """NULL is neither, and doubles do not tell neighbours apart."""
    table = make(columns="id BIGINT PRIMARY KEY, n INT, big BIGINT, d DECIMAL(4, 2)")
    sql = f"SELECT * FROM {table} WHERE ({condition})"
    with follows(later, sql, {"batch_size": 999}, version="_version") as deceived, client.live(sql) as live:
        client.execute_query(f"INSERT INTO {table} (id, n, big, d) VALUES (1, NULL, 9007199254740992, '1.50')")
        assert list(deceived.listen().rows) == ["1"]
        assert live.verify(timeout=20)
        assert live.num_rows == 0


@pytest.mark.parametrize("condition", ["t > 'a'", "d = 1.5", "t BETWEEN 'a' AND 'z'"])
@pytest.mark.slow
def test_a_filter_whose_events_are_dropped_is_followed(later, client, make, condition):
    table = make(columns="id BIGINT PRIMARY KEY, n INT, t TEXT, d DECIMAL(4, 2)", kind="SHARED")
    sql = f"SELECT * FROM {table} WHERE ({condition})"
    with follows(later, sql, {"batch_size": 999}, version="_version") as plain, client.live(sql) as live:
        client.execute_query(f"INSERT INTO {table} (id, t, d) VALUES (1, 'm', '1.50')")
        live.wait_for(1, timeout=20)
        assert not plain.listen().rows


def test_rows_of_streams_go_when_their_time_is_over(client, make):
    table = make((1, 1), kind="STREAM", ttl_seconds=2)
    with client.live(f"SELECT * FROM {table}") as live:
        assert (live.key, live.num_rows) == (("_version",), 1)
        insert(client, table, [(2, 2)])
        live.wait_for(lambda t: t.num_rows == 2, timeout=10)
        assert live.stats.lag_ms is not None
        live.wait_for(lambda t: t.num_rows == 0, timeout=10)
        assert live.verify(timeout=20)
