"""What KalamDB does not tell (docs/server-truths.md): each lie twice, once to a plain client and once to ours.

The plain client is httpx and JSON, as a careful reader of the API would write it. With ``KALAM_TEST_URL`` the same
pairs run against a real server. L12 to L17, L21 and L22 are lies of live queries and are tested with those.
"""

import datetime as dt
import itertools
import math
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import pyarrow as pa
import pytest
from plain_client import IS_REAL, plain_client, server_with

import kalam_notebook as kalam
from kalam_notebook.errors import FrameError, UnsafeStatementError
from kalam_notebook.notebook.magics import _run_statements
from kalam_notebook.notebook.options import parse_cell_line
from kalam_notebook.notebook.statements import bound_statements
from kalam_notebook.results.results import IncompleteResultWarning

pytestmark = pytest.mark.contract

DEADLINE_S = 30.0


@pytest.fixture
def plain(server):
    with plain_client(server) as plain:
        yield plain


@pytest.fixture
def make(client, namespace):
    """Make a table, perhaps with one INSERT, and give its name."""

    def run(columns, *rows, name="t", kind="SHARED"):
        client.execute_query(f"CREATE TABLE {namespace}.{name} ({columns}) WITH (TYPE = '{kind}')")
        for start in range(0, len(rows), 100):
            client.execute_query(f"INSERT INTO {namespace}.{name} VALUES {', '.join(rows[start : start + 100])}")
        return f"{namespace}.{name}"

    return run


def flush(client, table):
    """Flush a table and wait for the job."""
    (result,) = client.execute_query(f"STORAGE FLUSH TABLE {table}")
    job = result.message.split("Job ID: ")[1]
    end = time.monotonic() + DEADLINE_S
    while client.query("SELECT status FROM system.jobs WHERE job_id = $1", [job])["status"].tolist() != ["completed"]:
        assert time.monotonic() < end, "the flush does not end"


def column(rows, index=0):
    return [row[index] for row in rows]


def test_l01_fifty_rows(plain, client, make):
    table = make("id BIGINT PRIMARY KEY", *[f"({n})" for n in range(120)])
    assert len(plain.rows(f"SELECT id FROM {table}")) == 50
    assert client.query(f"SELECT id FROM {table}")["id"].tolist() == list(range(120))


def test_l02_a_thousand_rows(plain, client, make):
    table = make("id BIGINT PRIMARY KEY", *[f"({n})" for n in range(1100)])
    assert len(plain.rows(f"SELECT id FROM {table} LIMIT 1050")) == 1000
    assert len(client.query(f"SELECT id FROM {table} LIMIT 1050")) == 1050


@pytest.mark.slow
def test_l03_rows_beyond_the_window(beyond):
    table, client = beyond.name, beyond.client
    counts = {n: int(c) for n, c in beyond.plain.rows(f"SELECT n, count(id) AS c FROM {table} GROUP BY n")}
    assert counts == {0: beyond.visible}
    found = client.query(f"SELECT id FROM {table} WHERE n = 1", max_rows=None)
    assert found["id"].tolist() == list(range(beyond.changed))
    with pytest.warns(IncompleteResultWarning, match=f"{table} holds more unflushed row versions"):
        client.query(f"SELECT n, count(id) AS c FROM {table} GROUP BY n")
    frame = client.query(f"SELECT n, count(id) AS c FROM {table} GROUP BY n ORDER BY n", engine="local")
    assert frame.to_numpy().tolist() == [[0, beyond.count - beyond.changed], [1, beyond.changed]]


@pytest.mark.servers("0.4.3")
def test_l04_order_and_limit(plain, client, make):
    table = make("id BIGINT PRIMARY KEY, score INT", *[f"({n}, {n * 7919 % 200})" for n in range(200)])
    best = [199, 198, 197, 196, 195]
    sql = f"SELECT id, score FROM {table} ORDER BY score DESC LIMIT 5"
    assert column(plain.rows(sql), 1) != best
    assert client.query(sql)["score"].tolist() == best
    hidden = f"SELECT id FROM {table} ORDER BY score DESC"
    wanted = [key for _, key in sorted(((n * 7919 % 200, n) for n in range(200)), reverse=True)]
    assert column(plain.rows(hidden)) == [str(n) for n in range(50)]
    assert client.query(hidden)["id"].tolist() == wanted


