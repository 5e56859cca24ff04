"""Live tables that follow a socket in the same process and rows in a dict; modules import the fixtures."""

from __future__ import annotations

import threading
from itertools import repeat

import pytest
from live_socket_server import SCHEMA, SocketServer
from live_source import RowSource

from kalam_notebook.live_queries import opening
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.following import follower as follower_module
from kalam_notebook.live_queries.following import rounds
from kalam_notebook.live_queries.following.pool import Pool
from kalam_notebook.live_queries.following.schedule import Rhythm
from kalam_notebook.live_queries.table import LiveTable
from kalam_notebook.settings import Timeouts

SQL = "SELECT * FROM chat.messages"


def row(row_id, seq, room="a", n=0):
    return {"id": str(row_id), "room": room, "n": n, "_seq": str(seq), "_deleted": False}


def gone(row_id, seq):
    return {**row(row_id, seq), "_deleted": True}


@pytest.fixture(autouse=True)
def no_spread(monkeypatch):
    """What is asked after a reconnect is asked soon."""
    monkeypatch.setattr(follower_module, "SPREAD", 0.02)


@pytest.fixture(name="server")
def live_server():
    with SocketServer() as server:
        yield server


@pytest.fixture(name="source")
def row_source():
    source = RowSource(SCHEMA)
    source.put(row(1, 10), row(2, 11))
    return source


@pytest.fixture(name="socket")
def live_socket(server, source):
    socket = LiveSocket(
        url=server.url, token=source.access_token, timeouts=Timeouts(keepalive=0.5), delays=lambda: repeat(0.01)
    )
    yield socket
    socket.close()


@pytest.fixture(name="pool")
def live_pool():
    pool = Pool(per_second=1000)
    yield pool
    pool.close()


#: Checks ask soon, so that tests need not wait; and not by itself.
SOON = Rhythm(settle=0.01, gap=0.02, rest=0.0, calm=0.05, usual=600.0)

#: Checks ask only when it is told to.
NEVER = Rhythm(settle=600.0, gap=600.0, calm=600.0, usual=600.0)


@pytest.fixture(name="open_table")
def open_live_table(source, socket, pool):
    tables = []

    def open_table(sql=SQL, **options) -> LiveTable:
        tables.append(opening.open_table(sql, source=source, socket=socket, pool=pool, **{"rhythm": NEVER, **options}))
        return tables[-1]

    yield open_table
    for table in tables:
        table.close()


class Gate:
    """Holds up the n-th reading until it is opened."""

    def __init__(self, source: RowSource, number: int) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self.number = number
        self._guard(source)

    def _guard(self, source: RowSource) -> None:
        source.before_read = self._pass

    def _pass(self, number: int) -> None:
        if number == self.number:
            self.reached.set()
            assert self.opened.wait(20)


class ReadGate(Gate):
    """Holds up the n-th reading when it has been read and not been used."""

    def _guard(self, source: RowSource) -> None:
        source.after_read = self._pass


class DeltaGate(Gate):
    """Holds up the n-th delta."""

    def _guard(self, source: RowSource) -> None:
        source.before_delta = self._pass


def held(table):
    return {cells["id"]: (cells["room"], cells["n"]) for cells in table.arrow().to_pylist()}


def ids(table):
    return table.arrow().column("id").to_pylist()


def fail_with(error, *, times):
    failures = repeat(error, times)

    def fail(number):
        error = next(failures, None)
        if error is not None:
            raise error

    return fail


@pytest.fixture(name="no_pauses")
def no_pauses_between_questions(monkeypatch):
    monkeypatch.setattr(rounds, "backoff", lambda random: repeat(0.01))
