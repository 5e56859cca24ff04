"""Transport rules around the routes: envelopes, limits, the order of checks, headers, health."""

import gzip
import json
import socket

import httpx
import pytest
from serving import serving

from kalam_sandbox.limits import Bans


@pytest.fixture(scope="module")
def served():
    with serving() as server:
        yield server


class FakeClock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self):
        return self.now


def raw(served, content, **headers):
    headers = {"Authorization": f"Bearer {served.token()}", "Content-Type": "application/json", **headers}
    return served.client.post("/v1/api/sql", content=content, headers=headers)


def test_single_select_is_chunked_and_says_error_null(served):
    answer = served.post("SELECT 1 AS x")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["status", "results", "took", "error"]
    assert body["error"] is None
    assert list(body["results"][0]) == ["schema", "rows", "row_count", "as_user"]
    assert isinstance(body["took"], float)


def test_everything_else_is_buffered_without_error(served):
    for sql in ("CREATE NAMESPACE IF NOT EXISTS app", "SELECT 1; SELECT 2", "BEGIN; COMMIT"):
        answer = served.post(sql)
        assert "content-length" in answer.headers
        assert "error" not in answer.json()
    assert list(served.sql("USE app")[0]) == ["row_count", "message", "as_user"]


def test_headers(served):
    answer = served.client.get("/health", headers={"Origin": "http://localhost:8888"})
    assert set(answer.headers) <= {
        "content-type", "content-length", "date", "vary", "access-control-allow-origin",
    }  # fmt: skip
    assert answer.headers["access-control-allow-origin"] == "http://localhost:8888"
    assert answer.headers["vary"] == "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def test_preflight(served):
    headers = {"Origin": "http://localhost:8888", "Access-Control-Request-Method": "POST"}
    answer = served.client.options("/v1/api/sql", headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["access-control-max-age"] == "3600"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/api/sql"),
        ("HEAD", "/health"),
        ("OPTIONS", "/health"),
        ("GET", "/v1/api/nothing"),
        ("GET", "/health/"),
        ("POST", "/v1/api/topics/latest-offsets"),
    ],
)
def test_unknown_paths_and_methods_are_empty_404(served, method, path):
    answer = served.client.request(method, path)
    assert (answer.status_code, answer.content) == (404, b"")
    assert "content-type" not in answer.headers


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{nope", "key must be a string at line 1 column 2"),
        (b"", "EOF while parsing a value at line 1 column 0"),
        (b"[]", "invalid type"),
        (b"{}", "missing field `sql`"),
        (b'{"sql": 1}', "invalid type"),
        (b'{"sql": "SELECT 1", "params": 1}', "invalid type"),
    ],
)
def test_broken_bodies(served, content, message):
    answer = raw(served, content)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "INVALID_INPUT"
    assert error["message"].startswith(f"Invalid JSON payload: Json deserialize error: {message}")


def test_content_types(served):
    body = json.dumps({"sql": "SELECT 1"}).encode()
    assert raw(served, body, **{"Content-Type": "application/vnd.x+json"}).status_code == 200
    refused = raw(served, body, **{"Content-Type": "text/plain"})
    assert refused.json()["error"]["message"] == "Invalid JSON payload: Content type error"


def test_compressed_bodies_are_inflated(served):
    body = gzip.compress(json.dumps({"sql": "SELECT 7 AS x"}).encode())
    assert raw(served, body, **{"Content-Encoding": "gzip"}).json()["results"][0]["rows"] == [["7"]]


def test_token_is_checked_before_the_body(served):
    answer = served.client.post("/v1/api/sql", content=b"{nope")
    assert answer.json()["error"]["code"] == "MISSING_AUTHORIZATION"


def test_statements_are_judged_before_parameters(served):
    assert served.failure("SELECT 1; SELEC 2", [[1]])[0] == "INVALID_SQL"
    assert served.failure("SELECT 1; SELECT 2", [[1]])[0] == "INVALID_PARAMETER"


def test_long_texts_and_bodies(served):
    spaces = " " * 1_048_576
    assert served.failure(f"SELECT 1{spaces}")[1] == "SQL query too long: 1048584 bytes (maximum 1048576 bytes)"
    large = raw(served, json.dumps({"sql": "SELECT 1", "x": "y" * 2_097_152}).encode())
    assert (large.status_code, large.json()["error"]["code"]) == (400, "INVALID_INPUT")
    guarded = served.client.post("/nowhere", content=b"x" * 10_485_761)
    assert (guarded.status_code, guarded.json()["error"]) == (413, "BODY_TOO_LARGE")
    login = {"user": "root", "password": "x" * 2_097_152}
    assert served.client.post("/v1/api/auth/login", json=login).status_code == 413


