"""The ways around what the server does not tell, which have to work here, too (truth R1 to R7)."""

import pytest
from serving import serving


@pytest.fixture
def table(served):
    """``app.t`` with keys 0 to 99."""
    served.sql("CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT, room TEXT)")
    values = ", ".join(f"({n}, 0, 'a')" for n in range(100))
    served.sql(f"INSERT INTO app.t (id, n, room) VALUES {values}")
    return served


def greatest(served):
    return served.rows("SELECT max(_seq) AS s FROM app.t")[0][0]


def test_one_row_holds_everything_in_the_order_asked_for(table):
    table.sql("UPDATE app.t SET n = 100 - id WHERE id >= 0")
    sql = """SELECT array_agg(rn) AS rn, array_agg(c0) AS c0, array_agg(c1) AS c1
        FROM (SELECT *, row_number() OVER () AS rn FROM (
        SELECT id, n FROM app.t WHERE id < $1 ORDER BY n DESC LIMIT 9223372036854775807
        ) AS q(c0, c1)) AS r"""
    places, ids, values = table.rows(sql, [90])[0]
    ordered = [key for _, key in sorted(zip(map(int, places), map(int, ids), strict=True))]
    assert ordered == list(range(90))
    assert all(value == 100 - int(key) for key, value in zip(ids, values, strict=True))


def test_packing_an_empty_result_gives_one_row_of_nulls(table):
    sql = "SELECT array_agg(c0) AS c0, array_agg(c1) AS c1 FROM (SELECT id, n FROM app.t WHERE id < 0) AS q(c0, c1)"
    assert table.rows(sql) == [[None, None]]


def test_true_types_are_told_even_of_an_empty_result(table):
    sql = """SELECT arrow_typeof(first_value(a)) AS a, arrow_typeof(first_value(b)) AS b,
        arrow_typeof(first_value(c)) AS c
        FROM (SELECT id, now(), [n] FROM app.t WHERE id < 0) AS q(a, b, c)"""
    assert table.rows(sql) == [["Int64", "Timestamp(ns)", "List(Int32)"]]


def test_names_and_declared_types_without_rows(table):
    result = table.sql("SELECT * FROM (SELECT id, n AS x FROM app.t) AS q LIMIT 0")[0]
    assert result["rows"] == []
    assert [(c["name"], c["data_type"]) for c in result["schema"]] == [("id", "BigInt"), ("x", "Int")]


def test_union_of_different_declared_types_cannot_be_wrapped(table):
    sql = "SELECT array_agg(c0) AS c0 FROM (SELECT id FROM app.t UNION ALL SELECT n FROM app.t) AS q(c0)"
    assert "Physical input schema should be the same" in table.failure(sql)[1]


def test_what_changed_since(table):
    since = greatest(table)
    table.sql("UPDATE app.t SET n = 5 WHERE id < 3")
    table.sql("DELETE FROM app.t WHERE id IN (7, 8)")
    table.sql("UPDATE app.t SET room = 'b' WHERE id = 9")
    results = table.sql(
        f"BEGIN; SELECT id, n FROM app.t WHERE _seq > {since} AND room = 'a'; "
        f"SELECT id FROM app.t WHERE _seq > {since}; "
        f"SELECT id FROM app.t WHERE _seq > {since} AND _deleted = true; COMMIT"
    )
    assert results[1]["rows"] == [["0", 5], ["1", 5], ["2", 5]]
    assert results[2]["rows"] == [["0"], ["1"], ["2"], ["9"]]
    assert results[3]["rows"] == [["7"], ["8"]]


@pytest.mark.parametrize("condition", ["_deleted = true", "_deleted", "_deleted = $1"])
def test_conditions_that_show_tombstones(table, condition):
    table.sql("DELETE FROM app.t WHERE id = 7")
    params = [True] if "$1" in condition else None
    assert table.rows(f"SELECT id FROM app.t WHERE {condition}", params) == [["7"]]


@pytest.mark.parametrize("condition", ["_deleted IN (true, false)", "_deleted IS NOT NULL", "_deleted OR n = 0"])
def test_conditions_that_show_living_rows_only(table, condition):
    table.sql("DELETE FROM app.t WHERE id >= 3")
    assert table.rows(f"SELECT id FROM app.t WHERE {condition}") == [["0"], ["1"], ["2"]]


def test_tombstones_and_living_rows_in_one_statement_are_refused(table):
    sql = "SELECT count(*) FROM app.t WHERE id IN (SELECT id FROM app.t WHERE _deleted)"
    assert "send two statements between BEGIN and COMMIT" in table.failure(sql)[1]


