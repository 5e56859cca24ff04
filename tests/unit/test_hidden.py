"""Which columns of a ``*`` are shown: all that the table's maker gave it, and what somebody named."""

import pytest

from kalam_notebook.sql.hidden import shown_places

HIDDEN = ["id", "n", "_seq", "_deleted"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM app.t",
        "select * from app.t;",
        "(SELECT * FROM app.t)",
        "SELECT t.* FROM app.t",
        "SELECT app.t.* FROM app.t",
        "SELECT x.* FROM app.t AS x",
        "SELECT * FROM app.t WHERE _seq > 5 ORDER BY _seq DESC LIMIT 3",
        "SELECT * FROM app.t WHERE _deleted",
        "SELECT * FROM app.t WHERE id IN (SELECT id FROM app.u WHERE _seq > 1)",
        "SELECT * FROM (SELECT * FROM app.t)",
        "SELECT * FROM (SELECT * FROM app.t WHERE _seq > 1) AS q",
        "SELECT q.* FROM ((SELECT * FROM app.t)) q",
        "WITH c AS (SELECT * FROM app.t) SELECT * FROM c",
        "WITH c AS (SELECT * FROM app.t), d AS (SELECT * FROM c) SELECT d.* FROM d WHERE d._seq > 0",
        "WITH RECURSIVE c AS (SELECT * FROM app.t) SELECT * FROM c",
        "SELECT * FROM app.t UNION ALL SELECT * FROM app.u",
        "SELECT * REPLACE (n + 1 AS n) FROM app.t",
        "SELECT DISTINCT ON (n) * FROM app.t",
        "SELECT ALL * FROM app.t",
        "SELECT * FROM app.t a LEFT SEMI JOIN app.u b ON a._seq = b._seq",
        "SELECT * FROM app.t /* _seq */ -- _seq",
        'SELECT * FROM "app"."t"',
    ],
)
def test_hidden_columns_of_a_star_are_left_out(sql):
    assert shown_places(sql, HIDDEN) == [0, 1]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, n, _seq, _deleted FROM app.t",
        "SELECT id, n, t._seq, t._deleted FROM app.t",
        "SELECT id, n, max(id) AS _seq, true _deleted FROM app.t",
        "SELECT * FROM (SELECT id, n, _seq, _deleted FROM app.t)",
        "WITH c AS (SELECT id, n, _seq, _deleted FROM app.t) SELECT * FROM c",
        "WITH c(id, n, _seq, _deleted) AS (SELECT * FROM app.t) SELECT * FROM c",
        "SELECT * FROM (SELECT * FROM app.t) AS q(id, n, _seq, _deleted)",
        "SELECT * FROM (VALUES (1, 2, 3, true)) AS q(id, n, _seq, _deleted)",
        # Rows are compared by them.
        "SELECT DISTINCT * FROM app.t",
        "SELECT * FROM app.t UNION SELECT * FROM app.u",
        "SELECT * FROM app.t EXCEPT SELECT * FROM app.u",
        "SELECT * FROM app.t EXCEPT (SELECT * FROM app.u)",
        "SELECT * FROM app.t INTERSECT SELECT * FROM app.u",
        "SELECT * FROM app.t UNION ALL SELECT * FROM app.u UNION SELECT * FROM app.v",
        "SELECT * FROM app.t NATURAL JOIN app.u",
        "SELECT * FROM (SELECT DISTINCT * FROM app.t)",
        # Somebody counted them.
        "SELECT * FROM app.t UNION ALL SELECT 1, 2, 3, false",
        # Not understood.
        "SHOW TABLES",
        "SELECT * FROM (SELECT * FROM app.t",
        "SELECT * FROM 'open",
        "",
    ],
)
def test_hidden_columns_stay_where_they_are_named_or_have_a_part(sql):
    assert shown_places(sql, HIDDEN) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("sql", "names", "shown"),
    [
        ("SELECT *, _seq AS s FROM app.t", "id _seq _deleted s", "id s"),
        ("SELECT *, 1 + _seq FROM app.t", "id _seq _deleted x", "id x"),
        ("SELECT _seq AS _v, * FROM app.t", "_v id _seq _deleted", "_v id"),
        ("SELECT *, x._seq FROM app.t x JOIN app.u y USING (id)", "id _seq _deleted n _seq _deleted _seq", "id n _seq"),
        ("SELECT a.*, b._seq FROM app.t a, app.u b", "id _seq _deleted _seq", "id _seq"),
        ("SELECT a.*, b.* FROM app.t a CROSS JOIN app.u b", "id _seq _deleted m _seq _deleted", "id m"),
        (
            "SELECT * FROM app.t a JOIN (SELECT id, _seq FROM app.u) b ON a.id = b.id",
            "id _seq _deleted id _seq",
            "id id _seq",
        ),
        ("SELECT b.* FROM app.t a JOIN (SELECT id, _seq FROM app.u) b ON a.id = b.id", "id _seq", "id _seq"),
        ("SELECT * FROM (app.t a LEFT JOIN app.u b ON a.id = b.id)", "id _seq _deleted id _seq _deleted", "id id"),
        ("SELECT * EXCLUDE (n) FROM app.t", "id _seq _deleted", "id"),
        ("SELECT * EXCEPT (n) FROM app.t", "id _seq _deleted", "id"),
        ("SELECT * EXCLUDE (_seq) FROM app.t", "id _deleted", "id"),
        ("SELECT * REPLACE (1 AS _seq) FROM app.t", "id _seq _deleted", "id _seq"),
        # Columns that were added stand behind.
        ("SELECT * FROM app.t", "id _seq _deleted late", "id late"),
        # From 0.7.1 on; a table of several brings more than another one.
        ("SELECT * FROM app.t", "id _version _deleted", "id"),
        ("SELECT * FROM app.s", "id _version _deleted _timestamp", "id"),
        ("SELECT * FROM app.s", "id _timestamp _version _deleted", "id"),
        (
            "SELECT * FROM app.s a JOIN app.t b ON a.id = b.id",
            "id _version _deleted _timestamp id _version _deleted",
            "id id",
        ),
        ("SELECT *, n AS _timestamp FROM app.t", "id _version _deleted _timestamp", "id _timestamp"),
        ("SELECT *, _version AS v FROM app.t", "id _version _deleted v", "id v"),
        ("SELECT * EXCLUDE (_version) FROM app.t", "id _deleted", "id"),
        ("SELECT _version, * FROM app.t", "_version id _version _deleted", "_version id"),
        # A view brings what it has named.
        ("SELECT * FROM app.v", "id _seq", "id _seq"),
        ("SELECT * FROM app.v", "id _version", "id _version"),
        ("SELECT * FROM app.v", "_seq id _deleted", "_seq id _deleted"),
        ("SELECT * FROM app.v v JOIN app.t t ON v.id = t.id", "id _version id _seq _deleted", "id _version id"),
        ("SELECT * FROM app.v v JOIN app.t t ON v.id = t.id", "id _x _seq id _seq _deleted", "id _x _seq id"),
        ("SELECT * FROM system.tables", "table_name", "table_name"),
        ("SELECT * FROM app.t, generate_series(1, 2)", "id _seq _deleted value", "id value"),
    ],
)
def test_what_is_named_beside_a_star_stays(sql, names, shown):
    given = names.split()
    assert [given[place] for place in shown_places(sql, given)] == shown.split()
