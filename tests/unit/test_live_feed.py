"""Live events: the queue between the socket's thread and the readers."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import threading
import time
from collections import deque
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_socket_server import SocketServer
from test_event_stream import COLUMNS, SQL, insert, row, subscribed

from kalam_notebook.errors import (
    ConfigError,
    ConnectError,
    LiveError,
    RequestTimeoutError,
    SlowConsumerError,
    SubscriptionError,
)
from kalam_notebook.live_queries.connection.listener import Handlers
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.connection.waiting import Gate
from kalam_notebook.live_queries.events.feed import EventFeed
from kalam_notebook.live_queries.events.messages import InitialBatch, Insert
from kalam_notebook.live_queries.events.messages import LiveNotice as Notice
from kalam_notebook.live_queries.events.opening import open_events
from kalam_notebook.live_queries.events.streaming import EventStream
from kalam_notebook.live_queries.following.plan import TableInfo
from kalam_notebook.settings import Timeouts

# The queue, against a server in the same process.


class Source:
    def __init__(self):
        self.domains = {}

    def describe(self, table):
        return TableInfo(COLUMNS, "shared")


@pytest.fixture
def server():
    with SocketServer() as server:
        yield server


@pytest.fixture
def socket(server):
    """A client's socket; pings come every 20 ms, and a pong is late after 200 ms."""
    timeouts = Timeouts(connect=5.0, auth=5.0, subscribe=5.0, pong=0.2, keepalive=0.02)
    pings = []
    socket = LiveSocket(
        url=server.url,
        token=lambda *, renew=False: "good",
        timeouts=timeouts,
        delays=lambda: repeat(0.01),
        handlers=Handlers(on_send=lambda text: pings.append(text) if text == "[ping]" else None),
    )
    socket.pings = pings
    yield socket
    socket.close()
    gc.collect()


@pytest.fixture
def follow(socket):
    """Make live events, which are closed in the end."""
    made = []

    def make(sql=SQL, **options):
        events = open_events(sql, source=Source(), socket=socket, **options)
        made.append(events)
        return events

    yield make
    for events in made:
        events.close()


def take(events, count=1):
    return [events.next(timeout=10) for _ in range(count)]


def kinds(events):
    return [event.code if isinstance(event, Notice) else type(event).__name__ for event in events]


def wait_until(condition, timeout=10.0):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for did not happen"
        time.sleep(0.005)


def test_rows_then_changes(server, follow):
    server.pages = [[row(1), row(2)]]
    with follow() as events:
        assert kinds(take(events, 2)) == ["Ack", "InitialBatch"]
        server.change("insert", row(3), zipped=True)
        (event,) = take(events)
        assert (event, event.row, event.seq) == (Insert((row(3),), 3), row(3), 3)
        assert (events.status, events.last_seq, events.sql) == ("live", 3, SQL)
        assert repr(events) == "<LiveEvents a.b, 0 pending, live>"
        stats = events.stats
        assert (stats.received, stats.delivered, stats.pending, stats.lost, stats.reconnects) == (3, 3, 0, 0, 0)
        assert 500 < stats.bytes < 2000
    assert events.status == "stopped: closed"
    server.wait_until(lambda: not server.active)


def test_each_page_is_asked_for_when_the_one_before_was_taken(server, follow):
    server.pages = [[row(2)], [row(4)], [row(6)]]
    events = follow(batch_size=1)
    assert kinds(take(events, 2)) == ["Ack", "SNAPSHOT_MAY_MISS_ROWS"]
    assert server.received[0]["subscription"]["options"] == {"batch_size": 1}
    assert len(server.received) == 1
    for number in range(3):
        (batch,) = take(events)
        assert (batch.batch_num, batch.has_more, batch.seq) == (number, number < 2, 2 * number + 2)
        assert events.last_seq == (None if number < 2 else 6)
        if number < 2:
            wait_until(lambda: events.stats.pending)
        assert [message["last_seq_id"] for message in server.received[1:]] == [2, 4][: number + 1]
    with pytest.raises(RequestTimeoutError, match=r"No event of a.b within 0\.01 s: live"):
        events.next(timeout=0.01)


def test_options_go_out_and_changes_only_asks_for_nothing(server, follow):
    follow(last_rows=5, batch_size=7)
    follow(from_seq=2**60)
    follow(batch_size=None)
    options = [message["subscription"]["options"] for message in server.received]
    assert options == [{"batch_size": 7, "last_rows": 5}, {"batch_size": 999, "from": 2**60}, None]


