"""What a live table must not take for true: rows that come back, time that goes by, tables behind the first one."""

from __future__ import annotations

import pyarrow as pa
import pytest

pytestmark = pytest.mark.contract

#: Seconds for what has to show within a few.
SOON = 15.0


@pytest.fixture
def table(client, namespace):
    client.execute_query(f"CREATE TABLE {namespace}.t (id INT PRIMARY KEY, n INT, at TIMESTAMP)")
    return f"{namespace}.t"


@pytest.fixture
def stream(client, namespace):
    def make(ttl_seconds):
        client.execute_query(
            f"CREATE TABLE {namespace}.s (id INT PRIMARY KEY, room TEXT) "
            f"WITH (TYPE = 'STREAM', TTL_SECONDS = {ttl_seconds})"
        )
        return f"{namespace}.s"

    return make


def insert(client, table, *rows):
    values = ", ".join(f"({', '.join(map(str, row))})" for row in rows)
    names = {2: "id, n", 3: "id, n, at"}[len(rows[0])]
    client.execute_query(f"INSERT INTO {table} ({names}) VALUES {values}")


def ids(live):
    return sorted(live.arrow().column("id").to_pylist())


def test_rows_that_begin_to_match_as_time_goes_by(client, table):
    with client.live(f"SELECT id FROM {table} WHERE at <= now()") as live:
        insert(client, table, (1, 1, "now()"), (2, 2, "now() + INTERVAL '2 seconds'"))
        live.wait_for(lambda t: ids(t) == [1, 2], timeout=SOON)
        proof = live.verify()
        assert (bool(proof), ids(live)) == (True, [1, 2])


def test_a_row_that_a_flush_brings_back(client, table):
    """Truth L27: a flush may forget a delete."""
    insert(client, table, (1, 1), (2, 2))
    with client.live(f"SELECT id, n FROM {table}") as live:
        client.execute_query(f"STORAGE FLUSH TABLE {table}")
        client.execute_query(f"DELETE FROM {table} WHERE id = 1")
        client.execute_query(f"UPDATE {table} SET n = 3 WHERE id = 2")
        client.execute_query(f"STORAGE FLUSH TABLE {table}")
        assert live.verify()
        assert ids(live) == sorted(client.query_arrow(live.sql)["id"].to_pylist())


@pytest.mark.slow
def test_a_table_in_a_sub_query_of_the_filter_is_followed(client, table, namespace):
    insert(client, table, (1, 1), (2, 2), (3, 3))
    other = f"{namespace}.chosen"
    client.execute_query(f"CREATE TABLE {other} (id INT PRIMARY KEY, n INT)")
    insert(client, other, (1, 1))
    with client.live(f"SELECT id FROM {table} WHERE id IN (SELECT id FROM {other})") as live:
        assert (live.form, ids(live)) == ("re-run", [1])
        insert(client, other, (2, 2))
        live.wait_for(lambda t: ids(t) == [1, 2], timeout=SOON)


def test_a_sub_query_over_the_same_table_is_followed(client, table):
    insert(client, table, (1, 1), (2, 2))
    with client.live(f"SELECT id FROM {table} WHERE n = (SELECT max(n) FROM {table})") as live:
        client.execute_query(f"UPDATE {table} SET n = 0 WHERE id = 2")
        live.wait_for(lambda t: ids(t) == [1], timeout=SOON)


def test_a_result_that_depends_on_the_time_is_read_again(client, table):
    insert(client, table, (1, 1, "now()"))
    with client.live(f"SELECT count(*) AS n FROM {table} WHERE at > now() - INTERVAL '2 seconds'") as live:
        live.wait_for(lambda t: t.arrow()["n"].to_pylist() == [0], timeout=SOON)
        assert live.verify()


@pytest.mark.parametrize(
    ("change", "names"), [("ADD COLUMN b TEXT", ["id", "n", "at", "b"]), ("DROP COLUMN at", ["id", "n"])]
)
def test_a_result_gets_the_columns_of_an_altered_table(client, table, change, names):
    insert(client, table, (1, 1))
    with client.live(f"SELECT * FROM {table} ORDER BY n") as live:
        client.execute_query(f"ALTER TABLE {table} {change}")
        assert live.verify()
        assert [name for name in live.schema.names if not name.startswith("_")] == names


@pytest.mark.slow
def test_a_delete_in_a_stream_is_seen_under_a_filter(client, stream):
    table = stream(3600)
    client.execute_query(f"INSERT INTO {table} (id, room) VALUES (1, 'a'), (2, 'a'), (3, 'b')")
    with client.live(f"SELECT id FROM {table} WHERE room = 'a'") as live:
        client.execute_query(f"DELETE FROM {table} WHERE id = 1")
        # The next check tells it, which rests a hundred times as long as the last one took.
        live.wait_for(lambda t: ids(t) == [2], timeout=6 * SOON)


def test_rows_of_a_stream_expire_in_a_result_too(client, stream):
    table = stream(2)
    client.execute_query(f"INSERT INTO {table} (id, room) VALUES (1, 'a'), (2, 'a')")
    with client.live(f"SELECT room, count(*) AS n FROM {table} GROUP BY room") as live:
        live.wait_for(lambda t: t.num_rows == 0, timeout=SOON)


def test_a_paused_table_keeps_the_rows_of_a_stream(client, stream):
    table = stream(1)
    with client.live(f"SELECT id FROM {table}") as live, client.live(f"SELECT id FROM {table}") as other:
        client.execute_query(f"INSERT INTO {table} (id, room) VALUES (1, 'a')")
        for one in (live, other):
            one.wait_for(1)
        live.pause()
        other.wait_for(lambda t: t.num_rows == 0, timeout=SOON)
        assert live.num_rows == 1
        live.resume()
        live.wait_for(lambda t: t.num_rows == 0, timeout=SOON)


@pytest.mark.slow
def test_a_table_that_was_just_loaded_is_proved_and_left_alone(client, namespace):
    """More rows in two seconds than one delta tells."""
    table = f"{namespace}.big"
    client.write(pa.table({"id": pa.array(range(60_000)), "n": pa.array([1] * 60_000)}), table, create=True, key="id")
    with client.live(f"SELECT * FROM {table}") as live:
        assert live.verify()
        rounds = live.stats.rounds
        assert live.verify()
        assert live.stats.rounds == rounds + 1


def test_files_of_a_result_can_be_downloaded(client, namespace, tmp_path):
    table = f"{namespace}.f"
    client.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, body FILE)")
    client.execute_with_files(f'INSERT INTO {table} (id, body) VALUES (1, FILE("x"))', {"x": b"abc"})
    with client.live(f"SELECT id, body FROM {table} ORDER BY id") as live:
        assert live.form == "re-run"
        assert client.download(live.df().loc[0, "body"], to=tmp_path / "x").read_bytes() == b"abc"


def test_words_that_are_values_are_no_columns(client, table):
    insert(client, table, (1, 1))
    with client.live(f"SELECT id, true FROM {table}") as live:
        assert live.arrow().column(1).to_pylist() == [True]
