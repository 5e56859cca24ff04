"""Consuming topics, as an application and a notebook do it."""

import asyncio
import contextlib
import json
import threading
import time
from contextlib import contextmanager
from decimal import Decimal

import pandas as pd
import pytest
from servers import ROW_VERSION, wait_for_jobs

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, NotFoundError, PermissionDeniedError, ResultError, TopicError

pytestmark = pytest.mark.contract


@pytest.fixture
def orders(client, namespace):
    """A table whose changes go into ``{namespace}.events``."""
    client.execute_query(
        f"CREATE TABLE {namespace}.orders (id BIGINT PRIMARY KEY, status TEXT, total DECIMAL(8, 2), at TIMESTAMP)"
    )
    with topic_of(client, f"{namespace}.events", f"{namespace}.orders"):
        yield f"{namespace}.orders"


@contextmanager
def topic_of(client, topic, table, **options):
    make_topic(client, topic, table, **options)
    try:
        yield topic
    finally:
        client.execute_query(f"DROP TOPIC {topic}")


def make_topic(client, topic, table, *, partitions=1, payload="full"):
    client.execute_query(f"CREATE TOPIC {topic} PARTITIONS {partitions}")
    for operation in ("INSERT", "UPDATE", "DELETE"):
        client.execute_query(f"ALTER TOPIC {topic} ADD SOURCE {table} ON {operation} WITH (payload = '{payload}')")


@pytest.fixture
def events(orders, namespace):
    return f"{namespace}.events"


def insert(client, table, *ids):
    values = ", ".join(f"({number}, 'open', '{number}.50', NULL)" for number in ids)
    client.execute_query(f"INSERT INTO {table} (id, status, total, at) VALUES {values}")


def test_messages_come_once_and_in_order(client, orders, events):
    insert(client, orders, 1, 2)
    client.execute_query(f"UPDATE {orders} SET status = 'paid' WHERE id = 1")
    client.execute_query(f"DELETE FROM {orders} WHERE id = 2")
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        messages = consumer.poll()
        assert [(one.offset, one.op, one.key) for one in messages] == [
            (0, "Insert", "1"),
            (1, "Insert", "2"),
            (2, "Update", "1"),
            (3, "Delete", "2"),
        ]
        assert {one.table for one in messages} == {orders}
        assert (messages[2].row["status"], messages[3].row["_deleted"]) == ("paid", True)
        assert consumer.poll(0) == []


def test_what_was_acknowledged_does_not_come_again(client, orders, events):
    insert(client, orders, 1, 2, 3)
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        messages = consumer.poll()
        assert consumer.commit_sync(messages[1]) == kalam.CommitResult({0: 1}, 0)
        assert consumer.commit_sync() == kalam.CommitResult({0: 2}, 0)
    insert(client, orders, 4)
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        assert [one.offset for one in consumer.poll()] == [3]


def test_the_latest_are_those_to_come(client, orders, events):
    insert(client, orders, 1)
    with client.consumer(events, group_id="g") as consumer:
        assert consumer.poll(0) == []
        insert(client, orders, 2)
        assert [one.key for one in consumer.poll()] == ["2"]
    with client.consumer(events, group_id="at", start=1) as consumer:
        assert [one.key for one in consumer.poll()] == ["2"]


def test_consumers_of_a_group_share_the_messages(client, orders, events):
    insert(client, orders, *range(6))
    options = {"group_id": "g", "start": "earliest", "max_poll_records": 3}
    with client.consumer(events, **options) as first, client.consumer(events, **options) as second:
        assert [len(first.poll(0)), len(second.poll(0))] == [3, 3]
        # Acknowledging the second half would acknowledge the first half too, which may yet fail.
        assert second.commit_sync() == kalam.CommitResult({}, 3)
        assert first.commit_sync() == kalam.CommitResult({0: 2}, 0)
        assert second.commit_sync() == kalam.CommitResult({0: 5}, 0)


def test_a_group_gets_nothing_while_another_consumer_has_it_all(client, orders, events):
    insert(client, orders, 1)
    client.consumer(events, group_id="g", start="earliest").poll()
    with (
        client.consumer(events, group_id="g", start="earliest") as consumer,
        pytest.warns(kalam.TopicWarning, match=r"from offset 0 of partition 0 .*'g'.* visibility time-out") as warned,
    ):
        assert consumer.poll(3) == []
    assert warned[0].filename == __file__


