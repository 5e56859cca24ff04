"""Live tables against a server: whatever is written, the table ends up equal to what a query reads."""

import datetime as dt
import threading
import time
from contextlib import ExitStack

import pyarrow as pa
import pytest
from servers import ROW_VERSION
from tcp_proxy import TcpProxy

import kalam_notebook as kalam
from kalam_notebook.errors import AuthError, KalamError, LiveError, QueryError, SubscriptionError
from kalam_notebook.settings import Timeouts

pytestmark = pytest.mark.contract


@pytest.fixture(params=["USER", "SHARED"])
def kind(request):
    return request.param


@pytest.fixture
def messages(kind, client, namespace):
    """A table with three rows."""
    table = f"{namespace}.messages"
    client.execute_query(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, room TEXT, n INT) WITH (TYPE = '{kind}')")
    client.execute_query(f"INSERT INTO {table} (id, room, n) VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)")
    return table


@pytest.fixture
def proxy(server):
    with TcpProxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def far_client(server, proxy):
    """A client on the other side of a network that can be disturbed."""
    timeouts = Timeouts(pong=0.5, keepalive=0.2)
    with kalam.Client(proxy.url, token=server.token, timeouts=timeouts) as client:
        yield client


def rows(table: pa.Table):
    return sorted((tuple(row.values()) for row in table.to_pylist()), key=repr)


def wait_until_equal(live, client, table, *, timeout=20.0):
    """Wait until the live table holds what a query reads; fail with both when it does not."""
    expected = rows(client.query_arrow(f"SELECT {', '.join(live.schema.names)} FROM {table}"))
    try:
        live.wait_for(lambda t: rows(t.arrow()) == expected, timeout=timeout)
    except TimeoutError:
        assert rows(live.arrow()) == expected


def test_rows_appear_change_and_vanish(client, messages):
    with client.live(f"SELECT * FROM {messages}") as live:
        assert rows(live.arrow()) == [(1, "a", 1), (2, "b", 2), (3, "c", 3)]
        client.execute_query(f"INSERT INTO {messages} (id, room, n) VALUES (4, 'd', 4)")
        live.wait_for(4)
        client.execute_query(f"UPDATE {messages} SET room = NULL WHERE id = 1")
        client.execute_query(f"DELETE FROM {messages} WHERE id = 2")
        live.wait_for(lambda t: rows(t.arrow()) == [(1, None, 1), (3, "c", 3), (4, "d", 4)])
        assert (live.form, live.notice, live.key) == ("direct", None, ("id",))
        assert live.verify()
        assert live.status == "live"


def test_projection_and_filter(client, messages):
    with client.live(f"SELECT n FROM {messages} WHERE id >= 2") as live:
        assert live.notice is None
        assert rows(live.arrow()) == [(2,), (3,)]
        client.execute_query(f"INSERT INTO {messages} (id, room, n) VALUES (0, 'x', 100), (9, 'y', 9)")
        client.execute_query(f"DELETE FROM {messages} WHERE id = 3")
        live.wait_for(lambda t: rows(t.arrow()) == [(2,), (9,)])


def test_the_key_has_the_name_of_the_official_sdks_too(client, messages):
    with client.live(f"SELECT n, upper(room) AS room FROM {messages} ORDER BY n", key_columns="room") as live:
        assert live.key == ("room",)


@pytest.mark.parametrize("condition", ["room IN ('a', 'b')", "n BETWEEN 1 AND 2", "room < 'c'", "n - 3 < 0"])
@pytest.mark.slow
def test_filters_that_get_no_events_are_followed_all_the_same(client, messages, condition):
    with client.live(f"SELECT * FROM {messages} WHERE {condition}") as live:
        assert (live.form, live.num_rows, live.notice) == ("delta", 2, None)
        client.execute_query(f"INSERT INTO {messages} (id, room, n) VALUES (4, 'a', 1)")
        live.wait_for(3)
        client.execute_query(f"UPDATE {messages} SET room = 'z', n = 99 WHERE id = 1")
        client.execute_query(f"DELETE FROM {messages} WHERE id = 2")
        live.wait_for(lambda t: rows(t.arrow()) == [(4, "a", 1)])
        assert sorted(live.changes()["_change"]) == ["deleted", "inserted", "left"]
        assert live.verify()


def test_parameters_are_written_in(client, messages):
    with client.live(f"SELECT id FROM {messages} WHERE room = $1 OR n > $2 -- not $3", ["it's", -5]) as live:
        assert live.num_rows == 3
        client.execute_query(f"DELETE FROM {messages} WHERE id = 1")
        live.wait_for(lambda t: t.num_rows == 2)


