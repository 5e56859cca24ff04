"""A list for one placeholder of IN means its items, on every method that takes parameters."""

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from IPython.core.interactiveshell import InteractiveShell
from shared_client import shared_client  # noqa: F401

import kalam_notebook as kalam
from kalam_notebook.errors import ParameterError
from kalam_notebook.live_queries.events.messages import InitialBatch

pytestmark = pytest.mark.contract

MANY = list(range(2, 300))


@pytest.fixture
def table(client, namespace):
    """Four rows, of which the last has nothing but a key."""
    name = f"{namespace}.t"
    client.execute_query(
        f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, t TEXT, d DECIMAL(10, 2), ts TIMESTAMP, x DOUBLE, "
        "e EMBEDDING(2), j JSON) WITH (TYPE = 'SHARED')"
    )
    client.execute_query(
        f"INSERT INTO {name} (id, t, d, ts, x) VALUES (1, 'a', '1.50', '2026-01-01', 1.5), "
        "(2, 'b', '-0.25', '2026-01-02', 2.5), (3, 'it''s', '3.00', '2026-01-03', 3.5)"
    )
    client.execute_query(f"INSERT INTO {name} (id) VALUES (4)")
    return name


#: A condition, its list, and the keys that it finds among 1 to 4.
CASES = [
    ("id IN ($1)", [1, 2], [1, 2]),
    ("id NOT IN ($1)", (1, 2), [3, 4]),
    ("id IN ($1)", pd.Series([1, 9]), [1]),
    ("id IN ($1)", MANY, [2, 3, 4]),
    ("id NOT IN ($1)", np.array(MANY), [1]),
    ("id IN ($1)", [], []),
    ("id NOT IN ($1)", [], [1, 2, 3, 4]),
    ("NOT id IN ($1)", set(), [1, 2, 3, 4]),
    ("t IN ($1)", [], []),
    ("t NOT IN ($1)", [], [1, 2, 3, 4]),
    ("t IN ($1) OR id = 4", [], [4]),
    ("t IN ($1)", ["a", "it's"], [1, 3]),
    ("t NOT IN ($1)", ["a"], [2, 3]),
    # NULL is equal to nothing, and different from nothing.
    ("t IN ($1)", ["a", None], [1]),
    ("t NOT IN ($1)", ["a", None], []),
    ("t NOT IN ($1)", pa.array([None], pa.string()), []),
    ("d IN ($1)", [Decimal("1.50"), Decimal("-0.25")], [1, 2]),
    ("d IN ($1)", [Decimal(n) for n in MANY], [3]),
    ("ts IN ($1)", pd.to_datetime(["2026-01-02", "2026-01-03"]), [2, 3]),
    ("ts IN ($1)", [dt.datetime(2026, 1, 1) + dt.timedelta(days=n) for n in range(60)], [1, 2, 3]),
    ("x IN ($1)", np.array([1.5, 3.5]), [1, 3]),
]


def names(case):
    return f"{case[0]} {len(case[1])}"


@pytest.mark.parametrize("case", CASES, ids=names)
def test_queries_find_what_the_items_say(client, table, case):
    condition, values, expected = case
    sql = f"SELECT id FROM {table} WHERE {condition}"
    for engine in ("server", "local"):
        result = client.query_result(sql, [values], engine=engine, strict=True)
        assert sorted(result.arrow().column("id").to_pylist()) == expected, engine
    batches = client.query_batches(sql, [values], batch_rows=2, strict=True)
    assert sorted(id for batch in batches for id in batch.column("id").to_pylist()) == expected
    (answer,) = client.execute_query(sql, [values]).results
    assert sorted(answer.arrow().column("id").to_pylist()) == expected


