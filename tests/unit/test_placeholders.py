"""Placeholders without a value are named before anything is sent; what the server has to judge is sent."""

import pytest

from kalam_notebook.errors import ParameterError
from kalam_notebook.wire.placeholders import parameters_for


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
        parameters_for(sql, params)
    assert caught.value.parameter == parameter
    assert f"params={marks}, or write --params {marks}" in str(caught.value)


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
    assert parameters_for(sql, None) == []


def test_values_are_encoded_and_too_many_are_left_to_the_server():
    assert parameters_for("SELECT $1", [1, {"a": 2}]) == [1, '{"a":2}']
    with pytest.raises(ParameterError, match="an object cannot be sent"):
        parameters_for("SELECT $1", [object()])


@pytest.mark.parametrize(
    "sql", ["SELECT '$1'", "SELECT * FROM t WHERE a = ?", "SELECT 1", "DELETE FROM t WHERE a = %s"]
)
def test_values_without_any_placeholder_are_refused(sql):
    with pytest.raises(ParameterError, match=r"has no \$1.*\nWrite \$1 where it belongs, without quotes"):
        parameters_for(sql, ["open"])


def test_values_of_statements_that_the_server_has_to_judge_are_sent():
    assert parameters_for("SHOW TABLES", [1]) == [1]
    assert parameters_for("SELECT 1; SELECT 2", [1]) == [1]
