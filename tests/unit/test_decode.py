"""Cells to Arrow: every type, its boundaries and NULL, and what does not fit."""

import datetime as dt
import math
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.errors import DecodeError, ProtocolError
from kalam_notebook.wire.decode import decode_array, decode_columns
from kalam_notebook.wire.types import Column, arrow_schema, parse_schema

UUID = "550e8400-e29b-41d4-a716-446655440000"
UTC = dt.UTC

#: data_type, cell, Python value. From protocol/http.md#types, and recorded answers.
CASES = [
    ("Boolean", True, True),
    ("Boolean", False, False),
    ("SmallInt", -32768, -32768),
    ("SmallInt", 32767, 32767),
    ("Int", -2147483648, -2147483648),
    ("Int", 42, 42),
    ("Int", 42.0, 42),  # ``i * 1.0`` is declared Int.
    ("BigInt", "9007199254740993", 9007199254740993),
    ("BigInt", "-9223372036854775808", -9223372036854775808),
    ("BigInt", "9223372036854775807", 9223372036854775807),
    ("BigInt", 5, 5),
    ("Float", 0.10000000149011612, 0.10000000149011612),
    ("Double", -1e-300, -1e-300),
    ("Double", 1.7976931348623157e308, 1.7976931348623157e308),
    ("Double", 10000000000000000000000, 1e22),
    ("Double", "inf", math.inf),
    ({"Decimal": {"precision": 20, "scale": 4}}, "9999999999999999.9999", Decimal("9999999999999999.9999")),
    ({"Decimal": {"precision": 20, "scale": 4}}, "-0.5000", Decimal("-0.5000")),
    ({"Decimal": {"precision": 38, "scale": 0}}, "-" + "9" * 38, Decimal("-" + "9" * 38)),
    ({"Decimal": {"precision": 20, "scale": 4}}, 12.5, Decimal("12.5000")),
    ("Text", "日本語🎌", "日本語🎌"),
    ("Text", "", ""),
    ("Json", '{"a":[1,2]}', '{"a":[1,2]}'),
    ("Json", {"id": "x"}, '{"id":"x"}'),  # SUBSCRIBE answers hold a real object.
    ("File", '{"id":"1"}', '{"id":"1"}'),
    ("Bytes", [222, 173, 190, 239], b"\xde\xad\xbe\xef"),
    ("Bytes", [], b""),
    ("Bytes", "3q2+7w", b"\xde\xad\xbe\xef"),
    ("Uuid", UUID, uuid.UUID(UUID)),
    ("Timestamp", 1704067200123456, dt.datetime(2024, 1, 1, 0, 0, 0, 123456, UTC)),
    ("Timestamp", -1, dt.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)),
    ("DateTime", 253402300799999999, dt.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
    ("Date", -25567, dt.date(1900, 1, 1)),
    ("Time", 45296123456, dt.time(12, 34, 56, 123456)),
    ({"Embedding": 3}, [0.5, -1, 2.25], [0.5, -1.0, 2.25]),
    ("Geography", "POINT(1 2)", "POINT(1 2)"),  # An unknown type is passed on as text.
]


def column(data_type: object, name: str = "c") -> Column:
    return parse_schema([{"name": name, "data_type": data_type, "index": 0}])[0]


@pytest.mark.parametrize(("data_type", "cell", "value"), CASES, ids=lambda value: str(value)[:30])
def test_each_type_is_exact_and_keeps_null(data_type, cell, value):
    batch = decode_columns([column(data_type)], [[cell, None, cell]])
    assert batch.column(0).to_pylist() == [value, None, value]
    assert batch.schema == arrow_schema((column(data_type),))


@pytest.mark.parametrize("data_type", [case[0] for case in CASES], ids=str)
def test_columns_of_nulls_and_empty_columns_have_the_right_type(data_type):
    schema = arrow_schema((column(data_type),))
    assert decode_columns([column(data_type)], [[None, None]]).schema == schema
    assert decode_columns([column(data_type)], [[]]).schema == schema


@pytest.mark.parametrize(
    ("data_type", "cell"),
    [
        ("Int", 1.5),
        ("Int", "x"),
        ("SmallInt", 40000),
        ("BigInt", "1.5"),
        ("BigInt", "9223372036854775808"),
        ("Boolean", "yes"),
        ("Double", "abc"),
        ({"Decimal": {"precision": 4, "scale": 2}}, "1.234"),
        ({"Decimal": {"precision": 4, "scale": 2}}, "12345.00"),
        ("Bytes", [300]),
        ("Bytes", "not base64!"),
        ("Uuid", "nope"),
        ("Timestamp", "2024-01-01"),
        ({"Embedding": 3}, [1.0, 2.0]),
    ],
    ids=str,
)
def test_a_cell_that_does_not_fit_is_named_and_never_changed(data_type, cell):
    with pytest.raises(DecodeError) as caught:
        decode_columns([column(data_type, "price")], [[None, cell]])
    error = caught.value
    assert (error.column, error.row) == ("price", 1)
    assert "price" in str(error)
    assert len(str(error).splitlines()) <= 3
    assert isinstance(error, ValueError)


def test_duplicate_names_stay_apart():
    columns = [column("Int", "id"), column("Text", "id")]
    batch = decode_columns(columns, [[1], ["a"]])
    assert batch.schema.names == ["id", "id"]
    assert [array.to_pylist() for array in batch.columns] == [[1], ["a"]]


def test_lists_of_any_depth_hold_cells():
    cells = [[["1", "9007199254740993"], None], None, []]
    array = decode_array(cells, pa.list_(pa.list_(pa.int64())))
    assert array.to_pylist() == [[[1, 9007199254740993], None], None, []]


@pytest.mark.parametrize(
    "raw",
    [{}, {"name": "a"}, {"name": "a", "data_type": None}, {"name": "a", "data_type": {"Decimal": {"scale": 1}}}, []],
    ids=str,
)
def test_a_schema_that_cannot_be_understood_breaks_the_protocol(raw):
    with pytest.raises(ProtocolError, match="cannot be understood"):
        parse_schema([raw])


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_bigint_round_trip(values):
    cells = [None if value is None else str(value) for value in values]
    assert decode_array(cells, pa.int64()).to_pylist() == values


@given(
    st.lists(
        st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20)
    )
)
def test_decimal_round_trip(values):
    cells = [None if value is None else format(value, "f") for value in values]
    assert decode_array(cells, pa.decimal128(38, 6)).to_pylist() == values


@given(st.lists(st.none() | st.floats(allow_nan=False)))
def test_double_as_text_round_trip(values):
    cells = [None if value is None else repr(value) for value in values]
    assert decode_array(cells, pa.float64()).to_pylist() == values
