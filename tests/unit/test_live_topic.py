"""The newest messages of a topic: bursts, topics that are made anew, servers that go away, and the end."""

import pytest

from kalam_notebook.errors import NotFoundError, TransportError
from kalam_notebook.live_queries.opening import open_topic
from kalam_notebook.wire.topics import Consumed, TopicMessage


class Log:
    """A topic whose messages are set by the test."""

    topic_id = "app.events"

    def __init__(self, *counts):
        self.partitions = [[] for _ in counts]
        self.error = None
        self.peeked = 0
        for number, count in enumerate(counts):
            self.publish(number, count)

    def publish(self, number, count):
        log = self.partitions[number]
        log += [
            TopicMessage(self.topic_id, number, at, "Insert", None, None, 1000 * at + number, b'{"_seq": "1", "b": 2}')
            for at in range(len(log), len(log) + count)
        ]

    def end_offset(self, partition_id):
        if self.error is not None:
            raise self.error
        return len(self.partitions[partition_id])

    def peek(self, partition_id, offset, limit):
        self.peeked += 1
        return Consumed(tuple(self.partitions[partition_id][offset : offset + limit]), 0)


@pytest.fixture
def follow():
    """Follows logs, and closes what does."""
    tables = []

    def follow(log, **options):
        tables.append(open_topic(log, partitions=len(log.partitions), **options))
        return tables[-1]

    yield follow
    for table in tables:
        table.close()


def offsets(live):
    return [(row["partition"], row["offset"]) for row in live.arrow().to_pylist()]


def test_the_newest_messages_of_all_partitions_in_order_of_time(follow):
    log = Log(3, 2)
    live = follow(log, max_rows=10)
    assert offsets(live) == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]
    assert live.arrow()["row"].to_pylist() == ['{"b":2}'] * 5
    log.publish(1, 3)
    live.wait_for(8, timeout=20)
    assert offsets(live)[-3:] == [(1, 2), (1, 3), (1, 4)]


def test_no_more_than_wanted_is_kept_or_read(follow):
    log = Log(5000)
    live = follow(log, max_rows=600)
    assert offsets(live) == [(0, at) for at in range(4400, 5000)]
    assert log.peeked == 2
    log.publish(0, 2000)
    live.wait_for(lambda table: offsets(table)[-1] == (0, 6999), timeout=20)
    assert offsets(live) == [(0, at) for at in range(6400, 7000)]
    assert log.peeked == 4


def test_a_topic_that_is_made_anew_begins_anew(follow):
    log = Log(5)
    live = follow(log, max_rows=10)
    log.partitions = [[]]
    log.publish(0, 2)
    live.wait_for(lambda table: table.num_rows == 2, timeout=20)
    assert offsets(live) == [(0, 0), (0, 1)]


def test_a_server_that_comes_back_is_asked_again(follow):
    log = Log(1)
    live = follow(log, max_rows=10)
    log.error = TransportError("no answer")
    live.wait_for(lambda table: table.status == "trying again: no answer", timeout=20)
    log.publish(0, 1)
    log.error = None
    live.wait_for(2, timeout=20)
    assert live.status == "live"


def test_a_topic_that_is_gone_ends_it_and_the_rows_stay(follow):
    log = Log(2)
    live = follow(log, max_rows=10)
    log.error = NotFoundError("NOT_FOUND", "no such topic", 404)
    with pytest.raises(NotFoundError):
        live.wait_for(3, timeout=20)
    assert live.num_rows == 2


def test_nothing_is_asked_while_it_is_paused(follow):
    log = Log(1)
    live = follow(log, max_rows=10)
    live.pause()
    assert live.status == "paused"
    log.publish(0, 1)
    live.resume()
    live.wait_for(2, timeout=20)
