"""Live queries over a real socket, on a double of the engine: snapshot, changes, refusals, counts, losses."""

import asyncio
import threading

import pytest
from live_doubles import COLUMNS, DEADLINE, on_server, table

from kalam_sandbox.backend import Column


def error(code, message, id="s"):
    return {"type": "error", "subscription_id": id, "code": code, "message": message}


def ids(message):
    return [row["id"] for row in message["rows"]]


async def listen(client, id="s", sql="SELECT * FROM ws.t"):
    """Subscribe without a snapshot, and to the table whose rows mark the end of what was sent."""
    assert (await client.subscribe(id, sql))["type"] == "subscription_ack"
    if id == "s":
        await client.subscribe("marker", "SELECT * FROM ws.marker")


async def until(condition):
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - What is waited for happens in the server, which has no event for it.
            await asyncio.sleep(0.001)


@on_server()
async def test_ack_and_first_page_come_together(server):
    server.backend.write("t", {"id": "1", "room": "a"}, {"id": "2", "n": 7})
    async with server.connect() as client:
        ack = await client.subscribe(options={})
        control = {"batch_num": 0, "has_more": False, "status": "ready", "last_seq_id": 1002}
        assert ack == {
            "type": "subscription_ack", "subscription_id": "s", "total_rows": 0, "batch_control": control,
            "schema": [
                {"name": "id", "data_type": "BigInt", "index": 0, "flags": ["pk", "nn", "uq"]},
                {"name": "room", "data_type": "Text", "index": 1},
                {"name": "n", "data_type": "Int", "index": 2},
                {"name": "_seq", "data_type": "BigInt", "index": 3, "flags": ["nn"]},
                {"name": "_deleted", "data_type": "Boolean", "index": 4, "flags": ["nn"]},
            ],
        }  # fmt: skip
        assert await client.receive() == {
            "type": "initial_data_batch", "subscription_id": "s", "batch_control": control,
            "rows": [
                {"id": "1", "room": "a", "n": None, "_seq": "1001", "_deleted": False},
                {"id": "2", "room": None, "n": 7, "_seq": "1002", "_deleted": False},
            ],
        }  # fmt: skip


@on_server()
async def test_the_statements_are_those_of_the_server(server):
    server.backend.write("t", *({"id": str(key), "room": "a"} for key in range(3)))
    async with server.connect() as client:
        await client.subscribe(sql="SELECT id FROM ws.t WHERE room = 'a'", options={"batch_size": 2, "from": 1})
        await client.receive()
        await client.next_batch("s", 1002)
    assert server.backend.queries == [
        "SELECT MAX(_seq) AS max_seq FROM ws.t WHERE _seq > 1 AND _deleted = false AND room = 'a'",
        "SELECT id, _seq FROM ws.t WHERE _seq > 1 AND _seq <= 1003 AND _deleted = false AND room = 'a'"
        " ORDER BY _seq ASC LIMIT 3",
        "SELECT id, _seq FROM ws.t WHERE _seq > 1002 AND _seq <= 1003 AND _deleted = false AND room = 'a'"
        " ORDER BY _seq ASC LIMIT 3",
    ]


@on_server()
async def test_pages_lose_rows_where_keys_do_not_grow(server):
    # The page of the oldest three, sorted by key and cut to two, drops key 9 for good.
    server.backend.write("t", *({"id": key} for key in "91825"))
    async with server.connect() as client:
        await client.subscribe(options={"batch_size": 2})
        pages = [await client.receive()]
        while pages[-1]["batch_control"]["has_more"]:
            pages.append(await client.next_batch("s", pages[-1]["batch_control"]["last_seq_id"]))
    assert [ids(page) for page in pages] == [["1", "8"], ["2", "5"]]
    assert [page["batch_control"]["status"] for page in pages] == ["loading", "ready"]


