"""Frames for the page: which rows go, in what form, in how many messages."""

from __future__ import annotations

import datetime as dt
import uuid
from array import array
from dataclasses import dataclass, field
from decimal import Decimal

import pyarrow as pa
import pytest

from kalam_notebook.notebook.page import page_rows
from kalam_notebook.notebook.page.page_rows import Message, PageRows
from kalam_notebook.results.cells import describe
from kalam_notebook.wire.types import Column, arrow_schema

COLUMNS = (Column("id", "BigInt", flags=("pk",)), Column("name", "Text"))
STATUS = {"text": "live"}


@dataclass(frozen=True)
class Delta:
    version: int
    rows: pa.Table
    row_ids: tuple[int, ...]
    num_rows: int
    reset: bool = False
    inserted: frozenset[int] = field(default_factory=frozenset)
    removed: tuple[int, ...] = ()


def rows_of(ids: list[int], name: str = "x") -> pa.Table:
    return pa.table({"id": ids, "name": [name] * len(ids)}).cast(arrow_schema(COLUMNS))


def whole(version: int, ids: list[int], name: str = "x", total: int | None = None) -> Delta:
    return Delta(version, rows_of(ids, name), tuple(ids), total or len(ids), reset=True)


def part(version: int, ids: list[int], total: int, inserted: tuple = (), removed: tuple = ()) -> Delta:
    return Delta(version, rows_of(ids), tuple(ids), total, inserted=frozenset(inserted), removed=removed)


def read(messages: list[Message]) -> pa.Table:
    return pa.concat_tables([pa.ipc.open_stream(message.buffers[0]).read_all() for message in messages])


def ids_in(messages: list[Message]) -> list[int]:
    return read(messages)["id"].to_pylist()


def removed_in(messages: list[Message]) -> list[int]:
    return list(array("q", b"".join(message.buffers[1] for message in messages)))


def test_a_start_holds_columns_and_all_rows():
    rows = PageRows()
    (message,) = rows.messages(whole(3, [1, 2]), COLUMNS, STATUS)
    plain = {"scale": 0, "zoned": False}
    assert message.content == {
        "kind": "frame",
        "frame": 1,
        "part": 0,
        "parts": 1,
        "count": 2,
        "base": -1,
        "version": 3,
        "status": {"text": "live", "rows": 2},
        "columns": [
            {"name": "id", "sql_type": "BIGINT", "kind": "integer", "key": True, "arrow": "int64"} | plain,
            {"name": "name", "sql_type": "TEXT", "kind": "text", "key": False, "arrow": "string"} | plain,
        ],
    }
    assert read([message]).to_pydict() == {"0": [1, 2], "1": ["x", "x"], "id": [1, 2]}


def test_a_change_builds_on_the_last_version():
    rows = PageRows()
    rows.messages(whole(3, [1, 2, 3]), COLUMNS, STATUS)
    (message,) = rows.messages(part(5, [2, 4], 3, inserted=(4,), removed=(1, 77)), COLUMNS, STATUS)
    assert (message.content["base"], message.content["version"], message.content["frame"]) == (3, 5, 2)
    assert message.content["columns"] is None
    assert ids_in([message]) == [2, 4]
    assert removed_in([message]) == [1]
    assert not rows.has_room


def test_only_the_first_rows_go_to_the_page(monkeypatch):
    monkeypatch.setattr(page_rows, "MAX_ROWS", 3)
    rows = PageRows()
    messages = rows.messages(whole(1, [1, 2, 3, 4, 5]), COLUMNS, STATUS)
    assert ids_in(messages) == [1, 2, 3]
    assert messages[0].content["status"]["rows"] == 5
    messages = rows.messages(part(2, [5, 2, 6], 6, inserted=(6,)), COLUMNS, STATUS)
    assert ids_in(messages) == [2]
    assert not rows.has_room
    # A row that was shown goes: another one could come in, but only a new start knows which.
    messages = rows.messages(part(3, [7], 6, inserted=(7,), removed=(1, 4)), COLUMNS, STATUS)
    assert (ids_in(messages), removed_in(messages)) == ([], [1])
    assert rows.has_room
    assert ids_in(rows.messages(whole(3, [2, 3, 5, 6, 7]), COLUMNS, STATUS)) == [2, 3, 5]
    assert not rows.has_room


def test_new_rows_fill_the_page_up_to_its_end(monkeypatch):
    monkeypatch.setattr(page_rows, "MAX_ROWS", 3)
    rows = PageRows()
    rows.messages(whole(1, [1, 2]), COLUMNS, STATUS)
    messages = rows.messages(part(2, [3, 4, 1], 4, inserted=(3, 4)), COLUMNS, STATUS)
    assert ids_in(messages) == [3, 1]


