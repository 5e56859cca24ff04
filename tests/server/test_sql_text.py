"""Cutting, classifying and reading statements, without a server."""

import pytest

from kalam_sandbox.backend import Caller, SqlFailed
from kalam_sandbox.engine.rewrite import rewrite, server_name
from kalam_sandbox.sql import statements as s
from kalam_sandbox.sql.classify import classify
from kalam_sandbox.sql.inserts import Expression, Placeholder, read_insert
from kalam_sandbox.sql.runs import on_literal_path
from kalam_sandbox.sql.split import split_statements
from kalam_sandbox.sql.targets import written_table
from kalam_sandbox.sql.tokens import tokenize
from kalam_sandbox.store.schema import Default
from kalam_sandbox.store.types import ColumnType

ROOT = Caller("root", "system")
ALICE = Caller("alice", "user")


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;", ["SELECT 1"]),
        ("SELECT 'a;b'; SELECT 2", ["SELECT 'a;b'", "SELECT 2"]),
        ("SELECT 1 -- ; no\n, 2; -- end", ["SELECT 1 -- ; no\n, 2"]),
        ("/* ; */ BEGIN;; /* /* ; */ */ COMMIT", ["BEGIN", "COMMIT"]),
        ('SELECT $$a;b$$ AS x; SELECT "c;d"', ["SELECT $$a;b$$ AS x", 'SELECT "c;d"']),
        ("SELECT 'it''s; fine'; x", ["SELECT 'it''s; fine'", "x"]),
    ],
)
def test_split(text, statements):
    assert split_statements(text) == statements


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "EMPTY_SQL"), (" ;; ", "EMPTY_SQL"), ("-- x", "EMPTY_SQL"), ("SELECT 1; SELECT 'a", "BATCH_PARSE_ERROR")],
)
def test_split_refuses(text, code):
    with pytest.raises(SqlFailed) as failure:
        split_statements(text)
    assert failure.value.code == code


def test_lone_unterminated_string_is_left_to_the_engine():
    assert split_statements("SELECT 'abc") == ["SELECT 'abc"]
    assert isinstance(classify("SELECT 'abc", ROOT), s.Query)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("select 1", s.Query),
        ("WITH x AS (SELECT 1) SELECT * FROM x", s.Query),
        ("insert into t values (1)", s.Dml),
        ("START TRANSACTION", s.Begin),
        ("COMMIT WORK", s.Commit),
        ("USE app", s.UseNamespace),
        ("SET NAMESPACE app", s.UseNamespace),
        ("SHOW TABLES FROM x", s.Show),
        ("DESC TABLE app.t HISTORY", s.DescribeTable),
        ("DESCRIBE app.t", s.EngineMeta),
        ("SHOW STATS FOR TABLE app.t", s.DescribeTable),
        ("STORAGE FLUSH TABLE app.t", s.Flush),
        ("EXECUTE AS USER alice (SELECT 1)", s.ExecuteAs),
        ("SUBSCRIBE TO app.t WHERE id > 1", s.SubscribeTo),
    ],
)
def test_classify(sql, kind):
    assert isinstance(classify(sql, ROOT), kind)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "sql parser error: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1"),
        ("TRUNCATE TABLE app.t", "Unsupported statement type: TRUNCATE TABLE app.t"),
        ("CREATE INDEX i ON t(a)", "Unsupported statement type: CREATE INDEX i ON t(a)"),
        ("BACKUP DATABASE TO 'x'", "BACKUP is not available in the sandbox server; use a KalamDB server"),
        ("CREATE TABLE t (a NUMERIC)", "Invalid CREATE TABLE statement: Unsupported data type: Numeric(None)"),
        ("CREATE TABLE t (a BLOBB)", "Invalid CREATE TABLE statement: Unsupported custom data type 'blobb'"),
        ("CREATE TABLE t", "Invalid CREATE TABLE statement: Table must have at least one column"),
        ("CREATE TABLE t (a INT, b INT, PRIMARY KEY (c))",
         "Invalid CREATE TABLE statement: PRIMARY KEY column 'c' not found in column list"),
        ("CREATE TABLE t (a INT PRIMARY KEY, b INT PRIMARY KEY)",
         "Invalid CREATE TABLE statement: Multiple PRIMARY KEY definitions found"),
        ("CREATE STREAM TABLE t (a INT)", "Invalid CREATE TABLE statement: STREAM tables must specify 'TTL_SECONDS'"),
        ("CREATE TABLE t (a INT PRIMARY KEY) WITH (FLUSH_POLICY='x')",
         "Invalid CREATE TABLE statement: Invalid FLUSH_POLICY format 'x'. Expected 'key:value'"),
        ("CREATE TOPIC events", "Topic name must be namespace-qualified: <namespace>.<topic>"),
    ],
)  # fmt: skip
def test_classify_refuses(sql, message):
    with pytest.raises(SqlFailed) as failure:
        classify(sql, ROOT)
    assert (failure.value.code, failure.value.message) == ("INVALID_SQL", message)


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("CREATE NAMESPACE x", "namespace operations"),
        ("CREATE USER 'x' WITH PASSWORD 'y' ROLE user", "user management"),
        ("CREATE TOPIC a.b", "topic management"),
        ("CREATE STORAGE x TYPE 's3'", "storage operations"),
        ("KILL JOB 'x'", "job management"),
        ("EXPLAIN SELECT 1", "EXPLAIN commands"),
        ("SET a = 1", "SET commands"),
        ("DESC t", "DESC"),
        ("SHOW COLUMNS FROM t", "SHOW COLUMNS"),
    ],
)
def test_role_is_judged_before_the_statement(sql, what):
    with pytest.raises(SqlFailed) as failure:
        classify(sql, ALICE)
    assert failure.value.code == "PERMISSION_DENIED"
    assert failure.value.message == f"Admin privileges (DBA or System role) required for {what}"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("EXECUTE AS USER 'a' SELECT 1", "EXECUTE AS USER must wrap SQL in parentheses"),
        ("EXECUTE AS USER 'a' (SELECT 1", "EXECUTE AS USER missing closing ')'"),
        ("EXECUTE AS USER 'a (SELECT 1)", "EXECUTE AS USER username quote was not closed"),
    ],
)
def test_broken_wrapper(sql, message):
    with pytest.raises(SqlFailed) as failure:
        classify(sql, ROOT)
    assert (failure.value.code, failure.value.message) == ("INVALID_INPUT", message)


