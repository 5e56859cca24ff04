"""Live events against a server: what it sends is passed on, and what it keeps to itself is said."""

import asyncio
import threading

import pytest
from servers import ROW_VERSION
from tcp_proxy import TcpProxy

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, LiveError, SlowConsumerError, SubscriptionError
from kalam_notebook.live_queries.events.messages import Ack, Delete, InitialBatch, Insert, Update
from kalam_notebook.live_queries.events.messages import LiveNotice as Notice
from kalam_notebook.settings import Timeouts

pytestmark = pytest.mark.contract


@pytest.fixture
def make(client, namespace):
    """Make a table, perhaps with rows, and give its name."""

    def run(*rows, kind="SHARED"):
        table = f"{namespace}.{kind.lower()}"
        ttl = ", TTL_SECONDS = 3600" if kind == "STREAM" else ""
        client.execute_query(
            f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, room TEXT, n INT) WITH (TYPE = '{kind}'{ttl})"
        )
        insert(client, table, *rows)
        return table

    return run


def insert(client, table, *rows):
    if rows:
        values = ", ".join(f"({id}, '{room}', {n})" for id, room, n in rows)
        client.execute_query(f"INSERT INTO {table} (id, room, n) VALUES {values}")


def take_until(events, condition, timeout=20):
    """Take events up to the first for which the condition holds."""
    taken = []
    while not taken or not condition(taken[-1]):
        taken.append(events.next(timeout=timeout))
    return taken


def is_last_batch(event):
    return isinstance(event, InitialBatch) and not event.has_more


def codes(events):
    return [event.code for event in events if isinstance(event, Notice)]


def rows_of(events):
    return [row for event in events if isinstance(event, InitialBatch) for row in event.rows]


def ids(rows):
    return sorted(int(row["id"]) for row in rows)


@pytest.mark.parametrize("kind", ["USER", "SHARED"])
def test_rows_then_changes_as_sent(client, make, kind):
    table = make((1, "a", 1), (2, "b" * 600, 2), kind=kind)
    with client.live_events(f"SELECT * FROM {table}") as events:
        ack, batch = take_until(events, is_last_batch)
        assert [column.name for column in ack.columns] == ["id", "room", "n", ROW_VERSION, "_deleted"]
        assert (batch.batch_num, ids(batch.rows)) == (0, [1, 2])
        insert(client, table, (2**62, "c", 3))
        client.execute_query(f"UPDATE {table} SET n = NULL WHERE id = 1")
        client.execute_query(f"DELETE FROM {table} WHERE id = 2")
        inserted, updated, deleted = take_until(events, lambda event: isinstance(event, Delete))
        assert isinstance(inserted, Insert)
        assert ack.decode(inserted.rows).to_pylist() == [
            {"id": 2**62, "room": "c", "n": 3, ROW_VERSION: inserted.seq, "_deleted": False}
        ]
        assert isinstance(updated, Update)
        assert "n" not in updated.row
        assert ack.decode(updated.rows)["n"].to_pylist() == [None]
        assert updated.old_values[0]["n"] == 1
        assert (deleted.row["id"], deleted.row["_deleted"]) == ("2", True)
        assert batch.seq < inserted.seq < updated.seq < deleted.seq == events.last_seq
        stats = events.stats
        assert (stats.received, stats.delivered, stats.pending, stats.lost) == (5, 5, 0, 0)


@pytest.mark.servers("0.4.3")
def test_a_projection_and_a_filter(client, make):
    table = make((1, "a", 1), (2, "b", 2), (3, "c", 3))
    with client.live_events(f"SELECT ID, n FROM {table} WHERE n = $1 OR room = $2", [1, "b"]) as events:
        taken = take_until(events, is_last_batch)
        assert ids(rows_of(taken)) == [1, 2]
        assert "ROWS_LEAVE_UNTOLD" in codes(taken)
        client.execute_query(f"UPDATE {table} SET n = 1 WHERE id = 3")
        client.execute_query(f"UPDATE {table} SET n = 5 WHERE id = 1")  # It leaves, and nothing tells.
        insert(client, table, (4, "x", 9), (5, "b", 9))
        updated, inserted = take_until(events, lambda event: isinstance(event, Insert))
        assert (updated.row["id"], updated.row["n"], "room" in updated.row) == ("3", 1, False)
        assert inserted.row["id"] == "5"


