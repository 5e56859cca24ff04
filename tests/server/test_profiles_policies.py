"""Row policies of SHARED tables, which decide for roles user and service from KalamDB 0.6 on."""

import asyncio
import json

import pytest
from profiled import connected, playing


@pytest.fixture(scope="module", params=["0.7", "0.8"])
def served(request):
    with playing(request.param) as served:
        for name, role in (("ann", "user"), ("bob", "user"), ("sam", "service"), ("dan", "dba")):
            served.add_user(name, role)
        yield served


@pytest.fixture
def table(served):
    served.sql("CREATE TABLE app.t (id BIGINT PRIMARY KEY, owner TEXT, n INT) WITH (TYPE = 'SHARED')")
    served.sql("INSERT INTO app.t (id, owner, n) VALUES (1, 'ann', 1), (2, 'bob', 1), (3, 'ann', 2)")
    yield served
    served.sql("DROP TABLE app.t")


def ids(served, user, sql="SELECT id FROM app.t ORDER BY id"):
    return [row[0] for row in served.rows(sql, user=user)]


OWN = "CREATE POLICY own ON app.t TO user USING (owner = CURRENT_USER)"


def test_without_policy_nothing_is_shown(table):
    assert ids(table, "ann") == ids(table, "sam") == []
    assert ids(table, "dan") == ids(table, "root") == ["1", "2", "3"]
    assert table.rows("SELECT count(*) AS n, max(_version) AS v FROM app.t", user="ann") == [["0", None]]


def test_without_policy_nothing_is_written(table):
    code, _ = table.failure("INSERT INTO app.t (id, owner) VALUES (9, 'ann')", user="ann")
    assert code == "PERMISSION_DENIED"
    assert table.message("UPDATE app.t SET n = 7 WHERE id > 0", user="ann") == "Updated 0 row(s)"
    assert table.message("DELETE FROM app.t WHERE id > 0", user="ann") == "Deleted 0 row(s)"
    assert len(ids(table, "root")) == 3


def test_rows_of_the_caller(table):
    table.sql(OWN)
    assert (ids(table, "ann"), ids(table, "bob"), ids(table, "sam")) == (["1", "3"], ["2"], [])
    assert ids(table, "ann", "SELECT a.id FROM app.t a JOIN app.t b ON a.n = b.n ORDER BY a.id") == ["1", "3"]
    table.sql("DELETE FROM app.t WHERE n = 1")
    deleted = "SELECT id FROM app.t WHERE _deleted = true"
    assert (ids(table, "ann", deleted), ids(table, "bob", deleted)) == (["1"], ["2"])


def test_policies_add_up(table):
    table.sql(OWN)
    table.sql("CREATE POLICY seen ON app.t FOR SELECT USING (n = 1)")
    assert (ids(table, "ann"), ids(table, "sam")) == (["1", "2", "3"], ["1", "2"])
    # What may only be seen is not changed.
    assert table.message("UPDATE app.t SET n = 5 WHERE id > 0", user="ann") == "Updated 2 row(s)"
    assert table.message("DELETE FROM app.t WHERE id > 0", user="sam") == "Deleted 0 row(s)"


def test_written_rows_are_checked(table):
    table.sql(OWN)
    table.sql("INSERT INTO app.t (id, owner) VALUES (8, 'ann')", user="ann")
    for sql in (
        "INSERT INTO app.t (id, owner) VALUES (9, 'ann'), (10, 'bob')",
        "INSERT INTO app.t (id, owner) SELECT 9, 'bob'",
        "UPDATE app.t SET owner = 'bob' WHERE id = 1",
    ):
        assert table.failure(sql, user="ann")[0] == "PERMISSION_DENIED"
    assert ids(table, "root") == ["1", "2", "3", "8"]
    table.sql("DROP POLICY own ON app.t; CREATE POLICY w ON app.t FOR INSERT WITH CHECK (n > 5)")
    table.sql("INSERT INTO app.t (id, n) VALUES ($1, $2)", [11, 6], user="bob")
    assert table.failure("INSERT INTO app.t (id, n) VALUES ($1, $2)", [12, 5], user="bob")[0] == "PERMISSION_DENIED"


