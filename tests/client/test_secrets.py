"""No token and no password in what is shown of an error, if only by IPython's verbose tracebacks, nor in a log."""

import asyncio
import concurrent.futures
import json
import logging
import os
import signal
import threading
import traceback
import warnings

import pytest
from frames_of_errors import frames_that_show
from scripted_server import LOGIN, ScriptedServer, answer, sql_answer

import kalam_notebook as kalam
from kalam_notebook.errors import KalamError, ProtocolError, TransportError

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJyb290In0.c2VjcmV0"
PASSWORD = "wrong-hunter2"
SECRETS = (TOKEN, PASSWORD, "access.of.login", "refresh.of.login")
INT = b'[{"name":"n","data_type":"Int","index":0}]'
CUT = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"
    + b'{"status":"success","results":[{"schema":%s,"rows":[[1],' % INT
)
FAILED = b'{"error":{"code":"%s","message":"m"},"results":[],"status":"error","took":0.1}'


def failure_of(call, *args, **options):
    with pytest.raises(KalamError) as caught:
        call(*args, **options)
    return caught.value


@pytest.mark.parametrize("by", [{"token": TOKEN}, {"user": "root", "password": PASSWORD}], ids=["token", "password"])
@pytest.mark.parametrize(
    ("reply", "options"),
    [
        (answer(FAILED % b"SQL_EXECUTION_ERROR", "400 Bad Request"), {}),
        (answer(FAILED % b"TOKEN_EXPIRED", "401 Unauthorized"), {}),
        (answer(b"<html>no</html>", "502 Bad Gateway", "text/html"), {}),
        (answer(b"", "307 Temporary Redirect", extra=b"location: http://other.example/\r\n"), {}),
        (answer(b"{}"), {}),
        (sql_answer(INT, b'[["x"]]'), {}),
        (CUT, {}),
        (b"", {}),
        (b"", {"hold": True}),
        (b"HTTP/9 what\r\n\r\n", {}),
    ],
    ids=["error", "expired", "page", "redirect", "shape", "value", "cut", "nothing", "silence", "noise"],
)
def test_no_frame_of_a_failed_statement_holds_a_secret(by, reply, options):
    by = {**by, "max_retries": 0, "timeout": 0.2 if options else 30.0}
    with ScriptedServer(reply, **options) as server, kalam.Client(server.url, **by) as client:
        for call in (client.query, client.execute_query):
            assert frames_that_show(failure_of(call, "SELECT n FROM app.t"), *SECRETS) == []


@pytest.mark.slow
def test_no_frame_of_an_upload_that_breaks_holds_a_secret():
    with ScriptedServer(b"", deaf=True) as server, kalam.Client(server.url, token=TOKEN, max_retries=0) as client:
        sql = 'INSERT INTO app.t (f) VALUES (FILE("f"))'
        error = failure_of(client.execute_with_files, sql, {"f": bytes(8_000_000)})
        assert isinstance(error, TransportError)
        assert frames_that_show(error, *SECRETS) == []


def test_no_frame_of_a_closed_or_interrupted_query_holds_a_secret():
    with ScriptedServer(b"", hold=True) as server, concurrent.futures.ThreadPoolExecutor() as pool:
        client = kalam.Client(server.url, user="root", password=PASSWORD, max_retries=0)
        waiting = pool.submit(client.query, "SELECT 1")
        assert server.waiting.wait(10)
        client.close()
        assert frames_that_show(waiting.exception(10), *SECRETS) == []
        server.waiting.clear()

        def interrupt():
            server.waiting.wait(10)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt, daemon=True).start()
        with kalam.Client(server.url, token=TOKEN) as client, pytest.raises(KeyboardInterrupt) as caught:
            client.query("SELECT 1")
        assert frames_that_show(caught.value, *SECRETS) == []


def test_no_frame_of_a_refused_token_holds_it():
    for token in (f"{TOKEN} {TOKEN}", f"{TOKEN}\n"):
        with kalam.Client("http://127.0.0.1:9", token=token) as client:
            assert frames_that_show(failure_of(client.query, "SELECT 1"), TOKEN) == []
    with kalam.Client("http://127.0.0.1:9", token_provider=lambda: TOKEN.encode()) as client:
        assert frames_that_show(failure_of(client.query, "SELECT 1"), TOKEN) == []
    with kalam.Client("http://127.0.0.1:9", token=TOKEN, max_retries=0) as client:
        assert frames_that_show(failure_of(client.query, "SELECT 1"), TOKEN) == []


def test_no_frame_of_an_answer_that_is_no_login_holds_its_token():
    reply = answer(LOGIN.replace(b'"expires_at"', b'"other"'))
    with ScriptedServer(reply) as server, kalam.Client(server.url, token=TOKEN) as client:
        error = failure_of(client.refresh_access_token, TOKEN)
        assert isinstance(error, ProtocolError)
        assert frames_that_show(error, *SECRETS) == []


def test_no_frame_of_a_refused_login_holds_what_was_given(sandbox_server):
    def calls(of):
        return (
            lambda: of.login("root", PASSWORD),
            lambda: of.login(user="root", password=PASSWORD),
            lambda: of.refresh_access_token(TOKEN),
            lambda: of.server_setup("someone", PASSWORD, root_password=PASSWORD),
        )

    root = sandbox_server.root_password
    kalam.connect(sandbox_server.url, user="root", password=root)
    try:
        for call in calls(kalam):
            assert frames_that_show(failure_of(call), *SECRETS) == []
    finally:
        kalam.close()

    async def main():
        async with kalam.AsyncClient(sandbox_server.url, user="root", password=root) as client:
            for call in calls(client):
                with pytest.raises(KalamError) as caught:
                    await call()
                assert frames_that_show(caught.value, *SECRETS, root) == []

    asyncio.run(main())