def test_empty_namespace_closes_the_connection(served):
    with pytest.raises(httpx.RemoteProtocolError):
        served.post("SELECT 1", namespace="")


def test_queries_are_counted_per_user():
    with serving(queries_per_second=3) as served:
        served.token()
        codes = [served.post("SELECT 1").status_code for _ in range(6)]
        assert codes[:3] == [200, 200, 200]
        assert 429 in codes
        refused = next(answer for answer in (served.post("SELECT 1") for _ in range(50)) if answer.status_code == 429)
        assert refused.json()["error"]["message"] == "Too many queries per second. Please slow down."
        assert "retry-after" not in refused.headers


def test_requests_of_remote_callers_are_counted():
    with serving(requests_per_second=3) as served:
        headers = {"X-Forwarded-For": "10.0.0.1"}
        codes = [served.client.get("/health", headers=headers).status_code for _ in range(6)]
        assert codes[:3] == [403, 403, 403]
        assert 429 in codes
        assert served.client.get("/health").status_code == 200


@pytest.mark.parametrize("path", ["/health", "/v1/api/healthcheck"])
def test_health_is_for_local_callers(served, path):
    assert served.client.get(path).json()["status"] == "healthy"
    refused = served.client.get(path, headers={"X-Forwarded-For": "10.0.0.1"})
    assert refused.json() == {"error": "Access denied. Health endpoint is localhost-only."}
    assert refused.status_code == 403
    # A local name inside the header cannot be claimed by others, and does not shut out those who are local.
    assert served.client.get(path, headers={"X-Forwarded-For": "localhost"}).status_code == 200


def test_many_refusals_ban_an_address():
    with serving(requests_per_second=1, ban_after_refusals=3) as served:
        headers = {"X-Forwarded-For": "8.8.8.8"}
        answers = [served.client.get("/nowhere", headers=headers) for _ in range(8)]
        assert answers[3].json()["error"] == "RATE_LIMIT_EXCEEDED"
        assert answers[-1].status_code == 429
        assert answers[-1].headers["Retry-After"] == answers[-1].headers["X-RateLimit-Reset"] == "300"
        assert answers[-1].json() == {
            "error": "IP_BANNED",
            "message": "Your IP has been temporarily banned due to excessive requests",
            "retry_after_seconds": 300,
        }
        assert served.client.get("/nowhere", headers={"X-Forwarded-For": "8.8.4.4"}).status_code == 404
        assert served.client.get("/nowhere").status_code == 404


def test_bans_grow_and_end():
    clock = FakeClock()
    bans = Bans(2, 10.0, clock)
    bans.refuse("a")
    assert not bans.holds("a")
    bans.refuse("a")
    assert bans.holds("a")
    assert not bans.holds("b")
    clock.now = 10.0
    assert not bans.holds("a")
    for _ in range(20):
        bans.refuse("a")
    clock.now = 69.9
    assert bans.holds("a")
    clock.now = 70.0
    assert not bans.holds("a")


def test_health_can_be_open_to_all():
    with serving(health_is_local=False) as served:
        for path in ("/health", "/v1/api/healthcheck", "/v1/api/cluster/health"):
            assert served.client.get(path, headers={"X-Forwarded-For": "8.8.8.8"}).status_code == 200


def test_cluster_of_one(served):
    body = served.client.get("/v1/api/cluster/health").json()
    assert (body["status"], body["is_cluster_mode"], len(body["nodes"])) == ("healthy", True, 1)
    assert body["nodes"][0]["api_addr"] == served.url.removeprefix("http://")


def test_faults_of_the_sandbox_are_told_as_such(served, monkeypatch, caplog):
    monkeypatch.setattr("kalam_sandbox.engine.request.on_literal_path", lambda statements: 1 / 0)
    code, message = served.failure("SELECT 1")
    assert (code, "ZeroDivisionError" in message) == ("INTERNAL_ERROR", True)
    assert "SQL request failed" in caplog.text


