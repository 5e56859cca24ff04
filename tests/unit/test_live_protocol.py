"""The connection as a script of messages and times; no socket, no waiting."""

from __future__ import annotations

import json
import math
from itertools import chain, repeat

import pytest

from kalam_notebook.errors import AuthError, ConnectError
from kalam_notebook.live_queries.connection.protocol import LiveProtocol
from kalam_notebook.live_queries.connection.states import (
    TRANSITIONS,
    Changed,
    Drop,
    Failure,
    Input,
    Interrupted,
    Open,
    Ping,
    Refused,
    Send,
    State,
    Status,
    StatusChanged,
    Stopped,
    Subscribed,
    Timing,
)
from kalam_notebook.wire.live import (
    AuthErrorMessage,
    AuthSuccess,
    BatchControl,
    Change,
    ErrorMessage,
    InitialDataBatch,
    SubscriptionAck,
    Unknown,
)

READY = BatchControl(0, False, "ready", None)
ACCEPTED = AuthSuccess("root", "system")


def make_protocol(**timing) -> LiveProtocol:
    return LiveProtocol(delays=lambda: chain([1.0, 2.0, 4.0], repeat(8.0)), timing=Timing(**timing))


def opened(now=0.0, **timing) -> LiveProtocol:
    """A protocol with an authenticated connection and nothing left to take."""
    protocol = make_protocol(**timing)
    protocol.connect()
    protocol.opened(now)
    protocol.received(ACCEPTED, now)
    protocol.actions()
    protocol.events()
    return protocol


def sent(protocol: LiveProtocol) -> list[dict]:
    return [json.loads(action.text) for action in protocol.actions() if isinstance(action, Send)]


def acknowledge(protocol: LiveProtocol, now=0.0) -> list[str]:
    """Answer all that was subscribed; return the ids."""
    ids = [message["subscription"]["id"] for message in sent(protocol) if message["type"] == "subscribe"]
    for wire_id in ids:
        protocol.received(SubscriptionAck(wire_id, READY, ()), now)
    return ids


def change(wire_id):
    return Change(wire_id, "insert", ({"id": "1", "_seq": "1"},), ())


def test_first_live_query_opens_the_connection():
    protocol = make_protocol()
    protocol.subscribe(7, "SELECT * FROM a.b", 0.0)
    assert protocol.actions() == [Open(renew=False)]
    assert protocol.events() == [StatusChanged(Status(State.OPENING))]
    protocol.opened(0.1)
    assert protocol.actions() == []
    protocol.received(ACCEPTED, 0.2)
    (message,) = sent(protocol)
    assert message["subscription"]["sql"] == "SELECT * FROM a.b"
    assert message["subscription"]["options"] is None
    ack = SubscriptionAck(message["subscription"]["id"], READY, ())
    protocol.events()
    protocol.received(ack, 0.3)
    protocol.received(change(ack.subscription_id), 0.4)
    assert protocol.events() == [Subscribed(7, ack), Changed(7, change(ack.subscription_id))]


def test_a_live_query_on_an_open_connection_is_sent_at_once():
    protocol = opened()
    protocol.subscribe(1, "a", 1.0)
    protocol.subscribe(2, "b", 1.0)
    first, second = sent(protocol)
    assert first["subscription"]["id"] != second["subscription"]["id"]


def test_messages_of_unknown_ids_and_types_are_ignored():
    protocol = opened()
    protocol.subscribe(1, "a", 0.0)
    (wire_id,) = acknowledge(protocol)
    protocol.events()
    protocol.received(change("other"), 1.0)
    protocol.received(SubscriptionAck("other", READY, ()), 1.0)
    protocol.received(SubscriptionAck(wire_id, READY, ()), 1.0)  # A second time.
    protocol.received(ErrorMessage("other", "NOT_FOUND", "x"), 1.0)
    protocol.received(InitialDataBatch(wire_id, (), READY), 1.0)
    protocol.received(Unknown({"type": "gap"}), 1.0)
    protocol.received(ACCEPTED, 1.0)
    assert (protocol.events(), protocol.actions()) == ([], [])