def test_all_partitions_are_read(client, orders, namespace):
    topic = f"{namespace}.parts"
    with topic_of(client, topic, orders, partitions=3):
        insert(client, orders, *range(30))
        with client.consumer(topic, group_id="g", start="earliest") as consumer:
            messages = []
            while found := consumer.poll(0):
                messages += found
            assert sorted(int(one.key) for one in messages) == list(range(30))
            assert {one.partition_id for one in messages} == {0, 1, 2}
            offsets = consumer.commit_sync().acknowledged_offsets
            assert sum(offset + 1 for offset in offsets.values()) == 30


def test_rows_have_the_types_of_their_table(client, orders, events):
    row = "9007199254740993, 'open', '-1.25', '2026-01-02T03:04:05.000006Z'"
    client.execute_query(f"INSERT INTO {orders} VALUES ({row}), (1, NULL, NULL, NULL)")
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        messages = consumer.poll()
        table = consumer.arrow(messages)
    assert table.column_names[:4] == ["_partition", "_offset", "_op", "_time"]
    names = ["id", "status", "total", "at", ROW_VERSION]
    true = client.query_arrow(f"SELECT {', '.join(names)} FROM {orders} ORDER BY {ROW_VERSION}")
    assert table.select(names).equals(true)
    frame = consumer.df(messages)
    assert frame["id"].tolist() == [9007199254740993, 1]
    assert frame["total"].tolist() == [Decimal("-1.25"), pd.NA]


@pytest.mark.servers("0.4.3", "0.5", "0.7")
def test_a_sign_that_the_server_drops_is_told(client, orders, events):
    client.execute_query(f"INSERT INTO {orders} (id, total) VALUES (1, '-0.50')")
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        messages = consumer.poll()
        with pytest.warns(kalam.TopicWarning, match="total between -1 and 0"):
            consumer.arrow(messages)


def test_messages_without_their_table_need_its_name(client, orders, namespace):
    topic = f"{namespace}.keys"
    with topic_of(client, topic, orders, payload="key"):
        insert(client, orders, 1)
        with client.consumer(topic, group_id="g", start="earliest") as consumer:
            messages = consumer.poll()
            with pytest.raises(ConfigError, match="no table"):
                consumer.arrow(messages)
            assert consumer.df(messages, table=orders)["id"].tolist() == [1]


def test_a_column_that_was_dropped_is_not_left_out(client, orders, events):
    insert(client, orders, 1)
    client.execute_query(f"ALTER TABLE {orders} DROP COLUMN at")
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        messages = consumer.poll()
        with pytest.raises(ResultError, match="'at' any more"):
            consumer.arrow(messages)


def test_a_group_that_stands_behind_the_end_is_told(client, orders, events):
    insert(client, orders, 1)
    client.execute_query(f"ACK {events} GROUP 'g' UPTO OFFSET 50")
    with pytest.raises(TopicError, match=r"offset 50 of partition 0.*\nThe topic was made anew since"):
        client.consumer(events, group_id="g")


def test_a_service_tells_the_number_of_partitions(client, server, orders, events, namespace):
    insert(client, orders, 1)
    with user_of(client, server, namespace, "service") as worker:
        with pytest.raises(TopicError, match="partitions=1"):
            worker.consumer(events, group_id="g")
        with worker.consumer(events, group_id="g", start="earliest", partitions=1) as consumer:
            assert len(consumer.poll()) == 1


def test_an_ordinary_user_may_not_consume(client, server, events, namespace):
    with (
        user_of(client, server, namespace, "user") as alice,
        pytest.raises(PermissionDeniedError, match="requires service, dba, or system role"),
    ):
        alice.consumer(events, group_id="g", partitions=1)


def user_of(client, server, name, role):
    password = "Correct-Horse-9"
    client.execute_query(f"CREATE USER '{name}' WITH PASSWORD '{password}' ROLE {role}")
    return kalam.Client(server.url, user=name, password=password)


def test_a_topic_that_does_not_exist(client, namespace):
    with pytest.raises(NotFoundError, match=f"Topic '{namespace}.nope' does not exist"):
        client.consumer(f"{namespace}.nope", group_id="g")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"group_id": ""}, "group_id is ''"),
        ({"group_id": 5}, "group_id is a text"),
        ({"group_id": "g", "start": "first"}, "start is 'earliest'"),
        ({"group_id": "g", "partitions": 0}, "partitions is 0. Give a whole number from 1"),
        ({"group_id": "g", "max_poll_records": True}, "max_poll_records is a whole number"),
    ],
)
def test_bad_arguments(client, options, text):
    with pytest.raises(ConfigError, match=text):
        client.consumer("app.events", **options)


