"""Live tables recorded while others write, and replayed: the same rows, the same changes, without a server."""

from __future__ import annotations

import json
import threading

import pyarrow as pa
import pytest
from servers import ROW_VERSION

import kalam_notebook as kalam
from kalam_notebook.live_queries.rows.history import Step, microseconds

pytestmark = pytest.mark.contract

INF = float("inf")

TYPES = """
    id BIGINT PRIMARY KEY, b BOOLEAN, s SMALLINT, i INT, f FLOAT, d DOUBLE, t TEXT, j JSON, y BYTES, u UUID,
    ts TIMESTAMP, dt DATETIME, da DATE, ti TIME, de DECIMAL(20, 3), e EMBEDDING(2), fi FILE
"""


@pytest.fixture
def numbers(client, namespace):
    """A table with ten rows."""
    table = f"{namespace}.numbers"
    client.execute_query(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, room TEXT, n INT) WITH (TYPE = 'SHARED')")
    values = ", ".join(f"({number}, 'room {number % 3}', {number})" for number in range(10))
    client.execute_query(f"INSERT INTO {table} (id, room, n) VALUES {values}")
    return table


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.arrows"


def finished(path) -> kalam.LiveTable:
    live = kalam.replay(path, speed=INF)
    live.wait_for(lambda live: live.status == "stopped: the recording has ended")
    return live


def happened(live, since: int) -> list[Step]:
    steps, is_whole = live._follower.look(lambda rows: rows.steps(since))
    assert is_whole
    return [
        (step.version, microseconds(step.at), step.healed, [tuple(entry[:3]) for entry in step.entries])
        for step in steps
    ]


def write(client, table) -> None:
    """Two hundred statements of all kinds."""
    for number in range(200):
        key = number % 17
        if number % 3 == 0:
            client.execute_query(f"DELETE FROM {table} WHERE id = {key}")
        elif number % 3 == 1:
            client.execute_query(f"UPDATE {table} SET n = {number}, room = NULL WHERE id = {key}")
        else:
            client.execute_query(f"INSERT INTO {table} (id, room, n) VALUES ({100 + number}, 'new', {number})")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "form"),
    [
        ("SELECT * FROM {}", "direct"),
        ("SELECT id, n FROM {} WHERE n > 4", "delta" if ROW_VERSION == "_seq" else "direct"),
        ("SELECT id, n FROM {} ORDER BY n DESC LIMIT 5", "re-run"),
        ("SELECT n % 3 AS rest, count(*) AS n FROM {} GROUP BY n % 3 ORDER BY count(*)", "re-run"),
        ("SELECT a.n, b.n FROM {0} a JOIN {0} b ON a.id = b.id ORDER BY a.n DESC", "re-run"),
    ],
)
def test_what_was_recorded_is_replayed(client, numbers, path, sql, form):
    with client.live(sql.format(numbers)) as live:
        assert live.form == form
        since, first = live.version, live.arrow()
        with live.record(path) as recorder:
            writer = threading.Thread(target=write, args=(client, numbers))
            writer.start()
            writer.join()
            assert live.verify()
        assert (recorder.gaps, recorder.error) == (0, None)
        assert live.version > since
        with pa.ipc.open_stream(path) as stream:
            assert json.loads(stream.schema.metadata[b"kalam:recording"])["row_version"] == ROW_VERSION
        again = finished(path)
        assert again.arrow().equals(live.arrow())
        assert again.delta(-1).row_ids == live.delta(-1).row_ids
        assert (again.version, again.form, again.key) == (live.version, live.form, live.key)
        assert (again.columns, again.schema) == (live.columns, live.schema)
        assert happened(again, since) == happened(live, since)
        assert again.changes().drop(columns="_old").equals(live.changes().drop(columns="_old"))
        assert repr(again.changes()["_old"].tolist()) == repr(live.changes()["_old"].tolist())
        assert not first.equals(live.arrow())


def test_all_types(client, namespace, path):
    table = f"{namespace}.typed"
    client.execute_query(f"CREATE TABLE {table} ({TYPES}) WITH (TYPE = 'SHARED')")
    with client.live(f"SELECT * FROM {table}") as live, live.record(path):
        client.execute_query(
            f"INSERT INTO {table} (id, b, s, i, f, d, t, j, y, u, ts, dt, da, ti, de, e) "
            "VALUES (9007199254740993, true, -5, 7, 0.5, 1.25, 'ä', '{\"a\": 1}', 'bytes', "
            "'123e4567-e89b-12d3-a456-426614174000', "
            "'2026-01-02T03:04:05.678901Z', '2026-01-02T03:04:05Z', '2026-01-02', '03:04:05', '-0.125', '[0.5, 2]')"
        )
        client.execute_query(f"INSERT INTO {table} (id) VALUES (2)")
        live.wait_for(2)
        assert live.verify()
    again = finished(path)
    assert again.arrow().equals(live.arrow())
    assert again.schema.equals(live.schema, check_metadata=True)
    assert again.df().equals(live.df())


def test_a_column_that_is_added_while_recording(client, numbers, path):
    with client.live(f"SELECT * FROM {numbers}") as live, live.record(path):
        client.execute_query(f"ALTER TABLE {numbers} ADD COLUMN extra TEXT")
        client.execute_query(f"INSERT INTO {numbers} (id, extra) VALUES (50, 'x')")
        live.wait_for(lambda live: "extra" in live.schema.names and 50 in live.arrow().column("id").to_pylist())
    again = finished(path)
    assert again.arrow().equals(live.arrow())
    assert again.columns == live.columns


def test_a_fast_table_is_recorded_whole(client, namespace, path):
    table = f"{namespace}.fast"
    client.execute_query(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
    with client.live(f"SELECT * FROM {table}") as live, live.record(path):
        for start in range(0, 3000, 100):
            values = ", ".join(f"({number}, {number})" for number in range(start, start + 100))
            client.execute_query(f"INSERT INTO {table} (id, n) VALUES {values}")
        live.wait_for(3000)
    again = finished(path)
    assert sorted(again.arrow().column("id").to_pylist()) == list(range(3000))
    assert again.arrow().equals(live.arrow())
    assert again.stats.inserted == live.stats.inserted == 3000


def test_the_recording_ends_with_the_client(server, namespace, path):
    with kalam.Client(server.url, token=server.token) as client:
        client.execute_query(f"CREATE TABLE {namespace}.t (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED')")
        live = client.live(f"SELECT * FROM {namespace}.t")
        recorder = live.record(path)
    live.close()
    assert not recorder.is_recording
    assert finished(path).num_rows == 0
