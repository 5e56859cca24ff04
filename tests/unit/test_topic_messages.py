"""Messages of a topic as they travel: what is asked for, what an answer has to be, rows with exact types."""

import base64
import datetime as dt
import json
from decimal import Decimal

import pytest
from test_partition import message

from kalam_notebook.errors import ConfigError, ProtocolError, ResultError
from kalam_notebook.wire.topics import (
    check_start,
    check_topic,
    consume_body,
    decode_messages,
    parse_consumed,
    unsigned_decimals,
)
from kalam_notebook.wire.types import Column


def answer(**changed):
    raw = {
        "topic_id": "app.ev", "partition_id": 0, "offset": 7, "key": "1", "timestamp_ms": 1767000000123, "op": "Insert",
        "payload": base64.b64encode(b'{"id":"1","_table":"app:docs","_commit_seq":"5","_seq":"9"}').decode(),
    } | changed  # fmt: skip
    return json.dumps({"messages": [raw], "next_offset": 8, "has_more": False}).encode()


def test_a_message_is_read():
    consumed = parse_consumed(answer(user="alice"))
    (one,) = consumed.messages
    assert consumed.next_offset == 8
    assert (one.offset, one.op, one.key, one.user, one.table) == (7, "Insert", "1", "alice", "app.docs")
    assert one.row == {"id": "1", "_seq": "9"}
    assert one.time == dt.datetime(2025, 12, 29, 9, 20, 0, 123000, dt.UTC)
    assert "alice" in repr(one)
    assert b"docs" not in repr(one).encode()


def test_a_message_without_a_table_a_key_and_a_user():
    (one,) = parse_consumed(answer(key=None, payload=base64.b64encode(b'{"id":"1"}').decode())).messages
    assert (one.key, one.user, one.table) == (None, None, None)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"messages":[{}],"next_offset":0}', answer(payload="%%"), answer(offset="x")]
)
def test_another_answer_is_no_answer_of_a_topic(content):
    with pytest.raises(ProtocolError, match="not that of a topic"):
        parse_consumed(content)


def test_a_payload_that_is_no_row_is_told_when_it_is_looked_at():
    (one,) = parse_consumed(answer(payload=base64.b64encode(b"\xff").decode())).messages
    with pytest.raises(ProtocolError, match=r"Message 7 of app\.ev"):
        _ = one.row


def test_a_request_names_where_to_begin():
    body = json.loads(consume_body("app.ev", "g", 2, start="earliest", limit=5))
    assert body == {"topic_id": "app.ev", "group_id": "g", "partition_id": 2, "start": "Earliest", "limit": 5}
    assert json.loads(consume_body("app.ev", "g", 0, start=3, limit=5))["start"] == {"Offset": 3}


@pytest.mark.parametrize("start", ["Earliest", -1, True, None, 1.5])
def test_a_start_that_is_none(start):
    with pytest.raises(ConfigError, match="start is"):
        check_start(start)


@pytest.mark.parametrize(
    ("name", "namespace"), [("ev", None), ("", "app"), ("a.b.c", None), (".ev", None), ("app.", None)]
)
def test_a_topic_has_a_namespace(name, namespace):
    with pytest.raises(ConfigError, match="does not name a topic"):
        check_topic(name, namespace)


def test_the_clients_namespace_is_used():
    assert (check_topic("Ev", "app"), check_topic("other.Ev", "app")) == ("app.Ev", "other.Ev")


COLUMNS = (Column("id", "BigInt"), Column("total", "Decimal", 8, 2))


def test_rows_of_messages_have_exact_types():
    rows = [{"id": "9007199254740993", "total": "0.50"}, {"id": "2"}]
    table = decode_messages([message(n, payload=json.dumps(row).encode()) for n, row in enumerate(rows)], COLUMNS)
    assert table.column_names == ["_partition", "_offset", "_op", "_time", "id", "total"]
    assert table.column("id").to_pylist() == [9007199254740993, 2]
    assert table.column("total").to_pylist() == [Decimal("0.50"), None]
    assert unsigned_decimals(table, COLUMNS) == ["total"]


def test_whole_decimals_have_their_sign():
    table = decode_messages([message(0, payload=b'{"id":"1","total":"-1.50"}')], COLUMNS)
    assert unsigned_decimals(table, COLUMNS) == []


def test_no_messages_are_an_empty_table():
    assert decode_messages([], COLUMNS).num_rows == 0


def test_a_column_that_the_table_lost_is_not_left_out():
    with pytest.raises(ResultError, match="'old'"):
        decode_messages([message(0, payload=b'{"id":"1","old":2}')], COLUMNS)
