"""What ends a connection, in words, and whether another attempt can help."""

from __future__ import annotations

import math

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidMessage, InvalidStatus, InvalidURI
from websockets.frames import Close
from websockets.http11 import Headers, Response

from kalam_notebook.errors import (
    AuthError,
    ConfigError,
    ConnectError,
    LiveError,
    ProtocolError,
    RequestTimeoutError,
    server_error,
)
from kalam_notebook.live_queries.connection.failures import describe_failure, subscription_error
from kalam_notebook.live_queries.connection.socket import _timing
from kalam_notebook.live_queries.connection.states import Failure, Refused
from kalam_notebook.settings import Timeouts

URL = "ws://db:2900/v1/ws"


def status(code: int, phrase: str) -> InvalidStatus:
    return InvalidStatus(Response(code, phrase, Headers()))


@pytest.mark.parametrize(
    ("exc", "failure"),
    [
        (ConnectionClosedError(None, None), Failure("the connection was cut")),
        (ConnectionClosedError(None, Close(1009, "too big"), None), Failure("a frame was refused (too big)")),
        (
            ConnectionClosedError(Close(1000, "Heartbeat timeout"), None),
            Failure("the server closed the connection (1000 Heartbeat timeout)"),
        ),
        (ConnectionClosedError(Close(1011, ""), None), Failure("the server closed the connection (1011)")),
        (
            ConnectionClosedError(Close(1008, "Authentication timeout"), None),
            Failure("Authentication timeout", is_refusal=True),
        ),
        (status(401, "Unauthorized"), Failure("the server answered HTTP 401 Unauthorized", is_refusal=True)),
        (status(429, "Too Many Requests"), Failure("the server answered HTTP 429 Too Many Requests")),
        (status(503, "Service Unavailable"), Failure("the server answered HTTP 503 Service Unavailable")),
        (InvalidMessage("did not receive a valid HTTP response"), Failure("did not receive a valid HTTP response")),
        (TimeoutError(), Failure("the server did not answer in time")),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 2900)"), Failure("Connection refused")),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 99] x"), Failure("Connection refused")),
        (OSError("something else"), Failure("something else")),
        (ProtocolError("bad frame\nsecond line"), Failure("bad frame")),
        (ConnectError("no route"), Failure("no route")),
        (RequestTimeoutError("login took too long"), Failure("login took too long")),
        (server_error("INTERNAL", "oops", 500), Failure("INTERNAL: oops")),
        (server_error("RATE_LIMIT_EXCEEDED", "slow down", 429), Failure("RATE_LIMIT_EXCEEDED: slow down")),
    ],
)
def test_failures_worth_another_attempt(exc, failure):
    assert describe_failure(exc, url=URL) == failure


@pytest.mark.parametrize(
    "exc",
    [AuthError("no"), ConfigError("no login"), server_error("PERMISSION_DENIED", "no", 403)],
)
def test_errors_of_the_package_that_end_it_are_kept(exc):
    assert describe_failure(exc, url=URL).error is exc


@pytest.mark.parametrize(
    ("exc", "kind", "words"),
    [
        (status(404, "Not Found"), ConnectError, f"{URL}: the server answered HTTP 404 Not Found instead"),
        (status(403, "Forbidden"), ConnectError, "HTTP 403"),
        (InvalidURI("x", "bad"), ConfigError, "not the address of a WebSocket"),
        (KeyError("bug"), LiveError, "KeyError: 'bug'"),
    ],
)
def test_other_errors_that_end_it(exc, kind, words):
    error = describe_failure(exc, url=URL).error
    assert isinstance(error, kind)
    assert words in str(error)


@pytest.mark.parametrize(
    ("locations", "shown"),
    [
        (["wss://other.example:9/x?token=secret"], " to other.example (HTTP 302)"),
        (["ws://user:secret@other.example/"], " to other.example (HTTP 302)"),
        (["/v1/ws"], " on (HTTP 302)"),
        ([], " on (HTTP 302)"),
        (["ws://a/", "ws://b/"], " on (HTTP 302)"),
        (["ws://[broken/"], " on (HTTP 302)"),
        (["ws://a b/"], " on (HTTP 302)"),
    ],
)
def test_a_redirect_tells_the_host_and_nothing_else(locations, shown):
    response = Response(302, "Found", Headers([("Location", location) for location in locations]))
    text = str(describe_failure(InvalidStatus(response), url=URL).error)
    assert shown in text
    assert "secret" not in text


@pytest.mark.parametrize("code", ["SUBSCRIPTION_LIMIT_EXCEEDED", "UNAUTHORIZED", "NOT_FOUND", "INVALID_SQL"])
def test_refusals_have_a_hint(code):
    error = subscription_error(Refused(1, "SELECT 1", code, "text of the server"))
    assert (error.code, error.sql) == (code, "SELECT 1")
    assert error.hint
    assert str(error).startswith(f"{code}: text of the server\n")


def test_a_refusal_with_an_unknown_code():
    assert str(subscription_error(Refused(1, "SELECT 1", "NEW_CODE", "text"))) == "NEW_CODE: text"


def test_a_timeout_of_zero_is_for_ever():
    timing = _timing(Timeouts(keepalive=0, pong=0, auth=0, subscribe=0))
    assert {timing.ping_interval, timing.pong_timeout, timing.auth_timeout, timing.ack_timeout} == {math.inf}
