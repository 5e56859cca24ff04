"""Live queries with the same text share one subscription: the server tells its events once."""

from __future__ import annotations

from collections import deque
from itertools import repeat

import pytest
from live_socket_server import SocketServer
from test_live_socket import QUICK, ROW, SQL, Ears

from kalam_notebook.live_queries.connection.cursor import StreamCursor
from kalam_notebook.live_queries.connection.socket import LiveSocket


@pytest.fixture
def server():
    with SocketServer() as server:
        yield server


@pytest.fixture
def socket(server):
    socket = LiveSocket(
        url=server.url, token=lambda *, renew=False: "good", timeouts=QUICK, delays=lambda: repeat(0.01)
    )
    yield socket
    socket.close()


def subscribe(socket, number, sql=SQL):
    ears = [Ears() for _ in range(number)]
    keys = [socket.subscribe(sql, listener) for listener in ears]
    for listener in ears:
        listener.wait("subscribed")
    return ears, keys


def test_all_hear_and_the_server_tells_once(server, socket):
    ears, _ = subscribe(socket, 3)
    assert (len(server.active), socket.num_subscriptions) == (1, 1)
    server.change("insert", ROW)
    assert [listener.wait("changed").rows[0]["id"] for listener in ears] == ["1"] * 3
    others, _ = subscribe(socket, 1, f"{SQL} WHERE (id = 1)")
    assert (len(server.active), socket.num_subscriptions) == (2, 2)
    server.change("insert", ROW)
    assert others[0].wait("changed").rows[0]["id"] == "1"


def test_who_comes_later_is_told_that_it_stands(server, socket):
    (first,), _ = subscribe(socket, 1)
    (later,), _ = subscribe(socket, 1)
    assert later.wait("subscribed") == first.wait("subscribed")
    assert len([message for message in server.received if message["type"] == "subscribe"]) == 1


def test_the_last_one_ends_it(server, socket):
    ears, keys = subscribe(socket, 2)
    socket.unsubscribe(keys[0])
    server.change("insert", ROW)
    ears[1].wait("changed")
    assert ears[0].all("changed") == []
    assert len(server.active) == 1
    socket.unsubscribe(keys[1])
    server.wait_until(lambda: not server.active)
    assert socket.num_subscriptions == 0
    subscribe(socket, 1)
    assert len(server.active) == 1


def test_the_first_one_may_leave_before_the_others(server, socket):
    ears, keys = subscribe(socket, 2)
    socket.unsubscribe(keys[0])
    subscribe(socket, 1)
    assert len(server.active) == 1
    server.cut()
    ears[1].wait("subscribed", 2)
    server.change("insert", ROW)
    ears[1].wait("changed")


def test_all_come_back_after_a_loss(server, socket):
    ears, _ = subscribe(socket, 3)
    server.cut()
    for listener in ears:
        listener.wait("subscribed", 2)
    assert len(server.active) == 1


def test_who_comes_while_it_does_not_stand_waits_for_it(server, socket):
    (first,), _ = subscribe(socket, 1)
    server.hold_acks = True
    server.cut()
    server.wait_until(lambda: len([m for m in server.received if m["type"] == "subscribe"]) == 2)
    later = Ears()
    socket.subscribe(SQL, later)
    server.hold_acks = False
    server.cut()
    later.wait("subscribed")
    first.wait("subscribed", 2)
    assert len(later.all("subscribed")) == 1


def test_all_are_told_of_a_refusal_and_one_who_comes_later_tries_again(server, socket):
    ears, _ = subscribe(socket, 2)
    server.refusals[SQL] = deque([("NOT_FOUND", "Table not found")])
    server.cut()
    for listener in ears:
        assert "Table not found" in str(listener.wait("stopped"))
    subscribe(socket, 1)
    assert len(server.active) == 1


def test_rows_that_come_over_the_socket_are_of_one_alone(server, socket):
    subscribe(socket, 1)
    heard = []
    key = socket.subscribe(SQL, lambda event, size: heard.append(event), StreamCursor(None))
    server.wait_until(lambda: len(server.active) == 2)
    socket.unsubscribe(key)
    server.wait_until(lambda: len(server.active) == 1)
