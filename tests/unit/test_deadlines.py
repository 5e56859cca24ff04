"""Servers that are never silent and never done: a byte now and then does not keep anybody waiting for ever."""

import contextlib
import socket
import threading
import time

import pytest

from kalam_notebook.errors import RequestTimeoutError
from kalam_notebook.http import client as http_module
from kalam_notebook.http.client import HttpTransport, Request
from kalam_notebook.settings import Timeouts

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
STATEMENT = Request("POST", "/v1/api/sql", b"{}", repeatable=True, sql="SELECT 1", max_bytes=None)
HEALTH = Request("GET", "/v1/api/healthcheck")


class Dripping:
    """Answers each request with a beginning, and then with the same bytes every 20 ms until the client is gone."""

    def __init__(self, begin, drop):
        self._begin, self._drop, self._end = begin, drop, threading.Event()
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._end.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _work(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    self.requests += 1
                    connection.sendall(self._begin)
                    while not self._end.wait(0.02):
                        connection.sendall(self._drop)


@contextlib.contextmanager
def transport(begin, drop, **timeouts):
    with Dripping(begin, drop) as server:
        http = HttpTransport(server.url, timeouts=Timeouts(**timeouts), max_retries=3)
        try:
            yield http, server
        finally:
            http.close()


def fails(http, request, words):
    begun = time.monotonic()
    with pytest.raises(RequestTimeoutError, match=words):
        http.send(request)
    return time.monotonic() - begun


@pytest.mark.parametrize(
    ("begin", "drop"),
    [(b"HTTP/1.1 200 ", b"K"), (b"HTTP/1.1 200 OK\r\nx: ", b"x"), (b"", b"HTTP/1.1 102 Processing\r\n\r\n")],
    ids=["first line", "header", "interim answers"],
)
def test_a_head_that_never_ends(begin, drop):
    insert = Request("POST", "/v1/api/sql", b"{}", sql="INSERT", max_bytes=None)
    with transport(begin, drop, receive=0.3) as (http, _):
        taken = fails(http, insert, "no whole head of an answer had come after 0.3 s")
    assert taken < 5


def test_a_body_that_never_ends_has_the_total_time_with_all_repeats():
    with transport(HEAD + b"\r\n", b" ", receive=5.0, total=0.4) as (http, server):
        taken = fails(http, STATEMENT, r"(?s)all of it took too long.*Timeouts\(total=600\)")
    assert 0.3 < taken < 5
    assert server.requests == 1


def test_a_total_time_counts_what_is_streamed():
    with (
        transport(HEAD + b"\r\n", b" ", receive=5.0, total=0.4) as (http, _),
        pytest.raises(RequestTimeoutError, match="all of it took too long"),
        http.stream(STATEMENT) as chunks,
    ):
        for _ in chunks:
            pass


def test_small_answers_have_a_minute_in_all(monkeypatch):
    monkeypatch.setattr(http_module, "_SMALL_TOTAL_S", 0.4)
    with transport(HEAD + b"\r\n", b" ", receive=5.0) as (http, _):
        assert fails(http, HEALTH, "all of it took too long") < 5


def test_a_read_that_makes_progress_has_all_the_time_it_needs():
    body = HEAD + b"content-length: 100\r\n\r\n"
    with transport(body, b" " * 2, receive=0.3) as (http, _):  # For a second.
        assert len(http.send(STATEMENT).content) == 100