def test_a_large_start_comes_in_parts_and_ends_at_the_limit(monkeypatch):
    monkeypatch.setattr(page_rows, "MAX_BYTES", 60_000)
    monkeypatch.setattr(page_rows, "PART_BYTES", 20_000)
    rows = PageRows()
    messages = rows.messages(whole(1, list(range(1000)), "y" * 100), COLUMNS, STATUS)
    assert [message.content["part"] for message in messages] == list(range(len(messages)))
    assert {message.content["parts"] for message in messages} == {len(messages)}
    assert 2 < len(messages) < 6
    assert all(message.nbytes < 25_000 for message in messages)
    shown = ids_in(messages)
    assert shown == list(range(len(shown)))
    assert 300 < len(shown) < 700
    assert not rows.has_room


def test_columns_are_those_of_the_frame():
    rows = PageRows()
    rows.messages(whole(1, [1]), COLUMNS, STATUS)
    altered = (COLUMNS[0], Column("qty", "BigInt"))
    table = pa.table({"id": [1], "qty": [2**53 + 1]}).cast(arrow_schema(altered))
    (message,) = rows.messages(Delta(2, table, (1,), 1, reset=True), altered, STATUS)
    told = [(column["name"], column["sql_type"], column["key"]) for column in message.content["columns"]]
    assert told == [("id", "BIGINT", True), ("qty", "BIGINT", False)]
    longer = (*altered, Column("note", "Text"))
    table = pa.table({"id": [1], "qty": [1], "note": ["x"]}).cast(arrow_schema(longer))
    (message,) = rows.messages(Delta(3, table, (1,), 1, reset=True), longer, STATUS)
    assert [column["key"] for column in message.content["columns"]] == [True, False, False]


def test_an_empty_table_is_one_message():
    rows = PageRows()
    (message,) = rows.messages(whole(0, []), COLUMNS, STATUS)
    assert read([message]).num_rows == 0
    assert [column["name"] for column in message.content["columns"]] == ["id", "name"]


def one_value(column: Column, value: object) -> dict:
    """The page's columns for one row."""
    table = pa.Table.from_pylist([{column.name: value}], schema=arrow_schema((column,)))
    delta = Delta(1, table, (9,), 1, reset=True)
    return read(PageRows().messages(delta, (column,), STATUS)).to_pydict()


@pytest.mark.parametrize(
    ("column", "value", "sent"),
    [
        (Column("c", "BigInt"), 2**63 - 1, {"0": [2**63 - 1]}),
        (Column("c", "Decimal", 38, 2), Decimal("-0.50"), {"0": [Decimal("-0.50")]}),
        (Column("c", "Timestamp"), dt.datetime(1970, 1, 1, 0, 0, 1, 5), {"0": [1_000_005]}),
        (Column("c", "Date"), dt.date(1970, 1, 2), {"0": [1]}),
        (Column("c", "Time"), dt.time(0, 0, 1), {"0": [1_000_000]}),
        (Column("c", "Uuid"), uuid.UUID(int=1).bytes, {"0": [uuid.UUID(int=1).bytes]}),
        (Column("c", "Text"), "é" * 1001, {"0": ["é" * 1000], "0.length": [1001]}),
        (Column("c", "Text"), "é" * 1000, {"0": ["é" * 1000]}),
        (Column("c", "Bytes"), b"0123456789", {"0": [b"01234567"], "0.length": [10]}),
        (Column("c", "Embedding", size=7), [0.5] * 7, {"0": [[0.5] * 6], "0.length": [7]}),
        (Column("c", "Embedding", size=2), [0.5] * 2, {"0": [[0.5] * 2]}),
        (Column("c", "File"), '{"name": "a.pdf", "size": 3}', {"0": ["a.pdf · 3 bytes"]}),
        (Column("c", "Text"), None, {"0": [None]}),
        (Column("c", "Embedding", size=7), None, {"0": [None]}),
    ],
)
def test_values_go_exactly_and_long_ones_are_cut(column, value, sent):
    assert one_value(column, value) == sent | {"id": [9]}


@pytest.mark.parametrize("kind", [pa.large_string(), pa.large_binary(), pa.large_list(pa.float64()), pa.string_view()])
def test_the_page_reads_offsets_of_one_width(kind):
    value = {"large_binary": b"a"}.get(str(kind), [0.5] if pa.types.is_large_list(kind) else "a")
    frame = pa.table({"v": pa.array([value, None], kind)})
    delta = Delta(1, frame, (1, 2), 2, reset=True)
    (message,) = PageRows().messages(delta, (), STATUS)
    narrow = read([message]).schema.field("0").type
    assert narrow in {pa.string(), pa.binary(), pa.list_(pa.float64())}
    whole_stream = page_rows.whole_rows(frame, describe(frame.schema, ()))
    assert pa.ipc.open_stream(whole_stream).read_all().schema.field("0").type == narrow
