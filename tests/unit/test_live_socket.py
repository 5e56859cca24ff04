"""The socket thread against a server in the same process; delays and deadlines are small fractions of the real ones."""

from __future__ import annotations

import gc
import json
import logging
import os
import threading
import time
from collections import deque
from itertools import repeat
from queue import SimpleQueue

import pytest
from live_socket_server import SocketServer

from kalam_notebook.errors import AuthError, ConfigError, ConnectError, LiveError, SubscriptionError
from kalam_notebook.live_queries.connection.failures import subscription_error
from kalam_notebook.live_queries.connection.listener import Handlers
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.connection.states import (
    Changed,
    Interrupted,
    Refused,
    State,
    StatusChanged,
    Stopped,
    Subscribed,
)
from kalam_notebook.settings import Secret, Timeouts

SQL = "SELECT * FROM a.b"
ROW = {"id": "1", "room": "a", "n": 1, "_seq": "10", "_deleted": False}
QUICK = Timeouts(connect=5.0, auth=5.0, subscribe=5.0, pong=5.0, keepalive=0.05)


class Token:
    """Hands out tokens in order, the last again and again; an exception is raised."""

    def __init__(self, *tokens) -> None:
        self.tokens = list(tokens)
        self.asked: list[bool] = []

    def __call__(self, *, renew: bool = False) -> str:
        self.asked.append(renew)
        token = self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]
        if isinstance(token, Exception):
            raise token
        return token


class Ears:
    """A listener that remembers and can be waited for."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, object]] = []
        self._changed = threading.Condition()

    def __call__(self, event, size):
        with self._changed:
            self.heard.append(self._named(event))
            self._changed.notify_all()

    def _named(self, event):
        match event:
            case Subscribed():
                return "subscribed", event.ack
            case Changed():
                return "changed", event.change
            case Interrupted():
                return "interrupted", event.reason
            case StatusChanged():
                return "status", event.status
            case Refused():
                return "stopped", subscription_error(event)
            case Stopped():
                return "stopped", event.error

    def all(self, kind):
        return [what for heard, what in self.heard if heard == kind]

    def wait(self, kind, number=1, timeout=10.0):
        """Wait for the n-th of a kind and return it."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.all(kind)) >= number, timeout), self.heard
            return self.all(kind)[number - 1]


@pytest.fixture
def server():
    with SocketServer() as server:
        yield server


@pytest.fixture
def make_socket(server):
    sockets = []

    def make(*, token=None, url=None, timeouts=QUICK, delay=0.01, **options):
        token = token or Token("good")
        named = {name: options.pop(name) for name in list(options) if name.startswith("on_")}
        socket = LiveSocket(
            url=url or server.url,
            token=token,
            timeouts=timeouts,
            delays=lambda: repeat(delay),
            handlers=Handlers(**named),
            **options,
        )
        sockets.append(socket)
        return socket

    yield make
    for socket in sockets:
        socket.close()
        assert socket._thread is None or not socket._thread.is_alive()
    gc.collect()  # A transport that was left open warns in the test that left it.


@pytest.mark.parametrize("zipped", [False, True])
def test_live_query_and_its_changes(server, make_socket, zipped):
    socket, ears = make_socket(), Ears()
    assert socket.status == "not connected"
    socket.subscribe(SQL, ears)
    ack = ears.wait("subscribed")
    assert [column.name for column in ack.columns] == ["id", "room", "n", "_seq", "_deleted"]
    assert socket.status == "connected"
    server.change("insert", ROW, zipped=zipped)
    assert ears.wait("changed").rows == (ROW,)
    assert server.authorizations == ["Bearer good"]
    assert server.paths == ["/v1/ws"]
    assert server.received[0]["subscription"]["options"] is None


def test_one_connection_for_all_and_unsubscribe(server, make_socket):
    socket, first, second = make_socket(), Ears(), Ears()
    key = socket.subscribe(SQL, first)
    socket.subscribe("SELECT * FROM a.c", second)
    first.wait("subscribed")
    second.wait("subscribed")
    assert len(server.paths) == 1
    socket.unsubscribe(key)
    server.wait_until(lambda: len(server.active) == 1)
    server.change("insert", ROW)
    second.wait("changed")
    assert first.all("changed") == []
    socket.unsubscribe(key)  # A second time.


def test_compression_can_be_switched_off(server, make_socket):
    make_socket(compression=False).connect()
    assert server.paths == ["/v1/ws?compress=false"]


def test_connect_without_a_live_query(server, make_socket):
    socket = make_socket()
    socket.connect()
    socket.connect()
    assert (socket.status, len(server.paths)) == ("connected", 1)
    assert repr(socket) == f"<LiveSocket {server.url} connected>"


