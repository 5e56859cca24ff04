"""HTTP without a network: errors of every shape, retries, tokens, redirects."""

import datetime as dt
import errno

import httpx
import orjson
import pytest

from kalam_notebook.errors import (
    AuthError,
    ConnectError,
    FileRejectedError,
    NotFoundError,
    NotLeaderError,
    PermissionDeniedError,
    ProtocolError,
    QueryError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    TransportError,
)
from kalam_notebook.http.client import HttpTransport, Request
from kalam_notebook.http.endpoint import SqlEndpoint
from kalam_notebook.http.failures import describe_failure
from kalam_notebook.http.session import Session
from kalam_notebook.settings import Credentials, Secret, Timeouts

GET = Request("GET", "/x", repeatable=True)
POST = Request("POST", "/v1/api/sql", b"{}", sql="SELECT 1")


class Script:
    """Answers requests one after the other; an exception is raised, a callable is called."""

    def __init__(self, *steps):
        self.steps = list(steps)
        self.requests = []
        self.waits = []

    def __call__(self, request):
        request.read()
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step(request) if callable(step) else step

    def transport(self, **options):
        return HttpTransport(
            "http://server:1",
            timeouts=Timeouts(),
            transport=httpx.MockTransport(self),
            wait=self.waits.append,
            **options,
        )


def answer(status, body, **headers):
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return lambda request: httpx.Response(status, content=content, headers=headers)


def sql_error(code, message="m", **more):
    return {"status": "error", "results": [], "took": 0.1, "error": {"code": code, "message": message, **more}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, sql_error("SQL_EXECUTION_ERROR"), QueryError, "SQL_EXECUTION_ERROR"),
        (403, sql_error("PERMISSION_DENIED"), PermissionDeniedError, "PERMISSION_DENIED"),
        (503, sql_error("NOT_LEADER"), NotLeaderError, "NOT_LEADER"),
        (400, sql_error("FILE_TOO_LARGE"), FileRejectedError, "FILE_TOO_LARGE"),
        (400, sql_error("BRAND_NEW_CODE"), QueryError, "BRAND_NEW_CODE"),
        (422, sql_error("BRAND_NEW_CODE"), QueryError, "BRAND_NEW_CODE"),
        (403, sql_error("BRAND_NEW_CODE"), PermissionDeniedError, "BRAND_NEW_CODE"),
        (500, sql_error("BRAND_NEW_CODE"), ServerError, "BRAND_NEW_CODE"),
        (401, sql_error("INVALID_CREDENTIALS"), AuthError, "INVALID_CREDENTIALS"),
        (401, {"error": "unauthorized", "message": "Invalid credentials"}, AuthError, "unauthorized"),
        (428, {"error": "setup_required", "message": "m"}, AuthError, "setup_required"),
        (403, {"error": "forbidden", "message": "m"}, PermissionDeniedError, "forbidden"),
        (404, {"code": "FILE_NOT_FOUND", "error": "File not found"}, NotFoundError, "FILE_NOT_FOUND"),
        (404, {"error": "Table 'app:docs' not found"}, NotFoundError, "HTTP_404"),
        (413, {"error": "BODY_TOO_LARGE", "message": "m", "max_bytes": 1}, FileRejectedError, "BODY_TOO_LARGE"),
        (404, {"status": "error", "code": "PROCEDURE_NOT_FOUND", "message": "m"}, NotFoundError, "PROCEDURE_NOT_FOUND"),
        (400, b"Json deserialize error: x", ServerError, "HTTP_400"),
        (404, b"", NotFoundError, "HTTP_404"),
        (502, b"<html>bad gateway</html>", ServerError, "HTTP_502"),
    ],
    ids=str,
)
def test_every_error_shape_becomes_one_exception(status, body, kind, code):
    with pytest.raises(kind) as caught:
        Script(answer(status, body)).transport(max_retries=0).send(POST)
    error = caught.value
    assert type(error) is kind
    assert error.code == code
    assert code.split("_")[0] in str(error)
    assert error.status == status
    assert error.sql == "SELECT 1"


def test_details_name_the_failing_statement():
    script = Script(answer(400, sql_error("SQL_EXECUTION_ERROR", details="SELECT 2")))
    with pytest.raises(QueryError) as caught:
        script.transport().send(POST)
    assert caught.value.sql == "SELECT 2"


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (httpx.ConnectError("refused"), ConnectError, "Cannot reach http://server:1: refused"),
        (httpx.ConnectTimeout("slow"), ConnectError, "Cannot reach"),
        (httpx.ReadTimeout("slow"), RequestTimeoutError, "did not answer in time"),
        (httpx.ReadError("reset"), TransportError, "broke: reset"),
        (httpx.RemoteProtocolError("peer closed connection"), TransportError, "middle of the answer"),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), TransportError, "stopping"),
    ],
    ids=str,
)
def test_transport_errors_are_mapped(raised, kind, words):
    with pytest.raises(kind, match=words) as caught:
        Script(raised).transport(max_retries=0).send(GET)
    assert (caught.value.__context__, caught.value.__suppress_context__) == (raised, True)
    assert len(str(caught.value).splitlines()) <= 3


