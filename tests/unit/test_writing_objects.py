"""Columns of Python objects: what they become, and which are refused because Arrow would change their values."""

import datetime as dt
import math
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from kalam_notebook.errors import FrameError
from kalam_notebook.wire.types import Column
from kalam_notebook.writing.frame import to_arrow
from kalam_notebook.writing.values import checked_column

NOON = dt.datetime(2024, 1, 1, 12)
DAY = dt.date(2024, 1, 1)


def column_of(values, **options):
    return to_arrow(pd.DataFrame({"c": pd.Series(values, dtype=object)}), **options).column("c")


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([[{"a": 1}, {"b": 2}], None], ['[{"a":1},{"b":2}]', None]),
        ([[{"a": 1}], [{"b": 2}]], ['[{"a":1}]', '[{"b":2}]']),
        ([[1, 2.5]], ["[1,2.5]"]),
        ([[1, 2.5], [1]], ["[1,2.5]", "[1]"]),
        ([[1, "x", None, True, [2]]], ['[1,"x",null,true,[2]]']),
        ([{"a": [1, 2.5]}, 5, math.nan, pd.NA, pd.NaT], ['{"a":[1,2.5]}', "5", None, None, None]),
        ([(1, 2)], ["[1,2]"]),
        ([np.array([1, 2]), np.array([0.5, 1.0])], ["[1,2]", "[0.5,1.0]"]),
        ([{"a": np.array([1, 2]), "b": np.int64(3), "c": np.float32(0.5)}], ['{"a":[1,2],"b":3,"c":0.5}']),
    ],
    ids=str,
)
def test_lists_and_mappings_are_the_same_json(values, texts):
    assert column_of(values, json_columns={"c"}).to_pylist() == texts


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([[1.0, 2.5], None, [3.0, 4.0]], pa.list_(pa.float64())),
        ([[1, 2.5], (3, 4.0)], pa.list_(pa.float64())),
        ([np.array([1, 2], "f4"), np.array([3, 4], "f4")], pa.list_(pa.float32())),
        ([[1.0, None]], pa.list_(pa.float64())),
        ([[1, 2.5], [3]], pa.string()),
        ([[{"a": 1}], [{"b": 2}]], pa.string()),
        ([[True], [False]], pa.string()),
        ([np.array([[1, 2]])], pa.string()),
    ],
    ids=str,
)
def test_lists_that_may_be_embeddings_stay_lists_where_a_table_is_made(values, kind):
    assert column_of(values).type == kind


def test_lists_for_other_columns_stay_lists():
    vectors = column_of([[1, 2.5], [3, 4]], json_columns=())
    assert checked_column(
        vectors, Column("c", "Embedding", size=2), nan_is_null=False, is_required=False
    ).to_pylist() == [[1.0, 2.5], [3.0, 4.0]]


@pytest.mark.parametrize("text", ['{"a":1}', "a", ""])
@pytest.mark.parametrize("other", [{"b": 2}, [2]], ids=str)
def test_text_beside_what_becomes_json_is_refused(text, other):
    with pytest.raises(FrameError, match=r"is text beside lists or mappings.*json\.dumps") as caught:
        column_of([None, other, text], json_columns={"c"})
    assert (caught.value.column, caught.value.row, caught.value.value) == ("c", 2, repr(text))


