"""Which proxy a server is reached through, and what an error behind one says."""

import errno
import os
from contextlib import ExitStack

import httpx
import pytest
from httpx._utils import URLPattern, get_environment_proxies
from recording_proxy import RecordingProxy
from websockets.exceptions import (
    ConnectionClosedError,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidStatus,
)
from websockets.http11 import Headers, Response

from kalam_notebook.client.saved_logins import entry_of
from kalam_notebook.errors import ConfigError, ConnectError, MissingDependencyError, ProtocolError, ServerError
from kalam_notebook.http.client import HttpTransport, Request
from kalam_notebook.http.proxies import Proxy, open_transport, proxy_for
from kalam_notebook.live_queries.connection.failures import describe_failure
from kalam_notebook.live_queries.connection.states import Failure
from kalam_notebook.settings import Secret, Timeouts
from kalam_notebook.texts import without_secrets

SERVERS = [
    "http://db.corp:2900",
    "https://db.corp",
    "http://corp",
    "http://10.1.2.3:2900",
    "https://[fd00::1]:2900",
]
LEFT_OUT = [
    "", "*", "a, *", "corp", ".corp", "db.corp", "DB.corp ,b", "b.corp", "db.corp:2900", "db.corp:1", "10.1.2.3",
    "10.1.2.3:2900", "fd00::1", "http://db.corp", "https://corp", "all://db.corp", "http://db.corp:2900",
]  # fmt: skip
NAMED = Proxy(Secret("http://ann:geheim@proxy:3128"), "http://proxy:3128", "db.corp")
THROUGH = " (through the proxy http://proxy:3128)"
SOCKET = "ws://db.corp:2900/v1/ws"
POST = Request("POST", "/v1/api/sql", b"{}", sql="SELECT 1")