@pytest.mark.servers("0.4.3", "0.5", "0.7")
def test_l05_the_sign_of_a_decimal(plain, client, make):
    table = make("id INT PRIMARY KEY, d DECIMAL(10, 2)", "(1, '-0.50')")
    assert plain.rows(f"SELECT d FROM {table}") == [["0.50"]]
    assert client.query_arrow(f"SELECT d FROM {table}").to_pylist() == [{"d": Decimal("-0.50")}]


def test_l06_the_type_of_an_expression(plain, client, make):
    table = make("id INT PRIMARY KEY, ts TIMESTAMP, d DOUBLE", "(1, '2026-01-01T12:00:00Z', 1.5)")
    sql = f"SELECT CAST(ts AS DATE) AS day, arrow_cast(d, 'Utf8') AS text FROM {table}"
    (result,) = plain.results(sql)
    assert column(result["schema"], "data_type") == ["Timestamp", "Double"]
    assert result["rows"] == [[20454, "1.5"]]
    assert client.query_arrow(sql).to_pylist() == [{"day": dt.date(2026, 1, 1), "text": "1.5"}]


@pytest.mark.servers("0.4.3")
def test_l07_the_unit_of_a_time(plain, client):
    sql = "SELECT CAST('2026-01-01T00:00:00Z' AS TIMESTAMP) AS a, CAST('2026-01-01T00:00:00Z' AS TIMESTAMP(3)) AS b"
    (result,) = plain.results(sql)
    assert column(result["schema"], "data_type") == ["Timestamp", "Timestamp"]
    first, second = result["rows"][0]
    assert first == second * 1_000_000
    (row,) = client.query_arrow(sql).to_pylist()
    assert row["a"] == row["b"] == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.mark.servers("0.4.3")
def test_l08_not_a_number(plain, client, make):
    table = make("id INT PRIMARY KEY, d DOUBLE", "(1, 'NaN')", "(2, '-Infinity')", "(3, 0.5)")
    with pytest.raises(httpx.RemoteProtocolError):
        plain.rows(f"SELECT id, d FROM {table}")
    values = client.query_arrow(f"SELECT id, d FROM {table} ORDER BY id").column("d").to_pylist()
    assert math.isnan(values[0])
    assert values[1:] == [-math.inf, 0.5]
    with pytest.raises(FrameError, match=r"(?i)nan"):
        client.write(pa.table({"id": [4], "d": [math.nan]}), table)


def vectors(values):
    return pa.array(values, pa.list_(pa.float32(), 3))


def test_l09_an_embedding_that_was_left_out(plain, client, make):
    table = make("id INT PRIMARY KEY, t TEXT, e EMBEDDING(3)")
    plain.results(f"INSERT INTO {table} (id, t) VALUES ($1, $2)", [1, "x"])
    assert plain.rows(f"SELECT e FROM {table}") == [[[0.0, 0.0, 0.0]]]
    frame = pa.table({"id": pa.array([2, 3], pa.int32()), "t": ["y", "z"]})
    with pytest.raises(FrameError, match=r"\be\b"):
        client.write(frame, table)
    client.write(frame.append_column("e", vectors([None, [1, 2, 3]])), table)
    rows = client.query_arrow(f"SELECT e FROM {table} WHERE id > 1 ORDER BY id").to_pylist()
    assert rows == [{"e": None}, {"e": [1.0, 2.0, 3.0]}]


@pytest.mark.servers("0.4.3", "0.5", "0.7")
def test_l10_bytes_from_an_expression(plain, client, make):
    table = make("id INT PRIMARY KEY, by BYTES")
    plain.results(f"INSERT INTO {table} (id, by) VALUES (1, X'DEADBEEF')")
    assert bytes(plain.rows(f"SELECT by FROM {table}")[0][0]).startswith(b"BinaryArray")
    with pytest.warns(IncompleteResultWarning, match="column 'by' holds debug text"):
        client.query(f"SELECT by FROM {table}")
    with pytest.raises(FrameError, match="UTF-8"):
        client.write(pa.table({"id": [2], "by": [b"\xde\xad\xbe\xef"]}), table)
    client.write(pa.table({"id": [3], "by": ["grüße".encode()]}), table)
    assert client.query_arrow(f"SELECT by FROM {table} WHERE id = 3").to_pylist() == [{"by": "grüße".encode()}]


