"""KalamDB from 0.7.1 on, as the sandbox plays it: who takes 0.4.3 for granted is deceived or stopped, ours is not.

None of these servers was at hand; what each habit rests on is told in docs/sandbox.md.
"""

import contextlib
import itertools
import threading
import uuid

import pyarrow as pa
import pytest
from IPython.utils.capture import capture_output
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
from plain_client import Plain, plain_client
from scan_counter import scan_counter

import kalam_notebook as kalam
from kalam_notebook.errors import AuthError, PermissionDeniedError
from kalam_notebook.notebook.completion.schema import _read_schema
from kalam_notebook.results.results import IncompleteResultWarning

ROWS = 300


# Row versions -------------------------------------------------------------------------------------------------------


def test_a_client_that_names_seq_is_stopped(client, plain, make, kind):
    table = make(*((i, i) for i in range(80)), kind=kind)
    answer = plain.http.post("/v1/api/sql", json={"sql": f"SELECT max(_seq) FROM {table}"}).json()
    assert "No field named _seq" in answer["error"]["message"]
    result = client.query_result(f"SELECT * FROM {table}", strict=True)
    assert (result.row_count, [column.name for column in result.columns]) == (80, ["id", "n"])
    assert len(client.query(f"SELECT * FROM {table}", engine="local", strict=True)) == 80


@pytest.mark.slow
@pytest.mark.parametrize("params", [[], [-1]], ids=["plain", "params"])
def test_versions_without_time_lead_through_a_table_beyond_the_window(cut, kind, params):
    client = cut[1]
    table = make_in(client, *((i, 0) for i in range(ROWS)), kind=kind)
    client.execute_query(";".join(f"UPDATE {table} SET n = 1 WHERE id = {i}" for i in range(ROWS)))
    client.execute_query(";".join(f"DELETE FROM {table} WHERE id = {i}" for i in range(50)))
    where = "WHERE id > $1" if params else ""
    result = client.query_result(f"SELECT id, n FROM {table} {where}", params, strict=True)
    assert "read in pages by _version up to " in result.completeness.text
    assert result.arrow().to_pydict() == {"id": list(range(50, ROWS)), "n": [1] * (ROWS - 50)}
    batches = client.query_batches(f"SELECT id, n FROM {table}", batch_rows=90, strict=True)
    assert sorted(itertools.chain.from_iterable(b["id"].to_pylist() for b in batches)) == list(range(50, ROWS))
    local = client.query_arrow(f"SELECT count(*) AS c, sum(n) AS s FROM {table}", engine="local", strict=True)
    assert local.to_pylist() == [{"c": ROWS - 50, "s": ROWS - 50}]


@pytest.mark.slow
def test_reading_ends_while_others_go_on_writing(cut):
    """There is no clock in versions: an end is found by numbers alone."""
    server, client = cut
    table = make_in(client, *((i, 0) for i in range(ROWS)))
    stop, written = threading.Event(), []

    def write():
        with kalam.Client(server.url, token=server.token) as other:
            for number in itertools.count(1):
                if stop.is_set():
                    return
                keys = ", ".join(str((number * 37 + i * 7) % ROWS) for i in range(20))
                other.execute_query(f"UPDATE {table} SET n = {number} WHERE id IN ({keys})")
                written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(2):
            before = len(written)
            rows = client.query_result(f"SELECT id, n FROM {table}", strict=True).arrow()
            assert rows.column("id").to_pylist() == list(range(ROWS))
            assert max(rows.column("n").to_pylist()) >= before
    finally:
        stop.set()
        thread.join(30)


# Streams and statements ---------------------------------------------------------------------------------------------


def test_streams_between_begin_and_commit(plain, client, make):
    table = make(*((i, i) for i in range(60)), kind="STREAM", ttl_seconds=600)
    body = {"sql": f"BEGIN; SELECT id FROM {table}; COMMIT"}
    assert plain.http.post("/v1/api/sql", json=body).json()["status"] == "error"
    assert client.query_result(f"SELECT * FROM {table}", strict=True).row_count == 60
    with client.live(f"SELECT * FROM {table}") as live:
        assert live.verify(timeout=20)


