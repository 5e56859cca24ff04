"""Frames and messages of the WebSocket, against recorded forms and against everything that may be wrong in them."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_notebook.errors import ProtocolError
from kalam_notebook.wire import live as wire

READY = {"batch_num": 0, "has_more": False, "status": "ready", "last_seq_id": None}

# Forms as a server 0.4.3-rc.4 sent them.
ACK = {
    "type": "subscription_ack",
    "subscription_id": "x",
    "total_rows": 0,
    "batch_control": {"batch_num": 0, "has_more": False, "status": "ready", "last_seq_id": 383403877923131392},
    "schema": [
        {"name": "id", "data_type": "BigInt", "index": 0, "flags": ["pk", "nn", "uq"]},
        {"name": "price", "data_type": {"Decimal": {"precision": 10, "scale": 2}}, "index": 1},
    ],
}
INSERT = {
    "type": "change",
    "subscription_id": "s1",
    "change_type": "insert",
    "rows": [{"_seq": "383403836185612288", "body": "new", "id": "10", "created_at": None, "_deleted": False}],
}
UPDATE = {
    "type": "change",
    "subscription_id": "s1",
    "change_type": "update",
    "rows": [{"id": "10", "_seq": "383403840438636544", "room": "a", "n": 1}],
    "old_values": [{"_seq": "383403838312124416", "id": "10", "body": "edited"}],
}
STREAM_DELETE = {
    "type": "change",
    "subscription_id": "o",
    "change_type": "delete",
    "old_values": [{"row_id": "root:383403943865978880"}],
}


def parse(message):
    return wire.parse_message(json.dumps(message))


def test_auth_messages():
    success = parse({"type": "auth_success", "user": "root", "role": "system", "protocol": {"serialization": "json"}})
    assert success == wire.AuthSuccess("root", "system")
    assert parse({"type": "auth_success", "user_id": "u_1", "role": "Dba"}) == wire.AuthSuccess("u_1", "dba")
    refused = parse({"type": "auth_error", "message": "Invalid credentials"})
    assert refused == wire.AuthErrorMessage("Invalid credentials")


def test_acknowledgement_keeps_columns_and_exact_sequence():
    ack = parse(ACK)
    assert isinstance(ack, wire.SubscriptionAck)
    assert [(c.name, c.type_name, c.is_primary_key) for c in ack.columns] == [
        ("id", "BigInt", True),
        ("price", "Decimal", False),
    ]
    assert ack.batch_control.last_seq_id == 383403877923131392  # Beyond 2**53: a float would be another number.
    assert type(ack.batch_control.last_seq_id) is int


def test_acknowledgement_without_schema_and_sequence():
    ack = parse({"type": "subscription_ack", "subscription_id": "x", "batch_control": READY})
    assert ack.columns == ()
    assert ack.batch_control.last_seq_id is None


def test_batch_and_changes():
    batch = parse({"type": "initial_data_batch", "subscription_id": "o", "rows": [{"id": "1"}], "batch_control": READY})
    assert batch.rows == ({"id": "1"},)
    assert batch.batch_control.status == "ready"
    insert, update, delete = parse(INSERT), parse(UPDATE), parse(STREAM_DELETE)
    assert (insert.change_type, wire.row_seq(insert.rows[0])) == ("insert", 383403836185612288)
    assert "body" not in update.rows[0]
    assert update.old_values[0]["body"] == "edited"
    assert delete.rows == ()
    assert delete.old_values == ({"row_id": "root:383403943865978880"},)


def test_error_and_unknown_messages():
    error = parse({"type": "error", "subscription_id": "e", "code": "NOT_FOUND", "message": "Not found: x"})
    assert error == wire.ErrorMessage("e", "NOT_FOUND", "Not found: x")
    unknown = parse({"type": "delivery_gap", "subscription_id": "e"})
    assert unknown == wire.Unknown({"type": "delivery_gap", "subscription_id": "e"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        b"\xff\xfe",
        '{"type":"change"',
        "[]",
        "null",
        "{}",
        '{"type":1}',
        '{"type":"auth_error"}',
        '{"type":"auth_error","message":5}',
        '{"type":"change","subscription_id":"s","change_type":"merge","rows":[{}]}',
        '{"type":"change","subscription_id":"s","change_type":"insert","rows":[]}',
        '{"type":"change","subscription_id":"s","change_type":"insert","rows":[1]}',
        '{"type":"change","subscription_id":"s","change_type":"insert","rows":7}',
        '{"type":"change","subscription_id":"s","change_type":"delete","rows":[{"id":"1"}]}',
        '{"type":"change","subscription_id":"s","change_type":"insert","rows":[{"n":NaN}]}',
        '{"type":"subscription_ack","subscription_id":"s","batch_control":null}',
        '{"type":"subscription_ack","subscription_id":"s","batch_control":{},"schema":[]}',
        '{"type":"initial_data_batch","subscription_id":"s","rows":[],"batch_control":'
        '{"batch_num":0,"has_more":false,"status":"ready","last_seq_id":3.5}}',
        '{"type":"initial_data_batch","subscription_id":"s","rows":[],"batch_control":'
        '{"batch_num":0,"has_more":false,"status":"ready","last_seq_id":99999999999999999999999}}',
        '{"type":"subscription_ack","subscription_id":"s","schema":[{"name":"id"}],"batch_control":'
        '{"batch_num":0,"has_more":false,"status":"ready","last_seq_id":null}}',
    ],
)
def test_broken_messages_are_protocol_errors(text):
    with pytest.raises(ProtocolError):
        wire.parse_message(text)


def test_errors_show_the_message_but_shortened():
    with pytest.raises(ProtocolError) as caught:
        wire.parse_message(json.dumps({"type": "error", "code": "X" * 5000}))
    assert "subscription_id" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(("value", "expected"), [("383403836185612288", 383403836185612288), (7, 7), (None, None)])
def test_row_seq_is_exact(value, expected):
    assert wire.row_seq({"_seq": value}) == expected


def test_row_seq_of_a_row_without_one():
    assert wire.row_seq({"row_id": "a:1"}) is None


@pytest.mark.parametrize("value", [3.8e17, True, "", "12x", "-1", "१", [1]])
def test_row_seq_refuses_what_is_not_an_integer(value):
    with pytest.raises(ProtocolError, match="_seq"):
        wire.row_seq({"_seq": value})


def test_frames_text_and_gzip():
    assert wire.unpack_frame("{}") == "{}"
    text = json.dumps(INSERT).encode()
    assert wire.unpack_frame(gzip.compress(text)) == text


def test_frames_have_a_bound_after_unpacking():
    bomb = gzip.compress(b" " * 5000)
    assert len(bomb) < 100
    assert len(wire.unpack_frame(bomb, max_bytes=5000)) == 5000
    with pytest.raises(ProtocolError, match=r"4,999"):
        wire.unpack_frame(bomb, max_bytes=4999)
    with pytest.raises(ProtocolError, match=r"10 bytes"):
        wire.unpack_frame("x" * 11, max_bytes=10)


def test_bound_does_not_unpack_a_bomb():
    bomb = gzip.compress(b"\0" * (wire.MAX_MESSAGE_BYTES + 10_000))
    with pytest.raises(ProtocolError, match="more than 67,108,864 bytes"):
        wire.unpack_frame(bomb)


@pytest.mark.parametrize(
    "frame",
    [b"", b"plain", gzip.compress(b"{}")[:-3], gzip.compress(b"{}") + b"tail", b"\x1f\x8b\x08\x00\x00"],
    ids=["empty", "plain", "cut", "tail", "header only"],
)
def test_binary_frames_that_are_not_one_gzip_member(frame):
    with pytest.raises(ProtocolError):
        wire.unpack_frame(frame)


def test_outgoing_messages():
    assert json.loads(wire.subscribe_message("q1", "SELECT 'ä'")) == {
        "type": "subscribe",
        "subscription": {"id": "q1", "sql": "SELECT 'ä'", "options": None},
    }
    next_batch = wire.next_batch_message("q1", 383403877923131392)
    assert next_batch == '{"type":"next_batch","subscription_id":"q1","last_seq_id":383403877923131392}'
    assert json.loads(wire.unsubscribe_message("q1")) == {"type": "unsubscribe", "subscription_id": "q1"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "s", "12", "ready", "ü"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "n"]), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["type", "subscription_id", "rows", "old_values", "batch_control", "schema", "change_type", "code", "message"]
TYPES = ["auth_success", "auth_error", "subscription_ack", "initial_data_batch", "change", "error"]


@settings(deadline=None)
@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(FIELDS), JSON))
@pytest.mark.slow
def test_any_json_is_a_message_or_a_protocol_error(kind, fields):
    try:
        message = wire.parse_message(json.dumps({**fields, "type": kind}))
    except ProtocolError:
        return
    assert not isinstance(message, wire.Unknown)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_frame_or_a_protocol_error(data):
    for frame in (data, gzip.compress(data)):
        try:
            wire.parse_message(wire.unpack_frame(frame))
        except ProtocolError:
            continue
        raise AssertionError(f"{frame!r} is no message")
