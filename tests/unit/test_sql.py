"""The tokenizer and what is asked of it: statements, tables, qualification, shapes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.wire.shape import shape_of
from kalam_notebook.wire.sql import (
    Kind,
    UnreadableSQL,
    is_repeatable,
    qualify,
    quote_name,
    split_statements,
    table_names,
    tokenize,
)


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
    assert [token.text for token in tokenize(sql)] == texts


@pytest.mark.parametrize("sql", ["'open", '"open', "/* open", "$$ open", "\x01"])
def test_what_cannot_be_read_is_said(sql):
    with pytest.raises(UnreadableSQL):
        tokenize(sql)
    assert not is_repeatable(sql)
    assert shape_of(sql) is None


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        tokens = tokenize(text)
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
    assert split_statements(sql) == statements


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
    ],
)
def test_names_are_qualified_where_tables_stand(sql, qualified):
    assert qualify(sql, "app") == qualified


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
        ("SELECT 1; INSERT INTO t VALUES (1)", False),
        ("INSERT INTO t VALUES (1)", False),
        ("EXPLAIN DELETE FROM t WHERE a > 0", False),  # Runs it (truth L26).
        ("SELECT * INTO x FROM t", False),
        ("CONSUME FROM app.t GROUP 'g'", False),
        ("", False),
    ],
)
def test_only_single_reads_are_repeatable(sql, repeatable):
    assert is_repeatable(sql) is repeatable


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
