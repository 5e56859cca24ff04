"""INSERT … ON CONFLICT and RETURNING, which KalamDB has from 0.5.4 on."""

import asyncio

import profiles
import pytest
from profiled import connected, playing


@pytest.fixture(scope="module", params=profiles.LATER)
def served(request):
    with playing(request.param) as served:
        served.version = "_seq" if request.param == "0.5" else "_version"
        served.has_policies = request.param != "0.5"
        yield served


@pytest.fixture(params=["USER", "SHARED"])
def table(served, request):
    served.kind = request.param
    served.sql(f"CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT, s TEXT) WITH (TYPE = '{request.param}')")
    served.sql("INSERT INTO app.t (id, n, s) VALUES (1, 1, 'a'), (2, 2, 'b')")
    yield served
    served.sql("DROP TABLE app.t")


def rows(served):
    return served.rows("SELECT id, n, s FROM app.t ORDER BY id")


BEFORE = [["1", 1, "a"], ["2", 2, "b"]]


def test_do_nothing_keeps_what_is_there(table):
    sql = "INSERT INTO app.t (id, n) VALUES (2, 9), (3, 9), (3, 10) ON CONFLICT (id) DO NOTHING"
    assert table.message(sql) == "Inserted 1 row(s)"
    assert rows(table) == [*BEFORE, ["3", 9, None]]
    assert table.message(sql) == "Inserted 0 row(s)"


def test_do_update_sets_what_is_named(table):
    sql = "INSERT INTO app.t (id, n, s) VALUES (2, 9, 'x'), (3, 9, 'y') ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n"
    assert table.message(sql) == "Inserted 2 row(s)"
    assert rows(table) == [["1", 1, "a"], ["2", 9, "b"], ["3", 9, "y"]]


def test_literals_and_parameters(table):
    sql = "INSERT INTO app.t (id, n) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET s = $3, n = -7"
    table.sql(sql, [1, 5, "p"])
    assert rows(table)[0] == ["1", -7, "p"]
    table.sql("INSERT INTO app.t (id, n) VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET s = NULL WHERE TRUE")
    assert rows(table)[0] == ["1", -7, None]
    table.sql("INSERT INTO app.t (id, n) VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET s = 'no' WHERE FALSE")
    assert rows(table)[0] == ["1", -7, None]


def test_an_update_that_changes_nothing_writes_nothing(table):
    version = f"SELECT {table.version} FROM app.t WHERE id = 1"
    before = table.rows(version)
    table.sql("INSERT INTO app.t (id, n) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n")
    assert table.rows(version) == before


def test_rows_of_a_query(table):
    table.sql(
        "INSERT INTO app.t (id, n, s) SELECT id + 1, n * 10, s FROM app.t "
        "ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n, s = EXCLUDED.s"
    )
    assert rows(table) == [["1", 1, "a"], ["2", 10, "a"], ["3", 20, "b"]]


def test_a_transaction(table):
    table.sql(
        "BEGIN; INSERT INTO app.t (id, n) VALUES (2, 5), (4, 5) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n;"
        "INSERT INTO app.t (id, n) VALUES (2, 6) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n; COMMIT"
    )
    assert rows(table) == [["1", 1, "a"], ["2", 6, "b"], ["4", 5, None]]


def test_rows_are_returned(table):
    (result,) = table.sql("INSERT INTO app.t (id, n) VALUES (5, 5) RETURNING id, s")
    assert result["rows"] == [["5", None]]
    assert [(column["name"], column["data_type"]) for column in result["schema"]] == [("id", "BigInt"), ("s", "Text")]
    (result,) = table.sql(
        "INSERT INTO app.t (id, n) VALUES (5, 6), (6, 6) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n RETURNING *"
    )
    names = [column["name"] for column in result["schema"]]
    assert names == ["id", "n", "s", table.version, "_deleted"]
    assert sorted(row[:3] for row in result["rows"]) == [["5", 6, None], ["6", 6, None]]
    stored = table.rows(f"SELECT {table.version} FROM app.t WHERE id > 4")
    assert {row[3] for row in result["rows"]} == {row[0] for row in stored}
    (result,) = table.sql("INSERT INTO app.t (id) VALUES (5) ON CONFLICT (id) DO NOTHING RETURNING id")
    assert result["rows"] == []


@pytest.mark.parametrize(
    ("clause", "why"),
    [
        ("ON CONFLICT DO NOTHING", "requires a primary key conflict target"),
        ("ON CONFLICT (n) DO NOTHING", "only supports the primary key conflict target (id)"),
        ("ON CONFLICT ON CONSTRAINT x DO NOTHING", "ON CONSTRAINT is not supported"),
        ("ON CONFLICT (id) DO UPDATE SET n = n + 1", "support literals, parameters, or EXCLUDED"),
        ("ON CONFLICT (id) DO UPDATE SET n = t.n", "support literals, parameters, or EXCLUDED"),
        ("ON CONFLICT (id) DO UPDATE SET id = 5", "cannot set column 'id'"),
        ("ON CONFLICT (id) DO UPDATE SET nope = 5", "cannot set column 'nope'"),
        ("ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.nope", "'nope' does not exist"),
        ("ON CONFLICT (id) DO UPDATE SET n = 5 WHERE n = 1", "literal TRUE/FALSE WHERE"),
        ("ON CONFLICT (id) DO UPDATE SET n = 'x'", "coercion failed"),
        ("ON CONFLICT (id) DO NOTHING RETURNING nope", "No field named nope"),
    ],
)
def test_what_is_refused(table, clause, why):
    assert why in table.failure(f"INSERT INTO app.t (id, n) VALUES (1, 1) {clause}")[1]
    assert rows(table) == BEFORE


def test_a_broken_returning_writes_nothing(table):
    assert "No field named nope" in table.failure("INSERT INTO app.t (id, n) VALUES (7, 7) RETURNING nope")[1]
    assert rows(table) == BEFORE


def test_two_rows_of_one_key_cannot_both_update(table):
    sql = "INSERT INTO app.t (id, n) VALUES (1, 1), (1, 2) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n"
    assert "a second time" in table.failure(sql)[1]


def test_words_in_texts_are_no_clauses(table):
    table.sql("INSERT INTO app.t (id, n, s) VALUES (9, 9, 'on conflict (id) do nothing returning id')")
    assert rows(table)[-1][2] == "on conflict (id) do nothing returning id"


def test_who_is_bound_by_policies_may_not_use_it(table):
    if "ann" not in table.tokens:
        table.add_user("ann", "user")
    sql = "INSERT INTO app.t (id, n) VALUES (1, 1) ON CONFLICT (id) DO NOTHING"
    if table.kind == "USER":
        assert table.message(sql, user="ann") == "Inserted 1 row(s)"
    else:
        assert table.failure(sql, user="ann")[0] == "PERMISSION_DENIED"


def test_live_queries_hear_of_inserts_and_updates(table):
    async def test():
        async with connected(table) as client:
            await client.subscribe(sql="SELECT * FROM app.t")
            await asyncio.to_thread(
                table.sql,
                "INSERT INTO app.t (id, n) VALUES (2, 9), (3, 9) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n",
            )
            found = [await client.receive() for _ in range(2)]
            assert sorted((one["change_type"], one["rows"][0]["id"]) for one in found) == [
                ("insert", "3"),
                ("update", "2"),
            ]

    asyncio.run(test())