def test_create_in_the_words_of_before(later, client):
    """Refused from 0.8 on; what we make is made on all."""
    old = f"app.t{uuid.uuid4().hex[:10]}"
    sql = f"CREATE USER TABLE {old} (id BIGINT PRIMARY KEY)"
    with contextlib.closing(Plain(later[0]).http) as http:
        answer = http.post("/v1/api/sql", json={"sql": sql}).json()
    assert answer["status"] == "success" or "WITH (TYPE" in answer["error"]["message"]
    for kind in ("USER", "SHARED"):
        name = f"app.t{uuid.uuid4().hex[:10]}"
        client.write(pa.table({"id": [1, 2]}), name, create=True, key="id", kind=kind)
        assert client.query_result(f"SELECT * FROM {name}", strict=True).row_count == 2


def test_the_servers_own_columns_are_offered_and_counted_nowhere(client, make):
    table = make((1, 1), kind="STREAM", ttl_seconds=60)
    name = tuple(table.split("."))
    assert list(_read_schema(client).tables[name]) == ["id", "n"]
    listed = client.tables(name[0]).df()
    assert listed.loc[listed["table"] == name[1], "columns"].tolist() == [2]


def test_a_query_over_streams_and_tables_is_read(client, make):
    stream, table = make((1, 1), kind="STREAM", ttl_seconds=60), make((1, 5))
    sql = f"SELECT a.id, b.n FROM {stream} AS a JOIN {table} AS b ON a.id = b.id"
    with pytest.warns(IncompleteResultWarning, match="does not read these tables in one transaction"):
        assert client.query_arrow(sql).to_pylist() == [{"id": 1, "n": 5}]
    with pytest.warns(IncompleteResultWarning, match="at moments of their own"):
        assert client.query_arrow(sql, engine="local").to_pylist() == [{"id": 1, "n": 5}]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["insert", "upsert", "delete"])
def test_a_commit_has_so_many_rows(mode):
    """65,536 of a real server, fewer here: who puts all rows into one transaction is refused."""
    with playing("0.8", "--commit-rows", "600") as (server, client):
        table = make_in(client, *((i, 0) for i in range(700)), kind="USER")
        keys = list(range(1_000, 1_700)) if mode == "insert" else list(range(700))
        with plain_client(server) as plain:
            parts = (keys[:350], keys[350:])
            rows = [", ".join(f"({key}, 1)" for key in part) for part in parts]
            if mode == "delete":
                statements = [f"DELETE FROM {table} WHERE id IN ({', '.join(map(str, part))})" for part in parts]
            else:
                more = "" if mode == "insert" else " ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n"
                statements = [f"INSERT INTO {table} (id, n) VALUES {part}{more}" for part in rows]
            sql = "; ".join(["BEGIN", *statements, "COMMIT"])
            answer = plain.http.post("/v1/api/sql", json={"sql": sql}).json()
            assert "at most 600 row versions" in answer["error"]["message"]

        frame = pa.table({"id": keys, "n": [1] * len(keys)})
        report = client.write(frame, table, mode=mode)
        assert report.inserted + report.updated + report.deleted == 700
        held = client.query_arrow(f"SELECT id, n FROM {table}", strict=True)
        expected = {"insert": 1_400, "upsert": 700, "delete": 0}[mode]
        assert held.num_rows == expected


# People ------------------------------------------------------------------------------------------------------------


def test_a_user_who_may_make_no_tables_is_told_who_may(later, client):
    server, _ = later
    name = f"u{uuid.uuid4().hex[:8]}"
    client.execute_query(f"CREATE USER '{name}' WITH PASSWORD 'Passw0rd!{name}' ROLE 'user'")
    with kalam.Client(server.url, user=name, password=f"Passw0rd!{name}") as user:
        with pytest.raises(PermissionDeniedError, match="made and changed by the roles service, dba and system"):
            user.execute_query("CREATE TABLE app.mine (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER')")
        with pytest.raises(PermissionDeniedError, match="made and changed by the roles service, dba and system"):
            user.write(pa.table({"id": [1]}), "app.mine", create=True, key="id", kind="USER")


