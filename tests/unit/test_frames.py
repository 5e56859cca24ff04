"""Arrow tables as frames: nothing is lost, names may repeat."""

import datetime as dt
import math
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kalam_notebook.errors import ResultError
from kalam_notebook.results.frames import to_pandas, to_polars
from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.fileref import FileRef
from kalam_notebook.wire.types import parse_schema

UUID = "550e8400-e29b-41d4-a716-446655440000"
REF = FileRef("1", "f0001", "a.txt", 3, "text/plain", "aa")
COLUMNS = {
    "BigInt": ("9007199254740993", pd.Int64Dtype(), 9007199254740993),
    "Int": (42, pd.Int32Dtype(), 42),
    "SmallInt": (-5, pd.Int16Dtype(), -5),
    "Boolean": (True, pd.BooleanDtype(), True),
    "Double": (1.5, np.dtype("float64"), 1.5),
    "Float": (1.5, np.dtype("float32"), 1.5),
    "Date": (19723, pd.ArrowDtype(pa.date32()), dt.date(2024, 1, 1)),
    "Time": (1, pd.ArrowDtype(pa.time64("us")), dt.time(0, 0, 0, 1)),
    "Timestamp": (253402300799999999, "datetime64[us, UTC]", pd.Timestamp("9999-12-31 23:59:59.999999Z")),
    "Uuid": (UUID, np.dtype(object), uuid.UUID(UUID)),
    "Bytes": ([0, 255], np.dtype(object), b"\x00\xff"),
    "File": (REF.to_json(), np.dtype(object), REF.bind("app", "docs")),
}


def table(*data_types, cells=None):
    columns = parse_schema([{"name": f"c{i}", "data_type": kind} for i, kind in enumerate(data_types)])
    return pa.Table.from_batches([decode_columns(columns, cells)])


@pytest.mark.parametrize("data_type", COLUMNS)
def test_each_type_is_lossless_with_null(data_type):
    cell, dtype, value = COLUMNS[data_type]
    series = to_pandas(table(data_type, cells=[[cell, None]]), bind=("app", "docs"))["c0"]
    assert series.dtype == dtype
    assert series[0] == value
    assert pd.isna(series[1])
    empty = to_pandas(table(data_type, cells=[[]]))
    assert empty.shape == (0, 1)


def test_decimals_and_embeddings():
    kinds = ({"Decimal": {"precision": 20, "scale": 4}}, {"Embedding": 2})
    frame = to_pandas(table(*kinds, cells=[["-0.5000", None], [[0.5, -1], None]]))
    assert frame["c0"][0] == Decimal("-0.5000")
    assert frame["c0"].sum() == Decimal("-0.5000")
    assert list(frame["c1"][0]) == [0.5, -1.0]
    assert frame["c1"][0].dtype == np.float32


def test_null_and_nan_stay_apart():
    series = to_pandas(pa.table({"d": pa.array([math.nan, None, 1.0])}))["d"]
    assert series.dtype == pd.ArrowDtype(pa.float64())
    assert pa.array(series).null_count == 1
    assert to_pandas(pa.table({"d": pa.array([math.nan, 1.0])}))["d"].dtype == np.dtype("float64")


def test_names_may_repeat_and_columns_may_be_none():
    twice = pa.Table.from_arrays([pa.array([1]), pa.array(["a"])], names=["id", "id"])
    frame = to_pandas(twice)
    assert list(frame.columns) == ["id", "id"]
    assert frame.iloc[0].tolist() == [1, "a"]
    assert to_pandas(pa.table({})).shape == (0, 0)
    with pytest.raises(ResultError, match="two columns named 'id'"):
        to_polars(twice)


def test_text_in_a_file_column_stays_text():
    assert to_pandas(table("File", cells=[["not a reference"]]))["c0"][0] == "not a reference"


def test_polars_holds_uuids_as_bytes():
    assert to_polars(table("Uuid", cells=[[UUID]]))["c0"][0] == uuid.UUID(UUID).bytes


def test_polars_reads_a_part_of_lists_of_one_size_that_may_be_null():
    cells = pa.array([[0.5, 1.5], None] * 25, pa.list_(pa.float32(), 2))
    part = pa.table({"e": cells}).slice(3, 20)
    assert to_polars(part)["e"].to_list() == part.column("e").to_pylist()