def test_fingerprint_tells_every_change(table):
    sql = "SELECT count(*) AS n, max(_seq) AS s, bit_xor(_seq) AS x, sum(_seq % 1000000007) AS m FROM app.t"
    before = table.rows(sql)
    held = [int(row[1]) for row in table.rows("SELECT id, _seq FROM app.t LIMIT 1000")]
    exclusive = 0
    for seq in held:
        exclusive ^= seq
    assert before == [["100", str(max(held)), str(exclusive), str(sum(seq % 1000000007 for seq in held))]]
    table.sql("UPDATE app.t SET n = 1 WHERE id = 50")
    assert table.rows(sql) != before


def test_transactions_read_one_snapshot(table):
    """Statements between BEGIN and COMMIT see one state, others see what was written between them (truth L18)."""
    count = "SELECT count(*) AS n FROM app.t"
    assert [r["rows"] for r in table.sql(f"{count}; INSERT INTO app.t (id) VALUES (500); {count}")[:2]] == [
        [["100"]],
        [["101"]],
    ]
    reader = table.sandbox.server
    rows = table.sql(f"BEGIN; {count}; {count}; COMMIT")
    assert rows[1]["rows"] == rows[2]["rows"] == [["101"]]
    assert reader.catalog.tables["app", "t"].logs[None].unflushed == 101


def test_sequence_numbers_are_snowflakes(table):
    seqs = [int(row[0]) for row in table.rows("SELECT _seq FROM app.t ORDER BY _seq LIMIT 1000")]
    assert len(set(seqs)) == 100
    assert seqs == sorted(seqs)
    assert seqs[0] >> 22 > 0


@pytest.fixture
def cut():
    """A server whose scans read 50 versions, and a table with 60 rows, all updated once."""
    with serving(scan_window=50) as served:
        served.sql("CREATE NAMESPACE app; CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT)")
        values = ", ".join(f"({n}, 0)" for n in range(60))
        served.sql(f"INSERT INTO app.t (id, n) VALUES {values}")
        served.sql("UPDATE app.t SET n = 1 WHERE id >= 0")
        yield served


def test_scans_beyond_the_window_are_stale(cut):
    assert cut.rows("SELECT n, count(*) AS c FROM app.t GROUP BY n") == [[0, "50"]]
    assert cut.rows("SELECT count(*) AS c, sum(n) AS s FROM app.t") == [["50", "0"]]
    assert cut.rows("SELECT max(id) AS m FROM app.t") == [["49"]]
    assert cut.rows("SELECT id FROM app.t WHERE id > 55") == []


def test_count_and_look_ups_by_key_are_right_beyond_the_window(cut):
    assert cut.rows("SELECT count(*) AS n FROM app.t") == [["60"]]
    assert cut.rows("SELECT n FROM app.t WHERE id = 3") == [[1]]


def test_walking_by_sequence_reads_everything(cut):
    held, after = {}, 0
    while True:
        window = f"SELECT id, n, _seq FROM app.t WHERE _seq > {after}"
        sql = f"SELECT array_agg(id), array_agg(n), array_agg(_seq) FROM ({window}) AS q"
        ids, values, seqs = cut.rows(sql)[0]
        if ids is None:
            break
        held.update(zip(ids, values, strict=True))
        after = max(map(int, seqs))
    assert held == {str(n): 1 for n in range(60)}


def test_being_beyond_the_window_can_be_asked_for(cut):
    last = cut.rows("SELECT max(_seq) AS s FROM app.t")[0][0]
    assert len(cut.rows(f"SELECT _seq FROM app.t WHERE _seq > {last} LIMIT 1")) == 1
    cut.sql("STORAGE FLUSH TABLE app.t")
    last = cut.rows("SELECT max(_seq) AS s FROM app.t")[0][0]
    assert cut.rows(f"SELECT _seq FROM app.t WHERE _seq > {last} LIMIT 1") == []
    assert cut.rows("SELECT n, count(*) AS c FROM app.t GROUP BY n") == [[1, "60"]]


def test_query_memory_is_limited():
    with serving(query_memory_bytes=200_000) as served:
        served.sql("CREATE NAMESPACE app; CREATE TABLE app.t (id BIGINT PRIMARY KEY, s TEXT)")
        values = ", ".join(f"({n}, '{'x' * 400}')" for n in range(2000))
        served.sql(f"INSERT INTO app.t (id, s) VALUES {values}")
        assert "Resources exhausted" in served.failure("SELECT array_agg(s) FROM app.t")[1]
