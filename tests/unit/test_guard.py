"""The guard: statements that the server carries out otherwise than they read."""

import contextlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.errors import KalamError, ServerError, UnsafeStatementError
from kalam_notebook.sql.guard import check_statements


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM app.t WHERE id IN (SELECT id FROM app.u)",
        "delete from app.t where id = (select max(id) from app.t)",
        "DELETE FROM app.t WHERE n > 0 AND EXISTS (SELECT 1 FROM app.u WHERE app.u.id = app.t.id)",
        "DELETE FROM app.t WHERE NOT id IN ((SELECT id FROM app.u))",
        "DELETE FROM app.t WHERE id IN (VALUES (1), (2))",
        "DELETE FROM app.t WHERE id IN (WITH x AS (SELECT 1 AS a) SELECT a FROM x)",
        "DELETE FROM app.t WHERE id IN (TABLE keys)",
        "UPDATE app.t SET n = 1 WHERE id IN (SELECT id FROM app.u)",
        "UPDATE app.t AS x SET n = 1, m = 'WHERE' WHERE id > (SELECT avg(id) FROM app.u)",
        "SELECT 1; /* ; */ DELETE FROM app.t WHERE id IN (/* c */ SELECT id FROM app.u);",
        "WITH k AS (SELECT id FROM app.u) DELETE FROM app.t WHERE id IN (SELECT id FROM k)",
        "EXECUTE AS USER 'alice' (DELETE FROM app.t WHERE id IN (SELECT id FROM app.u))",
        "EXECUTE AS 'alice' (UPDATE app.t SET n = 1 WHERE id = (SELECT 1))",
        "BEGIN; UPDATE app.t SET n = 1 WHERE id IN (SELECT id FROM app.u); COMMIT",
    ],
)
def test_a_subquery_in_where_is_refused(sql):
    with pytest.raises(UnsafeStatementError, match="ignores the sub-query in the WHERE") as caught:
        check_statements(sql)
    error = caught.value
    assert "app.t" in error.reason
    assert "app.t" in error.safe_form
    assert "= $1" in error.safe_form
    assert len(str(error).splitlines()) == 3
    assert "allow_unsafe=True" in str(error)


@pytest.mark.parametrize(
    "sql",
    [
        'INSERT INTO "" (id) VALUES (1)',
        'INSERT INTO app."" (id) VALUES (1)',
        'UPDATE "" SET n = 1',
        'DELETE FROM ""',
        'USE ""',
        "CREATE USER '' WITH PASSWORD 'x'",
        "DROP USER ''",
        "CONSUME FROM app.topic GROUP '' LIMIT 1",
        "EXECUTE AS USER 'ann' (INSERT INTO \"\" (id) VALUES (1))",
    ],
)
def test_an_empty_name_is_refused(sql):
    """It ends the server's process (truth L34)."""
    with pytest.raises(UnsafeStatementError, match="a name in it is empty") as caught:
        check_statements(sql)
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO app.t (id, t) VALUES (1, '')",
        "UPDATE app.t SET t = '' WHERE t = '\"\"'",
        'SELECT t AS "" FROM app.t GROUP BY 1',
        "SELECT '' AS t",
    ],
)
def test_an_empty_text_is_no_name(sql):
    check_statements(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM app.t WHERE n > 0 LIMIT 1",
        "DELETE FROM app.t WHERE n > 0 ORDER BY id LIMIT $1",
        "DELETE FROM app.t LIMIT 1",
        "EXECUTE AS USER alice (DELETE FROM app.t WHERE n > 0 LIMIT 1)",
        "DELETE FROM app.t -- all\nWHERE n > 0\nLIMIT 1;",
    ],
)
def test_delete_with_limit_is_refused(sql):
    with pytest.raises(UnsafeStatementError, match="ignores the LIMIT of DELETE") as caught:
        check_statements(sql)
    assert "DELETE FROM app.t WHERE key = $1" in caught.value.safe_form


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("EXPLAIN DELETE FROM app.t WHERE id = 1", "DELETE"),
        ("EXPLAIN ANALYZE VERBOSE UPDATE app.t SET n = 1 WHERE id = 1", "UPDATE"),
        ("explain format tree insert into app.t (id) values (1)", "INSERT"),
        ("EXPLAIN (ANALYZE, VERBOSE) INSERT INTO app.t (id) SELECT id FROM app.u", "INSERT"),
        ("DESCRIBE DELETE FROM app.t WHERE id = 1", "DELETE"),
        ("DESC UPDATE app.t SET n = 1 WHERE id = 1", "UPDATE"),
        ("EXECUTE AS USER 'a' (EXPLAIN DELETE FROM app.t WHERE id = 1)", "DELETE"),
    ],
)
def test_explain_of_a_statement_that_writes_is_refused(sql, word):
    with pytest.raises(UnsafeStatementError, match=f"carries out the {word} on app.t") as caught:
        check_statements(sql)
    assert caught.value.safe_form.startswith("EXPLAIN SELECT * FROM app.t")


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM app.t WHERE id IN (1, 2, 3)",
        "DELETE FROM app.t WHERE t = 'x LIMIT 1' AND (n > 0 OR n < 5)",
        "DELETE FROM app.t WHERE t = 'a (SELECT 1)' -- (SELECT 2) LIMIT 1",
        'DELETE FROM app.t WHERE "select" = 1 AND "limit" = 2',
        "UPDATE app.t SET t = $$ WHERE (SELECT 1) $$ WHERE id = 1",
        "UPDATE app.t SET n = n + 1, t = upper(t) WHERE length(t) > 3",
        "SELECT * FROM app.t WHERE id IN (SELECT id FROM app.u) LIMIT 5",
        "DELETE FROM app.t WHERE id = 1; SELECT * FROM app.t LIMIT 5",
        "SELECT 1 LIMIT 1; DELETE FROM app.t WHERE id = 1; SELECT 1 LIMIT 1",
        "INSERT INTO app.t (id) SELECT id FROM app.u WHERE id IN (SELECT id FROM app.v) LIMIT 5",
        "EXPLAIN SELECT * FROM app.t WHERE t = 'DELETE'",
        "EXPLAIN SELECT * FROM app.t FOR UPDATE",
        'EXPLAIN ANALYZE SELECT "update" FROM app.t',
        "DESCRIBE TABLE app.t",
        "EXECUTE AS USER 'alice' (DELETE FROM app.t WHERE id = 1)",
        "",
        ";;",
        "EXECUTE",
        "UPDATE",
        "DELETE",
        "EXPLAIN",
    ],
)
def test_everything_else_passes(sql):
    check_statements(sql)


