"""Python values as parameters: exactly, or an error that names the placeholder."""

import datetime as dt
import math
import sys
import types
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kalam_notebook.errors import ParameterError
from kalam_notebook.sql.decimals import DecimalText
from kalam_notebook.sql.params import encode, write_parameters_in
from kalam_notebook.wire.fileref import FileRef

BERLIN = dt.timezone(dt.timedelta(hours=2))
REF = FileRef("1", "f0001", "a.txt", 3, "text/plain", "aa")


class Nothing:
    """An object that cannot be sent, with the same name in every process."""

    def __repr__(self):
        return "Nothing()"


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),  # A JSON number would become a double.
        (-(2**63) - 1, "-9223372036854775809"),
        (1.5, 1.5),
        ("naïve 🎌", "naïve 🎌"),
        (Decimal("-0.50"), DecimalText("-0.50")),
        (Decimal("1E+3"), DecimalText("1000")),
        (dt.datetime(2026, 1, 2, 3, 4, 5, 6, BERLIN), "2026-01-02T01:04:05.000006Z"),
        (dt.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05.000000"),
        (dt.datetime(1, 1, 1, tzinfo=dt.UTC), "0001-01-01T00:00:00.000000Z"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(12, 34, 56, 7), "12:34:56.000007"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        ([0.1, 2], "[0.1,2]"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (REF, REF.to_json()),
        (np.int64(7), 7),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([1.0, 2.5]), "[1.0,2.5]"),
        (np.datetime64("2026-01-02T03:04:05.000006"), "2026-01-02T03:04:05.000006"),
        (np.datetime64("NaT", "us"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (pd.Timestamp("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05.000000Z"),
        (pa.scalar(2**53 + 1), 2**53 + 1),
        (pa.scalar(None, pa.int64()), None),
    ],
    ids=repr,
)
def test_values_arrive_exactly(value, sent):
    encoded = encode("$1", value)
    assert encoded == sent
    assert type(encoded) is type(sent)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (math.nan, "Use None for NULL"),
        (math.inf, "Use None for NULL"),
        (np.float64("nan"), "Use None for NULL"),
        (Decimal("NaN"), "not a number"),
        ([1.0, math.nan], "not JSON"),
        ({"a": {"b": math.inf}}, "not JSON"),
        (b"\x00\xff", "FILE column"),
        (Nothing(), "a Nothing cannot be sent"),
        ({1, 2}, "a set cannot be sent"),
        ([Nothing()], "not JSON"),
        ("\ud800", "surrogate"),
        (dt.time(1, tzinfo=dt.UTC), "no zone"),
        (pd.Timestamp("2026-01-02T03:04:05.123456789"), "nanoseconds"),
        (np.datetime64("2026-01-02T03:04:05.123456789"), "cannot be sent"),
        (np.timedelta64(5, "ns"), "a timedelta64 cannot be sent"),
        (dt.timedelta(1), "a timedelta cannot be sent"),
        ("x" * 600_000, "at most"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_would_be_damaged_is_refused_by_name(value, words):
    with pytest.raises(ParameterError, match=words) as caught:
        encode("$2", value)
    assert caught.value.parameter == "$2"
    assert str(caught.value).startswith("Parameter $2: ")


@pytest.mark.parametrize("name", ["numpy", "pandas", "pyarrow"])
def test_a_library_that_another_thread_is_just_importing(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    values = [encode("$1", value) for value in (1, "a", None, Decimal("1.5"))]
    assert values == [1, "a", None, DecimalText("1.5")]


@pytest.mark.parametrize(
    ("sql", "values", "expected"),
    [
        ("n = $1", [5], "n = 5"),
        ("n = 1 -$1", [-5], "n = 1 -(-5)"),
        ("x > $1", [-1e300], "x > (-1e+300)"),
        ("t = $1", ["it's -- $2"], "t = 'it''s -- $2'"),
        ("t = '$1' /* $1 */ AND t <> $1 -- $1", ["a"], "t = '$1' /* $1 */ AND t <> 'a' -- $1"),
        ("b = $2 AND t IS DISTINCT FROM $1", [None, True], "b = TRUE AND t IS DISTINCT FROM NULL"),
        ("d = $1", [Decimal("-0.50")], "d = CAST('-0.50' AS DECIMAL(2, 2))"),
        ("d = $1", [dt.date(2026, 1, 2)], "d = '2026-01-02'"),
        ("n = $1", [], "n = $1"),
    ],
)
def test_values_are_written_in_as_literals(sql, values, expected):
    assert write_parameters_in(sql, [encode("$1", value) for value in values]) == expected


@pytest.mark.parametrize(
    ("sql", "values", "words"),
    [
        ("n = $2", [1], r"\$2: there is no value"),
        ("n = $0", [1], r"\$0: there is no value"),
        ("t = $1", ["a\0b"], "NUL"),
    ],
)
def test_values_that_have_no_literal(sql, values, words):
    with pytest.raises(ParameterError, match=words):
        write_parameters_in(sql, [encode("$1", value) for value in values])