@pytest.mark.parametrize("case", CASES, ids=names)
def test_changes_reach_what_the_items_say(client, table, case):
    condition, values, expected = case
    updated = client.execute_query(f"UPDATE {table} SET j = $2 WHERE {condition}", [values, "seen"])
    assert updated.results[0].row_count == len(expected)
    seen = client.query_arrow(f"SELECT id FROM {table} WHERE j = 'seen'").column("id").to_pylist()
    assert sorted(seen) == expected
    deleted = client.execute_query(f"DELETE FROM {table} WHERE {condition}", [values])
    assert deleted.results[0].row_count == len(expected)
    left = client.query_arrow(f"SELECT id FROM {table}").column("id").to_pylist()
    assert sorted(left) == sorted({1, 2, 3, 4} - set(expected))


@pytest.mark.parametrize("case", [CASES[0], CASES[3], CASES[5], CASES[6], CASES[14]], ids=names)
def test_live_tables_follow_what_the_items_say(client, table, case):
    condition, values, expected = case
    with client.live(f"SELECT id, t FROM {table} WHERE {condition}", [values]) as live:
        live.wait_for(lambda t: sorted(t.arrow().column("id").to_pylist()) == expected, timeout=20)
        client.execute_query(f"INSERT INTO {table} (id, t) VALUES (50, 'z'), (5000, 'a')")
        now = client.query_arrow(f"SELECT id FROM {table} WHERE {condition}", [values]).column("id").to_pylist()
        live.wait_for(lambda t: sorted(t.arrow().column("id").to_pylist()) == sorted(now), timeout=20)


def test_live_events_begin_with_what_the_items_say(client, table):
    with client.live_events(f"SELECT * FROM {table} WHERE id IN ($1)", [[1, 3]]) as events:
        rows = []
        while True:
            event = events.next(timeout=20)
            if isinstance(event, InitialBatch):
                rows += event.rows
                if not event.has_more:
                    break
    assert sorted(int(row["id"]) for row in rows) == [1, 3]


def test_a_list_for_a_column_is_stored(client, table):
    client.execute_query(f"INSERT INTO {table} (id, e, j) VALUES ($1, $2, $3)", [9, [0.5, 2.0], [1, "a"]])
    client.execute_query(f"UPDATE {table} SET e = $2, j = $3 WHERE id IN ($1)", [[9, 10], [1.5, 2.0], []])
    (row,) = client.query_arrow(f"SELECT e, j FROM {table} WHERE id = 9").to_pylist()
    assert (row["e"], json.loads(row["j"])) == ([1.5, 2.0], [])
    near = client.query_arrow(f"SELECT cosine_distance(e, $1) AS x FROM {table} WHERE id IN ($2)", [[1.5, 2.0], [9]])
    assert near.column("x").to_pylist() == [pytest.approx(0, abs=1e-6)]


@pytest.mark.parametrize("sql", ["SELECT id FROM {} WHERE id = $1", "DELETE FROM {} WHERE id = $1"])
def test_a_list_elsewhere_is_refused_on_every_road(client, table, sql):
    sql = sql.format(table)
    methods = [client.execute_query, client.query, client.query_batches, client.live, client.live_events]
    for method in methods if sql.startswith("SELECT") else methods[:1]:
        with pytest.raises(ParameterError, match=r"as the only item of IN: … IN \(\$1\)\. Nothing was sent"):
            method(sql, [[1, 2]])
    assert client.query_arrow(f"SELECT id FROM {table}").num_rows == 4


def test_cells_take_lists(server, table):
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    try:
        kalam.connect(server.url, user="root", password=server.root_password)
        shell.run_line_magic("load_ext", "kalam_notebook")
        shell.user_ns["wanted"] = [[1, 3]]
        for params in ("[[1, 3]]", "wanted"):
            cell = f"SELECT id FROM {table} WHERE id IN ($1)"
            shell.run_cell_magic("kalam", f"found << --params {params}", cell)
            assert sorted(shell.user_ns["found"]["id"]) == [1, 3]
    finally:
        kalam.close()
        shell.history_manager.end_session()
        InteractiveShell.clear_instance()
