"""Every message of the imitated KalamDB 0.8 is one of its published types, and has no member besides."""

import asyncio
import json
import time

import pytest
from profiled import connected, playing
from tcp_proxy import TcpProxy

import kalam_notebook as kalam
from kalam_notebook.live_queries.events.messages import InitialBatch
from kalam_sandbox.live.session import Session

COLUMNS = (
    "id BIGINT PRIMARY KEY, b BOOLEAN, s SMALLINT, i INT, f FLOAT, d DOUBLE, c DECIMAL(10,2), t TEXT, j JSON, "
    "y BYTES, ts TIMESTAMP, dt DATETIME, da DATE, ti TIME, u UUID, e EMBEDDING(2), n INT NOT NULL DEFAULT 0"
)
VALUES = (
    "true, 1, 2, 1.5, 2.5, '-0.50', 'a', '{\"a\": 1}', 'bytes', '2026-01-01', '2026-01-01T00:00:00Z', '2026-01-01', "
    "'12:00:00', '00000000-0000-0000-0000-000000000001', '[1, 2]'"
)
NAMES = "id, b, s, i, f, d, c, t, j, y, ts, dt, da, ti, u, e"


@pytest.fixture(scope="module")
def served():
    with playing("0.8", messages_per_second=100_000) as served:
        for kind, options in (("USER", ""), ("SHARED", ""), ("STREAM", ", TTL_SECONDS = 1000")):
            served.sql(f"CREATE TABLE app.{kind.lower()} ({COLUMNS}) WITH (TYPE = '{kind}'{options})")
        served.sql("CREATE TABLE app.keyless (n INT, t TEXT)")
        yield served


class Listener:
    """A socket that keeps what it is sent."""

    def __init__(self, client, served):
        self.client = client
        self.served = served
        self.heard = []

    async def receive(self, count=1):
        for _ in range(count):
            self.heard.append(await self.client.receive())
        return self.heard[-1]

    async def subscribe(self, id, sql, **options):
        subscription = {"id": id, "sql": sql, **options}
        await self.client.send({"type": "subscribe", "subscription": subscription})
        return await self.receive()

    async def sql(self, *statements):
        for sql in statements:
            await asyncio.to_thread(self.served.sql, sql)


async def hear_a_table(listener, table):
    """A snapshot in pages, all kinds of changes, a row that leaves a filter, a cursor and what becomes of it."""
    insert = f"INSERT INTO app.{table} ({NAMES}) VALUES "
    await listener.sql(insert + ", ".join(f"({i}, {VALUES})" for i in range(1, 6)))
    page = await listener.subscribe(table, f"SELECT * FROM app.{table}", options={"batch_size": 2})
    page = await listener.receive()
    while page["batch_control"]["has_more"]:
        cursor = page["batch_control"]["last_seq_id"]
        await listener.client.send({"type": "next_batch", "subscription_id": table, "last_seq_id": cursor})
        page = await listener.receive()
    await listener.subscribe(f"{table} filtered", f"SELECT id, t FROM app.{table} WHERE n = 0 AND id = 9")
    await listener.sql(insert + f"(9, {VALUES})")
    await listener.receive(2)
    if table != "stream":
        await listener.sql(f"UPDATE app.{table} SET n = 1, t = NULL WHERE id = 9")
        await listener.receive(2)
    await listener.sql(f"DELETE FROM app.{table} WHERE id = 9")
    await listener.receive()


async def hear_the_rest(listener):
    await listener.subscribe("empty", "SELECT * FROM app.user WHERE n = 77", options={})
    await listener.receive()
    ack = next(one for one in listener.heard if one.get("subscription_id") == "shared")
    domain = {"version_domain": ack["batch_control"]["version_domain"]}
    last = [one for one in listener.heard if one.get("subscription_id") == "shared" and "rows" in one][-1]
    await listener.subscribe("cut", "SELECT * FROM app.shared", options={"from": "1"})
    cursor = last["rows"][0]["_version"]
    await listener.sql("DELETE FROM app.shared WHERE id = 1")
    await listener.receive()
    await listener.subscribe("resumed", "SELECT * FROM app.shared", options={"from": cursor, **domain})
    await listener.receive(2)
    await listener.subscribe("keyless", "SELECT * FROM app.keyless")
    await listener.sql("INSERT INTO app.keyless (n) VALUES (1)", "UPDATE app.keyless SET n = 2 WHERE n = 1")
    await listener.receive(2)
    for number, sql in enumerate(("SELECT", "SELECT * FROM app.none", "SELECT * FROM app.user WHERE n = -1")):
        await listener.subscribe(f"refused {number}", sql)