def test_pings_keep_it_alive(server, make_socket):
    sent = []
    pinged = threading.Semaphore(0)

    def on_send(text):
        sent.append(text)
        pinged.release()

    make_socket(on_send=on_send).connect()
    for _ in range(5):
        assert pinged.acquire(timeout=10)
    assert sent == ["[ping]"] * len(sent)
    assert len(server.paths) == 1


# Where else it is sent.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["/v1/ws", "/elsewhere?token=x"])
def test_no_redirect_is_followed(server, make_socket, status, path):
    with SocketServer() as thief:
        server.http_status.append(status)
        server.location = f"ws://127.0.0.1:{thief.port}{path}"
        socket, ears = make_socket(), Ears()
        with pytest.raises(ConnectError, match=r"sent the connection on to 127\.0\.0\.1 .*\nThe token is not sent"):
            socket.connect()
        socket.subscribe(SQL, ears)
        assert "another address" in str(ears.wait("stopped"))
        assert (thief.paths, thief.authorizations, thief.received) == ([], [], [])
    assert set(server.paths) == {"/v1/ws"}


def test_no_redirect_to_the_server_itself_is_followed(server, make_socket):
    server.http_status.append(307)
    server.location = "/v1/ws?again"
    with pytest.raises(ConnectError, match="sent the connection on"):
        make_socket().connect()
    assert server.paths == ["/v1/ws"]


# Coming back.


@pytest.mark.parametrize(
    "harm",
    [
        lambda server: server.cut(),
        lambda server: server.close_all(1000, "Heartbeat timeout"),
        lambda server: server.close_all(1001, "Server shutting down"),
        lambda server: server.send("not json"),
        lambda server: server.send(b"not gzip"),
        lambda server: server.send('{"type":"error","subscription_id":"rate_limit","code":"X","message":"y"}'),
    ],
    ids=["cut", "1000", "1001", "bad text", "bad gzip", "rate limit"],
)
def test_a_lost_connection_comes_back(server, make_socket, harm):
    socket, ears = make_socket(), Ears()
    socket.subscribe(SQL, ears)
    ears.wait("subscribed")
    harm(server)
    ears.wait("subscribed", 2)
    server.wait_until(lambda: server.active)
    server.change("insert", ROW)
    ears.wait("changed")
    states = [status.state for status in ears.all("status")]
    assert states[-4:] == [State.WAITING, State.OPENING, State.AUTHENTICATING, State.OPEN]
    assert ears.all("status")[-4].reason


def test_a_silent_server_is_left(server, make_socket):
    timeouts = Timeouts(connect=5.0, auth=5.0, subscribe=5.0, pong=0.2, keepalive=0.05)
    socket, ears = make_socket(timeouts=timeouts), Ears()
    socket.subscribe(SQL, ears)
    ears.wait("subscribed")
    server.freeze()
    ears.wait("subscribed", 2)
    assert "the server is silent" in [status.reason for status in ears.all("status")]


def test_a_server_that_never_says_a_word(server, make_socket):
    server.is_mute = True
    socket, ears = make_socket(timeouts=Timeouts(auth=0.1, pong=5.0, keepalive=0.05)), Ears()
    socket.subscribe(SQL, ears)
    reasons = []
    while "the server did not answer the handshake" not in reasons:
        reasons.append(ears.wait("status", len(reasons) + 1).reason)
    server.is_mute = False
    ears.wait("subscribed")


def test_a_live_query_that_is_never_answered(server, make_socket):
    server.hold_acks = True
    socket, ears = make_socket(timeouts=Timeouts(subscribe=0.1)), Ears()
    socket.subscribe(SQL, ears)
    server.wait_until(lambda: len(server.received) >= 2)
    server.hold_acks = False
    ears.wait("subscribed")


def test_an_unreachable_server_is_tried_until_it_is_there(server, make_socket):
    server.http_status.extend([503, 429, 500])
    socket, ears = make_socket(), Ears()
    socket.subscribe(SQL, ears)
    ears.wait("subscribed")
    reasons = [status.reason for status in ears.all("status") if status.state is State.WAITING]
    assert [reason.split()[-3:] for reason in reasons] == [
        ["503", "Service", "Unavailable"],
        ["Too", "Many", "Requests"],
        ["Internal", "Server", "Error"],
    ]


def test_a_retry_does_not_wait_for_the_next_attempt(server, make_socket):
    server.http_status.append(503)
    socket, ears = make_socket(delay=600.0), Ears()
    socket.subscribe(SQL, ears)
    while ears.all("status")[-1:] == [] or ears.all("status")[-1].state is not State.WAITING:
        ears.wait("status", len(ears.all("status")) + 1)
    socket.retry()
    ears.wait("subscribed")


