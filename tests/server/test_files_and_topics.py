"""Uploads and downloads, topics and their consumers."""

import base64
import hashlib
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import serving

from kalam_sandbox.backend import Change
from kalam_sandbox.files import stored_name
from kalam_sandbox.siphash import hash_text
from kalam_sandbox.topics import Route, Topics

PDF = b"%PDF-1.4 hello"


@pytest.fixture
def docs(served):
    served.sql("CREATE TABLE app.docs (id TEXT PRIMARY KEY, body FILE, note TEXT) WITH (TYPE = 'USER')")
    served.sql("CREATE TABLE app.shared (id TEXT PRIMARY KEY, body FILE)")
    served.add_user("alice", "user")
    return served


def upload(served, sql, files, params=None, user="root", **parts):
    fields = {"sql": (None, sql), **{name: (None, text) for name, text in parts.items()}}
    if params is not None:
        fields["params"] = (None, params if isinstance(params, str) else json.dumps(params))
    fields |= {f"file:{name}": file for name, file in files.items()}
    headers = {"Authorization": f"Bearer {served.token(user)}"}
    return served.client.post("/v1/api/sql", files=fields, headers=headers)


def reference(served, table="docs", key="d1", user="root"):
    return json.loads(served.rows(f"SELECT body FROM app.{table} WHERE id = '{key}'", user=user)[0][0])


def download(served, ref, table="docs", user="root", query=""):
    path = f"/v1/files/app/{table}/{ref['sub']}/{stored_name(ref['id'], ref['name'])}{query}"
    return served.client.get(path, headers={"Authorization": f"Bearer {served.token(user)}"})


def test_upload_and_download(docs):
    sql = 'INSERT INTO app.docs (id, body, note) VALUES ($1, FILE("report"), $2)'
    answer = upload(docs, sql, {"report": ("My Report.pdf", PDF, "application/pdf")}, ["d1", "n"])
    assert answer.json()["results"] == [{"row_count": 1, "message": "Inserted 1 row(s)", "as_user": "root"}]
    ref = reference(docs)
    assert list(ref) == ["id", "sub", "name", "size", "mime", "sha256"]
    assert (ref["sub"], ref["name"], ref["size"], ref["mime"]) == ("f0001", "My Report.pdf", 14, "application/pdf")
    assert ref["sha256"] == hashlib.sha256(PDF).hexdigest()
    got = download(docs, ref)
    assert (got.status_code, got.content, got.headers["content-type"]) == (200, PDF, "application/pdf")
    assert got.headers["content-disposition"] == f'inline; filename="{ref["id"]}-my-report.pdf"'


def test_types_are_sniffed_or_guessed(docs):
    sql = "INSERT INTO app.docs (id, body) VALUES ('d1', FILE('x'))"
    upload(docs, sql, {"x": ("a.txt", PDF, "application/pdf")})
    assert reference(docs)["mime"] == "application/pdf"


def test_quotes_in_names_survive(docs):
    upload(docs, "INSERT INTO app.docs (id, body) VALUES ('d1', FILE('x'))", {"x": ("it's.txt", b"x", "text/plain")})
    assert reference(docs)["name"] == "it's.txt"


def test_files_belong_to_who_wrote_them(docs):
    sql = "INSERT INTO app.docs (id, body) VALUES ('d1', FILE('x'))"
    upload(docs, sql, {"x": ("a.txt", b"mine", "text/plain")}, user="alice")
    ref = reference(docs, user="alice")
    assert download(docs, ref, user="alice").content == b"mine"
    assert download(docs, ref).json() == {"code": "FILE_NOT_FOUND", "error": "File not found"}
    assert download(docs, ref, query="?user_id=alice").content == b"mine"
    other = download(docs, ref, user="alice", query="?user_id=root")
    assert (other.status_code, other.json()["error"]["code"]) == (403, "PERMISSION_DENIED")
    with pytest.raises(httpx.RemoteProtocolError):
        download(docs, ref, query="?user_id=")


