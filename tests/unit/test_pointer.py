"""The line of an error, and the mark below it."""

import pytest

from kalam_notebook.errors import ConfigError
from kalam_notebook.settings import check_url
from kalam_notebook.sql.hints import statement_hint, table_hint
from kalam_notebook.sql.pointer import line_at, pointed

FAILED = "Statement 1 failed: Execution error: SQL error: "


@pytest.mark.parametrize(
    ("sql", "message", "word"),
    [
        ("SELECT * FRO e1.t", 'ParserError("Expected: end of statement, found: FRO at Line: 1, Column: 10")', "FRO e1"),
        ("SELECT *\n  FRO e1.t", "Expected: end of statement, found: FRO at Line: 2, Column: 3", "FRO e1"),
        ("SELEC 1", "sql parser error: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1", "SELEC"),
        # The server read a longer text, in which the query stands.
        ("SELECT * FRO e1.t", 'ParserError("Expected: ), found: FRO at Line: 1, Column: 47")', "FRO"),
        ("SELECT 'open", 'TokenizerError("Unterminated string literal at Line: 1, Column: 8")', "'open"),
        ("SELECT a, (b + (c", 'ParserError("Expected: ), found: EOF")', "(c"),
        ("SELECT nme FROM e1.t", "Schema error: No field named nme. Valid fields are e1.t.id, e1.t.name.", "nme"),
        ("SELECT t.nme FROM e1.t", "Schema error: No field named t.nme. Valid fields are t.id, t.name.", "nme"),
        ("SELECT nope", "Schema error: No field named nope.", "nope"),
        ("SELECT foo(1)", "Error during planning: Invalid function 'foo'.\nDid you mean 'cos'?", "foo("),
        ("SELECT * FROM e1.tt", "Error during planning: table 'kalam.e1.tt' not found", "tt"),
    ],
)
def test_the_mark_stands_below_the_word(sql, message, word):
    line, mark = pointed(sql, FAILED + message).split("\n")
    assert line[mark.index("^") :].startswith(word.split("\n")[0])


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT nme, nme FROM t", "No field named nme. Valid fields are t.id."),
        ("SELECT 1", "The server is out of memory."),
        ("SELECT 1", "found: FRO at Line: 9, Column: 1"),
    ],
)
def test_where_the_place_is_not_known_nothing_is_marked(sql, message):
    assert pointed(sql, message) == ""


def test_lines_are_numbered_and_cut():
    assert line_at("SELECT 1,\n\tb,\n'x", 14) == "line 3: 'x\n        ^"
    assert line_at("SELECT '東京', b", 14) == "SELECT '東京', b\n" + " " * 16 + "^"
    line, mark = line_at("x" * 200 + "HERE" + "y" * 200, 200).split("\n")
    assert line[mark.index("^") :].startswith("HERE")
    assert len(line) <= 80


@pytest.mark.parametrize(
    ("sql", "message", "words"),
    [
        ('SELECT * FROM t WHERE name = "a"', "No field named a. Valid fields are t.id.", "single ones: 'a'."),
        ("INSERT INTO t VALUES (1)", "Inconsistent data length across values list: got 1", "Name the columns"),
        (
            "SELECT * FROM a.t",
            "Role 'User' cannot access table 'a.t'. Shared table access denied (access_level=Private)",
            "ALTER TABLE a.t SET ACCESS LEVEL PUBLIC",
        ),
        (
            "INSERT INTO a.t (id) VALUES (1)",
            "Role 'User' cannot access table 'a.t'. Shared table write denied (access_level=Private)",
            "log in as service or dba",
        ),
        ("SELECT 1; SELECT nope; SELECT 2", "Statement 2 failed: No field named nope.", "statement 2 of 3"),
        (
            "CREATE NAMESPACE a; CREATE USER TABLE IF NOT EXISTS a.t (id INT PRIMARY KEY)",
            "sql parser error: Expected: an object type after CREATE, found: USER at Line: 1, Column: 8",
            "CREATE TABLE IF NOT EXISTS a.t (…) WITH (TYPE = 'USER').",
        ),
        (
            "create stream table t (id INT) with (TTL_SECONDS = 5)",
            "CREATE STREAM TABLE is not supported",
            "CREATE TABLE t (…) WITH (TYPE = 'STREAM', …).",
        ),
        ("CREATE SHARED TABLE t (id INT)", "SQL statement is invalid or not allowed", "WITH (TYPE = 'SHARED')."),
        ("CREATE SHARED TABLE", "Use WITH (TYPE = …)", "CREATE TABLE … (…) WITH (TYPE = 'SHARED')."),
        (
            "CREATE TABLE IF NOT EXISTS a.t (id INT) WITH (ACCESS_LEVEL = 'PUBLIC')",
            "Unknown table option 'ACCESS_LEVEL'",
            "CREATE POLICY everybody ON a.t FOR SELECT",
        ),
        (
            "ALTER TABLE a.t SET ACCESS LEVEL PUBLIC",
            "ACCESS LEVEL is gone",
            "CREATE POLICY everybody ON a.t FOR SELECT",
        ),
        (
            "EXECUTE AS 'ada' (SELECT 1)",
            "Expected: end of statement, found: ( at Line: 1",
            "EXECUTE AS USER 'ada' (…).",
        ),
    ],
)
def test_what_to_write_instead(sql, message, words):
    assert words in statement_hint(sql, message)


def test_no_advice_where_none_fits():
    assert statement_hint("SELECT nope", "No field named nope.") == ""
    assert statement_hint("BEGIN; SELECT nope; COMMIT", "Statement 2 failed: x") == ""
    assert statement_hint("SELECT 'open", "x") == ""
    # What KalamDB 0.4.3 says of other mistakes in these forms.
    for sql, message in (
        ("CREATE USER TABLE t (id INT)", "Invalid operation: User tables require a PRIMARY KEY column"),
        ("CREATE USER TABLE t (a user)", "Unsupported custom data type 'user'"),
        (
            "CREATE USER TABLE t (id INT) WITH (TYPE = 'STREAM')",
            "Conflicting table type: CREATE User TABLE vs TYPE option",
        ),
        ("ALTER TABLE t SET ACCESS LEVEL PUBLIC", "ACCESS LEVEL can only be set on SHARED tables"),
        ("CREATE TABLE t (id INT) WITH (ACCESS_LEVEL = 'x')", "Invalid ACCESS_LEVEL 'x'. Supported: PUBLIC, PRIVATE"),
        ("EXECUTE AS USER 'ada' (SELEC 1)", "Expected: end of statement, found: ( at Line: 1"),
    ):
        assert statement_hint(sql, message) == ""


def test_a_missing_table_is_told_with_those_that_there_are():
    known = {("app", "orders"), ("app", "people")}
    assert table_hint("SELECT * FROM app.oders", known) == "There is no table app.oders. Did you mean app.orders?"
    assert table_hint("SELECT * FROM app.x", known) == "There is no table app.x. app has: orders, people."
    assert "namespace.table" in table_hint("SELECT * FROM zzz", known)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:2900", "Did you mean http://localhost:2900?"),
        ("db.example", "Did you mean http://db.example:2900?"),
        ("Sandbox", r"Did you mean kalam\.connect\('sandbox'\)?"),
        ("http://h:1/v1/api", "http://h:1$"),
        ("http://h:1/db/v1/api/sql", "http://h:1/db$"),
    ],
)
def test_what_was_meant_by_a_url(url, words):
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        check_url(url)