def test_a_projection_and_a_filter_are_sent_and_judged(server, follow):
    events = follow("SELECT ID, n FROM a.b WHERE n IN (1) OR id = 5")
    assert server.received[0]["subscription"]["sql"] == "SELECT id, n FROM a.b WHERE (n IN (1) OR id = 5)"
    assert kinds(take(events, 3)) == ["Ack", "FILTER_NOT_SURE", "ROWS_LEAVE_UNTOLD"]


def test_a_lost_connection_goes_on_where_it_was(server, follow):
    server.pages = [[row(5)]]
    events = follow()
    take(events, 2)
    server.change("delete", row(8))
    server.pages = [[row(9)]]
    server.wait_until(lambda: events.stats.pending)
    server.cut()
    heard = take(events, 5)
    assert kinds(heard) == ["Delete", "CONNECTION_LOST", "Ack", "DELETES_NOT_TOLD", "InitialBatch"]
    assert server.received[-1]["subscription"]["options"] == {"batch_size": 999, "from": 8}
    assert "the connection was cut" in heard[1].message
    assert (heard[2].reconnects, events.stats.reconnects, events.last_seq) == (1, 1, 9)


@pytest.mark.parametrize("frame", ["not json", b"not gzip", '{"type":"change","subscription_id":"live-1"}'])
def test_damaged_frames_heal(server, follow, frame):
    events = follow()
    take(events, 2)
    server.send(frame)
    assert kinds(take(events, 3)) == ["CONNECTION_LOST", "Ack", "ROWS_COME_AGAIN"]


def test_a_row_with_a_bad_seq_heals_too(server, follow):
    events = follow()
    take(events, 2)
    server.change("insert", {**row(1), "_seq": "x"})
    (notice,) = take(events)
    assert notice.code == "CONNECTION_LOST"
    assert "_seq is not an integer" in notice.message


# A slow reader.


def test_a_full_queue_is_an_error_behind_what_waits(server, follow):
    events = follow(max_queue=4)
    server.wait_until(lambda: events.stats.pending == 2)
    for seq in (1, 2, 3):
        server.change("insert", row(seq))
    server.wait_until(lambda: not server.active)
    assert kinds(take(events, 4)) == ["Ack", "InitialBatch", "Insert", "Insert"]
    with pytest.raises(SlowConsumerError) as caught:
        events.next()
    error = caught.value
    assert (error.received, error.max_queue, error.last_seq) == (5, 4, 2)
    assert "4 waited when event 5 came" in str(error)
    assert "from_seq=2" in str(error)
    stats = events.stats
    assert (stats.received, stats.delivered, stats.pending, stats.lost) == (5, 4, 0, 1)
    assert events.status.startswith("stopped: The queue of live events was full")
    with pytest.raises(SlowConsumerError):
        next(events)


def test_a_full_queue_holds_reading_up_and_nothing_is_lost(server, socket, follow):
    events = follow(max_queue=6, on_full="block")
    for seq in range(1, 301):
        server.change("insert", row(seq))
    wait_until(lambda: events.status == "held up: the queue is full")
    # Longer than a pong may take, with more in the way of the pongs than the library reads ahead.
    sent = len(socket.pings)
    wait_until(lambda: len(socket.pings) > sent + 25)
    assert events.stats.pending == 6
    heard = []
    while not heard or not isinstance(heard[-1], Insert) or heard[-1].seq < 300:
        heard += take(events)
    assert [event.seq for event in heard if isinstance(event, Insert)] == list(range(1, 301))
    notices = [event for event in heard if isinstance(event, Notice)]
    assert {notice.code for notice in notices} == {"READING_HELD_UP"}
    assert re.search(r"held up for (?!0\.0)\d+\.\d s", notices[0].message)
    assert events.stats.reconnects == 0


def test_reading_that_is_held_up_does_not_touch_other_live_queries(server, socket, follow):
    slow, quick = follow(max_queue=3, on_full="block"), follow()
    take(quick, 2)
    for seq in range(1, 51):
        server.change("insert", row(seq))
    assert [event.seq for event in take(quick, 50)] == list(range(1, 51))
    wait_until(lambda: slow.status == "held up: the queue is full")
    assert slow.stats.pending == 3


