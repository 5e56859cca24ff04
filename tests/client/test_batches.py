"""``query_batches``: each row once, exact, in bounded memory, also beyond the scan window and while others write."""

import asyncio
import itertools
import re
import warnings
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from servers import sandbox

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, QueryError, ResultError
from kalam_notebook.results.results import IncompleteResultWarning

ROWS = 1200
TEXT = "x" * 2000


@pytest.fixture(scope="module", params=["whole", "cut", pytest.param("little memory", marks=pytest.mark.slow)])
def client(request):
    flags = {"whole": [], "cut": ["--scan-window", "500"], "little memory": ["--query-memory-bytes", "1500000"]}
    with (
        sandbox(*flags[request.param]) as server,
        kalam.Client(server.url, user="root", password=server.root_password) as client,
    ):
        client.execute_query("CREATE NAMESPACE b")
        columns = "(id BIGINT PRIMARY KEY, n INT, d DECIMAL(6, 2), t TEXT)"
        client.execute_query(f"CREATE TABLE b.t {columns} WITH (TYPE = 'SHARED')")
        for start in range(0, ROWS, 200):
            values = ", ".join(f"({i}, {i % 5}, '-0.{i % 90 + 10}', '{TEXT}')" for i in range(start, start + 200))
            client.execute_query(f"INSERT INTO b.t (id, n, d, t) VALUES {values}")
        client.execute_query("; ".join(f"UPDATE b.t SET n = 7 WHERE id = {i}" for i in range(0, 400, 2)))
        client.execute_query("; ".join(f"DELETE FROM b.t WHERE id = {i}" for i in range(100)))
        yield client


@pytest.fixture(scope="module")
def small_client(client):
    """A client that reads no more than 100 kB of one answer."""
    password = "small-answers-4"
    client.execute_query(f"CREATE USER small WITH PASSWORD '{password}' ROLE 'dba'")
    with kalam.Client(client.url, user="small", password=password, max_result_bytes=100_000) as small:
        yield small


@pytest.mark.slow
def test_every_row_comes_once_and_in_its_newest_version(client):
    batches = client.query_batches("SELECT id, n, d FROM b.t", batch_rows=150)
    assert batches.completeness is None
    found = list(batches)
    assert all(isinstance(batch, pa.RecordBatch) and 0 < batch.num_rows <= 150 for batch in found)
    assert batches.completeness.is_complete
    assert (batches.completeness.method, batches.row_count) == ("pages", ROWS - 100)
    rows = {row["id"]: row for batch in found for row in batch.to_pylist()}
    assert sorted(rows) == list(range(100, ROWS))
    assert all(row["n"] == (7 if i < 400 and i % 2 == 0 else i % 5) for i, row in rows.items())
    assert all(-1 < row["d"] < 0 for row in rows.values())
    whole = client.query_arrow("SELECT id, n, d FROM b.t")
    assert pa.Table.from_batches(found).sort_by("id").to_pylist() == whole.to_pylist()
    assert found[0].schema.types == whole.schema.types


@pytest.mark.slow
def test_a_condition_with_parameters(client):
    batches = client.query_batches("SELECT id FROM b.t x WHERE x.n = $1", [3], batch_rows=100)
    ids = [row["id"] for batch in batches for row in batch.to_pylist()]
    assert sorted(ids) == [i for i in range(100, ROWS) if i % 5 == 3 and not (i < 400 and i % 2 == 0)]


def test_memory_is_that_of_a_batch(client):
    """Each row has 2 kB of text."""
    before, most = pa.total_allocated_bytes(), 0
    for batch in client.query_batches("SELECT * FROM b.t", batch_rows=50):
        most = max(most, pa.total_allocated_bytes() - before)
        assert batch.num_rows <= 50
    assert most < ROWS * len(TEXT) / 5


def test_the_limit_of_one_answer_is_none_for_a_table(small_client):
    found = list(small_client.query_batches("SELECT * FROM b.t WHERE id < 300", batch_rows=200))
    assert sum(batch.num_rows for batch in found) == 200


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM b.t WHERE id < 300",
        "SELECT id, t FROM b.t WHERE id < 300 ORDER BY t, id",
        "SELECT t || n AS tn FROM b.t WHERE id < 300",
    ],
)
def test_beyond_the_limit_of_one_answer_nothing_cut_comes_in_its_place(small_client, sql):
    try:
        found = small_client.query_result(sql)
    except (ResultError, QueryError) as exc:
        found = exc
    if isinstance(found, Exception):
        assert re.search("more than 100,000 bytes|Resources exhausted", str(found))
    else:  # In several answers, where the server's memory made it so.
        assert (found.completeness.method, found.row_count) == ("pages", 200)


