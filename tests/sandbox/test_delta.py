"""What changed since a ``_seq``, as the truth lane asks for it, against a server."""

from __future__ import annotations

import time

import pytest

from kalam_notebook.errors import QueryError, ServerError
from kalam_notebook.live.plan import plan_table
from kalam_notebook.live.query import parse_live_query
from kalam_notebook.live.truth import Fingerprint
from kalam_notebook.reading import delta as delta_module
from kalam_notebook.reading.delta import read_delta, read_fingerprints
from kalam_notebook.reading.window import WindowCheck

pytestmark = pytest.mark.contract


@pytest.fixture(params=["USER", "SHARED"])
def table(request, client, namespace):
    table = f"{namespace}.t"
    client.execute_query(
        f"CREATE TABLE {table} (id TEXT PRIMARY KEY, n INT, d DECIMAL(6, 2)) WITH (TYPE = '{request.param}')"
    )
    client.execute_query(
        f"INSERT INTO {table} (id, n, d) VALUES ('a', 1, '-0.50'), ('it''s é', 2, '0.50'), ('c', 3, NULL)"
    )
    return table


def plan_of(client, sql):
    query = parse_live_query(sql)
    return plan_table(query, client._live_source().describe(query.source))


def ask(client, sql, after=0, **options):
    return read_delta(client._endpoint, plan_of(client, sql), after, **options)


def newest_seq(client, table):
    return WindowCheck().scan(client._endpoint, table).newest


def pairs(table):
    return dict(zip(table.column("key").to_pylist(), table.column("seq").to_pylist(), strict=True))


def test_rows_keys_and_fingerprint(client, table):
    found = ask(client, f"SELECT * FROM {table}")
    rows = {row["id"]: row for row in found.rows.to_pylist()}
    assert {key: str(row["d"]) for key, row in rows.items()} == {"a": "-0.50", "it's é": "0.50", "c": "None"}
    assert pairs(found.keys) == {key: row["_seq"] for key, row in rows.items()}
    assert found.deleted.num_rows == 0
    assert (found.fingerprint.count, found.fingerprint.last) == (3, max(row["_seq"] for row in rows.values()))
    assert (found.fingerprint,) == read_fingerprints(client._endpoint, [table])
    assert newest_seq(client, table) == found.fingerprint.last
    assert found.counted is None
    assert abs(found.now_ms / 1000 - time.time()) < 3600


def test_only_what_changed(client, table):
    before = newest_seq(client, table)
    client.execute_query(f"UPDATE {table} SET n = 9 WHERE id = 'a'")
    client.execute_query(f"DELETE FROM {table} WHERE id = 'c'")
    found = ask(client, f"SELECT id, n FROM {table}", before, counts=True)
    assert [(row["id"], row["n"]) for row in found.rows.to_pylist()] == [("a", 9)]
    assert (list(pairs(found.keys)), list(pairs(found.deleted))) == (["a"], ["c"])
    assert (found.fingerprint.count, found.counted) == (2, 2)
    assert newest_seq(client, table) == max(pairs(found.deleted).values())


def test_a_key_without_a_row_has_left_the_filter(client, table):
    sql = f"SELECT id FROM {table} WHERE n < 3 -- small ones"
    before = newest_seq(client, table)
    client.execute_query(f"UPDATE {table} SET n = 9 WHERE id = 'a'")
    found = ask(client, sql, before)
    assert (found.rows.num_rows, list(pairs(found.keys)), found.deleted.num_rows) == (0, ["a"], 0)
    assert found.fingerprint.count == 1


def test_what_lies_behind_a_floor(client, table):
    seqs = sorted(pairs(ask(client, f"SELECT * FROM {table}").keys).values())
    found = ask(client, f"SELECT * FROM {table}", seqs[-1], floor=seqs[1])
    assert (found.rows.num_rows, found.fingerprint) == (0, Fingerprint(1, seqs[2], seqs[2], seqs[2] % 1_000_000_007))


def test_a_refusal_is_no_empty_table(client, table):
    absent = f"{table}_absent"
    assert WindowCheck().look(client._endpoint, absent) is None
    with pytest.raises(ServerError):
        WindowCheck().scan(client._endpoint, absent)


def test_an_empty_table(client, table):
    client.execute_query(f"DELETE FROM {table} WHERE n > 0")
    after = newest_seq(client, table)
    found = ask(client, f"SELECT * FROM {table} WHERE n > 0", after)
    assert [found.rows.num_rows, found.keys.num_rows, found.deleted.num_rows] == [0, 0, 0]
    assert found.fingerprint == Fingerprint()


def test_too_much_is_not_told(client, table, monkeypatch):
    monkeypatch.setattr(delta_module, "MAX_ROWS", 2)
    assert ask(client, f"SELECT * FROM {table}") is None


def test_a_column_that_is_gone(client, table):
    plan = plan_of(client, f"SELECT * FROM {table}")
    client.execute_query(f"ALTER TABLE {table} DROP COLUMN d")
    with pytest.raises(QueryError, match="d"):
        read_delta(client._endpoint, plan, 0)


def test_streams_go_by_their_seq(client, namespace):
    table = f"{namespace}.s"
    client.execute_query(f"CREATE TABLE {table} (id TEXT PRIMARY KEY, v INT) WITH (TYPE = 'STREAM', TTL_SECONDS = 600)")
    client.execute_query(f"INSERT INTO {table} (id, v) VALUES ('a', 1)")
    client.execute_query(f"INSERT INTO {table} (id, v) VALUES ('a', 2)")
    plan = plan_of(client, f"SELECT v FROM {table} WHERE v > 1")
    assert (plan.key, plan.ttl_ms) == ("_seq", 600_000)
    found = read_delta(client._endpoint, plan, 0)
    assert found.rows.column("v").to_pylist() == [2]
    assert len(pairs(found.keys)) == 2
    assert found.fingerprint.count == 1
