"""What a frame's values become for a column of the table, and which are refused with row and column."""

import datetime as dt
import math
import uuid
from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from kalam_notebook.errors import FrameError
from kalam_notebook.wire.types import Column
from kalam_notebook.writing.frame import to_arrow
from kalam_notebook.writing.literals import literals, without_placeholder
from kalam_notebook.writing.values import checked_column

DAY_US = 86_400_000_000


class Nothing:
    """An object that no column takes, with the same name in every process."""

    def __repr__(self):
        return "Nothing()"


def column(kind, **more):
    return Column("c", kind, **more)


def checked(array, kind, *, nan="refuse", required=False, **more):
    return checked_column(array, column(kind, **more), nan_is_null=nan == "null", is_required=required)


@pytest.mark.parametrize(
    ("array", "kind", "shown"),
    [
        (pa.array([0, 253_402_300_800], pa.timestamp("s")), "Timestamp", "253402300800 (timestamp[s"),
        (pa.array([0, 10**15], pa.timestamp("s")), "Timestamp", "1000000000000000 (timestamp[s"),
        (pa.array([0, -(10**15)], pa.timestamp("ms", "UTC")), "DateTime", "-1000000000000000 (timestamp[ms"),
        (pa.array([0, 10**7], pa.date32()), "Timestamp", "outside the years 1 to 9999"),
        (pa.array([0, 10**7], pa.date32()), "Date", "10000000 (date32[day])"),
        (pa.array([0, 2**62], pa.date64()), "Date", f"{2**62} (date64[ms])"),
        (pa.array([0, DAY_US], pa.time64("us")), "Time", "86400000000 (time64[us]) is no time of a day"),
        (pa.array([0, -1], pa.time32("s")), "Time", "-1 (time32[s]) is no time of a day"),
        (pa.array([0, 86_400 * 10**9], pa.time64("ns")), "Time", "is no time of a day"),
    ],
    ids=str,
)
def test_times_out_of_range_are_refused_with_row_and_value(array, kind, shown):
    with pytest.raises(FrameError) as caught:
        checked(array, kind)
    assert (caught.value.column, caught.value.row) == ("c", 1)
    assert shown in str(caught.value)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (pa.array([-62_135_596_800, 253_402_300_799], pa.timestamp("s")), "Timestamp"),
        (pa.array([-719_162, 2_932_896], pa.date32()), "Date"),
        (pa.array([0, DAY_US - 1], pa.time64("us")), "Time"),
    ],
    ids=str,
)
def test_the_first_and_last_time_are_taken(array, kind):
    assert checked(array, kind).cast(array.type) == array if kind != "Timestamp" else checked(array, kind)


@pytest.mark.parametrize(
    ("array", "kind", "more", "row", "reason"),
    [
        (pa.array([1.0, math.nan]), "Double", {}, 1, "nan='null'"),
        (pa.array([1.0, 2.0, -math.inf]), "Double", {}, 2, "break every later SELECT"),
        (pa.array([1e39]), "Float", {}, 0, "too large for FLOAT"),
        (pa.array([2**53 + 1]), "Double", {}, 0, "more digits"),
        (pa.array([2.0**60]), "BigInt", {}, 0, "beyond 2^53"),
        (pa.array([1.0, 1.5]), "SmallInt", {}, 1, "does not fit into SMALLINT"),
        (pa.array([1, 40_000]), "SmallInt", {}, 1, "does not fit into SMALLINT"),
        (pa.array([Decimal("1.25"), Decimal("12345.00")]), "Decimal", {"precision": 6, "scale": 2}, 1, "12345.00"),
        (pa.array([Decimal("12.5")]), "Decimal", {"precision": 3, "scale": 2}, 0, "more digits before the point"),
        (pa.array([-99.5]), "Decimal", {"precision": 3, "scale": 2}, 0, "is too large for DECIMAL(3, 2)"),
        (pa.array([Decimal("1.257")]), "Decimal", {"precision": 6, "scale": 2}, 0, "Round it"),
        (pa.array([0.1, 0.125]), "Decimal", {"precision": 6, "scale": 2}, 1, "Round it"),
        (pa.array(["a", "b\0c"]), "Text", {}, 1, "NUL"),
        (pa.array([b"ok", b"\xff\xfe"]), "Bytes", {}, 1, "UTF-8"),
        (pa.array(["no uuid"]), "Uuid", {}, 0, "no UUID"),
        (pa.array([b"short"]), "Uuid", {}, 0, "16 bytes"),
        (pa.array([[1.0], [1.0, 2.0]]), "Embedding", {"size": 2}, 0, "2 elements"),
        (pa.array([[1.0, math.nan]]), "Embedding", {"size": 2}, 0, "break every later SELECT"),
        (pa.array([[1.0, None]]), "Embedding", {"size": 2}, 0, "NULL"),
        (pa.array([dt.datetime(2024, 1, 1, 12)]), "Date", {}, 0, "no whole day"),
        (pa.array([1], pa.timestamp("ns")), "Timestamp", {}, 0, "more than microseconds"),
    ],
    ids=str,
)
def test_values_that_would_be_damaged_are_refused(array, kind, more, row, reason):
    with pytest.raises(FrameError) as caught:
        checked(array, kind, **more)
    assert (caught.value.column, caught.value.row) == ("c", row)
    assert reason in str(caught.value)
    assert str(caught.value).endswith("Nothing was sent.")


