"""Live events without a connection: which options go out, what is known of a query, what is told of each message."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pyarrow as pa
import pytest

from kalam_notebook.errors import ConfigError, SubscriptionError
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
from kalam_notebook.live_queries.events import notices
from kalam_notebook.live_queries.events.messages import Ack, Delete, InitialBatch, Insert, Update
from kalam_notebook.live_queries.events.messages import LiveNotice as Notice
from kalam_notebook.live_queries.events.notices import query_notices
from kalam_notebook.live_queries.events.streaming import EventStream, stream_options
from kalam_notebook.live_queries.following.query import parse_live_query
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
