"""Live queries on the real engine of the sandbox: what only both halves together can show."""

import asyncio
import datetime as dt

import pytest
from profiled import connected
from serving import serving

COLUMNS = "id BIGINT PRIMARY KEY, room TEXT, n INT, d DOUBLE"


class Live:
    """A sandbox server, with SQL over HTTP and sockets for live queries."""

    def __init__(self, served):
        self.served = served
        self.number = 0

    def sql(self, sql):
        return self.served.sql(sql)[-1]

    def table(self, kind="USER", columns=COLUMNS):
        """Create a table of its own for a test."""
        self.number += 1
        name = f"ws.t{self.number}"
        self.sql(f"CREATE NAMESPACE IF NOT EXISTS ws; CREATE TABLE {name} ({columns}) WITH (TYPE='{kind}')")
        return name

    def connect(self, user="root"):
        return connected(self.served, user)


@pytest.fixture(scope="module")
def live():
    with serving() as served:
        yield Live(served)


def on_socket(test):
    """Run a coroutine test with the fixture `live` and one open socket."""

    def run(live):
        async def body():
            async with live.connect() as client:
                await test(live, client)

        asyncio.run(body())

    run.__name__ = test.__name__
    return run


async def all_pages(client, sql, batch_size, most=200):
    await client.subscribe("p", sql, options={"batch_size": batch_size})
    pages = [await client.receive()]
    while pages[-1]["batch_control"]["has_more"] and len(pages) < most:
        pages.append(await client.next_batch("p", pages[-1]["batch_control"]["last_seq_id"]))
    return [page["rows"] for page in pages]


def pages_by_the_rule(rows, batch_size):
    """Compute the pages of section 6.2: the oldest rows, sorted by key, cut, and the last one's cursor."""
    pages, cursor = [], 0
    while True:
        oldest = sorted((row for row in rows if row[1] > cursor), key=lambda row: row[1])[: batch_size + 1]
        page = sorted(oldest)[:batch_size]
        pages.append([str(key) for key, _ in page])
        if len(oldest) <= batch_size:
            return pages
        cursor = page[-1][1]


@on_socket
async def test_pages_lose_and_repeat_rows_by_the_rule_of_the_server(live, client):
    table = live.table()
    live.sql(f"INSERT INTO {table} (id, n) VALUES {', '.join(f'({key}, 0)' for key in range(1, 31))}")
    for key in (3, 9, 1, 30, 12, 13, 5, 22, 17, 8):
        live.sql(f"UPDATE {table} SET n = 1 WHERE id = {key}")
    stored = live.sql(f"SELECT id, _seq FROM {table} LIMIT 100")["rows"]
    expected = pages_by_the_rule([(int(key), int(seq)) for key, seq in stored], 7)
    pages = await all_pages(client, f"SELECT * FROM {table}", 7)
    assert [[row["id"] for row in page] for page in pages] == expected
    sent = [key for page in expected for key in page]
    assert len(set(sent)) < 30
    assert len(sent) > len(set(sent))


@on_socket
async def test_pages_without_the_key_are_complete(live, client):
    table = live.table()
    live.sql(f"INSERT INTO {table} (id, n) VALUES {', '.join(f'({60 - key}, {key})' for key in range(60))}")
    pages = await all_pages(client, f"SELECT n FROM {table}", 7)
    assert [row["n"] for page in pages for row in page] == list(range(60))


@on_socket
async def test_a_bare_or_escapes_the_cursor_so_that_paging_never_ends(live, client):
    table = live.table()
    live.sql(f"INSERT INTO {table} (id, room) VALUES (1, 'a'), (2, 'b'), (3, 'b'), (4, 'b'), (5, 'a')")
    pages = await all_pages(client, f"SELECT * FROM {table} WHERE room = 'a' OR room = 'b'", 2, most=6)
    assert [[row["id"] for row in page] for page in pages] == [["1", "2"]] + [["2", "3"]] * 5
    await client.send({"type": "unsubscribe", "subscription_id": "p"})
    right = await all_pages(client, f"SELECT * FROM {table} WHERE (room = 'a' OR room = 'b')", 2)
    assert [row["id"] for page in right for row in page] == ["1", "2", "3", "4", "5"]


