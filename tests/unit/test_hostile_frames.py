"""Live messages that no server should send: the table goes on from the server's rows, or ends with a plain error."""

from __future__ import annotations

import contextlib
import json
from itertools import repeat

import pytest
from live_socket_server import SCHEMA, SocketServer
from live_source import RowSource
from websockets.exceptions import ConnectionClosed

from kalam_notebook.errors import KalamError, ProtocolError
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.following import follower as follower_module
from kalam_notebook.live_queries.following import hearing
from kalam_notebook.live_queries.following.pool import Pool
from kalam_notebook.live_queries.following.schedule import Rhythm
from kalam_notebook.live_queries.opening import open_table
from kalam_notebook.live_queries.table import LiveTable
from kalam_notebook.live_queries.threads import Inbox
from kalam_notebook.results.render import render_html, render_text
from kalam_notebook.settings import Timeouts
from kalam_notebook.wire.live import row_seq

SOON = Rhythm(settle=0.01, gap=0.02, rest=0.0, calm=0.05, usual=600.0)
TIMES = [
    {"name": "at", "data_type": "Timestamp", "index": 3},
    {"name": "day", "data_type": "Date", "index": 4},
]


def row(row_id, seq, **cells):
    return {"id": str(row_id), "room": "a", "n": 0, "_seq": seq, "_deleted": False, **cells}


@pytest.fixture
def server():
    with SocketServer() as server:
        server.schema = [*SCHEMA[:3], *TIMES, *SCHEMA[3:]]
        yield server


@pytest.fixture
def source(server):
    source = RowSource(server.schema)
    source.put(row(1, "10"), row(2, "11"))
    return source


@pytest.fixture
def table(server, source, monkeypatch):
    monkeypatch.setattr(follower_module, "SPREAD", 0.02)
    socket = LiveSocket(
        url=server.url, token=source.access_token, timeouts=Timeouts(keepalive=0.05), delays=lambda: repeat(0.01)
    )
    pool = Pool(per_second=1000)
    table = open_table("SELECT * FROM chat.messages", source=source, socket=socket, pool=pool, rhythm=SOON)
    yield table
    table.close()
    socket.close()
    pool.close()


def still_true_or_plainly_over(server, source, table):
    """The table shows the server's rows, also those that come now, or tells why it ended."""
    source.put(row(9, "900"))
    told = ""
    try:
        with contextlib.suppress(ConnectionClosed):  # The one that is being left.
            server.change("insert", row(9, "900"))
        table.wait_for(lambda t: 9 in t.arrow()["id"].to_pylist(), timeout=10)
        assert table.verify()
    except KalamError as exc:
        told = str(exc)
    assert "unexpected" not in f"{told} {table.error}"
    assert len(told) < 600


SEQS = ["9" * 4000, "9" * 5000, str(2**63), str(2**64), 2**63, -1, "-1", "", "１２", 1.5, 1e300, [], {}, True, "0" * 30]


@pytest.mark.parametrize("seq", SEQS, ids=range(len(SEQS)))
def test_a_seq_that_is_none(server, source, table, seq):
    with pytest.raises(ProtocolError, match="_seq is not an integer"):
        row_seq({"_seq": seq})
    server.change("insert", row(3, seq))
    still_true_or_plainly_over(server, source, table)


@pytest.mark.parametrize("kind", ["insert", "update", "delete"])
@pytest.mark.parametrize("rows", [[], [[]], [{}], [None], [row(1, None)], [{"_seq": "50"}], [row([], "50")]])
def test_rows_without_what_rows_have(server, source, table, kind, rows):
    (_, wire_id), *_ = server.active
    message = {"type": "change", "subscription_id": wire_id, "change_type": kind, "rows": rows, "old_values": rows}
    server.send(json.dumps(message))
    still_true_or_plainly_over(server, source, table)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (-62_135_596_800_000_000, -719_162),
        (253_402_300_799_999_999, 2_932_896),
        (253_402_300_800_000_000, 2_932_897),
        (2**63 - 1, 2**31 - 1),
        (-(2**63), -(2**31)),
        (str(2**63), "9" * 4000),
        ("0001-01-01", "9999-12-31"),
    ],
)
def test_times_at_the_ends(server, source, table, at, day):
    if not isinstance(at, str):  # What the server cannot hold is in the event only.
        source.put(row(3, "12", at=at, day=day))
    server.change("insert", row(3, "12", at=at, day=day))
    still_true_or_plainly_over(server, source, table)
    for look in (repr, LiveTable.df, LiveTable.arrow, LiveTable.changes):
        with contextlib.suppress(KalamError):
            look(table)
    render_html(table.arrow(), columns=table.columns)
    render_text(table.arrow(), columns=table.columns)


def test_what_waits_is_bounded_in_bytes(server, source, table, monkeypatch):
    monkeypatch.setattr(hearing, "_MAX_WAITING_BYTES", 3_000)
    inbox = table._follower._hearing.inbox
    taken = inbox._bytes_taken
    with table._follower._lock:  # The worker takes the first event out, and waits with it.
        for number in range(3, 43):
            source.put({**row(number, str(100 + number)), "room": "r" * 900})
            server.change("insert", {**row(number, str(100 + number)), "room": "r" * 900}, zipped=True)
            if number == 3:
                server.wait_until(lambda: inbox._bytes_taken > taken)
        server.wait_until(lambda: table._follower._hearing.was_full)
        assert 0 < inbox.num_bytes <= 3_000
    table.wait_for(42)
    assert table.verify()
    assert inbox.num_bytes == 0


def test_an_inbox_counts_the_bytes_that_wait():
    inbox: Inbox[object] = Inbox()
    inbox.put("a", 5)
    inbox.put("b", 7)
    inbox.put(3, 9)
    inbox.put("c")
    assert (len(inbox), inbox.num_bytes) == (4, 21)
    assert inbox.take() == "a"
    assert inbox.take_more(str, 10) == ["b"]
    assert (len(inbox), inbox.num_bytes) == (2, 9)
    assert inbox.take() == 3
    assert (len(inbox), inbox.num_bytes) == (1, 0)
    assert inbox.take() == "c"
    assert inbox.take(0.001) is None
