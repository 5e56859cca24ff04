"""Live queries of KalamDB 0.7.1 and later: losses that are told, and what a cursor resumes."""

import asyncio
import contextlib

import pytest
import websockets
from live_doubles import Client
from profiled import connected, playing

from kalam_sandbox.backend import Change
from kalam_sandbox.live.replay import ReplayLog, Resume
from kalam_sandbox.live.routes import LIVE_REGISTRY

ALL = "SELECT * FROM app.t"


@pytest.fixture(scope="module", params=["0.7", "0.8"])
def served(request):
    with playing(request.param) as served:
        served.sql("CREATE TABLE app.marker (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER')")
        yield served


@pytest.fixture(params=["USER", "SHARED"])
def table(served, request):
    served.sql(f"CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = '{request.param}')")
    # The log of changes outlives a table, and each test makes one of the same name.
    served.app[LIVE_REGISTRY].replay = ReplayLog()
    yield served
    served.sql("DROP TABLE app.t")


def rows(ids, n=1):
    return "INSERT INTO app.t (id, n) VALUES " + ", ".join(f"({i}, {n})" for i in ids)


def insert(served, ids):
    served.sql(rows(ids))


def is_gap(message, id="s"):
    return (message["type"], message.get("subscription_id"), message.get("code")) == ("error", id, "CURSOR_EXPIRED")


async def next_is_nothing(client, served):
    """Say that no event comes: a marker that is written later comes first."""
    await client.subscribe("marker", "SELECT * FROM app.marker")
    await asyncio.to_thread(served.sql, "INSERT INTO app.marker (id) VALUES (1); DELETE FROM app.marker WHERE id = 1")
    return [(await client.receive())["subscription_id"] for _ in range(2)] == ["marker", "marker"]


def test_a_burst_is_told_once_and_then_the_query_is_silent(table):
    async def test():
        async with connected(table) as client:
            await client.subscribe(sql=ALL)
            await asyncio.to_thread(insert, table, range(1000))
            messages = []
            while not messages or not is_gap(messages[-1]):
                messages.append(await client.receive())
            assert 128 <= len(messages) < 1001
            assert "resubscribe" in messages[-1]["message"]
            await asyncio.to_thread(insert, table, range(2000, 2010))
            assert await next_is_nothing(client, table)
            # It is registered all the same.
            assert (await client.subscribe(sql=ALL))["code"] == "ALREADY_EXISTS"
            await client.send({"type": "unsubscribe", "subscription_id": "s"})
            assert (await client.subscribe(sql=ALL))["type"] == "subscription_ack"
            await asyncio.to_thread(insert, table, [3000])
            assert (await client.receive())["rows"][0]["id"] == "3000"

    asyncio.run(test())


def test_more_than_waits_while_a_snapshot_is_read_is_a_gap(table):
    """By several commits, of which none is too much for the connection or for a worker."""
    insert(table, [1, 2])

    async def test():
        async with connected(table) as client:
            await client.subscribe(sql=ALL, options={"batch_size": 1})
            batch = await client.receive()
            assert batch["batch_control"]["has_more"]
            for start in range(10, 1034, 64):  # As many as fit.
                await asyncio.to_thread(insert, table, range(start, start + 64))
            assert await next_is_nothing(client, table)
            await asyncio.to_thread(insert, table, [5000])
            assert is_gap(await client.receive())

    asyncio.run(test())


def test_one_query_is_cut_and_another_is_not(table):
    async def test():
        async with connected(table) as client:
            await client.subscribe("all", ALL)
            await client.subscribe("some", ALL + " WHERE n = 2")
            await asyncio.to_thread(
                table.sql,
                f"BEGIN; {rows([1], n=2)}; {rows(range(10, 500))}; COMMIT",
            )
            messages = []
            while not messages or not is_gap(messages[-1], "all"):
                messages.append(await client.receive())
            assert [m["rows"][0]["id"] for m in messages if m.get("subscription_id") == "some"] == ["1"]
            await asyncio.to_thread(table.sql, "UPDATE app.t SET n = 3 WHERE id = 1")
            left = await client.receive()
            assert (left["subscription_id"], left["change_type"]) == ("some", "delete")

    asyncio.run(test())


def test_more_than_a_worker_takes_cuts_every_query_of_the_table(table):
    async def test():
        async with connected(table) as client:
            await client.subscribe(sql=ALL + " WHERE n = 2")
            await asyncio.to_thread(
                table.sql,
                f"BEGIN; {'; '.join(rows(range(start, start + 1000)) for start in range(0, 5000, 1000))}; COMMIT",
            )
            assert is_gap(await client.receive())

    asyncio.run(test())


