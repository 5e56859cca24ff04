"""Transactions, logins and topics of later versions of KalamDB, and what happens to requests whose client has gone."""

import base64
import json
import socket
import threading
import uuid
from urllib.parse import urlsplit

import httpx
import profiles
import pytest
from profiled import playing
from serving import ROOT_PASSWORD, serving

from kalam_sandbox.engine.reader import Reader
from kalam_sandbox.engine.request import Request
from kalam_sandbox.profiles import PROFILES


@pytest.fixture(scope="module", params=profiles.ALL)
def served(request):
    with playing(request.param) as served:
        served.version = request.param
        served.is_late = request.param in ("0.7", "0.8")
        served.sql(
            "CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'USER');"
            "CREATE TABLE app.e (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'STREAM', TTL_SECONDS = 1000)"
        )
        yield served


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM app.e", "INSERT INTO app.e (id) VALUES (1)", "SELECT max(n) AS n FROM app.e"]
)
def test_stream_tables_in_a_transaction(served, sql):
    whole = f"BEGIN; {sql}; COMMIT"
    if served.is_late:
        code, message = served.failure(whole)
        assert code == "SQL_EXECUTION_ERROR"
        assert message.startswith("Statement 2 failed")
        assert "STREAM" in message
        served.sql(sql)
    else:
        served.sql(whole)
    served.sql("DELETE FROM app.e WHERE id = 1")


def rows(first, count):
    return "INSERT INTO app.t (id, n) VALUES " + ", ".join(f"({i}, 1)" for i in range(first, first + count))


