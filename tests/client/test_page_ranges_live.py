"""Ranges of a live table's rows follow the server: sorted and filtered once, and amended by what changes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import kalam_notebook as kalam
from kalam_notebook.live_queries.table import LiveTable
from kalam_notebook.notebook.page.ordering import in_shown_order
from kalam_notebook.notebook.page.ranges import Ranges

pytestmark = pytest.mark.contract


def asked(ranges: Ranges, **question: Any) -> tuple[int, list[int]]:
    """The hits, and the ids of the first rows, by the total from the greatest on."""
    whole = {"sort": {"column": 1, "name": "total", "descending": True}, "search": "", "conditions": []}
    while True:
        told, buffers = ranges.answer({**whole, "from": 0, "count": 100, **question})
        if not told.get("pending"):
            return told["hits"], pa.ipc.open_stream(buffers[0]).read_all().column("0").to_pylist()


def in_order(live: LiveTable) -> list[int]:
    rows = live.arrow().select(["id", "total"]).to_pylist()
    return [row["id"] for row in sorted(rows, key=lambda row: row["total"], reverse=True)]


@pytest.mark.parametrize("limit", ["", "ORDER BY id LIMIT 40"], ids=["by key", "re-run"])
def test_an_order_follows_the_server(client: kalam.Client, namespace: str, limit: str):
    table = f"{namespace}.orders"
    client.execute_query(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, total INT, name TEXT) WITH (TYPE = 'SHARED')")
    rows = ", ".join(f"({i}, {i * 37 % 101}, 'name {i % 3}')" for i in range(30))
    client.execute_query(f"INSERT INTO {table} (id, total, name) VALUES {rows}")
    with client.live(f"SELECT id, total, name FROM {table} {limit}") as live:
        live.wait_for(30, timeout=30)
        ranges = Ranges(live)
        assert asked(ranges) == (30, in_order(live))

        client.execute_query(f"UPDATE {table} SET total = 1000 WHERE id = 7")
        client.execute_query(f"DELETE FROM {table} WHERE id = 8")
        client.execute_query(f"INSERT INTO {table} (id, total, name) VALUES (50, 999, 'name 1')")
        live.wait_for(lambda held: {7, 50} <= set(in_order(held)[:2]) and 8 not in in_order(held), timeout=30)
        hits, ids = asked(ranges)
        assert (hits, ids, ids[:2]) == (30, in_order(live), [7, 50])

        wanted = {"column": 2, "name": "name", "kind": "contains", "text": "NAME 1"}
        named = live.df().query("name == 'name 1'")["id"].tolist()
        hits, ids = asked(ranges, conditions=[wanted])
        assert (hits, ids) == (len(named), [row_id for row_id in in_order(live) if row_id in named])


@pytest.mark.parametrize(
    ("sql", "numbers"),
    [
        ("SELECT * FROM {t}", [1, 2, 3]),
        ("SELECT note, nr FROM {t} WHERE upper(note) = 'A'", [1, 2, 3]),
        ("SELECT * FROM {t} ORDER BY total DESC", [2, 1, 3]),
    ],
)
def test_rows_are_shown_by_key_unless_the_query_has_an_order(client, namespace, sql, numbers):
    table = f"{namespace}.orders"
    client.execute_query(f"CREATE TABLE {table} (note TEXT, nr INT PRIMARY KEY, total INT) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {table} (note, nr, total) VALUES ('a', 3, 1)")
    client.execute_query(f"INSERT INTO {table} (note, nr, total) VALUES ('a', 1, 30), ('a', 2, 50)")
    with client.live(sql.format(t=table)) as live:
        live.verify()
        assert in_shown_order(live, live.arrow())["nr"].to_pylist() == numbers


def test_rows_of_a_stream_are_shown_as_they_were_written(client, namespace):
    table = f"{namespace}.ticks"
    client.execute_query(f"CREATE TABLE {table} (nr INT PRIMARY KEY, n INT) WITH (TYPE = 'STREAM', TTL_SECONDS = 600)")
    for number in (3, 1, 2):
        client.execute_query(f"INSERT INTO {table} (nr, n) VALUES ({number}, 0)")
    with client.live(f"SELECT * FROM {table}") as live:
        live.verify()
        assert in_shown_order(live, live.arrow())["nr"].to_pylist() == [3, 1, 2]