def test_files_of_shared_tables(docs):
    sql = "INSERT INTO app.shared (id, body) VALUES ('d1', FILE('x'))"
    upload(docs, sql, {"x": ("a.txt", b"ours", "text/plain")})
    ref = reference(docs, "shared")
    assert download(docs, ref, "shared").content == b"ours"
    refused = download(docs, ref, "shared", user="alice")
    assert refused.json()["error"]["message"] == "Shared table access denied (access_level=Private)"
    owned = download(docs, ref, "shared", query="?user_id=root")
    assert owned.json()["error"]["message"] == "user_id is only valid for user tables"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/v1/files/app/nope/f0001/1-x.pdf", 404, '{"error":"Table \'app:nope\' not found"}'),
        ("/v1/files/APP/Docs/f0001/1-x.pdf", 404, '"FILE_NOT_FOUND"'),
        ("/v1/files/app/docs/x0001/1-x.pdf", 400, '"Invalid file path"'),
        ("/v1/files/app/docs/f0001/..%2fx", 400, '"Invalid file path"'),
        ("/v1/files/system/users/f0001/x", 400, '"File storage is not supported for stream or system tables"'),
    ],
)
def test_download_refusals(docs, path, status, text):
    answer = docs.client.get(path, headers={"Authorization": f"Bearer {docs.token()}"})
    assert (answer.status_code, text in answer.text) == (status, True)


@pytest.mark.parametrize(
    ("sql", "params", "code", "message"),
    [
        ("", None, "EMPTY_SQL", "SQL statement is required"),
        ("SELECT 1", None, "INVALID_INPUT", "Could not determine target table from SQL. Use fully qualified table name "
         "(namespace.table)."),
        ("INSERT INTO app.nope (a) VALUES (FILE('x'))", None, "TABLE_NOT_FOUND", "Table 'app:nope' not found"),
        ("INSERT INTO docs (id, body) VALUES ('a', FILE('x'))", None, "TABLE_NOT_FOUND",
         "Table 'default:docs' not found"),
        ("INSERT INTO app.docs (id) VALUES ('a'); SELECT 1", None, "INVALID_INPUT",
         "File uploads require a single SQL statement"),
        ("INSERT INTO app.docs (id, body) VALUES ($1, FILE('x'))", "{}", "INVALID_PARAMETER",
         "Params must be a JSON array"),
        ("INSERT INTO system.users (id) VALUES (FILE('x'))", None, "INVALID_INPUT",
         "File uploads are not supported for stream or system tables"),
    ],
)  # fmt: skip
def test_upload_refusals(docs, sql, params, code, message):
    error = upload(docs, sql, {"x": ("a.txt", b"x", "text/plain")}, params).json()["error"]
    assert (error["code"], error["message"]) == (code, message)


def test_upload_without_files_is_an_ordinary_request(docs):
    assert upload(docs, "SELECT $1 AS a", {}, [5]).json()["results"][0]["rows"] == [["5"]]


def test_placeholder_without_its_part_fails_while_planning(docs):
    answer = upload(docs, "INSERT INTO app.docs (id, body) VALUES ('d', FILE(\"z\"))", {"x": ("a", b"x", "text/plain")})
    assert "Invalid function 'file'" in answer.json()["error"]["message"]


def test_placeholder_needs_multipart(docs):
    code, message = docs.failure("SELECT 'FILE(\"x\")'")
    assert (code, message) == ("INVALID_INPUT", "FILE placeholders require multipart/form-data")


def test_failed_upload_leaves_no_file(docs):
    docs.sql("INSERT INTO app.docs (id) VALUES ('d1')")
    sql = "INSERT INTO app.docs (id, body) VALUES ('d1', FILE('x'))"
    assert upload(docs, sql, {"x": ("a.txt", b"x", "text/plain")}).status_code == 400
    assert docs.sandbox.server.files._files == {}


def test_file_limits():
    with serving(file_size_limit_bytes=10, files_per_request=2) as served:
        served.sql("CREATE NAMESPACE app; CREATE TABLE app.d (id TEXT PRIMARY KEY, body FILE)")
        sql = "INSERT INTO app.d (id, body) VALUES ('a', FILE('x'))"
        large = upload(served, sql, {"x": ("a.bin", b"x" * 11, "text/plain")}).json()["error"]
        assert (large["code"], large["message"]) == ("FILE_TOO_LARGE", "File 'a.bin' exceeds maximum size of 10 bytes")
        files = dict.fromkeys("xyz", ("a", b"x", "text/plain"))
        many = upload(served, sql, files).json()["error"]
        assert (many["code"], many["message"]) == ("TOO_MANY_FILES", "Too many files: maximum 2 allowed")


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("My Document.pdf", "123-my-document.pdf"),
        ("文档.pdf", "123.pdf"),
        ("README", "123-readme.bin"),
        ("archive.tar.gz", "123-archivetar.gz"),
        ("a__b--c (1).PNG", "123-a-b-c-1.png"),
        ("x.verylongextension", "123-x.bin"),
        ("dot.", "123-dot."),
    ],
)
def test_stored_names(name, stored):
    assert stored_name("123", name) == stored