def test_l11_number_literals(plain, client, make):
    table = make("id INT PRIMARY KEY, d DECIMAL(20, 4), n SMALLINT")
    exact = Decimal("1234567890123456.7891")
    plain.results(f"INSERT INTO {table} (id, d, n) VALUES (1, {exact}, 1.5)")
    ((told, number),) = plain.rows(f"SELECT d, n FROM {table}")
    assert Decimal(told) != exact
    assert number == 1
    with pytest.raises(FrameError, match=r"1\.5"):
        client.write(pa.table({"id": [2], "d": [exact], "n": [1.5]}), table)
    client.write(pa.table({"id": [2], "d": [exact], "n": [1]}), table)
    assert client.query_arrow(f"SELECT d FROM {table} WHERE id = 2").to_pylist() == [{"d": exact}]


@pytest.mark.slow
def test_l18_several_states_in_one_request(server, plain, client, make):
    table = make("id INT PRIMARY KEY")
    counts = [f"SELECT count(*) AS n FROM {table}"] * 20
    numbers = itertools.count()
    with ThreadPoolExecutor(1) as pool, kalam.Client(server.url, token=server.token) as writer:

        def while_others_write(ask, *args):
            answer = pool.submit(ask, *args)
            for _ in range(50):  # The table is counted all the time, so it stays small.
                writer.execute_query(f"INSERT INTO {table} (id) VALUES ({next(numbers)})")
                if answer.done():
                    break
            return answer.result()

        end = time.monotonic() + DEADLINE_S
        while len({result["rows"][0][0] for result in while_others_write(plain.results, "; ".join(counts))}) == 1:
            assert time.monotonic() < end, "every request saw one state"
        for _ in range(5):
            response = while_others_write(client.execute_query, "; ".join(["BEGIN", *counts, "COMMIT"]))
            assert len({result.arrow().column(0)[0].as_py() for result in response if result.has_rows}) == 1
            row = while_others_write(client.query, f"SELECT a.n - b.n AS d FROM ({counts[0]}) AS a, ({counts[0]}) AS b")
            assert row["d"].tolist() == [0]


def test_l19_results_of_writes_come_last(plain, client, make):
    table = make("id INT PRIMARY KEY")
    sql = (
        f"INSERT INTO {table} (id) VALUES (1); SELECT count(*) AS n FROM {table}; INSERT INTO {table} (id) VALUES (2); "
        f"DELETE FROM {table} WHERE id > 0"
    )
    told = [result.get("message", result.get("rows")) for result in plain.results(sql)]
    assert told == [[["1"]], "Inserted 2 row(s)", "Deleted 2 row(s)"]
    results = _run_statements(client, bound_statements(sql, None, {}), parse_cell_line(""))
    assert [r.arrow().to_pylist() if r.has_rows else r.message for r in results] == [
        "Inserted 1 row(s)",
        [{"n": 1}],
        "Inserted 1 row(s)",
        "Deleted 2 row(s)",
    ]


@pytest.mark.slow
def test_l20_the_cost_of_large_inserts():
    """It grows with the square of the rows, so what is written in parts is faster on a slow server, too."""
    count = 5000 if IS_REAL else 2000
    with server_with("--insert-square-ns", "500") as (space, plain, client):
        client.execute_query(f"CREATE TABLE {space}.t (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED')")
        started = time.perf_counter()
        plain.results(f"INSERT INTO {space}.t (id) VALUES {', '.join(f'({n})' for n in range(count))}")
        together = time.perf_counter() - started
        report = client.write(pa.table({"id": range(count, 2 * count)}), f"{space}.t", count=True)
        assert (report.inserted, report.count_after) == (count, 2 * count)
        assert report.seconds < together


