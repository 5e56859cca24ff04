"""The query of `live.where`: the texts that are made, and the conditions that are none."""

import pytest

from kalam_notebook.errors import ConfigError, LiveError
from kalam_notebook.live_queries.narrowing import narrowed
from kalam_notebook.sql.statement import Statement


def made(sql, condition):
    text, _ = narrowed(Statement.of(sql), sql, condition)
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("sql", "condition", "expected"),
    [
        ("SELECT * FROM a.b;", "n > 1", "SELECT * FROM a.b WHERE n > 1"),
        ("SELECT * FROM a.b -- all", 'WHERE "n" > 1 -- some', 'SELECT * FROM a.b WHERE "n" > 1'),
        ("SELECT n FROM a.b", "n = 1 OR m = 2", "SELECT n FROM a.b WHERE n = 1 OR m = 2"),
        ("SELECT * FROM a.b WHERE n=1 OR n=2", "m=3 OR m=4", "SELECT * FROM a.b WHERE (n=1 OR n=2) AND (m=3 OR m=4)"),
        ("SELECT n AS m FROM a.b", "m > 1", "SELECT * FROM ( SELECT n AS m FROM a.b ) AS t WHERE m > 1"),
        ("SELECT * FROM a.b LIMIT 5", "n > 1", "SELECT * FROM ( SELECT * FROM a.b LIMIT 5 ) AS t WHERE n > 1"),
        (
            "SELECT * FROM a.b",
            "n IN (SELECT n FROM a.c LIMIT 1)",
            "SELECT * FROM a.b WHERE n IN (SELECT n FROM a.c LIMIT 1)",
        ),
        ("SELECT * FROM a.b", "word = ') ORDER BY ;'", "SELECT * FROM a.b WHERE word = ') ORDER BY ;'"),
        ("SELECT * FROM a.b", '"order" = 1', 'SELECT * FROM a.b WHERE "order" = 1'),
    ],
)
def test_a_condition_more(sql, condition, expected):
    assert made(sql, condition) == expected


def test_placeholders_are_numbered_on_where_values_are_not_shown():
    named, given = "SELECT * FROM a.b WHERE n > 5 AND m < 9", "SELECT * FROM b WHERE n > $2 AND m < $1"
    sent, shown = narrowed(named, given, "word IN ($1) AND '$1' <> $2")
    assert " ".join(sent.split()).endswith("(n > 5 AND m < 9) AND (word IN ($1) AND '$1' <> $2)")
    assert " ".join(shown.split()) == "SELECT * FROM b WHERE (n > $2 AND m < $1) AND (word IN ($3) AND '$1' <> $4)"


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("", "is empty"),
        ("WHERE -- n > 1", "is empty"),
        ("n > 'x", "cannot be read: The text that begins with"),
        ("n > 1) OR (1 = 1", "closed that was not opened"),
        ("(n > 1", "is not closed"),
        ("n > 1 ORDER BY n", "ORDER cannot stand"),
        ("SELECT * FROM a.b", "SELECT cannot stand"),
        ("n > 1; DROP TABLE a.b", "; cannot stand"),
        (["n > 1"], "is a text, not list"),
    ],
)
def test_what_is_no_condition(condition, told):
    with pytest.raises(ConfigError, match=told.replace("(", r"\(")):
        narrowed("SELECT * FROM a.b", "SELECT * FROM a.b", condition)


def test_rows_that_come_from_no_query_are_not_narrowed(live):
    for table in (live, live.pipe(lambda frame: frame)):
        with pytest.raises(LiveError, match=r"live\.pipe\(lambda rows"):
            table.where("n > 1")
