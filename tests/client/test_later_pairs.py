"""Pairs on KalamDB from 0.7.1 on, as the sandbox plays it: what stops or deceives who knows 0.4.3 alone, and ours.

None of these servers was at hand; what each habit rests on is told in docs/sandbox.md.
"""

import contextlib
import itertools
import json
import threading
import time
import uuid

import pyarrow as pa
import pytest
from later_servers import (  # noqa: F401
    cut_server,
    follows,
    insert,
    kind_of_table,
    later_client,
    later_server,
    make_in,
    make_table,
    plain_later,
    playing,
)
from plain_client import plain_client

import kalam_notebook as kalam
from kalam_notebook import dbapi
from kalam_notebook.errors import PermissionDeniedError, QueryError, ResultError, WriteError
from kalam_notebook.live_queries.events.messages import InitialBatch, LiveNotice
from kalam_notebook.results.results import IncompleteResultWarning
from kalam_notebook.wire.row_version import SEQ

# Codes of errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("INSERT INTO {} (id, n) VALUES (2, NULL)", "NOT_NULL_VIOLATION"),
        ("UPDATE {} SET n = 2 WHERE id = 1", "MISSING_COLUMN"),
    ],
)
def test_a_refusal_has_a_code_of_its_own(later, plain, client, make, sql, code):
    table = make((1, 1), columns="id BIGINT PRIMARY KEY, n INT NOT NULL")
    if code == "MISSING_COLUMN":  # Rows from before have no value for it.
        client.execute_query(f"ALTER TABLE {table} ADD COLUMN m INT NOT NULL DEFAULT 0")
    sql = sql.format(table)
    assert plain.http.post("/v1/api/sql", json={"sql": sql}).json()["error"]["code"] == code
    with pytest.raises(QueryError, match="NOT NULL") as refused:
        client.execute_query(sql)
    assert refused.value.code == code
    with contextlib.closing(dbapi.connect(client=client)) as connection, pytest.raises(dbapi.IntegrityError):
        connection.cursor().execute(sql)


def hint_of(client, sql):
    with pytest.raises(QueryError) as refused:
        client.execute_query(sql)
    return refused.value.hint


def test_a_form_of_before_is_refused_with_the_one_to_write(plain, client):
    """Refused from 0.8 on."""
    sql = "CREATE USER TABLE app.old (id INT PRIMARY KEY)"
    if plain.http.post("/v1/api/sql", json={"sql": sql}).json()["status"] == "error":
        form = hint_of(client, sql).partition(": ")[2].rstrip(".")
        assert form == "CREATE TABLE app.old (…) WITH (TYPE = 'USER')"
        client.execute_query(form.replace("…", "id INT PRIMARY KEY"))
    client.execute_query("DROP TABLE app.old")


def test_an_access_level_is_refused_with_the_policy_to_write(client, make):
    table = make()
    policy = hint_of(client, f"ALTER TABLE {table} SET ACCESS LEVEL PUBLIC").partition(": ")[2].rstrip(".")
    assert policy == f"CREATE POLICY everybody ON {table} FOR SELECT USING (true)"
    client.execute_query(policy)


def test_rows_of_others_are_read_in_the_short_form(later, client, make):
    table = make(kind="USER")
    name = f"u{uuid.uuid4().hex[:8]}"
    client.execute_query(f"CREATE USER '{name}' WITH PASSWORD 'Passw0rd!{name}' ROLE 'user'")
    with kalam.Client(later[0].url, user=name, password=f"Passw0rd!{name}") as other:
        insert(other, table, [(1, 1)])
        with pytest.raises(PermissionDeniedError) as refused:
            other.execute_query("DROP USER 'root'")
        assert "Users are made and changed by the roles dba and system" in refused.value.hint
    (notice,) = client.query_result(f"SELECT * FROM {table}").notices
    form = notice.partition(" by ")[2].rstrip(".")
    assert form == f"EXECUTE AS 'name' (SELECT * FROM {table})"
    assert client.query_result(form.replace("'name'", f"'{name}'")).row_count == 1


# Going on behind a version ------------------------------------------------------------------------------------------


