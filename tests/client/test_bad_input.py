"""What goes wrong, as a user meets it: a message of at most three lines, and nothing left half done."""

import concurrent.futures
import os
import signal
import threading

import pytest
from scripted_server import ScriptedServer, answer, sql_answer

import kalam_notebook as kalam
from kalam_notebook.errors import (
    AuthError,
    ConfigError,
    DecodeError,
    KalamError,
    ProtocolError,
    RequestTimeoutError,
    ServerError,
    TransportError,
)
from kalam_notebook.http.endpoint import SqlEndpoint

INT = b'[{"name":"n","data_type":"Int","index":0}]'
HALF = b'{"status":"success","results":[{"schema":%s,"rows":[[1],[2],[3' % INT


def client_of(server, **options):
    return kalam.Client(server.url, user="root", password="hunter2", max_retries=0, **options)


def message(error):
    text = str(error)
    assert 1 <= len(text.splitlines()) <= 3, text
    assert "hunter2" not in text
    return text


def test_a_server_gone_in_the_middle_of_a_body():
    cut = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (
        len(HALF),
        HALF,
    )
    with ScriptedServer(cut) as server, client_of(server) as client:
        with pytest.raises(TransportError, match="in the middle of the answer") as caught:
            client.query("SELECT n FROM app.t")
        assert "Nothing of the answer was used" in message(caught.value)


def test_a_body_that_ends_in_the_middle_of_its_rows():
    with ScriptedServer(answer(HALF)) as server, client_of(server) as client:
        with pytest.raises(ProtocolError, match="cut off in the middle of its rows") as caught:
            client.query("SELECT n FROM app.t")
        assert "arrow_cast" in message(caught.value)


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (answer(b"<html><title>Welcome to nginx!</title>", kind="text/html"), ProtocolError, "not a KalamDB answer"),
        (answer(b"<html><h1>502 Bad Gateway</h1>", "502 Bad Gateway", "text/html"), ServerError, "web page"),
        (answer(b"", "404 Not Found"), ServerError, "HTTP_404"),
        (answer(b'{"ok":true}'), ProtocolError, "not a KalamDB answer"),
    ],
)
def test_something_else_answers(reply, kind, words):
    with ScriptedServer(reply) as server, client_of(server) as client:
        with pytest.raises(kind, match=words) as caught:
            client.query("SELECT 1")
        message(caught.value)
        with pytest.raises(KalamError):
            kalam.connect(server.url, user="root", password="hunter2", max_retries=0)


def test_a_redirect_is_told_and_not_followed():
    moved = answer(b"", "307 Temporary Redirect", extra=b"location: http://other.example/login\r\n")
    with ScriptedServer(moved) as server, client_of(server) as client:
        with pytest.raises(ProtocolError, match=r"http://other\.example") as caught:
            client.query("SELECT 1")
        message(caught.value)


def test_an_unknown_type_comes_as_text_with_a_notice():
    reply = sql_answer(b'[{"name":"g","data_type":"Geography","index":0}]', b'[["POINT(1 2)"],[{"x":1}]]')
    with ScriptedServer(reply) as server, client_of(server) as client:
        for result in (client._reader.read("SHOW GEOGRAPHY"), client.execute_query("SHOW GEOGRAPHY").rows):
            assert result.arrow().column("g").to_pylist() == ["POINT(1 2)", '{"x":1}']
            (notice,) = result.notices
            assert notice.startswith("Column 'g' has the type 'Geography', which this version does not know")
            assert "Geography" in result._repr_html_()


def test_a_value_that_does_not_fit_its_type():
    with ScriptedServer(sql_answer(INT, b'[[1],["x"]]')) as server, client_of(server) as client:
        with pytest.raises(DecodeError) as caught:
            client.execute_query("SELECT n FROM app.t")
        assert "Column 'n' (INT), row 1: cannot read 'x'" in message(caught.value)


def test_a_server_that_stays_silent():
    with ScriptedServer(b"", hold=True) as server, client_of(server, timeout=0.2) as client:
        with pytest.raises(RequestTimeoutError, match=r"nothing came for 0\.2 s") as caught:
            client.query("SELECT 1")
        assert "timeout=120" in message(caught.value)


