import pytest

from kalam_sandbox.live.query import InvalidQuery, LiveQuery, parse_live_query

ONLY = "Invalid SQL: Invalid SQL: Subscription query supports only SELECT ... FROM ... [WHERE ...]."
NOT = (
    "Invalid SQL: Invalid SQL: Subscription query does not support {}. "
    "Only SELECT ... FROM ... [WHERE ...] is supported."
)
SIMPLE = "Invalid SQL: Invalid SQL: Subscription query supports only simple SELECT statements."


@pytest.mark.parametrize(
    ("sql", "query"),
    [
        ("SELECT * FROM ws.t", LiveQuery("ws", "t", None, None)),
        ("select *, id from ws.t;", LiveQuery("ws", "t", None, None)),
        ("SELECT x.* FROM ws.t AS x", LiveQuery("ws", "t", None, None)),
        ('SELECT id, "body" FROM "ws"."t" a', LiveQuery("ws", "t", ("id", "body"), None)),
        ("SELECT ID, t.n, ws.t.n FROM ws.t", LiveQuery("ws", "t", ("ID", "t.n", "ws.t.n"), None)),
        ("SELECT id AS x, n y FROM ws.t", LiveQuery("ws", "t", ("x", "y"), None)),
        ("SELECT id+1, f(a, b) FROM ws.t", LiveQuery("ws", "t", ("id+1", "f(a, b)"), None)),
        ("SELECT CASE WHEN n = 1 THEN 2 END, n IS NULL FROM ws.t",
         LiveQuery("ws", "t", ("CASE WHEN n = 1 THEN 2 END", "n IS NULL"), None)),
        ("SELECT * FROM WS.T WHERE n=1 -- why\n AND /* x */ room = 'a;b' ;",
         LiveQuery("ws", "t", None, "n=1 AND room = 'a;b'")),
        ("SELECT * FROM ws.t WHERE n IS DISTINCT FROM 1 AND m IN (SELECT a FROM b ORDER BY c LIMIT 1)",
         LiveQuery("ws", "t", None, "n IS DISTINCT FROM 1 AND m IN (SELECT a FROM b ORDER BY c LIMIT 1)")),
    ],
)  # fmt: skip
def test_queries_are_taken_apart(sql, query):
    assert parse_live_query(sql) == query


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM ws.t ORDER BY id", NOT.format("ORDER BY")),
        ("SELECT * FROM ws.t ORDER BY id LIMIT 5", NOT.format("ORDER BY")),
        ("SELECT * FROM ws.t LIMIT 5", ONLY),
        ("SELECT * FROM ws.t WHERE n = 1 OFFSET 5", ONLY),
        ("SELECT DISTINCT n FROM ws.t", ONLY),
        ("SELECT n FROM ws.t GROUP BY n HAVING n > 1", ONLY),
        ("SELECT n FROM ws.t GROUP BY n", NOT.format("GROUP BY")),
        ("WITH a AS (SELECT 1) SELECT * FROM ws.t", NOT.format("WITH clauses")),
        ("SELECT a.id FROM ws.t a JOIN ws.t b ON a.id=b.id", NOT.format("JOIN clauses")),
        ("SELECT * FROM ws.t UNION SELECT * FROM ws.t", SIMPLE),
        ("(SELECT * FROM ws.t)", SIMPLE),
        ("SELECT * FROM ws.t, ws.u",
         "Invalid SQL: Invalid SQL: Subscription query requires exactly one table in the FROM clause."),
        ("SELECT 1",
         "Invalid SQL: Invalid SQL: Subscription query requires exactly one table in the FROM clause."),
        ("SELECT * FROM (SELECT * FROM ws.t) x",
         "Invalid SQL: Invalid SQL: Subscription query requires a direct table reference in FROM."),
        ("SELECT id, _seq FROM ws.t",
         "Invalid SQL: Invalid SQL: Subscription query cannot project system columns '_seq' or '_deleted'."),
        ("SELECT ws.t._DELETED AS gone FROM ws.t",
         "Invalid SQL: Invalid SQL: Subscription query cannot project system columns '_seq' or '_deleted'."),
        ("SELECT * FROM t", "Invalid SQL: Query must use namespace.table format"),
        ("DELETE FROM ws.t",
         "Invalid SQL: Invalid SQL: Only SELECT queries are supported for subscriptions"),
        ("SELECT * FROM ws.t; SELECT 1",
         "Invalid SQL: Invalid SQL: Subscription query must contain exactly one SELECT statement"),
        (" -- nothing", "Invalid SQL: Invalid SQL: Empty SQL statement"),
    ],
)  # fmt: skip
def test_other_shapes_are_refused_in_the_servers_words(sql, message):
    with pytest.raises(InvalidQuery) as caught:
        parse_live_query(sql)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM ws.t WHERE room = 'open",
        "SELECT * FROM ws.t WHERE",
        "SELECT FROM ws.t",
        "SELECT id,, n FROM ws.t",
        "SELECT * FROM ws.t a b c",
        "SELECT (id FROM ws.t",
        "SELECT * FROM ws.t WHERE n = 1) OR (1 = 1",
    ],
)
def test_what_is_no_sql_is_a_parse_error(sql):
    with pytest.raises(InvalidQuery, match=r"^Invalid SQL: Parse error: Failed to parse SQL: sql parser error"):
        parse_live_query(sql)
