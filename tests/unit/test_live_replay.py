"""Frames that a server 0.4.3-rc.4 sent, through messages, states and rows."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import partial
from itertools import repeat
from pathlib import Path

import pyarrow as pa
import pytest

from kalam_notebook.live_queries.connection.protocol import LiveProtocol
from kalam_notebook.live_queries.connection.states import Changed, Refused, State, Subscribed, Timing
from kalam_notebook.live_queries.following.plan import TableInfo, plan_table
from kalam_notebook.live_queries.following.query import parse_live_query
from kalam_notebook.live_queries.rows.store import KeyedStore
from kalam_notebook.wire import live as wire
from kalam_notebook.wire.decode import decode_columns

RECORDING = Path(__file__).parents[1] / "data" / "recordings" / "ws.jsonl"
SESSIONS = {
    session["name"]: session
    for session in map(json.loads, RECORDING.read_text(encoding="utf-8").splitlines())
    if session["name"] != "setup" and not session.get("withheld")
}


def received(session):
    """The messages of a session, packed as the server packed them and read as the client reads them."""
    for frame in session["frames"]:
        if frame["dir"] != "in" or frame["kind"] not in {"text", "binary+gzip"} or not isinstance(frame["data"], dict):
            continue
        text = json.dumps(frame["data"], separators=(",", ":"))
        yield wire.parse_message(wire.unpack_frame(text if frame["kind"] == "text" else gzip.compress(text.encode())))


@pytest.mark.parametrize("name", SESSIONS)
def test_every_recorded_message_is_known(name):
    for message in received(SESSIONS[name]):
        assert not isinstance(message, wire.Unknown)
        for row in getattr(message, "rows", ()):
            assert wire.row_seq(row) > 383_000_000_000_000_000


def follow(name, sql, kind, received=received):
    """Play a recorded session to the protocol and the store; its snapshot stands for the reading over HTTP."""
    protocol = LiveProtocol(delays=lambda: repeat(1.0), timing=Timing())
    protocol.subscribe(1, sql, 0.0)
    protocol.opened(0.0)
    wire_id = ""
    store, batch, changes = None, None, []
    for message in received(SESSIONS[name]):
        # The recorded client chose another id than this one does.
        if wire_id and hasattr(message, "subscription_id"):
            rename = message._replace if isinstance(message, tuple) else partial(replace, message)
            message = rename(subscription_id=wire_id)
        if isinstance(message, wire.InitialDataBatch):
            batch = message
        protocol.received(message, 0.0)
        for action in protocol.actions():
            if hasattr(action, "text"):
                wire_id = json.loads(action.text)["subscription"]["id"]
        for event in protocol.events():
            if isinstance(event, Subscribed):
                plan = plan_table(parse_live_query(sql), TableInfo(event.ack.columns, kind))
                store = KeyedStore(plan.columns, key=plan.key, visible=plan.visible)
            elif isinstance(event, Changed):
                changes.append(event.change)
            elif isinstance(event, Refused):
                return event, protocol
    if store is None:
        return None, protocol
    rows = batch.rows if batch else ()
    cells = [[row.get(column.name) for row in rows] for column in plan.columns]
    store.load(pa.Table.from_batches([decode_columns(plan.columns, cells)]))
    store.apply(changes)
    return store, protocol


def held(store):
    return sorted(tuple(row.values()) for row in store.arrow().select([0, 1, 2, 3]).to_pylist())


def test_inserts_updates_and_deletes_of_a_user_table():
    store, protocol = follow("snapshot_and_changes", "SELECT * FROM ws.t_user", "user")
    assert protocol.status.state is State.OPEN
    # The statements of the session: three UPDATEs SET n = 7, a row that came, changed, lost its body and went, one that
    # was inserted again, and a transaction.
    assert sorted(held(store), key=lambda row: row[0]) == [
        (0, "a", "m0", 7),
        (1, "a", "m1", 7),
        (2, "a", "m2", 7),
        (3, "a", "m3", 3),
        (4, "a", "m4", 4),
        (10, "a", None, None),
        (11, "a", None, 1),
        (12, "a", None, None),
    ]
    assert store.arrow().column("created_at").null_count == 3


def test_a_shared_table_without_rows_at_first():
    store, _ = follow("shared", "SELECT * FROM ws.t_shared", "shared")
    inserted = [m.rows[0]["id"] for m in received(SESSIONS["shared"]) if getattr(m, "change_type", "") == "insert"]
    assert [str(key) for key in store.arrow().column("id").to_pylist()] == inserted


def test_a_stream_row_comes_and_goes():
    store, _ = follow("stream", "SELECT * FROM ws.st", "stream")
    assert (store.key, store.num_rows, store.last_seq) == ("_seq", 0, 383403943865978880)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("subscribe_missing", "NOT_FOUND"),
        ("subscribe_unqualified", "INVALID_SQL"),
        ("subscribe_agg", "SUBSCRIPTION_FAILED"),
        ("subscribe_limit", "INVALID_SQL"),
    ],
)
def test_refusals(name, code):
    refused, protocol = follow(name, "SELECT * FROM ws.t_user", "user")
    assert refused.code == code
    assert protocol.status.state is State.OPEN


def test_a_bad_token():
    protocol = LiveProtocol(delays=lambda: repeat(1.0), timing=Timing())
    for _ in range(2):
        protocol.connect()
        protocol.opened(0.0)
        for message in received(SESSIONS["auth_bad_header"]):
            protocol.received(message, 0.0)
    assert protocol.status.text(0.0).startswith("stopped: The server refused the token")