def test_the_safe_form_keeps_a_short_set_clause():
    with pytest.raises(UnsafeStatementError) as caught:
        check_statements("UPDATE app.t\n SET n = 1,\n m = 2 WHERE id IN (SELECT id FROM app.u)")
    assert "UPDATE app.t SET n = 1, m = 2 WHERE key = $1" in caught.value.safe_form
    with pytest.raises(UnsafeStatementError) as caught:
        check_statements(f"UPDATE app.t SET t = '{'x' * 200}' WHERE id IN (SELECT id FROM app.u)")
    assert "UPDATE app.t SET … WHERE key = $1" in caught.value.safe_form


def test_the_statement_that_is_to_blame_is_named():
    bad = "DELETE FROM app.t WHERE n > 0 LIMIT 1"
    with pytest.raises(UnsafeStatementError) as caught:
        check_statements(f"SELECT 1; {bad}; SELECT 2")
    assert caught.value.sql == bad
    assert isinstance(caught.value, KalamError)
    assert not isinstance(caught.value, ServerError)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.sql) == (str(caught.value), bad)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM `app`.`t` WHERE id IN (SELECT id FROM app.u)",
        "DELETE FROM `app`.`t` WHERE n > 0 LIMIT 1",
        "EXPLAIN INSERT INTO `app`.`t` (id) VALUES (1)",
        "UPDATE app.t SET t = 'open WHERE id IN (SELECT 1)",
    ],
)
def test_a_text_that_cannot_be_read_is_refused_when_it_holds_the_words(sql):
    with pytest.raises(UnsafeStatementError, match="cannot be read well enough") as caught:
        check_statements(sql)
    assert "backticks" in caught.value.safe_form


@pytest.mark.parametrize("sql", ["DELETE FROM `app`.`t` WHERE id = 1", "SELECT 'open", "UPDATE app.t SET t = 'open"])
def test_other_texts_that_cannot_be_read_are_left_to_the_server(sql):
    check_statements(sql)


@given(st.text(alphabet="DELETFROMUPASWH ()'\";-/*$1LIMSEC`\n", max_size=60))
def test_any_text_passes_or_is_refused(text):
    with contextlib.suppress(UnsafeStatementError):
        check_statements(text)