def test_a_user_who_may_show_and_describe_nothing_writes_all_the_same(later, client, make):
    server, _ = later
    table = make(kind="USER", columns="id BIGINT PRIMARY KEY, n INT DEFAULT 7")
    name = f"u{uuid.uuid4().hex[:8]}"
    client.execute_query(f"CREATE USER '{name}' WITH PASSWORD 'Passw0rd!{name}' ROLE 'user'")
    with kalam.Client(server.url, user=name, password=f"Passw0rd!{name}") as user:
        for sql in ("SHOW TABLES", "SHOW NAMESPACES", f"DESCRIBE TABLE {table}"):
            with pytest.raises(PermissionDeniedError):
                user.query(sql)
        user.write(pa.table({"id": [1, 2], "n": [1, 2]}), table)
        user.write(pa.table({"id": [2, 3], "n": [5, 6]}), table, mode="upsert")
        assert user.query_arrow(f"SELECT id, n FROM {table}", strict=True)["n"].to_pylist() == [1, 5, 6]
        with user.live(f"SELECT * FROM {table}") as live:
            assert live.verify(timeout=20)


@pytest.mark.parametrize("role", ["user", "service", "dba"])
def test_a_table_that_no_policy_lets_one_read_is_not_taken_for_empty(later, client, make, role):
    """Who knows 0.4.3 sees an empty table."""
    server, _ = later
    shared, own = make((1, 1), kind="SHARED"), make((1, 1), kind="USER")
    name = f"u{uuid.uuid4().hex[:8]}"
    client.execute_query(f"CREATE USER '{name}' WITH PASSWORD 'Passw0rd!{name}' ROLE '{role}'")
    with kalam.Client(server.url, user=name, password=f"Passw0rd!{name}") as user:
        seen, unseen = user.query_result(f"SELECT * FROM {own}"), user.query_result(f"SELECT * FROM {shared}")
        (doubt,) = seen.notices
        assert seen.row_count == 0
        # Who may not list tables is not told which kind this one is.
        assert doubt.startswith(f"No rows, and if {own} is SHARED" if role == "user" else f"No rows of yours: {own} is")
        if role == "dba":
            assert (unseen.row_count, unseen.notices) == (1, ())
            return
        (told,) = unseen.notices
        assert f"the role {role} sees what a policy lets it" in told
        with user.live(f"SELECT * FROM {shared}") as live:
            assert (live.num_rows, live.notice) == (0, told)
            client.execute_query(f"CREATE POLICY everybody ON {shared} USING (n > 0)")
            with user.live(f"SELECT * FROM {shared}") as lets:
                assert (lets.num_rows, lets.notice) == (1, None)


def test_a_server_that_takes_no_passwords_says_how_to_connect():
    with (
        kalam.sandbox(options=["--server", "0.8", "--refuse-passwords"]) as started,
        kalam.Client(started.url, user="root", password=started.root_password) as client,
        pytest.raises(AuthError, match=r"(?s)takes no passwords.*kalam\.connect"),
    ):
        client.query("SELECT 1")


@pytest.mark.slow
def test_a_stream_that_nobody_tells_of_is_found_out():
    """An ordinary user may not list tables from 0.5 on, and up to 0.7.0 no column tells a STREAM table."""
    with playing("0.5") as (server, client):
        table = make_in(client, kind="STREAM", ttl_seconds=3_600)
        name = f"u{uuid.uuid4().hex[:8]}"
        client.execute_query(f"CREATE USER '{name}' WITH PASSWORD 'Passw0rd!{name}' ROLE 'user'")
        with kalam.Client(server.url, user=name, password=f"Passw0rd!{name}") as user:
            insert(user, table, [(1, 1)])
            with user.live(f"SELECT * FROM {table}") as live:
                assert live.key == ("id",)
                insert(user, table, [(1, 2)])
                insert(user, table, [(2, 2)])
                live.wait_for(lambda t: 2 in t.arrow()["id"].to_pylist(), timeout=20)
                assert live.verify(timeout=30)
                assert live.key == ("_seq",)
                assert sorted(live.arrow()["n"].to_pylist()) == [1, 2, 2]
                insert(user, table, [(2, 3)])
                live.wait_for(4, timeout=20)


