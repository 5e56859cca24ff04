"""Answers with mistakes in them, thousands of them, to whatever a client asks: what comes of it is a result or an error
of this package, never one of Python or of a library."""

import contextlib
import random
import warnings

import httpx
import pandas as pd
import pytest
from mutations import damaged
from plain_client import server_with

import kalam_notebook as kalam
from kalam_notebook.errors import KalamError
from kalam_notebook.http import client as http

#: Damaged answers for each of the calls.
ROUNDS = 45


class Tape(httpx.BaseTransport):
    """Answers as the server did the first time, one of the answers damaged.

    Attributes:
        place: Which answer is damaged, counted from 0; None for none.
        dice: Damages it.
        count: Answers so far.
    """

    def __init__(self):
        self.server, self._known = httpx.HTTPTransport(), {}
        self.place, self.dice, self.count = None, random.Random(), 0

    def handle_request(self, request):
        asked = (request.method, request.url, request.read())
        if asked not in self._known:
            answer = self.server.handle_request(request)
            self._known[asked] = answer.status_code, answer.headers, answer.read()
            answer.close()
        status, headers, body = self._known[asked]
        if self.count == self.place:
            body = damaged(body, self.dice)
            headers = {name: value for name, value in headers.items() if name != "content-length"}
        self.count += 1
        return httpx.Response(status, headers=headers, content=body)


@pytest.fixture(scope="module")
def stage():
    """A server with a table of each kind of thing, and a tape of it."""
    with contextlib.ExitStack() as stack, server_with() as (space, plain, client):
        tape = Tape()
        stack.callback(tape.server.close)
        client.execute_query(
            f"CREATE TABLE {space}.t (id BIGINT PRIMARY KEY, d DOUBLE, dec DECIMAL(10, 2), name TEXT, at TIMESTAMP, "
            "da DATE, u UUID, ok BOOLEAN, j JSON, b BYTES, e EMBEDDING(2), doc FILE) WITH (TYPE = 'SHARED')"
        )
        client.execute_with_files(
            f"INSERT INTO {space}.t (id, d, dec, name, at, da, u, ok, j, e, doc) VALUES (0, -0.5, '-0.50', 'a', "
            "'2024-01-01T00:00:00Z', '2024-01-01', '123e4567-e89b-12d3-a456-426614174000', true, '{\"a\": [1]}', "
            "'[1, 2]', FILE(\"x\"))",
            {"x": ("a.txt", b"content")},
        )
        client.execute_query(
            "; ".join(f"INSERT INTO {space}.t (id, name, dec) VALUES ({n}, 'n{n}', '0.5')" for n in range(1, 120))
        )
        client.execute_query(f"CREATE TABLE {space}.small (id BIGINT PRIMARY KEY, name TEXT) WITH (TYPE = 'SHARED')")
        client.execute_query(f"CREATE TOPIC {space}.events PARTITIONS 1")
        client.execute_query(f"ALTER TOPIC {space}.events ADD SOURCE {space}.t ON INSERT WITH (payload = 'full')")
        client.execute_query(f"INSERT INTO {space}.t (id, name) VALUES (120, 'told')")
        yield space, plain.server, tape
        client.execute_query(f"DROP TOPIC {space}.events")