@pytest.mark.parametrize(
    ("array", "kind"),
    [(pa.array([1]), "Text"), (pa.array(["1"]), "BigInt"), (pa.array([1]), "Boolean"), (pa.array(["x"]), "Timestamp")],
    ids=str,
)
def test_another_kind_of_value_is_refused_as_a_column(array, kind):
    with pytest.raises(FrameError, match=r"is .* in the table and .* in the frame") as caught:
        checked(array, kind)
    assert caught.value.row is None


def test_null_is_refused_where_the_column_takes_none():
    with pytest.raises(FrameError, match="is NULL") as caught:
        checked(pa.array(["a", None]), "Text", required=True)
    assert caught.value.row == 1


def test_nan_becomes_null_on_request_only():
    assert checked(pa.array([1.0, math.nan]), "Double", nan="null").to_pylist() == [1.0, None]
    with pytest.raises(FrameError):
        checked(pa.array([math.inf]), "Double", nan="null")


@pytest.mark.parametrize("make", [lambda: pl.Categorical, lambda: pl.Enum(["a", "b"])], ids=["categorical", "enum"])
def test_polars_categories_are_text(make):
    table = to_arrow(pl.DataFrame({"c": pl.Series(["b", None, "a", "b"], dtype=make())}))
    assert checked(table.column("c"), "Text").to_pylist() == ["b", None, "a", "b"]


def test_categories_of_pandas_and_arrow_are_their_values():
    table = to_arrow(pd.DataFrame({"c": pd.Categorical(["b", None, "a"])}))
    assert checked(table.column("c"), "Text").to_pylist() == ["b", None, "a"]
    chunks = pa.chunked_array([pa.array([5, 6]).dictionary_encode(), pa.array([7, None]).dictionary_encode()])
    assert checked(to_arrow(pa.table({"c": chunks})).column("c"), "BigInt").to_pylist() == [5, 6, 7, None]


class Stream:
    """A frame that is known by its Arrow stream only."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


def test_anything_with_an_arrow_stream_is_a_frame():
    table = pa.table({"id": [1, 2], "t": ["a", None]})
    assert to_arrow(Stream(table)) == table
    assert to_arrow(table.to_batches()[0]) == table
    assert to_arrow(table.to_reader()) == table


@pytest.mark.parametrize("frame", [[{"id": 1}], {"id": [1]}, "id", None], ids=str)
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(FrameError, match="is no frame"):
        to_arrow(frame)


def test_labels_of_pandas_must_be_distinct_texts():
    with pytest.raises(FrameError, match="two columns named 'a'"):
        to_arrow(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(FrameError, match="label 0 is not text"):
        to_arrow(pd.DataFrame([[1, 2]]))


def test_objects_of_pandas_become_arrow():
    frame = pd.DataFrame(
        {
            "u": [uuid.UUID(int=1), None],
            "j": [{"a": [1, None]}, None],
            "d": [Decimal("1.50"), None],
            "n": pd.array([1, None], dtype="Int64"),
        }
    )
    table = to_arrow(frame)
    assert checked(table.column("u"), "Uuid").to_pylist() == [uuid.UUID(int=1).bytes, None]
    assert checked(table.column("j"), "Json").to_pylist() == ['{"a":[1,null]}', None]
    assert checked(table.column("d"), "Decimal", precision=5, scale=2).to_pylist() == [Decimal("1.50"), None]
    assert checked(table.column("n"), "BigInt").to_pylist() == [1, None]


@pytest.mark.parametrize(
    ("frame", "row", "reason"),
    [
        ({"c": [uuid.UUID(int=1), "x"]}, 1, "stands among UUIDs"),
        ({"c": [{"a": 1}, {"a": math.nan}]}, 1, "is not JSON"),
        ({"c": [{"a": Nothing()}]}, 0, "is not JSON"),
        ({"c": ["ok", "\ud800"]}, 1, "lone surrogate"),
        ({"c": [1, "x"]}, None, "no common type"),
    ],
    ids=str,
)
def test_objects_without_a_form_are_refused(frame, row, reason):
    with pytest.raises(FrameError, match=reason) as caught:
        to_arrow(pd.DataFrame(frame, dtype=object))
    assert (caught.value.column, caught.value.row) == ("c", row)


@pytest.mark.parametrize(
    ("array", "kind", "spelled"),
    [
        (pa.array(["O'Neil \\ \n", None]), "Text", ["'O''Neil \\ \n'", "NULL"]),
        (pa.array([1.5, -0.0, 5e-324]), "Double", ["1.5", "-0.0", "5e-324"]),
        (pa.array([Decimal("-0.50")]), "Decimal", ["'-0.50'"]),
        (pa.array([1], pa.timestamp("us", "UTC")), "Timestamp", ["'1970-01-01T00:00:00.000001Z'"]),
        (pa.array([dt.date(1, 1, 1)]), "Date", ["'0001-01-01'"]),
        (pa.array([uuid.UUID(int=1).bytes], pa.binary(16)), "Uuid", ["'00000000-0000-0000-0000-000000000001'"]),
        (
            pa.array([[0.1, 16777216.0], None], pa.list_(pa.float32(), 2)),
            "Embedding",
            ["'[0.1,1.6777216e+07]'", "NULL"],
        ),
    ],
    ids=str,
)
def test_literals(array, kind, spelled):
    assert literals(array, column(kind)) == spelled


@pytest.mark.parametrize(
    ("literal", "safe"),
    [
        ("'FILE(\"x\")'", "concat('FILE', '(\"x\")')"),
        ("'see file( \"x\")'", "concat('see file', '( \"x\")')"),
        ("'file('", "concat('file', '(')"),
        ("'profile(x)'", "'profile(x)'"),
    ],
)
def test_the_place_of_an_upload_is_taken_apart(literal, safe):
    assert without_placeholder(literal) == safe