def test_a_module_function_refuses_wrong_arguments_as_the_method_does(sandbox_server):
    kalam.connect(sandbox_server.url, user="root", password=sandbox_server.root_password)
    try:
        with pytest.raises(TypeError, match="positional arguments"):
            kalam.login("root", PASSWORD, "more")
    finally:
        kalam.close()


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "500 Oops"])
@pytest.mark.parametrize(
    "form", [b"%s", b'{"error":"unauthorized","message":"no: %s"}', b"<html><title>%s</title></html>"]
)
def test_a_server_that_repeats_a_token_in_its_error_does_not_get_it_shown(status, form):
    reply = answer(form % TOKEN.encode(), status)
    with ScriptedServer(reply) as server, kalam.Client(server.url, token=TOKEN, max_retries=0) as client:
        failure = failure_of(client.query, "SELECT 1")
        assert TOKEN not in f"{failure}{failure!r}"
        assert frames_that_show(failure, TOKEN) == []


@pytest.mark.parametrize(
    "reply",
    [
        answer(b'{"status":"%s","results":[]}' % TOKEN.encode()),
        answer(b'"%s"' % TOKEN.encode()),
        sql_answer(b'[{"name":"n","data_type":"%s","index":0}]' % TOKEN.encode(), b'[["1"]]'),
        sql_answer(INT, b'[["%s"]]' % TOKEN.encode()),
        answer(b'{"status":"error","results":[],"error":{"code":"C","message":"for %s"}}' % TOKEN.encode()),
        answer(TOKEN.encode()),
        answer(b"", f"200 {TOKEN}", extra=b"content-encoding: " + TOKEN.encode() + b"\r\n"),
        answer(b"", "307 Temporary Redirect", extra=b"location: http://other.example/" + TOKEN.encode() + b"\r\n"),
    ],
    ids=["status", "shape", "type", "value", "error", "no json", "encoding", "location"],
)
def test_a_token_in_an_answer_that_succeeds_is_shown_in_no_error(reply):
    with ScriptedServer(reply) as server, kalam.Client(server.url, token=TOKEN, max_retries=0) as client:
        for call in (client.query, client.execute_query):
            said = []
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                try:
                    call("SELECT n FROM app.t")
                except KalamError as exc:
                    said = [str(exc), repr(exc), *traceback.format_exception(exc)]
            said += [str(warning.message) for warning in warned]
            assert TOKEN[:20] not in "".join(said)


@pytest.mark.parametrize("password", [PASSWORD, 'quoted "hunter2"\\n', "hünter2"])
def test_a_server_that_repeats_a_password_in_its_error_does_not_get_it_shown(password):
    said = json.dumps({"error": "unauthorized", "message": f"wrong password {password}"}).encode()
    with ScriptedServer(answer(said, "401 Unauthorized")) as server:
        with kalam.Client(server.url, token=TOKEN, max_retries=0) as client:
            failure = failure_of(client.server_setup, "someone", password, "another.password")
        assert "hunter2" not in f"{failure}{failure!r}"
        assert "hünter2" not in f"{failure}{failure!r}"


@pytest.mark.parametrize(
    "url",
    [
        f"root:{PASSWORD}@host:2900",
        f"http//root:{PASSWORD}@host",
        f"http:/root:{PASSWORD}@host",
        f"http://root:{PASSWORD}@ho st:99999",
        f"http://root:{PASSWORD}@[::1",
        f"ftp://root:{PASSWORD}@host",
    ],
)
def test_an_address_that_cannot_be_read_does_not_show_its_password(url):
    for make in (kalam.Client, kalam.connect):
        failure = failure_of(make, url, token="t")
        assert "user=... and password=..." in str(failure)
        assert PASSWORD not in f"{failure}{failure!r}"


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN}\r\nx: y", f"Bearer {TOKEN}", f"{TOKEN}\x00"])
def test_a_token_with_a_line_break_is_refused_without_being_shown(server, token):
    with kalam.Client(server.url, token=token, max_retries=0) as client:
        for call in (client.query, client.live):
            failure = failure_of(call, "SELECT * FROM a.b")
            assert TOKEN not in f"{failure}{failure!r}"


def test_the_logs_of_all_libraries_show_no_token_of_a_live_connection(server, caplog):
    with caplog.at_level(logging.DEBUG), kalam.Client(server.url, token=server.token) as client:
        client.connect()
    assert "live connection" in caplog.text
    assert server.token not in caplog.text


def test_the_log_of_the_library_shows_no_token(server, caplog):
    with caplog.at_level(logging.DEBUG), kalam.Client(server.url, user="root", password=server.root_password) as client:
        login = client.login("root", server.root_password)
        client.refresh_access_token(login.refresh_token)
        client.query("SELECT 1 AS one")
    assert "kalamdb_auth=…" in caplog.text
    assert "content-type" in caplog.text.lower()
    for secret in (login.access_token, login.refresh_token, login.access_token.split(".")[2], server.root_password):
        assert secret not in caplog.text
