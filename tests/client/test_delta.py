"""What changed since a ``_seq``, as checks ask for it, against a server."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from servers import ROW_VERSION

from kalam_notebook.errors import QueryError, ServerError
from kalam_notebook.live_queries.following import delta as delta_module
from kalam_notebook.live_queries.following.delta import read_deltas
from kalam_notebook.live_queries.following.plan import plan_table
from kalam_notebook.live_queries.following.query import parse_live_query
from kalam_notebook.live_queries.following.whole import read_whole
from kalam_notebook.live_queries.rows.fingerprint import DeltaQuestion, Fingerprint, fingerprint_of
from kalam_notebook.reading.window import WindowCheck
from kalam_notebook.sql.statement import Statement

pytestmark = pytest.mark.contract


@pytest.fixture(params=["USER", "SHARED"])
def table(request, client, namespace):
    table = f"{namespace}.t"
    client.execute_query(
        f"CREATE TABLE {table} (id TEXT PRIMARY KEY, n INT, d DECIMAL(6, 2), ok BOOLEAN) "
        f"WITH (TYPE = '{request.param}')"
    )
    client.execute_query(
        f"INSERT INTO {table} (id, n, d, ok) VALUES "
        "('a', 1, '-0.50', false), ('it''s é', 2, '0.50', true), ('c', 3, NULL, NULL)"
    )
    return table


def plan_of(client, sql):
    query = parse_live_query(sql)
    return plan_table(query, client._live_parts().source().describe(query.source))


def read_delta(endpoint, plan, question):
    (found,) = read_deltas(endpoint, [(plan, question)])
    if isinstance(found, Exception):
        raise found
    return found


def ask(client, sql, after=0, **options):
    return read_delta(client._endpoint, plan_of(client, sql), DeltaQuestion(after, proves=True, **options))


def newest_seq(client, table):
    return WindowCheck().scan(client._endpoint, table).newest


def pairs(table):
    return dict(zip(table.column("key").to_pylist(), table.column("seq").to_pylist(), strict=True))


def test_rows_keys_and_fingerprint(client, table):
    found = ask(client, f"SELECT * FROM {table}")
    rows = {row["id"]: row for row in found.rows.to_pylist()}
    assert {key: str(row["d"]) for key, row in rows.items()} == {"a": "-0.50", "it's é": "0.50", "c": "None"}
    assert pairs(found.keys) == {key: row[ROW_VERSION] for key, row in rows.items()}
    assert found.deleted.num_rows == 0
    assert (found.fingerprint.count, found.fingerprint.last) == (3, max(row[ROW_VERSION] for row in rows.values()))
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


def test_a_deleted_row_is_not_asked_whether_it_matches(client, table):
    sql = f"SELECT id FROM {table} WHERE NOT ok"
    before = newest_seq(client, table)
    client.execute_query(f"UPDATE {table} SET ok = true WHERE id = 'a'")
    client.execute_query(f"UPDATE {table} SET ok = false WHERE id = 'c'")
    client.execute_query(f"DELETE FROM {table} WHERE n = 2")
    found = ask(client, sql, before)
    assert found.rows.column("id").to_pylist() == ["c"]
    assert (sorted(pairs(found.keys)), list(pairs(found.deleted))) == (["a", "c"], ["it's é"])


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
        read_delta(client._endpoint, plan, DeltaQuestion(0, proves=True))


def test_streams_go_by_their_seq(client, namespace):
    table = f"{namespace}.s"
    client.execute_query(f"CREATE TABLE {table} (id TEXT PRIMARY KEY, v INT) WITH (TYPE = 'STREAM', TTL_SECONDS = 600)")
    client.execute_query(f"INSERT INTO {table} (id, v) VALUES ('a', 1)")
    client.execute_query(f"INSERT INTO {table} (id, v) VALUES ('a', 2)")
    plan = plan_of(client, f"SELECT v FROM {table} WHERE v > 1")
    assert (plan.key, plan.ttl_ms) == (ROW_VERSION, 600_000)
    found = read_delta(client._endpoint, plan, DeltaQuestion(0, proves=True))
    assert found.rows.column("v").to_pylist() == [2]
    assert len(pairs(found.keys)) == 2
    assert found.fingerprint.count == 1


# For several live tables at once.


class Recording:
    """An endpoint that remembers what it was asked."""

    def __init__(self, endpoint):
        self._endpoint = endpoint
        self.texts = []

    def __getattr__(self, name):
        def call(sql, *args):
            self.texts.append(sql)
            return getattr(self._endpoint, name)(sql, *args)

        return call

    def statements(self):
        return [len(Statement.of(sql).statements) - 2 for sql in self.texts]  # Without BEGIN and COMMIT.


def test_what_live_tables_have_in_common_is_asked_once(client, table):
    sqls = [f"SELECT * FROM {table}", f"SELECT * FROM {table}", f"SELECT id FROM {table} WHERE n > 1"]
    plans = [plan_of(client, sql) for sql in sqls]
    endpoint = Recording(client._endpoint)
    found = read_deltas(endpoint, [(plan, DeltaQuestion(0, proves=True)) for plan in plans])
    alone = [read_delta(client._endpoint, plan, DeltaQuestion(0, proves=True)) for plan in plans]
    for together, single in zip(found, alone, strict=True):
        assert sorted(together.rows.to_pylist(), key=str) == sorted(single.rows.to_pylist(), key=str)
        assert (pairs(together.keys), pairs(together.deleted)) == (pairs(single.keys), pairs(single.deleted))
        assert together.fingerprint == single.fingerprint
    # What changed and the fingerprint, of both kinds, and the clock.
    assert endpoint.statements() == [5]


def test_what_is_refused_for_one_is_answered_for_the_others(client, table):
    good = plan_of(client, f"SELECT * FROM {table}")
    bad = replace(good, filter_sql="nope > 1")
    found, refused = read_deltas(client._endpoint, [(good, DeltaQuestion(0)), (bad, DeltaQuestion(0))])
    assert (found.rows.num_rows, found.fingerprint) == (3, None)
    assert isinstance(refused, ServerError)
    assert "nope" in str(refused)


def test_questions_that_begin_far_apart_are_asked_alone(client, table):
    plan, newest = plan_of(client, f"SELECT * FROM {table}"), newest_seq(client, table)
    endpoint = Recording(client._endpoint)
    far = newest + plan.version.near  # Versions of the log begin at 0.
    old, new = read_deltas(endpoint, [(plan, DeltaQuestion(0)), (plan, DeltaQuestion(far))])
    assert (old.rows.num_rows, new.rows.num_rows) == (3, 0)
    assert endpoint.statements() == [2, 2]


# Everything, in one scan.


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", 3),
        ("WHERE n > 1", 2),
        ("WHERE id = 'a' -- one", 1),
        ("WHERE id = 'a' OR n = 2", 2),
        ("WHERE n > 99", 0),
        ("WHERE NOT ok", 1),
    ],
)
@pytest.mark.slow
def test_rows_come_whole_with_their_fingerprint(client, table, where, expected):
    plan = plan_of(client, f"SELECT * FROM {table} {where}")
    reading = read_whole(client._endpoint, plan, client._reader.limits.damages)
    assert (reading.rows.num_rows, reading.doubt, reading.is_beyond) == (expected, "", False)
    assert reading.fingerprint.agrees(fingerprint_of(reading.rows.column(ROW_VERSION).to_numpy()))
    assert reading.rows.schema.names == [column.name for column in plan.columns]
    assert abs(reading.now_ms / 1000 - time.time()) < 3600
    # The first delta begins where the rows end.
    client.execute_query(f"UPDATE {table} SET n = 2 WHERE id = 'a'")
    client.execute_query(f"DELETE FROM {table} WHERE id = 'c'")
    found = read_delta(client._endpoint, plan, DeltaQuestion(reading.newest))
    assert {"a"} <= set(pairs(found.keys))
    assert {"c"} <= set(pairs(found.deleted))


def test_decimals_and_quotes_are_whole(client, table):
    plan = plan_of(client, f"SELECT id, d FROM {table}")
    rows = read_whole(client._endpoint, plan, client._reader.limits.damages).rows.to_pylist()
    assert {row["id"]: str(row["d"]) for row in rows} == {"a": "-0.50", "it's é": "0.50", "c": "None"}


def test_one_scan_and_one_look_behind_it(client, table):
    endpoint = Recording(client._endpoint)
    read_whole(endpoint, plan_of(client, f"SELECT * FROM {table} WHERE n > 1"), client._reader.limits.damages)
    scans = [sql for sql in endpoint.texts if f"{ROW_VERSION} >" not in sql]
    assert (len(endpoint.texts), len(scans)) == (2, 1)


def test_an_empty_table_is_one_too(client, table):
    client.execute_query(f"DELETE FROM {table} WHERE n > 0 OR n IS NULL")
    reading = read_whole(client._endpoint, plan_of(client, f"SELECT * FROM {table}"), client._reader.limits.damages)
    assert (reading.rows.num_rows, reading.fingerprint.count) == (0, 0)
    assert reading.newest == newest_seq(client, table)  # That of a tombstone.