def test_connect_tells_the_last_reason_when_time_is_up(make_socket):
    socket = make_socket(url="ws://127.0.0.1:1/v1/ws")
    with pytest.raises(ConnectError, match=r"within 0\.3 s: .*Connection refused"):
        socket.connect(timeout=0.3)


@pytest.mark.parametrize("status", [403, 404])
def test_an_address_that_is_no_server_stops(server, make_socket, status):
    server.http_status.append(status)
    socket, ears = make_socket(), Ears()
    socket.subscribe(SQL, ears)
    assert isinstance(ears.wait("stopped"), ConnectError)
    assert str(status) in str(ears.wait("stopped"))
    assert socket.status.startswith("stopped: ")
    # The next wish begins anew.
    socket.subscribe(SQL, Ears())
    socket.connect()


def test_an_address_that_is_no_websocket_stops(make_socket):
    socket = make_socket(url="http://127.0.0.1/v1/ws")
    with pytest.raises(ConfigError, match="not the address of a WebSocket"):
        socket.connect()


# Tokens.


def test_a_refused_token_is_renewed_once(server, make_socket):
    token = Token("expired", "good")
    make_socket(token=token).connect()
    assert token.asked == [False, True]
    assert server.authorizations == ["Bearer expired", "Bearer good"]


def test_a_token_refused_twice_stops(server, make_socket):
    token, ears = Token("expired"), Ears()
    socket = make_socket(token=token)
    socket.subscribe(SQL, ears)
    error = ears.wait("stopped")
    assert isinstance(error, AuthError)
    assert "Invalid credentials" in str(error)
    assert "expired" not in str(error)
    assert token.asked == [False, True]
    with pytest.raises(AuthError):
        socket.connect()


def test_a_refused_socket_is_closed_even_if_the_server_does_not(server, make_socket):
    server.keeps_refused = True
    with pytest.raises(AuthError):
        make_socket(token=Token("expired")).connect()


def test_a_token_that_cannot_be_had_stops(make_socket):
    with pytest.raises(AuthError, match="no way"):
        make_socket(token=Token(AuthError("no way to renew"))).connect()


def test_a_token_server_that_is_away_is_asked_again(make_socket):
    token = Token(ConnectError("refused"), ConnectError("refused"), "good")
    make_socket(token=token).connect()
    assert token.asked == [False, False, False]


def test_a_bug_in_the_token_source_stops_with_its_cause(make_socket):
    with pytest.raises(LiveError, match="ZeroDivisionError") as caught:
        make_socket(token=Token(ZeroDivisionError("oops"))).connect()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_token_is_asked_for_at_every_connection(server, make_socket):
    token, ears = Token("good", "better"), Ears()
    server.tokens.add("better")
    make_socket(token=token).subscribe(SQL, ears)
    ears.wait("subscribed")
    server.cut()
    ears.wait("subscribed", 2)
    assert server.authorizations == ["Bearer good", "Bearer better"]


def test_the_token_is_in_no_log_and_no_frame_shown(server, make_socket, caplog):
    caplog.set_level(logging.DEBUG)
    shown = []
    socket, ears = make_socket(on_receive=shown.append, on_send=shown.append), Ears()
    socket.subscribe("SELECT * FROM a.b WHERE (room = 'good')", ears)
    ears.wait("subscribed")
    server.send('{"type":"new_thing","echo":"good"}')
    server.change("insert", {**ROW, "room": "good"}, zipped=True)
    ears.wait("changed")
    assert json.loads(shown[0])["type"] == "auth_success"
    texts = [text for text in shown if text != "[ping]"]
    assert "room = '<secret>'" in texts[1]
    assert "good" not in "".join(shown)
    logged = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]
    assert any("unknown live message" in text for text in logged)
    assert not any("good" in text for text in logged)


# Refusals.


def test_a_refused_live_query(server, make_socket):
    server.refusals[SQL] = deque([("SUBSCRIPTION_LIMIT_EXCEEDED", "Maximum reached")])
    socket, ears, other = make_socket(), Ears(), Ears()
    socket.subscribe("SELECT * FROM a.c", other)
    socket.subscribe(SQL, ears)
    error = ears.wait("stopped")
    assert isinstance(error, SubscriptionError)
    assert (error.code, error.sql) == ("SUBSCRIPTION_LIMIT_EXCEEDED", SQL)
    assert "live.close()" in error.hint
    other.wait("subscribed")
    assert socket.status == "connected"