def test_unsubscribe_goes_out_and_later_events_are_ignored():
    protocol = opened()
    protocol.subscribe(1, "a", 0.0)
    (wire_id,) = acknowledge(protocol)
    protocol.events()
    protocol.unsubscribe(1, 1.0)
    assert sent(protocol) == [{"type": "unsubscribe", "subscription_id": wire_id}]
    protocol.received(change(wire_id), 1.1)
    protocol.unsubscribe(1, 1.2)
    assert (protocol.events(), protocol.actions()) == ([], [])


def test_unsubscribe_while_away_means_no_subscribe_later():
    protocol = opened()
    protocol.subscribe(1, "a", 0.0)
    acknowledge(protocol)
    protocol.lost(Failure("cut"), 1.0)
    protocol.unsubscribe(1, 1.1)
    protocol.tick(2.0)
    protocol.opened(2.1)
    protocol.received(ACCEPTED, 2.2)
    assert sent(protocol) == []


# Losing and coming back.


def test_loss_waits_and_subscribes_again_under_new_ids():
    protocol = opened()
    protocol.subscribe(1, "a", 0.0)
    protocol.subscribe(2, "b", 0.0)
    old_ids = acknowledge(protocol)
    protocol.events()
    protocol.lost(Failure("the server went away"), 5.0)
    assert protocol.events() == [StatusChanged(Status(State.WAITING, "the server went away", 6.0))]
    assert protocol.deadline() == 6.0
    protocol.actions()
    protocol.tick(5.9)
    assert protocol.actions() == []
    protocol.tick(6.0)
    assert protocol.actions() == [Open(renew=False)]
    protocol.opened(6.1)
    protocol.received(ACCEPTED, 6.2)
    new_ids = acknowledge(protocol)
    assert len(new_ids) == 2
    assert set(new_ids).isdisjoint(old_ids)
    assert [event.key for event in protocol.events() if isinstance(event, Subscribed)] == [1, 2]


def test_delays_grow_and_begin_anew_after_a_stable_connection():
    protocol = make_protocol(stable_after=10.0)
    protocol.connect()
    protocol.lost(Failure("refused"), 0.0)
    assert protocol.status.retry_at == 1.0
    protocol.tick(1.0)
    protocol.lost(Failure("refused"), 1.0)
    assert protocol.status.retry_at == 3.0
    protocol.tick(3.0)
    protocol.opened(3.0)
    protocol.received(ACCEPTED, 3.0)
    protocol.lost(Failure("flapping"), 4.0)
    assert protocol.status.retry_at == 8.0
    protocol.tick(8.0)
    protocol.opened(8.0)
    protocol.received(ACCEPTED, 8.0)
    protocol.lost(Failure("cut"), 18.0)
    assert protocol.status.retry_at == 19.0


def test_a_connection_that_stood_has_delays_of_its_own():
    protocol = LiveProtocol(
        delays=lambda: repeat(1.0), timing=Timing(stable_after=10.0), return_delays=lambda: repeat(7.0)
    )
    protocol.connect()
    protocol.lost(Failure("refused"), 0.0)
    assert protocol.status.retry_at == 1.0
    protocol.tick(1.0)
    protocol.opened(1.0)
    protocol.received(ACCEPTED, 1.0)
    protocol.lost(Failure("restart"), 20.0)
    assert protocol.status.retry_at == 27.0
    protocol.tick(27.0)
    protocol.lost(Failure("refused"), 27.0)
    assert protocol.status.retry_at == 34.0


def test_a_live_query_that_is_wanted_while_waiting_has_it_tried_at_once():
    protocol = make_protocol()
    protocol.connect()
    protocol.lost(Failure("refused"), 0.0)
    protocol.actions()
    protocol.subscribe(1, "a", 0.5)
    assert protocol.actions() == [Open(renew=False)]
    protocol.subscribe(2, "b", 0.5)
    assert protocol.actions() == []


def test_connect_while_waiting_tries_at_once():
    protocol = opened()
    protocol.lost(Failure("cut"), 0.0)
    protocol.actions()
    protocol.connect()
    assert protocol.actions() == [Open(renew=False)]
    protocol.connect()
    assert protocol.actions() == []


def test_stop_ends_everything_from_any_state():
    protocol = opened()
    protocol.subscribe(1, "a", 0.0)
    acknowledge(protocol)
    protocol.events()
    protocol.stop(1.0)
    assert protocol.actions() == [Drop()]
    assert protocol.deadline() == math.inf
    assert protocol.events() == [StatusChanged(Status(State.STOPPED, "closed")), Stopped(None)]
    assert make_protocol().status.state is State.IDLE


