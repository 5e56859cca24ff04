"""The tokenizer and what is asked of it: statements, tables, qualification, shapes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.sql.shape import impersonation, shape_of
from kalam_notebook.sql.statement import Statement, quote_name
from kalam_notebook.sql.tables import named_alone, qualify, table_names
from kalam_notebook.sql.tokens import Kind, UnreadableSQL, first_token


@pytest.mark.parametrize(
    ("sql", "texts"),
    [
        ("SELECT 'a''b', E'c\\'d', X'ff'", ["SELECT", "'a''b'", ",", "E'c\\'d'", ",", "X'ff'"]),
        ("a -- 'not a string\nb", ["a", "b"]),
        ("a /* x /* nested */ 'y */ b", ["a", "b"]),
        ('SELECT "a""b".c', ["SELECT", '"a""b"', ".", "c"]),
        ("$$a;'b$$ $tag$ $$ $tag$ $12", ["$$a;'b$$", "$tag$ $$ $tag$", "$12"]),
        ("doc->>'k'->0 ? 1.5e3", ["doc", "->>", "'k'", "->", "0", "?", "1.5e3"]),
        ("a::INT<>b!~*c", ["a", "::", "INT", "<>", "b", "!~*", "c"]),
    ],
)
def test_tokens(sql, texts):
    assert [token.text for token in Statement.of(sql).tokens] == texts


@pytest.mark.parametrize("sql", ["'open", '"open', "/* open", "$$ open", "\x01"])
def test_what_cannot_be_read_is_said(sql):
    with pytest.raises(UnreadableSQL):
        _ = Statement.of(sql).tokens
    assert not Statement.of(sql).is_repeatable
    assert shape_of(sql) is None


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        tokens = Statement.of(text).tokens
    except UnreadableSQL:
        return
    assert all(text[token.start : token.end] == token.text for token in tokens)
    assert all(isinstance(token.kind, Kind) for token in tokens)


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("SELECT 1", ["SELECT 1"]),
        (";; SELECT ';' ; -- x;\n SELECT 2;", ["SELECT ';'", "-- x;\n SELECT 2"]),
        (" ; /* only */ ;", []),
    ],
)
def test_statements(sql, statements):
    assert Statement.of(sql).statements == tuple(statements)


class Looked(tuple):
    """Tokens that count how many of them are looked at."""

    count = 0

    def __iter__(self):
        Looked.count += len(self)
        return super().__iter__()

    def __getitem__(self, place):
        found = super().__getitem__(place)
        Looked.count += len(found) if isinstance(place, slice) else 1
        return found


def test_cutting_many_statements_looks_at_each_token_a_few_times():
    text = Statement("INSERT INTO t (id) VALUES (1); " * 1000)
    text.__dict__["_read"] = Looked(text.tokens)
    Looked.count = 0
    assert len(text.statements) == 1000
    assert Looked.count < 5 * len(text.tokens)


@pytest.mark.parametrize(
    ("sql", "qualified"),
    [
        ("SELECT * FROM t", "SELECT * FROM app.t"),
        ("SELECT * FROM a, b x JOIN c.d ON b.i = d.i", "SELECT * FROM app.a, app.b x JOIN c.d ON b.i = d.i"),
        ("WITH q AS (SELECT 1 FROM t) SELECT * FROM q, u", "WITH q AS (SELECT 1 FROM app.t) SELECT * FROM q, app.u"),
        ("INSERT INTO t (a) VALUES ('FROM x')", "INSERT INTO app.t (a) VALUES ('FROM x')"),
        ("CREATE TABLE IF NOT EXISTS t (a INT)", "CREATE TABLE IF NOT EXISTS app.t (a INT)"),
        ("UPDATE t SET a = 1 WHERE b", "UPDATE app.t SET a = 1 WHERE b"),
        ("DELETE FROM t WHERE a IS DISTINCT FROM b", "DELETE FROM app.t WHERE a IS DISTINCT FROM b"),
        ("SELECT * FROM generate_series(1, 2), t", "SELECT * FROM generate_series(1, 2), app.t"),
        ("SELECT a FROM (SELECT b FROM t) q", "SELECT a FROM (SELECT b FROM app.t) q"),
        ("SELECT trim(both FROM x) FROM t", "SELECT trim(both FROM x) FROM app.t"),
        ("DROP TABLE t; DESCRIBE TABLE t", "DROP TABLE app.t; DESCRIBE TABLE app.t"),
        ("DESCRIBE t; DESC t", "DESCRIBE app.t; DESC app.t"),
        ("SELECT a FROM t ORDER BY a DESC, b", "SELECT a FROM app.t ORDER BY a DESC, b"),
        ("SHOW COLUMNS FROM t; SHOW TABLES FROM ns", "SHOW COLUMNS FROM app.t; SHOW TABLES FROM ns"),
        ("CREATE OR REPLACE VIEW v AS SELECT a FROM t", "CREATE OR REPLACE VIEW app.v AS SELECT a FROM app.t"),
        ("DROP VIEW IF EXISTS v", "DROP VIEW IF EXISTS app.v"),
        ("CREATE INDEX i ON t (a)", "CREATE INDEX i ON app.t (a)"),
        (
            "CREATE TABLE t WITH (TYPE = 'USER') AS SELECT * FROM u",
            "CREATE TABLE app.t WITH (TYPE = 'USER') AS SELECT * FROM app.u",
        ),
        (
            "ALTER TOPIC a.x ADD SOURCE t ON UPDATE WITH (payload = 'key')",
            "ALTER TOPIC a.x ADD SOURCE app.t ON UPDATE WITH (payload = 'key')",
        ),
        ("SELECT a FROM (t JOIN u USING (a, b)), c", "SELECT a FROM (app.t JOIN app.u USING (a, b)), app.c"),
        (
            "SELECT a FROM ((t CROSS JOIN u) JOIN c ON true)",
            "SELECT a FROM ((app.t CROSS JOIN app.u) JOIN app.c ON true)",
        ),
        ("SELECT a FROM ONLY t", "SELECT a FROM ONLY app.t"),
        ("SELECT a FROM t WHERE a IN (FROM u)", "SELECT a FROM app.t WHERE a IN (FROM app.u)"),
        ("SELECT a FROM t WHERE a IN (TABLE u)", "SELECT a FROM app.t WHERE a IN (TABLE app.u)"),
        ("WITH t AS (SELECT * FROM t) SELECT * FROM t", "WITH t AS (SELECT * FROM app.t) SELECT * FROM t"),
        (
            "WITH q AS (SELECT 1), r(a) AS (SELECT * FROM q, r) SELECT * FROM r",
            "WITH q AS (SELECT 1), r(a) AS (SELECT * FROM q, app.r) SELECT * FROM r",
        ),
        (
            "WITH q AS NOT MATERIALIZED (SELECT * FROM t) SELECT * FROM q",
            "WITH q AS NOT MATERIALIZED (SELECT * FROM app.t) SELECT * FROM q",
        ),
        (
            "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT * FROM n",
            "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT * FROM n",
        ),
        (
            "SELECT * FROM (WITH q AS (SELECT 1) SELECT * FROM q) x, q",
            "SELECT * FROM (WITH q AS (SELECT 1) SELECT * FROM q) x, app.q",
        ),
        (
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 1",
            "INSERT INTO app.t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 1",
        ),
        ("SELECT * FROM t FOR UPDATE", "SELECT * FROM app.t FOR UPDATE"),
        ("SELECT * FROM a, TABLE(f(1)) AS g, c", "SELECT * FROM app.a, TABLE(f(1)) AS g, app.c"),
        ("CREATE INDEX IF NOT EXISTS i ON t (a)", "CREATE INDEX IF NOT EXISTS i ON app.t (a)"),
        ("DROP INDEX i ON t", "DROP INDEX i ON app.t"),
        ("DROP TABLE IF EXISTS a, b", "DROP TABLE IF EXISTS app.a, app.b"),
        ("ALTER VIEW v RENAME TO w", "ALTER VIEW app.v RENAME TO app.w"),
        ("ALTER TABLE t RENAME COLUMN a TO b", "ALTER TABLE app.t RENAME COLUMN a TO b"),
        ("CREATE TABLE t (a INT REFERENCES u(id))", "CREATE TABLE app.t (a INT REFERENCES app.u(id))"),
        ("DELETE FROM t USING u, w WHERE t.a = u.a", "DELETE FROM app.t USING app.u, app.w WHERE t.a = u.a"),
        ("TRUNCATE t, u", "TRUNCATE app.t, app.u"),
        ("GRANT SELECT ON t, u TO bob, ann", "GRANT SELECT ON app.t, app.u TO bob, ann"),
        ("GRANT ALL ON NAMESPACE n TO bob", "GRANT ALL ON NAMESPACE n TO bob"),
        ("REVOKE SELECT ON TABLE t FROM bob", "REVOKE SELECT ON TABLE app.t FROM bob"),
        ("CREATE POLICY p ON t USING (a = 1)", "CREATE POLICY p ON app.t USING (a = 1)"),
        (
            "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN UPDATE SET a = 1",
            "MERGE INTO app.t USING app.u ON t.a = u.a WHEN MATCHED THEN UPDATE SET a = 1",
        ),
        (
            "SELECT t.references, policy FROM t JOIN u USING (a), v",
            "SELECT t.references, policy FROM app.t JOIN app.u USING (a), app.v",
        ),
    ],
)
def test_names_are_qualified_where_tables_stand(sql, qualified):
    assert qualify(sql, "app") == qualified


@pytest.mark.parametrize("sql", ["SELECT * FROM 'file'", "SELECT * FROM $1", "SELECT * FROM t JOIN [1]"])
def test_what_is_not_a_table_is_not_passed_over(sql):
    with pytest.raises(UnreadableSQL, match="A table was expected"):
        table_names(sql)


def test_quoted_and_folded_names():
    names = table_names('SELECT * FROM App."My Table" JOIN "x" ON true')
    assert [(name.namespace, name.table) for name in names] == [("app", "My Table"), (None, "x")]
    assert qualify("SELECT * FROM t", "My ns") == 'SELECT * FROM "My ns".t'
    assert quote_name("plain_1") == "plain_1"


@pytest.mark.parametrize(
    ("sql", "repeatable"),
    [
        ("SELECT 1", True),
        ("  -- c\n WITH a AS (SELECT 1) SELECT * FROM a;", True),
        ("SHOW TABLES", True),
        ("BEGIN; SELECT 1; WITH a AS (SELECT 1) SELECT * FROM a; COMMIT", True),
        ("BEGIN; SELECT 1; INSERT INTO t VALUES (1); COMMIT", False),
        ("SELECT 1; SELECT 2", False),
        ("SELECT 1; INSERT INTO t VALUES (1)", False),
        ("INSERT INTO t VALUES (1)", False),
        ("EXPLAIN DELETE FROM t WHERE a > 0", False),  # Runs it (truth L26).
        ("SELECT * INTO x FROM t", False),
        ("CONSUME FROM app.t GROUP 'g'", False),
        ("", False),
    ],
)
def test_only_single_reads_are_repeatable(sql, repeatable):
    assert Statement.of(sql).is_repeatable is repeatable


@pytest.mark.parametrize(
    ("sql", "plain", "limits", "order"),
    [
        ("SELECT * FROM t", True, False, ()),
        ("SELECT a, t.b AS c FROM ns.t t ORDER BY c DESC NULLS LAST LIMIT 3", True, True, ("c",)),
        ("SELECT a FROM t WHERE b IN (SELECT c FROM u LIMIT 2)", True, False, ()),
        ("SELECT a + 1 FROM t", False, False, ()),
        ("SELECT a FROM (SELECT now() AS a) q", False, False, ()),
        ("SELECT a FROM t UNION ALL SELECT b FROM u", False, False, ()),
        ("SELECT DISTINCT a FROM t", False, False, ()),
        ("SELECT CURRENT_DATE FROM t", False, False, ()),
        ("SELECT a FROM t ORDER BY a + 1", True, False, None),
        ("SELECT a, row_number() OVER (ORDER BY b) FROM t", False, False, ()),
        ("SELECT a FROM t OFFSET 5", True, True, ()),
    ],
)
def test_shapes(sql, plain, limits, order):
    shape = shape_of(sql)
    assert shape is not None
    assert shape.is_select
    assert (shape.is_plain, shape.limits_top, shape.order_by) == (plain, limits, order)


@pytest.mark.parametrize(
    ("sql", "is_read_so"),
    [
        ("SELECT a FROM t WHERE (b = 1) AND c IN (1, 2)", True),
        ("SELECT a FROM t x WHERE x.b = $1", True),
        ("SELECT a FROM t WHERE b IN (SELECT c FROM u)", False),
        ("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u)", False),
        ("SELECT a FROM t WHERE b IN (TABLE u)", False),
        ("SELECT a FROM t WHERE b IN (FROM u)", False),
        ("SELECT a FROM t ORDER BY a", False),
    ],
)
def test_what_can_be_read_by_seq(sql, is_read_so):
    shape = shape_of(sql)
    assert shape is not None
    assert (shape.clauses is not None) is is_read_so


def test_what_is_not_one_select():
    assert shape_of("SELECT 1; SELECT 2") is None
    assert shape_of("") is None
    show = shape_of("SHOW TABLES;")
    assert show is not None
    assert not show.is_select
    assert show.text == "SHOW TABLES"
    into = shape_of("SELECT * INTO x FROM t")
    assert into is not None
    assert not into.is_select


def test_of_a_long_text_that_writes_only_the_first_word_is_read():
    text = "/* rows */ INSERT INTO app.t (id) VALUES (1), \\ this cannot be read"
    assert str(first_token(text).text) == "INSERT"
    assert not Statement.of(text).is_repeatable
    assert first_token(" -- nothing") is None


@pytest.mark.parametrize(
    ("sql", "envelope"),
    [
        ("EXECUTE AS USER 'al' (SELECT 1)", "EXECUTE AS USER 'al'"),
        ("EXECUTE AS USER al (SELECT 1);", "EXECUTE AS USER al"),
        ("execute as 'al'(SELECT 1)", "execute as 'al'"),
        ("EXECUTE AS al (SELECT 1)", "EXECUTE AS al"),
    ],
)
def test_the_envelope_of_both_generations(sql, envelope):
    found, inner = impersonation(sql)
    assert (found, str(inner).strip()) == (envelope, "SELECT 1")


@pytest.mark.parametrize(
    "sql", ["EXECUTE AS", "EXECUTE AS 'al'", "EXECUTE AS 'al' (SELECT 1", "EXECUTE AS USER (SELECT 1)"]
)
def test_what_is_no_envelope(sql):
    assert impersonation(sql) is None


@pytest.mark.parametrize(
    ("text", "namespace", "table"),
    [
        ("app.orders", "app", "orders"),
        ("App . Orders", "app", "orders"),
        ('"app"."orders"', "app", "orders"),
        ('app."Or.ders"', "app", "Or.ders"),
        (" orders ", None, "orders"),
    ],
)
def test_a_name_alone(text, namespace, table):
    name = named_alone(text)
    assert name is not None
    assert (name.namespace, name.table) == (namespace, table)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "app.", ".orders", "app..orders", "a.b.c", "orders o", "app.orders o", "a, b", "a.b, c",
        "orders;", "(SELECT 1)", "f(1)",
        "'a'", '""', 'app.""', "app.'a'", "1", "app.1", "a.b.c.d", "a b.c", '"a', "/* a",
    ],
)  # fmt: skip
def test_more_than_a_name(text):
    assert named_alone(text) is None
