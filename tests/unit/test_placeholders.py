"""Values fit their placeholders before anything is sent; lists in IN are sent as their items."""

import datetime as dt
from collections import deque
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from kalam_notebook.errors import ParameterError
from kalam_notebook.sql.placeholders import bind


@pytest.mark.parametrize(
    ("sql", "params", "parameter", "marks"),
    [
        ("SELECT $1", None, "$1", "[…]"),
        ("SELECT $1, $2", [1], "$2", "[…, …]"),
        ("SELECT $3, $1", [1], "$3", "[…, …, …]"),
        ("SELECT $2 FROM t WHERE a = $4;", [1], "$2", "[…, …, …, …]"),
        ("SELECT $40", [], "$40", "[…, …, …, …, …]"),
        ("WITH a AS (SELECT $1 AS x) SELECT * FROM a", [], "$1", "[…]"),
        ("INSERT INTO t (a) VALUES ($1)", [], "$1", "[…]"),
        ("update t set a=$1", [], "$1", "[…]"),
        ("DELETE FROM t WHERE a=$1", [], "$1", "[…]"),
        ("EXECUTE AS USER 'bob' (SELECT $1)", [], "$1", "[…]"),
        ("SELECT '$2', \"$3\", $$ $4 $$ /* $5 */, $1 -- $6", [], "$1", "[…]"),
    ],
)
def test_a_placeholder_without_a_value_is_named(sql, params, parameter, marks):
    with pytest.raises(ParameterError) as caught:
        bind(sql, params)
    assert caught.value.parameter == parameter
    assert f"Pass params={marks}." in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT '$1', E'it\\'s $1', \"$2\", $$ $3 $$, $tag$ $4 $tag$ -- $5\n/* $6 /* $7 */ $8 */",
        "SELECT a$1 FROM t",
        "SELECT 1; SELECT $1",
        "EXPLAIN SELECT $1",
        "CREATE VIEW app.v AS SELECT $1",
        "SHOW TABLES",
        "SELECT 'open $1",
        "$1",
        "",
    ],
)
def test_what_the_server_has_to_judge_is_sent(sql):
    assert bind(sql, None) == (sql, [])


def test_values_are_encoded():
    assert bind("SELECT $1, $2", [1, {"a": 2}]) == ("SELECT $1, $2", [1, '{"a":2}'])
    with pytest.raises(ParameterError, match="an object cannot be sent"):
        bind("SELECT $1", [object()])


@pytest.mark.parametrize(
    ("sql", "params", "name"),
    [
        ("SELECT $1", [1, 2], "$2"),
        ("SELECT $2", [1, 2], "$1"),
        ("SELECT $1, $2", [1, 2, 3, 4], "$3"),
        ("DELETE FROM t WHERE a = $1 -- $2", [1, 2], "$2"),
        ("SELECT * FROM t WHERE a IN ($1)", [[1, 2], 3], "$2"),
    ],
)
def test_a_value_without_a_placeholder_is_named(sql, params, name):
    with pytest.raises(ParameterError, match=r"it has a value, and the statement has no \$") as caught:
        bind(sql, params)
    assert caught.value.parameter == name


@pytest.mark.parametrize(
    "sql", ["SELECT '$1'", "SELECT * FROM t WHERE a = ?", "SELECT 1", "DELETE FROM t WHERE a = %s"]
)
def test_values_without_any_placeholder_are_refused(sql):
    with pytest.raises(ParameterError, match=r"has no \$1.*\nWrite \$1 where it belongs, without quotes"):
        bind(sql, ["open"])


def test_values_of_statements_that_the_server_has_to_judge_are_sent():
    assert bind("SHOW TABLES", [1]) == ("SHOW TABLES", [1])
    assert bind("SELECT 1; SELECT 2", [1]) == ("SELECT 1; SELECT 2", [1])


# Lists --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        (1, 2),
        range(1, 3),
        deque([1, 2]),
        {1: "a", 2: "b"}.keys(),
        {1, 2},
        frozenset([1, 2]),
        np.array([1, 2]),
        pd.Series([1, 2]),
        pd.Index([1, 2]),
        pd.array([1, 2]),
        pl.Series([1, 2]),
        pa.array([1, 2]),
        pa.chunked_array([[1], [2]]),
    ],
    ids=lambda values: type(values).__name__,
)
def test_any_list_stands_for_its_items(values):
    assert bind("SELECT * FROM t WHERE a IN ($1)", [values]) == ("SELECT * FROM t WHERE a IN ($1, $2)", [1, 2])