class FakeSocket:
    """Counts what a feed does to its connection."""

    url, status = "ws://h/v1/ws", "connected"

    def __init__(self, message_bytes=10):
        self.gate = Gate()
        self.message_bytes = message_bytes
        self.is_closed = False
        self.fetched = []

    def subscribe(self, sql, listener, cursor):
        listener(subscribed(cursor.options()), 10)
        return 1

    def next_batch(self, key, wire_id):
        self.fetched.append((key, wire_id))

    def close(self):
        self.is_closed = True


@given(
    max_queue=st.integers(2, 6),
    on_full=st.sampled_from(["error", "block"]),
    steps=st.lists(st.integers(1, 4) | st.just("take"), max_size=60),
)
def test_no_event_is_lost_without_being_counted(max_queue, on_full, steps):
    socket = FakeSocket()
    stream = EventStream(is_whole_row=True)
    feed = EventFeed(stream, socket=socket, options=None, max_queue=max_queue, on_full=on_full)
    feed.start(SQL, timeout=1)
    sent, taken = 0, []
    for step in steps:
        if step == "take":
            taken += [event for event in [feed.take()] if event is not None]
        elif socket.gate.is_open and not socket.is_closed:
            for _ in range(step):
                sent += 1
                feed.hear(insert(sent), 10)
        stats = feed.stats()
        assert stats.received == stats.delivered + stats.pending + stats.lost
        assert stats.delivered == len(taken)
        # A full queue with an open gate ends with the notice that reading had been held up.
        assert stats.pending <= max_queue or not socket.gate.is_open
    is_slow = isinstance(feed.error, SlowConsumerError)
    assert socket.is_closed == is_slow == bool(feed.stats().lost)
    while (event := feed.take()) is not None:
        taken.append(event)
    assert socket.gate.is_open
    came = [event.seq for event in taken if isinstance(event, Insert)]
    assert came == list(range(1, len(came) + 1))
    assert is_slow or len(came) == sent
    assert feed.last_seq == (came[-1] if came else None)


def test_large_messages_fill_the_queue_before_many_do():
    def feed_of(on_full):
        socket = FakeSocket(message_bytes=30 * 1024 * 1024)
        feed = EventFeed(EventStream(is_whole_row=True), socket=socket, options=None, max_queue=10_000, on_full=on_full)
        feed.start(SQL, timeout=1)
        assert kinds([feed.take()]) == ["Ack"]
        for seq in range(1, 4):
            feed.hear(insert(seq), 10)
        return feed, socket

    feed, socket = feed_of("block")
    assert not socket.gate.is_open
    assert feed.take().seq == 1
    assert not socket.gate.is_open
    assert feed.take().seq == 2
    assert socket.gate.is_open

    feed, socket = feed_of("error")
    assert feed.error is None
    feed.hear(insert(4), 10)
    assert (feed.error.received, feed.error.max_queue, feed.error.last_seq) == (5, 3, 3)
    assert "3 with 94 MB waited when event 5 came" in str(feed.error)
    assert socket.is_closed


def test_close_while_reading_is_held_up(server, follow):
    events = follow(max_queue=1, on_full="block")
    for seq in range(1, 51):
        server.change("insert", row(seq))
    assert_closes_quickly(events)


# The end.


def assert_closes_quickly(events):
    start = time.monotonic()
    events.close()
    assert time.monotonic() - start < 1.0
    assert not events._feed._socket._thread.is_alive()
    events.close()


def test_close_while_another_thread_waits(server, follow):
    events, heard, waits = follow(), [], threading.Event()

    def read():
        for event in events:
            heard.append(event)
            if isinstance(event, InitialBatch):
                waits.set()

    thread = threading.Thread(target=read)
    thread.start()
    assert waits.wait(10)
    assert_closes_quickly(events)
    thread.join(10)
    assert not thread.is_alive()
    assert kinds(heard) == ["Ack", "InitialBatch"]
    with pytest.raises(LiveError, match="were closed"):
        events.next()


def test_events_that_wait_are_forgotten_by_close(follow):
    events = follow()
    events.close()
    assert list(events) == []
    assert events.stats.pending >= 1