TYPES = {
    "BOOL": ColumnType("Boolean"),
    "int2": ColumnType("SmallInt"),
    "INTEGER": ColumnType("Int"),
    "INT8": ColumnType("BigInt"),
    "REAL": ColumnType("Float"),
    "FLOAT(10)": ColumnType("Float"),
    "DOUBLE PRECISION": ColumnType("Double"),
    "DECIMAL": ColumnType("Decimal", 38, 10),
    "DECIMAL(5)": ColumnType("Decimal", 5, 0),
    "DECIMAL(10, 2)": ColumnType("Decimal", 10, 2),
    "VARCHAR(20)": ColumnType("Text"),
    "INT[]": ColumnType("Text"),
    "ENUM('a', 'b')": ColumnType("Text"),
    "JSONB": ColumnType("Json"),
    "BYTEA": ColumnType("Bytes"),
    "DATE": ColumnType("Date"),
    "TIME": ColumnType("Time"),
    "TIMESTAMP(3) WITH TIME ZONE": ColumnType("Timestamp"),
    "DATETIME": ColumnType("DateTime"),
    "UUID": ColumnType("Uuid"),
    "EMBEDDING(384)": ColumnType("Embedding", 384),
    "FILE": ColumnType("File"),
}


@pytest.mark.parametrize("spelling", TYPES)
def test_column_types(spelling):
    statement = classify(f"CREATE TABLE t (id BIGINT PRIMARY KEY, c {spelling} NOT NULL, d TEXT)", ROOT)
    column = statement.columns[1]
    assert (column.name, column.type, column.nullable) == ("c", TYPES[spelling], False)


@pytest.mark.parametrize(
    ("written", "default"),
    [
        ("DEFAULT SNOWFLAKE_ID()", Default(function="SNOWFLAKE_ID")),
        ("DEFAULT CURRENT_TIMESTAMP", Default(function="NOW")),
        ("DEFAULT CURRENT_USER()", Default(function="CURRENT_USER")),
        ("DEFAULT 'it''s'", Default(value="it's")),
        ("DEFAULT -5", Default(value=-5)),
        ("DEFAULT 1.5 NOT NULL", Default(value=1.5)),
        ("DEFAULT TRUE", Default(value=True)),
        ("DEFAULT NULL", Default(value=None)),
        ("DEFAULT 1+1", Default(value="1+1")),
        ("AUTO_INCREMENT", Default(function="SNOWFLAKE_ID")),
        ("GENERATED ALWAYS AS IDENTITY (START 5)", Default(function="SNOWFLAKE_ID")),
        ("UNIQUE CHECK (a > 1) REFERENCES x.y (z)", None),
    ],
)
def test_defaults(written, default):
    statement = classify(f"CREATE TABLE t (id BIGINT PRIMARY KEY, c TEXT {written})", ROOT)
    assert statement.columns[1].default == default