# Cells --------------------------------------------------------------------------------------------------------------


def test_not_a_number_in_the_place_of_null(plain, client, make):
    table = make(columns="id BIGINT PRIMARY KEY, n INT, x DOUBLE")
    client.execute_query(f"INSERT INTO {table} (id, x) VALUES (1, 1.0), (2, CAST('NaN' AS DOUBLE)), (3, NULL)")
    result = client.query_result(f"SELECT id, x FROM {table}", strict=True)
    assert str(result.arrow().column("x").to_pylist()) == "[1.0, nan, None]"
    if result.completeness.reason == "the server sends NaN and infinity as NULL":
        assert sorted(plain.rows(f"SELECT id, x FROM {table}")) == [["1", 1], ["2", None], ["3", None]]


def test_doubles_that_are_written_without_a_point(cut, kind):
    """From 0.8 on 1.0 comes as 1, which is a whole number to who reads JSON, and -0.0 loses its sign there."""
    server, client = cut
    table = make_in(client, kind=kind, columns="id BIGINT PRIMARY KEY, n INT, x DOUBLE, f FLOAT")
    values = {1: 1.0, 2: -0.0, 3: 1e300, 4: 5e-324, 5: 0.1}
    rows = ", ".join(f"({i}, CAST('{x!r}' AS DOUBLE), CAST('{x!r}' AS FLOAT))" for i, x in values.items())
    client.execute_query(f"INSERT INTO {table} (id, x, f) VALUES {rows}")
    sql = f"SELECT id, x, f FROM {table}"

    def told(rows):
        return repr(dict(zip(rows["id"].to_pylist(), rows["x"].to_pylist(), strict=True)))

    with plain_client(server) as plain:
        deceived = {row[0]: row[1] for row in plain.rows(sql)}
    assert [type(deceived[key]) for key in ("1", "2", "3")] == [int, int, int]
    assert str(deceived["2"]) == "0"
    for _ in range(2):  # Exactly, and then plainly.
        found = client.query_arrow(sql, strict=True)
        assert found.schema.types == [pa.int64(), pa.float64(), pa.float32()]
        assert told(found) == repr(values)
    with client.live(sql) as live:
        assert told(live.arrow()) == repr(values)


THREE = [{"id": 1, "x": float("nan")}, {"id": 2, "x": 2.5}, {"id": 3, "x": None}]


def test_not_a_number_in_an_event(later, client, make, kind):
    """It comes as NULL on 0.8, which is read again; before, there is no event, and a check finds the row."""
    table = make(columns="id BIGINT PRIMARY KEY, n INT, x DOUBLE", kind=kind)
    sql = f"SELECT id, x FROM {table}"
    with follows(later, sql.replace("id, x", "*"), {"batch_size": 999}, version="_version") as plain:
        with client.live(sql) as live:
            client.execute_query(f"INSERT INTO {table} (id, x) VALUES (1, CAST('NaN' AS DOUBLE)), (2, 2.5), (3, NULL)")
            live.wait_for(lambda t: 3 in t.arrow()["id"].to_pylist(), timeout=20)
            heard = plain.listen().rows
            if "1" not in heard:
                assert live.verify(timeout=20)
            live.wait_for(lambda t: str(sorted(t.arrow().to_pylist(), key=lambda r: r["id"])) == str(THREE), timeout=20)
        assert heard.get("1", {}).get("x") is None