def test_what_a_transaction_sees(served, monkeypatch):
    """As at BEGIN, or as at its first access: another request writes in between."""
    begin, table = Reader.begin, f"app.s{uuid.uuid4().hex[:8]}"
    served.sql(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED')")

    def slow(reader):
        found = begin(reader)
        monkeypatch.undo()
        served.sql(f"INSERT INTO {table} (id) VALUES (1)")
        return found

    monkeypatch.setattr(Reader, "begin", slow)
    counted = f"SELECT count(*) AS n FROM {table}"
    results = served.sql(f"BEGIN; {counted}; INSERT INTO {table} (id) VALUES (2); {counted}; COMMIT")
    seen = [int(result["rows"][0][0]) for result in results if result.get("rows")]
    assert seen == ([1, 2] if served.is_late else [0, 1])


def test_a_commit_has_so_many_rows():
    with playing("0.7", commit_rows=100) as served:
        served.sql("CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'USER')")
        served.sql(rows(0, 100))
        for sql in (rows(100, 101), f"BEGIN; {rows(100, 60)}; {rows(200, 60)}; COMMIT"):
            code, message = served.failure(sql)
            assert code == "SQL_EXECUTION_ERROR"
            assert "at most 100 row versions" in message
        assert served.rows("SELECT count(*) AS n FROM app.t") == [["100"]]
        served.sql(f"BEGIN; {rows(100, 50)}; {rows(200, 50)}; COMMIT")


def test_health_tells_a_version(served):
    told = {"0.4.3": "0.4.3-rc.4", "0.5": "0.5.6-rc.1", "0.7": "0.7.1", "0.8": "0.8.0"}[served.version]
    assert served.client.get("/v1/api/healthcheck").json()["version"] == told
    assert served.rows("SELECT version FROM system.cluster") == [[told]]


def test_how_one_may_log_in(served):
    answer = served.client.get("/v1/api/auth/login-options")
    if served.version == "0.4.3":
        assert (answer.status_code, answer.content) == (404, b"")
    else:
        assert answer.json() == {"local": {"enabled": True}}


def test_a_server_that_takes_no_passwords():
    with serving(login_options=True, refuse_passwords=True) as served:
        login = {"user": "root", "password": ROOT_PASSWORD}
        answer = served.client.post("/v1/api/auth/login", json=login)
        assert (answer.status_code, answer.json()["error"]) == (403, "local_auth_disabled")
        assert served.client.get("/v1/api/auth/login-options").json() == {"local": {"enabled": False}}
        # A token is taken all the same.
        served.tokens["root"] = served.sandbox.tokens.make(served.sandbox.server.users.get("root"), "access")
        assert served.rows("SELECT 1 AS one") == [["1"]]


def test_users_have_a_name_beside_their_id(served):
    headers = {"Authorization": f"Bearer {served.token()}"}
    told = served.client.get("/v1/api/auth/me", headers=headers).json()["user"]
    assert ("name" in told) is served.is_late
    assert told["id"] == "root"


@pytest.mark.parametrize("version", ["0.4.3", "0.8"])
def test_set_up_takes_the_same_form(version):
    with serving(**PROFILES[version], root_password="") as served:
        body = {"user": "ann", "password": "Correct-Horse-9", "root_password": "Battery-Staple-9"}
        answer = served.client.post("/v1/api/auth/setup", json=body)
        assert answer.status_code == 200
        assert answer.json()["user"]["role"] == "dba"
        assert served.token("ann", "Correct-Horse-9")


@pytest.fixture
def topic(served):
    served.sql(
        "CREATE TOPIC app.news PARTITIONS 2; ALTER TOPIC app.news ADD SOURCE app.t ON INSERT;"
        + rows(1000, 20)
        + "; DELETE FROM app.t WHERE id >= 1000"
    )
    yield served
    served.sql("DROP TOPIC app.news")


def post(served, route, user="root", **body):
    headers = {"Authorization": f"Bearer {served.token(user)}"}
    return served.client.post(f"/v1/api/topics/{route}", json=body, headers=headers)


def test_reading_without_a_group_is_remembered_by_nobody(topic):
    asked = {"topic_id": "app.news", "partition_id": 0, "start": "Earliest", "limit": 5}
    first = post(topic, "consume", **asked)
    if topic.version == "0.4.3":
        assert (first.status_code, first.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
        return
    again = post(topic, "consume", **asked, group_id=None)
    assert first.json() == again.json() == post(topic, "consume", **asked, group_id=" ").json()
    body = first.json()
    assert len(body["messages"]) == 5
    assert body["has_more"]
    assert json.loads(base64.b64decode(body["messages"][0]["payload"]))["id"].startswith("10")
    end = post(topic, "consume", **{**asked, "start": "Latest"}).json()
    assert end["messages"] == []
    assert end["next_offset"] > body["next_offset"]
    assert topic.rows("SELECT * FROM system.topic_offsets WHERE topic_id = 'app.news'") == []


def test_what_a_group_consumes_in_sql_has_to_be_acknowledged(topic):
    acknowledged = "SELECT last_acked_offset FROM system.topic_offsets WHERE topic_id = 'app.news'"
    (_, last) = [row[2] for row in topic.rows("CONSUME FROM app.news GROUP 'g' FROM EARLIEST LIMIT 2")]
    assert topic.rows(acknowledged) == ([[last]] if topic.version == "0.4.3" else [])
    topic.sql(f"ACK app.news GROUP 'g' UPTO OFFSET {last}")
    assert topic.rows(acknowledged) == [[last]]
    assert topic.rows("CONSUME FROM app.news GROUP 'g' FROM EARLIEST LIMIT 1")[0][2] == str(int(last) + 1)


def test_where_partitions_end(topic):
    wanted = [{"topic_id": "app.news", "partition_id": 1}, {"topic_id": "app.news"}, {"topic_id": "app.news"}]
    answer = post(topic, "latest-offsets", partitions=[*wanted, {"topic_id": "app.none"}])
    if topic.version == "0.4.3":
        assert answer.status_code == 404
        return
    offsets = answer.json()["offsets"]
    assert [(one["topic_id"], one["partition_id"]) for one in offsets] == [
        ("app.news", 0),
        ("app.news", 1),
        ("app.none", 0),
    ]
    assert all(one["last_offset"] == one["next_offset"] - 1 for one in offsets[:2])
    assert offsets[2] == {"topic_id": "app.none", "partition_id": 0, "next_offset": 0, "last_offset": None}
    topic.add_user("ann", "user")
    assert post(topic, "latest-offsets", user="ann", partitions=[]).status_code == 403
    assert post(topic, "latest-offsets", partitions=[{"partition_id": 1}]).status_code == 400


def test_a_request_whose_client_has_gone(served, monkeypatch):
    """Statements behind the one that runs are left out from 0.7.1 on, and carried out before."""
    served.sql("CREATE TABLE app.gone (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER')")
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    def hold(applied):
        started.set()
        assert release.wait(10)

    run = Request.run

    def watched(request, planned):
        try:
            return run(request, planned)
        finally:
            ended.set()

    listeners = served.sandbox.server.committer.listeners
    listeners.append(hold)
    monkeypatch.setattr(Request, "run", watched)
    try:
        send_and_leave(
            served, "INSERT INTO app.gone (id) VALUES (1); INSERT INTO app.gone (id) VALUES (2)", until=started
        )
        # The server has read the end of that connection before it answers on one that is opened now.
        with httpx.Client(trust_env=False, verify=False) as other:
            assert other.get(f"{served.url}/health").status_code == 200
        release.set()
        assert ended.wait(10)
    finally:
        release.set()
        listeners.remove(hold)
    assert served.rows("SELECT id FROM app.gone") == ([["1"]] if served.is_late else [["1"], ["2"]])


def send_and_leave(served, sql, *, until):
    body = json.dumps({"sql": sql}).encode()
    place = urlsplit(served.url)
    head = (
        f"POST /v1/api/sql HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {served.token()}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(head.encode() + body)
        assert until.wait(10)