def test_closing_the_client_is_an_error_for_those_who_wait(socket, follow):
    events = follow()
    take(events, 2)
    socket.close()
    with pytest.raises(LiveError, match="connection of this client was closed"):
        events.next(timeout=10)
    with pytest.raises(LiveError, match="was closed"):
        follow()


def test_closing_the_client_with_many_streams_is_quick(server, socket, follow):
    streams = [follow() for _ in range(8)]
    server.freeze()
    start = time.monotonic()
    socket.close()
    assert time.monotonic() - start < 1.0
    for events in streams:
        assert not events._feed._socket._thread.is_alive()


def test_a_refusal_is_raised_at_once(server, follow):
    server.refusals[SQL] = deque([("NOT_FOUND", "Table not found")])
    with pytest.raises(SubscriptionError, match="NOT_FOUND"):
        follow()


def test_an_error_in_the_rows_ends_the_stream(server, follow):
    server.pages = [[row(1)], [row(2)]]
    events = follow(batch_size=1)
    take(events, 2)
    error = {"type": "error", "subscription_id": "live-1", "code": "CONVERSION_ERROR", "message": "NaN"}
    server.send(json.dumps(error))
    assert kinds(take(events)) == ["InitialBatch"]
    with pytest.raises(SubscriptionError, match="CONVERSION_ERROR: NaN"):
        take(events, 2)  # The second batch may have come before.


def test_no_acknowledgement_in_time(server, follow):
    server.hold_acks = True
    with pytest.raises(ConnectError, match=r"within 0\.1 s"):
        follow(timeout=0.1)


@pytest.mark.parametrize(
    ("options", "text"), [({"max_queue": 0}, "max_queue is 0"), ({"on_full": "drop"}, "on_full is 'drop'")]
)
def test_bad_options(follow, options, text):
    with pytest.raises(ConfigError, match=text):
        follow(**options)


def test_forgotten_events_warn_and_close(server, socket):
    def forget():
        open_events(SQL, source=Source(), socket=socket)
        gc.collect()

    with pytest.warns(ResourceWarning, match="was not closed"):
        forget()
    server.wait_until(lambda: not server.active)


def test_a_forked_child_cannot_read(follow, monkeypatch):
    events = follow()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(LiveError, match="forked"):
            events.next(timeout=1)
        events.close()
    assert kinds(take(events)) == ["Ack"]


def test_each_event_goes_to_one_of_many_readers(server, follow):
    events, heard = follow(batch_size=None), []
    take(events)

    def read():
        heard.extend(event.seq for event in events)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for seq in range(200):
        server.change("insert", row(seq))
    wait_until(lambda: events.stats.delivered == 201)
    events.close()
    for thread in threads:
        thread.join(10)
    assert sorted(heard) == list(range(200))


# On an event loop.


def test_reading_on_an_event_loop(server, follow):
    async def read():
        heard, ticks = [], 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticker = asyncio.create_task(tick())
        async with follow() as events:
            async for event in events:
                heard.append(event)
                if len(heard) == 2:
                    threading.Thread(target=server.change, args=("insert", row(1))).start()
                if len(heard) == 3:
                    break
        ticker.cancel()
        assert kinds(heard) == ["Ack", "InitialBatch", "Insert"]
        assert ticks > 1
        assert [event async for event in events] == []

    asyncio.run(read())


def test_a_cancelled_wait_loses_nothing(server, follow):
    async def read():
        events = follow()
        await anext(events)
        await anext(events)
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(events), 0.001)
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        await asyncio.to_thread(server.change, "insert", row(1))
        assert (await asyncio.wait_for(waiting, 10)).seq == 1
        return events

    events = asyncio.run(read())
    # Another loop, and none: it belongs to nobody.
    server.change("insert", row(2))
    assert asyncio.run(_first(events)).seq == 2
    server.change("insert", row(3))
    assert next(events).seq == 3


def test_errors_and_the_end_reach_an_event_loop(server, follow):
    async def read(events):
        waiting = asyncio.create_task(_first(events))
        await asyncio.sleep(0)
        await asyncio.to_thread(events.close)
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(waiting, 10)

    events = follow()
    take(events, 2)
    asyncio.run(read(events))
    full = follow(max_queue=1)
    server.wait_until(lambda: not server.active)
    assert kinds(take(full)) == ["Ack"]
    with pytest.raises(SlowConsumerError):
        asyncio.run(_first(full))


async def _first(events):
    return await events.__anext__()
