"""What KalamDB's live queries do not tell (truth L12–L17, L21, L22): to a plain client, and to ours.

The plain client is a WebSocket that follows the protocol and keeps rows by their key, as a careful reader of the API
would write it. With ``KALAM_TEST_URL`` the same pairs run against a real server.
"""

from __future__ import annotations

import contextlib

import pytest
from plain_live import PlainLive
from servers import ROW_VERSION

pytestmark = pytest.mark.contract


@pytest.fixture
def follow(server):
    with contextlib.ExitStack() as opened:
        yield lambda sql, options=None: opened.enter_context(PlainLive(server, sql, options, version=ROW_VERSION))


@pytest.fixture
def make(client, namespace):
    def make(count=0, *, kind="SHARED"):
        table = f"{namespace}.t"
        client.execute_query(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, n INT, t TEXT) WITH (TYPE = '{kind}')")
        write(client, table, range(count), together=200)
        return table

    return make


def write(client, table, ids, *, together):
    """Insert rows, so many in one statement."""
    ids = list(ids)
    for start in range(0, len(ids), together):
        values = ", ".join(f"({number}, {number}, 'x')" for number in ids[start : start + together])
        client.execute_query(f"INSERT INTO {table} (id, n, t) VALUES {values}")


def check(live, client, sql):
    """Ours is true: it says so, and it equals a query."""
    assert live.verify(timeout=60)
    columns = ", ".join(live.schema.names)
    expected = client.query_arrow(sql.replace("*", columns, 1), max_rows=None)
    assert sorted(map(repr, live.arrow().to_pylist())) == sorted(map(repr, expected.to_pylist()))


def test_l12_the_snapshot_ends_after_a_thousand_rows(client, make, follow):
    table = make(1500)
    sql = f"SELECT * FROM {table}"
    assert len(follow(sql, {}).rows) == 1000
    with client.live(sql) as live:
        assert live.num_rows == 1500
        check(live, client, sql)


@pytest.mark.servers("0.4.3")
def test_l12_pages_lose_rows(client, make, follow):
    table = make()
    write(client, table, [number * 7919 % 300 for number in range(300)], together=50)
    client.execute_query(f"UPDATE {table} SET t = 'y' WHERE n < 100")
    sql = f"SELECT * FROM {table}"
    assert len(follow(sql, {"batch_size": 7}).rows) < 300
    with client.live(sql) as live:
        assert live.num_rows == 300
        check(live, client, sql)


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_l13_a_snapshot_beyond_the_scan_window(beyond):
    table, client, count = beyond.name, beyond.client, beyond.count
    changed = f"SELECT * FROM {table} WHERE (n = 1)"
    with PlainLive(beyond.plain.server, changed, {"batch_size": 999}) as socket:
        assert socket.rows == {}
    with client.live(f"SELECT * FROM {table}") as live:
        assert live.num_rows == count
        assert sum(live.arrow().column("n").to_pylist()) == beyond.changed
        proof = live.verify(timeout=120)
        assert proof
        assert f"read whole by {ROW_VERSION}" in proof.how
        assert "more unflushed row versions" in live.notice
    with client.live(changed) as live:
        assert live.num_rows == beyond.changed
        # An UPDATE finds the stale row, too: setting what that one holds would be no change to the server.
        client.execute_query(f"UPDATE {table} SET n = 2 WHERE id = 5")
        live.wait_for(lambda t: t.num_rows == beyond.changed - 1)
        client.execute_query(f"UPDATE {table} SET n = 1 WHERE id = 5")
        assert live.verify(timeout=120)
        assert live.num_rows == beyond.changed


def test_l14_events_of_a_burst_are_dropped(client, make, follow):
    table = make()
    sql = f"SELECT * FROM {table}"
    plain = follow(sql)
    with client.live(sql) as live:
        # A server that has little else to do sends now and then all of a burst.
        for count in range(2000, 12_000, 2000):
            write(client, table, range(count - 2000, count), together=2000)
            live.wait_for(count)
            check(live, client, sql)
            assert live.stats.healed >= count - live.stats.events
            if len(plain.listen().rows) < count:
                break
    assert len(plain.rows) < count


