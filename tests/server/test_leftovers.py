"""What statements leave behind in the engine: nothing, whether they succeed or fail."""

import pytest
from serving import serving

TABLES = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema <> 'information_schema'"


@pytest.fixture(scope="module")
def busy():
    with serving() as served:
        served.sql("CREATE NAMESPACE app")
        served.sql("CREATE TABLE app.t (id BIGINT PRIMARY KEY, d DATE, ts TIMESTAMP, dec DECIMAL(10,2), n INT)")
        served.sql("CREATE TABLE app.u (id BIGINT PRIMARY KEY, x TEXT)")
        served.sql("INSERT INTO app.t (id, n) VALUES (1, 1), (2, 2)")
        served.sql("INSERT INTO app.u (id, x) VALUES (1, 'seven')")
        yield served


def tables(served):
    """What the engine holds: one session serves all requests of a user, one at a time."""
    with served.sandbox.sessions.lend("root") as session:
        rows = session.context.sql(TABLES).to_pylist()
    return {
        f"{row['table_schema']}.{row['table_name']}" for row in rows if row["table_schema"] not in ("system", "dba")
    }


@pytest.mark.parametrize(
    ("sql", "params", "fails"),
    [
        (
            "INSERT INTO app.t (id, d, ts) VALUES (10, '2026-01-01', '2026-01-01'), (11, NULL, NULL)",
            None,
            False,
        ),
        ("INSERT INTO app.t (id, dec) VALUES (12, '1.5'), (13, '2.5')", None, False),
        ("INSERT INTO app.t (id, d) VALUES ($1, $2), ($3, $4)", [14, "2026-01-01", 15, "2026-01-02"], False),
        ("INSERT INTO app.t (id, d) VALUES (20, '2026-01-01'), (21, 'no day')", None, True),
        ("INSERT INTO app.t (id, dec) VALUES (22, '1.5'), (23, 'x')", None, True),
        ("INSERT INTO app.t (id, d) VALUES ($1, $2)", [24, "no day"], True),
        ("INSERT INTO app.t (id, n) VALUES (1, 1), (1, 2)", None, True),
        ("INSERT INTO app.t (id, n) SELECT id + 100, n FROM app.t WHERE id < 3", None, False),
        ("UPDATE app.t SET d = $1 WHERE id = 1", ["2026-05-05"], False),
        ("UPDATE app.t SET d = $1 WHERE id = 1", ["no day"], True),
        ("UPDATE app.t SET d = 'no day' WHERE id = 1", None, True),
        ("DELETE FROM app.t WHERE id = 2", None, False),
        ("SELECT * FROM app.t AS a JOIN app.t AS b ON a.id = b.id JOIN app.t AS c ON a.id = c.id", None, False),
        ("SELECT a.id / 0 FROM app.t AS a JOIN app.t AS b ON a.id = b.id", None, True),
        ("SELECT nope FROM app.t", None, True),
        ("EXPLAIN SELECT * FROM app.t", None, False),
        ("BEGIN; INSERT INTO app.t (id, d) VALUES (50, '2026-01-01'); SELECT id FROM app.t; ROLLBACK", None, False),
    ],
)
def test_no_table_is_left_behind(busy, sql, params, fails):
    answer = busy.post(sql, params)
    assert (answer.status_code >= 400) is fails, answer.text
    assert tables(busy) <= {"app.t", "app.u"}
