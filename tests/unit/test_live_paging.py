"""Rows over the socket as a script of messages and times: what is asked for, when, and again after a loss."""

from __future__ import annotations

import json
import math
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kalam_notebook.errors import ProtocolError
from kalam_notebook.live_queries.connection.cursor import StreamCursor
from kalam_notebook.live_queries.connection.protocol import LiveProtocol
from kalam_notebook.live_queries.connection.states import (
    Changed,
    Drop,
    Failure,
    Interrupted,
    Loaded,
    Ping,
    Refused,
    Send,
    State,
    Subscribed,
    Timing,
    Unexplained,
)
from kalam_notebook.wire.live import (
    AuthSuccess,
    BatchControl,
    Change,
    ErrorMessage,
    InitialDataBatch,
    SubscribeOptions,
    SubscriptionAck,
    Unknown,
    greatest_seq,
)

OPTIONS = SubscribeOptions(batch_size=2)


def row(seq):
    return {"id": str(seq), "_seq": str(seq)}


def control(number, end, *, more):
    return BatchControl(number, more, "loading" if more else "ready", end)


def batch(wire_id, number, seqs, *, more, end=None):
    end = end if end is not None else (seqs[-1] if seqs else None)
    return InitialDataBatch(wire_id, tuple(map(row, seqs)), control(number, end, more=more))


def insert(wire_id, seq):
    return Change(wire_id, "insert", (row(seq),), ())


class Script:
    """A protocol with an authenticated connection and one stream, and what it sent."""

    def __init__(self, options=OPTIONS, **timing):
        self.now = 0.0
        self.protocol = LiveProtocol(delays=lambda: repeat(1.0), timing=Timing(**timing))
        self.protocol.subscribe(1, "q", self.now, StreamCursor(options))
        self.open()

    def open(self):
        self.protocol.opened(self.now)
        self.protocol.received(AuthSuccess("root", "system"), self.now)

    def reconnect(self):
        self.protocol.lost(Failure("cut"), self.now)
        self.now += 1.0
        self.protocol.tick(self.now)
        self.open()

    def sent(self):
        return [json.loads(action.text) for action in self.protocol.actions() if isinstance(action, Send)]

    def acknowledge(self, *, more=False):
        """Answer the subscribe; return its id and the options it had."""
        (message,) = self.sent()
        subscription = message["subscription"]
        self.receive(SubscriptionAck(subscription["id"], control(0, None, more=more), ()))
        return subscription["id"], subscription["options"]

    def receive(self, message):
        self.protocol.received(message, self.now)

    def told(self):
        return [type(event) for event in self.protocol.events() if not hasattr(event, "status")]


def test_pages_are_asked_for_one_by_one_when_they_were_taken():
    script = Script()
    wire_id, options = script.acknowledge(more=True)
    assert options == {"batch_size": 2}
    script.receive(batch(wire_id, 0, [5, 9], more=True))
    assert script.told() == [Subscribed, Loaded]
    assert script.sent() == []
    script.protocol.next_batch(1, wire_id, 1.0)
    script.protocol.next_batch(1, wire_id, 1.0)  # A second time.
    assert script.sent() == [{"type": "next_batch", "subscription_id": wire_id, "last_seq_id": 9}]
    script.receive(batch(wire_id, 1, [10], more=False))
    script.protocol.next_batch(1, wire_id, 2.0)
    script.receive(insert(wire_id, 11))
    assert script.told() == [Loaded, Changed]
    assert script.sent() == []


def test_the_acknowledgement_tells_what_was_asked_for():
    script = Script()
    script.acknowledge()
    (event,) = [event for event in script.protocol.events() if isinstance(event, Subscribed)]
    assert event.options == OPTIONS


def test_a_stream_without_rows_asks_for_none():
    script = Script(options=None)
    wire_id, options = script.acknowledge()
    assert options is None
    script.receive(insert(wire_id, 7))
    script.reconnect()
    assert script.acknowledge()[1] == {"batch_size": 999, "from": 7}


def test_without_anything_seen_the_same_is_asked_for_again():
    script = Script(options=SubscribeOptions(batch_size=2, last_rows=1))
    wire_id, _ = script.acknowledge()
    script.receive(batch(wire_id, 0, [], more=False))
    script.reconnect()
    assert script.acknowledge()[1] == {"batch_size": 2, "last_rows": 1}


def test_after_a_loss_it_goes_on_behind_the_greatest_seq():
    script = Script()
    wire_id, _ = script.acknowledge()
    script.receive(batch(wire_id, 0, [20, 3], more=False))
    script.receive(insert(wire_id, 21))
    script.receive(Change(wire_id, "delete", (), ({"id": "3", "_seq": "25"},)))
    script.reconnect()
    assert script.acknowledge()[1] == {"batch_size": 2, "from": 25}