def test_a_version_older_than_the_log_brings_rows_and_no_deletes(later, plain, client, make, kind):
    """The log begins with the first live query that reads rows; who read them over HTTP before has an older version."""
    table = make((1, 1), (2, 2), kind=kind)
    sql = f"SELECT * FROM {table}"
    held = {row[0] for row in plain.rows(f"SELECT id FROM {table}")}
    seq = int(plain.rows(f"SELECT max(_version) FROM {table}")[0][0])
    client.execute_query(f"DELETE FROM {table} WHERE id = 1")
    insert(client, table, [(3, 3)])
    with follows(later, sql, {"batch_size": 999}, version="_version") as first:
        domain = {"version_domain": first.domain} if first.domain else {}
        with follows(later, sql, {"from": str(seq), **domain}, version="_version") as deceived:
            assert held | set(deceived.rows) == {"1", "2", "3"}
            assert not deceived.deletes

    with client.live_events(sql, from_seq=seq) as events:
        taken = [events.next(timeout=20)]
        while not isinstance(taken[-1], InitialBatch):
            taken.append(events.next(timeout=20))
    told = [event.code for event in taken if isinstance(event, LiveNotice)]
    rows = [row["id"] for row in taken[-1].rows]
    # Of a SHARED table a version is worth nothing without what it belongs to, which comes over the socket alone.
    expected = (["DELETES_NOT_TOLD"], ["3"]) if kind == "USER" else (["CURSOR_EXPIRED"], ["2", "3"])
    assert (told, rows) == expected


# Sorts --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def scores(client, make):
    """The greater the key, the smaller the score."""
    return make(*((i, 1_000 - i) for i in range(30)))


def test_a_sort_that_the_server_keeps_is_not_read_twice(later, plain, client, scores):
    """0.4.3 sends rows under a LIMIT in the order of the key: one answer in another order tells another server."""
    server, _ = later
    sql = f"SELECT id, n FROM {scores} ORDER BY n LIMIT 5"
    told = [{"id": int(key), "n": n} for key, n in plain.rows(sql)]
    assert [row["id"] for row in told] == [29, 28, 27, 26, 25]
    with kalam.Client(server.url, token=server.token) as new:
        first = new.query_result(sql, strict=True)
        assert (first.completeness.method, first.arrow().to_pylist()) == ("plain", told)
        # These rows are in the order of the key, which told nothing before.
        second = new.query_result(f"SELECT id, n FROM {scores} ORDER BY n DESC LIMIT 5", strict=True)
        assert (second.completeness.method, second.completeness.requests) == ("plain", 1)
        assert second.arrow()["id"].to_pylist() == [0, 1, 2, 3, 4]
        # A sort by what is not shown is another matter, until one was seen.
        hidden = new.query_result(f"SELECT id FROM {scores} ORDER BY n DESC LIMIT 5", strict=True)
        assert hidden.completeness.method == "exact"
        assert new.query_result(f"SELECT id FROM {scores} ORDER BY n LIMIT 5").completeness.method == "plain"
        assert new.query_result(f"SELECT id FROM {scores} ORDER BY n + 1 LIMIT 6").completeness.method == "plain"


# Moments ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_transaction_sees_each_kind_of_tables_at_a_moment_of_its_own():
    """Somebody writes a row into the first table and then into the second, which never has more of them."""
    with playing("0.8", "--scan-row-ns", "20000000") as (server, client), plain_client(server) as plain:
        own, shared = make_in(client, *((i, 0) for i in range(20)), kind="USER"), make_in(client)
        counts = ";".join(f"SELECT count(*) AS c FROM {table} WHERE n = 1" for table in (own, shared))
        stop = threading.Event()

        def write():
            for i in itertools.count(1_000):
                for table in (own, shared):
                    insert(client, table, [(i, 1)])
                if stop.is_set():
                    return

        thread = threading.Thread(target=write)
        thread.start()
        try:
            told = [plain.results(f"BEGIN; {counts}; COMMIT") for _ in range(2)]
        finally:
            stop.set()
            thread.join()
        assert any(int(second["rows"][0][0]) > int(first["rows"][0][0]) for _, first, second, _ in told)
        with pytest.warns(IncompleteResultWarning, match="moments"):
            client.query(f"SELECT a.c - b.c AS d FROM ({counts.replace(';', ') AS a, (')}) AS b")


@pytest.mark.slow
def test_what_is_of_several_moments_is_not_taken_for_one(later, client, make):
    shared, other, own = make((1, 1)), make((1, 1)), make((1, 1), kind="USER")
    for engine in ("server", "local"):
        for left, right, is_sure in ((shared, other, True), (own, own, True), (own, shared, False)):
            sql = f"SELECT a.n FROM {left} AS a JOIN {right} AS b ON a.id = b.id"
            with contextlib.nullcontext() if is_sure else pytest.warns(IncompleteResultWarning, match="moments"):
                assert client.query(sql, engine=engine)["n"].tolist() == [1]
            with contextlib.nullcontext() if is_sure else pytest.raises(ResultError, match="moments"):
                client.query(sql, engine=engine, strict=True)
    with client.live(sql) as live:
        assert live.num_rows == 1
        assert "moments" in live.notice