@given(st.text(max_size=80))
@pytest.mark.slow
def test_stored_names_are_safe_in_a_path(name):
    stored = stored_name("1", name)
    assert not set(stored) & set("/\\\0 ")
    assert ".." not in stored or stored.endswith(".")


@pytest.fixture
def events(served):
    """``app.ev`` publishes everything that happens to ``app.t``."""
    served.sql("CREATE TABLE app.t (id BIGINT PRIMARY KEY, v TEXT); CREATE TOPIC app.ev")
    for operation in ("INSERT", "UPDATE", "DELETE"):
        served.sql(f"ALTER TOPIC app.ev ADD SOURCE app.t ON {operation} WITH (payload = 'full')")
    return served


def topic(served, path, user="root", **body):
    headers = {"Authorization": f"Bearer {served.token(user)}"}
    return served.client.post(f"/v1/api/topics/{path}", json=body, headers=headers)


def consume(served, group="g", **body):
    return topic(served, "consume", topic_id="app.ev", group_id=group, **{"start": "Earliest", **body}).json()


def test_messages_hold_whole_rows(events):
    events.sql("INSERT INTO app.t (id, v) VALUES (1, 'a'); UPDATE app.t SET v = 'b' WHERE id = 1")
    events.sql("UPDATE app.t SET v = 'b' WHERE id = 1; DELETE FROM app.t WHERE id = 1")
    body = consume(events)
    assert [(m["offset"], m["op"], m["key"]) for m in body["messages"]] == [
        (0, "Insert", "1"),
        (1, "Update", "1"),
        (2, "Delete", "1"),
    ]
    payloads = [json.loads(base64.b64decode(message["payload"])) for message in body["messages"]]
    assert [(row["v"], row["_deleted"], row["_table"]) for row in payloads] == [
        ("a", False, "app:t"),
        ("b", False, "app:t"),
        ("b", True, "app:t"),
    ]
    assert "user" not in body["messages"][0]
    assert (body["next_offset"], body["has_more"]) == (3, False)


def test_consumers_of_a_group_share_messages(events):
    events.sql("INSERT INTO app.t (id) VALUES (1), (2), (3)")
    first, second, third = consume(events, limit=2), consume(events, limit=10), consume(events)
    assert [len(body["messages"]) for body in (first, second, third)] == [2, 1, 0]
    assert (first["has_more"], first["next_offset"], second["next_offset"]) == (True, 2, 3)
    # Nothing is committed yet: an empty answer tells the computed start.
    assert third["next_offset"] == 0
    assert len(consume(events, group="other")["messages"]) == 3
    assert consume(events, group="late", start="Latest")["messages"] == []
    assert consume(events, group="at", start={"Offset": 2})["next_offset"] == 3


def test_keys_decide_about_the_partition(served):
    served.sql("CREATE TABLE app.p (id TEXT PRIMARY KEY, v INT); CREATE TOPIC app.parts PARTITIONS 3")
    served.sql("ALTER TOPIC app.parts ADD SOURCE app.p ON INSERT; ALTER TOPIC app.parts ADD SOURCE app.p ON UPDATE")
    served.sql("INSERT INTO app.p VALUES ('1', 1), ('a', 1), ('alice', 1); UPDATE app.p SET v = 2 WHERE id = 'alice'")

    def read(partition):
        body = topic(served, "consume", topic_id="app.parts", group_id="g", start="Earliest", partition_id=partition)
        return [(m["partition_id"], m["offset"], m["key"], m["op"]) for m in body.json()["messages"]]

    # The remainders of Rust's hashes of the keys, by three.
    assert read(0) == [(0, 0, "a", "Insert")]
    assert read(1) == [(1, 0, "1", "Insert")]
    assert read(2) == [(2, 0, "alice", "Insert"), (2, 1, "alice", "Update")]
    assert read(3) == []
    assert [row[3] for row in served.rows("CONSUME FROM app.parts FROM EARLIEST")] == ["a"]


def test_hashes_are_those_of_rust():
    known = {"": 3476900567878811119, "8 bytes!": 2188870451173250968, "文档": 11961681927069604826}
    assert {text: hash_text(text) for text in known} == known


def test_keys_that_are_no_text_are_json(served):
    served.sql("CREATE TABLE app.b (ok BOOLEAN PRIMARY KEY); CREATE TOPIC app.bools")
    served.sql("ALTER TOPIC app.bools ADD SOURCE app.b ON INSERT; INSERT INTO app.b VALUES (true)")
    answer = topic(served, "consume", topic_id="app.bools", group_id="g", start="Earliest").json()
    assert answer["messages"][0]["key"] == "true"