def test_the_clients_namespace_stands_for_one_that_is_missing(server, client, orders, events, namespace):
    insert(client, orders, 1)
    with kalam.Client(server.url, token=server.token, namespace=namespace) as other:
        assert len(other.consumer("events", group_id="g", start="earliest").poll()) == 1


def test_a_topic_made_anew_under_a_consumer(client, orders, events):
    """It goes on counting (truth L31)."""
    insert(client, orders, 1, 2, 3)
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        consumer.poll()
        client.execute_query(f"DROP TOPIC {events}")
        wait_for_jobs(client)
        make_topic(client, events, orders)
        insert(client, orders, 4)
        assert [(one.offset, one.key) for one in consumer.poll()] == [(3, "4")]
        assert consumer.commit_sync() == kalam.CommitResult({0: 3}, 0)
        insert(client, orders, 5)
        assert [(one.offset, one.key) for one in consumer.poll()] == [(4, "5")]
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        assert consumer.poll(0) == []  # The message was given to the consumer before.


def test_a_topic_made_anew_and_still_empty(client, orders, events):
    insert(client, orders, 1, 2, 3)
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        consumer.poll()
        client.execute_query(f"DROP TOPIC {events}")
        wait_for_jobs(client)
        make_topic(client, events, orders)
        assert consumer.poll(0) == []
        # These offsets come before all that the topic will have.
        assert consumer.commit_sync() == kalam.CommitResult({0: 2}, 0)
        insert(client, orders, 4)
        assert [(one.offset, one.key) for one in consumer.poll()] == [(3, "4")]


def test_messages_that_went_with_a_topic_are_not_waited_for(client, orders, events):
    """One that never came here went with the topic; what was not acknowledged does not come again either."""
    insert(client, orders, 1, 2, 3)
    with client.consumer(events, group_id="g", start="earliest", max_poll_records=1) as consumer:
        assert [one.key for one in consumer.poll()] == ["1"]
        client.execute_query(f"DROP TOPIC {events}")
        wait_for_jobs(client)
        make_topic(client, events, orders, partitions=2)
        insert(client, orders, 4, 5, 6, 7)
        found = []
        while len(found) < 2:
            found += consumer.poll()
        assert {one.offset for one in found} <= {3, 4, 5, 6}
        result = consumer.commit_sync()
        assert result == kalam.CommitResult({0: found[-1].offset}, 0)


def test_what_goes_on_under_the_name_of_a_topic(client, orders, events):
    """Each partition counts on by itself; what groups acknowledged is forgotten (truth L31)."""
    insert(client, orders, 1, 2, 3)
    client.execute_query(f"ACK {events} GROUP 'g' UPTO OFFSET 1")
    client.execute_query(f"DROP TOPIC {events}")
    wait_for_jobs(client)
    make_topic(client, events, orders, partitions=2)
    assert client.query(f"SELECT group_id FROM system.topic_offsets WHERE topic_id = '{events}'").empty
    insert(client, orders, *range(4, 20))
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        found = []
        while len(found) < 16:
            found += consumer.poll()
    firsts = {number: min(one.offset for one in found if one.partition_id == number) for number in (0, 1)}
    assert firsts == {0: 3, 1: 0}


def test_a_topic_that_was_cleared(client, orders, events):
    insert(client, orders, 1, 2)
    client.execute_query(f"ACK {events} GROUP 'g' UPTO OFFSET 0")
    client.execute_query(f"CLEAR TOPIC {events}")
    wait_for_jobs(client)
    assert client.query(f"SELECT group_id FROM system.topic_offsets WHERE topic_id = '{events}'").empty
    insert(client, orders, 3)
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        assert [(one.offset, one.key) for one in consumer.poll()] == [(2, "3")]


def test_how_system_topics_shows_a_topic(client, orders, events):
    (row,) = client.query_arrow(
        "SELECT name, alias, partitions, retention_seconds, retention_max_bytes, routes FROM system.topics "
        f"WHERE topic_id = '{events}'"
    ).to_pylist()
    routes = json.loads(row.pop("routes"))
    assert row == {
        "name": events,
        "alias": None,
        "partitions": 1,
        "retention_seconds": 604_800,
        "retention_max_bytes": 1_073_741_824,
    }
    assert routes[0] == {
        "filter_expr": None,
        "op": "insert",
        "partition_key_expr": None,
        "payload_mode": "full",
        "table_id": orders,
    }


