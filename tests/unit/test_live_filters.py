"""Filters against the list of what a server 0.4.3 evaluates rightly for live events (protocol/live.md#queries)."""

from __future__ import annotations

import pytest

from kalam_notebook.sql.live_filter import doubtful_part, filter_columns, has_sub_query, is_volatile
from kalam_notebook.sql.statement import Statement
from kalam_notebook.wire.types import Column

COLUMNS = (
    Column("id", "BigInt", flags=("pk", "nn", "uq")),
    Column("room", "Text"),
    Column("body", "Text", flags=("nn",)),
    Column("n", "Int"),
    Column("m", "Int", flags=("nn",)),
    Column("big", "BigInt"),
    Column("d", "Double"),
    Column("open", "Boolean"),
    Column("price", "Decimal", 10, 2),
    Column("ts", "Timestamp"),
    Column("_seq", "BigInt", flags=("nn",)),
    Column("_deleted", "Boolean", flags=("nn",)),
)


def doubt(where: str) -> str | None:
    return doubtful_part(Statement.of(where).tokens, COLUMNS)


@pytest.mark.parametrize(
    "where",
    [
        "room = 'a'",
        "ROOM = 'it''s'",
        "\"room\" = 'a'",
        "t.room = 'a' AND ns.t.n > 0",
        "n >= 0 AND n <= 5.5 AND d < .5",
        "m <> 3",
        "body != 'x'",
        "open = true",
        "n < m",
        "room = body",
        "(room = 'a' OR room = 'b') AND n > 0",
        "room = 'a' OR n > 0",  # A NULL under > ends the evaluation, but nothing stands behind it.
        "m > 3 OR room = 'a'",  # The column cannot be NULL.
        "NOT (m = 3 AND body = 'x')",
        "_seq > 5",
        "((((n = 1))))",
    ],
)
def test_filters_known_to_be_right(where):
    assert doubt(where) is None


@pytest.mark.parametrize(
    ("where", "part"),
    [
        ("n > -1", "n > - 1"),
        ("n = -5", "n = - 5"),
        ("n = 1 + 1", "n = 1 + 1"),
        ("n = '5'", "n = '5'"),
        ("n + 1 = 2", "n + 1 = 2"),
        ("5 = n", "5 = n"),
        ("room > 'a'", "room > 'a'"),
        ("room = E'a'", "room = E'a'"),
        ("room = 5", "room = 5"),
        ("ts > '2026-01-01'", "ts > '2026-01-01'"),
        ("ts = '2026-01-01'", "ts = '2026-01-01'"),
        ("price = 1", "price = 1"),
        ("price < n", "price < n"),
        ("n IN (1, 2)", "n IN ( 1 , 2 )"),
        ("n BETWEEN 1 AND 2", "n BETWEEN 1"),
        ("n IS NULL", "n IS NULL"),
        ("room LIKE 'm%'", "room LIKE 'm%'"),  # Text with a line break is not matched.
        ("open", "open"),
        ("NOT open", "open"),
        ("true", "true"),
        ("lower(room) = 'a'", "lower ( room ) = 'a'"),
        ("room = CURRENT_USER()", "room = CURRENT_USER ( )"),
        ("room = lower('A')", "room = lower ( 'A' )"),
        ("n::text = '5'", "n :: text = '5'"),
        ("n = 5::int", "n = 5 :: int"),
        ("unknown = 5", "unknown = 5"),
        ("_deleted = false", "_deleted = false"),
        ("big = 9007199254740993", "big = 9007199254740993"),
        ("big = id", "big = id"),
        ("n = 1e3", "n = 1e3"),
        ("n = 1 AND", ""),
        ("n = ", "n ="),
        ("n", "n"),
        ("(n = 1", "( n = 1"),
        ("n = 1 n", "n = 1 n"),
    ],
)
def test_filters_that_are_not_known_to_be_right(where, part):
    assert doubt(where) == part


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("n > 0 OR room = 'a'", "NULL, the terms behind OR"),
        ("(n > 0 AND m = 1) OR room = 'a'", "NULL, the terms behind OR"),
        ("room = 'a' OR n > 0 OR m = 1", "NULL, the terms behind OR"),
        ("room <> 'a'", "rows with NULL"),
        ("n != 3", "rows with NULL"),
        ("m <> n", "rows with NULL"),
        ("NOT room = 'a'", "rows with NULL"),
        ("NOT (m = 1 AND n = 1)", "rows with NULL"),
        ("(" * 21 + "n = 1" + ")" * 21, "too many parentheses"),
    ],
)
def test_doubts_say_why(where, reason):
    assert reason in doubt(where)


def test_a_long_part_is_shortened():
    assert len(doubt("n IN (" + ", ".join(map(str, range(500))) + ")")) < 80


def test_columns_of_a_filter_in_order_of_the_table():
    tokens = Statement.of("n > 0 AND T.Room = 'body' OR lower(\"id\") = 'x'").tokens
    assert filter_columns(tokens, COLUMNS) == ("id", "room", "n")


@pytest.mark.parametrize(
    ("where", "is_so"),
    [
        ("at < now()", True),
        ("day = current_date", True),
        ("n < random() * 5", True),
        ("now = 1", False),
        ('"current_date" = 1', False),
        ("uuid = 'x'", False),
        ("t = 'now()'", False),
        ("", False),
    ],
)
def test_what_changes_as_time_goes_by(where, is_so):
    assert is_volatile(Statement.of(where).tokens) == is_so


def test_sub_queries():
    assert has_sub_query(Statement.of("id IN (select id FROM a.b)").tokens)
    assert not has_sub_query(Statement.of("t = 'SELECT' AND \"select\" = 1").tokens)
