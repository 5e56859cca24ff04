"""Each habit of the server can be switched off: then the sandbox does what a plain reader expects."""

from contextlib import contextmanager
from dataclasses import fields

import pytest
from serving import serving

from kalam_sandbox.__main__ import _options, _parser
from kalam_sandbox.options import Options

SWITCHES = sorted(field.name for field in fields(Options) if isinstance(field.default, bool))


@pytest.fixture(scope="module")
def honest():
    """A server without any of the habits and caps, with the namespaces ``app`` and ``other``."""
    with serving(**dict.fromkeys(SWITCHES, False), default_query_limit=0, max_query_limit=0, scan_window=0) as served:
        served.sql("CREATE NAMESPACE app; CREATE NAMESPACE other")
        yield served


@pytest.fixture
def table(honest):
    """Make a table of its own for each test and drop it."""
    honest.sql(
        "CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT, dec DECIMAL(10,2), d DOUBLE, ts TIMESTAMP, by BYTES, "
        "e EMBEDDING(2))"
    )
    yield honest
    honest.sql("DROP TABLE app.t")


def test_every_habit_is_a_flag_with_a_negative_form():
    for name in SWITCHES:
        flag = name.replace("_", "-")
        for given, expected in ((f"--{flag}", True), (f"--no-{flag}", False)):
            arguments = vars(_parser().parse_args([given]))
            del arguments["until_stdin_closes"]
            assert getattr(_options(arguments), name) is expected


def fill(served, count):
    served.sql("INSERT INTO app.t (id, n) VALUES " + ", ".join(f"({i}, {i * 7919 % count})" for i in range(count)))


def test_nothing_is_cut(table):
    fill(table, 1200)
    assert len(table.rows("SELECT id FROM app.t")) == 1200
    assert len(table.rows("SELECT id FROM app.t LIMIT 1100")) == 1100


def test_resort_by_key(table):
    fill(table, 1200)
    assert [row[1] for row in table.rows("SELECT id, n FROM app.t ORDER BY n DESC LIMIT 3")] == [1199, 1198, 1197]


def test_drop_decimal_sign(table):
    table.sql("INSERT INTO app.t (id, dec) VALUES (1, '-0.50')")
    assert table.rows("SELECT dec, [dec] FROM app.t") == [["-0.50", ["-0.50"]]]


def test_declare_source_types(table):
    table.sql("INSERT INTO app.t (id, d, ts) VALUES (1, 1.5, '2026-01-01')")
    (result,) = table.sql("SELECT CAST(ts AS DATE) AS a, arrow_cast(d, 'Utf8') AS b, ts, e FROM app.t")
    assert [column["data_type"] for column in result["schema"]] == ["Date", "Text", "Timestamp", {"Embedding": 2}]


def test_mix_time_units(table):
    sql = "SELECT TIMESTAMP '2026-01-01' AS ns, CAST('2026-01-01' AS TIMESTAMP(3)) AS ms, TIME '00:00:01' AS t"
    assert table.rows(sql) == [[1767225600000000, 1767225600000000, 1000000]]
    assert table.rows("SELECT date_part('year', created_at) > 2020 FROM system.namespaces LIMIT 1") == [[True]]


def test_hang_up_on_unencodable(table):
    code, message = table.failure("SELECT CAST('NaN' AS DOUBLE) AS x")
    assert code == "INTERNAL_ERROR"
    assert message.endswith("Invalid float value")


def test_zero_left_out_embeddings(table):
    table.sql("INSERT INTO app.t (id, n) VALUES ($1, $2)", [1, 2])
    table.sql("INSERT INTO app.t (id, n) VALUES ($1, abs(-3))", [2])
    assert table.rows("SELECT e FROM app.t") == [[None], [None]]


def test_store_debug_bytes(table):
    table.sql("INSERT INTO app.t (id, by) VALUES (1, X'dead')")
    assert table.rows("SELECT by FROM app.t") == [[[0xDE, 0xAD]]]
    table.sql("INSERT INTO app.t (id, by) VALUES ($1, 'text')", [2])
    assert bytes(table.rows("SELECT by FROM app.t WHERE id = 2")[0][0]) == b"text"


def test_round_literals(table):
    table.sql("INSERT INTO app.t (id, dec) VALUES (1, 1.005), (2, -12345678.9)")
    assert table.rows("SELECT dec FROM app.t ORDER BY id") == [["1.01"], ["-12345678.90"]]
    assert "it has a fraction" in table.failure("INSERT INTO app.t (id, n) VALUES (3, 1.5)")[1]
    table.sql("INSERT INTO app.t (id, n, d) VALUES (4, 2.0, 1.5)")
    assert table.rows("SELECT n, d FROM app.t WHERE id = 4") == [[2, 1.5]]