@on_socket
async def test_a_bare_or_brings_deleted_rows_back(live, client):
    table = live.table()
    live.sql(f"INSERT INTO {table} (id, room) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (10, 'b')")
    live.sql(f"DELETE FROM {table} WHERE id = 2")
    (page,) = await all_pages(client, f"SELECT * FROM {table} WHERE room = 'a' OR room = 'b'", 99)
    assert [(row["id"], row["_deleted"]) for row in page] == [("1", False), ("2", True), ("10", False)]
    await client.send({"type": "unsubscribe", "subscription_id": "p"})
    (page,) = await all_pages(client, f"SELECT id FROM {table} WHERE (room = 'a' OR room = 'b')", 99)
    assert [row["id"] for row in page] == ["1", "10"]


@on_socket
async def test_one_statement_is_one_burst(live, client):
    table = live.table()
    await client.subscribe("s", f"SELECT * FROM {table}")
    await client.subscribe("m", f"SELECT id FROM {live.table()}")
    marker = f"ws.t{live.number}"
    live.sql(f"INSERT INTO {table} (id) VALUES {', '.join(f'({key})' for key in range(200))}")
    live.sql(f"INSERT INTO {marker} (id) VALUES (1)")
    received = []
    while (message := await client.receive())["subscription_id"] == "s":
        received.append(message["rows"][0]["id"])
    assert received == [str(key) for key in range(128)]


@on_socket
async def test_a_transaction_tells_every_version_grouped_by_table(live, client):
    one, other = live.table(), live.table()
    await client.subscribe("one", f"SELECT * FROM {one}")
    await client.subscribe("other", f"SELECT * FROM {other}")
    live.sql(
        f"BEGIN; INSERT INTO {one} (id, n) VALUES (1, 1); INSERT INTO {other} (id) VALUES (5); "
        f"UPDATE {one} SET n = 2 WHERE id = 1; COMMIT"
    )
    live.sql(f"BEGIN; INSERT INTO {one} (id) VALUES (9); ROLLBACK")
    live.sql(f"DELETE FROM {one} WHERE id = 1")
    told = [await client.receive() for _ in range(4)]
    assert [(message["subscription_id"], message["change_type"]) for message in told] == [
        ("one", "insert"), ("one", "update"), ("other", "insert"), ("one", "delete"),
    ]  # fmt: skip


@on_socket
async def test_an_added_column_comes_along_at_once(live, client):
    table = live.table()
    await client.subscribe("s", f"SELECT * FROM {table}")
    live.sql(f"ALTER TABLE {table} ADD COLUMN extra TEXT")
    live.sql(f"INSERT INTO {table} (id, extra) VALUES (1, 'new')")
    assert (await client.receive())["rows"][0]["extra"] == "new"


@on_socket
async def test_nan_is_told_in_a_snapshot_and_hushed_up_in_events(live, client):
    table = live.table()
    await client.subscribe("live", f"SELECT id FROM {table}")
    live.sql(f"INSERT INTO {table} (id, d) VALUES (1, 'NaN')")
    live.sql(f"INSERT INTO {table} (id, d) VALUES (2, 1.5)")
    assert (await client.receive())["rows"][0]["id"] == "2"
    assert (await client.subscribe("s", f"SELECT * FROM {table}", options={}))["type"] == "subscription_ack"
    assert (await client.receive())["code"] == "CONVERSION_ERROR"