def test_l23_names_without_a_namespace(plain, client, namespace, make):
    """The second of two equal statements writes to the table of the first; a plain INSERT prefers ``default``."""
    other = f"{namespace}b"
    name = f"t{uuid.uuid4().hex[:8]}"
    make("id INT PRIMARY KEY", name=name)
    client.execute_query(f"CREATE NAMESPACE {other}")
    for space in (other, "default"):
        client.execute_query(f"CREATE TABLE {space}.{name} (id INT PRIMARY KEY) WITH (TYPE = 'SHARED')")
    try:
        sql = f"INSERT INTO {name} (id) VALUES ($1)"
        plain.results(sql, [1], namespace_id=namespace)
        plain.results(sql, [2], namespace_id=other)
        plain.results(f"INSERT INTO {name} (id) VALUES (3)", namespace_id=other)
        assert sorted(column(plain.rows(f"SELECT id FROM {namespace}.{name}"))) == [1, 2]
        assert column(plain.rows(f"SELECT id FROM default.{name}")) == [3]
        client.execute_query(sql, [4], namespace=other)
        client.execute_query(f"INSERT INTO {name} (id) VALUES (5)", namespace=other)
        assert client.query(f"SELECT id FROM {name}", namespace=other)["id"].tolist() == [4, 5]
    finally:
        client.execute_query(f"DROP TABLE default.{name}")
        client.execute_query(f"DROP NAMESPACE {other}")


@pytest.mark.servers("0.4.3", "0.5", "0.7")
def test_l24_bytes_and_embeddings_after_a_flush(plain, client, make):
    table = make("id INT PRIMARY KEY, by BYTES, e EMBEDDING(3), t TEXT", "(1, 'hi', '[1, 2, 3]', 'text')")
    assert plain.rows(f"SELECT by, e FROM {table}") == [[[104, 105], [1.0, 2.0, 3.0]]]
    flush(client, table)
    ((by, vector),) = plain.rows(f"SELECT by, e FROM {table}")
    assert bytes(by) == b"BinaryArray\n[\n  [104, 105],\n]"
    assert vector is None
    for name, reason in (("by", "holds debug text"), ("e", "is NULL in rows that hold an embedding")):
        with pytest.warns(IncompleteResultWarning, match=f"column '{name}' {reason}"):
            result = client.query_result(f"SELECT {name} FROM {table}")
        assert not result.completeness.is_complete
    assert client.query_result(f"SELECT t FROM {table}").completeness.is_complete


@pytest.mark.servers("0.4.3", "0.5", "0.7")
@pytest.mark.slow
def test_l24_where_only_some_rows_are_flushed_and_in_expressions(plain, client, make):
    table = make(
        "id INT PRIMARY KEY, by BYTES, e EMBEDDING(3), t TEXT", "(1, 'hi', '[1, 2, 3]', 'a')", "(2, 'ho', NULL, 'b')"
    )
    for sql in (f"SELECT e FROM {table}", f"SELECT count(e) AS n FROM {table}", f"SELECT max(by) AS m FROM {table}"):
        assert client.query_result(sql).completeness.is_complete, sql
    flush(client, table)
    plain.results(f"INSERT INTO {table} (id, by, e, t) VALUES (3, 'he', '[4, 5, 6]', 'c')")
    assert plain.rows(f"SELECT count(e) AS n FROM {table}") == [["1"]]
    for sql in (
        f"SELECT id, e FROM {table}",
        f"SELECT * FROM {table}",
        f"SELECT count(e) AS n FROM {table}",
        f"SELECT t FROM {table} WHERE e IS NOT NULL",
        f"SELECT max(by) AS m FROM {table}",
        f"SELECT CAST(by AS TEXT) AS m FROM {table}",
    ):
        for engine in ("server", "local"):
            with pytest.warns(IncompleteResultWarning, match="column '(by|e)'"):
                assert not client.query_result(sql, engine=engine).completeness.is_complete, (sql, engine)
    assert client.query_result(f"SELECT id, e FROM {table} WHERE id = 1").arrow().to_pylist() == [
        {"id": 1, "e": [1.0, 2.0, 3.0]}
    ]
    assert client.query_result(f"SELECT id, t FROM {table}").completeness.is_complete