CALLS = {
    "refused login": lambda client, space, _: client.login("root", "not.the.password"),
    "login": lambda client, space, _: client.refresh_access_token(login(client).refresh_token),
    "health": lambda client, space, _: repr(client.health_check()),
    "cluster": lambda client, space, _: repr(client.cluster_health_check()),
    "setup status": lambda client, space, _: repr(client.check_setup_status()),
    "setup": lambda client, space, _: repr(client.server_setup("u", "Passw0rd!", "Passw0rd!")),
    "check": lambda client, space, _: client.check_login(),
    "as sent": lambda client, space, _: [
        (one.df(), one.message, repr(one), one._repr_html_())
        for one in client.execute_query(f"SELECT * FROM {space}.t; SELECT 1; SHOW TABLES")
    ],
    "small": lambda client, space, _: client.query(f"SELECT id, dec, at FROM {space}.t WHERE id < 3", progress=False),
    "all": lambda client, space, _: client.query(f"SELECT * FROM {space}.t", progress=False).to_string(),
    "sorted": lambda client, space, _: client.query_arrow(
        f"SELECT name, d + 1 AS d FROM {space}.t ORDER BY dec DESC LIMIT 70", progress=False
    ),
    "groups": lambda client, space, _: client.query_polars(
        f"SELECT name, count(*) AS n, max(at) AS at, array_agg(id) AS ids FROM {space}.t GROUP BY name", progress=False
    ),
    "join": lambda client, space, _: client.query(
        f"SELECT a.id, b.name FROM {space}.t a JOIN {space}.t b ON a.id = b.id", progress=False
    ),
    "times": lambda client, space, _: client.query("SELECT * FROM system.namespaces", progress=False),
    "show": lambda client, space, _: client.query("SHOW TABLES", progress=False),
    "describe": lambda client, space, _: client.query(f"DESCRIBE TABLE {space}.t", progress=False),
    "explain": lambda client, space, _: client.query(f"EXPLAIN SELECT * FROM {space}.t", progress=False),
    "batches": lambda client, space, _: list(client.query_batches(f"SELECT * FROM {space}.t", batch_rows=50)),
    "wrong name": lambda client, space, _: client.query(f"SELECT * FROM {space}.tt"),
    "wrong column": lambda client, space, _: client.query(f"SELECT nam FROM {space}.t"),
    "local": lambda client, space, _: client.query(f"SELECT count(*) FROM {space}.t", engine="local", progress=False),
    "insert": lambda client, space, _: client.write(
        pd.DataFrame({"id": [700, 701], "name": ["x", "y"]}), f"{space}.small", mode="insert"
    ),
    "upsert": lambda client, space, _: client.write(
        pd.DataFrame({"id": [1, 501], "name": ["x", "y"]}), f"{space}.small", mode="upsert"
    ),
    "update": lambda client, space, _: client.write(
        pd.DataFrame({"id": [1, 2], "name": ["x", "y"]}), f"{space}.t", mode="update"
    ),
    "delete": lambda client, space, _: client.write(pd.DataFrame({"id": [600]}), f"{space}.t", mode="delete"),
    "download": lambda client, space, folder: [
        client.download(cell, to=folder)
        for frame in [client.query(f"SELECT doc FROM {space}.t WHERE id = 0", progress=False)]
        for cell in frame.to_numpy().ravel()
    ],
    "topic": lambda client, space, _: consumed(client, f"{space}.events"),
}


#: What the server refuses, so that its errors are damaged.
REFUSED = {"refused login", "setup", "wrong name", "wrong column"}


def login(client):
    """The login of the client itself."""
    return client.login("root", client._settings.credentials.password)


def consumed(client, topic):
    with client.consumer(topic, group_id="g", start="earliest") as consumer:
        messages = consumer.poll()
        repr([(message.time, message.table, message.row) for message in messages])
        consumer.arrow(messages)
        consumer.commit_sync()


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_damaged_answers_to_a_call(stage, tmp_path, monkeypatch, name):
    space, server, tape = stage
    monkeypatch.setattr(http, "open_transport", lambda proxy: tape)

    def outcome():
        """The class of what was raised; None for a result."""
        tape.count = 0
        login = {"user": "root", "password": server.root_password}
        try:
            with kalam.Client(server.url, **login, max_retries=0) as client, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                CALLS[name](client, space, tmp_path)
        except KalamError as exc:
            return f"{exc}{exc!r}" and KalamError
        except Exception as exc:
            return repr(exc)

    tape.place = None
    assert outcome() is (KalamError if name in REFUSED else None)
    answers, escaped = tape.count, {}
    for seed in range(ROUNDS):
        tape.place, tape.dice = seed % answers, random.Random(f"{name} {seed}")
        if (found := outcome()) not in (None, KalamError):
            escaped[seed] = found
    assert escaped == {}