@pytest.fixture
def environment(monkeypatch):
    """Sets the variables of proxies, and no others are left."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)

    def put(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"HTTP_PROXY": "http://proxy:3128"},
        {"https_proxy": "http://proxy:3128"},
        {"ALL_PROXY": "proxy:3128"},
        {"HTTP_PROXY": "http://one:1", "HTTPS_PROXY": "https://two:2", "ALL_PROXY": "http://three:3"},
    ],
    ids=str,
)
def test_the_environment_is_read_as_httpx_reads_it(environment, variables):
    for left_out in LEFT_OUT:
        environment(**variables, NO_PROXY=left_out)
        # What a client of httpx does; making one takes long.
        patterns = sorted((URLPattern(key), address) for key, address in get_environment_proxies().items())
        for url in SERVERS:
            expected = next((address for pattern, address in patterns if pattern.matches(httpx.URL(url))), None)
            for asked in (url, url.replace("http", "ws", 1) + "/v1/ws"):
                found = proxy_for(asked)
                assert (found and found.name) == expected, (left_out, asked)


@pytest.mark.parametrize("left_out", ["10.0.0.0/8", "fd00::/16,10.1.2.0/24"])
def test_networks_are_left_out(environment, left_out):
    environment(ALL_PROXY="http://proxy:3128", NO_PROXY=left_out)
    assert proxy_for("http://10.1.2.3:2900") is None
    assert proxy_for("http://11.1.2.3:2900") is not None


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.10", "[::1]"])
@pytest.mark.parametrize("scheme", ["http", "https", "ws", "wss"])
@pytest.mark.parametrize("address", ["http://proxy:3128", "socks5://proxy:1080", "nonsense://", "http://[::"])
def test_this_machine_is_never_reached_through_a_proxy(environment, host, scheme, address):
    environment(HTTP_PROXY=address, HTTPS_PROXY=address, ALL_PROXY=address)
    assert proxy_for(f"{scheme}://{host}:2900") is None


def test_a_proxy_does_not_show_its_password(environment):
    environment(HTTPS_PROXY="http://ann:geheim@proxy:3128/")
    proxy = proxy_for("wss://db.corp/v1/ws")
    assert proxy.url.reveal() == "http://ann:geheim@proxy:3128/"
    assert proxy.name == "http://proxy:3128"
    assert "geheim" not in repr(proxy) + proxy.hint


@pytest.mark.parametrize(
    ("address", "kind", "words"),
    [
        ("http://ann:geheim@[::", ConfigError, "Correct HTTP_PROXY"),
        ("gopher://ann:geheim@proxy", ConfigError, "The proxy gopher://proxy cannot be used"),
    ],
)
def test_a_proxy_that_is_none(environment, address, kind, words):
    environment(ALL_PROXY=address)
    with pytest.raises(kind, match=words) as caught:
        HttpTransport("http://db.corp", timeouts=Timeouts())
    assert "geheim" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_socks_proxy_names_the_packages_it_needs(monkeypatch):
    def refuse(**options):
        raise ImportError("Using SOCKS proxy, but the 'socksio' package is not installed.")

    monkeypatch.setattr(httpx, "HTTPTransport", refuse)
    socks = Proxy(Secret("socks5://ann:geheim@proxy"), "socks5://proxy", "db.corp")
    with pytest.raises(MissingDependencyError) as caught:
        open_transport(socks)
    for error in (caught.value, describe_failure(ImportError("python-socks"), url=SOCKET, proxy=socks).error):
        assert str(error).startswith("The proxy socks5://proxy needs more packages.")
        assert "pip install 'httpx[socks]' python-socks" in str(error)


@pytest.fixture
def behind_proxy(environment):
    """Makes the transport to a server behind a proxy, which gives this answer itself."""
    with ExitStack() as stack:

        def make(answer, *, scheme="http"):
            proxy = stack.enter_context(RecordingProxy(answer=answer))
            environment(ALL_PROXY=f"http://ann:geheim@127.0.0.1:{proxy.port}")
            http = HttpTransport(f"{scheme}://db.corp:2900", timeouts=Timeouts(), max_retries=0)
            stack.callback(http.close)
            return http, proxy

        yield make


REFUSAL = b"HTTP/1.1 %d No\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\n<h1>No</h1>"


@pytest.mark.parametrize("status", [403, 407, 503])
def test_an_answer_of_a_proxy_names_it(behind_proxy, status):
    http, proxy = behind_proxy(REFUSAL % status)
    with pytest.raises(ServerError, match=f"the proxy http://127.0.0.1:{proxy.port}") as caught:
        http.send(POST)
    assert proxy.heads[0].startswith("POST http://db.corp:2900/v1/api/sql ")
    assert_well_said(caught.value)


def test_a_proxy_that_opens_no_tunnel_is_named(behind_proxy):
    http, proxy = behind_proxy(REFUSAL % 407, scheme="https")
    with pytest.raises(
        ConnectError,
        match=rf"Cannot reach https://db\.corp:2900 \(through the proxy http://127\.0\.0\.1:{proxy.port}\): 407 No",
    ) as caught:
        http.send(POST)
    assert proxy.heads[0].startswith("CONNECT db.corp:2900 ")
    assert_well_said(caught.value)


def test_a_redirect_of_a_proxy_names_it(behind_proxy):
    http, proxy = behind_proxy(b"HTTP/1.1 302 No\r\nLocation: http://login.corp/\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(ProtocolError, match=f"the proxy http://127.0.0.1:{proxy.port}"):
        http.send(POST)


def test_a_proxy_that_is_not_there_is_named(environment, closed_port):
    environment(HTTP_PROXY=f"http://ann:geheim@127.0.0.1:{closed_port}")
    http = HttpTransport("http://db.corp:2900", timeouts=Timeouts(), max_retries=0)
    with pytest.raises(ConnectError, match=f"the proxy http://127.0.0.1:{closed_port}.: .*refused") as caught:
        http.send(POST)
    assert_well_said(caught.value)
    http.close()


def assert_well_said(error):
    assert "NO_PROXY=db.corp" in str(error)
    assert "geheim" not in str(error)
    assert len(str(error).splitlines()) <= 3


@pytest.mark.parametrize(
    ("exc", "reason"),
    [
        (InvalidProxyStatus(Response(503, "No", Headers())), "the proxy http://proxy:3128 answered HTTP 503 No"),
        (InvalidStatus(Response(502, "No", Headers())), f"the server{THROUGH} answered HTTP 502 No"),
        (InvalidProxyMessage("no valid answer"), f"no valid answer{THROUGH}"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "[Errno 111] x"), f"Connection refused{THROUGH}"),
        (TimeoutError(), f"the server did not answer in time{THROUGH}"),
        (ConnectionClosedError(None, None), f"the connection was cut{THROUGH}"),
    ],
)
def test_a_websocket_that_fails_behind_a_proxy_names_it(exc, reason):
    assert describe_failure(exc, url=SOCKET, proxy=NAMED) == Failure(reason)


@pytest.mark.parametrize(
    ("exc", "kind", "words"),
    [
        (InvalidProxyStatus(Response(407, "No", Headers())), ConnectError, f"{SOCKET}: the proxy http://proxy:3128 "),
        (InvalidProxy("http://ann:geheim@proxy:3128/x", "path is meaningless"), ConfigError, "path is meaningless"),
    ],
)
def test_a_proxy_that_takes_no_websocket_ends_it(exc, kind, words):
    error = describe_failure(exc, url=SOCKET, proxy=NAMED).error
    assert isinstance(error, kind)
    assert words in str(error)
    assert "geheim" not in str(error)


def test_certificates_are_read_once_and_again_where_others_are_named(monkeypatch, tmp_path):
    read, made = [], httpx.create_ssl_context

    def create():
        read.append(os.environ.get("SSL_CERT_DIR"))
        return made()

    monkeypatch.setattr(httpx, "create_ssl_context", create)
    for folder in ("one", "one", "two"):
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / folder))
        HttpTransport("https://db.corp", timeouts=Timeouts()).close()
    assert read == [str(tmp_path / "one"), str(tmp_path / "two")]


def test_what_is_no_password_stays_in_messages(environment):
    """Another server may begin as the proxy does, or as the one of a saved login."""
    environment(HTTP_PROXY="http://127.0.0.1:3128")
    proxy = proxy_for("http://db.corp:2900")
    kept = entry_of(url="http://127.0.0.1:2901", user="somebody", token=Secret("t"), expires_at=0, refresh_token=None)
    text = f"somebody at http://127.0.0.1:2900, 1970-01-01T00:00:00Z, through the proxy {proxy.name}"
    assert without_secrets(text) == text
    assert len(kept) == 4