def test_repeatable_requests_are_repeated_with_growing_pauses():
    script = Script(httpx.ReadError("reset"), httpx.ReadTimeout("slow"), answer(200, {}))
    assert script.transport().send(GET).status_code == 200
    assert len(script.requests) == 3
    assert 0.05 <= script.waits[0] < script.waits[1] * 2


def test_other_requests_are_not_repeated():
    script = Script(httpx.ReadError("reset"), answer(200, {}))
    with pytest.raises(TransportError):
        script.transport().send(POST)
    assert len(script.requests) == 1


def test_a_refused_connection_is_tried_again_for_any_request():
    script = Script(httpx.ConnectError("refused"), answer(200, {}))
    assert script.transport().send(POST).status_code == 200


def test_too_many_requests_wait_as_the_server_says():
    limited = {"error": "RATE_LIMIT_EXCEEDED", "message": "m", "retry_after_seconds": 2}
    script = Script(answer(429, limited, **{"retry-after": "2"}), answer(200, {}))
    assert script.transport().send(POST).status_code == 200
    assert script.waits[0] >= 2


def test_a_ban_is_told_and_not_waited_for():
    script = Script(answer(429, {"error": "IP_BANNED", "message": "m"}, **{"retry-after": "300"}))
    with pytest.raises(RateLimitError) as caught:
        script.transport().send(POST)
    assert caught.value.retry_after == 300
    assert script.waits == []


def test_a_redirect_is_not_followed_with_the_token():
    script = Script(lambda request: httpx.Response(307, headers={"location": "http://evil.example/x?token=1"}))
    with pytest.raises(ProtocolError, match=r"http://evil\.example/x\."):
        script.transport().send(GET, token=Secret("secret-token"))
    assert len(script.requests) == 1


def test_no_cookie_is_sent_back():
    script = Script(answer(200, {}, **{"set-cookie": "kalamdb_auth=abc; Path=/"}))
    http = script.transport()
    http.send(GET)
    http.send(GET)
    assert "cookie" not in script.requests[1].headers


def test_a_body_that_is_not_json():
    endpoint = endpoint_of(Script(answer(200, b"<html>proxy</html>")))
    with pytest.raises(ProtocolError, match="not a KalamDB answer"):
        endpoint.execute("SELECT 1")


def test_the_server_gone_in_the_middle_of_a_body():
    def cut(request):
        def stream():
            yield b'{"status":"success","results":[{"schema":[],"rows":[[],'
            raise httpx.ReadError(str(OSError(errno.ECONNRESET, "Connection reset by peer")))

        return httpx.Response(200, content=stream())

    with pytest.raises(TransportError, match="Connection reset"):
        endpoint_of(Script(cut)).execute("SELECT 1")


def test_an_unencodable_value_is_named_by_a_second_request():
    nothing = httpx.RemoteProtocolError("Server disconnected without sending a response.")
    script = Script(nothing, answer(500, sql_error("INTERNAL_ERROR", "Invalid float value")))
    with pytest.raises(QueryError, match="Invalid float value") as caught:
        endpoint_of(script).execute("SELECT x FROM t -- c")
    assert "arrow_cast" in str(caught.value)
    assert orjson.loads(script.requests[1].content)["sql"] == "SELECT x FROM t -- c\n;\nSELECT 1"


# Tokens -------------------------------------------------------------------------------------------------------------


def endpoint_of(script, credentials=None):
    http = script.transport(max_retries=0)
    return SqlEndpoint(http, Session(http, credentials or Credentials(token=Secret("t0"))))


def login_answer(number, expires_in=3600.0):
    def stamp(seconds):
        return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).isoformat()

    return {
        "user": {"id": "bob", "role": "user", "email": None},
        "admin_ui_access": False,
        "access_token": f"access-{number}",
        "refresh_token": f"refresh-{number}",
        "expires_at": stamp(expires_in),
        "refresh_expires_at": stamp(10 * expires_in),
    }


OK = {"status": "success", "results": [], "took": 1}
EXPIRED = sql_error("TOKEN_EXPIRED", "Invalid credentials")