@on_server()
async def test_pages_are_numbered_and_the_cursor_is_the_clients(server):
    server.backend.write("t", *({"id": str(key)} for key in range(1, 6)))
    async with server.connect() as client:
        await client.subscribe(options={"batch_size": 2})
        await client.receive()
        second = await client.next_batch("s", 1002)
        again = await client.next_batch("s", 1002)
        restarted = await client.next_batch("s")
        beyond = await client.next_batch("s", 9 * 10**18)
    assert [ids(page) for page in (second, again, restarted, beyond)] == [["3", "4"], ["3", "4"], ["1", "2"], []]
    assert [page["batch_control"]["batch_num"] for page in (second, again, restarted, beyond)] == [1, 2, 3, 4]
    assert again["batch_control"]["status"] == "loading_batch"
    assert beyond["batch_control"] == {"batch_num": 4, "has_more": False, "status": "ready", "last_seq_id": None}


@pytest.mark.parametrize(("options", "count"), [({}, 1000), ({"batch_size": 5000}, 1000), ({"batch_size": 999}, 999)])
@on_server()
async def test_pages_from_1000_on_claim_to_be_all(server, options, count):
    server.backend.write("t", *({"id": str(key)} for key in range(1100)))
    async with server.connect() as client:
        await client.subscribe(options=options)
        page = await client.receive()
    assert (len(page["rows"]), page["batch_control"]["has_more"]) == (count, count < 1000)


@on_server()
async def test_last_rows_leaves_out_the_newest_key_and_turns_the_rest_round(server):
    server.backend.write("t", *({"id": str(key)} for key in range(1, 6)))
    async with server.connect() as client:
        await client.subscribe(options={"last_rows": 2})
        page = await client.receive()
    assert ids(page) == ["4", "3"]
    assert page["batch_control"] == {"batch_num": 0, "has_more": False, "status": "ready", "last_seq_id": 1003}


@on_server()
async def test_last_rows_without_the_key_are_right(server):
    server.backend.write("t", *({"id": str(key), "n": key} for key in range(1, 6)))
    async with server.connect() as client:
        await client.subscribe(sql="SELECT n FROM ws.t", options={"last_rows": 2})
        assert [row["n"] for row in (await client.receive())["rows"]] == [4, 5]


@on_server()
async def test_from_beats_last_rows(server):
    server.backend.write("t", *({"id": str(key)} for key in range(1, 6)))
    async with server.connect() as client:
        await client.subscribe(options={"last_rows": 1, "from": 1002})
        assert ids(await client.receive()) == ["3", "4", "5"]


@pytest.mark.parametrize("options", [{"last_rows": 0}, {"batch_size": 0}])
@on_server()
async def test_zero_rows_are_an_empty_ready_page(server, options):
    server.backend.write("t", {"id": "1"})
    async with server.connect() as client:
        await client.subscribe(options=options)
        page = await client.receive()
    assert page["rows"] == []
    assert page["batch_control"]["status"] == "ready"


@on_server()
async def test_without_options_no_sql_runs_and_only_changes_come(server):
    server.backend.write("t", {"id": "1"})
    async with server.connect() as client:
        ack = await client.subscribe(sql="SELECT nope, id FROM ws.t")
        assert ack["batch_control"] == {"batch_num": 0, "has_more": False, "status": "ready", "last_seq_id": None}
        assert [field["name"] for field in ack["schema"]] == ["id"]
        server.backend.write("t", {"id": "2"})
        assert (await client.receive())["rows"] == [{"id": "2", "_seq": "1002"}]
    assert server.backend.queries == []


@on_server()
async def test_changes_of_all_kinds(server):
    async with server.connect() as client:
        await listen(client)
        server.backend.write("t", {"id": "1", "room": "a", "n": 1})
        server.backend.write("t", {"id": "1", "room": None, "n": 1})
        server.backend.delete("t", "1")
        changes = await client.events_after(server.backend, "m")
    for change in changes:
        assert (change.pop("type"), change.pop("subscription_id")) == ("change", "s")
    assert changes == [
        {"change_type": "insert", "rows": [{"id": "1", "room": "a", "n": 1, "_seq": "1001", "_deleted": False}]},
        {"change_type": "update", "rows": [{"id": "1", "n": 1, "_seq": "1002"}],
         "old_values": [{"id": "1", "room": "a", "_seq": "1001"}]},
        {"change_type": "delete",
         "old_values": [{"id": "1", "room": None, "n": 1, "_seq": "1003", "_deleted": True}]},
    ]  # fmt: skip