@pytest.mark.parametrize(
    ("values", "row", "reason"),
    [
        ([DAY, NOON], 1, "is a datetime among dates.*to_datetime"),
        ([None, NOON, pd.NaT, DAY], 3, "is a date among datetimes.*to_datetime"),
        ([DAY, pd.Timestamp(NOON)], 1, "is a datetime among dates"),
        ([pd.NaT, pd.Timestamp("2024-01-01 00:00:00.000000001")], 1, "has nanoseconds.*round"),
        ([dt.time(1), dt.time(12, tzinfo=dt.timezone(dt.timedelta(hours=2)))], 1, "has a zone.*tzinfo=None"),
        ([Decimal("1.5"), Decimal("NaN")], 1, "is no number.*nan='null'"),
        ([Decimal("1.5"), Decimal("-Infinity")], 1, "is no number"),
        ([[1.0, math.nan]], 0, "is not JSON"),
        ([[DAY]], 0, "is not JSON"),
        ([{"a"}, {"b": 1}], 0, "is not JSON"),
    ],
    ids=str,
)
def test_values_that_arrow_would_change_are_refused(values, row, reason):
    with pytest.raises(FrameError, match=reason) as caught:
        column_of(values, json_columns={"c"})
    assert (caught.value.column, caught.value.row) == ("c", row)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([DAY, None, math.nan, pd.NaT], [DAY, None, None, None]),
        ([NOON, pd.Timestamp(NOON), pd.NaT], [NOON, NOON, None]),
        ([dt.time(1, 2, 3, 4), pd.NA], [dt.time(1, 2, 3, 4), None]),
        ([uuid.UUID(int=5), math.nan, pd.NA], [uuid.UUID(int=5), None, None]),
        ([pd.NA, "a", None], [None, "a", None]),
        ([Decimal("1.50"), None, math.nan], [Decimal("1.50"), None, None]),
    ],
    ids=str,
)
def test_missing_values_of_every_sort_are_null(values, found):
    assert column_of(values).to_pylist() == found


def test_a_decimal_nan_is_null_on_request():
    values = [Decimal("1.5"), Decimal("NaN"), Decimal("sNaN")]
    assert column_of(values, nan_is_null=True).to_pylist() == [Decimal("1.5"), None, None]
    with pytest.raises(FrameError, match="is no number"):
        column_of([Decimal("Infinity")], nan_is_null=True)


@pytest.mark.parametrize("value", [2**70, 1 + 2j, object()], ids=["2**70", "complex", "object"])
def test_objects_that_arrow_does_not_know_are_refused(value):
    with pytest.raises(FrameError, match="no common type") as caught:
        column_of([value])
    assert caught.value.column == "c"


@pytest.mark.parametrize("kind", ["BigInt", "Int", "Text", "Date", "Json", "Bytes", "Timestamp", "Double"])
@pytest.mark.parametrize(
    "values",
    [pd.period_range("2024-01", periods=2, freq="M"), pd.interval_range(0, 2)],
    ids=["period", "interval"],
)
def test_what_pandas_stores_of_its_own_types_is_not_written(values, kind):
    table = to_arrow(pd.DataFrame({"c": values}))
    with pytest.raises(FrameError, match=r"in the table and extension<pandas.* in the frame\. Convert it") as caught:
        checked_column(table.column("c"), Column("c", kind), nan_is_null=False, is_required=False)
    assert caught.value.column == "c"


def test_extensions_that_change_no_meaning_are_taken():
    ids = pa.array([uuid.UUID(int=5).bytes], pa.uuid())
    json = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}']))
    tensors = pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.float32(), [2]), pa.array([[0.5, 1.0]], pa.list_(pa.float32(), 2))
    )
    for array, column, found in (
        (ids, Column("c", "Uuid"), [uuid.UUID(int=5).bytes]),
        (json, Column("c", "Json"), ['{"a":1}']),
        (tensors, Column("c", "Embedding", size=2), [[0.5, 1.0]]),
    ):
        stored = checked_column(array, column, nan_is_null=False, is_required=False)
        assert stored.to_pylist() == found


@pytest.mark.parametrize(
    ("column", "advice"),
    [
        (pd.Series([1], name="id"), r"The Series cannot be read .*to_frame\(\)"),
        (pl.Series("id", [1]), r"The Series cannot be read .*to_frame\(\)"),
        (pa.chunked_array([[1]]), "The ChunkedArray cannot be read"),
        (pl.DataFrame({"c": pl.Series([2**100], dtype=pl.Int128)}), "The DataFrame cannot be read .*128-bit integers"),
    ],
    ids=["pandas", "polars", "arrow", "int128"],
)
def test_streams_that_are_no_tables_are_refused(column, advice):
    with pytest.raises(FrameError, match=advice):
        to_arrow(column)
