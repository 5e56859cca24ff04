"""``close()`` while other threads use the client: they are told, and nothing of it stays."""

import gc
import random
import threading
import uuid
from functools import partial

import pytest
from interrupting import held, wait_until_left

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, KalamError

pytestmark = pytest.mark.timeout(200)

ROUNDS = 300


@pytest.fixture(scope="module")
def topic(sandbox_server):
    """A table with a topic over it, by name."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with kalam.Client(sandbox_server.url, token=sandbox_server.token) as client:
        client.execute_query(f"CREATE NAMESPACE {name}")
        client.execute_query(f"CREATE TABLE {name}.t (id INT PRIMARY KEY, v TEXT)")
        client.execute_query(f"CREATE TOPIC {name}.events")
        client.execute_query(f"ALTER TOPIC {name}.events ADD SOURCE {name}.t ON INSERT")
        client.execute_query(f"INSERT INTO {name}.t VALUES (1, 'a'), (2, 'b')")
        yield name
        client.execute_query(f"DROP TOPIC {name}.events")
        client.execute_query(f"DROP NAMESPACE {name} CASCADE")


def query(client, name):
    while True:
        client.query_arrow(f"SELECT * FROM {name}.t")


def live(client, name):
    while True:
        with client.live(f"SELECT * FROM {name}.t") as table:
            table.wait_for(lambda table: table.num_rows == 2)


def events(client, name):
    while True:
        with client.live_events(f"SELECT * FROM {name}.t") as stream:
            next(stream)


def consumer(client, name):
    while True:
        client.consumer(f"{name}.events", group_id="g", start="earliest", partitions=1).poll(0)


def test_closing_a_client_that_other_threads_use(sandbox_server, topic):
    chance = random.Random(3)
    ends = []
    gc.collect()
    base = held()

    def use(client, call):
        try:
            call(client, topic)
        except BaseException as exc:
            ends.append((call.__name__, exc))

    for _ in range(ROUNDS):
        client = kalam.Client(sandbox_server.url, token=sandbox_server.token, timeout=20)
        calls = chance.sample([query, live, events, consumer], 2)
        threads = [threading.Thread(target=partial(use, client, call)) for call in calls]
        for thread in threads:
            thread.start()
        # What is to be interrupted is the moment of something; which moment is a matter of chance.
        threading.Event().wait(chance.random() * 0.05)
        client.close()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive(), calls
    wait_until_left(base)
    for name, end in ends:
        assert isinstance(end, KalamError), (name, end)
    assert len(ends) == 2 * ROUNDS
    assert {name for name, end in ends if isinstance(end, ConfigError)} >= {"query", "live", "consumer"}