@on_server()
async def test_the_filter_sees_the_new_row_only(server):
    async with server.connect() as client:
        await listen(client, sql="SELECT id FROM ws.t WHERE room = 'a'")
        server.backend.write("t", {"id": "1", "room": "b"})
        server.backend.write("t", {"id": "1", "room": "a"})
        server.backend.write("t", {"id": "1", "room": "c"})
        server.backend.delete("t", "1")
        changes = await client.events_after(server.backend, "m")
    assert [(change["change_type"], change["rows"][0]["_seq"]) for change in changes] == [("update", "1002")]


@on_server(table("t"), table("marker"), table("s", "shared"))
async def test_users_see_their_own_rows_and_shared_ones(server):
    async with server.connect(token="alice-token") as client:
        await listen(client)
        await client.subscribe("shared", "SELECT id FROM ws.s")
        server.backend.write("t", {"id": "1"}, owner="root")
        server.backend.write("t", {"id": "2"}, owner="alice")
        server.backend.write("s", {"id": "3"})
        server.backend.write("marker", {"id": "m"}, owner="alice")
        assert [change["rows"][0]["id"] for change in await client.changes_until("m")] == ["2", "3"]


STREAM = (Column("k", "Text", ("pk", "nn", "uq")), Column("id", "Text", ()))


@on_server(table("t", "stream", STREAM), table("marker"))
async def test_a_stream_tells_deletes_by_row_id_only(server):
    async with server.connect() as client:
        await listen(client)
        await client.subscribe("p", "SELECT id FROM ws.t")
        await client.subscribe("f", "SELECT id FROM ws.t WHERE k = 'x'")
        server.backend.write("t", {"id": "1", "k": "x"})
        server.backend.delete("t", "1")
        changes = await client.events_after(server.backend, "m")
    deletes = [change for change in changes if change["change_type"] == "delete"]
    assert [(change["subscription_id"], change["old_values"]) for change in deletes] == [
        ("s", [{"row_id": "root:1001"}]), ("p", [{}]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ({"id": " "}, error("INVALID_SUBSCRIPTION_ID", "Subscription ID cannot be empty", "invalid_subscription")),
        ({"sql": "SELECT * FROM t"}, error("INVALID_SQL", "Invalid SQL: Query must use namespace.table format")),
        ({"sql": "SELECT * FROM ws.gone"}, error("NOT_FOUND", "Not found: Table not found: ws:gone")),
        ({"sql": "SELECT * FROM system.live"}, error("NOT_FOUND", "Not found: Table not found: system:live")),
        (
            {"options": {"last_rows": 51, "batch_size": 50}},
            error("UNSUPPORTED", "last_rows (51) cannot exceed batch_size (50); "
                  "paginated last_rows replay is not supported"),
        ),
        (
            {"options": {"last_rows": 1001}},
            error("UNSUPPORTED", "last_rows (1001) cannot exceed batch_size (1000); "
                  "paginated last_rows replay is not supported"),
        ),
        (
            {"sql": "SELECT nope FROM ws.t", "options": {}},
            error("SUBSCRIPTION_FAILED", "Execution error: Schema error: No field named nope."),
        ),
    ],
)  # fmt: skip
@on_server()
async def test_refusals_leave_nothing_behind(server, request_, answer):
    async with server.connect() as client:
        assert await client.subscribe(**request_) == answer
        assert server.registry.rows() == []
        assert server.registry.counter.of("root") == 0