def heard_of(served):
    async def run():
        async with connected(served) as client:
            listener = Listener(client, served)
            for table in ("user", "shared", "stream"):
                await hear_a_table(listener, table)
            await hear_the_rest(listener)
            return listener.heard

    return asyncio.run(run())


def test_messages_of_the_server(served, start_peer):
    peer = start_peer("kalam-types")
    heard = heard_of(served)
    kinds = {(one["type"], one.get("change_type"), one.get("code")) for one in heard}
    assert {kind for kind, _, _ in kinds} == {"subscription_ack", "initial_data_batch", "change", "error"}
    assert {change for _, change, _ in kinds} == {None, "insert", "update", "delete"}
    assert ("error", None, "CURSOR_EXPIRED") in kinds
    for message in heard:
        assert peer.ask(**{"from": "server", "message": message}) == message


def test_the_greeting(served, start_peer):
    peer = start_peer("kalam-types")

    async def greeted():
        async with connected(served) as client:
            protocol = {"serialization": "json", "compression": "none"}
            message = {"type": "authenticate", "method": "jwt", "token": served.token(), "protocol": protocol}
            assert without_null(peer.ask(**{"from": "client", "message": message})) == message
            await client.send(message)
            return await client.receive()

    message = asyncio.run(greeted())
    assert message["type"] == "auth_success"
    assert peer.ask(**{"from": "server", "message": message}) == message


def without_null(message):
    """Leave out members that are null, which may be absent as well."""
    if not isinstance(message, dict):
        return message
    return {name: without_null(value) for name, value in message.items() if value is not None}


def follow(served, table):
    """Have our client read pages, live events and a live table, through a network that is cut once."""
    served.sql(f"INSERT INTO app.{table} ({NAMES}) VALUES " + ", ".join(f"({i}, {VALUES})" for i in range(20, 26)))
    query = f"SELECT * FROM app.{table} WHERE id >= 20"
    with (
        TcpProxy(served.url) as proxy,
        kalam.Client(proxy.url, token=served.token()) as client,
        client.live(query) as live,
        client.live_events(f"SELECT * FROM app.{table}", batch_size=2) as events,
    ):
        live.wait_for(6, timeout=20)
        while not (isinstance(event := events.next(timeout=10), InitialBatch) and not event.has_more):
            pass
        proxy.cut()
        served.sql(f"INSERT INTO app.{table} ({NAMES}) VALUES (30, {VALUES})")
        live.wait_for(7, timeout=20)
        wait_until(lambda: events.stats.reconnects)
    served.sql(f"DELETE FROM app.{table} WHERE id >= 20")


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_messages_of_our_client(served, start_peer, monkeypatch):
    peer = start_peer("kalam-types")
    sent = []
    on_text = Session.on_text

    async def recorded(session, text):
        sent.append(json.loads(text))
        await on_text(session, text)

    monkeypatch.setattr(Session, "on_text", recorded)
    for table in ("user", "shared"):
        follow(served, table)
    assert {message["type"] for message in sent} >= {"subscribe", "next_batch", "unsubscribe"}
    asked = [message["subscription"].get("options") or {} for message in sent if message["type"] == "subscribe"]
    assert any("from" in options and "version_domain" in options for options in asked)
    for message in sent:
        assert without_null(peer.ask(**{"from": "client", "message": message})) == without_null(message)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "next_batch", "subscription_id": "s", "last_seq_id": 5},
        {"type": "next_batch", "subscription_id": "s", "last_seq_id": "0"},
        {"type": "next_batch", "subscription_id": "s", "last_seq_id": "-5"},
        {"type": "subscribe", "subscription": {"id": "s", "sql": "SELECT 1", "options": {"from": 5}}},
        {"type": "subscribe", "subscription": {"id": "s", "sql": "SELECT 1", "options": {"version_domain": {}}}},
        {"type": "subscribe", "subscription": {"id": "s"}},
        {"type": "nonsense"},
    ],
)
def test_what_the_types_refuse_ends_the_connection(served, start_peer, message):
    assert "error" in start_peer("kalam-types").ask(**{"from": "client", "message": message})

    async def refused():
        async with connected(served) as client:
            await client.send(message)
            return await client.receive_close()

    assert asyncio.run(refused())[0] == 1011
