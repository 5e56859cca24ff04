"""What a client tells of its live connection: handlers, whether it stands, which live queries there are."""

import asyncio
from queue import SimpleQueue

import pytest

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, KalamError

pytestmark = pytest.mark.contract


@pytest.fixture
def table(client, namespace):
    client.execute_query(f"CREATE TABLE {namespace}.t (id INT PRIMARY KEY) WITH (TYPE = 'SHARED')")
    return f"{namespace}.t"


def test_handlers_and_subscriptions(server, table):
    heard = SimpleQueue()
    with kalam.Client(
        server.url,
        token=server.token,
        on_connect=lambda: heard.put("on"),
        on_disconnect=heard.put,
        on_error=heard.put,
    ) as client:
        assert (client.is_connected, client.subscriptions()) == (False, ())
        with client.live(f"SELECT id FROM {table}"), client.live_events(f"SELECT id FROM {table}") as events:
            assert client.is_connected
            assert [heard.get(timeout=10), heard.get(timeout=10)] == ["on", "on"]
            told = client.subscriptions()
            assert [(one.sql, one.kind, one.last_seq) for one in told] == [
                (f"SELECT id FROM {table}", "table", None),
                (f"SELECT id FROM {table}", "events", None),
            ]
            client.execute_query(f"INSERT INTO {table} (id) VALUES (1)")
            while not isinstance(next(events), kalam.events.Insert):
                pass
            assert client.subscriptions()[1].last_seq == events.last_seq
        assert client.subscriptions() == ()
    assert not client.is_connected
    assert heard.get(timeout=10) == "closed"


def test_a_server_that_is_gone_is_told(closed_port):
    heard = SimpleQueue()
    with kalam.Client(f"http://127.0.0.1:{closed_port}", token="t", on_error=heard.put) as client:
        with pytest.raises(KalamError):
            client._live_parts().socket.connect(timeout=0.3)
        assert "Connection refused" in str(heard.get(timeout=10))


def test_a_handler_that_raises_harms_nothing(server, table, caplog):
    with (
        kalam.Client(server.url, token=server.token, on_connect=lambda: 1 / 0) as client,
        client.live(f"SELECT id FROM {table}") as live,
    ):
        client.execute_query(f"INSERT INTO {table} (id) VALUES (1)")
        live.wait_for(lambda rows: rows.num_rows == 1, timeout=10)
    assert "a handler of the client" in caplog.text


def test_what_is_no_handler(server):
    with pytest.raises(ConfigError, match="on_connect is a function, not int"):
        kalam.Client(server.url, token="t", on_connect=5)


def test_async(server, table):
    async def main():
        async with kalam.AsyncClient(server.url, token=server.token) as client:
            live = await client.live(f"SELECT id FROM {table}")
            return client.is_connected, await client.subscriptions(), live

    is_connected, told, _ = asyncio.run(main())
    assert is_connected
    assert [one.kind for one in told] == ["table"]


@pytest.mark.parametrize("make", [kalam.Timeouts.fast, kalam.Timeouts.relaxed])
def test_times_for_a_network(server, make):
    assert make().keepalive == kalam.Timeouts().keepalive  # The server hangs up after 10 s of silence.
    with kalam.Client(server.url, token=server.token, timeouts=make()) as client:
        assert client.query("SELECT 1 AS n")["n"].tolist() == [1]