def test_separate_snapshots(table, monkeypatch):
    """A request keeps the lock of the catalogue from its first statement to its last, so that none writes between."""
    held = []
    lock = table.sandbox.server.catalog.lock

    class Watched:
        depth = 0

        def __enter__(self):
            lock.acquire()
            self.depth += 1
            held.append(self.depth)

        def __exit__(self, *_):
            self.depth -= 1
            lock.release()

    monkeypatch.setattr(table.sandbox.server.catalog, "lock", Watched())
    table.sql("SELECT count(*) FROM app.t; SELECT count(*) FROM app.t")
    assert held.count(1) == 1


def test_add_up_writes(table):
    results = table.sql(
        "INSERT INTO app.t (id) VALUES (1); SELECT count(*) AS n FROM app.t; DELETE FROM app.t WHERE id = 1"
    )
    assert [result.get("message", result.get("rows")) for result in results] == [
        "Inserted 1 row(s)",
        [["1"]],
        "Deleted 1 row(s)",
    ]


def test_forget_namespaces(table):
    table.sql("CREATE TABLE other.t (id BIGINT PRIMARY KEY)")
    table.sql("INSERT INTO t (id) VALUES ($1)", [1], namespace="app")
    table.sql("INSERT INTO t (id) VALUES ($1)", [2], namespace="other")
    table.sql("USE other; INSERT INTO t (id) VALUES (3)")
    assert table.rows("SELECT id FROM app.t") == [["1"]]
    assert table.rows("SELECT id FROM other.t ORDER BY id") == [["2"], ["3"]]
    table.sql("DROP TABLE other.t")


def test_null_vectors(table):
    table.sql("INSERT INTO app.t (id, e) VALUES (1, '[1, 2]'); INSERT INTO app.t (id, e) VALUES (2, '[1, 2]')")
    table.sql("INSERT INTO app.t (id, e) VALUES (3, $1)", [None])
    table.sql("UPDATE app.t SET e = $1 WHERE id = 1", [None])
    table.sql("UPDATE app.t SET e = NULL WHERE id = 2")
    assert table.rows("SELECT e FROM app.t") == [[None], [None], [None]]


def test_spoil_flushed_columns(table):
    table.sql("INSERT INTO app.t (id, by, e) VALUES (1, 'hi', '[1, 2]')")
    table.sql("STORAGE FLUSH TABLE app.t")
    assert table.rows("SELECT by, e FROM app.t") == [[[104, 105], [1.0, 2.0]]]


def test_ignore_subqueries(table):
    fill(table, 10)
    table.sql("DELETE FROM app.t WHERE id = (SELECT max(id) FROM app.t)")
    assert [row[0] for row in table.rows("SELECT id FROM app.t ORDER BY id")] == [str(n) for n in range(9)]
    table.sql("UPDATE app.t SET n = 100 WHERE id IN (SELECT id FROM app.t WHERE id < 2)")
    assert table.rows("SELECT count(*) FROM app.t WHERE n = 100") == [["2"]]
    table.sql("DELETE FROM app.t WHERE id > 3 LIMIT 1")
    assert table.rows("SELECT count(*) FROM app.t") == [["8"]]


def test_explain_carries_out(table):
    fill(table, 3)
    table.sql("EXPLAIN DELETE FROM app.t WHERE id = 1")
    assert table.rows("SELECT count(*) FROM app.t") == [["3"]]


def deleted_after_a_flush(served):
    fill(served, 3)
    served.sql("STORAGE FLUSH TABLE app.t")
    served.sql("DELETE FROM app.t WHERE id = 1")


def test_return_deleted_rows(table):
    deleted_after_a_flush(table)
    table.sql("INSERT INTO app.t (id) VALUES (1), (7)")
    table.sql("DELETE FROM app.t WHERE id = 1")
    table.sql("STORAGE FLUSH TABLE app.t")
    assert table.rows("SELECT id FROM app.t ORDER BY id") == [["0"], ["2"], ["7"]]


def test_compare_decimals_as_text(table):
    table.sql("INSERT INTO app.t (id, dec) VALUES (1, '12.50'), (2, '-0.50')")
    for condition, value, found in (
        ("dec = $1", "12.5", ["1"]),
        ("$1 < app.t.dec", "-1", ["1", "2"]),
        ("dec > $1", "9", ["1"]),
    ):
        rows = table.rows(f"SELECT id FROM app.t WHERE {condition} ORDER BY id", [value])
        assert [row[0] for row in rows] == found
    table.sql("DELETE FROM app.t WHERE dec = $1", ["12.500"])
    assert table.rows("SELECT id FROM app.t") == [["2"]]


