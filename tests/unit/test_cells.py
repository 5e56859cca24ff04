"""The texts of cells; ``tests/data/cell_text.json`` is shared with the page module's tests."""

from __future__ import annotations

import datetime as dt
import json
import struct
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.results.cells import CellColumn, cell_text, describe, plain
from kalam_notebook.wire.types import Column, arrow_schema

EXAMPLES = json.loads((Path(__file__).parents[1] / "data" / "cell_text.json").read_text())


def read_value(kind: str, value, scale: int):
    if kind in ("integer", "timestamp", "date", "time"):
        return int(value)
    if kind in ("float", "float32"):
        return float(value)
    if kind in ("list", "list32"):
        return [None if element is None else float(element) for element in value]
    if kind == "decimal":
        return Decimal(value).scaleb(-scale) if value != "9" * 38 else Decimal(f"{value[:-scale]}.{value[-scale:]}")
    return bytes.fromhex(value) if kind in ("bytes", "uuid") else value


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e['kind']}-{e['text']!r}")
def test_text_of_each_kind(example):
    scale = example.get("scale", 0)
    column = CellColumn("c", "T", example["kind"], scale=scale, zoned=example.get("zoned", False))
    assert cell_text(read_value(example["kind"], example["value"], scale), column) == example["text"]


def one(array: pa.Array, sql_type: str = "") -> str:
    """The text of the only value of an array, through ``describe`` and ``plain``."""
    metadata = {b"kalam:data_type": sql_type.encode()} if sql_type else None
    (column,) = describe(pa.schema([pa.field("c", array.type, metadata=metadata)]))
    (value,) = plain(pa.chunked_array([array]), column).to_pylist()
    return cell_text(value, column)


@pytest.mark.parametrize(
    ("array", "sql_type", "text"),
    [
        (
            pa.array([dt.datetime(2026, 5, 20, 10, tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
            "",
            "2026-05-20T10:00:00Z",
        ),
        (pa.array([2**62], pa.int64()).cast(pa.timestamp("ns")), "", "2116-02-20T23:53:38.427387904"),
        (pa.array([dt.date(1, 1, 1)], pa.date32()), "", "0001-01-01"),
        (pa.array([86_400_000], pa.int64()).cast(pa.date64()), "", "1970-01-02"),
        (pa.array([dt.time(1, 2, 3)], pa.time32("ms")), "", "01:02:03"),
        (pa.array([bytes(16)], pa.uuid()), "", "00000000-0000-0000-0000-000000000000"),
        (pa.array([Decimal("-0.50")], pa.decimal128(5, 2)), "", "-0.50"),
        (pa.array(['{"name": "a\u202eb.pdf", "size": 1048576}']), "FILE", "a⟨U+202E⟩b.pdf · 1.0 MB"),
        (pa.array(['{"name": "empty", "size": 1}']), "FILE", "empty · 1 byte"),
        (pa.array(["not a reference"]), "FILE", "not a reference"),
        (pa.array(["[1]"]), "FILE", "[1]"),
        (pa.array(['{"name": "x", "size": 999999999999999}']), "FILE", "x · 1000.0 TB"),
        (pa.array(['{"name": "x", "size": 5}']), "TEXT", '{"name": "x", "size": 5}'),
        (pa.array([[1, None, 3]], pa.list_(pa.int64())), "", "[1, NULL, 3]"),
        (pa.array([["a", 'q"', None]], pa.list_(pa.string())), "", '["a", "q\\"", NULL]'),
        (pa.array([list(range(10))], pa.list_(pa.int64())), "", "[0, 1, … 10]"),
        (pa.array([[dt.datetime(2026, 1, 1)]], pa.list_(pa.timestamp("us"))), "", "[2026-01-01T00:00:00]"),
        (pa.array([{"x": 1}]), "", "{'x': 1}"),
        (pa.array([None], pa.int64()), "", "NULL"),
        (pa.array([None], pa.list_(pa.int64())), "", "NULL"),
        (pa.array([None]), "", "NULL"),
    ],
)
def test_arrow_value(array, sql_type, text):
    assert one(array, sql_type) == text


@given(st.integers(0, 2**32 - 1))
def test_single_precision_text_gives_the_number_back(bits):
    (value,) = struct.unpack("f", struct.pack("I", bits))
    text = cell_text(value, CellColumn("c", "FLOAT", "float32"))
    assert struct.pack("f", float(text)) == struct.pack("f", value) or value != value


@given(st.dates())
def test_dates_agree_with_the_standard_library(date):
    days = (date - dt.date(1970, 1, 1)).days
    assert cell_text(days, CellColumn("d", "DATE", "date")) == date.isoformat()


def test_the_servers_columns_win_over_metadata():
    columns = (Column("id", "BigInt", flags=("pk", "nn")), Column("price", "Decimal", 10, 2), Column("doc", "Json"))
    described = describe(arrow_schema(columns), columns)
    assert [(c.name, c.sql_type, c.kind, c.key) for c in described] == [
        ("id", "BIGINT", "integer", True),
        ("price", "DECIMAL(10, 2)", "decimal", False),
        ("doc", "JSON", "json", False),
    ]
    assert [c.sql_type for c in describe(arrow_schema(columns))] == ["BIGINT", "DECIMAL(10, 2)", "JSON"]


def test_without_metadata_the_arrow_type_is_named():
    (column,) = describe(pa.schema([pa.field("n", pa.int16())]))
    assert column.sql_type == "int16"
    assert column.is_number