@pytest.mark.parametrize(
    ("sql", "params", "expected"),
    [
        ("a IN ($1) AND b = $2", [[1, 2, 3], "x"], ("a IN ($1, $2, $3) AND b = $4", [1, 2, 3, "x"])),
        ("b = $2 AND a in ( $1 )", [[1, 2], "x"], ("b = $3 AND a in ( $1, $2 )", [1, 2, "x"])),
        ("a IN ($1) OR b NOT IN ($1)", [[1, 2]], ("a IN ($1, $2) OR b NOT IN ($1, $2)", [1, 2])),
        ("a IN ($1)", [["x", None]], ("a IN ($1, $2)", ["x", None])),
        ("a IN ($1)", [5], ("a IN ($1)", [5])),
        ("a IN ($1, $2)", [5, 6], ("a IN ($1, $2)", [5, 6])),
        ("a IN ($1)", [[]], ("a IN (NULL) IS NOT NULL", [])),
        ("NOT a IN ($1) AND b = $2", [[], 3], ("NOT a IN (NULL) IS NOT NULL AND b = $1", [3])),
        ("a NOT IN ($1)", [()], ("a NOT IN (NULL) IS NULL", [])),
        ("a IN ($1) OR b IN ($2)", [[], [7]], ("a IN (NULL) IS NOT NULL OR b IN ($1)", [7])),
        ("a IN ($1) /* $1 */ AND t = '$1' -- $1", [[1, 2]], ("a IN ($1, $2) /* $1 */ AND t = '$1' -- $1", [1, 2])),
        ("a IN ($1)", [np.array(["2026-01-02"], "datetime64[ns]")], ("a IN ($1)", ["2026-01-02T00:00:00.000000"])),
        ("a IN ($1)", [np.array(5)], ("a IN ($1)", [5])),
    ],
)
def test_items_are_placeholders_of_their_own(sql, params, expected):
    assert bind(f"SELECT * FROM t WHERE {sql}", params) == (f"SELECT * FROM t WHERE {expected[0]}", expected[1])


def test_more_values_than_the_server_takes_are_literals():
    head = "SELECT * FROM t WHERE b = $2 AND a IN "
    text, values = bind(f"{head}($1)", [list(range(50)), "x"])
    assert text == f"SELECT * FROM t WHERE b = $1 AND a IN ({', '.join(map(str, range(50)))})"
    assert values == ["x"]
    text, values = bind(f"{head}($1)", [list(range(49)), "x"])
    assert text.endswith("$49)")
    assert values == [*range(49), "x"]
    items = ["it's", None, -1, Decimal("-0.50"), dt.date(2026, 1, 2), True] * 9
    text, values = bind("SELECT * FROM t WHERE a IN ($1)", [items])
    spelled = ["'it''s'", "NULL", "(-1)", "CAST('-0.50' AS DECIMAL(2, 2))", "'2026-01-02'", "TRUE"] * 9
    assert (text, values) == (f"SELECT * FROM t WHERE a IN ({', '.join(spelled)})", [])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM t WHERE a = $1",
        "SELECT * FROM t WHERE a IN ($1, 3)",
        "SELECT * FROM t WHERE a IN (3, $1)",
        "SELECT * FROM t WHERE a IN (($1))",
        "SELECT * FROM t WHERE a = ANY($1)",
        "SELECT * FROM t WHERE a IN ($1) AND j = $1",
        "SELECT * FROM t LIMIT $1",
        "SELECT $1",
        'SELECT "in"($1)',
        "UPDATE t SET a = 1 WHERE j = $1",
        "DELETE FROM t WHERE a = $1",
        "EXECUTE AS USER 'bob' (SELECT * FROM t WHERE a = $1)",
    ],
)
@pytest.mark.parametrize("values", [[1, 2], [], {1, 2}, pd.Series([1])], ids=["list", "empty", "set", "Series"])
def test_a_list_elsewhere_is_an_error(sql, values):
    with pytest.raises(ParameterError, match=r"IN \(\$1\)\. Nothing was sent\.") as caught:
        bind(sql, [values])
    assert caught.value.parameter == "$1"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t (id, j) VALUES (1, $1)",
        "INSERT INTO t (id, j) SELECT 1, $1",
        "EXECUTE AS USER 'bob' (INSERT INTO t (id, j) VALUES (1, $1))",
        "EXECUTE AS 'bob' (INSERT INTO t (id, j) VALUES (1, $1))",
        "UPDATE t SET j = $1 WHERE id = 1",
        "SELECT cosine_distance(e, $1) FROM t",
        "SELECT id FROM t ORDER BY COSINE_DISTANCE(coalesce(e, f), $1)",
        "SELECT * FROM vector_search('app.t', 'e', $1, 3)",
    ],
)
def test_where_a_list_is_a_value_it_goes_as_json(sql):
    assert bind(sql, [[0.5, 2]]) == (sql, ["[0.5,2]"])


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([1, [2]], "item 2 of its list is a list"),
        ([{"a": 1}], "item 1 of its list is a dict"),
        ([1.0, float("nan")], "item 2 of its list: nan cannot be sent"),
        (np.array([[1, 2]]), "item 1 of its list is a ndarray"),
        (["x" * 600_000], "item 1 of its list: 600,000 bytes"),
        (["x" * 9_000] * 120, "its 120 values make a text of more than 1 MiB"),
        (["a\0b"] * 51, "NUL"),
    ],
)
def test_items_that_cannot_be_sent_are_named(items, words):
    with pytest.raises(ParameterError, match=words) as caught:
        bind("SELECT * FROM t WHERE a IN ($1)", [items])
    assert caught.value.parameter == "$1"


def test_the_list_of_values_itself():
    assert bind("SELECT $1, $2", (1, "a"))[1] == [1, "a"]
    for wrong in ("abc", {"a": 1}, 5):
        with pytest.raises(ParameterError, match="must be a list"):
            bind("SELECT 1", wrong)
    marks = ", ".join(f"${number}" for number in range(1, 52))
    for sql in (f"SELECT {marks}", f"SELECT {marks} FROM t WHERE a IN ($52)"):
        with pytest.raises(ParameterError, match="at most 50"):
            bind(sql, [0] * 51 if "IN" not in sql else [*[0] * 51, [1]])