def test_a_half_read_snapshot_begins_anew():
    script = Script()
    wire_id, _ = script.acknowledge(more=True)
    script.receive(batch(wire_id, 0, [5, 900], more=True))
    script.reconnect()
    new_id, options = script.acknowledge(more=True)
    assert options == {"batch_size": 2}
    script.receive(batch(new_id, 0, [5, 7], more=True))
    script.protocol.next_batch(1, wire_id, script.now)  # Taken late, of the old connection.
    assert script.sent() == []
    script.protocol.next_batch(1, new_id, script.now)
    assert [message["last_seq_id"] for message in script.sent()] == [7]


def test_a_page_that_was_wanted_is_not_asked_for_after_a_loss():
    script = Script(messages_per_second=1)
    wire_id, _ = script.acknowledge(more=True)
    script.receive(batch(wire_id, 0, [5], more=True))
    script.protocol.next_batch(1, wire_id, script.now)
    assert script.sent() == []  # It waits for its turn.
    script.reconnect()
    assert [message["type"] for message in script.sent()] == ["subscribe"]


@pytest.mark.parametrize("end", [None, 4, 9])
def test_pages_without_an_end_are_refused(end):
    script = Script()
    wire_id, _ = script.acknowledge(more=True)
    script.receive(batch(wire_id, 0, [9], more=True))
    script.protocol.next_batch(1, wire_id, script.now)
    script.protocol.events()
    script.receive(InitialDataBatch(wire_id, (row(9),), control(1, end, more=True)))
    assert script.protocol.events() == [
        Refused(1, "q", "SNAPSHOT_ENDLESS", "The rows that follow batch 1 cannot be asked for.")
    ]
    assert script.sent()[-1] == {"type": "unsubscribe", "subscription_id": wire_id}
    script.receive(insert(wire_id, 10))
    assert script.told() == []


@pytest.mark.parametrize("code", ["CONVERSION_ERROR", "BATCH_FETCH_FAILED"])
def test_an_error_while_rows_are_read_is_the_end(code):
    script = Script()
    wire_id, _ = script.acknowledge(more=True)
    script.protocol.events()
    script.receive(ErrorMessage(wire_id, code, "text"))
    assert script.protocol.events() == [Refused(1, "q", code, "text")]


def test_an_error_after_the_rows_begins_anew_behind_what_came():
    script = Script()
    wire_id, _ = script.acknowledge()
    script.receive(batch(wire_id, 0, [5], more=False))
    script.protocol.events()
    script.receive(ErrorMessage(wire_id, "GAP", "text"))
    assert script.protocol.events() == [Interrupted(1, "GAP", "text")]
    script.now += 2.0
    script.protocol.tick(script.now)
    unsubscribe, subscribe = script.sent()
    assert unsubscribe["type"] == "unsubscribe"
    assert subscribe["subscription"]["options"] == {"batch_size": 2, "from": 5}


def test_rows_that_do_not_come_end_the_connection():
    script = Script(ack_timeout=10.0, ping_interval=1000.0)
    wire_id, _ = script.acknowledge(more=True)
    assert script.protocol.deadline() == 10.0
    script.receive(batch(wire_id, 0, [1], more=True))
    assert script.protocol.deadline() == 1000.0  # It is the reader's turn.
    script.protocol.next_batch(1, wire_id, 20.0)
    assert script.protocol.deadline() == 30.0
    script.protocol.tick(30.0)
    assert script.protocol.status.reason == "the server did not answer a live query"


def test_pongs_are_not_expected_while_the_server_reads_rows():
    script = Script(ack_timeout=100.0, ping_interval=4.0, pong_timeout=5.0)
    wire_id, _ = script.acknowledge()
    script.protocol.tick(4.0)
    script.protocol.tick(20.0)
    assert script.protocol.status.state is State.OPEN
    script.now = 21.0
    script.receive(batch(wire_id, 0, [1], more=False))
    script.protocol.tick(24.0)
    script.protocol.tick(29.0)
    assert script.protocol.status.reason == "the server is silent"


def test_unknown_messages_about_a_live_query_are_passed_on():
    script = Script()
    wire_id, _ = script.acknowledge()
    script.protocol.events()
    message = Unknown({"type": "gap", "subscription_id": wire_id})
    script.receive(message)
    script.receive(Unknown({"type": "gap", "subscription_id": ["odd"]}))
    assert script.protocol.events() == [Unexplained(1, message)]


def test_a_row_with_a_bad_seq_is_an_error_of_the_server():
    script = Script()
    wire_id, _ = script.acknowledge()
    with pytest.raises(ProtocolError, match="_seq"):
        script.receive(InitialDataBatch(wire_id, ({"_seq": "x"},), control(0, None, more=False)))


# Held up by a slow reader.


