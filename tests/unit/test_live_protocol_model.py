"""The connection under any script of messages and times that an owner may play."""

import json
import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from test_live_protocol import ACCEPTED, READY, change, make_protocol

from kalam_notebook.live_queries.connection.states import Drop, Failure, Open, Refused, Send, State, Stopped
from kalam_notebook.wire.live import AuthErrorMessage, ErrorMessage, SubscriptionAck


class Connection(RuleBasedStateMachine):
    """Any script that an owner may play: the machine never breaks, and each live query is subscribed exactly once."""

    @initialize()
    def start(self):
        self.protocol = make_protocol(messages_per_second=1000, stable_after=5.0)
        self.now = 0.0
        self.keys: set[int] = set()
        self.next_key = 0
        self.open_socket = False
        self.attempt = False
        self.wire: dict[str, str] = {}  # What a server would hold on the present socket, by id: sql.

    def take(self):
        for action in self.protocol.actions():
            if isinstance(action, Open):
                assert not self.attempt
                assert not self.open_socket
                self.attempt = True
            elif isinstance(action, Drop):
                self.attempt = self.open_socket = False
                self.wire.clear()
            elif isinstance(action, Send):
                assert self.open_socket
                message = json.loads(action.text)
                if message["type"] == "subscribe":
                    assert message["subscription"]["id"] not in self.wire
                    self.wire[message["subscription"]["id"]] = message["subscription"]["sql"]
                else:
                    del self.wire[message["subscription_id"]]
        for event in self.protocol.events():
            if isinstance(event, Stopped):
                self.keys.clear()
            if isinstance(event, Refused):
                self.keys.remove(event.key)

    @rule()
    def subscribe(self):
        self.protocol.subscribe(self.next_key, f"q{self.next_key}", self.now)
        self.keys.add(self.next_key)
        self.next_key += 1
        self.take()

    @rule(data=st.data())
    @precondition(lambda self: self.keys)
    def unsubscribe(self, data):
        key = data.draw(st.sampled_from(sorted(self.keys)))
        self.keys.remove(key)
        self.protocol.unsubscribe(key, self.now)
        self.take()

    @rule()
    def connect(self):
        self.protocol.connect()
        self.take()

    @rule()
    def stop(self):
        self.protocol.stop(self.now)
        self.take()

    @rule()
    @precondition(lambda self: self.attempt)
    def open(self):
        self.attempt, self.open_socket = False, True
        self.protocol.opened(self.now)
        self.take()

    @rule(accepted=st.booleans())
    @precondition(lambda self: self.protocol.status.state is State.AUTHENTICATING)
    def authenticate(self, accepted):
        self.protocol.received(ACCEPTED if accepted else AuthErrorMessage("no"), self.now)
        self.take()

    @rule(refused=st.booleans())
    @precondition(lambda self: self.attempt or self.open_socket)
    def lose(self, refused):
        self.protocol.lost(Failure("lost", is_refusal=refused), self.now)
        self.take()

    @rule(data=st.data(), code=st.sampled_from(["ack", "change", "NOT_FOUND", "SUBSCRIPTION_LIMIT_EXCEEDED"]))
    @precondition(lambda self: self.wire)
    def answer(self, data, code):
        wire_id = data.draw(st.sampled_from(sorted(self.wire)))
        if code == "ack":
            self.protocol.received(SubscriptionAck(wire_id, READY, ()), self.now)
        elif code == "change":
            self.protocol.received(change(wire_id), self.now)
        else:
            self.protocol.received(ErrorMessage(wire_id, code, "x"), self.now)
            self.take()
            self.wire.pop(wire_id, None)  # A server has forgotten what it refused.
        self.take()

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0, 20.0]))
    def wait(self, seconds):
        self.now += seconds
        self.protocol.tick(self.now)
        self.take()

    @invariant()
    def wire_holds_what_is_wanted(self):
        wanted = {f"q{key}" for key in self.keys}
        held = sorted(self.wire.values())
        assert set(held) <= wanted
        assert len(held) == len(set(held))

    @invariant()
    def something_is_under_way(self):
        state = self.protocol.status.state
        assert (state is State.OPENING) == self.attempt
        assert (state in {State.AUTHENTICATING, State.OPEN}) == self.open_socket
        assert (self.protocol.deadline() < math.inf) == (state in {State.AUTHENTICATING, State.OPEN, State.WAITING})


Connection.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestConnection = Connection.TestCase