def test_closing_wakes_a_query_that_waits():
    with ScriptedServer(b"", hold=True) as server, concurrent.futures.ThreadPoolExecutor() as pool:
        client = client_of(server)
        waiting = pool.submit(client.query, "SELECT 1")
        assert server.waiting.wait(10)
        client.close()
        with pytest.raises(ConfigError, match="closed while it waited"):
            waiting.result(timeout=5)


def test_an_interrupt_leaves_the_client_usable(sandbox_server, monkeypatch):
    """Ctrl-C while a long answer is being read."""
    tell, was_told = SqlEndpoint._tell, threading.Event()

    def tell_and_note(self, chunk, rows):
        tell(self, chunk, rows)
        was_told.set()

    monkeypatch.setattr(SqlEndpoint, "_tell", tell_and_note)
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + HALF
    with ScriptedServer(head, hold=True) as server, client_of(server) as client:

        def interrupt():
            was_told.wait(10)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt) as caught:
            client.query("SELECT n FROM app.t")
        told = f"0 rows and {len(HALF) / 1e3:.1f} kB had been read and let go. The server may go on with the query."
        assert caught.value.__notes__ == [told]
        server._reply, server._hold = sql_answer(INT, b"[[7]]"), False
        assert client.execute_query("SELECT n FROM app.t").rows.arrow().to_pylist() == [{"n": 7}]


EXPIRED = b'{"error":{"code":"TOKEN_EXPIRED","message":"Invalid credentials"},"results":[],"status":"error","took":0.1}'


def test_a_bare_token_that_expired_says_so():
    with ScriptedServer(answer(EXPIRED, "401 Unauthorized")) as server:
        with kalam.Client(server.url, token="a.b.c") as client, pytest.raises(AuthError) as caught:
            client.query("SELECT 1")
        assert "Connect again" in message(caught.value)
        assert (caught.value.code, caught.value.status, caught.value.sql) == ("TOKEN_EXPIRED", 401, "SELECT 1")
        assert len(server.requests) == 1


def test_an_expired_token_is_renewed_once_and_not_for_ever():
    with ScriptedServer(answer(EXPIRED, "401 Unauthorized")) as server, client_of(server) as client:
        with pytest.raises(AuthError):
            client.query("SELECT 1")
        paths = [request.split(b" ")[1] for request in server.requests]
        assert paths == [
            b"/v1/api/auth/login",
            b"/v1/api/sql",
            b"/v1/api/auth/refresh",
            b"/v1/api/auth/login",
            b"/v1/api/sql",
        ]


def test_a_token_that_cannot_be_one(sandbox_server):
    for token in ("", "two words", "line\nbreak"):
        with kalam.Client(sandbox_server.url, token=token) as client:
            with pytest.raises(AuthError, match="The token is empty") as caught:
                client.query("SELECT 1")
            assert "two words" not in message(caught.value)


def test_html_in_names_cells_and_errors(client, namespace):
    table = client.query_result("SELECT '<script>alert(1)</script>' AS \"<img src=x onerror=alert(2)>\"")
    page = table._repr_html_()
    assert "<script>" not in page
    assert "<img" not in page
    with pytest.raises(KalamError) as caught:
        client.query("SELECT '\x1b[31mred' AS a FROM \"<b>bold</b>\".t")
    assert "\x1b" not in str(caught.value)


@pytest.mark.slow
def test_connecting_twice_keeps_the_sandbox_and_its_data():
    try:
        first = kalam.connect("sandbox")
        first.execute_query("CREATE NAMESPACE twice")
        second = kalam.connect("sandbox")
        assert second.url == first.url
        assert "twice" in second.query("SHOW NAMESPACES")["name"].tolist()
        first.close()
    finally:
        kalam.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, which this system does not have")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_is_told_to_connect_anew(sandbox_server):
    with kalam.Client(sandbox_server.url, user="root", password=sandbox_server.root_password) as client:
        client.query("SELECT 1")
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                client.query("SELECT 1")
                os.write(send, b"no error")
            except ConfigError as exc:
                os.write(send, str(exc).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert b"before the process forked" in os.read(receive, 1000)
        os.close(send)
        os.close(receive)
        assert client.query("SELECT 1 AS one")["one"].tolist() == [1]