@on_server()
async def test_permissions(server):
    server.backend.refused.add("t")
    async with server.connect(token="alice-token") as client:
        assert await client.subscribe() == error("UNAUTHORIZED", "Permission denied: no access to ws.t")
        answer = await client.subscribe(sql="SELECT * FROM system.users")
        assert answer["code"] == "UNAUTHORIZED"
        assert answer["message"].startswith("Permission denied: Cannot subscribe to system table 'system:users'")


@on_server()
async def test_rows_that_cannot_be_encoded_are_told_behind_the_ack(server):
    server.backend.write("t", *({"id": key} for key in "21"))
    server.backend.unencodable.add("t")
    async with server.connect() as client:
        ack = await client.subscribe(options={"batch_size": 1})
        assert ack["batch_control"] == {"batch_num": 0, "has_more": True, "status": "loading", "last_seq_id": 1002}
        message = "Failed to convert row data: NaN is not JSON"
        assert await client.receive() == error("CONVERSION_ERROR", message)
        assert server.registry.rows() == []


@on_server()
async def test_next_batch_failures(server):
    async with server.connect() as client:
        answer = await client.next_batch("x")
        assert answer == error("BATCH_FETCH_FAILED", "Not found: Subscription not found: x", "x")
        await client.subscribe("live", "SELECT * FROM ws.t")
        text = "Invalid operation: Subscription live was created without initial data loading"
        assert await client.next_batch("live") == error("BATCH_FETCH_FAILED", text, "live")
        await client.subscribe(options={})
        await client.receive()
        del server.backend.tables["t"]
        text = "Not found: Table ws:t not found for batch fetch"
        assert await client.next_batch("s") == error("BATCH_FETCH_FAILED", text)


@on_server()
async def test_changes_wait_for_the_last_page_and_come_in_order(server):
    server.backend.write("t", *({"id": str(key)} for key in range(3)))
    async with server.connect() as client:
        await client.subscribe(options={"batch_size": 2})
        first = await client.receive()
        server.backend.write("t", *({"id": str(key)} for key in range(10, 60)))
        second = await client.next_batch("s", first["batch_control"]["last_seq_id"])
        assert (ids(second), second["batch_control"]["status"]) == (["2"], "ready")
        received = [(await client.receive())["rows"][0]["id"] for _ in range(50)]
    assert received == [str(key) for key in range(10, 60)]


@on_server()
async def test_changes_up_to_the_boundary_are_part_of_the_snapshot(server):
    server.backend.gate = threading.Event()
    async with server.connect() as client:
        await client.subscribe("marker", "SELECT * FROM ws.marker")
        asking = asyncio.create_task(client.subscribe(options={}))
        await until(lambda: server.backend.waiting == 1)
        server.backend.write("t", {"id": "1"})
        server.backend.gate.set()
        await asking
        assert ids(await client.receive()) == ["1"]
        assert await client.events_after(server.backend, "m") == []


@pytest.mark.parametrize(("written", "received"), [(128, range(128)), (200, range(128)), (1200, range(176, 304))])
@on_server()
async def test_of_a_full_buffer_128_survive_the_flush(server, written, received):
    server.backend.write("t", *({"id": str(5000 + key)} for key in range(3)))
    async with server.connect() as client:
        await client.subscribe(options={"batch_size": 2})
        first = await client.receive()
        server.backend.write("t", *({"id": str(key)} for key in range(written)))
        await client.next_batch("s", first["batch_control"]["last_seq_id"])
        got = [(await client.receive())["rows"][0]["id"] for _ in range(128)]
        await client.subscribe("marker", "SELECT * FROM ws.marker")
        assert await client.events_after(server.backend, "m") == []
    assert got == [str(key) for key in received]


@pytest.mark.parametrize(("statement", "expected"), [(128, 128), (129, 128), (1000, 128)])
@on_server()
async def test_a_statement_of_more_than_128_rows_loses_the_rest_without_a_sign(server, statement, expected):
    async with server.connect() as client:
        await listen(client)
        server.backend.write("t", *({"id": str(key)} for key in range(statement)))
        got = [(await client.receive())["rows"][0]["id"] for _ in range(expected)]
        assert got == [str(key) for key in range(expected)]
        assert await client.events_after(server.backend, "m") == []