@pytest.mark.servers("0.4.3")
def test_l07_the_unit_of_the_servers_own_times(plain, client, namespace):
    ((created,),) = plain.rows("SELECT created_at FROM system.namespaces WHERE namespace_id = $1", [namespace])
    assert dt.datetime.fromtimestamp(created / 1e6, dt.UTC).year == 1970
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    for sql in ("SELECT namespace_id, created_at FROM system.namespaces", "SHOW NAMESPACES"):
        rows = client.query_arrow(sql).to_pylist()
        assert [r["created_at"] > before for r in rows if r["namespace_id"] == namespace] == [True], sql


def test_l25_conditions_that_are_ignored(plain, client, make):
    table = make("id INT PRIMARY KEY", *[f"({n})" for n in range(10)])
    for sql in (
        f"DELETE FROM {table} WHERE id = (SELECT max(id) FROM {table})",
        f"DELETE FROM {table} WHERE id > 4 LIMIT 1",
    ):
        with pytest.raises(UnsafeStatementError, match="ignores"):
            client.execute_query(sql)
    assert len(client.query(f"SELECT id FROM {table}")) == 10
    plain.results(f"DELETE FROM {table} WHERE id > 4 LIMIT 1")
    assert len(plain.rows(f"SELECT id FROM {table}")) == 5
    plain.results(f"DELETE FROM {table} WHERE id = (SELECT max(id) FROM {table})")
    assert plain.rows(f"SELECT id FROM {table}") == []


def test_l26_explain_carries_out(plain, client, make):
    table = make("id INT PRIMARY KEY", "(1)", "(2)")
    with pytest.raises(UnsafeStatementError, match="carries out the DELETE"):
        client.execute_query(f"EXPLAIN DELETE FROM {table} WHERE id = 1")
    assert client.query(f"SELECT id FROM {table}")["id"].tolist() == [1, 2]
    plain.results(f"EXPLAIN DELETE FROM {table} WHERE id = 1")
    assert column(plain.rows(f"SELECT id FROM {table}")) == [2]


def test_l27_deleted_rows_that_come_back(plain, client, make):
    """Nothing on the server tells it afterwards; who has read the table locally knows what was deleted."""
    table = make("id INT PRIMARY KEY", "(1)", "(2)", "(3)")
    sql = f"SELECT id FROM {table} ORDER BY id"
    flush(client, table)
    assert plain.results(f"DELETE FROM {table} WHERE id = 2")[0]["message"] == "Deleted 1 row(s)"
    assert column(plain.rows(sql)) == [1, 3]
    assert client.query(sql, engine="local")["id"].tolist() == [1, 3]
    client.execute_query(f"INSERT INTO {table} (id) VALUES (4)")
    flush(client, table)
    assert column(plain.rows(sql)) == [1, 2, 3, 4]
    for _ in range(2):
        result = client.query_result(sql, engine="local")
        assert result.arrow().column("id").to_pylist() == [1, 3, 4]
        assert "without 1 deleted rows that the server has brought back" in result.completeness.text


def test_l28_a_decimal_as_a_parameter(plain, client, make):
    table = make("id INT PRIMARY KEY, d DECIMAL(20, 4)", "(1, '12.5')", "(2, '-0.5')", "(3, '100')")
    assert plain.rows(f"SELECT id FROM {table} WHERE d = $1", ["12.5"]) == []
    assert column(plain.rows(f"SELECT id FROM {table} WHERE d > $1 ORDER BY id", ["2"])) == []
    assert client.query(f"SELECT id FROM {table} WHERE d = $1", [Decimal("12.5")])["id"].tolist() == [1]
    assert client.query(f"SELECT id FROM {table} WHERE d > $1", [Decimal("-1.00")])["id"].tolist() == [1, 2, 3]
    local = client.query(f"SELECT id FROM {table} WHERE d = $1", [Decimal("12.50")], engine="local")
    assert local["id"].tolist() == [1]