def test_other_queries_are_read_at_once_and_handed_out_in_batches(client):
    client.execute_query("CREATE TABLE IF NOT EXISTS b.few (id INT PRIMARY KEY) WITH (TYPE = 'SHARED')")
    client.execute_query("DELETE FROM b.few WHERE id >= 0")
    client.execute_query(f"INSERT INTO b.few (id) VALUES {', '.join(f'({i})' for i in range(130))}")
    batches = client.query_batches("SELECT id, id * 2 AS twice FROM b.few ORDER BY id DESC", batch_rows=50)
    found = list(batches)
    assert [batch.num_rows for batch in found] == [50, 50, 30]
    assert [row["id"] for batch in found for row in batch.to_pylist()] == list(range(129, -1, -1))
    assert batches.completeness.method == "exact"
    assert list(client.query_batches("SELECT id FROM b.few WHERE id < 0")) == []
    shown = client.query_batches("SHOW TABLES")
    assert sum(batch.num_rows for batch in shown) == shown.row_count > 0
    assert client.query_batches("SELECT id FROM b.few WHERE id = 3").__next__().to_pylist() == [{"id": 3}]


def test_max_rows_and_strict(client):
    for wanted in (0, 70, 130):
        batches = client.query_batches("SELECT id FROM b.t", batch_rows=60, max_rows=wanted)
        with pytest.warns(IncompleteResultWarning, match=f"more than {wanted} rows"):
            assert sum(batch.num_rows for batch in batches) == wanted
        assert batches.completeness.text.startswith("cut at max_rows")
    with pytest.raises(ResultError, match="cut at max_rows"):
        list(client.query_batches("SELECT id FROM b.t", max_rows=5, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(client.query_batches("SELECT id FROM b.t", max_rows=ROWS - 100))
    with pytest.raises(ConfigError, match="batch_rows"):
        client.query_batches("SELECT id FROM b.t", batch_rows=0)


def test_it_may_be_ended_early_and_nothing_is_sent_before_the_first_batch(client):
    batches = client.query_batches("SELECT * FROM nope.nope")
    with pytest.raises(QueryError, match="not found"):
        next(batches)
    batches = client.query_batches("SELECT id FROM b.t", batch_rows=50)
    next(batches)
    batches.close()
    assert list(batches) == []
    assert batches.completeness is None


def test_async_for(client):
    token = client.login("root", client._settings.credentials.password.reveal()).access_token

    async def main():
        async with kalam.AsyncClient(client.url, token=token) as other:
            return [batch.num_rows async for batch in await other.query_batches("SELECT id FROM b.t", batch_rows=300)]

    assert sum(asyncio.run(main())) == ROWS - 100


@pytest.mark.slow
def test_rows_that_change_while_they_are_read_come_once(client):
    """Some before they are read, some after; deleted ones may be missing, new ones are not expected."""
    table, count = "b.busy", 600
    client.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
    for start in range(0, count, 200):
        values = ", ".join(f"({i}, 0)" for i in range(start, start + 200))
        client.execute_query(f"INSERT INTO {table} (id, n) VALUES {values}")
    token = client.login("root", client._settings.credentials.password.reveal()).access_token
    numbers = itertools.count(1)

    def write(writer):
        number = next(numbers)
        ids = ", ".join(str((number * 37 + i * 7) % count) for i in range(30))
        writer.execute_query(f"UPDATE {table} SET n = {number} WHERE id IN ({ids})")

    with ThreadPoolExecutor(1) as pool, kalam.Client(client.url, token=token) as writer:
        for _ in range(3):
            seen, writing = [], pool.submit(write, writer)
            for batch in client.query_batches(f"SELECT id FROM {table}", batch_rows=100):
                seen += batch.column("id").to_pylist()
                writing.result()  # A write falls between any two batches, or beside the next.
                writing = pool.submit(write, writer)
            assert sorted(seen) == list(range(count))
    client.execute_query(f"DROP TABLE {table}")