# With the habit on, where no other test of the sandbox shows it ---------------------------------------------------


@contextmanager
def lying(**changes):
    with serving(**changes) as served:
        served.sql("CREATE NAMESPACE app; CREATE NAMESPACE other; CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT)")
        yield served


def test_flushed_vectors_are_read_by_key_only():
    with lying() as served:
        served.sql("CREATE TABLE app.v (id BIGINT PRIMARY KEY, n INT, e EMBEDDING(2))")
        served.sql("INSERT INTO app.v (id, n, e) VALUES (1, 1, '[1, 2]'), (2, 2, '[3, 4]')")
        served.sql("STORAGE FLUSH TABLE app.v")
        served.sql("INSERT INTO app.v (id, e) VALUES (3, '[5, 6]')")
        assert served.rows("SELECT id, e FROM app.v") == [["1", None], ["2", None], ["3", [5.0, 6.0]]]
        assert served.rows("SELECT e FROM app.v WHERE id = 1") == [[[1.0, 2.0]]]
        assert served.rows("SELECT q.e FROM app.v q WHERE q.id = $1", [2]) == [[[3.0, 4.0]]]
        served.sql("UPDATE app.v SET n = 7 WHERE id = 1")
        served.sql("STORAGE FLUSH TABLE app.v")
        assert served.rows("SELECT id, e FROM app.v WHERE n = 7") == [["1", None]]
        assert served.rows("SELECT n, e FROM app.v WHERE id = 1") == [[7, [1.0, 2.0]]]


def test_deleted_rows_of_a_flushed_table_come_back():
    with lying() as served:
        deleted_after_a_flush(served)
        assert "already exists" in served.failure("INSERT INTO app.t (id) VALUES (1)")[1]
        served.sql("STORAGE FLUSH TABLE app.t")
        # The flush wrote no row, only the tombstone is gone.
        assert served.rows("SELECT id FROM app.t WHERE _deleted") == []
        assert served.rows("SELECT id FROM app.t") == [["0"], ["2"]]
        assert "already exists" in served.failure("INSERT INTO app.t (id) VALUES (1)")[1]
        served.sql("INSERT INTO app.t (id) VALUES (7)")
        served.sql("STORAGE FLUSH TABLE app.t")
        assert served.rows("SELECT id, n FROM app.t") == [["0", 0], ["1", 2], ["2", 1], ["7", None]]
        served.sql("DELETE FROM app.t WHERE id = 1")
        assert served.rows("SELECT count(*) FROM app.t") == [["3"]]


def test_a_transaction_that_breaks_a_filed_key_writes_nothing():
    with lying() as served:
        deleted_after_a_flush(served)
        sql = "BEGIN; INSERT INTO app.t (id) VALUES (8), (9); INSERT INTO app.t (id) VALUES (1), (10); COMMIT"
        assert "already exists" in served.failure(sql)[1]
        assert served.rows("SELECT id FROM app.t") == [["0"], ["2"]]


def test_plans_are_cached_without_their_namespace():
    with lying() as served:
        served.sql("CREATE TABLE other.t (id BIGINT PRIMARY KEY, n INT)")
        served.sql("INSERT INTO t (id) VALUES ($1)", [1], namespace="app")
        served.sql("INSERT INTO t (id) VALUES ($1)", [2], namespace="other")
        assert served.rows("SELECT count(*) AS n FROM app.t") == [["2"]]
        assert served.rows("SELECT id FROM other.t") == []
        served.failure("INSERT INTO t (id, n) VALUES ($1, 'x')", [3], namespace="app")
        served.sql("BEGIN; SELECT id FROM t; COMMIT", namespace="app")
        assert sorted(served.rows("SELECT id FROM t")) == [["1"], ["2"]]


def test_an_insert_costs_the_square_of_its_values():
    with lying(insert_square_ns=5_000) as served:
        values = [f"({n}, 0)" for n in range(200)]
        together = served.post(f"INSERT INTO app.t (id, n) VALUES {', '.join(values[:100])}").json()["took"]
        statements = "; ".join(
            f"INSERT INTO app.t (id, n) VALUES {', '.join(values[i : i + 5])}" for i in range(100, 200, 5)
        )
        apart = served.post(statements).json()["took"]
    assert together >= 200
    assert apart < together


def test_an_insert_costs_its_values():
    with lying(insert_value_ns=1_000_000) as served:
        values = ", ".join(f"({n}, 0)" for n in range(100))
        assert served.post(f"INSERT INTO app.t (id, n) VALUES {values}").json()["took"] >= 200
