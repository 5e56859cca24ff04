"""Times of the server's own tables, which hold milliseconds under a type of microseconds (truth L30)."""

import datetime as dt

import pytest

pytestmark = pytest.mark.contract


@pytest.fixture
def now():
    return dt.datetime.now(dt.UTC)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT created_at AS t FROM system.users WHERE user_id = 'root'",
        "SELECT * FROM system.users AS u WHERE u.user_id = 'root'",
        "SELECT system.users.created_at AS t FROM system.users",
        "SELECT max(created_at) AS t FROM system.namespaces",
        "SELECT n.created_at AS t, s.n FROM system.namespaces n, (SELECT 1 AS n) s WHERE n.namespace_id = '{0}'",
        "SELECT u.created_at AS a, n.created_at AS b FROM system.users u CROSS JOIN system.namespaces n LIMIT 3",
        "WITH s AS (SELECT * FROM system.namespaces) SELECT created_at AS t FROM s ORDER BY created_at DESC LIMIT 2",
        "SELECT created_at AS t, updated_at FROM system.tables",
        "SELECT n.created_at AS t, a.at FROM system.namespaces n JOIN {0}.a a ON a.ns = n.namespace_id",
    ],
)
def test_times_of_system_tables_are_those_of_today(client, namespace, now, sql):
    client.execute_query(f"CREATE TABLE {namespace}.a (ns TEXT PRIMARY KEY, at TIMESTAMP) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {namespace}.a (ns, at) VALUES ('{namespace}', '1970-01-21 02:00:00')")
    result = client.query_result(sql.format(namespace))
    assert result.completeness.is_complete
    rows = result.arrow().to_pylist()
    assert rows
    for row in rows:
        # A time of the user's own table may well be one of 1970.
        times = [value for name, value in row.items() if isinstance(value, dt.datetime) and name != "at"]
        assert times
        assert all(abs(now - time) < dt.timedelta(days=400) for time in times)
        assert row.get("at") in (None, dt.datetime(1970, 1, 21, 2, tzinfo=dt.UTC))


def test_what_is_computed_of_them_is_right_too(client, namespace, now):
    sql = (
        "SELECT date_trunc('day', created_at) AS day, created_at - INTERVAL '1 day' AS before, "
        "created_at > $1 AS is_new FROM system.namespaces WHERE namespace_id = $2 AND created_at < now()"
    )
    (row,) = client.query_arrow(sql, [now - dt.timedelta(days=1), namespace]).to_pylist()
    assert row["is_new"]
    assert now - dt.timedelta(days=2) < row["day"] <= now
    assert abs(now - dt.timedelta(days=1) - row["before"]) < dt.timedelta(hours=1)


def test_batches_of_them_are_right_too(client, now):
    (batch, *_) = client.query_batches("SELECT created_at AS t FROM system.users")
    assert all(abs(now - time) < dt.timedelta(days=400) for time in batch.column("t").to_pylist())
