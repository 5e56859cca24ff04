"""Sandboxes that play later servers than 0.4.3, clients of them, and tables; modules import the fixtures."""

import contextlib
import uuid

import pytest
from plain_client import Plain
from plain_live import PlainLive
from servers import Server

import kalam_notebook as kalam


@contextlib.contextmanager
def playing(version, *flags):
    """A server, and a client of it."""
    with kalam.sandbox(options=["--server", version, *flags]) as started:
        server = Server(started.url, started.root_password)
        with kalam.Client(server.url, token=server.token) as client:
            client.execute_query("CREATE NAMESPACE app")
            yield server, client


@pytest.fixture(name="later", scope="module", params=["0.7", "0.8"])
def later_server(request):
    with playing(request.param) as found:
        yield found


@pytest.fixture(name="cut", scope="module")
def cut_server():
    """One whose scans read 150 unflushed row versions."""
    with playing("0.8", "--scan-window", "150") as found:
        yield found


@pytest.fixture(name="client")
def later_client(later):
    return later[1]


@pytest.fixture(name="plain")
def plain_later(later):
    plain = Plain(later[0])
    with contextlib.closing(plain.http):
        yield plain


@pytest.fixture(name="kind", params=["SHARED", "USER"])
def kind_of_table(request):
    return request.param


@pytest.fixture(name="make")
def make_table(client):
    return lambda *rows, **options: make_in(client, *rows, **options)


def make_in(client, *rows, kind="SHARED", columns="id BIGINT PRIMARY KEY, n INT", **options):
    table = f"app.t{uuid.uuid4().hex[:10]}"
    named = ", ".join([f"TYPE = '{kind}'", *(f"{name.upper()} = {value}" for name, value in options.items())])
    client.execute_query(f"CREATE TABLE {table} ({columns}) WITH ({named})")
    insert(client, table, rows)
    return table


def insert(client, table, rows, *, together=100):
    for start in range(0, len(rows), together):
        values = ", ".join(f"({', '.join(map(str, row))})" for row in rows[start : start + together])
        client.execute_query(f"INSERT INTO {table} (id, n) VALUES {values}")


def follows(later, sql, options=None, **more):
    return PlainLive(later[0], sql, options, **more)