@pytest.mark.parametrize("version", ["0.4.3", "0.5"])
def test_before_a_burst_is_lost_without_a_word(version):
    async def test(served):
        async with connected(served) as client:
            await client.subscribe(sql=ALL)
            await client.subscribe("marker", "SELECT * FROM app.marker")
            await asyncio.to_thread(insert, served, range(1000))
            await asyncio.to_thread(served.sql, "INSERT INTO app.marker (id) VALUES (1)")
            assert all(message["type"] == "change" for message in await client.changes_until("1"))

    with playing(version) as served:
        served.sql(
            "CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'USER');"
            "CREATE TABLE app.marker (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER')"
        )
        asyncio.run(test(served))


async def cursor_of(client, id="first"):
    """Read a snapshot and return what is needed to go on from it."""
    await client.subscribe(id, ALL, options={})
    control = (await client.receive())["batch_control"]
    cursor = {"from": control["last_seq_id"]}
    return cursor | ({"version_domain": control["version_domain"]} if "version_domain" in control else {})


@contextlib.asynccontextmanager
async def away(served, meanwhile):
    """Read a snapshot, leave, let something happen, and come back with the cursor."""
    async with connected(served) as client:
        cursor = await cursor_of(client)
    await asyncio.to_thread(meanwhile)
    async with connected(served) as client:
        yield client, cursor


def test_replay_tells_deletes_and_says_that_it_is_exact(table):
    insert(table, [1, 2, 3])

    def meanwhile():
        table.sql("DELETE FROM app.t WHERE id = 1; UPDATE app.t SET n = 5 WHERE id = 2")
        insert(table, [4])

    async def test():
        async with away(table, meanwhile) as (client, cursor):
            ack = await client.subscribe(sql=ALL, options=cursor)
            assert ack["batch_control"]["last_seq_id"] == cursor["from"]
            batch = await client.receive()
            assert (batch["rows"], batch["batch_control"]["has_more"]) == ([], False)
            assert batch["batch_control"]["last_seq_id"] == cursor["from"]
            found = [await client.receive() for _ in range(3)]
            assert [(m["change_type"], (m.get("rows") or m["old_values"])[0]["id"]) for m in found] == [
                ("delete", "1"),
                ("update", "2"),
                ("insert", "4"),
            ]
            await asyncio.to_thread(insert, table, [5])
            assert (await client.receive())["rows"][0]["id"] == "5"

    asyncio.run(test())


def test_too_much_to_replay_is_a_gap(table):
    insert(table, [1])

    async def test():
        async with away(table, lambda: insert(table, range(10, 310))) as (client, cursor):
            await client.subscribe(sql=ALL, options=cursor)
            assert (await client.receive())["rows"] == []
            found = [await client.receive()]
            while not is_gap(found[-1]):
                found.append(await client.receive())
            assert 128 <= len(found) < 301

    asyncio.run(test())


def test_a_cursor_before_the_log_gets_rows_and_no_deletes(table):
    insert(table, [1])

    async def test():
        async with connected(table) as client:
            first = int(table.rows("SELECT _version FROM app.t")[0][0])
            await asyncio.to_thread(insert, table, [2])
            await asyncio.to_thread(table.sql, "DELETE FROM app.t WHERE id = 1")
            await asyncio.to_thread(insert, table, [3])
            cursor = await cursor_of(client)
            await client.subscribe(sql=ALL, options={**cursor, "from": str(first)})
            batch = await client.receive()
            assert [row["id"] for row in batch["rows"]] == ["2", "3"]
            assert batch["batch_control"]["last_seq_id"] != str(first)
            assert await next_is_nothing(client, table)

    asyncio.run(test())


def test_a_cursor_that_the_log_does_not_know_has_expired(table):
    insert(table, [1])
    (version,) = table.rows("SELECT _version FROM app.t")[0]

    async def test():
        async with connected(table) as client:
            # Nobody has read a snapshot: there is no log.
            options = {"from": version}
            ack = await client.subscribe("live", ALL)
            if "version_domain" in ack["batch_control"]:
                options["version_domain"] = ack["batch_control"]["version_domain"]
            assert is_gap(await client.subscribe(sql=ALL, options=options))
            # It is not registered: the id is free.
            assert (await client.subscribe(sql=ALL))["type"] == "subscription_ack"

    asyncio.run(test())


def test_a_log_that_lost_changes_has_expired(table):
    insert(table, [1])

    def meanwhile():
        for start in range(100, 1200, 100):
            insert(table, range(start, start + 100))

    async def test():
        async with away(table, meanwhile) as (client, cursor):
            assert is_gap(await client.subscribe(sql=ALL, options=cursor))

    asyncio.run(test())


def change(seq, owner="root", table="t", new=True):
    row = {"id": "1", "_version": str(seq)}
    return Change("app", table, "insert", owner, seq, row if new else None, row)


SCOPE = ("root", "app", "t")