def test_options_and_kind():
    sql = (
        "CREATE TABLE App.T (Id BIGINT PRIMARY KEY) WITH (TYPE='SHARED', ACCESS_LEVEL='public', FLUSH_POLICY='rows:5')"
    )
    statement = classify(sql, ROOT)
    assert (statement.namespace, statement.name, statement.kind) == ("app", "t", "shared")
    assert statement.options == {"access_level": "Public", "flush_policy": {"type": "row_limit", "row_limit": 5}}
    assert statement.columns[0].name == "id"
    assert statement.columns[0].flags == ("pk", "nn", "uq")


def test_insert_rows_are_read():
    text = read_insert("INSERT INTO app.t (a, b, c) VALUES (1, 'x''y', -2.5), ($2, NULL, upper('a, b'))")
    assert (text.namespace, text.table, text.columns) == ("app", "t", ("a", "b", "c"))
    assert text.rows == [[1, "x'y", -2.5], [Placeholder(2), None, Expression("upper('a, b')")]]
    assert text.has_expressions
    assert text.has_placeholders


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t SELECT 1",
        "INSERT INTO t VALUES (1",
        "INSERT INTO t VALUES (1) RETURNING id",
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT INTO t VALUES (1,)",
    ],
)
def test_insert_rows_are_left_to_the_engine(sql):
    assert read_insert(sql).rows is None


def test_runs_of_inserts_inside_a_transaction():
    texts = ["BEGIN", "INSERT INTO t (a) VALUES (1)", "SELECT 1", "INSERT INTO t (a) VALUES (2)",
             "insert into T (A) values (3)", "COMMIT", "INSERT INTO t (a) VALUES (4)"]  # fmt: skip
    flags = on_literal_path([classify(text, ROOT) for text in texts])
    assert flags == [True, False, True, True, True, True, True]


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("INSERT INTO App.T VALUES (1)", ("app", "t")),
        ("update t set a = 1", (None, "t")),
        ('DELETE FROM "x"."y" WHERE a', ("x", "y")),
        ("DELETE", None),
    ],
)
def test_written_table(sql, table):
    assert written_table(sql) == table


@pytest.mark.parametrize(
    ("sql", "rewritten"),
    [
        ("SELECT doc->>'a' FROM t", "SELECT json_as_text(doc, 'a') FROM t"),
        ("SELECT t.doc->'a'->>'b'", "SELECT json_as_text(json_get_json(t.doc, 'a'), 'b')"),
        (
            "SELECT json_get_int(doc, 'a', 'b', 0)",
            "SELECT json_get_int(json_get_json(json_get_json(doc, 'a'), 'b'), 0)",
        ),
        ("SELECT json_length(doc)", "SELECT json_length_of(doc)"),
        ("SELECT f(doc) ? 'k'", "SELECT json_contains(f(doc), 'k')"),
        ("SELECT ? AS x", "SELECT ? AS x"),
        ("SELECT CURRENT_USER, 'x -> y'", "SELECT kdb_current_user('root'), 'x -> y'"),
        ("SELECT current_role()", "SELECT kdb_current_role('system')"),
        ("SELECT 'by current_user'", "SELECT 'by KDB_CURRENT_USER()'"),
        ("SELECT ULID() FROM t", "SELECT ulid(random()) FROM t"),
        ("SELECT 1", "SELECT 1"),
    ],
)
def test_rewrite(sql, rewritten):
    assert rewrite(sql, ROOT) == rewritten


def test_names_of_rewritten_columns():
    assert server_name('kdb_current_user(Utf8("root"))') == "kdb_current_user()"
    assert server_name("ulid(random())") == "ulid()"
    assert server_name("count(*)") == "count(*)"


def test_tokens_know_their_place_and_value():
    tokens = tokenize("a ->> 'x' /* c */ E'\\n' \"B\"")
    assert [token.text for token in tokens] == ["a", "->>", "'x'", "E'\\n'", '"B"']
    assert tokens[2].value == "x"
    assert tokens[3].value == "\n"
    assert tokens[4].name == "B"
