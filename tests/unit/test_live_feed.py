"""Live events: what is told of each message, and the queue between the socket's thread and the readers."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import os
import re
import threading
import time
from collections import deque
from itertools import repeat
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_socket_server import SocketServer

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
from kalam_notebook.live_queries.connection.states import (
    Changed,
    Interrupted,
    Loaded,
    State,
    Status,
    StatusChanged,
    Subscribed,
    Unexplained,
)
from kalam_notebook.live_queries.connection.waiting import Gate
from kalam_notebook.live_queries.events import notices
from kalam_notebook.live_queries.events.feed import EventFeed
from kalam_notebook.live_queries.events.live_events import LiveEvents
from kalam_notebook.live_queries.events.messages import Ack, Delete, InitialBatch, Insert, Update
from kalam_notebook.live_queries.events.messages import LiveNotice as Notice
from kalam_notebook.live_queries.events.notices import query_notices
from kalam_notebook.live_queries.events.streaming import EventStream, stream_options
from kalam_notebook.live_queries.following.plan import TableInfo
from kalam_notebook.live_queries.following.query import parse_live_query
from kalam_notebook.settings import Timeouts
from kalam_notebook.wire.live import (
    BatchControl,
    Change,
    InitialDataBatch,
    SubscribeOptions,
    SubscriptionAck,
    Unknown,
)
from kalam_notebook.wire.types import Column

SQL = "SELECT * FROM a.b"
COLUMNS = (
    Column("id", "BigInt", flags=("pk", "nn", "uq")),
    Column("room", "Text", flags=("nn",)),
    Column("n", "Int"),
    Column("_seq", "BigInt", flags=("nn",)),
    Column("_deleted", "Boolean", flags=("nn",)),
)


def row(seq):
    return {"id": str(seq), "room": "a", "n": 1, "_seq": str(seq), "_deleted": False}


# Options.


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"batch_size": None}, None),
        ({"batch_size": 999}, SubscribeOptions(999)),
        ({"batch_size": 5, "last_rows": 5}, SubscribeOptions(5, last_rows=5)),
        ({"batch_size": 5, "from_seq": 0}, SubscribeOptions(5, from_seq=0)),
    ],
)
def test_options(given, sent):
    assert stream_options(**given) == sent


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"batch_size": 1000}, "ends the rows after 1000 without telling. Give 999 or less"),
        ({"batch_size": 0}, "batch_size is 0. Give a whole number from 1 on"),
        ({"batch_size": 10, "last_rows": 11}, "last_rows is 11. Give a whole number from 1 to 10"),
        ({"batch_size": 10, "last_rows": 0}, "last_rows is 0. Give a whole number from 1 to 10"),
        ({"batch_size": 10, "last_rows": 1, "from_seq": 1}, "ignores last_rows"),
        ({"batch_size": 10, "from_seq": -1}, "from_seq is -1"),
        ({"batch_size": None, "from_seq": 1}, "changes only"),
        ({"batch_size": None, "last_rows": 1}, "changes only"),
    ],
)
def test_options_that_the_server_would_take_otherwise(given, text):
    with pytest.raises(ConfigError, match=text):
        stream_options(**given)


# What is known of a query.


def codes(sql, kind="shared"):
    return [notice.code for notice in query_notices(parse_live_query(sql), COLUMNS, kind)]


@pytest.mark.parametrize(
    ("sql", "kind", "expected"),
    [
        ("SELECT id, n FROM a.b", "shared", []),
        ("SELECT * FROM a.b WHERE id > 5", "user", []),
        ("SELECT * FROM a.b WHERE room = 'x'", "shared", ["ROWS_LEAVE_UNTOLD"]),
        ("SELECT room FROM a.b", "shared", ["KEY_NOT_SELECTED"]),
        (
            "SELECT room FROM a.b WHERE n IN (1, 2)",
            "user",
            ["FILTER_NOT_SURE", "KEY_NOT_SELECTED", "ROWS_LEAVE_UNTOLD"],
        ),
        ("SELECT room FROM a.b", "stream", ["STREAM_DELETES_UNTOLD"]),
        ("SELECT * FROM a.b WHERE room = 'x'", "stream", ["STREAM_DELETES_UNTOLD"]),
        ("SELECT * FROM a.b", "stream", []),
    ],
)
def test_what_is_wrong_with_a_query(sql, kind, expected):
    assert codes(sql, kind) == expected


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT id, _seq FROM a.b", "_seq cannot be selected.\nLeave it out"),
        ("SELECT nope FROM a.b", "no column 'nope'"),
    ],
)
def test_columns_that_cannot_be_selected(sql, text):
    with pytest.raises(SubscriptionError, match=text):
        codes(sql)


def test_the_statement_that_is_sent():
    query = parse_live_query('SELECT ID, b.Room, "N" FROM A.B WHERE id = 1 OR n = 2;')
    assert query.events_sql() == 'SELECT id, room, "N" FROM a.b WHERE (id = 1 OR n = 2)'
    assert parse_live_query(SQL).events_sql() == SQL


def test_every_code_is_documented():
    found = re.findall(r'LiveNotice\("([A-Z_]+)"', inspect.getsource(notices))
    page = (Path(__file__).parents[2] / "docs" / "live.md").read_text(encoding="utf-8")
    assert len(found) > 10
    assert [code for code in found if f"| `{code}` |" not in page] == []


# The story of one live query.


def subscribed(options=None, columns=COLUMNS, wire_id="w"):
    return Subscribed(1, SubscriptionAck(wire_id, BatchControl(0, False, "ready", None), columns), options)


def loaded(*seqs, number=0, more=False):
    control = BatchControl(number, more, "x", None)
    return Loaded(1, InitialDataBatch("w", tuple(map(row, seqs)), control))


def insert(seq, **cells):
    return Changed(1, Change("w", "insert", ({**row(seq), **cells},), ()))


def lost(reason="cut"):
    return StatusChanged(Status(State.WAITING, reason, 5.0))


def told(*events, remarks=(), is_whole_row=True):
    stream = EventStream(remarks, is_whole_row=is_whole_row)
    return [item.code if isinstance(item, Notice) else item for event in events for item in stream.take(event)]


def test_messages_become_events_as_sent():
    update = Change("w", "update", ({"id": "1", "_seq": "9"},), ({"id": "1", "_seq": "8", "n": 2},))
    delete = Change("w", "delete", (), ({**row(10), "_deleted": True},))
    stream_delete = Change("w", "delete", (), ({"row_id": "root:5"},))
    events = told(
        StatusChanged(Status(State.OPENING)),
        subscribed(SubscribeOptions(999)),
        loaded(8, 7),
        insert(9),
        *(Changed(1, change) for change in (update, delete, stream_delete)),
    )
    assert events == [
        Ack(COLUMNS, "w"),
        InitialBatch((row(8), row(7)), 0, False, 8, "w"),
        Insert((row(9),), 9),
        Update(update.rows, update.old_values, 9),
        Delete(delete.old_values, 10),
        Delete(stream_delete.old_values, None),
    ]
    assert [event.row for event in events[2:5]] == [row(9), update.rows[0], delete.old_values[0]]
    assert "room" not in repr(events[1:])


def test_rows_become_arrow_by_the_acknowledgement():
    ack = Ack((Column("id", "BigInt"), Column("d", "Decimal", 10, 2), Column("b", "Bytes")), "w")
    batch = ack.decode([{"id": str(2**62), "d": "0.50", "b": [1, 2], "_seq": "1"}, {"id": "2"}])
    assert batch.schema.types == [pa.int64(), pa.decimal128(10, 2), pa.binary()]
    assert [str(value) for value in batch.column(1)] == ["0.50", "None"]
    assert batch.column(0).to_pylist() == [2**62, 2]
    assert ack.decode([]).num_rows == 0


def test_more_than_one_batch_is_told_once():
    events = told(subscribed(SubscribeOptions(2)), loaded(1, 2, more=True), loaded(3, number=1))
    assert [event if isinstance(event, str) else type(event) for event in events] == [
        Ack,
        "SNAPSHOT_MAY_MISS_ROWS",
        InitialBatch,
        InitialBatch,
    ]


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [((1, 2), COLUMNS, True), ((1,), COLUMNS, False), ((1, 2), COLUMNS[1:], False)],
    ids=["full", "fewer", "no key"],
)
def test_last_rows_may_be_wrong(rows, columns, expected):
    events = told(subscribed(SubscribeOptions(9, last_rows=2), columns), loaded(*rows), is_whole_row=False)
    assert ("LAST_ROWS_MAY_BE_WRONG" in events) is expected


def test_remarks_come_once_behind_the_first_acknowledgement():
    remark = Notice("FILTER_NOT_SURE", "text")
    columns = (*COLUMNS, Column("d", "Decimal", 5, 2))
    events = told(subscribed(columns=columns), lost(), subscribed(columns=columns), remarks=[remark])
    assert events[1:3] == ["FILTER_NOT_SURE", "DECIMAL_SIGN_MISSING"]
    assert events.count("FILTER_NOT_SURE") == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (None, "CHANGES_NOT_TOLD"),
        (SubscribeOptions(9), "ROWS_COME_AGAIN"),
        (SubscribeOptions(9, from_seq=7), "DELETES_NOT_TOLD"),
    ],
)
def test_a_gap_is_told_when_it_begins_and_when_it_ends(options, code):
    events = told(subscribed(), lost(), lost("refused"), StatusChanged(Status(State.OPENING)), subscribed(options))
    assert events[1:] == ["CONNECTION_LOST", Ack(COLUMNS, "w", 1), code]


def test_beginning_behind_a_seq_tells_that_deletes_are_missing():
    assert told(subscribed(SubscribeOptions(9, from_seq=7))) == [Ack(COLUMNS, "w"), "DELETES_NOT_TOLD"]


def test_the_end_is_no_loss_of_the_connection():
    assert told(subscribed(), StatusChanged(Status(State.STOPPED, "closed"))) == [Ack(COLUMNS, "w")]


def test_what_the_server_says_besides():
    stream = EventStream(is_whole_row=True)
    list(stream.take(subscribed()))
    assert list(stream.take(Interrupted(1, "GAP", "text"))) == [Notice("GAP", "text", from_server=True)]
    assert not stream.is_following
    (unknown,) = stream.take(Unexplained(1, Unknown({"type": "gap", "lost": "x" * 1000})))
    assert (unknown.code, unknown.from_server) == ("UNKNOWN_MESSAGE", True)
    assert "'gap'" in unknown.message
    assert len(unknown.message) < 600


def test_altered_tables_are_told_once():
    events = told(
        subscribed(), insert(1), insert(2, extra=1), insert(3, extra=1), lost(), subscribed(), insert(4, extra=1)
    )
    assert events.count("COLUMNS_CHANGED") == 2
    assert events[2] == "COLUMNS_CHANGED"
    assert "COLUMNS_CHANGED" not in told(subscribed(columns=()), insert(1), is_whole_row=False)


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
        events = LiveEvents(sql, source=Source(), socket=socket, **options)
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
    assert "held up for 0." in notices[0].message
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
        LiveEvents(SQL, source=Source(), socket=socket)
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