def test_the_floor_of_a_log():
    log = ReplayLog()
    assert log.outcome(SCOPE, 5) is Resume.EXPIRED
    log.record(change(4))
    assert log.outcome(SCOPE, 5) is Resume.EXPIRED
    log.begin(SCOPE)
    assert log.outcome(SCOPE, 5) is Resume.SNAPSHOT
    log.note(SCOPE, 10)
    log.record(change(11))
    log.record(change(12))
    log.note(SCOPE, 12)
    assert log.outcome(SCOPE, 9) is Resume.SNAPSHOT
    assert [one.seq for one in log.after(SCOPE, 10)] == [11, 12]
    assert [one.seq for one in log.after(SCOPE, 12)] == []
    assert log.after(("ann", "app", "t"), 12) is None


def test_a_log_behind_an_empty_snapshot_begins_with_the_first_change():
    log = ReplayLog()
    log.note(SCOPE, 0)
    assert log.outcome(SCOPE, 7) is Resume.SNAPSHOT
    log.record(change(7))
    assert log.outcome(SCOPE, 7) is Resume.REPLAY


def test_a_full_log_keeps_the_latest_changes():
    log = ReplayLog()
    log.note(SCOPE, 1)
    for seq in range(2, 1030):
        log.record(change(seq))
    assert log.outcome(SCOPE, 1) is Resume.EXPIRED
    assert log.outcome(SCOPE, 5) is Resume.REPLAY
    assert len(log.after(SCOPE, 5)) == 1024
    log.note(SCOPE, 1)
    assert log.outcome(SCOPE, 1) is Resume.EXPIRED


def test_a_change_without_a_version_ends_the_log():
    log = ReplayLog()
    log.note(SCOPE, 1)
    log.record(change(2, new=False))
    assert log.outcome(SCOPE, 1) is Resume.EXPIRED


def test_only_so_many_scopes_are_kept():
    log = ReplayLog()
    log.note(SCOPE, 1)
    for number in range(63):
        log.note(("root", "app", f"t{number}"), 1)
    log.record(change(2))
    log.note(("root", "app", "one more"), 1)
    assert log.outcome(SCOPE, 1) is Resume.REPLAY
    assert log.outcome(("root", "app", "t0"), 1) is Resume.EXPIRED


@pytest.mark.parametrize("version", ["0.5", "0.7", "0.8"])
def test_pages_lose_no_rows_but_those_of_1000_do(version):
    async def read(client, id, **options):
        await client.subscribe(id, ALL, options=options)
        pages = [await client.receive()]
        while pages[-1]["batch_control"]["has_more"]:
            pages.append(await client.next_batch(id, pages[-1]["batch_control"]["last_seq_id"]))
        return [row["id"] for page in pages for row in page["rows"]]

    async def test(served):
        async with connected(served) as client:
            assert len(set(await read(client, "small", batch_size=97))) == 1500
            assert len(set(await read(client, "most", batch_size=999))) == 1500
            # The page wants 1,001 rows to know of another, and a SELECT has 1,000.
            assert len(await read(client, "thousand", batch_size=1000)) == 1000
            assert len(await read(client, "brought down", batch_size=5000)) == 1000
            await client.subscribe("brought up", ALL, options={"batch_size": 0})
            assert len((await client.receive())["rows"]) == 1
            newest = await read(client, "newest", last_rows=3)
            assert newest == served.newest

    with playing(version, messages_per_second=100_000) as served:
        served.sql("CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'USER')")
        # Keys that do not grow with the versions.
        keys = [(7919 * i) % 1500 for i in range(1500)]
        for start in range(0, 1500, 500):
            insert(served, keys[start : start + 500])
        served.newest = [str(key) for key in keys[-3:]]
        asyncio.run(test(served))


@pytest.mark.parametrize("version", ["0.7", "0.8"])
def test_messagepack_is_gone(version):
    async def test(served):
        headers = {"Authorization": f"Bearer {served.token()}"}
        url = served.url.replace("http", "ws", 1) + "/v1/ws"
        async with websockets.connect(
            f"{url}?serialization=msgpack", additional_headers=headers, proxy=None, compression=None
        ) as socket:
            client = Client(socket)
            if version == "0.7":
                assert (await client.receive())["protocol"]["serialization"] == "msgpack"
            else:
                assert (await client.receive_close())[0] == 1008
        async with websockets.connect(url, proxy=None, compression=None) as socket:
            client = Client(socket)
            protocol = {"serialization": "msgpack", "compression": "none"}
            await client.send({"type": "authenticate", "method": "jwt", "token": served.token(), "protocol": protocol})
            if version == "0.7":
                assert (await client.receive())["type"] == "auth_success"
            else:
                assert (await client.receive_close())[0] == 1011

    with playing(version) as served:
        asyncio.run(test(served))
