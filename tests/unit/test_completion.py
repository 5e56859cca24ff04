"""What Tab offers in SQL and on the lines of the magics, from the text alone."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.notebook.completion.candidates import sql_offer
from kalam_notebook.notebook.completion.line import LineNames, line_offer
from kalam_notebook.notebook.completion.schema import Schema
from kalam_notebook.notebook.options import CELL_OPTIONS, CONNECT_OPTIONS

SCHEMA = Schema(
    frozenset({"app", "shop", "system"}),
    {
        ("app", "orders"): {"id": "Int64", "customer": "Utf8", "total": "Decimal128(10, 2)"},
        ("app", "people"): {"id": "Int64", "name": "Utf8", "order": "Int32", "Mixed": "Utf8"},
        ("default", "things"): {"x": "Int32"},
        ("system", "users"): {"user_id": "Utf8"},
    },
    {"date_part": "(part, expression)", "now": "()", "count": "(expression)"},
)


def offered(text, namespace=None):
    """What fits at ``|``."""
    return sql_offer(text.replace("|", "", 1), text.index("|"), SCHEMA, namespace, ["room", "limit"])


def texts(text, namespace=None):
    return [candidate.text for candidate in offered(text, namespace).candidates]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("|", ["SELECT", "INSERT INTO", "UPDATE"]),
        ("SELECT 1; UPD|", ["UPDATE"]),
        ("sel|", ["select"]),
        ("SELECT | FROM app.orders", ["id", "customer", "total", "orders."]),
        ("SELECT\n  cus|\nFROM app.orders", ["customer"]),
        ("SELECT * FROM app.orders WHERE to|", ["total"]),
        ("SELECT * FROM app.orders ORDER BY cu|", ["customer"]),
        ("UPDATE app.people SET na|", ["name"]),
        ("INSERT INTO app.orders (|", ["id", "customer", "total"]),
        ("SELECT o.| FROM app.orders o JOIN app.people AS p ON o.id = p.id", ["id", "customer", "total"]),
        ("SELECT p.| FROM app.orders o JOIN app.people AS p ON o.id = p.id", ["id", "name", '"order"', '"Mixed"']),
        ("select app.orders.to| from app.orders", ["total"]),
        ("SELECT * FROM |", ["things", "app.orders", "app.people", "default.things"]),
        ("SELECT * FROM app.|", ["orders", "people"]),
        ("SELECT * FROM app.orders, sho|", ["shop."]),
        ("SELECT * FROM app.orders JOIN app.p|", ["people"]),
        ("DELETE FROM app.or|", ["orders"]),
        ("DROP TABLE ap|", ["app.orders", "app.people", "app."]),
        ("SELECT * FROM app.orders GR|", ["GROUP BY"]),
        ("SELECT * FROM app.orders o LEFT|", ["LEFT JOIN"]),
        ("SELECT date_|", ["date_part("]),
        ("SELECT no|", ["NOT", "now()"]),
        ("SELECT id::BI|", ["BIGINT"]),
        ("SELECT CAST(id AS TE|", ["TEXT"]),
        ("CREATE TABLE app.z (id BIG|", ["BIGINT"]),
        ("CREATE TABLE app.z (id BIGINT PRI|", ["PRIMARY KEY"]),
        ("SELECT * FROM app.orders WHERE customer = $r|", ["$room"]),
        ("SELECT $|", ["$room", "$limit"]),
        ('SELECT "na| FROM app.people', ['"name"']),
        ('SELECT "Mi|" FROM app.people', ['"Mixed']),
    ],
)
def test_what_fits_comes_first(text, first):
    assert texts(text)[: len(first)] == first


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("WITH x AS (SELECT id, total AS t, count(*) AS n FROM app.orders) SELECT | FROM x", ["id", "t", "n"]),
        ("WITH x AS (SELECT 1 AS a), y AS (SELECT a, 2 AS b FROM x) SELECT y.| FROM y", ["a", "b"]),
        ("SELECT | FROM (SELECT * FROM app.orders) q", ["id", "customer", "total"]),
        ("SELECT q.| FROM (SELECT p.*, 1 AS x FROM app.people p) AS q", ["id", "name", '"order"', '"Mixed"', "x"]),
        ("SELECT * FROM app.orders WHERE id IN (SELECT | FROM app.people)", ["id", "name"]),
        ("SELECT * FROM app.orders o WHERE EXISTS (SELECT 1 FROM app.people WHERE o.cu|)", ["customer"]),
        ("SELECT id FROM app.people UNION SELECT cus| FROM app.orders", ["customer"]),
    ],
)
def test_columns_of_queries_in_the_text(text, columns):
    assert texts(text)[: len(columns)] == columns


def test_columns_and_functions_say_what_they_are():
    kinds = {candidate.text: candidate.kind for candidate in offered("SELECT | FROM app.orders").candidates}
    assert kinds["total"] == "column Decimal128(10, 2)"
    assert kinds["date_part("] == "function (part, expression)"
    (found,) = offered("SELECT q.| FROM (SELECT id FROM app.orders) q").candidates
    assert (found.text, found.kind) == ("id", "column Int64")


def test_a_namespace_makes_names_short():
    assert texts("SELECT * FROM |", "app")[:2] == ["orders", "people"]
    assert texts("SELECT | FROM orders", "app")[:3] == ["id", "customer", "total"]


@pytest.mark.parametrize("end", ["'a|", "1 -- a|", "/* a|", "12|", "$$ a|", "'a'|"])
def test_nothing_fits_in_a_text_a_comment_and_a_number(end):
    assert texts(f"SELECT {end}") == []


def test_keywords_are_written_as_the_text_does():
    assert "where" in texts("select * from app.orders |")
    assert "WHERE" in texts("SELECT * FROM app.orders |")


PIECES = [
    "SELECT", "FROM", "(", ")", ",", ".", "app", "orders", "o", "WITH", "AS", "JOIN", "ON", "*", "=", ";", '"', "'",
    "$", "--", "\n", "INSERT INTO", "UNION", "$1", "/*", "CAST", "::",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=20), st.integers(0, 200), st.sampled_from(["", " "]))
def test_any_text_can_be_asked_about(pieces, cursor, between):
    text = between.join(pieces)
    offer = sql_offer(text, min(cursor, len(text)), SCHEMA, None, ["room"])
    assert text[: min(cursor, len(text))].endswith(offer.fragment)


def test_a_large_schema_costs_no_more_than_a_moment():
    columns = {f"column_{number}": "Int64" for number in range(50)}
    tables = {(f"space{number % 10}", f"table_{number}"): columns for number in range(500)}
    schema = Schema(frozenset(space for space, _ in tables), tables, SCHEMA.functions)
    joined = " JOIN ".join(f"space{n}.table_{n} AS t{n} ON t{n}.column_1 = 1" for n in range(10))
    query = f"SELECT a.| FROM {joined}, space1.table_1 a"
    for text in (query, "SELECT * FROM |", query.replace("a.|", "|")):
        at = text.index("|")
        started = time.process_time()
        assert sql_offer(text.replace("|", ""), at, schema, None, []).candidates
        assert time.process_time() - started < 0.05


NAMES = LineNames(CELL_OPTIONS, {"--namespace": ["app", "shop"], "--params": ["room", "rows"]})


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (" --form", ["--format"]),
        (" x << --format ", ["pandas", "arrow", "polars"]),
        (" --format=po", ["polars"]),
        (" --namespace ", ["app", "shop"]),
        (" --namespace s", ["shop"]),
        (" --params ro", ["room", "rows"]),
        (" --params [1, roo", ["room"]),
        (" --limit a", ["all"]),
        (" --live --liv", []),
    ],
)
def test_lines(line, found):
    offer = line_offer(line, NAMES)
    assert [candidate.text for candidate in offer.candidates] == found
    assert line.endswith(offer.fragment)


def test_options_that_are_given_are_not_offered_again():
    offered = [candidate.text for candidate in line_offer(" --strict ", NAMES).candidates]
    assert "--strict" not in offered
    assert "--live" in offered


def test_lines_of_connect():
    names = LineNames(CONNECT_OPTIONS, {}, [("url", "sandbox")])
    assert [candidate.text for candidate in line_offer("", names).candidates] == ["sandbox", *CONNECT_OPTIONS]
    assert [candidate.text for candidate in line_offer("sandbox --us", names).candidates] == ["--user"]
