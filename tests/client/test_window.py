"""Tables beyond the window of one scan (truth L3): plain clients are deceived, ours is not."""

import itertools
import re
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from servers import ROW_VERSION, sandbox

import kalam_notebook as kalam
from kalam_notebook.errors import ResultError
from kalam_notebook.results.results import IncompleteResultWarning

ROWS = 900


@pytest.fixture(scope="module")
def small_window():
    """A server whose scans read 300 unflushed row versions, as the real one reads 100,000."""
    with (
        sandbox("--scan-window", "300") as server,
        kalam.Client(server.url, user="root", password=server.root_password) as client,
    ):
        client.execute_query("CREATE NAMESPACE w")
        client.another = lambda: kalam.Client(server.url, user="root", password=server.root_password)
        yield client


def fill(client, table, kind="SHARED"):
    client.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, n INT, t TEXT) WITH (TYPE = '{kind}')")
    for start_id in range(0, ROWS, 100):
        values = ", ".join(f"({i}, 0, 'text {i}')" for i in range(start_id, start_id + 100))
        client.execute_query(f"INSERT INTO {table} (id, n, t) VALUES {values}")


@pytest.fixture(scope="module", params=["SHARED", pytest.param("USER", marks=pytest.mark.slow)])
def big(request, small_window):
    """900 keys, each updated once, 100 of them deleted: 1,900 versions."""
    table = f"w.big_{request.param.lower()}"
    fill(small_window, table, request.param)
    # By key: a range would be scanned, and scans are what is cut. A request is answered when its last statement is.
    for start_id in range(0, ROWS, 100):
        numbers = range(start_id, start_id + 100)
        small_window.execute_query(";".join(f"UPDATE {table} SET n = 1 WHERE id = {i}" for i in numbers))
    small_window.execute_query(";".join(f"DELETE FROM {table} WHERE id = {i}" for i in range(100)))
    return table


@pytest.fixture(scope="module")
def few(small_window):
    """One deleted key of the big tables, and two whose newest version is out of sight."""
    small_window.execute_query("CREATE TABLE w.few (id INT PRIMARY KEY) WITH (TYPE = 'SHARED')")
    small_window.execute_query("INSERT INTO w.few (id) VALUES (5), (850), (851)")


def test_the_server_itself_reads_only_the_oldest_versions(small_window, big):
    (row,) = small_window.execute_query(f"SELECT sum(n) AS s, count(id) AS n FROM {big}").rows.arrow().to_pylist()
    assert row["n"] <= 300
    assert row["s"] == 0


def test_a_plain_select_is_walked(small_window, big):
    result = small_window.query_result(f"SELECT id, n, t FROM {big}")
    assert result.completeness.is_complete
    assert f"read in pages by {ROW_VERSION}" in result.completeness.text
    rows = result.arrow().to_pylist()
    assert [row["id"] for row in rows] == list(range(100, ROWS))
    assert {row["n"] for row in rows} == {1}


@pytest.mark.slow
def test_a_filter_sees_the_newest_values(small_window, big):
    assert small_window.query(f"SELECT id FROM {big} WHERE n = 0").empty
    assert len(small_window.query(f"SELECT id FROM {big} WHERE n = 1 AND id >= 890")) == 10
    assert len(small_window.query(f"SELECT t, id AS k FROM {big} x WHERE x.n = $1", [1])) == ROWS - 100


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM w.few WHERE id IN (SELECT id FROM {} WHERE n = 1)",
        "SELECT id FROM w.few f WHERE EXISTS (SELECT 1 FROM {} b WHERE b.id = f.id)",
        "SELECT f.id, b.n FROM ({} b JOIN w.few f ON b.id = f.id)",
        "WITH big_shared AS (SELECT * FROM {}) SELECT sum(n) AS s FROM big_shared",
    ],
)
@pytest.mark.slow
def test_a_table_in_a_corner_of_the_query_is_checked_as_well(small_window, big, few, sql):
    with pytest.warns(IncompleteResultWarning, match=f"{big} holds more unflushed row versions"):
        result = small_window.query_result(sql.format(big))
    assert not result.completeness.is_complete