def test_a_password_is_exchanged_once_and_never_sent_with_a_request():
    script = Script(answer(200, login_answer(1)), answer(200, OK))
    endpoint = endpoint_of(script, Credentials("bob", Secret("hunter2")))
    endpoint.execute("SELECT 1")
    endpoint.execute("SELECT 1")
    paths = [request.url.path for request in script.requests]
    assert paths == ["/v1/api/auth/login", "/v1/api/sql", "/v1/api/sql"]
    assert orjson.loads(script.requests[0].content) == {"user": "bob", "password": "hunter2"}
    assert script.requests[1].headers["authorization"] == "Bearer access-1"


def test_an_expired_token_is_renewed_once_by_the_refresh_token():
    script = Script(answer(200, login_answer(1)), answer(401, EXPIRED), answer(200, login_answer(2)), answer(200, OK))
    endpoint_of(script, Credentials("bob", Secret("pw"))).execute("INSERT INTO t VALUES (1)")
    assert [request.url.path for request in script.requests][2] == "/v1/api/auth/refresh"
    assert script.requests[2].headers["authorization"] == "Bearer refresh-1"
    assert script.requests[3].headers["authorization"] == "Bearer access-2"


def test_a_token_is_renewed_before_it_ends():
    script = Script(
        answer(200, login_answer(1, expires_in=30)), answer(200, OK), answer(200, login_answer(2)), answer(200, OK)
    )
    endpoint = endpoint_of(script, Credentials("bob", Secret("pw")))
    endpoint.execute("SELECT 1")
    endpoint.execute("SELECT 1")
    assert [request.url.path for request in script.requests][2] == "/v1/api/auth/refresh"


def test_a_refused_refresh_falls_back_to_the_password():
    refused = {"error": "unauthorized", "message": "User no longer valid"}
    script = Script(
        answer(200, login_answer(1)),
        answer(401, EXPIRED),
        answer(401, refused),
        answer(200, login_answer(2)),
        answer(200, OK),
    )
    endpoint_of(script, Credentials("bob", Secret("pw"))).execute("SELECT 1")
    assert script.requests[4].headers["authorization"] == "Bearer access-2"


def test_a_login_without_an_answer_is_not_taken_for_a_value_that_cannot_be_encoded():
    nothing = httpx.RemoteProtocolError("Server disconnected without sending a response.")
    script = Script(answer(200, login_answer(1)), answer(401, EXPIRED), nothing, answer(200, OK))
    with pytest.raises(TransportError, match="stopping"):
        endpoint_of(script, Credentials("bob", Secret("pw"))).execute("SELECT 1")
    assert [request.url.path for request in script.requests][1:] == ["/v1/api/sql", "/v1/api/auth/refresh"]


def test_a_request_without_a_statement_is_repeated_when_the_connection_was_closed_under_it():
    script = Script(httpx.RemoteProtocolError("Server disconnected without sending a response."), answer(200, {}))
    assert script.transport().send(GET).status_code == 200


def test_a_bare_token_that_expired_says_what_to_do():
    with pytest.raises(AuthError, match="Connect again") as caught:
        endpoint_of(Script(answer(401, EXPIRED))).execute("SELECT 1")
    assert caught.value.code == "TOKEN_EXPIRED"


def test_a_token_provider_is_asked_again_when_its_token_expired():
    tokens = iter(["p1", "p2"])
    script = Script(answer(401, EXPIRED), answer(200, OK))
    endpoint_of(script, Credentials(token_provider=lambda: next(tokens))).execute("SELECT 1")
    assert [request.headers["authorization"] for request in script.requests] == ["Bearer p1", "Bearer p2"]


def test_a_token_that_stays_expired_is_not_renewed_for_ever():
    script = Script(answer(401, EXPIRED))
    with pytest.raises(AuthError):
        endpoint_of(script, Credentials(token_provider=lambda: "p")).execute("SELECT 1")
    assert len(script.requests) == 2


def test_a_login_answer_that_is_not_one_does_not_show_tokens():
    script = Script(answer(200, {"access_token": "secret-token"}))
    with pytest.raises(ProtocolError) as caught:
        endpoint_of(script, Credentials("bob", Secret("pw"))).execute("SELECT 1")
    assert "secret-token" not in str(caught.value)


def test_a_server_without_encryption_is_told_from_one_that_is_not_there():
    refused = httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
    error = describe_failure(
        refused, url="https://db:2900", is_sql=False, is_repeatable=True, is_login=False, seconds=30
    )
    assert isinstance(error, ConnectError)
    assert "kalam.connect('http://db:2900')" in str(error)
