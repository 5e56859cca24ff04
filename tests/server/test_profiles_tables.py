"""CREATE TABLE of later versions of KalamDB: its form, who may send it, and tables without primary key."""

import asyncio

import profiles
import pytest
from profiled import connected, playing


@pytest.fixture(scope="module", params=profiles.ALL)
def served(request):
    with playing(request.param) as served:
        served.version = request.param
        served.add_user("ann", "user")
        served.add_user("sam", "service")
        yield served


def test_the_form_that_all_servers_take(served):
    served.sql("CREATE TABLE app.a (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER')")
    served.sql("DROP TABLE app.a")


def test_the_types_of_numbers(served):
    sql = "CREATE TABLE app.n (id BIGINT PRIMARY KEY, d NUMERIC(5, 2), s TINYINT) WITH (TYPE = 'SHARED')"
    if served.version != "0.8":
        assert "Unsupported data type: Numeric" in served.failure(sql)[1]
        return
    served.sql(f"{sql}; ALTER TABLE app.n ADD COLUMN e NUMERIC; INSERT INTO app.n (id, d, s) VALUES (1, '1.50', 7)")
    (result,) = served.sql("SELECT d, s, e FROM app.n")
    assert [column["data_type"] for column in result["schema"]] == [
        {"Decimal": {"precision": 5, "scale": 2}},
        "SmallInt",
        {"Decimal": {"precision": 38, "scale": 10}},
    ]
    assert result["rows"] == [["1.50", 7, None]]
    served.sql("DROP TABLE app.n")


def kind_of(served, table):
    ((kind,),) = served.rows(f"SELECT table_type FROM system.tables WHERE table_name = '{table}'")
    return kind


def test_the_form_with_the_kind_before_the_table(served):
    sql = "CREATE USER TABLE app.b (id BIGINT PRIMARY KEY)"
    if served.version == "0.8":
        code, message = served.failure(sql)
        assert code == "INVALID_SQL"
        assert "WITH (TYPE = 'USER')" in message
        served.sql("CREATE TABLE app.b (id BIGINT PRIMARY KEY)")
        assert kind_of(served, "b") == "shared"
    else:
        served.sql(sql)
        assert kind_of(served, "b") == "user"
    served.sql("DROP TABLE app.b")


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE app.mine (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER')",
        "ALTER TABLE app.theirs ADD COLUMN n INT",
    ],
)
def test_role_user_may_not_define_tables_any_more(served, sql):
    served.sql("CREATE TABLE app.theirs (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER')")
    if served.version == "0.4.3":
        served.sql(sql, user="ann")
    else:
        assert served.failure(sql, user="ann")[0] == "PERMISSION_DENIED"
    served.sql(sql.replace("ADD COLUMN n", "ADD COLUMN m").replace("app.mine", "app.other"), user="sam")
    served.sql("DROP TABLE app.theirs; DROP TABLE IF EXISTS app.mine; DROP TABLE IF EXISTS app.other")


@pytest.mark.parametrize(
    "sql",
    ["SHOW TABLES", "SHOW NAMESPACES", "SHOW STATS FOR TABLE app.seen", "DESCRIBE TABLE app.seen"],
)
def test_role_user_may_not_list_and_describe_any_more(served, sql):
    served.sql("CREATE TABLE app.seen (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER')")
    if served.version == "0.4.3":
        served.sql(sql, user="ann")
    else:
        assert served.failure(sql, user="ann")[0] == "PERMISSION_DENIED"
    served.sql(sql, user="sam")
    listed = "SELECT table_name FROM information_schema.tables WHERE table_name = 'seen'"
    assert served.rows(listed, user="ann") == [["seen"]]
    served.sql("BEGIN; INSERT INTO app.seen (id) VALUES (1); COMMIT", user="ann")
    served.sql("DROP TABLE app.seen")


@pytest.mark.parametrize("form", ["EXECUTE AS USER 'ann'", "EXECUTE AS 'ann'"])
def test_to_act_for_somebody(served, form):
    sql = f"{form} (SELECT 1 AS one)"
    if served.version == "0.4.3" and "USER" not in form:
        assert served.failure(sql)[0] == "INVALID_SQL"
    else:
        assert served.rows(sql) == [["1"]]


def test_a_table_needs_a_key_before(served):
    sql = "CREATE TABLE app.k (n INT) WITH (TYPE = 'SHARED')"
    if served.version == "0.8":
        served.sql(sql + "; DROP TABLE app.k")
    else:
        assert "require a PRIMARY KEY" in served.failure(sql)[1]