def test_a_filter_without_events_is_told(client, make):
    with client.live_events(f"SELECT * FROM {make()} WHERE n IN (1, 2)") as events:
        assert "FILTER_NOT_SURE" in codes(take_until(events, is_last_batch))


def test_more_than_one_batch(client, make):
    table = make(*((n, "a", n) for n in range(30)))
    client.execute_query(f"UPDATE {table} SET n = 0 WHERE id >= 10 AND id < 20")
    with client.live_events(f"SELECT * FROM {table}", batch_size=7) as events:
        taken = take_until(events, is_last_batch)
        assert codes(taken) == ["SNAPSHOT_MAY_MISS_ROWS"]
        assert [e.batch_num for e in taken if isinstance(e, InitialBatch)] == list(range(len(taken) - 2))
        assert len(taken) > 6
        assert set(ids(rows_of(taken))) <= set(range(30))
        insert(client, table, (99, "z", 0))
        assert events.next(timeout=20).row["id"] == "99"


def test_the_default_batch_holds_999_rows_and_says_when_there_are_more(client, make):
    table = make()
    for start in range(0, 1100, 100):
        insert(client, table, *((n, "a", n) for n in range(start, start + 100)))
    with client.live_events(f"SELECT * FROM {table}") as events:
        taken = take_until(events, is_last_batch)
        assert codes(taken) == ["SNAPSHOT_MAY_MISS_ROWS"]
        assert len(taken[2].rows) == 999
        # Keys that grow as they are written are the one case in which the pages are right.
        assert ids(rows_of(taken)) == list(range(1100))


def test_last_rows(client, make):
    table = make(*((n, "a", n) for n in range(30)))
    with client.live_events(f"SELECT * FROM {table}", last_rows=5) as events:
        taken = take_until(events, is_last_batch)
        assert len(rows_of(taken)) == 5
        assert codes(taken) == ["LAST_ROWS_MAY_BE_WRONG"]
    with client.live_events(f"SELECT * FROM {table}", last_rows=31) as events:
        taken = take_until(events, is_last_batch)
        assert (ids(rows_of(taken)), codes(taken)) == (list(range(30)), [])


def test_changes_only(client, make):
    table = make((1, "a", 1))
    with client.live_events(f"SELECT * FROM {table}", batch_size=None) as events:
        insert(client, table, (2, "b", 2))
        ack, inserted = take_until(events, lambda event: isinstance(event, Insert))
        assert isinstance(ack, Ack)
        assert inserted.row["id"] == "2"


def test_beginning_again_where_it_was(client, make):
    table = make((1, "a", 1), (2, "b", 2))
    with client.live_events(f"SELECT * FROM {table}") as events:
        take_until(events, is_last_batch)
        seq = events.last_seq
    client.execute_query(f"DELETE FROM {table} WHERE id = 1")
    client.execute_query(f"UPDATE {table} SET n = 7 WHERE id = 2")
    insert(client, table, (3, "c", 3))
    with pytest.raises(ConfigError, match="from_seq and from_ are the same"):
        client.live_events(f"SELECT * FROM {table}", from_seq=seq, from_=seq)
    with client.live_events(f"SELECT * FROM {table}", from_=seq) as events:
        taken = take_until(events, is_last_batch)
        if ROW_VERSION == "_seq":
            assert codes(taken) == ["DELETES_NOT_TOLD"]
            assert ids(rows_of(taken)) == [2, 3]
        else:  # All that was missed is told.
            assert (codes(taken), rows_of(taken)) == ([], [])
            told = take_until(events, lambda event: isinstance(event, Insert))
            assert [type(event) for event in told] == [Delete, Update, Insert]


