"""What the server answers to unusual statements, in its own words: the same from the sandbox."""

import pytest
from servers import ROW_VERSION

from kalam_notebook.errors import ServerError

pytestmark = pytest.mark.contract


@pytest.fixture
def table(client, namespace):
    client.execute_query(
        f"CREATE TABLE {namespace}.t (id BIGINT PRIMARY KEY, n INT, d DOUBLE, t TEXT, ts TIMESTAMP, tm TIME)"
    )
    client.execute_query(f"INSERT INTO {namespace}.t (id, n) VALUES (1, 1)")
    return f"{namespace}.t"


def refusal(client, sql, params=None):
    """The message without its ``Statement 1 failed: ``."""
    with pytest.raises(ServerError) as caught:
        client.execute_query(sql, params)
    return caught.value.message.removeprefix("Statement 1 failed: ")


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("CREATE NAMESPACE _x", "Name cannot start with underscore (reserved for system columns)"),
        (f"CREATE NAMESPACE x{'y' * 70}", "Name is too long (71 characters, max 64)"),
        ("CREATE TABLE {0}._x (id INT PRIMARY KEY)", "Invalid operation: Name cannot start with underscore"),
        (
            "CREATE TABLE {0}.x (id INT PRIMARY KEY, d DECIMAL(40, 2))",
            "DECIMAL precision must be between 1 and 38",
        ),
        ("CREATE TABLE {0}.x (id INT PRIMARY KEY, d DECIMAL(5, 9))", "DECIMAL scale (9) cannot exceed precision (5)"),
        ("CREATE TABLE {0}.x (id INT PRIMARY KEY, e EMBEDDING(0))", "EMBEDDING dimension must be at least 1"),
        ("CREATE TABLE {0}.x (id INT PRIMARY KEY, e EMBEDDING(9000))", "must be at most 8192 (found 9000)"),
        ("CREATE TABLE {0}.x (id INT PRIMARY KEY, e EMBEDDING)", "requires exactly one dimension parameter"),
        ("DROP TABLE system.users", "Cannot drop system table 'system.users'. System tables are managed internally."),
        ("ALTER TABLE system.users ADD COLUMN x INT", "Cannot alter system table 'system.users'."),
        ("STORAGE FLUSH TABLE {0}.nope", "Not found: Table {0}.nope not found"),
        ("CREATE TOPIC nope.events", "Not found: Namespace 'nope' does not exist"),
        (
            "CREATE USER 'x' WITH PASSWORD 'Correct-Horse-9' ROLE nope",
            "Invalid role 'nope'. Hint: Valid roles: dba",
        ),
        ("KILL LIVE QUERY 'a-b-c'", "Not found: Connection not found for live query: a-b-c"),
        (
            f"INSERT INTO {{0}}.t (id, {ROW_VERSION}) VALUES (2, 1)",
            f"Invalid operation: Column '{ROW_VERSION}' does not exist",
        ),
        ("INSERT INTO {0}.t (id, n) VALUES (2, 9223372036854775808)", "cast value Float64 to Int32 for column 'n'"),
        (
            "INSERT INTO {0}.t (id, ts) VALUES (2, 'x')",
            "value Utf8 to Timestamp(Microsecond, None) for column 'ts'",
        ),
        ("INSERT INTO {0}.t (id, tm) VALUES (2, 'x')", "cast value Utf8 to Time64(Microsecond) for column 'tm'"),
        (
            "UPDATE {0}.t SET n = n / 0 WHERE id = 1",
            "UPDATE operation on table '{0}.t' caused by Arrow error: Divide",
        ),
        (
            "DELETE FROM {0}.t WHERE n / 0 = 1",
            "DELETE operation on table '{0}.t' caused by Arrow error: Divide",
        ),
        ("SELECT n / 0 FROM {0}.t", "Execution error: Arrow error: Divide by zero error"),
    ],
)
def test_refusals(client, namespace, table, sql, text):
    assert text.format(namespace) in refusal(client, sql.format(namespace))


def test_a_parameter_that_does_not_fit_is_told_where_there_is_a_row(client, table):
    told = refusal(client, f"UPDATE {table} SET n = $1 WHERE id = $2", ["x", 1])
    assert told.startswith(
        f"Execution error: UPDATE operation on table '{table}' caused by "
        "Execution error: Unable to cast value Utf8 to Int32 for column 'n'"
    )
    response = client.execute_query(f"UPDATE {table} SET n = $1 WHERE id = $2", ["x", 99])
    assert response.results[0].message == "Updated 0 row(s)"


def test_whole_numbers_beyond_63_bits_are_doubles_in_an_insert(client, table):
    client.execute_query(f"INSERT INTO {table} (id, d, t) VALUES (2, 9223372036854775808, 9223372036854775808)")
    rows = client.query_arrow(f"SELECT d, t FROM {table} WHERE id = 2").to_pylist()
    assert rows == [{"d": 2.0**63, "t": "9.223372036854776e18"}]


def test_functions_about_the_caller(client):
    (row,) = client.query_arrow("SELECT KDB_CURRENT_USER() AS u, KDB_CURRENT_ROLE() AS r").to_pylist()
    assert row == {"u": "root", "r": "system"}


def test_system_tables_are_described(client, table):
    rows = client.query_arrow("DESCRIBE TABLE system.namespaces").to_pylist()
    assert [row["column_name"] for row in rows] == ["namespace_id", "name", "created_at", "options", "table_count"]
    assert rows[0]["is_primary_key"]
    client.execute_query(f"ALTER TABLE {table} ADD COLUMN x INT")
    assert client.query_arrow(f"SHOW STATS FOR TABLE {table}").to_pylist()[0]["schema_version"] == "2"


def test_flushing_a_namespace_without_writes(client, namespace):
    response = client.execute_query(f"STORAGE FLUSH ALL IN {namespace}")
    assert response.results[0].message == f"Storage flush skipped: no pending writes in namespace '{namespace}'"