def test_policies_are_changed(table):
    table.sql(OWN)
    table.sql("ALTER POLICY own ON app.t TO service")
    assert (ids(table, "ann"), ids(table, "sam")) == ([], [])
    table.sql("ALTER POLICY own ON app.t USING (n = 2); ALTER POLICY own ON app.t RENAME TO two")
    assert ids(table, "sam") == ["3"]
    assert "not found" in table.failure("DROP POLICY own ON app.t")[1]
    table.sql("DROP POLICY IF EXISTS own ON app.t; DROP POLICY two ON app.t", user="sam")
    assert ids(table, "sam") == []


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("CREATE POLICY p ON app.t AS RESTRICTIVE USING (true)", "RESTRICTIVE policies are not supported"),
        ("CREATE POLICY p ON app.t FOR INSERT USING (true)", "INSERT policies cannot define USING"),
        ("CREATE POLICY p ON app.t FOR SELECT WITH CHECK (true)", "SELECT policies cannot define WITH CHECK"),
        ("CREATE POLICY p ON app.t TO ann USING (true)", "unsupported policy target 'ann'"),
        ("CREATE POLICY p ON app.t USING ()", "Expected: an expression"),
        ("CREATE POLICY p ON app.t FOR READ", "Expected: a command"),
        ("CREATE POLICY p ON app.none USING (true)", "not found"),
        ("CREATE POLICY p ON app.own USING (true)", "only be defined on SHARED"),
        ("CREATE TABLE app.x (id INT PRIMARY KEY) WITH (ACCESS_LEVEL = 'PUBLIC')", "ACCESS_LEVEL"),
        ("ALTER TABLE app.t SET ACCESS LEVEL public", "ACCESS_LEVEL"),
    ],
)
def test_what_is_refused(table, sql, why):
    table.sql("CREATE TABLE IF NOT EXISTS app.own (id INT PRIMARY KEY) WITH (TYPE = 'USER')")
    assert why in table.failure(sql)[1]


def test_policies_are_listed(table):
    table.sql(OWN)
    table.sql("CREATE POLICY seen ON app.t FOR SELECT TO user, service USING (n = 1)")
    listed = table.rows("SELECT command, targets, table_id, policy_name, using_sql FROM system.table_policies")
    assert [[json.loads(command), json.loads(roles), *others] for command, roles, *others in listed] == [
        ["all", ["user"], "app.t", "own", "owner = CURRENT_USER"],
        ["select", ["user", "service"], "app.t", "seen", "n = 1"],
    ]
    with playing("0.5") as before:
        assert "not found" in before.failure("SELECT * FROM system.table_policies")[1]


def test_role_user_makes_no_policies(table):
    assert table.failure(OWN, user="ann")[0] == "PERMISSION_DENIED"


def test_to_act_for_a_user_is_to_see_what_they_see(table):
    table.sql(OWN)
    assert table.rows("EXECUTE AS 'bob' (SELECT id FROM app.t)") == [["2"]]


def test_live_queries_tell_what_policies_let_through(table):
    table.sql(OWN)

    async def test():
        async with connected(table, "ann") as client, connected(table, "sam") as other:
            for one in (client, other):
                await one.subscribe(sql="SELECT * FROM app.t", options={})
            assert [row["id"] for row in (await client.receive())["rows"]] == ["1", "3"]
            assert (await other.receive())["rows"] == []
            await asyncio.to_thread(
                table.sql,
                "INSERT INTO app.t (id, owner) VALUES (5, 'bob'), (6, 'ann');"
                "UPDATE app.t SET owner = 'bob' WHERE id = 1; UPDATE app.t SET owner = 'ann' WHERE id = 2",
            )
            found = [await client.receive() for _ in range(3)]
            assert [change["change_type"] for change in found] == ["insert", "delete", "insert"]
            assert found[0]["rows"][0]["id"] == "6"
            assert set(found[1]["old_values"][0]) == {"id", "_version", "_deleted"}
            assert found[2]["rows"][0]["id"] == "2"
            # Nothing was on its way to the other one: the next thing that comes is the answer to a question.
            assert (await other.subscribe("end", "SELECT * FROM app.t"))["type"] == "subscription_ack"

    asyncio.run(test())


def test_a_live_query_without_policy_is_empty_and_no_error(table):
    async def test():
        async with connected(table, "ann") as client:
            assert (await client.subscribe(sql="SELECT * FROM app.t", options={}))["type"] == "subscription_ack"
            assert (await client.receive())["rows"] == []

    asyncio.run(test())