def test_failure_that_cannot_be_helped_stops():
    protocol = make_protocol()
    protocol.subscribe(1, "a", 0.0)
    error = ConnectError("The address is not a KalamDB server.\nCheck the URL.")
    protocol.lost(Failure("404", error=error), 1.0)
    assert protocol.events()[-1] == Stopped(error)
    assert protocol.status.text(1.0) == "stopped: The address is not a KalamDB server."
    protocol.actions()
    protocol.connect()
    protocol.opened(2.0)
    protocol.received(ACCEPTED, 2.0)
    assert sent(protocol) == []  # The live query was told to have ended.


# Authentication.


def refuse(protocol, now, how):
    if how == "message":
        protocol.opened(now)
        protocol.received(AuthErrorMessage("Invalid credentials"), now)
    else:
        protocol.lost(Failure("Authentication failed", is_refusal=True), now)


@pytest.mark.parametrize("how", ["message", "close"])
def test_a_refused_token_is_renewed_once(how):
    protocol = make_protocol()
    protocol.subscribe(1, "a", 0.0)
    protocol.actions()
    refuse(protocol, 1.0, how)
    assert protocol.actions() == [Drop(), Open(renew=True)]
    protocol.events()
    refuse(protocol, 2.0, how)
    assert protocol.actions() == [Drop()]
    *_, status, stopped = protocol.events()
    assert status.status.state is State.STOPPED
    assert isinstance(stopped.error, AuthError)
    assert "a renewed one too" in str(stopped.error)


def test_a_token_may_be_renewed_again_after_a_stable_connection():
    protocol = make_protocol(stable_after=10.0)
    protocol.connect()
    refuse(protocol, 0.0, "message")
    protocol.opened(1.0)
    protocol.received(ACCEPTED, 1.0)
    protocol.lost(Failure("cut"), 100.0)
    protocol.tick(101.0)
    refuse(protocol, 102.0, "message")
    assert protocol.actions()[-1] == Open(renew=True)


def test_a_token_is_renewed_for_each_of_two_restarts_that_follow_at_once():
    protocol = make_protocol(stable_after=100.0)
    protocol.connect()
    for now in (1.0, 11.0):
        refuse(protocol, now, "message")
        assert protocol.actions()[-1] == Open(renew=True)
        protocol.opened(now)
        protocol.received(ACCEPTED, now)
        protocol.lost(Failure("cut"), now + 0.1)
        protocol.tick(now + 9.0)
        assert protocol.actions()[-1] == Open(renew=False)


def test_renewing_is_not_repeated_on_connections_that_do_not_last():
    protocol = make_protocol(stable_after=10.0)
    protocol.connect()
    refuse(protocol, 0.0, "message")
    protocol.opened(1.0)
    protocol.received(ACCEPTED, 1.0)
    refuse(protocol, 2.0, "close")
    assert protocol.status.state is State.STOPPED


def test_no_word_after_the_handshake():
    protocol = make_protocol(auth_timeout=5.0)
    protocol.connect()
    protocol.opened(10.0)
    assert protocol.deadline() == 15.0
    protocol.tick(14.9)
    assert protocol.status.state is State.AUTHENTICATING
    protocol.tick(15.0)
    assert protocol.status == Status(State.WAITING, "the server did not answer the handshake", 16.0)


# Signs of life.


def test_pings_at_their_interval():
    protocol = opened(0.0, ping_interval=4.0, pong_timeout=5.0)
    assert protocol.deadline() == 4.0
    protocol.tick(3.9)
    assert protocol.actions() == []
    protocol.tick(4.0)
    assert protocol.actions() == [Ping()]
    protocol.heard()
    assert protocol.deadline() == 8.0


def test_silence_after_a_ping_ends_the_connection():
    protocol = opened(0.0, ping_interval=4.0, pong_timeout=5.0)
    protocol.tick(4.0)
    protocol.tick(8.0)
    assert protocol.actions() == [Ping(), Ping()]
    assert protocol.deadline() == 9.0  # Counted from the first ping that nothing followed.
    protocol.tick(9.0)
    assert protocol.actions() == [Drop()]
    assert protocol.status == Status(State.WAITING, "the server is silent", 10.0)


