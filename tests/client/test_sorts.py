"""Sorts that the server's engine plans away, and groups of NULL that it leaves out, in every method of a query."""

import pyarrow as pa
import pytest
from servers import wait_for_jobs

import kalam_notebook as kalam
from kalam_notebook.results.results import IncompleteResultWarning

pytestmark = pytest.mark.contract


@pytest.fixture
def cities(client, namespace):
    table = f"{namespace}.cities"
    client.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, city TEXT, n INT)")
    client.execute_query(f"INSERT INTO {table} (id, city, n) VALUES (1, 'b', 1), (2, NULL, NULL), (3, 'a', 2)")
    return table


@pytest.fixture
def scores(client, namespace):
    """Twenty rows; the smallest score is that of 0, then 5, 10, 15."""
    table = f"{namespace}.scores"
    frame = pa.table({"id": list(range(20)), "score": [(i * 37) % 23 for i in range(20)]})
    client.write(frame, table, create=True, key="id")
    return table


def column(client, sql, name, **options):
    result = client.query_result(sql, **options)
    assert result.completeness.is_complete
    return result.arrow().column(name).to_pylist()


@pytest.mark.parametrize(
    ("sql", "cities_in_order"),
    [
        ("SELECT DISTINCT city FROM {} ORDER BY city", ["a", "b", None]),
        ("SELECT DISTINCT city FROM {} ORDER BY city DESC LIMIT 3", [None, "b", "a"]),
        ("SELECT city FROM {0} UNION SELECT city FROM {0} ORDER BY 1", ["a", "b", None]),
        ("SELECT city, max(n) AS m FROM {} GROUP BY city ORDER BY m DESC", [None, "a", "b"]),
        ("SELECT city, min(n) FROM {} GROUP BY city ORDER BY min(n)", ["b", "a", None]),
        ("SELECT city, max(n) FROM {} GROUP BY 1 ORDER BY 2 DESC LIMIT 5", [None, "a", "b"]),
        ("SELECT city FROM (SELECT DISTINCT city FROM {} ORDER BY city LIMIT 10) AS q", None),
        ("WITH q AS (SELECT DISTINCT city FROM {}) SELECT * FROM q ORDER BY city NULLS FIRST", [None, "a", "b"]),
    ],
)
def test_groups_of_null_are_there(client, cities, sql, cities_in_order):
    found = column(client, sql.format(cities), "city", strict=True)
    assert found == (cities_in_order or found)
    assert sorted(found, key=str) == [None, "a", "b"]


def test_groups_of_null_are_there_in_a_long_result(client, cities):
    rows = ", ".join(f"({i}, 'c', {'NULL' if i % 2 else i})" for i in range(10, 210))
    client.execute_query(f"INSERT INTO {cities} (id, city, n) VALUES {rows}")
    found = column(client, f"SELECT id, min(n) AS m FROM {cities} GROUP BY id ORDER BY m", "m")
    assert len(found) == 203
    assert found.count(None) == 101


@pytest.mark.parametrize(
    ("sql", "ids"),
    [
        ("SELECT id FROM {} ORDER BY score DESC OFFSET 19", [0]),
        ("SELECT id FROM {} ORDER BY score DESC OFFSET 17", [10, 5, 0]),
        ("SELECT id FROM {} ORDER BY score LIMIT ALL OFFSET 16", [3, 8, 13, 18]),
        ("SELECT id FROM (SELECT id FROM {} ORDER BY score DESC OFFSET 17) AS q ORDER BY id", [0, 5, 10]),
    ],
)
def test_sorts_are_carried_out(client, scores, sql, ids):
    assert column(client, sql.format(scores), "id", strict=True) == ids
    assert column(client, sql.format(scores), "id", max_rows=None) == ids
    batches = pa.Table.from_batches(client.query_batches(sql.format(scores)))
    assert batches.column("id").to_pylist() == ids


def test_limit_all_keeps_the_order(client, scores):
    found = column(client, f"SELECT id, score FROM {scores} ORDER BY score DESC LIMIT ALL", "score")
    assert found == sorted(found, reverse=True)


