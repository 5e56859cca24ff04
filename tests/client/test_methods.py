"""Which method a query takes on servers with other settings: other caps, little memory; and what is said of it."""

import concurrent.futures
import contextlib

import pyarrow as pa
import pytest
from servers import sandbox

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, QueryError, UnsafeStatementError
from kalam_notebook.results.results import IncompleteResultWarning

ROWS = 400


def make_client(*flags):
    server = sandbox(*flags)
    client = kalam.Client(server.url, user="root", password=server.root_password)
    client.execute_query("CREATE NAMESPACE r")
    return server, client


@pytest.fixture(scope="module")
def low_caps():
    """A server that cuts at 4 rows, and at 100 with a LIMIT."""
    server, client = make_client("--default-query-limit", "4", "--max-query-limit", "100")
    with server, client:
        client.write(pa.table({"id": range(ROWS)}), "r.t", create=True, key="id")
        yield client


def test_caps_are_found_out_by_asking(low_caps):
    assert low_caps.execute_query("SELECT id FROM r.t").rows.row_count == 4
    first = low_caps.query_result("SELECT id FROM r.t")
    assert first.row_count == ROWS
    assert first.completeness.text == "complete (read again exactly: the server cuts results at 4 rows)"
    assert (first.completeness.method, first.completeness.reason) == ("exact", "the server cuts results at 4 rows")
    assert low_caps.query_result("SELECT id FROM r.t LIMIT 150").row_count == 150
    assert low_caps.query_result("SELECT id FROM r.t LIMIT 99").completeness.method == "plain"
    assert low_caps.query_result("SELECT id FROM r.t WHERE id = 3").completeness.requests <= 2


def test_a_raw_answer_as_long_as_a_cap_is_marked(low_caps):
    for sql, count in (("SELECT id FROM r.t", 4), ("SELECT id FROM r.t LIMIT 150", 100)):
        (notice,) = low_caps.execute_query(sql).rows.notices
        assert notice.startswith(f"{count} rows are exactly as many as the server cuts results at")
    assert low_caps.execute_query("SELECT id FROM r.t LIMIT 50").rows.notices == ()


@pytest.mark.slow
def test_a_server_that_cuts_nothing():
    server, client = make_client("--default-query-limit", "0", "--max-query-limit", "0", "--no-drop-decimal-sign")
    with server, client:
        client.write(pa.table({"id": range(ROWS)}), "r.t", create=True, key="id")
        client.query_result("SELECT id FROM r.t")  # What the server cuts is asked for with the first rows.
        assert client.query_result("SELECT id FROM r.t").completeness.method == "plain"
        assert client.query_result("SELECT CAST('0.5' AS DECIMAL(3, 1)) AS d").completeness.text == "complete"


@pytest.fixture(scope="module")
def little_memory():
    """A server whose queries have 3 MB, and a table of 10 MB."""
    server, client = make_client("--query-memory-bytes", "3000000")
    with server, client:
        client.execute_query("CREATE TABLE r.wide (id INT PRIMARY KEY, n INT, t TEXT) WITH (TYPE = 'SHARED')")
        for start in range(0, 2000, 100):
            values = ", ".join(f"({i}, {i % 7}, '{chr(97 + i % 26) * 5000}')" for i in range(start, start + 100))
            client.execute_query(f"INSERT INTO r.wide (id, n, t) VALUES {values}")
        yield client


@pytest.mark.parametrize("options", [{}, {"max_rows": None}, {"engine": "local"}])
@pytest.mark.slow
def test_a_table_that_the_servers_memory_does_not_hold(little_memory, options):
    table = little_memory.query_arrow("SELECT id, t FROM r.wide WHERE n < 6", **options)
    wanted = [i for i in range(2000) if i % 7 < 6]
    assert sorted(table.column("id").to_pylist()) == wanted
    by_id = dict(zip(table.column("id").to_pylist(), table.column("t").to_pylist(), strict=True))
    assert all(by_id[i] == chr(97 + i % 26) * 5000 for i in wanted)


@pytest.mark.slow
def test_max_rows_where_memory_is_short(little_memory):
    with pytest.warns(IncompleteResultWarning, match="more than 100 rows"):
        result = little_memory.query_result("SELECT * FROM r.wide", max_rows=100)
    assert result.row_count == 100