def test_signs_that_events_keep_are_not_read_again(client, make, kind):
    limits = client._reader.limits.ask(client._endpoint)
    table = make(columns="id BIGINT PRIMARY KEY, n INT, d DECIMAL(4, 2)", kind=kind)
    with client.live(f"SELECT id, d FROM {table}") as live:
        rounds = live.stats.rounds
        client.execute_query(f"INSERT INTO {table} (id, d) VALUES (1, '0.50'), (2, '-0.50')")
        live.wait_for(lambda t: sorted(map(str, t.arrow()["d"].to_pylist())) == ["-0.50", "0.50"], timeout=20)
        assert (live.stats.rounds > rounds) == limits.drops_sign


def test_what_a_server_does_not_damage_is_not_asked_for(later, client, make, kind):
    """Bytes and embeddings are right from 0.8 on, also behind a flush."""
    server, _ = later
    table = make(columns="id BIGINT PRIMARY KEY, n INT, b BYTES", kind=kind)
    client.execute_query(f"INSERT INTO {table} (id, b) VALUES (1, 'abc')")
    sends_anything = client._reader.limits.sends_anything(client._endpoint)
    with scan_counter(server.url, server.root_password) as counter:
        assert client.query_result(f"SELECT id FROM {table} WHERE b IS NOT NULL", strict=True).row_count == 1
        looked = [one for one in counter.statements(table) if "encode(" in one["sql"]]
    assert bool(looked) != sends_anything


def test_embeddings_that_nobody_damages_are_not_looked_up(later, client, make, kind):
    """NULL is what is stored from 0.8 on; before, each might be an embedding that a flush has hidden."""
    server, _ = later
    table = make(columns="id BIGINT PRIMARY KEY, n INT, e EMBEDDING(2)", kind=kind)
    client.execute_query(f"INSERT INTO {table} (id) VALUES (1), (2)")
    sends_anything = client._reader.limits.sends_anything(client._endpoint)
    with scan_counter(server.url, server.root_password) as counter:
        with client.live(f"SELECT * FROM {table}") as live:
            assert live.verify(timeout=20)
        looked = [one["sql"] for one in counter.statements(table) if "WHERE e IS NULL" in one["sql"]]
        assert bool(looked) != sends_anything
        # No more than 0.4.3 is asked of each table; what a column of lists is, only who has them is asked.
        asked = [one["sql"] for one in counter.statements()]
        assert any("arrow_typeof" in sql for sql in asked) == sends_anything


def test_rows_without_a_key(cut):
    client = cut[1]
    table = f"app.t{uuid.uuid4().hex[:10]}"
    client.execute_query(f"CREATE TABLE {table} (n INT) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {table} (n) VALUES {', '.join(f'({i})' for i in range(100))}")
    assert len(client.query(f"SELECT * FROM {table}", strict=True)) == 100
    with client.live(f"SELECT * FROM {table}") as live:
        assert (live.form, live.num_rows) == ("re-run", 100)
        assert "each event has the query run again" in live.notice
        client.execute_query(f"INSERT INTO {table} (n) VALUES (100)")
        live.wait_for(lambda t: t.num_rows == 101, timeout=20)
    client.execute_query(f"INSERT INTO {table} (n) VALUES {', '.join(f'({i})' for i in range(100))}")
    with pytest.warns(IncompleteResultWarning, match="has no primary key.*can only be read in one piece"):
        client.query(f"SELECT * FROM {table}")


def test_describe_tells_the_policies_of_a_table(later, client, magic_shell, monkeypatch):
    client.execute_query("CREATE TABLE app.guarded (id INT PRIMARY KEY, owner TEXT) WITH (TYPE = 'SHARED')")
    client.execute_query("CREATE POLICY own ON app.guarded FOR SELECT TO user USING (owner = CURRENT_USER)")
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", later[0].root_password)
    with capture_output() as captured:
        magic_shell.run_cell(f"%kalam connect {later[0].url}").raise_error()
        magic_shell.run_cell("%kalam describe app.guarded").raise_error()
    assert "policy own for select where owner = CURRENT_USER" in captured.outputs[-1].data["text/plain"]
