"""A server behind a proxy, and one on this machine where a proxy is named for all others."""

import base64
import os
import subprocess
import sys

import pytest
from recording_proxy import RecordingProxy

import kalam_notebook as kalam

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
USED = """
import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE app")
kalam.execute_query("CREATE TABLE app.t (id BIGINT PRIMARY KEY)")
live = kalam.live("SELECT * FROM app.t")
kalam.execute_query("INSERT INTO app.t VALUES (1)")
live.wait_for(1)
kalam.close()
"""


@pytest.fixture
def proxy(server, monkeypatch):
    """The proxy for everything; all addresses behind it lead to the server."""
    with RecordingProxy(server.url) as proxy:
        for name in PROXIES:
            monkeypatch.setenv(name, f"http://ann:geheim@127.0.0.1:{proxy.port}")
        yield proxy


@pytest.mark.contract
def test_a_server_behind_a_proxy_is_reached_with_everything_it_can(namespace, proxy, server):
    with kalam.Client("http://10.9.8.7:2900", user="root", password=server.root_password) as client:
        client.execute_query(f"CREATE TABLE {namespace}.t (id BIGINT PRIMARY KEY)")
        with client.live(f"SELECT * FROM {namespace}.t") as live:
            client.execute_query(f"INSERT INTO {namespace}.t (id) VALUES (1)")
            live.wait_for(1)
    asked = {head.splitlines()[0] for head in proxy.heads}
    assert any(line.startswith("POST http://10.9.8.7:2900/v1/api/auth/login ") for line in asked), asked
    assert "CONNECT 10.9.8.7:2900 HTTP/1.1" in asked
    login = base64.b64encode(b"ann:geheim").decode()
    assert all(f"Proxy-Authorization: Basic {login}" in head for head in proxy.heads)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_not_reached_through_the_proxy(proxy, sandbox_server, host):
    url = sandbox_server.url.replace("127.0.0.1", host)
    with kalam.Client(url, user="root", password=sandbox_server.root_password) as client:
        assert client.query("SELECT 1 AS one")["one"].tolist() == [1]
        client.connect()
    assert proxy.heads == []


@pytest.mark.slow
def test_the_sandbox_is_not_reached_through_the_proxy(proxy):
    subprocess.run([sys.executable, "-c", USED], check=True, env=os.environ)
    assert proxy.heads == []