def test_a_refusal_that_repeats_the_token_does_not_get_it_shown(server, make_socket, caplog):
    token = "a-token-of-many-letters"
    server.tokens.add(token)
    server.refusals[SQL] = deque([("INVALID_SQL", f"not for {token}")])
    ears, _secret = Ears(), Secret(token)
    with caplog.at_level("DEBUG"):
        make_socket(token=Token(token)).subscribe(SQL, ears)
        error = ears.wait("stopped")
    assert "not for …" in str(error)
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("kalam_notebook")]
    assert token not in f"{error}{error!r}{logged}"


def test_a_live_query_too_long_for_the_server(make_socket):
    socket = make_socket()
    with pytest.raises(SubscriptionError, match="65,536") as caught:
        socket.subscribe("SELECT * FROM a.b WHERE (room = '" + "x" * 65_536 + "')", Ears())
    assert caught.value.code == "MESSAGE_TOO_LARGE"
    socket.subscribe("SELECT * FROM a.b WHERE (room = '" + "x" * 65_000 + "')", ears := Ears())
    ears.wait("subscribed")


# Hooks.


def test_a_hook_that_raises_does_no_harm(make_socket, caplog):
    socket, ears = make_socket(on_receive=lambda text: 1 / 0), Ears()
    socket.subscribe(SQL, ears)
    ears.wait("subscribed")
    assert "a handler of the client" in caplog.text


# The end.


def close_quickly(socket):
    start = time.monotonic()
    socket.close()
    assert time.monotonic() - start < 1.0
    assert not socket._thread.is_alive()


def test_close_tells_listeners_and_ends_the_thread(server, make_socket):
    socket, ears = make_socket(), Ears()
    socket.subscribe(SQL, ears)
    ears.wait("subscribed")
    close_quickly(socket)
    assert ears.wait("stopped") is None
    assert socket.status == "stopped: closed"
    server.wait_until(lambda: not server.active)
    socket.close()
    socket.unsubscribe(1)
    with pytest.raises(LiveError, match="was closed"):
        socket.subscribe(SQL, ears)
    with pytest.raises(LiveError, match="was closed"):
        socket.connect()


def test_close_while_the_server_is_silent(server, make_socket):
    socket, ears = make_socket(), Ears()
    socket.subscribe(SQL, ears)
    ears.wait("subscribed")
    server.freeze()
    close_quickly(socket)


def test_close_while_a_token_is_awaited(make_socket):
    release, asked = threading.Event(), threading.Event()

    def token(*, renew=False):
        asked.set()
        release.wait(20)
        return "good"

    socket = make_socket(token=token)
    socket.subscribe(SQL, Ears())
    assert asked.wait(10)
    close_quickly(socket)
    release.set()


def test_close_while_another_thread_waits_for_the_connection(make_socket):
    asked, errors = threading.Event(), []

    def token(*, renew=False):
        asked.set()
        raise ConnectError("The server is away.")

    socket = make_socket(token=token)

    def wait():
        with pytest.raises(LiveError) as caught:
            socket.connect(timeout=60)
        errors.append(caught.value)

    thread = threading.Thread(target=wait)
    thread.start()
    assert asked.wait(10)
    close_quickly(socket)
    thread.join(10)
    assert len(errors) == 1


def test_close_before_anything_was_opened(make_socket):
    socket = make_socket()
    socket.close()
    assert socket._thread is None


def test_a_forked_child_cannot_use_it_and_does_not_hang(make_socket, monkeypatch):
    socket = make_socket()
    socket.connect()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(LiveError, match="forked"):
            socket.subscribe(SQL, Ears())
        socket.close()
        assert socket._thread.is_alive()


def test_handlers_hear_of_the_connection(server, make_socket):
    heard = SimpleQueue()
    socket = make_socket(
        on_connect=lambda: heard.put("on"),
        on_disconnect=lambda reason: heard.put(("off", reason)),
        on_error=lambda error: heard.put(error),
    )
    assert not socket.is_connected
    ears = Ears()
    socket.subscribe(SQL, ears)
    ears.wait("subscribed")
    assert socket.is_connected
    assert heard.get(timeout=10) == "on"
    server.cut()
    kind, reason = heard.get(timeout=10)
    assert (kind, bool(reason)) == ("off", True)
    assert heard.get(timeout=10) == "on"
    socket.close()
    assert heard.get(timeout=10) == ("off", "closed")
    assert heard.empty()


def test_handlers_hear_why_there_is_no_connection(server, make_socket):
    errors = SimpleQueue()
    socket = make_socket(token=Token(ConnectError("no route"), "good"), on_error=errors.put)
    socket.connect()
    error = errors.get(timeout=10)
    assert isinstance(error, ConnectError)
    assert "no route" in str(error)
    assert errors.empty()