@on_server()
async def test_subscriptions_share_the_queue_of_their_connection(server):
    async with server.connect() as client, server.connect() as other:
        for number in range(5):
            await client.subscribe(f"s{number}", "SELECT id FROM ws.t")
        await listen(other)
        server.backend.write("t", *({"id": str(key)} for key in range(100)))
        assert len(await other.events_after(server.backend, "m")) == 100
        got = [(await client.receive())["subscription_id"] for _ in range(128)]
    assert sorted(got.count(f"s{number}") for number in range(5)) == [25, 25, 26, 26, 26]


@on_server()
async def test_a_snapshot_costs_the_events_of_the_others(server):
    async with server.connect() as client:
        await listen(client)
        server.backend.gate = threading.Event()
        asking = asyncio.create_task(client.subscribe("long", options={}))
        await until(lambda: server.backend.waiting == 1)
        for key in range(200):
            server.backend.write("t", {"id": str(key)})
        # The commits are handed to the loop before the snapshot's thread is let go.
        server.backend.gate.set()
        assert (await asking)["subscription_id"] == "long"
        assert (await client.receive())["type"] == "initial_data_batch"
        events = await client.events_after(server.backend, "m")
    lived = [event["rows"][0]["id"] for event in events if event["subscription_id"] == "s"]
    assert lived == [str(key) for key in range(128)]


@on_server()
async def test_commits_of_other_threads_keep_their_order(server):
    async with server.connect() as client:
        await listen(client)

        def write():
            for key in range(100):
                server.backend.write("t", {"id": str(key)})

        await asyncio.to_thread(write)
        events = await client.events_after(server.backend, "m")
    assert [event["rows"][0]["id"] for event in events] == [str(key) for key in range(100)]


@on_server(table("t"), table("marker"), table("u"))
async def test_an_id_used_again_for_another_table_leaves_a_ghost(server):
    async with server.connect() as client:
        await listen(client)
        await listen(client, id="x", sql="SELECT id FROM ws.t")
        await listen(client, id="x", sql="SELECT id FROM ws.u")
        await client.send({"type": "unsubscribe", "subscription_id": "x"})
        await client.next_batch("nobody")
        server.backend.write("u", {"id": "1"})
        server.backend.write("t", {"id": "2"})
        events = await client.events_after(server.backend, "m")
        assert [(event["subscription_id"], event["rows"][0]["id"]) for event in events] == [("s", "2"), ("x", "2")]
        assert [row["subscription_id"] for row in server.registry.rows()] == ["s", "marker"]


@on_server()
async def test_an_id_used_again_for_the_same_table_replaces_and_costs_a_place(server):
    async with server.connect() as client:
        await listen(client)
        await listen(client, id="x", sql="SELECT id FROM ws.t WHERE room = 'a'")
        await listen(client, id="x", sql="SELECT n FROM ws.t")
        server.backend.write("t", {"id": "1", "room": "a", "n": 5})
        events = await client.events_after(server.backend, "m")
        assert [event["rows"][0] for event in events if event["subscription_id"] == "x"] == [{"n": 5, "_seq": "1001"}]
        assert server.registry.counter.of("root") == 4
    await until(lambda: server.registry.counter.of("root") == 1)


@on_server(subscriptions_per_user=2)
async def test_the_limit_per_user_counts_over_all_connections(server):
    async with server.connect() as one, server.connect() as other, server.connect(token="alice-token") as alice:
        assert (await one.subscribe("a"))["type"] == "subscription_ack"
        assert (await other.subscribe("b"))["type"] == "subscription_ack"
        refused = error("SUBSCRIPTION_LIMIT_EXCEEDED", "Maximum subscriptions reached", "c")
        assert await one.subscribe("c") == refused
        assert (await alice.subscribe("c"))["type"] == "subscription_ack"
        # Unknown ids free a place too.
        await one.send({"type": "unsubscribe", "subscription_id": "nobody"})
        assert (await one.subscribe("c"))["type"] == "subscription_ack"