def test_a_burst_of_which_the_server_drops_most(client, messages):
    with client.live(f"SELECT * FROM {messages}") as live:
        values = ", ".join(f"({number}, 'x', {number})" for number in range(10, 2010))
        client.execute_query(f"INSERT INTO {messages} (id, room, n) VALUES {values}")
        live.wait_for(2003)
        assert live.verify()
        client.execute_query(f"UPDATE {messages} SET room = 'y' WHERE n >= 10")
        client.execute_query(f"DELETE FROM {messages} WHERE n >= 1000")
        live.wait_for(lambda t: t.num_rows == 993)
        assert live.verify()
        wait_until_equal(live, client, messages)


# Any SELECT.


def test_an_aggregate_is_run_again(client, messages):
    with client.live(f"SELECT room, count(*) AS n FROM {messages} GROUP BY room ORDER BY n DESC, room") as live:
        assert (live.form, live.key, live.notice) == ("re-run", ("room",), None)
        assert live.arrow().to_pylist() == [{"room": "a", "n": 1}, {"room": "b", "n": 1}, {"room": "c", "n": 1}]
        client.execute_query(f"UPDATE {messages} SET room = 'c' WHERE id = 1")
        live.wait_for(lambda t: t.arrow().to_pylist() == [{"room": "c", "n": 2}, {"room": "b", "n": 1}])
        assert sorted(live.changes()["_change"]) == ["deleted", "updated"]
        rounds = live.stats.rounds
        assert live.verify()
        assert live.stats.rounds == rounds + 1


@pytest.mark.slow
def test_a_join_follows_both_tables(client, namespace, messages, kind):
    client.execute_query(f"CREATE TABLE {namespace}.rooms (room TEXT PRIMARY KEY, title TEXT) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {namespace}.rooms (room, title) VALUES ('a', 'A'), ('b', 'B')")
    sql = f"SELECT m.id, r.room, r.title FROM {messages} m JOIN {namespace}.rooms r ON m.room = r.room"
    with client.live(sql) as live:
        assert sorted(live.key) == ["id", "room"]
        assert live.num_rows == 2
        client.execute_query(f"UPDATE {namespace}.rooms SET title = 'new' WHERE room = 'a'")
        live.wait_for(lambda t: "new" in t.arrow().column("title").to_pylist())
        client.execute_query(f"UPDATE {messages} SET room = 'a' WHERE id = 3")
        live.wait_for(3)
        proof = live.verify()
        if ROW_VERSION == "_version" and kind == "USER":  # Each kind of tables may be seen at a moment of its own.
            assert not proof
            assert "at moments of their own" in proof.how
        else:
            assert proof


def test_a_top_list_in_order(client, messages):
    with client.live(f"SELECT id, n FROM {messages} ORDER BY n DESC LIMIT 2") as live:
        assert live.arrow().column("id").to_pylist() == [3, 2]
        client.execute_query(f"UPDATE {messages} SET n = 50 WHERE id = 1")
        live.wait_for(lambda t: t.arrow().column("id").to_pylist() == [1, 3])


@pytest.mark.servers("0.4.3", "0.5", "0.7")
def test_cells_that_a_flush_has_spoilt_are_told(client, namespace):
    table = f"{namespace}.vectors"
    client.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, e EMBEDDING(2)) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {table} (id, e) VALUES (1, '[1, 2]'), (2, '[3, 4]')")
    (result,) = client.execute_query(f"STORAGE FLUSH TABLE {table}")
    job = result.message.split("Job ID: ")[1]
    status = "SELECT status FROM system.jobs WHERE job_id = $1"
    end = time.monotonic() + 30
    while client.query(status, [job])["status"].tolist() != ["completed"]:
        assert time.monotonic() < end
    with client.live(f"SELECT * FROM {table}") as live:
        assert "column 'e'" in live.notice
        assert live.num_rows == 2
        assert live.verify()


def test_the_newest_rows_only(client, messages):
    with client.live(f"SELECT id FROM {messages}", max_rows=2) as live:
        assert rows(live.arrow()) == [(2,), (3,)]
        client.execute_query(f"INSERT INTO {messages} (id, room, n) VALUES (4, 'd', 4)")
        live.wait_for(lambda t: rows(t.arrow()) == [(3,), (4,)])
        client.execute_query(f"UPDATE {messages} SET n = 0 WHERE id = 1")
        live.wait_for(lambda t: rows(t.arrow()) == [(1,), (4,)])
        assert live.verify()


