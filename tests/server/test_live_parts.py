"""The pure parts behind a live query that need no socket: changes, frames, pages, counts."""

import gzip
import json

import pytest

from kalam_sandbox.backend import Caller, Change, Column, SelectRows
from kalam_sandbox.live import frames
from kalam_sandbox.live.changes import change_body
from kalam_sandbox.live.evaluate import passes
from kalam_sandbox.live.messages import SubscribeOptions
from kalam_sandbox.live.registry import SubscriptionCounter
from kalam_sandbox.live.snapshot import PageRequest, first_page, page_of

OLD = {"id": "1", "room": "a", "n": 1, "_seq": "10", "_deleted": False}
NEW = {"id": "1", "room": None, "n": 1, "_seq": "11", "_deleted": False}


def body(kind, new, old, *, columns=None, is_stream=False, predicate=None):
    change = Change("ws", "t", kind, "root", 11, new, old)
    return change_body(
        change, is_stream=is_stream, columns=columns, key=("id",), passes=lambda row: passes(predicate, row, {})
    )


def test_an_insert_has_every_projected_column_nulls_included():
    assert body("insert", NEW, None) == {"change_type": "insert", "rows": [NEW]}
    projected = body("insert", NEW, None, columns=("room", "gone", "t.n", "N"))
    assert projected == {"change_type": "insert", "rows": [{"room": None, "_seq": "11"}]}


def test_an_update_has_the_key_and_leaves_out_what_is_null_or_unchanged():
    assert body("update", NEW, OLD) == {
        "change_type": "update",
        "rows": [{"id": "1", "_seq": "11", "n": 1}],
        "old_values": [{"id": "1", "_seq": "10", "room": "a"}],
    }


def test_an_update_of_other_columns_arrives_all_the_same():
    assert body("update", NEW, OLD, columns=("n",)) == {
        "change_type": "update",
        "rows": [{"id": "1", "_seq": "11", "n": 1}],
        "old_values": [{"id": "1", "_seq": "10"}],
    }


def test_a_column_added_after_the_row_was_written_has_no_old_value():
    added = {**NEW, "extra": 5}
    assert body("update", added, OLD)["old_values"] == [{"id": "1", "_seq": "10", "room": "a"}]
    assert body("update", added, {**OLD, "extra": None})["old_values"][0]["extra"] is None


def test_a_delete_has_the_last_values_and_the_seq_of_the_tombstone():
    tombstone = {**OLD, "_seq": "12", "_deleted": True}
    assert body("delete", tombstone, OLD) == {"change_type": "delete", "old_values": [tombstone]}
    projected = body("delete", tombstone, OLD, columns=("n",))
    assert projected == {"change_type": "delete", "old_values": [{"n": 1, "_seq": "12"}]}


def test_a_stream_deletes_by_the_seq_of_the_stored_row():
    tombstone = {**OLD, "_seq": "12", "_deleted": True}
    assert body("delete", tombstone, OLD, is_stream=True)["old_values"] == [{"row_id": "root:10"}]
    assert body("delete", tombstone, OLD, is_stream=True, columns=("id",))["old_values"] == [{}]


@pytest.mark.parametrize("cell", [float("nan"), float("inf"), [0.5, float("-inf")]])
def test_cells_that_json_cannot_carry_silence_the_event(cell):
    assert body("insert", {**NEW, "x": cell}, None, columns=("id",)) is None
    assert body("insert", {**NEW, "x": [0.5, 1]}, None) is not None


def test_rows_keep_their_content_and_lose_the_order_of_their_keys():
    row = {f"c{number}": number for number in range(20)}
    message = frames.initial_data_batch("s", [row] * 3, frames.batch_control(0, False, None))
    text = frames.encode(message, compress=False)
    assert json.loads(text) == message
    orders = {tuple(sent) for sent in json.loads(text)["rows"]}
    assert len(orders) > 1


@pytest.mark.parametrize(("length", "packed"), [(511, False), (512, True)])
def test_compression_begins_at_512_bytes(length, packed):
    empty = len(frames.encode(frames.auth_error(""), compress=True).encode())
    payload = frames.encode(frames.auth_error("x" * (length - empty)), compress=True)
    assert isinstance(payload, bytes) is packed
    if packed:
        assert len(gzip.decompress(payload)) == length


def test_what_does_not_shrink_stays_text(monkeypatch):
    monkeypatch.setattr(frames.gzip, "compress", lambda data, **_: data + b"!")
    assert isinstance(frames.encode(frames.auth_error("x" * 600), compress=True), str)


def test_the_greeting_names_role_and_protocol():
    assert frames.auth_success(Caller("u_alice", "user"), "none", "json") == {
        "type": "auth_success", "user": "u_alice", "role": "user",
        "protocol": {"serialization": "json", "compression": "none"},
    }  # fmt: skip


def test_the_schema_of_a_projection_passes_over_what_is_no_column():
    columns = (Column("id", "BigInt", ("pk", "nn", "uq")), Column("d", {"Embedding": 3}, ()))
    assert frames.schema_of(columns, ("id+1", "D")) == [{"name": "d", "data_type": {"Embedding": 3}, "index": 1}]
    assert frames.schema_of(columns, ("id+1",)) == []


@pytest.mark.parametrize(
    ("number", "has_more", "status"),
    [(0, True, "loading"), (1, True, "loading_batch"), (0, False, "ready"), (3, False, "ready")],
)
def test_the_status_of_a_page(number, has_more, status):
    assert frames.batch_control(number, has_more, 5)["status"] == status


def test_which_rows_the_first_page_asks_for():
    assert first_page(SubscribeOptions()) == PageRequest(1000)
    assert first_page(SubscribeOptions(batch_size=7, from_seq=3, last_rows=2)) == PageRequest(7, after=3)
    assert first_page(SubscribeOptions(batch_size=7, last_rows=2)) == PageRequest(2, newest=True)


def test_the_cursor_is_the_last_row_in_the_order_of_the_page():
    columns = (Column("id", "BigInt", ()), Column("_seq", "BigInt", ()))
    page = page_of(SelectRows(columns, [["1", "30"], ["2", "10"], ["3", "20"]]), PageRequest(2))
    assert (page.last_seq_id, page.has_more) == (10, True)


def test_a_users_count_never_falls_below_zero_and_is_forgotten_after_ten_idle_minutes():
    now = [0.0]
    counter = SubscriptionCounter(lambda: now[0])
    counter.add("root", -1)
    counter.add("root", 3)
    now[0] = 600.0
    assert counter.of("root") == 3
    now[0] = 600.1
    assert counter.of("root") == 0
