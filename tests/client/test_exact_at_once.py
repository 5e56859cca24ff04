"""Tables that are not known to be small are read exactly at once, in one scan that tells whether it was cut."""

import pytest
from servers import ROW_VERSION

pytestmark = pytest.mark.contract

ROWS = 90


@pytest.fixture
def table(client, namespace):
    name = f"{namespace}.t"
    client.execute_query(f"CREATE TABLE {name} (id INT PRIMARY KEY, n INT, d DECIMAL(8, 2)) WITH (TYPE = 'SHARED')")
    values = ", ".join(f"({i}, {i % 5}, '-0.{i % 90 + 10}')" for i in range(ROWS))
    client.execute_query(f"INSERT INTO {name} (id, n, d) VALUES {values}")
    client.execute_query(f"UPDATE {name} SET n = 0 WHERE id = 7; DELETE FROM {name} WHERE id = 5")
    return name


@pytest.mark.parametrize(
    ("condition", "params", "wanted"),
    [
        ("", [], lambda i: True),
        ("WHERE n = $1", [1], lambda i: i % 5 == 1),
        ("AS z WHERE z.n = 0 OR z.n IS NULL -- these", [], lambda i: i % 5 == 0 or i == 7),
        ("WHERE n > 70", [], lambda i: False),
        (f"WHERE {ROW_VERSION} > 0", [], lambda i: True),
    ],
)
def test_rows_are_right_without_what_was_deleted(client, table, condition, params, wanted):
    for number in range(2):
        result = client.query_result(f"SELECT id, d FROM {table} {condition}", params)
        assert result.completeness.is_complete
        assert result.completeness.method == "exact" or (number and result.row_count < 50)
        assert result.arrow()["id"].to_pylist() == [i for i in range(ROWS) if i != 5 and wanted(i)]
        assert all(cell < 0 for cell in result.arrow()["d"].to_pylist())
        assert result.as_user == "root"


@pytest.mark.slow
def test_a_small_table_costs_one_request_once_it_is_known(client, namespace):
    client.execute_query(f"CREATE TABLE {namespace}.few (id INT PRIMARY KEY) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {namespace}.few (id) VALUES (1), (2)")
    client.query(f"SELECT id FROM {namespace}.few")
    again = client.query_result(f"SELECT id FROM {namespace}.few")
    assert (again.completeness.method, again.completeness.requests) == ("plain", 1)


def test_a_short_answer_costs_one_request_once_it_is_known(client, table):
    sql = f"SELECT id FROM {table} WHERE n > $1"
    first = client.query_result(sql, [70])
    again = client.query_result(sql, [70])
    assert (first.completeness.method, again.completeness.method, again.completeness.requests) == ("exact", "plain", 1)
    # What was short with one value is long with another.
    assert client.query_result(sql, [-1]).row_count == ROWS - 1


def test_a_key_is_looked_up_without_a_scan(client, table):
    client.query(f"SELECT n FROM {table} WHERE id = 7")
    found = client.query_result(f"SELECT n FROM {table} WHERE id = 7")
    assert (found.completeness.method, found.arrow()["n"].to_pylist()) == ("plain", [0])
    assert found.completeness.requests <= 2