@pytest.mark.slow
def test_deletes_that_a_flush_has_hidden(client, far_client, proxy, messages):
    with far_client.live(f"SELECT * FROM {messages}") as live:
        proxy.go_down()
        live.wait_for(lambda t: t.status.startswith("reconnecting"))
        client.execute_query(f"DELETE FROM {messages} WHERE id = 2")
        kind = "ALL IN " + messages.split(".")[0]
        client.execute_query(f"STORAGE FLUSH {kind}")
        proxy.come_up()
        wait_until_equal(live, client, messages)


def test_a_filter_with_or_holds_no_deleted_rows(client, messages):
    client.execute_query(f"DELETE FROM {messages} WHERE id = 1")
    with client.live(f"SELECT * FROM {messages} WHERE id = 2 OR id = 1") as live:
        assert rows(live.arrow()) == [(2, "b", 2)]


def test_streams(client, namespace):
    table = f"{namespace}.events"
    client.execute_query(
        f"CREATE TABLE {table} (id TEXT PRIMARY KEY, v INT) WITH (TYPE = 'STREAM', TTL_SECONDS = 3600)"
    )
    client.execute_query(f"INSERT INTO {table} (id, v) VALUES ('a', 1)")
    with client.live(f"SELECT * FROM {table}") as live:
        client.execute_query(f"INSERT INTO {table} (id, v) VALUES ('b', 2)")
        client.execute_query(f"INSERT INTO {table} (id, v) VALUES ('a', 3)")
        live.wait_for(3)
        client.execute_query(f"DELETE FROM {table} WHERE v = 2")
        live.wait_for(lambda t: rows(t.arrow()) == [("a", 1), ("a", 3)])
        assert live.key == (ROW_VERSION,)
        assert live.verify()


TYPES = """CREATE TABLE {table} (id BIGINT PRIMARY KEY, b BOOLEAN, si SMALLINT, i INT, bi BIGINT, f FLOAT, d DOUBLE,
    dec DECIMAL(20, 4), t TEXT, j JSON, by BYTES, ts TIMESTAMP, da DATE, dt DATETIME, ti TIME, u UUID, e EMBEDDING(3))
    WITH (TYPE = 'SHARED')"""


def test_events_and_readings_have_the_same_cells(client, namespace):
    table = f"{namespace}.types"
    client.execute_query(TYPES.format(table=table))
    with client.live(f"SELECT * FROM {table}") as live:
        client.execute_query(
            f"INSERT INTO {table} (id, b, si, i, bi, f, d, dec, t, j, by, ts, da, dt, ti, u, e) VALUES "
            "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17)",
            [
                *(1, True, -5, 42, 9007199254740993, 1.5, 3.14, "-12.5000", 'é "q" <b>', '{"a":[1,2]}', "bytes"),
                *("2024-01-01T00:00:00.123456Z", "2024-01-01", "2024-01-01T00:00:00Z", "12:34:56.123456"),
                *("550e8400-e29b-41d4-a716-446655440000", [0.5, -1.0, 2.25]),
            ],
        )
        live.wait_for(1)
        by_event = live.arrow()
        with client.live(f"SELECT * FROM {table}") as other:
            assert other.stats.events == 0
            assert by_event.equals(other.arrow())
            assert by_event.schema.equals(other.schema, check_metadata=True)


def test_more_rows_than_any_cap(client, messages):
    for start in range(100, 3100, 500):
        values = ", ".join(f"({n}, 'r', {n})" for n in range(start, start + 500))
        client.execute_query(f"INSERT INTO {messages} (id, room, n) VALUES {values}")
    with client.live(f"SELECT * FROM {messages}") as live:
        assert live.num_rows == 3003
        assert live.stats.events == 0


def write_for_a_while(client, table, numbers):
    """Statements of a few rows each, so that the server drops no events."""
    for n in numbers:
        client.execute_query(f"INSERT INTO {table} (id, room, n) VALUES ({n}, 'w', {n}), ({n + 1000}, 'w', 0)")
        client.execute_query(f"UPDATE {table} SET n = {n}, room = NULL WHERE id = {n + 1000}")
        if n % 3 == 0:
            client.execute_query(f"DELETE FROM {table} WHERE id = {n}")


@pytest.mark.slow
def test_writes_before_during_and_after_the_first_reading(client, server, messages):
    """The table begins in the middle of writes by another client, and misses none."""
    with kalam.Client(server.url, token=server.token) as writer:
        thread = threading.Thread(target=write_for_a_while, args=(writer, messages, range(100, 130)))
        thread.start()
        tables = [client.live(f"SELECT * FROM {messages}") for _ in range(3)]
        thread.join()
        for live in tables:
            wait_until_equal(live, client, messages)
            live.close()


# A network that fails.


