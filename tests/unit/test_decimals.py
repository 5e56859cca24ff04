"""Decimal parameters of queries: which are cast, and to what."""

from decimal import Decimal

import pytest

from kalam_notebook.sql.decimals import cast_decimals
from kalam_notebook.sql.params import encode


@pytest.mark.parametrize(
    ("value", "kind"),
    [("12.50", "4, 2"), ("-0.001", "3, 3"), ("1E+3", "4, 0"), ("0", "1, 0"), ("1E-5", "5, 5"), ("9" * 38, "38, 0")],
)
def test_the_narrowest_type_is_written(value, kind):
    params = [encode("$1", Decimal(value))]
    assert cast_decimals("SELECT 1 WHERE d = $1", params) == f"SELECT 1 WHERE d = CAST($1 AS DECIMAL({kind}))"


def test_only_decimals_are_cast_and_only_outside_strings():
    params = [encode("$1", value) for value in ("1.5", Decimal("1.5"), 2)]
    sql = "SELECT '$2', $1 /* $2 */ FROM t WHERE a = $2 AND b = $3 AND c = $2"
    cast = "CAST($2 AS DECIMAL(2, 1))"
    assert cast_decimals(sql, params) == f"SELECT '$2', $1 /* $2 */ FROM t WHERE a = {cast} AND b = $3 AND c = {cast}"


def test_what_cannot_be_cast_stays():
    assert cast_decimals("SELECT $1", [encode("$1", Decimal("9" * 39))]) == "SELECT $1"
    assert cast_decimals("SELECT 'open $1", [encode("$1", Decimal("1"))]) == "SELECT 'open $1"