def asked(served, method, path, headers):
    """An answer to a request with exactly these headers, body-less; the connection is closed behind it."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "Connection: close"]
    host, _, port = served.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection.makefile("rb").read()


ROUTES = [
    ("GET", "/health"),
    ("GET", "/v1/api/healthcheck"),
    ("GET", "/v1/api/cluster/health"),
    ("POST", "/v1/api/sql"),
    ("POST", "/v1/api/auth/login"),
    ("POST", "/v1/api/auth/refresh"),
    ("POST", "/v1/api/auth/logout"),
    ("POST", "/v1/api/auth/setup"),
    ("GET", "/v1/api/auth/status"),
    ("GET", "/v1/api/auth/me"),
    ("POST", "/v1/api/topics/consume"),
    ("POST", "/v1/api/topics/ack"),
    ("GET", "/v1/files/a/b/c/d"),
    ("GET", "/sandbox/scans"),
    ("DELETE", "/sandbox/scans"),
    ("OPTIONS", "/v1/api/sql"),
    ("GET", "/nothing"),
    ("GET", "/v1/ws"),
]
UPGRADE = [
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("rebound.example", None),
        ("127.0.0.1.evil.example:80", None),
        ("127.0.0.1", "http://evil.example"),
        ("127.0.0.1", "https://localhost.evil.example"),
        ("127.0.0.1", "http://10.0.0.1"),
        ("127.0.0.1", "null"),
        ("127.0.0.1", "http://[::"),
        ("rebound.example", "http://rebound.example"),
    ],
)
def test_other_sites_are_refused_on_every_route(served, method, path, host, origin):
    headers = [("Host", host), *UPGRADE, ("Access-Control-Request-Method", "POST")]
    answer = asked(served, method, path, [*headers, *([("Origin", origin)] if origin else [])])
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"Access-Control-Allow-Origin" not in answer
    assert b"--no-check-origin" in answer


@pytest.mark.parametrize("host", ["127.0.0.1:2900", "localhost", "LOCALHOST:1", "[::1]:2900", "127.8.8.8", "10.0.0.1"])
@pytest.mark.parametrize("origin", [None, "http://localhost:8888", "http://127.0.0.1:8888", "https://[::1]"])
def test_this_machine_is_answered(served, host, origin):
    headers = [("Host", host), *([("Origin", origin)] if origin else [])]
    assert asked(served, "GET", "/health", headers).startswith(b"HTTP/1.1 200 ")
    assert asked(served, "GET", "/v1/ws", [*headers, *UPGRADE[1:]]).startswith(b"HTTP/1.1 400 ")


def test_a_server_that_checks_no_origin_answers_all():
    with serving(check_origin=False) as served:
        headers = [("Host", "evil.example"), ("Origin", "http://evil.example")]
        answer = asked(served, "GET", "/health", headers)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Access-Control-Allow-Origin: http://evil.example" in answer


def sent(served, path, parts, **headers):
    headers = {"Authorization": f"Bearer {served.token()}", "Content-Type": "application/json", **headers}
    return served.client.post(path, content=parts, headers=headers)


def endless():
    """A body of 200 MB without a length."""
    yield b'{"user": "root", "password": "'
    for _ in range(3_200):
        yield b"x" * 65_536


@pytest.mark.parametrize("path", ["/v1/api/auth/login", "/v1/api/auth/setup", "/v1/api/topics/consume", "/v1/api/sql"])
def test_a_body_without_length_is_refused_where_it_passes_the_limit(served, path):
    answer = sent(served, path, endless())
    told = "JSON payload has exceeded limit (2097152 bytes)."
    if path == "/v1/api/sql":
        assert answer.json()["error"]["message"] == f"Invalid JSON payload: {told}"
    else:
        assert (answer.status_code, answer.text) == (413, told)


def test_a_packed_body_counts_as_it_is_unpacked(served):
    body = gzip.compress(b'{"user": "root", "password": "' + b"x" * 50_000_000 + b'"}')
    answer = sent(served, "/v1/api/auth/login", body, **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.text) == (413, "JSON payload has exceeded limit (2097152 bytes).")


def test_a_login_of_three_megabytes_is_told_its_size(served):
    body = json.dumps({"user": "root", "password": "x" * 3_000_000}).encode()
    answer = sent(served, "/v1/api/auth/login", body)
    told = f"JSON payload ({len(body)} bytes) is larger than allowed (limit: 2097152 bytes)."
    assert (answer.status_code, answer.text) == (413, told)


@pytest.mark.parametrize("path", ["/v1/api/auth/login", "/v1/api/topics/consume", "/v1/api/sql"])
def test_a_deep_body_is_refused(served, path):
    answer = sent(served, path, b"[" * 200_000)
    assert answer.status_code == 400
    assert "Json deserialize error: " in answer.text


def test_a_long_text_part_is_refused(served):
    files = {"sql": (None, "SELECT 1 -- " + "x" * 3_000_000)}
    answer = served.client.post("/v1/api/sql", files=files, headers={"Authorization": f"Bearer {served.token()}"})
    assert answer.json()["error"]["message"] == (
        "Multipart parse error: field 'sql' exceeds maximum size of 2097152 bytes"
    )