@pytest.mark.servers("0.4.3")
@pytest.mark.parametrize("condition", ["n < 2", "t = 'x'"])
def test_l15_rows_that_leave_the_filter(client, make, follow, condition):
    table = make(2)
    sql = f"SELECT * FROM {table} WHERE ({condition})"
    plain = follow(sql, {"batch_size": 999})
    with client.live(sql) as live:
        client.execute_query(f"UPDATE {table} SET n = 50, t = 'y' WHERE id = 0")
        client.execute_query(f"DELETE FROM {table} WHERE id = 0")
        live.wait_for(lambda t: t.num_rows == 1)
        check(live, client, sql)
    assert sorted(plain.hear_out(client, table).rows) == ["0", "1"]


@pytest.mark.servers("0.4.3")
@pytest.mark.parametrize("condition", ["n IN (1, 7)", "n BETWEEN 1 AND 7", "t IS NOT NULL", "abs(n) > 0", "t > 'a'"])
def test_l16_filters_without_events(client, make, follow, condition):
    table = make(2)
    sql = f"SELECT * FROM {table} WHERE ({condition})"
    plain = follow(sql, {"batch_size": 999})
    with client.live(sql) as live:
        before = live.num_rows
        assert len(plain.rows) == before > 0
        write(client, table, [7], together=1)
        live.wait_for(before + 1)
        check(live, client, sql)
    assert (plain.hear_out(client, table).events, len(plain.rows)) == (0, before)


@pytest.mark.servers("0.4.3", "0.5")
def test_l17_deletes_while_away(client, make, follow):
    table = make(3)
    sql = f"SELECT * FROM {table}"
    plain = follow(sql, {"batch_size": 999})
    with client.live(sql) as live:
        live.pause()
        client.execute_query(f"DELETE FROM {table} WHERE id = 1")
        client.execute_query(f"UPDATE {table} SET t = 'y' WHERE id = 2")
        again = follow(sql, {"batch_size": 999, "from": plain.last_seq})
        assert sorted(again.rows) == ["2"]
        live.resume()
        live.wait_for(2)
        live.wait_for(lambda t: t.status == "live")
        check(live, client, sql)


@pytest.mark.servers("0.4.3")
def test_l21_an_or_at_the_top(client, make, follow):
    table = make(4)
    client.execute_query(f"DELETE FROM {table} WHERE id = 3")
    sql = f"SELECT * FROM {table} WHERE id = 0 OR id = 1 OR id = 3"
    plain = follow(sql, {"batch_size": 999})
    assert sorted(plain.rows) == ["0", "1", "3"]
    # Nothing has happened since, and an old row comes all the same.
    assert sorted(follow(sql, {"batch_size": 999, "from": plain.last_seq}).rows) == ["1", "3"]
    with client.live(sql) as live:
        assert live.arrow().column("id").to_pylist() == [0, 1]
        client.execute_query(f"DELETE FROM {table} WHERE id = 1")
        live.wait_for(lambda t: t.num_rows == 1)
        check(live, client, sql)


@pytest.mark.servers("0.4.3")
@pytest.mark.parametrize("condition", ["n > -1", "n - 1 >= 0", "n <> 5"])
def test_l21_events_missing_or_too_many(client, make, follow, condition):
    table = make(2)
    sql = f"SELECT * FROM {table} WHERE ({condition})"
    plain = follow(sql, {"batch_size": 999})
    with client.live(sql) as live:
        write(client, table, [6], together=1)
        client.execute_query(f"INSERT INTO {table} (id, n, t) VALUES (9, NULL, 'z')")
        live.wait_for(lambda t: 6 in t.arrow().column("id").to_pylist())
        check(live, client, sql)
        expected = {str(number) for number in live.arrow().column("id").to_pylist()}
    assert set(plain.hear_out(client, table).rows) != expected


def test_l22_another_snapshot_on_the_socket_costs_events(client, make, follow):
    table = make(1000)
    sql = f"SELECT * FROM {table}"
    plain = follow(sql)
    with client.live(sql) as live, client.live(f"SELECT id FROM {table}") as other:
        # A snapshot of many pages: while one is made, nothing else is sent.
        for number in range(5):
            plain.subscribe(f"other{number}", sql, {"batch_size": 999})
        write(client, table, range(1000, 1600), together=100)
        live.wait_for(1600)
        other.wait_for(1600)
        check(live, client, sql)
    # How many are lost depends on the speed of both; ours loses none whatever the socket does.
    assert plain.listen().events <= 600
