"""Row versions of KalamDB 0.7.1 and later: positions in a log, in `_version`."""

import base64
import json
import time

import pytest
from profiled import playing

from kalam_sandbox.ids import Positions
from kalam_sandbox.profiles import PROFILES

ENTRY = 1 << 16


@pytest.fixture(scope="module", params=["0.7", "0.8"])
def later(request):
    with playing(request.param) as served:
        served.sql(
            "CREATE TABLE app.u (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'USER');"
            "CREATE TABLE app.s (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED');"
            "CREATE TABLE app.e (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'STREAM', TTL_SECONDS = 1000)"
        )
        yield served


@pytest.fixture(autouse=True)
def emptied(request):
    yield
    if "later" in request.fixturenames:
        served = request.getfixturevalue("later")
        served.sql("DELETE FROM app.u WHERE id >= 0; DELETE FROM app.s WHERE id >= 0")


def versions(served, table):
    return [int(row[0]) for row in served.rows(f"SELECT _version FROM {table} ORDER BY id")]


@pytest.mark.parametrize(
    ("table", "hidden"),
    [("u", ["_version", "_deleted"]), ("s", ["_version", "_deleted"]), ("e", ["_version", "_deleted", "_timestamp"])],
)
def test_hidden_columns(later, table, hidden):
    later.sql(f"INSERT INTO app.{table} (id, n) VALUES (1, 1)")
    (result,) = later.sql(f"SELECT * FROM app.{table}")
    assert [column["name"] for column in result["schema"]] == ["id", "n", *hidden]
    told = {column["name"]: (column["data_type"], column["flags"]) for column in result["schema"][2:]}
    assert told["_version"] == ("BigInt", ["nn"])
    assert told["_deleted"] == ("Boolean", ["nn"])
    cells = dict(zip([column["name"] for column in result["schema"]], result["rows"][-1], strict=True))
    assert isinstance(cells["_version"], str)
    if "_timestamp" in told:
        assert told["_timestamp"] == ("BigInt", ["nn"])
        assert abs(int(cells["_timestamp"]) - time.time() * 1000) < 60_000


@pytest.mark.parametrize("table", ["u", "s", "e"])
def test_there_is_no_seq(later, table):
    code, message = later.failure(f"SELECT _seq FROM app.{table}")
    assert code == "SQL_EXECUTION_ERROR"
    assert "No field named _seq" in message


def test_a_commit_is_an_entry_of_the_log(later):
    later.sql("INSERT INTO app.u (id, n) VALUES (1, 1), (2, 2)")
    later.sql("BEGIN; INSERT INTO app.u (id, n) VALUES (3, 3); INSERT INTO app.u (id, n) VALUES (4, 4); COMMIT")
    first, second, third, fourth = versions(later, "app.u")
    assert (first % ENTRY, second - first) == (0, 1)
    assert (third % ENTRY, fourth - third) == (0, 1)
    assert third // ENTRY > first // ENTRY


def test_other_tables_leave_gaps(later):
    later.sql("INSERT INTO app.u (id, n) VALUES (1, 1)")
    later.sql("INSERT INTO app.s (id, n) VALUES (1, 1)")
    later.sql("INSERT INTO app.u (id, n) VALUES (2, 2)")
    first, second = versions(later, "app.u")
    assert second - first == 2 * ENTRY


def test_an_update_has_a_version_of_its_own(later):
    later.sql("INSERT INTO app.u (id, n) VALUES (1, 1)")
    (before,) = versions(later, "app.u")
    later.sql("UPDATE app.u SET n = 2 WHERE id = 1")
    (after,) = versions(later, "app.u")
    assert after - before == ENTRY
    later.sql("UPDATE app.u SET n = 2 WHERE id = 1")
    assert versions(later, "app.u") == [after]
    later.sql("DELETE FROM app.u WHERE id = 1")
    dead = later.rows(f"SELECT id, _version FROM app.u WHERE _deleted = true AND _version > {after}")
    assert dead == [["1", str(after + ENTRY)]]