def test_while_held_up_pings_go_out_and_silence_is_no_fault():
    script = Script(ack_timeout=10.0, ping_interval=4.0, pong_timeout=5.0)
    script.acknowledge()
    script.protocol.tick(4.0)
    script.protocol.hold()
    script.protocol.actions()
    for now in (8.0, 12.0, 400.0):
        assert script.protocol.deadline() <= now
        script.protocol.tick(now)
        assert script.protocol.actions() == [Ping()]
    assert script.protocol.deadline() == 404.0
    script.protocol.go_on(401.0)
    script.protocol.tick(404.0)
    assert script.protocol.deadline() == 408.0
    script.protocol.tick(410.0)
    assert script.protocol.status.state is State.OPEN
    script.protocol.tick(411.0)  # The rows had ten seconds again.
    assert script.protocol.status.state is State.WAITING


def test_being_held_up_ends_with_the_connection():
    script = Script(ping_interval=4.0, pong_timeout=5.0, ack_timeout=1000.0)
    wire_id, _ = script.acknowledge()
    script.receive(batch(wire_id, 0, [], more=False))
    script.protocol.hold()
    script.reconnect()
    script.acknowledge()
    script.receive(batch("live-2", 0, [], more=False))
    script.protocol.tick(script.now + 4.0)
    script.protocol.tick(script.now + 9.0)
    assert script.protocol.status.reason == "the server is silent"


# The cursor.


@given(st.lists(st.tuples(st.none() | st.integers(0, 99), st.booleans())))
def test_the_cursor_is_the_greatest_of_all_when_nothing_is_loading(steps):
    cursor, seen, expected = StreamCursor(OPTIONS), [], None
    for seq, is_loading in steps:
        cursor.take(seq, is_loading=is_loading)
        seen += [] if seq is None else [seq]
        expected = expected if is_loading else max(seen, default=None)
        assert cursor.seq == expected
        assert cursor.options() == (OPTIONS if expected is None else SubscribeOptions(2, from_seq=expected))


def test_greatest_seq():
    assert greatest_seq([]) is None
    assert greatest_seq([{"row_id": "root:5"}]) is None
    assert greatest_seq([row(5), row(2**62), {"_seq": 7}]) == 2**62


class Reader(RuleBasedStateMachine):
    """A server with pages, a reader that takes its time, and a network that cuts: no page is lost or asked for twice.

    The server holds rows 1, 2, 3, … and its pages are right, so the reader must hear of every row from where it is.
    """

    @initialize(size=st.integers(1, 4), rows=st.integers(0, 12))
    def start(self, size, rows):
        self.size, self.greatest = size, rows
        self.heard: set[int] = set()
        self.untaken: list[InitialDataBatch] = []
        self.script = Script(SubscribeOptions(batch_size=size))
        self.wire_id = ""
        self.is_ready = False
        self.pump()

    def pump(self):
        for message in self.script.sent():
            if message["type"] == "subscribe":
                self.wire_id = message["subscription"]["id"]
                self.page, self.is_ready = 0, False
                after = message["subscription"]["options"].get("from", 0)
                assert set(range(1, after + 1)) <= self.heard
                self.script.receive(SubscriptionAck(self.wire_id, control(0, None, more=True), ()))
            else:
                assert message["subscription_id"] == self.wire_id
                after = message["last_seq_id"]
                assert after == self.end
            self.send_page(after)
        for event in self.script.protocol.events():
            if isinstance(event, Loaded):
                assert not [b for b in self.untaken if b.subscription_id == self.wire_id], "not asked for yet"
                self.untaken.append(event.batch)
                self.heard |= {int(r["_seq"]) for r in event.batch.rows}
            elif isinstance(event, Changed):
                self.heard.add(int(event.change.rows[0]["_seq"]))
            else:
                assert not isinstance(event, (Refused, Interrupted))

    def send_page(self, after):
        seqs = list(range(after + 1, self.greatest + 1))[: self.size]
        more = bool(seqs) and seqs[-1] < self.greatest
        self.end, self.is_ready = (seqs[-1] if seqs else None), not more
        self.script.receive(batch(self.wire_id, self.page, seqs, more=more))
        self.page += 1

    @rule()
    @precondition(lambda self: self.untaken)
    def take(self):
        taken = self.untaken.pop(0)
        if taken.batch_control.has_more:
            self.script.protocol.next_batch(1, taken.subscription_id, self.script.now)
        self.pump()

    @rule()
    def write(self):
        self.greatest += 1
        if self.is_ready:
            self.script.receive(insert(self.wire_id, self.greatest))
        self.pump()

    @rule()
    def cut(self):
        self.script.reconnect()
        self.pump()

    @invariant()
    def everything_comes(self):
        if self.is_ready:
            assert self.heard == set(range(1, self.greatest + 1))

    @invariant()
    def nothing_is_overdue(self):
        assert Drop() not in self.script.protocol.actions()
        assert self.script.protocol.deadline() < math.inf


Reader.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestReader = Reader.TestCase