@pytest.mark.slow
def test_the_road_and_its_reason_are_told(small_window, big):
    told = small_window.query_result(f"SELECT id FROM {big}").completeness
    assert (told.method, told.is_complete) == ("pages", True)
    assert told.reason == f"{big} holds more row versions than the server scans"
    assert re.search(rf"read in pages by {ROW_VERSION} up to \d{{6,}}:", told.text)
    local = small_window.query_result(f"SELECT id FROM {big}", engine="local").completeness
    assert (local.method, local.reason) == ("local", None)


def test_what_the_server_finds_in_any_case_costs_no_walk(small_window, big):
    """count(*) alone and a look-up by key are right beyond the window (truth L3)."""
    for sql, params, wanted in (
        (f"SELECT count(*) FROM {big}", [], [{"count(*)": ROWS - 100}]),
        (f"SELECT count(*) AS n FROM {big} b", [], [{"n": ROWS - 100}]),
        (f"SELECT n, id FROM {big} WHERE id = 899", [], [{"n": 1, "id": 899}]),
        (f"SELECT n FROM {big} b WHERE b.id = $1", [898], [{"n": 1}]),
        (f"SELECT n FROM {big} WHERE id = -1", [], []),
    ):
        result = small_window.query_result(sql, params, strict=True)
        assert (result.arrow().to_pylist(), result.completeness.method) == (wanted, "plain")
        assert result.completeness.requests <= 3
    with pytest.warns(IncompleteResultWarning):
        small_window.query_result(f"SELECT count(*) AS n FROM {big} WHERE n = 1")


def test_ones_own_writes_end_the_trust_in_a_table(small_window):
    """A table within the window is trusted for a minute, in which this client may write beyond it."""
    small_window.execute_query("CREATE TABLE w.grows (id INT PRIMARY KEY, x INT) WITH (TYPE = 'SHARED')")
    sql = "SELECT sum(x) AS s, count(id) AS n FROM w.grows"
    assert small_window.query_result(sql).completeness.is_complete
    small_window.write(pa.table({"id": range(200), "x": [1] * 200}), "w.grows")
    assert small_window.query_arrow(sql).to_pylist() == [{"s": 200, "n": 200}]
    small_window.write(pa.table({"id": range(200, 500), "x": [1] * 300}), "w.grows")
    with pytest.warns(IncompleteResultWarning, match=r"w\.grows holds more"):
        small_window.query(sql)
    assert len(small_window.query("SELECT id FROM w.grows")) == 500


@pytest.mark.slow
def test_max_rows_ends_the_reading_of_rows_on_a_walk(small_window, big):
    with pytest.warns(IncompleteResultWarning, match="more than 30 rows"):
        result = small_window.query_result(f"SELECT id, n FROM {big}", max_rows=30)
    assert result.arrow().column("n").to_pylist() == [1] * 30
    assert small_window.query_result(f"SELECT id FROM {big}", max_rows=ROWS - 100).completeness.is_complete


@pytest.mark.slow
@pytest.mark.parametrize("params", [[], [-1]])
def test_a_walk_ends_while_others_write(small_window, params):
    """It reads up to the moment at which it began; rows replaced meanwhile are found in their newer version."""
    table = f"w.busy{len(params)}"
    fill(small_window, table)
    numbers = itertools.count(1)
    login = small_window.login("root", small_window._settings.credentials.password.reveal())

    def write(writer):
        number = next(numbers)
        ids = [str((number * 37 + i * 7) % ROWS) for i in range(60)]
        writer.execute_query(f"UPDATE {table} SET n = {number} WHERE id IN ({', '.join(ids)})")

    sql = f"SELECT id, t FROM {table}" + (" WHERE id > $1" if params else "")
    with ThreadPoolExecutor(1) as pool, kalam.Client(small_window.url, token=login.access_token) as writer:
        for _ in range(5):
            reading = pool.submit(small_window.query_result, sql, params)
            for _ in range(20):  # As long as it reads, but a slow machine is not to read ever more.
                write(writer)
                if reading.done():
                    break
            result = reading.result()
            assert result.completeness.method == "pages"
            assert result.arrow().column("id").to_pylist() == list(range(ROWS))