# Versions without time ----------------------------------------------------------------------------------------------


def test_a_version_in_a_cast_leads_no_further(cut):
    """On 0.4.3 any comparison with `_seq` moves where a scan begins (truth R3): here a number as written alone does."""
    server, client = cut
    table = make_in(client, *((i, i) for i in range(300)))
    with plain_client(server) as plain:
        (seen,) = plain.rows(f"SELECT max(_version) AS v FROM {table}")[0]
        rest = f"SELECT count(*) AS n FROM {table} WHERE _version > "
        assert plain.rows(f"{rest} CAST('{seen}' AS BIGINT)") == [["0"]]
        assert int(plain.rows(f"{rest} {seen}")[0][0]) > 0
    assert client.query_result(f"SELECT id FROM {table}", strict=True).row_count == 300


@pytest.mark.slow
def test_the_age_of_a_row_is_not_in_its_version(later, plain, client, make):
    """Who takes it from there, as on 0.4.3, finds the row years old; ours goes at the end of its time, not before."""
    table = make(kind="STREAM", ttl_seconds=10)
    with client.live(f"SELECT * FROM {table}") as live:
        insert(client, table, [(1, 1)])
        live.wait_for(1, timeout=20)
        ((version, at),) = plain.rows(f"SELECT _version, _timestamp FROM {table}")
        assert abs(SEQ.ms(int(version)) - time.time() * 1000) > 1e10
        assert abs(int(at) - time.time() * 1000) < 10_000
        live.wait_for(lambda t: t.num_rows == 0, timeout=60)
        assert time.time() * 1000 >= int(at) + 10_000


@pytest.mark.slow
def test_rows_without_a_key_are_not_told_apart_by_a_column(cut):
    """Who takes the first column for the key, since there must be one, holds one row of two."""
    client = cut[1]
    table = make_in(client, (1, 1), (1, 1), (2, 2), columns="id BIGINT, n INT")
    sql = f"SELECT * FROM {table}"
    with follows(cut, sql, {"batch_size": 999}, version="_version") as deceived, client.live(sql) as live:
        assert sorted(deceived.rows) == ["1", "2"]
        assert sorted(live.arrow()["id"].to_pylist()) == [1, 1, 2]
    assert sorted(client.query(sql, strict=True)["id"]) == [1, 1, 2]


def test_messages_of_a_topic_have_another_version(later, plain, client, make):
    table = make()
    topic = f"{table}_events"
    client.execute_query(f"CREATE TOPIC {topic}; ALTER TOPIC {topic} ADD SOURCE {table} ON INSERT")
    insert(client, table, [(1, 1), (2, 2)])
    told = [json.loads(bytes(row[4])) for row in plain.rows(f"CONSUME FROM {topic} FROM EARLIEST")]
    assert [{"_seq", "_commit_seq", "_version"} & set(row) for row in told] == [{"_version"}] * 2
    with client.consumer(topic, group_id="g", start="earliest") as consumer:
        messages = []
        while len(messages) < 2:
            messages += consumer.poll(timeout=5)
        rows = consumer.arrow(messages)
    assert rows.select(["id", "n"]).to_pylist() == [{"id": 1, "n": 1}, {"id": 2, "n": 2}]


# Requests that nobody waits for -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_rest_of_an_abandoned_request_is_not_carried_out():
    """On 0.4.3 it is, so that who did not wait finds all rows there in the end; ours says how far it was."""
    with playing("0.8", "--insert-value-ns", "30000000") as (server, client):
        table = make_in(client)
        frame = pa.table({"id": list(range(100)), "n": [0] * 100})
        with (
            kalam.Client(server.url, token=server.token, timeout=3, max_retries=0) as hasty,
            pytest.raises(WriteError, match=r"(?s)did not answer in time.*were not written") as failed,
        ):
            hasty.write(frame, table, chunk_rows=10)
        first, _ = failed.value.rows
        assert first < 100
        ids = client.query(f"SELECT id FROM {table}", strict=True)["id"]
        assert sorted(ids) == list(range(first))
        client.write(frame.slice(first), table)
        assert client.query_result(f"SELECT id FROM {table}", strict=True).row_count == 100
