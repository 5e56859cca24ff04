"""Columns of lists, which KalamDB 0.8 announces as their elements: readings and live tables have the true types.

That server was not at hand; what the habit rests on is told in docs/sandbox.md.
"""

import uuid

import pyarrow as pa
import pytest
from plain_client import Plain
from servers import Server

import kalam_notebook as kalam

LISTS = pa.schema([("tags", pa.list_(pa.int32())), ("words", pa.list_(pa.string())), ("parts", pa.list_(pa.float64()))])
COLUMNS = "id BIGINT PRIMARY KEY, tags INT[], words TEXT[], parts DOUBLE[]"


@pytest.fixture(scope="module")
def server():
    """A server whose scans read 150 unflushed row versions."""
    with kalam.sandbox(options=["--server", "0.8", "--scan-window", "150"]) as started:
        yield Server(started.url, started.root_password)


@pytest.fixture(params=["USER", "STREAM"])
def table(request, client):
    name = f"app.t{uuid.uuid4().hex[:10]}"
    ttl = ", TTL_SECONDS = 3600" if request.param == "STREAM" else ""
    client.execute_query(
        f"CREATE NAMESPACE IF NOT EXISTS app; CREATE TABLE {name} ({COLUMNS}) WITH (TYPE = '{request.param}'{ttl})"
    )
    insert(client, name, range(60))
    client.execute_query(f"INSERT INTO {name} (id) VALUES (1000)")
    return name


def row(key):
    return {"id": key, "tags": [key, -key], "words": [f"w{key}", "x, [y]"], "parts": [key + 0.25]}


def insert(client, table, keys):
    rows = [row(key) for key in keys]
    values = ", ".join(f"({r['id']}, ARRAY{r['tags']}, ARRAY{r['words']}, ARRAY{r['parts']})" for r in rows)
    client.execute_query(f"INSERT INTO {table} (id, tags, words, parts) VALUES {values}")


NOTHING = {"id": 1000, "tags": None, "words": None, "parts": None}
ALL = [*map(row, range(60)), NOTHING]


def told(table):
    """Types of the columns of lists, and the rows by key."""
    assert [field.type for field in table.select(LISTS.names).schema] == LISTS.types
    return sorted(table.to_pylist(), key=lambda found: found["id"])


def test_who_believes_what_is_announced_is_stopped(server, table):
    plain = Plain(server)
    (answer,) = plain.results(f"SELECT tags FROM {table} WHERE id = 1")
    assert (answer["schema"][0]["data_type"], answer["rows"]) == ("Int", [[[1, -1]]])
    plain.http.close()


@pytest.mark.slow
def test_every_reading_has_lists(client, table):
    assert told(client.query_arrow(f"SELECT * FROM {table}", strict=True)) == ALL
    assert told(client.query_arrow(f"SELECT * FROM {table}", engine="local", strict=True)) == ALL
    batches = list(client.query_batches(f"SELECT * FROM {table}", batch_rows=50, strict=True))
    assert told(pa.Table.from_batches(batches)) == ALL
    counted = client.query_arrow(f"SELECT id, array_length(tags) AS n FROM {table}", engine="local", strict=True)
    assert sorted(counted.to_pylist(), key=lambda r: r["id"])[-2:] == [{"id": 59, "n": 2}, {"id": 1000, "n": None}]


@pytest.mark.slow
def test_pages_have_lists(client, table):
    for start in (2000, 2100, 2200):
        insert(client, table, range(start, start + 100))
    result = client.query_result(f"SELECT parts, tags, words, id FROM {table}", strict=True)
    assert told(result.arrow()) == [*ALL, *map(row, range(2000, 2300))]
    batches = list(client.query_batches(f"SELECT id, words, tags, parts FROM {table}", batch_rows=60, strict=True))
    assert len(told(pa.Table.from_batches(batches))) == 361


@pytest.mark.parametrize("where", ["id = 1000", "id > 5000", "tags IS NULL", "id < $1"])
def test_lists_are_told_where_no_cell_shows_them(client, table, where):
    params = [0] if "$1" in where else []
    found = client.query_arrow(f"SELECT id, tags, words, parts FROM {table} WHERE {where}", params, strict=True)
    assert told(found) in ([], [NOTHING])


def test_live_tables_have_lists(client, table):
    with client.live(f"SELECT * FROM {table}") as live:
        assert told(live.arrow()) == ALL
        rounds = live.stats.rounds
        insert(client, table, [70])
        live.wait_for(lambda t: t.num_rows == 62, timeout=20)
        assert told(live.arrow()) == [*map(row, range(60)), row(70), NOTHING]
        assert (live.stats.rounds, live.notice) == (rounds, None)
        assert live.verify(timeout=20)


def test_a_live_table_reads_lists_again(client, table):
    """What a delta brings has the same form as what an event brings."""
    with client.live(f"SELECT * FROM {table} WHERE id <> 3 OR words IS NULL") as live:
        insert(client, table, [71])
        live.wait_for(lambda t: t.num_rows == 61, timeout=20)
        assert told(live.arrow()) == [row(key) for key in [*range(3), *range(4, 60), 71]] + [NOTHING]
        assert live.verify(timeout=20)


def test_structs_beyond_the_cap_are_objects_as_below_it(client, table):
    sql = f"SELECT id, named_struct('a', id, 'b', tags) AS s FROM {table}"
    few = client.query_arrow(f"{sql} WHERE id < 5", strict=True)
    many = client.query_arrow(sql, strict=True)
    assert many.schema.field("s").type == few.schema.field("s").type == pa.string()
    assert many.slice(0, 5).to_pylist() == few.to_pylist()
    assert (many.num_rows, many["s"][1].as_py()) == (61, '{"a":"1","b":[1,-1]}')
    with client.live(sql) as live:
        assert (live.form, live.num_rows, live.notice) == ("re-run", 61, None)


def test_what_is_not_asked_twice_has_lists_too(client, table):
    """RETURNING has written its rows when its answer cannot be read."""
    (answer,) = client.execute_query(f"SELECT id, tags, words, parts FROM {table} WHERE id IN (3, 1000)")
    assert told(answer.arrow()) == [row(3), NOTHING]
    read = client.query_result(f"SELECT id, tags, words, parts FROM {table}", strict=True)
    assert [c.sql_type for c in answer.columns] == [c.sql_type for c in read.columns]
    values = "(2000, ARRAY[1], ARRAY['a'])"
    (answer,) = client.execute_query(f"INSERT INTO {table} (id, tags, words) VALUES {values} RETURNING id, tags")
    assert answer.arrow().to_pylist() == [{"id": 2000, "tags": [1]}]