def test_what_cannot_be_committed_or_converted(client, orders, events, namespace):
    insert(client, orders, 1)
    client.execute_query(f"CREATE TABLE {namespace}.other (id BIGINT PRIMARY KEY)")
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        messages = consumer.poll()
        with pytest.raises(ConfigError, match="takes one message"):
            consumer.commit_sync(messages)
        with pytest.raises(ConfigError, match=f"some of {orders}"):
            consumer.df(messages, table=f"{namespace}.other")
        assert consumer.df([]).columns.tolist() == ["_partition", "_offset", "_op", "_time"]
        assert consumer.df([], table=orders)["id"].tolist() == []


def test_files_of_messages_can_be_downloaded(client, namespace, tmp_path):
    client.execute_query(f"CREATE TABLE {namespace}.docs (id INT PRIMARY KEY, body FILE)")
    with topic_of(client, f"{namespace}.uploads", f"{namespace}.docs"):
        sql = f'INSERT INTO {namespace}.docs (id, body) VALUES (1, FILE("x"))'
        client.execute_with_files(sql, {"x": b"abc"})
        with client.consumer(f"{namespace}.uploads", group_id="g", start="earliest") as consumer:
            frame = consumer.df(consumer.poll())
        ref = frame.loc[0, "body"]
        assert client.download(ref, to=tmp_path / "x").read_bytes() == b"abc"
        assert ref.read() == b"abc"


def test_closing_ends_a_wait_of_another_thread(client, events):
    consumer = client.consumer(events, group_id="g")
    found = []
    waiting = threading.Thread(target=lambda: found.extend(consumer))
    waiting.start()
    begun = time.monotonic()
    consumer.close()
    consumer.close()
    waiting.join(5)
    assert not waiting.is_alive()
    assert time.monotonic() - begun < 2
    assert found == []
    assert "closed" in repr(consumer)
    with pytest.raises(TopicError, match="is closed"):
        consumer.poll()


def test_messages_come_to_async_for(client, server, orders, events):
    insert(client, orders, 1, 2, 3)

    async def main():
        async with kalam.AsyncClient(server.url, token=server.token) as other:
            found = []
            async with await other.consumer(events, group_id="g", start="earliest", max_poll_records=2) as consumer:
                async for message in consumer:
                    found.append(message.offset)
                    if len(found) == 3:
                        break
                committed = consumer.commit_sync()
                # Nothing more comes: waiting can be given up, and blocks no thread.
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(consumer), 0.5)
            with pytest.raises(StopAsyncIteration):
                await anext(consumer)
            return found, committed

    assert asyncio.run(main()) == ([0, 1, 2], kalam.CommitResult({0: 2}, 0))


def test_messages_are_read_again_beside_the_group(client, orders, events):
    insert(client, orders, 1, 2, 3)
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        assert len(consumer.poll()) == 3
        consumer.commit_sync()
    insert(client, orders, 4)
    with client.consumer(events, group_id="g") as consumer:
        assert [one.key for one in consumer.poll()] == ["4"]
        consumer.seek(1, partition_id=0)
        assert consumer.position() == {0: 1}
        insert(client, orders, 5)
        again = [next(consumer).key for _ in range(4)]
        assert again == ["2", "3", "4", "5"]
        assert consumer.position() == {0: 5}
        assert consumer.commit_sync() == kalam.CommitResult({0: 4}, 0)
        consumer.seek(0)
        assert consumer.commit_sync() == kalam.CommitResult({0: 4}, 0)
        with pytest.raises(TopicError, match=r"(?s)stands at 5, before offset 6.*start=6"):
            consumer.seek(6)
        with pytest.raises(ConfigError, match="partition_id is 0 to 0"):
            consumer.seek(0, partition_id=1)
        with pytest.raises(ConfigError, match="offset is a whole number from 0 on"):
            consumer.seek("earliest")
    with client.consumer(events, group_id="g") as consumer:
        assert consumer.poll(0) == []


def test_a_topic_is_shown_live_beside_its_groups(client, orders, events):
    insert(client, orders, 1, 2)
    with client.live_topic(events, max_rows=3) as live:
        assert live.arrow().select(["offset", "op", "table"]).to_pylist() == [
            {"offset": n, "op": "Insert", "table": orders} for n in range(2)
        ]
        assert json.loads(live.df()["row"][1]) == {"id": "2", "status": "open", "total": "2.50", "at": None}
        client.execute_query(f"UPDATE {orders} SET status = 'paid' WHERE id = 1")
        insert(client, orders, 3, 4)
        live.wait_for(lambda table: table.df()["offset"].max() == 4, timeout=20)
        assert live.df()["offset"].tolist() == [2, 3, 4]
        assert "newest 3 messages" in live.notice
        assert not live.verify()
        with client.consumer(events, group_id="g", start="earliest") as consumer:
            assert [one.offset for one in consumer.poll()] == [0, 1, 2, 3, 4]
    assert live.num_rows == 3