def test_what_happened_while_away_is_there_after_the_return(client, far_client, proxy, messages):
    with far_client.live(f"SELECT * FROM {messages}") as live:
        proxy.go_down()
        live.wait_for(lambda t: t.status.startswith("reconnecting"))
        write_for_a_while(client, messages, range(100, 110))
        client.execute_query(f"DELETE FROM {messages} WHERE id = 2")
        assert live.num_rows == 3
        proxy.come_up()
        live.wait_for(lambda t: t.stats.reconnects and t.status == "live", timeout=20)
        assert rows(live.arrow()) == rows(client.query_arrow(f"SELECT id, room, n FROM {messages}"))
        client.execute_query(f"DELETE FROM {messages} WHERE id = 1")
        wait_until_equal(live, client, messages)


def test_connections_that_are_cut_again_and_again(client, far_client, proxy, messages):
    with far_client.live(f"SELECT * FROM {messages}") as live:
        for n in range(3):
            proxy.cut()
            write_for_a_while(client, messages, range(100 + 10 * n, 105 + 10 * n))
        # A question that was on its way may have told it all before the connection is back.
        live.wait_for(lambda t: t.stats.reconnects and t.status == "live", timeout=20)
        wait_until_equal(live, client, messages)


def test_a_network_that_falls_silent(client, far_client, proxy, messages):
    with far_client.live(f"SELECT * FROM {messages}") as live:
        proxy.freeze()
        live.wait_for(lambda t: t.status not in {"live", "waiting for the server"})
        client.execute_query(f"DELETE FROM {messages} WHERE id = 2")
        proxy.thaw()
        wait_until_equal(live, client, messages)


# The past.


@pytest.mark.parametrize("rest", ["", "WHERE n > 0", "ORDER BY n DESC"])
@pytest.mark.slow
def test_rows_as_they_were(client, messages, rest):
    with client.live(f"SELECT * FROM {messages} {rest}") as live:
        before = live.arrow()
        client.execute_query(f"UPDATE {messages} SET n = 9 WHERE id = 1")
        live.wait_for(lambda t: t.df()["n"].max() == 9, timeout=20)
        between = live.arrow()
        client.execute_query(f"DELETE FROM {messages} WHERE id = 2")
        live.wait_for(lambda t: t.num_rows == 2, timeout=20)
        updated, deleted = live.changes()["_at"].iloc[[0, -1]]
        assert live.at(updated).arrow() == between
        assert live.at(updated - dt.timedelta(microseconds=1)).arrow() == before
        assert live.at(deleted).arrow() == live.arrow()
        with pytest.raises(LiveError, match="not known"):
            live.at(updated - dt.timedelta(hours=1))


# Refusals.


def test_refusals_by_the_server(client, namespace):
    with pytest.raises(QueryError, match="nope") as caught:
        client.live(f"SELECT * FROM {namespace}.nope")
    assert "There is no table" in caught.value.hint


def test_the_eleventh_live_query_of_a_user(client, messages):
    sqls = [f"SELECT * FROM {messages} WHERE id > {number}" for number in range(11)]
    with ExitStack() as stack:
        tables = [stack.enter_context(client.live(sql)) for sql in sqls[:10]]
        # Those with the same text share one.
        tables += [stack.enter_context(client.live(sqls[0])) for _ in range(2)]
        with pytest.raises(SubscriptionError) as caught:
            client.live(sqls[10])
        assert caught.value.code == "SUBSCRIPTION_LIMIT_EXCEEDED"
        assert f"SELECT * FROM {messages} WHERE (id > 9)" in caught.value.hint
        tables[9].close()
        stack.enter_context(client.live(sqls[10]))


def test_a_token_that_is_not_accepted(server, messages):
    with kalam.Client(server.url, token="not.a.token") as client, pytest.raises(AuthError):
        client.connect()


# Frames.


@pytest.mark.parametrize("compression", [True, False])
def test_frames_can_be_watched(server, client, messages, compression):
    received, sent = [], []
    with kalam.Client(
        server.url,
        user="root",
        password=server.root_password,
        compression=compression,
        on_receive=received.append,
        on_send=sent.append,
    ) as watched:
        with watched.live(f"SELECT * FROM {messages}") as live:
            client.execute_query(f"INSERT INTO {messages} (id, room, n) VALUES (4, '{'x' * 600}', 4)")
            live.wait_for(4)
        assert received[0].startswith('{"type":"auth_success"')
        assert any('"change_type":"insert"' in text for text in received)
        assert '"type":"subscribe"' in sent[0]


def test_closing_the_client_ends_its_live_tables(server, messages):
    client = kalam.Client(server.url, token=server.token)
    live = client.live(f"SELECT * FROM {messages}")
    client.close()
    with pytest.raises(KalamError, match="closed"):
        live.wait_for(100)
    assert (live.status, live.error, live.num_rows) == ("stopped: closed", None, 3)
