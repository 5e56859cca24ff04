"""Queries written so that their sorts and groups of NULL are kept; that they are is seen in ``tests/client``."""

import pytest

from kalam_notebook.sql.sorts import NO_LIMIT, keep_sorts


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("SELECT DISTINCT c FROM t ORDER BY c", "SELECT DISTINCT c FROM t ORDER BY c, (c) IS NULL"),
        (
            "SELECT c, max(n) AS m FROM t GROUP BY c ORDER BY m DESC NULLS LAST LIMIT 5",
            "SELECT c, max(n) AS m FROM t GROUP BY c ORDER BY m DESC NULLS LAST, (m) IS NULL LIMIT 5",
        ),
        (
            "SELECT t.c, max(n) FROM t GROUP BY 1 ORDER BY 2",
            "SELECT t.c, max(n) FROM t GROUP BY 1 ORDER BY 2, (max(n)) IS NULL",
        ),
        ("SELECT t.c FROM t GROUP BY 1 ORDER BY 1", "SELECT t.c FROM t GROUP BY 1 ORDER BY 1, (t.c) IS NULL"),
        (
            'SELECT c AS "C d" FROM t GROUP BY 1 ORDER BY 1',
            'SELECT c AS "C d" FROM t GROUP BY 1 ORDER BY 1, ("C d") IS NULL',
        ),
        (
            "SELECT t.a FROM t UNION SELECT b FROM u ORDER BY 1",
            "SELECT t.a FROM t UNION SELECT b FROM u ORDER BY 1, (a) IS NULL",
        ),
        (
            "(SELECT a FROM t) UNION (SELECT b FROM u) ORDER BY a",
            "(SELECT a FROM t) UNION (SELECT b FROM u) ORDER BY a, (a) IS NULL",
        ),
        (
            "SELECT x FROM (SELECT DISTINCT c AS x FROM t ORDER BY x LIMIT 3) AS q",
            "SELECT x FROM (SELECT DISTINCT c AS x FROM t ORDER BY x, (x) IS NULL LIMIT 3) AS q",
        ),
        (
            "WITH q AS (SELECT DISTINCT c FROM t) SELECT c FROM q ORDER BY lower(c) -- so",
            "WITH q AS (SELECT DISTINCT c FROM t) SELECT c FROM q ORDER BY lower(c), (lower(c)) IS NULL -- so",
        ),
        ("SELECT id FROM t ORDER BY n OFFSET 3", f"SELECT id FROM t ORDER BY n LIMIT {NO_LIMIT} OFFSET 3"),
        ("SELECT id FROM t ORDER BY n LIMIT ALL", f"SELECT id FROM t ORDER BY n LIMIT {NO_LIMIT}"),
        ("select id from t order by n limit all offset 3", f"select id from t order by n limit {NO_LIMIT} offset 3"),
        (
            "SELECT id FROM (SELECT id FROM t ORDER BY n OFFSET 3) AS q",
            f"SELECT id FROM (SELECT id FROM t ORDER BY n LIMIT {NO_LIMIT} OFFSET 3) AS q",
        ),
    ],
)
def test_what_is_added(sql, written):
    assert keep_sorts(sql) == written
    # Once is enough.
    assert keep_sorts(written) == written


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM t ORDER BY n",
        "SELECT id FROM t ORDER BY n LIMIT 5 OFFSET 3",
        "SELECT id FROM t OFFSET 3",
        "SELECT c, n FROM t GROUP BY c, n ORDER BY c, n",
        "SELECT c, row_number() OVER (ORDER BY c) FROM t GROUP BY c",
        "SELECT array_agg(x ORDER BY x) FROM t GROUP BY y",
        "SELECT DISTINCT 'ORDER BY c' FROM t",
        "SELECT * FROM t GROUP BY 1 ORDER BY 1",
        "SELECT a + 1 FROM t UNION SELECT b FROM u ORDER BY 1",
        "SELECT c FROM t GROUP BY c ORDER BY 7",
        "SELECT 'unclosed ORDER BY",
        "ORDER BY",
        "SELECT ORDER BY",
        "SELECT DISTINCT c FROM t ORDER BY",
        "SELECT DISTINCT c FROM t ORDER BY c LIMIT",
        "INSERT INTO t SELECT 1",
    ],
)
def test_what_is_left_as_it_is(sql):
    assert keep_sorts(sql) in (sql, f"{sql[:-6]}, (c) IS NULL LIMIT" if sql.endswith("LIMIT") else sql)