def test_a_server_that_works_on_something_long_is_told_of_and_waited_for():
    protocol = opened(0.0, ping_interval=4.0, pong_timeout=15.0)
    protocol.events()
    protocol.tick(4.0)
    assert not protocol.status.is_silent
    protocol.tick(8.0)
    assert (protocol.status.text(8.0), protocol.status.state) == ("waiting for the server", State.OPEN)
    protocol.tick(12.0)
    assert protocol.events() == [StatusChanged(protocol.status)]
    protocol.heard()
    assert protocol.events() == [StatusChanged(Status(State.OPEN))]
    protocol.tick(16.0)
    protocol.tick(20.0)
    protocol.received(change("gone"), 21.0)
    assert protocol.status == Status(State.OPEN)


def test_any_message_is_a_sign_of_life():
    protocol = opened(0.0, ping_interval=4.0, pong_timeout=5.0)
    protocol.tick(4.0)
    protocol.received(change("gone"), 8.9)
    protocol.tick(9.0)
    assert protocol.status.state is State.OPEN


# Refusals.


def test_a_refused_live_query_is_forgotten():
    protocol = opened()
    protocol.subscribe(3, "SELECT * FROM a.nope", 0.0)
    (message,) = sent(protocol)
    wire_id = message["subscription"]["id"]
    protocol.received(ErrorMessage(wire_id, "NOT_FOUND", "Not found: Table not found: a:nope"), 0.1)
    assert protocol.events() == [Refused(3, "SELECT * FROM a.nope", "NOT_FOUND", "Not found: Table not found: a:nope")]
    protocol.received(SubscriptionAck(wire_id, READY, ()), 0.2)
    assert protocol.events() == []


def test_the_limit_refuses_a_new_live_query_at_once():
    protocol = opened()
    protocol.subscribe(1, "a", 0.0)
    (message,) = sent(protocol)
    protocol.received(ErrorMessage(message["subscription"]["id"], "SUBSCRIPTION_LIMIT_EXCEEDED", "max"), 0.1)
    assert isinstance(protocol.events()[0], Refused)


def test_the_limit_is_waited_for_when_a_live_query_comes_back():
    protocol = opened(retry_delay=2.0, retry_for=30.0)
    protocol.subscribe(1, "a", 0.0)
    acknowledge(protocol)
    protocol.lost(Failure("silent"), 10.0)
    protocol.tick(11.0)
    protocol.opened(11.0)
    protocol.received(ACCEPTED, 11.0)
    protocol.events()
    now, attempts = 11.0, 0
    while not (events := protocol.events()):
        messages = sent(protocol)
        for message in messages:
            attempts += 1
            protocol.received(ErrorMessage(message["subscription"]["id"], "SUBSCRIPTION_LIMIT_EXCEEDED", "max"), now)
        now = min(protocol.deadline(), now + 1.0)
        protocol.heard()
        protocol.tick(now)
        assert now < 60.0
    assert isinstance(events[0], Refused)
    assert now >= 40.0
    assert 10 <= attempts <= 17


def test_an_error_of_an_established_live_query_starts_it_anew():
    protocol = opened(retry_delay=2.0)
    protocol.subscribe(1, "a", 0.0)
    (old,) = acknowledge(protocol)
    protocol.events()
    protocol.received(ErrorMessage(old, "ODD", "text"), 5.0)
    assert protocol.events() == [Interrupted(1, "ODD", "text")]
    assert sent(protocol) == [{"type": "unsubscribe", "subscription_id": old}]
    protocol.received(change(old), 5.1)
    assert protocol.events() == []
    protocol.tick(7.0)
    (new,) = acknowledge(protocol)
    assert new != old
    assert isinstance(protocol.events()[0], Subscribed)


def test_a_told_gap_starts_a_live_query_anew_at_once_and_under_another_id():
    protocol = opened(retry_delay=2.0)
    protocol.subscribe(1, "a", 0.0)
    (old,) = acknowledge(protocol)
    protocol.events()
    for at in (5.0, 20.0):
        protocol.received(ErrorMessage(old, "CURSOR_EXPIRED", "gap"), at)
        assert protocol.events() == [Interrupted(1, "CURSOR_EXPIRED", "gap", is_gap=True)]
        first, second = sent(protocol)
        assert first == {"type": "unsubscribe", "subscription_id": old}
        new = second["subscription"]["id"]
        assert new != old
        protocol.received(change(old), at)
        protocol.received(SubscriptionAck(new, READY, ()), at)
        assert isinstance(protocol.events()[0], Subscribed)
        old = new