def test_an_aggregate_says_that_it_is_not_certain(small_window, big):
    with pytest.warns(IncompleteResultWarning, match=f"{big} holds more unflushed row versions"):
        result = small_window.query_result(f"SELECT sum(n) AS s FROM {big}")
    assert not result.completeness.is_complete
    assert "STORAGE FLUSH TABLE" in result.notices[0]
    assert "engine='local'" in result.notices[0]


def test_a_small_table_on_the_same_server_is_complete(small_window):
    small_window.execute_query("CREATE TABLE w.small (id INT PRIMARY KEY) WITH (TYPE = 'SHARED')")
    small_window.execute_query("INSERT INTO w.small (id) VALUES (1), (2)")
    small_window.execute_query("DELETE FROM w.small WHERE id = 2")
    first = small_window.query_result("SELECT id FROM w.small")
    assert first.completeness.text == "complete"
    assert small_window.query_result("SELECT id FROM w.small").completeness.requests == 1  # Trusted for a minute.


def test_the_local_engine_is_right_where_the_server_is_not(small_window, big):
    result = small_window.query_result(f"SELECT n, count(*) AS c FROM {big} GROUP BY n", engine="local")
    assert result.arrow().to_pylist() == [{"n": 1, "c": ROWS - 100}]
    assert "run locally on" in result.completeness.text
    small_window.execute_query(f"UPDATE {big} SET n = 5 WHERE id = 500")
    small_window.execute_query(f"DELETE FROM {big} WHERE id = 501")
    (row,) = small_window.query_arrow(f"SELECT sum(n) AS s, count(*) AS c FROM {big}", engine="local").to_pylist()
    assert row == {"s": ROWS - 101 + 4, "c": ROWS - 101}
    small_window.execute_query(f"INSERT INTO {big} (id, n, t) VALUES (501, 1, 'back')")
    small_window.execute_query(f"UPDATE {big} SET n = 1 WHERE id = 500")


def test_strict_raises_instead_of_warning(small_window, big):
    with pytest.raises(ResultError, match="may not be complete"):
        small_window.query(f"SELECT sum(n) AS s FROM {big}", strict=True)


@pytest.mark.parametrize("where", ["", "WHERE n >= 0"])
def test_a_live_table_that_comes_to_be_beyond_the_window(small_window, where):
    """More versions at once than a delta's own scan reads: its fingerprint ends where the scan does."""
    table = "w.burst_filtered" if where else "w.burst"
    small_window.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
    small_window.execute_query(f"INSERT INTO {table} VALUES {', '.join(f'({i}, 0)' for i in range(100))}")
    small_window.execute_query(f"STORAGE FLUSH TABLE {table}")
    with small_window.live(f"SELECT * FROM {table} {where}") as live:
        live.pause()
        for _ in range(12):
            small_window.execute_query(f"UPDATE {table} SET n = n + 1 WHERE id >= 0")
        live.resume()
        assert live.verify()
        assert set(live.arrow()["n"].to_pylist()) == {12}
        assert "more unflushed row versions" in live.notice


def test_a_result_of_a_table_that_others_bring_beyond_the_window_is_not_proved(small_window):
    table = "w.counted"
    small_window.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
    small_window.execute_query(f"INSERT INTO {table} VALUES {', '.join(f'({i}, 0)' for i in range(120))}")
    with (
        small_window.another() as other,
        small_window.live(f"SELECT n, count(*) AS k FROM {table} GROUP BY n") as live,
    ):
        for _ in range(3):
            other.execute_query(f"UPDATE {table} SET n = n + 1 WHERE id >= 0")
        live.wait_for(lambda t: t.notice, timeout=20)
        assert not live.verify()