@on_socket
async def test_a_dropped_table_answers_no_page_any_more(live, client):
    table = live.table()
    await client.subscribe("s", f"SELECT * FROM {table}", options={})
    await client.receive()
    live.sql(f"DROP TABLE {table}")
    answer = await client.next_batch("s")
    namespace, name = table.split(".")
    assert answer["message"] == f"Not found: Table {namespace}:{name} not found for batch fetch"
    live.sql(f"CREATE TABLE {table} ({COLUMNS}) WITH (TYPE='USER')")
    live.sql(f"INSERT INTO {table} (id) VALUES (7)")
    assert (await client.receive())["rows"][0]["id"] == "7"


@on_socket
async def test_system_live_lists_what_runs(live, client):
    table = live.table()
    await client.subscribe("mine", f"SELECT * FROM {table}", options={"batch_size": 5})
    await client.receive()
    result = live.sql("SELECT * FROM system.live WHERE subscription_id = 'mine'")
    (row,) = [dict(zip([c["name"] for c in result["schema"]], cells, strict=True)) for cells in result["rows"]]
    assert (row["query"], row["options"]) == (f"SELECT * FROM {table}", '{"batch_size":5}')
    assert row["live_id"] == f"root-{row['connection_id']}-mine"
    for name in ("created_at", "last_update", "last_ping_at"):
        assert dt.datetime.fromtimestamp(row[name] / 1e6, dt.UTC).year > 2020


@on_socket
async def test_roles(live, client):
    private, public = live.table("SHARED"), live.table("SHARED")
    live.sql(f"ALTER TABLE {public} SET ACCESS LEVEL public")
    async with live.connect(live.served.add_user("ann", "user")) as other:
        assert (await other.subscribe("a", f"SELECT * FROM {private}"))["code"] == "UNAUTHORIZED"
        assert (await other.subscribe("b", "SELECT * FROM system.users"))["code"] == "UNAUTHORIZED"
        assert (await other.subscribe("c", f"SELECT id FROM {public}"))["type"] == "subscription_ack"
        assert (await client.subscribe("d", f"SELECT id FROM {private}"))["type"] == "subscription_ack"
        live.sql(f"INSERT INTO {public} (id) VALUES (4)")
        assert (await other.receive())["rows"][0]["id"] == "4"


@on_socket
async def test_stored_system_tables_are_acknowledged_and_have_no_snapshot(live, client):
    ack = await client.subscribe("u", "SELECT * FROM system.users")
    assert (ack["type"], ack["schema"][0]["name"]) == ("subscription_ack", "user_id")
    refused = await client.subscribe("v", "SELECT * FROM system.users", options={})
    assert (refused["code"], "No field named _seq" in refused["message"]) == ("SUBSCRIPTION_FAILED", True)
    for name in ("live", "nothing"):
        told = (await client.subscribe("w", f"SELECT * FROM system.{name}", options={}))["message"]
        assert told == f"Not found: Table not found: system:{name}"


@on_socket
async def test_reading_errors_carry_the_engines_words(live, client):
    table = live.table()
    alias = await client.subscribe("e", f"SELECT id AS x FROM {table}", options={})
    assert alias["code"] == "SUBSCRIPTION_FAILED"
    assert alias["message"].startswith("Execution error: Invalid operation: Schema error: No field named x.")
    count = await client.subscribe("e", f"SELECT count(*) FROM {table}", options={})
    assert count["message"].startswith("Execution error: Execution error: Error during planning: Column in SELECT")


@on_socket
async def test_rows_written_while_a_snapshot_is_half_read_follow_it(live, client):
    table = live.table()
    live.sql(f"INSERT INTO {table} (id) VALUES (1), (2), (3)")
    await client.subscribe("s", f"SELECT id FROM {table}", options={"batch_size": 2})
    first = await client.receive()
    live.sql(f"UPDATE {table} SET n = 5 WHERE id = 3")
    live.sql(f"DELETE FROM {table} WHERE id = 1")
    second = await client.next_batch("s", first["batch_control"]["last_seq_id"])
    assert (second["rows"], second["batch_control"]["status"]) == ([], "ready")
    assert [(await client.receive())["change_type"] for _ in range(2)] == ["update", "delete"]