def test_the_position_is_behind_what_was_returned(client, orders, events):
    insert(client, orders, 1, 2, 3)
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        assert consumer.position() == {0: 0}
        consumer.poll()
        assert consumer.position() == {0: 3}
    with client.consumer(events, group_id="h", start=2) as consumer:
        assert consumer.position() == {0: 2}


def test_marked_messages_are_acknowledged_up_to_the_first_that_is_not(client, orders, events):
    insert(client, orders, *range(6))
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        messages = consumer.poll()
        for number in (4, 0, 1):
            consumer.mark_processed(messages[number])
        assert consumer.commit_sync().acknowledged_offsets == {0: 1}
        consumer.mark_processed(messages[5])
        assert consumer.commit_sync().acknowledged_offsets == {0: 1}
        for number in (2, 3):
            consumer.mark_processed(messages[number])
        assert consumer.commit_sync().acknowledged_offsets == {0: 5}
        with pytest.raises(ConfigError, match="mark_processed takes one message"):
            consumer.mark_processed(messages)
    insert(client, orders, 6)
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        assert [one.offset for one in consumer.poll()] == [6]


def test_marks_need_not_fill_what_others_have_acknowledged(client, orders, events):
    insert(client, orders, *range(6))
    options = {"group_id": "g", "start": "earliest", "max_poll_records": 2}
    with client.consumer(events, **options) as mine, client.consumer(events, **options) as other:
        first, between, last = mine.poll(), other.poll(), mine.poll()
        for message in (*first, *last):
            mine.mark_processed(message)
        assert mine.commit_sync().acknowledged_offsets == {0: 1}
        other.commit_sync(between[-1])
        assert mine.commit_sync().acknowledged_offsets == {0: 5}


@pytest.mark.parametrize("how", ["poll", "for", "async for"])
def test_what_was_returned_is_acknowledged_by_itself(client, orders, events, monkeypatch, how):
    monkeypatch.setattr("kalam_notebook.topics.marks._AUTO_COMMIT_S", 0.0)
    insert(client, orders, 1, 2)
    with client.consumer(events, group_id="g", start="earliest", auto_commit=True) as consumer:

        async def take():
            return [(await anext(consumer)).offset for _ in range(2)]

        if how == "poll":
            taken = [one.offset for one in consumer.poll()]
        else:
            taken = [next(consumer).offset for _ in range(2)] if how == "for" else asyncio.run(take())
        assert taken == [0, 1]
        insert(client, orders, 3)
        assert [one.offset for one in consumer.poll()] == [2]
        assert consumer._partitions[0].acknowledged == 1  # Two were done when the third was asked for.
    insert(client, orders, 4)
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        assert [one.offset for one in consumer.poll()] == [3]


def test_an_error_in_the_block_acknowledges_nothing_more(client, orders, events):
    insert(client, orders, 1, 2)
    consumer = client.consumer(events, group_id="g", start="earliest", auto_commit=True)
    with contextlib.suppress(ZeroDivisionError), consumer:
        assert consumer.poll()
        raise ZeroDivisionError
    assert consumer.commit_sync().acknowledged_offsets == {0: 1}  # It had not been.

    insert(client, orders, 3, 4)
    marking = client.consumer(events, group_id="g", start="earliest", auto_commit=True)
    with contextlib.suppress(ZeroDivisionError), marking:
        marking.mark_processed(marking.poll()[0])
        raise ZeroDivisionError
    assert marking.commit_sync().acknowledged_offsets == {0: 2}


def test_the_end_of_a_block_acknowledges(client, orders, events):
    insert(client, orders, 1, 2)
    with client.consumer(events, group_id="g", start="earliest", auto_commit=True) as consumer:
        consumer.poll()
    insert(client, orders, 3)
    with client.consumer(events, group_id="g", start="earliest") as consumer:
        assert [one.offset for one in consumer.poll()] == [2]


def test_auto_commit_is_told_as_such(client, events):
    with pytest.raises(ConfigError, match="auto_commit is True or False, not 5"):
        client.consumer(events, group_id="g", auto_commit=5)


@pytest.mark.parametrize("options", [{"start": "now"}, {"max_poll_records": 0}, {"auto_commit": 1}])
def test_a_wrong_argument_is_told_before_anything_is_asked(client, events, options):
    asked = len(client.recent_requests())
    with pytest.raises(ConfigError, match=next(iter(options))):
        client.consumer(events, group_id="g", **options)
    assert len(client.recent_requests()) == asked