def test_a_flush_gives_no_new_versions(later):
    # Keys that no other test uses: deleted ones are taken once they have been in a file.
    later.sql("INSERT INTO app.s (id, n) VALUES (101, 1), (102, 2)")
    before = versions(later, "app.s")
    later.sql("STORAGE FLUSH TABLE app.s")
    assert versions(later, "app.s") == before


def test_stream_tables_count_by_themselves(later):
    later.sql("INSERT INTO app.e (id, n) VALUES (5, 1), (6, 2)")
    first, second = (int(row[0]) for row in later.rows("SELECT _version FROM app.e WHERE id IN (5, 6) ORDER BY id"))
    assert second - first == 1
    assert second < ENTRY


def test_stream_rows_end_by_their_time():
    with playing("0.7") as served:
        served.sql(
            "CREATE TABLE app.e (id BIGINT PRIMARY KEY) WITH (TYPE = 'STREAM', TTL_SECONDS = 1);"
            "INSERT INTO app.e (id) VALUES (1)"
        )
        assert served.rows("SELECT id FROM app.e") == [["1"]]
        end = time.monotonic() + 10
        while served.rows("SELECT id FROM app.e"):
            assert time.monotonic() < end
            time.sleep(0.05)
        served.sql("INSERT INTO app.e (id) VALUES (2)")
        assert served.rows("SELECT id FROM app.e") == [["2"]]


@pytest.mark.parametrize("table", ["u", "s"])
def test_hidden_columns_are_not_written(later, table):
    for sql in (
        f"INSERT INTO app.{table} (id, _version) VALUES (1, 5)",
        f"ALTER TABLE app.{table} DROP COLUMN _version",
        f"ALTER TABLE app.{table} ADD COLUMN _version INT",
    ):
        assert later.failure(sql)[0] == "SQL_EXECUTION_ERROR"


@pytest.fixture(scope="module")
def narrow():
    """A server whose scans read ten versions, and a table of thirty."""
    with playing("0.7", scan_window=10) as served:
        served.sql("CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
        for first in range(0, 30, 5):
            served.sql("INSERT INTO app.t (id, n) VALUES " + ", ".join(f"({i}, 1)" for i in range(first, first + 5)))
        yield served


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("_version > {w}", list(range(15, 25))),
        ("_version >= {w} AND n = 1", list(range(14, 24))),
        ("{w} < _version", list(range(15, 25))),
        # With a cast, arithmetic or an OR the filter is right, but the window is that of a whole scan.
        ("_version > CAST('{w}' AS BIGINT)", []),
        ("_version > CAST({w} AS BIGINT)", []),
        ("_version + 0 > {w}", []),
        ("_version > {w} OR n = 2", []),
    ],
)
def test_only_a_number_moves_the_window(narrow, condition, found):
    # The fifteenth version, as a log numbers three commits of five rows.
    w = int(narrow.rows("SELECT _version FROM app.t WHERE id = 14")[0][0])
    rows = narrow.rows(f"SELECT id FROM app.t WHERE {condition.format(w=w)}")
    assert sorted(int(row[0]) for row in rows) == found


def test_messages_of_topics_have_the_version_of_the_table(later):
    later.sql(
        "CREATE TOPIC app.news; ALTER TOPIC app.news ADD SOURCE app.u ON INSERT;INSERT INTO app.u (id, n) VALUES (1, 1)"
    )
    answer = later.client.post(
        "/v1/api/topics/consume",
        json={"topic_id": "app.news", "group_id": "g", "start": "Earliest"},
        headers={"Authorization": f"Bearer {later.token()}"},
    )
    (message,) = answer.json()["messages"]
    row = json.loads(base64.b64decode(message["payload"]))
    assert int(row["_version"]) % ENTRY == 0
    assert not {"_seq", "_commit_seq"} & set(row)


def test_positions_of_a_large_entry_stay_below_those_of_the_next():
    positions = Positions()
    positions.begin()
    assert positions.next(ENTRY) == ENTRY
    positions.begin()
    assert positions.next() == 2 * ENTRY
    assert positions.last == 2 * ENTRY


def test_the_default_server_is_the_one_that_was_proved():
    assert PROFILES["0.4.3"] == {}
