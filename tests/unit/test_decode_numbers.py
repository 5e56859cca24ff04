"""Columns of numbers are packed at once where they have no NULL: the same values, and the same refusals."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.errors import DecodeError
from kalam_notebook.wire.decode import decode_array, decode_columns
from kalam_notebook.wire.types import Column

BITS = {"int8": 7, "int16": 15, "int32": 31, "int64": 63, "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}


@pytest.mark.parametrize("name", BITS)
def test_the_ends_of_every_integer_type(name):
    kind = getattr(pa, name)()
    low = 0 if name.startswith("u") else -(2 ** BITS[name])
    high = 2 ** BITS[name] - 1
    cells = [high, low, 1]
    for found in (decode_array(cells, kind), decode_array(tuple(cells), kind)):
        assert found.type == kind
        assert found.to_pylist() == cells
    texts = [str(cell) for cell in cells]  # As the wire has 64-bit integers.
    assert decode_array([*texts, None], kind).to_pylist() == [*cells, None]
    for beyond in (high + 1, low - 1):
        with pytest.raises((ValueError, OverflowError)):
            decode_array([1, beyond], kind)


@pytest.mark.parametrize("cell", [1.5, "x", [1], {"a": 1}], ids=str)
@pytest.mark.parametrize("kind", ["BigInt", "Int", "Date", "Timestamp"])
def test_a_cell_that_is_no_integer_is_named(kind, cell):
    with pytest.raises(DecodeError) as caught:
        decode_columns([Column("c", kind)], [[1, 2, cell, 3]])
    assert (caught.value.column, caught.value.row) == ("c", 2)


@pytest.mark.parametrize("cell", ["1_000", " 1", "1 ", "+1", "", "-", "--1", "1-2", "٣", "1.0", "1e3"])
@pytest.mark.parametrize("count", [1, 1_000])
def test_text_that_is_no_integer_is_named(cell, count):
    with pytest.raises(DecodeError) as caught:
        decode_columns([Column("c", "BigInt")], [["5"] * count + [cell]])
    assert (caught.value.column, caught.value.row) == ("c", count)


@given(st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.none()), max_size=300))
def test_integers_in_text(cells):
    texts = [None if cell is None else str(cell) for cell in cells]
    assert decode_array(texts, pa.int64()).to_pylist() == cells


def test_times_are_their_numbers():
    day = decode_array([0, 19_000], pa.date32())
    assert day.to_pylist() == [dt.date(1970, 1, 1), dt.date(2022, 1, 8)]
    moment = decode_array([-1, 10**15], pa.timestamp("us", "UTC"))
    assert moment.cast(pa.int64()).to_pylist() == [-1, 10**15]
    assert decode_array([1, 2], pa.time64("us")).to_pylist() == [dt.time(0, 0, 0, 1), dt.time(0, 0, 0, 2)]


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.booleans())
def test_integers(cells, has_null):
    cells = [*cells, None] if has_null else cells
    assert decode_array(cells, pa.int64()).to_pylist() == cells


@given(st.lists(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53), st.none())))
def test_doubles(cells):
    found = decode_array(cells, pa.float64()).to_pylist()
    assert list(map(repr, found)) == [repr(None if cell is None else float(cell)) for cell in cells]


@pytest.mark.parametrize("cell", ["x", [1.0], {}], ids=str)
def test_a_cell_that_is_no_double_is_named(cell):
    with pytest.raises(DecodeError) as caught:
        decode_columns([Column("c", "Double")], [[1.0, cell]])
    assert caught.value.row == 1