@on_server(subscriptions_per_connection=2, subscriptions_per_user=9)
async def test_the_limit_per_connection_holds_for_ids_in_use_too(server):
    async with server.connect() as client:
        await client.subscribe("a")
        await client.subscribe("b")
        message = "Invalid operation: Maximum subscriptions (2) per connection exceeded"
        assert await client.subscribe("a") == error("UNSUPPORTED", message, "a")


@on_server()
async def test_closing_gives_the_places_back(server):
    async with server.connect() as client:
        await listen(client)
        assert server.registry.counter.of("root") == 2
    await until(lambda: server.registry.counter.of("root") == 0)
    assert server.registry.rows() == []


@on_server()
async def test_unsubscribe_by_the_full_id_works_by_half(server):
    async with server.connect() as client:
        await listen(client)
        full = next(row["live_id"] for row in server.registry.rows() if row["subscription_id"] == "s")
        await client.send({"type": "unsubscribe", "subscription_id": full})
        await client.next_batch("nobody")
        assert [row["subscription_id"] for row in server.registry.rows()] == ["marker"]
        assert server.registry.counter.of("root") == 1
        server.backend.write("t", {"id": "1"})
        assert len(await client.events_after(server.backend, "m")) == 1


@on_server()
async def test_kill_is_silent_and_leaves_the_count(server):
    async with server.connect() as client:
        await listen(client)
        live_id = next(row["live_id"] for row in server.registry.rows() if row["subscription_id"] == "s")
        assert server.registry.kill(live_id)
        assert not server.registry.kill(live_id)
        assert not server.registry.kill("root-nobody-s")
        server.backend.write("t", {"id": "1"})
        assert await client.events_after(server.backend, "m") == []
        assert server.registry.counter.of("root") == 2
        assert (await client.next_batch("s"))["message"] == "Not found: Subscription not found: s"


@on_server()
async def test_the_rows_of_system_live(server):
    async with server.connect() as client:
        await listen(client)
        await client.subscribe("snap-1", "SELECT id FROM ws.t", options={"batch_size": 5, "from": 3})
        await client.receive()
        server.backend.write("t", {"id": "1"})
        await client.events_after(server.backend, "m")
        live, _, snap = server.registry.rows()
        assert live["live_id"] == f"root-{live['connection_id']}-s"
        assert "-" not in live["connection_id"]
        assert (live["namespace_id"], live["table_name"], live["user_id"]) == ("ws", "t", "root")
        assert (live["query"], live["options"], live["changes"]) == ("SELECT * FROM ws.t", None, 1)
        assert snap["options"] == '{"batch_size":5,"from":3}'
        assert live["created_at"] <= min(live["last_update"], live["last_ping_at"])


@on_server()
async def test_a_dropped_table_is_silent_and_one_of_the_same_name_speaks_on(server):
    async with server.connect() as client:
        await listen(client)
        dropped = server.backend.tables.pop("t")
        assert "s" in [row["subscription_id"] for row in server.registry.rows()]
        server.backend.tables["t"] = dropped
        server.backend.write("t", {"id": "1"})
        assert len(await client.events_after(server.backend, "m")) == 1


@on_server(table("t", columns=(*COLUMNS, Column("d", "Double", ()))), table("marker"))
async def test_rows_with_nan_are_left_out_of_every_subscription(server):
    async with server.connect() as client:
        await listen(client, sql="SELECT id FROM ws.t")
        server.backend.write("t", {"id": "1", "d": float("nan")}, {"id": "2", "d": 1.5})
        events = await client.events_after(server.backend, "m")
    assert [event["rows"][0]["id"] for event in events] == ["2"]
