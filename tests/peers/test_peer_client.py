"""The official client of KalamDB on the sandbox: all that it does works, and it sees what ours sees."""

import datetime as dt
import json

import pytest
from tcp_proxy import TcpProxy

import kalam_notebook as kalam

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
TYPES = (
    "id BIGINT PRIMARY KEY, b BOOLEAN, s SMALLINT, i INT, f FLOAT, d DOUBLE, c DECIMAL(10,2), t TEXT, j JSON, y BYTES, "
    "ts TIMESTAMP, dt DATETIME, da DATE, ti TIME, u UUID, e EMBEDDING(2), x FILE"
)
NAMES = "id, b, s, i, f, d, c, t, j, y, ts, dt, da, ti, e"
ROWS = (
    "(1, true, 1, 2, 1.5, 2.5, '-1.50', 'ä', '{\"a\": [1]}', 'bytes', '2026-01-02 03:04:05.678901', "
    "'2026-01-01T00:00:00Z', '2026-01-01', '12:00:00', '[1, 2]'), "
    "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
)


@pytest.fixture(scope="module", params=["0.4.3", "0.5"])
def server(request):
    with (
        kalam.sandbox(server=request.param) as server,
        kalam.Client(server.url, user="root", password=server.root_password) as client,
    ):
        server.client = client
        client.execute_query("CREATE NAMESPACE app")
        yield server


@pytest.fixture
def peer(server, start_peer):
    return start_peer("kalam-peer", url=server.url, user="root", password=server.root_password)


@pytest.fixture
def table(server):
    server.client.execute_query(f"CREATE TABLE app.t ({TYPES}) WITH (TYPE = 'USER')")
    yield server
    server.client.execute_query("DROP TABLE app.t")


def rows_of(answer):
    (result,) = answer["results"]
    names = [column["name"] for column in result["schema"]]
    found = result.get("named_rows")
    return found if found is not None else [dict(zip(names, row, strict=True)) for row in result["rows"]]


def test_logins_health_and_set_up(server, peer):
    told = peer.do("login")
    assert (told["user"]["id"], told["user"]["role"], told["admin"]) == ("root", "system", True)
    assert told["again"]["id"] == "root"
    assert peer.do("health")["version"] == server.client.health_check().version
    assert peer.do("status")["needs_setup"] is False
    taken = peer.ask(do="setup", user="ann", password="Correct-Horse-9", root_password="Battery-Staple-9")
    assert "already configured" in taken["error"]


def test_the_first_set_up(start_peer):
    with kalam.sandbox(options=["--root-password", ""]) as server:
        peer = start_peer("kalam-peer", url=server.url, user="root", password="")
        assert peer.do("status")["needs_setup"] is True
        done = peer.do("setup", user="ann", password="Correct-Horse-9", root_password="Battery-Staple-9")
        assert (done["user"]["id"], done["user"]["role"]) == ("ann", "dba")
        assert start_peer("kalam-peer", url=server.url, user="ann", password="Correct-Horse-9").do("login")["admin"]


def test_every_type(table, peer):
    peer.do("query", sql=f"INSERT INTO app.t ({NAMES}) VALUES {ROWS}")
    uuid = "00000000-0000-0000-0000-000000000001"
    peer.do("query", sql="UPDATE app.t SET u = $1 WHERE id = $2", params=[uuid, 1])
    first, second = rows_of(peer.do("query", sql="SELECT * FROM app.t ORDER BY id"))
    ours = table.client.query_arrow("SELECT * FROM app.t ORDER BY id").to_pylist()[0]
    assert first["id"] == str(ours["id"])
    for name in ("b", "s", "i", "f", "d", "t"):
        assert first[name] == ours[name], name
    assert first["c"] == str(ours["c"])
    assert first["u"] == str(ours["u"]) == uuid
    for name in ("ts", "dt"):
        assert first[name] == (ours[name].replace(tzinfo=dt.UTC) - EPOCH) // MICROSECOND, name
    assert first["da"] == (ours["da"] - EPOCH.date()).days
    assert first["ti"] == ours["ti"].hour * 3600 * 1_000_000
    assert bytes(first["y"]) == ours["y"] == b"bytes"
    assert first["e"] == list(ours["e"]) == [1.0, 2.0]
    assert json.loads(first["j"]) == {"a": [1]}
    assert {name for name, cell in second.items() if cell is not None} == {"id", "_seq", "_deleted"}