def test_a_query_that_cannot_be_walked_says_what_to_do(little_memory):
    with pytest.raises(QueryError, match="Resources exhausted") as caught:
        little_memory.query("SELECT array_agg(t) AS a FROM r.wide")
    assert "engine='local'" in str(caught.value)


def test_options_that_do_not_exist_are_refused(low_caps):
    for options, words in (
        ({"max_rows": -1}, "max_rows is -1"),
        ({"max_rows": "all"}, "not 'all'"),
        ({"max_rows": True}, "not True"),
        ({"engine": "bogus"}, "'server' or 'local'"),
    ):
        with pytest.raises(ConfigError, match=words):
            low_caps.query("SELECT id FROM r.t", **options)


@pytest.mark.parametrize("engine", ["server", "local"])
def test_max_rows_holds_for_each_engine(low_caps, engine):
    for wanted in (0, 1, 10):
        with pytest.warns(IncompleteResultWarning, match=f"more than {wanted} rows"):
            result = low_caps.query_result("SELECT id FROM r.t", max_rows=wanted, engine=engine)
        assert result.row_count == wanted
        assert result.completeness.text.startswith("cut at max_rows")


def test_unsafe_statements_are_refused_everywhere_unless_wanted(low_caps):
    low_caps.write(pa.table({"id": range(5)}), "r.few", create=True, key="id")
    explain = "EXPLAIN DELETE FROM r.few WHERE id = 1"
    for read in (low_caps.query, low_caps.query_arrow, low_caps.query_polars, low_caps.query_result):
        with pytest.raises(UnsafeStatementError):
            read(explain)
    low_caps.query_arrow(explain, allow_unsafe=True)
    assert low_caps.query("SELECT id FROM r.few")["id"].tolist() == [0, 2, 3, 4]
    low_caps.execute_query("CREATE TABLE r.files (id INT PRIMARY KEY, f FILE) WITH (TYPE = 'SHARED')")
    low_caps.execute_query("INSERT INTO r.files (id) VALUES (1), (2)")
    update = 'UPDATE r.files SET f = FILE("f") WHERE id IN (SELECT id FROM r.few)'
    with pytest.raises(UnsafeStatementError, match="ignores the sub-query"):
        low_caps.execute_with_files(update, {"f": b"x"})
    assert low_caps.query("SELECT count(f) AS n FROM r.files")["n"].tolist() == [0]


def test_types_of_a_table_made_anew_are_asked_for_again(low_caps):
    sql = "SELECT max(x) AS m FROM r.again"
    for kind, value, arrow in (("BIGINT", "5", pa.int64()), ("TIMESTAMP", "'2026-01-01'", pa.timestamp("us", "UTC"))):
        low_caps.execute_query(f"CREATE TABLE r.again (id INT PRIMARY KEY, x {kind}) WITH (TYPE = 'SHARED')")
        low_caps.execute_query(f"INSERT INTO r.again (id, x) VALUES (1, {value})")
        result = low_caps.query_result(sql)
        assert (result.arrow().schema.field("m").type, result.completeness.is_complete) == (arrow, True)
        low_caps.execute_query("DROP TABLE r.again")


@pytest.mark.slow
def test_many_threads_do_not_meet_the_rate_limit():
    """240 queries where the server takes 100 at once and 100 a second, without a single repeat."""
    with (
        kalam.sandbox(options=["--queries-per-second", "100"]) as server,
        kalam.Client(server.url, user="root", password=server.root_password, max_retries=0) as client,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        results = pool.map(lambda n: client.query_arrow("SELECT CAST($1 AS BIGINT) AS n", [n]), range(240))
        assert [table.column("n")[0].as_py() for table in results] == list(range(240))


def test_progress_counts_rows_and_knows_the_total(little_memory, monkeypatch):
    seen = []

    def watch(meter, surface):
        seen.append((meter, surface))
        return contextlib.nullcontext()

    monkeypatch.setattr("kalam_notebook.results.progress.reporting", watch)
    monkeypatch.setattr("kalam_notebook.results.progress.find_surface", lambda: "screen")
    little_memory.query_arrow("SELECT id, t FROM r.wide")
    little_memory.query_arrow("SELECT id FROM r.wide WHERE n = 1", progress=False)
    (pager, surface), (other, hidden) = seen
    assert (surface, hidden) == ("screen", None)
    assert pager.count() == 2000
    assert pager.summary.startswith("2,000 rows and 1")
    assert other.count is None
    assert other.summary.startswith(f"{len([i for i in range(2000) if i % 7 == 1])} rows and")
