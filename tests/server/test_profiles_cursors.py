"""Cursors of live queries on later versions of KalamDB: text, and what they belong to."""

import asyncio

import profiles
import pytest
from profiled import connected, playing

EXPIRED = {"type": "error", "subscription_id": "s", "code": "CURSOR_EXPIRED"}
ALL = "SELECT * FROM app.s"


@pytest.fixture(scope="module", params=profiles.ALL)
def served(request):
    with playing(request.param) as served:
        served.version = request.param
        served.sql(
            "CREATE TABLE app.u (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER');"
            "CREATE TABLE app.s (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED');"
            "CREATE TABLE app.none (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED')"
        )
        for table in ("u", "s"):
            served.sql(f"INSERT INTO app.{table} (id) VALUES (1), (2), (3)")
        yield served


# Those with versions of the log.
LATER = pytest.mark.parametrize("served", ["0.7", "0.8"], indirect=True)


def on_socket(served, test):
    async def run():
        async with connected(served) as client:
            await test(client)

    asyncio.run(run())


def test_the_form_in_which_cursors_come(served):
    async def test(client):
        await client.subscribe(sql=ALL, options={"batch_size": 2})
        last = (await client.receive())["batch_control"]["last_seq_id"]
        assert isinstance(last, str if served.version in ("0.7", "0.8") else int)
        page = await client.next_batch("s", last)
        assert [row["id"] for row in page["rows"]] == ["3"]
        await client.subscribe("n", "SELECT * FROM app.none", options={})
        control = (await client.receive())["batch_control"]
        # Text is left out where there is none, a number is null.
        assert control.get("last_seq_id", "-") == ("-" if isinstance(last, str) else None)

    on_socket(served, test)


@pytest.mark.parametrize("cursor", [7, "7"])
def test_the_forms_that_are_taken(served, cursor):
    taken = {"0.4.3": (int,), "0.5": (int, str), "0.7": (str,), "0.8": (str,)}[served.version]

    async def subscribed(client):
        # From now on later servers keep what a cursor needs.
        await client.subscribe("first", "SELECT * FROM app.u", options={})
        await client.receive()
        message = {"type": "subscribe", "subscription": {"id": "s", "sql": "SELECT * FROM app.u"}}
        message["subscription"]["options"] = {"from": cursor}
        await client.send(message)
        if isinstance(cursor, taken):
            assert (await client.receive())["type"] == "subscription_ack"
        else:
            assert (await client.receive_close())[0] == 1011

    async def paged(client):
        await client.subscribe(sql="SELECT * FROM app.u", options={})
        await client.receive()
        await client.send({"type": "next_batch", "subscription_id": "s", "last_seq_id": cursor})
        if isinstance(cursor, taken):
            assert (await client.receive())["type"] == "initial_data_batch"
        else:
            assert (await client.receive_close())[0] == 1011

    on_socket(served, subscribed)
    on_socket(served, paged)


@LATER
@pytest.mark.parametrize("cursor", ["", "x", "-1", "0", "1.5", str(2**63), "٣"])
def test_a_text_that_is_no_version_ends_the_connection(served, cursor):
    async def test(client):
        options = {"from": cursor}
        await client.send(
            {"type": "subscribe", "subscription": {"id": "s", "sql": "SELECT * FROM app.u", "options": options}}
        )
        assert (await client.receive_close())[0] == 1011

    on_socket(served, test)


def test_only_shared_tables_have_a_domain_and_it_comes_with_the_first_page(served):
    has = served.version in ("0.7", "0.8")

    async def test(client):
        ack = await client.subscribe(sql=ALL, options={"batch_size": 2})
        first = await client.receive()
        second = await client.next_batch("s", first["batch_control"]["last_seq_id"])
        told = [message["batch_control"].get("version_domain") for message in (ack, first, second)]
        assert told[2] is None
        assert told[0] == told[1]
        if has:
            assert set(told[0]) == {"history_incarnation", "table_id", "scope_id", "partition_id"}
            assert told[0]["table_id"] == "app.s"
        else:
            assert told[0] is None
        ack = await client.subscribe("u", "SELECT * FROM app.u", options={})
        assert "version_domain" not in ack["batch_control"]

    on_socket(served, test)


async def domain_and_cursor(client, id="d"):
    await client.subscribe(id, ALL, options={})
    control = (await client.receive())["batch_control"]
    return control["version_domain"], control["last_seq_id"]


async def refused(client, sql=ALL, **options):
    answer = await client.subscribe(sql=sql, options=options)
    return {key: value for key, value in answer.items() if key != "message"} == EXPIRED


@LATER
def test_a_cursor_of_a_shared_table_needs_its_domain(served):
    async def test(client):
        domain, cursor = await domain_and_cursor(client)
        assert await refused(client, **{"from": cursor})
        assert await refused(client, **{"from": cursor}, version_domain={**domain, "history_incarnation": "other"})
        assert await refused(client, **{"from": cursor}, version_domain={**domain, "scope_id": 1})
        # Even where no cursor comes with it.
        assert await refused(client, version_domain={**domain, "table_id": "app.t"})
        ack = await client.subscribe(sql=ALL, options={"from": cursor, "version_domain": domain})
        assert ack["type"] == "subscription_ack"
        assert (await client.receive())["rows"] == []

    on_socket(served, test)


@LATER
@pytest.mark.parametrize(
    "wrong", [{"scope_id": "0"}, {"partition_id": "x"}, {"table_id": None}, {"history_incarnation": 7}]
)
def test_a_domain_of_another_form_ends_the_connection(served, wrong):
    async def test(client):
        domain, cursor = await domain_and_cursor(client)
        options = {"from": cursor, "version_domain": {**domain, **wrong}}
        await client.send({"type": "subscribe", "subscription": {"id": "s", "sql": ALL, "options": options}})
        assert (await client.receive_close())[0] == 1011

    on_socket(served, test)


@LATER
def test_a_user_table_takes_no_domain(served):
    async def test(client):
        domain, _ = await domain_and_cursor(client)
        assert await refused(client, "SELECT * FROM app.u", version_domain=domain)

    on_socket(served, test)


@LATER
def test_a_table_made_anew_has_another_history(served):
    served.sql("CREATE TABLE app.again (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED')")

    async def incarnation(client, id):
        ack = await client.subscribe(id, "SELECT * FROM app.again", options={})
        await client.receive()
        return ack["batch_control"]["version_domain"]["history_incarnation"]

    async def test(client):
        before = await incarnation(client, "a")
        await asyncio.to_thread(
            served.sql,
            "DROP TABLE app.again; CREATE TABLE app.again (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED')",
        )
        assert await incarnation(client, "b") != before

    on_socket(served, test)


@LATER
def test_versions_of_events_are_those_of_the_table(served):
    async def test(client):
        await client.subscribe(sql="SELECT id FROM app.u")
        await asyncio.to_thread(served.sql, "INSERT INTO app.u (id) VALUES (9)")
        (row,) = (await client.receive())["rows"]
        assert row == {"id": "9", "_version": row["_version"]}
        await asyncio.to_thread(served.sql, "DELETE FROM app.u WHERE id = 9")
        (row,) = (await client.receive())["old_values"]
        assert set(row) == {"id", "_version"}

    on_socket(served, test)