def test_errors_are_told(table, peer):
    answer = peer.ask(do="query", sql="SELECT nope FROM app.t")
    assert "No field named nope" in json.dumps(answer)
    many = peer.do("query", sql="SELECT 1 AS a; SELECT 2 AS b")
    assert [result["row_count"] for result in many["results"]] == [1, 1]


def test_files_go_up_and_down(table, peer, tmp_path):
    insert = "INSERT INTO app.t (id, x) VALUES (7, FILE('file'))"
    peer.do("upload", sql=insert, name="a b.txt", data="text", mime="text/plain")
    (row,) = rows_of(peer.do("query", sql="SELECT x FROM app.t WHERE id = 7"))
    file = row["x"] if isinstance(row["x"], dict) else json.loads(row["x"])
    found = peer.do("download", file=file, namespace="app", table="t")
    assert found["data"] == "text"
    assert found["type"].startswith("text/plain")
    (ours,) = table.client.query("SELECT x FROM app.t WHERE id = 7")["x"]
    assert (ours.name, ours.sha256) == (file["name"], file["sha256"])
    assert table.client.download(ours, to=tmp_path).read_text() == "text"


def test_a_snapshot_in_pages_and_changes(table, peer):
    peer.do("query", sql="INSERT INTO app.t (id, i) VALUES " + ", ".join(f"({i}, {i})" for i in range(30)))
    peer.do("subscribe", id="s", sql="SELECT id, i FROM app.t", options={"batch_size": 7})
    rows, more = [], True
    while more:
        message = peer.do("event", id="s")
        if message["type"] == "initial_data_batch":
            rows += message["rows"]
        more = message["batch_control"]["has_more"] or message["type"] == "subscription_ack"
    assert sorted(int(row["id"]) for row in rows) == list(range(30))
    peer.do("query", sql="INSERT INTO app.t (id, i) VALUES (100, 1)")
    peer.do("query", sql="UPDATE app.t SET i = 2 WHERE id = 100")
    peer.do("query", sql="DELETE FROM app.t WHERE id = 100")
    found = [peer.do("event", id="s") for _ in range(3)]
    assert [(one["type"], one["change_type"]) for one in found] == [
        ("change", "insert"),
        ("change", "update"),
        ("change", "delete"),
    ]
    assert [(one.get("rows") or one["old_values"])[0]["id"] for one in found] == ["100"] * 3
    peer.do("close", id="s")


def test_a_table_goes_on_after_a_cut(table, start_peer):
    client = table.client
    client.execute_query("INSERT INTO app.t (id, i) VALUES (1, 1), (2, 2)")
    with TcpProxy(table.url) as proxy:
        peer = start_peer("kalam-peer", url=proxy.url, user="root", password=table.root_password)
        peer.do("subscribe", id="s", sql="SELECT id, i FROM app.t", options={}, as_table=True)
        assert len(peer.do("rows", id="s", count=2)) == 2
        proxy.cut()
        client.execute_query("INSERT INTO app.t (id, i) VALUES (3, 3)")
        rows = peer.do("rows", id="s", count=3)
        assert sorted((row["id"], row["i"]) for row in rows) == [("1", 1), ("2", 2), ("3", 3)]
        ours = client.query_arrow("SELECT id, i FROM app.t ORDER BY id").to_pylist()
        assert [(str(row["id"]), row["i"]) for row in ours] == sorted((row["id"], row["i"]) for row in rows)
        peer.do("close", id="s")


def test_topics(table, peer):
    peer.do("query", sql="CREATE TOPIC app.news")
    peer.do("query", sql="ALTER TOPIC app.news ADD SOURCE app.t ON INSERT")
    peer.do("query", sql="INSERT INTO app.t (id, i) VALUES (1, 1), (2, 2), (3, 3)")
    found = peer.do("poll", topic="app.news", group="g")
    assert [(one["offset"], one["op"], one["row"]["id"]) for one in found] == [
        (0, "Insert", "1"),
        (1, "Insert", "2"),
        (2, "Insert", "3"),
    ]
    assert peer.do("commit", topic="app.news")["offset"] == 2
    with table.client.consumer("app.news", group_id="other", start="earliest") as ours:
        assert [(one.offset, one.op) for one in ours.poll()] == [(one["offset"], one["op"]) for one in found]
    peer.do("query", sql="DROP TOPIC app.news")