@pytest.mark.servers("0.4.3", "0.5")
def test_a_cut_connection_goes_on_and_tells_what_it_cannot(server, client, make):
    table = make((1, "a", 1), (2, "b", 2))
    timeouts = Timeouts(pong=0.5, keepalive=0.2)
    with (
        TcpProxy(server.url) as proxy,
        kalam.Client(proxy.url, token=server.token, timeouts=timeouts) as far,
        far.live_events(f"SELECT * FROM {table}") as events,
    ):
        take_until(events, is_last_batch)
        proxy.go_down()
        assert events.next(timeout=20).code == "CONNECTION_LOST"
        client.execute_query(f"DELETE FROM {table} WHERE id = 1")
        insert(client, table, (3, "c", 3))
        proxy.come_up()
        taken = take_until(events, is_last_batch)
        assert taken[0].reconnects == events.stats.reconnects >= 1
        assert codes(taken)[-1] == "DELETES_NOT_TOLD"
        assert ids(rows_of(taken)) == [3]
        insert(client, table, (4, "d", 4))
        assert events.next(timeout=20).row["id"] == "4"


def test_rows_of_a_stream(client, make):
    table = make((1, "a", 1), (1, "a", 2), kind="STREAM")
    with (
        client.live_events(f"SELECT * FROM {table}") as events,
        client.live_events(f"SELECT id FROM {table}") as named,
    ):
        assert ids(rows_of(take_until(events, is_last_batch))) == [1, 1]
        assert codes(take_until(named, is_last_batch)) == ["STREAM_DELETES_UNTOLD"]
        insert(client, table, (2, "b", 2))
        client.execute_query(f"DELETE FROM {table} WHERE id = 2")
        *_, inserted, deleted = take_until(events, lambda event: isinstance(event, Delete))
        assert deleted.row["row_id"].endswith(f":{inserted.seq}")
        assert deleted.seq is None


@pytest.mark.parametrize("on_full", ["error", "block"])
def test_a_slow_reader_is_told(client, make, on_full):
    table = make()
    with client.live_events(f"SELECT * FROM {table}", max_queue=10, on_full=on_full) as events:
        take_until(events, is_last_batch)
        for start in range(0, 400, 100):  # More than 128 in one statement, and the server would drop some.
            insert(client, table, *((n, "a", n) for n in range(start, start + 100)))
        if on_full == "error":
            taken = []
            with pytest.raises(SlowConsumerError, match="10 waited when event 13 came"):
                take_until(events, taken.append)
            assert ids(event.row for event in taken) == list(range(10))
            assert (events.stats.lost, events.stats.pending) == (1, 0)
        else:
            taken = take_until(events, lambda event: isinstance(event, Insert) and event.row["id"] == "399")
            assert ids(event.row for event in taken if isinstance(event, Insert)) == list(range(400))
            assert set(codes(taken)) == {"READING_HELD_UP"}


def test_refusals(client, make, namespace):
    with pytest.raises(SubscriptionError, match="NOT_FOUND"):
        client.live_events(f"SELECT * FROM {namespace}.nope")
    table = make()
    with pytest.raises(SubscriptionError, match="no column 'nope'"):
        client.live_events(f"SELECT nope FROM {table}", batch_size=None)
    with pytest.raises(SubscriptionError, match="cannot have ORDER"):
        client.live_events(f"SELECT * FROM {table} ORDER BY id")


def test_an_end_for_everybody(server, make):
    table = make((1, "a", 1))
    own = kalam.Client(server.url, token=server.token)
    events = own.live_events(f"SELECT * FROM {table}")
    take_until(events, is_last_batch)
    errors = []

    def wait():
        with pytest.raises(LiveError, match="was closed") as caught:
            events.next(timeout=60)
        errors.append(caught.value)

    thread = threading.Thread(target=wait)
    thread.start()
    own.close()
    thread.join(10)
    assert len(errors) == 1
    events.close()
    assert list(events) == []


def test_on_an_event_loop(server, make):
    table = make((1, "a", 1))

    async def read():
        heard = []
        async with (
            kalam.AsyncClient(server.url, token=server.token) as client,
            await client.live_events("SELECT * FROM shared", namespace=table.split(".")[0]) as events,
        ):
            async for event in events:
                heard.append(type(event))
                if isinstance(event, InitialBatch):
                    await client.execute_query(f"INSERT INTO {table} (id, room, n) VALUES (2, 'b', 2)")
                if isinstance(event, Insert):
                    break
        return heard

    assert asyncio.run(read()) == [Ack, InitialBatch, Insert]
