"""BEGIN … COMMIT inside one request."""

import pytest

from kalam_sandbox.engine.reader import Filling, Reader


@pytest.fixture
def table(served):
    served.sql("CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT)")
    served.sql("INSERT INTO app.t (id, n) VALUES (1, 1), (2, 2)")
    return served


def test_commit_writes_everything_and_sees_its_own_writes(table):
    results = table.sql(
        "BEGIN; INSERT INTO app.t (id, n) VALUES (3, 3); INSERT INTO app.t (id, n) VALUES (4, 4); "
        "UPDATE app.t SET n = 30 WHERE id = 3; DELETE FROM app.t WHERE id = 1; SELECT id, n FROM app.t; COMMIT"
    )
    messages = [result.get("message") for result in results]
    assert messages[0].startswith("Transaction started (")
    assert messages[2].startswith("Transaction committed (")
    assert messages[3:] == ["Inserted 2 row(s)", "Updated 1 row(s)", "Deleted 1 row(s)"]
    assert results[1]["rows"] == table.rows("SELECT id, n FROM app.t") == [["2", 2], ["3", 30], ["4", 4]]


def test_uncommitted_rows_of_a_run_show_sequence_zero(table):
    results = table.sql(
        "BEGIN; INSERT INTO app.t (id) VALUES (8); INSERT INTO app.t (id) VALUES (9); "
        "SELECT _seq FROM app.t WHERE id = 9; COMMIT"
    )
    assert results[1]["rows"] == [["0"]]
    assert int(table.rows("SELECT _seq FROM app.t WHERE id = 9")[0][0]) > 0


@pytest.mark.parametrize("columns", ["_seq", "*"])
def test_sequence_of_a_single_insert_cannot_be_read(table, columns):
    _, message = table.failure(f"BEGIN; INSERT INTO app.t (id) VALUES (9); SELECT {columns} FROM app.t; COMMIT")
    assert message.startswith("Statement 3 failed: ")
    assert message.endswith("Column '_seq' is declared as non-nullable but contains null values")
    results = table.sql("BEGIN; INSERT INTO app.t (id) VALUES (9); SELECT id FROM app.t WHERE id = 9; COMMIT")
    assert results[1]["rows"] == [["9"]]


def test_single_insert_stays_in_the_namespace_asked_for(table):
    table.sql("CREATE TABLE default.t (id BIGINT PRIMARY KEY)")
    lone = "INSERT INTO t (id) VALUES (9)"
    table.sql(f"BEGIN; {lone}; COMMIT", namespace="app")
    assert table.rows("SELECT id FROM app.t WHERE id = 9") == [["9"]]
    table.sql(f"BEGIN; {lone}; INSERT INTO t (id) VALUES (10); COMMIT", namespace="app")
    assert table.rows("SELECT id FROM default.t ORDER BY id") == [["9"], ["10"]]


def test_rollback_undoes_and_still_counts(table):
    results = table.sql("BEGIN; INSERT INTO app.t (id) VALUES (9); ROLLBACK")
    assert [result["message"].split(" (")[0] for result in results] == [
        "Transaction started",
        "Transaction rolled back",
        "Inserted 1 row(s)",
    ]
    assert table.rows("SELECT id FROM app.t WHERE id = 9") == []


def test_any_failure_rolls_back_everything(table):
    table.failure("BEGIN; INSERT INTO app.t (id) VALUES (9); SELECT * FROM app.nope; COMMIT")
    assert table.rows("SELECT count(*) FROM app.t") == [["2"]]


def test_broken_constraint_shows_at_commit(table):
    _, message = table.failure("BEGIN; INSERT INTO app.t (id) VALUES (9); INSERT INTO app.t (id) VALUES (1); COMMIT")
    assert message.startswith("Statement 4 failed: Invalid operation: failed to commit transaction '")
    assert "Primary key violation: value '1' already exists in column 'id'" in message
    assert table.rows("SELECT count(*) FROM app.t") == [["2"]]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("BEGIN", "Request completed with an open explicit transaction; rolled back automatically"),
        ("COMMIT", "Statement 1 failed: Invalid operation: COMMIT requires an active explicit SQL transaction"),
        ("ROLLBACK", "Statement 1 failed: Invalid operation: ROLLBACK requires an active explicit SQL transaction"),
    ],
)
def test_misuse(table, sql, message):
    assert table.failure(sql) == ("SQL_EXECUTION_ERROR", message)


def test_second_begin_and_ddl_are_refused(table):
    assert table.failure("BEGIN; BEGIN; COMMIT")[1].startswith("Statement 2 failed: Conflict: request owner 'sql-req-")
    message = table.failure("BEGIN; CREATE NAMESPACE other; COMMIT")[1]
    assert message.startswith("Statement 2 failed: Invalid operation: DDL is not allowed inside explicit transaction '")


def test_shared_and_user_tables_do_not_mix(table):
    table.sql("CREATE TABLE app.u (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER')")
    message = table.failure("BEGIN; INSERT INTO app.t (id) VALUES (9); INSERT INTO app.u (id) VALUES (9); COMMIT")[1]
    assert message.endswith("explicit transactions must remain within one data raft group")
    assert table.rows("SELECT count(*) FROM app.u") == [["0"]]


def test_stream_rows_stay_after_rollback(table):
    table.sql("CREATE TABLE app.s (id BIGINT PRIMARY KEY) WITH (TYPE = 'STREAM', TTL_SECONDS = 60)")
    table.sql("BEGIN; INSERT INTO app.s (id) VALUES (1); ROLLBACK")
    assert table.rows("SELECT id FROM app.s") == [["1"]]


def test_snapshot_does_not_move_while_others_write_and_flush(table):
    snapshot = Reader(table.sandbox.server.catalog, scan_window=1000)
    snapshot.begin()
    table.sql("INSERT INTO app.t (id) VALUES (50); DELETE FROM app.t WHERE id = 1; STORAGE FLUSH TABLE app.t")
    rows = [row for part in snapshot.scan(("app", "t"), "root", Filling()) for row in part.to_pylist()]
    assert sorted(row["id"] for row in rows) == [1, 2]
    assert table.rows("SELECT id FROM app.t") == [["2"], ["50"]]