@pytest.fixture(scope="module")
def latest():
    with playing("0.8") as served:
        yield served


@pytest.fixture(params=["USER", "SHARED"])
def keyless(latest, request):
    latest.sql(f"CREATE TABLE app.t (n INT, s TEXT) WITH (TYPE = '{request.param}')")
    yield latest
    latest.sql("DROP TABLE app.t")


def test_rows_without_a_key_may_be_equal(keyless):
    keyless.sql("INSERT INTO app.t (n, s) VALUES (1, 'a'), (1, 'a'), (2, 'b')")
    (result,) = keyless.sql("SELECT * FROM app.t")
    assert [column["name"] for column in result["schema"]] == ["n", "s", "_version", "_deleted"]
    assert sorted(row[:2] for row in result["rows"]) == [[1, "a"], [1, "a"], [2, "b"]]
    assert "No field named _row_id" in keyless.failure("SELECT _row_id FROM app.t")[1]


def test_rows_without_a_key_are_changed_and_deleted(keyless):
    keyless.sql("INSERT INTO app.t (n, s) VALUES (1, 'a'), (1, 'a'), (2, 'b')")
    assert keyless.message("UPDATE app.t SET s = 'c' WHERE n = 1") == "Updated 2 row(s)"
    assert keyless.message("DELETE FROM app.t WHERE n = 2") == "Deleted 1 row(s)"
    assert keyless.rows("SELECT n, s FROM app.t") == [[1, "c"], [1, "c"]]
    assert keyless.rows("SELECT n, s FROM app.t WHERE _deleted = true") == [[2, "b"]]
    (greatest,) = keyless.rows("SELECT max(_version) AS w FROM app.t WHERE _deleted OR NOT _deleted")[0]
    assert keyless.rows(f"SELECT n FROM app.t WHERE _version >= {greatest} AND _deleted = true") == [[2]]


def test_a_transaction_on_a_table_without_a_key(keyless):
    keyless.sql("INSERT INTO app.t (n, s) VALUES (1, 'a'), (2, 'b')")
    keyless.sql(
        "BEGIN; UPDATE app.t SET s = 'c' WHERE n = 1; DELETE FROM app.t WHERE n = 2;"
        "INSERT INTO app.t (n, s) VALUES (3, 'd'), (4, 'e'); COMMIT"
    )
    assert sorted(keyless.rows("SELECT n, s FROM app.t")) == [[1, "c"], [3, "d"], [4, "e"]]
    _, message = keyless.failure(
        "BEGIN; INSERT INTO app.t (n, s) VALUES (5, 'f'), (6, 'g'); DELETE FROM app.t WHERE n = 5; COMMIT"
    )
    assert "uncommitted rows" in message
    assert len(keyless.rows("SELECT n FROM app.t")) == 3


def test_a_flush_keeps_rows_without_a_key(keyless):
    keyless.sql("INSERT INTO app.t (n, s) VALUES (1, 'a'), (1, 'a'), (2, 'b')")
    keyless.sql("DELETE FROM app.t WHERE n = 2; STORAGE FLUSH TABLE app.t")
    keyless.sql("INSERT INTO app.t (n, s) VALUES (3, 'c'); UPDATE app.t SET s = 'x' WHERE n = 1")
    keyless.sql("STORAGE FLUSH TABLE app.t")
    assert sorted(keyless.rows("SELECT n, s FROM app.t")) == [[1, "x"], [1, "x"], [3, "c"]]


def test_live_events_of_a_table_without_a_key(keyless):
    async def test():
        async with connected(keyless) as client:
            ack = await client.subscribe(sql="SELECT * FROM app.t")
            assert [column["name"] for column in ack["schema"]] == ["n", "s", "_version", "_deleted"]
            await asyncio.to_thread(keyless.sql, "INSERT INTO app.t (n, s) VALUES (1, 'a')")
            (inserted,) = (await client.receive())["rows"]
            await asyncio.to_thread(keyless.sql, "UPDATE app.t SET s = 'b' WHERE n = 1")
            update = await client.receive()
            # The version before is all that tells which row it was.
            assert update["old_values"] == [{"s": "a", "_version": inserted["_version"]}]
            assert update["rows"][0]["s"] == "b"

    asyncio.run(test())