def test_columns_of_views_have_their_true_types(client, namespace):
    table = f"{namespace}.times"
    client.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, at TIMESTAMP)")
    client.execute_query(f"INSERT INTO {table} VALUES (1, '2026-01-02T03:04:05Z')")
    client.execute_query(f"CREATE VIEW {namespace}.days AS SELECT id, CAST(at AS DATE) AS day FROM {table}")
    for where in ("WHERE id = 1", ""):
        with pytest.warns(kalam.IncompleteResultWarning, match="may be a view"):
            result = client.query_result(f"SELECT day FROM {namespace}.days {where}")
        assert str(result.arrow().column("day")[0]) == "2026-01-02"
        assert not result.completeness.is_complete


def test_types_are_asked_for_again_when_a_table_is_made_anew(client, namespace):
    table, sql = f"{namespace}.pairs", f"SELECT greatest(a, b) AS g FROM {namespace}.pairs"
    found = []
    for kind, value in (("TIMESTAMP", "2026-01-02T00:00:00Z"), ("DATE", "2026-01-03")):
        client.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, a TIMESTAMP, b {kind})")
        client.execute_query(f"INSERT INTO {table} VALUES (1, '2026-01-01T00:00:00Z', '{value}')")
        found.append(str(client.query_arrow(sql).column("g")[0])[:10])
        client.execute_query(f"DROP TABLE {table}")
        wait_for_jobs(client)
    assert found == ["2026-01-02", "2026-01-03"]


def test_batches_of_rows_that_begin_with_nan(client, namespace):
    table = f"{namespace}.floats"
    client.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, g DOUBLE)")
    client.execute_query(f"INSERT INTO {table} (id, g) VALUES (1, 'NaN'), (2, 1.5)")
    batches = pa.Table.from_batches(client.query_batches(f"SELECT id, g FROM {table}"))
    assert [str(value) for value in batches.column("g").to_pylist()] == ["nan", "1.5"]


def test_a_comment_behind_the_columns(client, namespace):
    table = f"{namespace}.many"
    client.write(pa.table({"id": list(range(100)), "n": [1] * 100}), table, create=True, key="id")
    batches = pa.Table.from_batches(client.query_batches(f"SELECT id, n -- both\nFROM {table}"))
    assert batches.num_rows == 100


def test_expressions_that_the_engine_knows_in_two_ways(client, namespace):
    table = f"{namespace}.flags"
    client.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, flag BOOLEAN)")
    client.execute_query(f"INSERT INTO {table} VALUES (1, true), (2, false), (3, NULL)")
    assert column(client, f"SELECT NOT flag AS v, id FROM {table} ORDER BY id LIMIT 3", "v") == [False, True, None]


def test_small_batches_cost_few_requests(client, namespace):
    table = f"{namespace}.wide"
    client.write(pa.table({"id": list(range(3_000)), "n": [1] * 3_000}), table, create=True, key="id")
    batches = client.query_batches(f"SELECT id FROM {table} WHERE id % 40 = 0", batch_rows=30)
    assert sum(batch.num_rows for batch in batches) == 75
    assert batches.completeness.requests < 30


@pytest.mark.servers("0.4.3")
def test_a_server_that_sorts_again_is_not_taken_for_one_that_does_not(client, scores):
    client.execute_query(f"CREATE VIEW {scores}_view AS SELECT id, score FROM {scores}")
    for sql in (
        "SELECT id, score FROM {} ORDER BY score LIMIT 7",
        "SELECT * FROM {} ORDER BY id DESC LIMIT 7 OFFSET 2",
        "SELECT id FROM {} ORDER BY score DESC LIMIT 7",
        "SELECT id key, score FROM {} ORDER BY score LIMIT 7",
    ):
        client.query(sql.format(scores))
    with pytest.warns(IncompleteResultWarning, match="may be a view"):
        client.query(f"SELECT id, score FROM {scores}_view ORDER BY score LIMIT 7")
    result = client.query_result(f"SELECT id, score FROM {scores} ORDER BY score DESC LIMIT 20", strict=True)
    assert result.completeness.method == "exact"