def test_gaps_that_follow_each_other_are_not_begun_anew_at_once():
    protocol = opened(retry_delay=2.0)
    protocol.subscribe(1, "a", 0.0)
    (old,) = acknowledge(protocol)
    protocol.received(ErrorMessage(old, "CURSOR_EXPIRED", "gap"), 5.0)
    (new,) = acknowledge(protocol)
    protocol.received(ErrorMessage(new, "CURSOR_EXPIRED", "gap"), 5.1)
    assert sent(protocol) == [{"type": "unsubscribe", "subscription_id": new}]
    protocol.tick(7.0)
    assert sent(protocol) == []
    protocol.tick(7.1)
    assert [message["type"] for message in sent(protocol)] == ["subscribe"]


def test_a_live_query_that_never_stands_is_given_up():
    protocol = opened(retry_delay=2.0)
    protocol.subscribe(1, "a", 0.0)
    events = []
    for at in range(1, 20, 3):
        protocol.tick(float(at))
        for message in sent(protocol):
            assert message["type"] == "subscribe"
            protocol.received(ErrorMessage(message["subscription"]["id"], "CURSOR_EXPIRED", "gap"), float(at))
        events += protocol.events()
    assert [type(event) for event in events] == [Interrupted] * 3 + [Refused]


@pytest.mark.parametrize("wire_id", ["rate_limit", "protocol", "subscribe", "invalid_subscription"])
def test_errors_of_the_connection_end_it(wire_id):
    protocol = opened()
    protocol.received(ErrorMessage(wire_id, "CODE", "text"), 1.0)
    assert protocol.actions() == [Drop()]
    assert protocol.status == Status(State.WAITING, "CODE: text", 2.0)


def test_a_live_query_without_answer_ends_the_connection():
    protocol = opened(ack_timeout=10.0, ping_interval=1000.0)
    protocol.subscribe(1, "a", 2.0)
    assert protocol.deadline() == 12.0
    protocol.tick(12.0)
    assert protocol.status == Status(State.WAITING, "the server did not answer a live query", 13.0)


# Pace.


def test_messages_leave_at_most_so_many_in_any_second():
    protocol = opened(messages_per_second=4, ack_timeout=100.0, ping_interval=100.0)
    for key in range(10):
        protocol.subscribe(key, "a", 0.0)
    times = [0.0] * len(sent(protocol))
    now = 0.0
    while len(times) < 10:
        now = protocol.deadline()
        protocol.tick(now)
        times += [now] * len(sent(protocol))
    assert times == [0.0] * 4 + [1.0] * 4 + [2.0] * 2


def test_a_live_query_removed_while_it_waits_for_its_turn_is_never_sent():
    protocol = opened(messages_per_second=1, ack_timeout=100.0, ping_interval=100.0)
    for key in range(3):
        protocol.subscribe(key, f"q{key}", 0.0)
    protocol.unsubscribe(1, 0.0)
    protocol.tick(1.0)
    protocol.tick(2.0)
    assert [message["subscription"]["sql"] for message in sent(protocol)] == ["q0", "q2"]


# Status.


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (Status(State.IDLE), "not connected"),
        (Status(State.OPENING), "connecting"),
        (Status(State.AUTHENTICATING), "connecting"),
        (Status(State.OPEN), "connected"),
        (Status(State.WAITING, "x", 12.5), "reconnecting in 3 s"),
        (Status(State.WAITING, "x", 9.0), "reconnecting in 0 s"),
        (Status(State.STOPPED, "Token refused."), "stopped: Token refused."),
    ],
)
def test_status_texts(status, text):
    assert status.text(10.0) == text


def test_every_state_is_reachable_and_can_be_left():
    assert set(TRANSITIONS) == set(State)
    reached = {target for row in TRANSITIONS.values() for target in row.values()}
    assert reached == set(State) - {State.IDLE}
    assert all(Input.GIVEN_UP in row for row in TRANSITIONS.values())