def test_acknowledging_moves_the_start(events):
    events.sql("INSERT INTO app.t (id) VALUES (1), (2), (3)")
    answer = topic(events, "ack", topic_id="app.ev", group_id="g", partition_id=0, upto_offset=1)
    assert answer.json() == {"success": True, "acknowledged_offset": 1}
    assert [message["offset"] for message in consume(events)["messages"]] == [2]
    topic(events, "ack", topic_id="app.ev", group_id="g", partition_id=0, upto_offset=0)
    assert events.rows("SELECT last_acked_offset FROM system.topic_offsets") == [["1"]]


def test_topics_in_sql(events):
    events.sql("INSERT INTO app.t (id, v) VALUES (1, 'a'), (2, 'b')")
    result = events.sql("CONSUME FROM app.ev GROUP 'g' FROM EARLIEST LIMIT 1")[0]
    assert [column["name"] for column in result["schema"]] == [
        "topic_id", "partition_id", "offset", "key", "payload", "timestamp_ms", "user_id", "op",
    ]  # fmt: skip
    row = result["rows"][0]
    assert (row[2], row[3], row[6], row[7]) == ("0", "1", None, "insert")
    assert json.loads(bytes(row[4]))["v"] == "a"
    # With a group CONSUME acknowledges what it returns.
    assert events.rows("CONSUME FROM app.ev GROUP 'g' FROM EARLIEST")[0][2] == "1"
    assert events.rows("ACK app.ev GROUP 'g' UPTO OFFSET 5") == [["app.ev", "g", 0, "5"]]
    assert len(events.rows("CONSUME FROM app.ev FROM 1")) == 1
    assert events.message("CLEAR TOPIC app.ev").startswith("Scheduled cleanup job [TC-")
    assert events.rows("CONSUME FROM app.ev FROM EARLIEST") == []
    assert events.message("DROP TOPIC app.ev").startswith("Dropped topic 'app.ev' and scheduled cleanup job [TC-")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE TOPIC app.ev", "Already exists: Topic 'app.ev' already exists"),
        ("CREATE TOPIC nope.ev", "Not found: Namespace 'nope' does not exist"),
        ("ALTER TOPIC app.ev ADD SOURCE app.t ON INSERT",
         "Already exists: Route for app.t ON Insert already exists in topic 'app.ev'"),
        ("DROP TOPIC app.x", "Not found: Topic 'app.x' does not exist"),
        ("CONSUME FROM app.x", "Not found: Topic 'app.x' does not exist"),
    ],
)  # fmt: skip
def test_topic_refusals(events, sql, message):
    assert events.failure(sql)[1] == f"Statement 1 failed: {message}"


def test_topic_routes_refuse(events):
    missing = topic(events, "consume", topic_id="app.x", group_id="g")
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")
    broken = topic(events, "consume", nope=1)
    assert broken.text == "Json deserialize error: missing field `topic_id` at line 1 column 10"
    assert topic(events, "consume", topic_id="app.ev", group_id="g", limit=None).status_code == 400
    events.add_user("alice", "user")
    refused = topic(events, "consume", user="alice", topic_id="app.ev", group_id="g")
    assert refused.json() == {"error": "Topic consumption requires service, dba, or system role", "code": "FORBIDDEN"}
    with pytest.raises(httpx.RemoteProtocolError):
        topic(events, "consume", topic_id="app.ev", group_id="")


def test_unacknowledged_claims_come_back_whole():
    now = [0.0]
    topics = Topics(visibility_seconds=60.0, clock=lambda: now[0])
    topics.create("app.ev", 1)
    topics.add_route("app.ev", Route("app.t", "Insert", "full"))
    changes = [Change("app", "t", "insert", None, n, {"id": str(n)}, None) for n in range(4)]
    topics.publish(changes, lambda change: change.new["id"])
    found = topics.get("app.ev")

    def offsets(limit):
        return [m.offset for m in topics.consume(found, "g", partition=0, start="earliest", limit=limit)[0]]

    assert offsets(3) == [0, 1, 2]
    topics.ack("app.ev", "g", partition=0, upto=0)
    now[0] = 59.0
    assert offsets(9) == [3]
    now[0] = 61.0
    assert offsets(9) == [0, 1, 2, 3]
    topics.ack("app.ev", "g", partition=0, upto=3)
    now[0] = 500.0
    assert offsets(9) == []
