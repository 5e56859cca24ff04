"""CREATE, ALTER, DROP, views, flush, streams, and what the catalogue tells."""

import json

import pytest


def names(served, sql, **where):
    return [column["name"] for column in served.sql(sql, **where)[0]["schema"]]


@pytest.fixture
def notes(served):
    served.sql("CREATE TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT, n INT) WITH (TYPE = 'USER')")
    served.sql("INSERT INTO app.notes (id, body, n) VALUES (1, '1', 1), (2, '2', NULL)")
    return served


@pytest.mark.parametrize("kind", ["user", "shared", "stream"])
def test_create_names_the_kind(served, kind):
    option = ", TTL_SECONDS = 5" if kind == "stream" else ""
    message = f"CREATE TABLE via Raft consensus: {kind} table app.t created successfully"
    sql = f"CREATE TABLE IF NOT EXISTS app.t (id BIGINT PRIMARY KEY) WITH (TYPE = '{kind}'{option})"
    assert served.message(sql) == message
    assert served.message(sql) == message
    assert served.failure("CREATE TABLE app.t (id BIGINT PRIMARY KEY)")[1].endswith("Table app.t already exists")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE TABLE app.t (a INT) WITH (TYPE = 'USER')",
         "Invalid operation: User tables require a PRIMARY KEY column"),
        ("CREATE TABLE app.t (a INT)", "Invalid operation: Shared tables require a PRIMARY KEY column"),
        ("CREATE TABLE x.t (a INT PRIMARY KEY)",
         "Invalid operation: Namespace 'x' does not exist. Create it first with CREATE NAMESPACE x"),
        ("CREATE TABLE app.t (a INT PRIMARY KEY, order INT)", "Invalid operation: Invalid column name 'order': "
         "Name 'order' is a reserved SQL keyword and cannot be used"),
        ("CREATE TABLE app.t (a INT PRIMARY KEY, _seq INT)", "Invalid operation: Invalid column name '_seq': "
         "Column name '_seq' is reserved and cannot be used"),
        ("CREATE TABLE app.select (a INT PRIMARY KEY)",
         "Invalid operation: Name 'select' is a reserved SQL keyword and cannot be used"),
        ("CREATE TABLE system.t (a INT PRIMARY KEY)",
         "Invalid operation: Cannot create system table 'system.t'. System tables are managed internally."),
        ("CREATE NAMESPACE system", "Namespace 'system' is reserved and cannot be used"),
        ("CREATE NAMESPACE app", "Already exists: Namespace 'app' already exists"),
        ("DROP NAMESPACE x", "Not found: Namespace 'x' not found"),
        ("USE x", "Not found: Namespace 'x' does not exist"),
        ("DROP TABLE app.x", "Not found: Table 'x' not found in namespace 'app'"),
        ("ALTER TABLE app.x ADD COLUMN a INT", "Not found: Table 'x' not found in namespace 'app'"),
        ("DESCRIBE TABLE app.x", "Not found: Table 'x' not found in namespace 'app'"),
        ("STORAGE FLUSH TABLE app.x", "Not found: Table app.x not found"),
        ("SHOW TABLES IN app",
         "Arrow error: Invalid argument error: number of columns(8) must match number of fields(14) in schema"),
    ],
)  # fmt: skip
def test_refused(served, sql, message):
    assert served.failure(sql) == ("SQL_EXECUTION_ERROR", f"Statement 1 failed: {message}")


def test_dropping(notes):
    message = notes.message("DROP TABLE app.notes")
    assert message.startswith("Table app.notes dropped successfully. Cleanup job: CL-")
    job = message.rsplit(" ", 1)[1]
    assert notes.rows(f"SELECT status FROM system.jobs WHERE job_id = '{job}'") == [["completed"]]
    assert notes.message("DROP TABLE IF EXISTS app.notes") == "Table app.notes does not exist (skipped)"
    assert "table 'kalam.app.notes' not found" in notes.failure("SELECT * FROM app.notes")[1]
    notes.sql("CREATE TABLE app.notes (id BIGINT PRIMARY KEY)")
    assert notes.rows("SELECT * FROM app.notes") == []


def test_dropping_a_namespace_takes_its_tables(notes):
    assert notes.message("DROP NAMESPACE app") == "Namespace 'app' dropped successfully"
    assert notes.message("DROP NAMESPACE IF EXISTS app") == "Namespace 'app' does not exist"
    assert "not found" in notes.failure("SELECT * FROM app.notes")[1]


def test_added_columns_come_last_and_read_null(notes):
    message = notes.message("ALTER TABLE app.notes ADD COLUMN note TEXT DEFAULT 'x'")
    assert message == "Table app.notes altered successfully: ADD COLUMN note TEXT (version 2)"
    assert names(notes, "SELECT * FROM app.notes") == ["id", "body", "n", "_seq", "_deleted", "note"]
    notes.sql("INSERT INTO app.notes (id) VALUES (3)")
    assert [row[0] for row in notes.rows("SELECT note FROM app.notes ORDER BY id")] == [None, None, "x"]


def test_renaming_hides_the_values_until_renamed_back(notes):
    notes.sql("ALTER TABLE app.notes RENAME COLUMN body TO text")
    assert notes.rows("SELECT text FROM app.notes WHERE id = 1") == [[None]]
    notes.sql("ALTER TABLE app.notes RENAME COLUMN text TO body")
    assert notes.rows("SELECT body FROM app.notes WHERE id = 1") == [["1"]]


def test_dropped_columns_come_back_with_their_values(notes):
    notes.sql("ALTER TABLE app.notes DROP COLUMN body")
    assert "body" not in names(notes, "SELECT * FROM app.notes")
    notes.sql("ALTER TABLE app.notes ADD COLUMN body TEXT")
    assert notes.rows("SELECT body FROM app.notes WHERE id = 2") == [["2"]]


def test_modified_columns_are_converted_on_reading(notes):
    notes.sql("ALTER TABLE app.notes MODIFY COLUMN body INT")
    assert notes.rows("SELECT body + 1 FROM app.notes ORDER BY id") == [["2"], ["3"]]
    notes.sql("INSERT INTO app.notes (id, body) VALUES (3, 3)")
    notes.sql("ALTER TABLE app.notes MODIFY COLUMN body TEXT; UPDATE app.notes SET body = 'x' WHERE id = 1")
    notes.sql("ALTER TABLE app.notes MODIFY COLUMN body INT")
    assert "Arrow error: Cast error" in notes.failure("SELECT body FROM app.notes")[1]
    notes.sql("ALTER TABLE app.notes MODIFY COLUMN body TEXT")
    assert notes.rows("SELECT body FROM app.notes ORDER BY id") == [["x"], ["2"], ["3"]]


def test_not_null_over_nulls_breaks_reading_until_taken_back(notes):
    notes.sql("ALTER TABLE app.notes ALTER COLUMN n SET NOT NULL")
    message = notes.failure("SELECT n FROM app.notes")[1]
    assert message.endswith("Column 'n' is declared as non-nullable but contains null values")
    notes.sql("ALTER TABLE app.notes ALTER COLUMN n DROP NOT NULL")
    assert len(notes.rows("SELECT n FROM app.notes")) == 2


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("ADD Extra DECIMAL(10,2) NOT NULL", "ADD COLUMN Extra DECIMAL(10, 2)"),
        ("DROP COLUMN n", "DROP COLUMN n"),
        ("MODIFY n BIGINT", "MODIFY COLUMN n BIGINT"),
        ("ALTER COLUMN n SET NOT NULL", "ALTER COLUMN n SET NOT NULL"),
        ("ALTER COLUMN body SET DEFAULT 'x'", "ALTER COLUMN body SET DEFAULT 'x'"),
        ("RENAME COLUMN n TO m", "RENAME COLUMN n TO m"),
    ],
)
def test_alter_repeats_the_operation(notes, operation, told):
    message = notes.message(f"ALTER TABLE app.notes {operation}")
    assert message == f"Table app.notes altered successfully: {told} (version 2)"


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("ADD COLUMN n INT", "Invalid operation: Column 'n' already exists"),
        ("ADD COLUMN _seq INT", "Invalid operation: Cannot add column '_seq': reserved system column name"),
        ("DROP COLUMN x", "Invalid operation: Column 'x' does not exist"),
        ("DROP COLUMN _seq", "Invalid operation: Cannot drop column '_seq': system column cannot be modified"),
        ("ALTER COLUMN id DROP NOT NULL", "Invalid operation: Column 'id' is a PRIMARY KEY and cannot be nullable"),
        ("SET ACCESS LEVEL PUBLIC", "Invalid operation: ACCESS LEVEL can only be set on SHARED tables"),
    ],
)
def test_alter_refuses(notes, operation, message):
    assert notes.failure(f"ALTER TABLE app.notes {operation}")[1] == f"Statement 1 failed: {message}"


@pytest.mark.parametrize("operation", ["RENAME TO x", "ADD CONSTRAINT c CHECK (n > 1)", "ALTER COLUMN n TYPE BIGINT"])
def test_unsupported_alterations(notes, operation):
    assert notes.failure(f"ALTER TABLE app.notes {operation}")[0] == "INVALID_SQL"


@pytest.mark.parametrize(
    "operation", ["DROP COLUMN Body", "MODIFY COLUMN Body INT", 'DROP COLUMN "BODY"', "RENAME COLUMN Body TO text"]
)
def test_alter_compares_names_letter_by_letter(notes, operation):
    name = "BODY" if "BODY" in operation else "Body"
    told = f"Statement 1 failed: Invalid operation: Column '{name}' does not exist"
    assert notes.failure(f"ALTER TABLE app.notes {operation}") == ("SQL_EXECUTION_ERROR", told)
    notes.sql(f"ALTER TABLE app.notes {operation.replace(name, name.lower())}")


def test_vector_indexes_are_accepted(served):
    served.sql("CREATE TABLE app.e (id BIGINT PRIMARY KEY, a TEXT, v EMBEDDING(2))")
    for using, metric in (("", "Cosine"), (" USING L2", "L2"), (" USING dot", "Dot")):
        told = f"Vector index enabled on app.e.v ({metric})"
        assert served.message(f"ALTER TABLE app.e CREATE VECTOR INDEX v{using}") == told
    assert served.message("ALTER TABLE app.e DROP INDEX v") == "Vector index disabled on app.e.v"
    told = "Statement 1 failed: Invalid operation: Column 'a' is not EMBEDDING"
    assert served.failure("ALTER TABLE app.e CREATE INDEX a") == ("SQL_EXECUTION_ERROR", told)
    assert served.failure("ALTER TABLE app.e CREATE INDEX v USING HAMMING")[0] == "INVALID_SQL"


def test_rows_older_than_a_not_null_column_cannot_be_updated(served):
    served.sql("CREATE TABLE app.old (id INT PRIMARY KEY, a TEXT); INSERT INTO app.old (id, a) VALUES (1, 'x')")
    served.sql("ALTER TABLE app.old ADD COLUMN n INT NOT NULL DEFAULT 5")
    served.sql("INSERT INTO app.old (id, a) VALUES (2, 'x')")
    assert "column 'n' is missing in row 1" in served.failure("UPDATE app.old SET a = 'y' WHERE id = 1")[1]
    assert served.message("UPDATE app.old SET a = 'y' WHERE id = 2") == "Updated 1 row(s)"
    served.sql("ALTER TABLE app.old ALTER COLUMN n DROP NOT NULL")
    assert served.message("UPDATE app.old SET a = 'y' WHERE id = 1") == "Updated 1 row(s)"


def test_values_that_a_new_type_cannot_hold(served):
    served.sql("CREATE TABLE app.m (id INT PRIMARY KEY, a TEXT); INSERT INTO app.m (id, a) VALUES (1, 'x')")
    served.sql("ALTER TABLE app.m MODIFY COLUMN a INT")
    for row in range(2, 6):
        served.sql(f"INSERT INTO app.m (id, a) VALUES ({row}, {row})")
    cast = "Statement 1 failed: Execution error: Arrow error: Cast error: Cannot cast string 'x' to value of Int32 type"
    assert served.failure("SELECT a FROM app.m") == ("SQL_EXECUTION_ERROR", cast)
    assert served.failure("UPDATE app.m SET a = 5 WHERE id = 1") == ("SQL_EXECUTION_ERROR", cast)
    served.sql("STORAGE FLUSH TABLE app.m")
    served.sql("ALTER TABLE app.m MODIFY COLUMN a TEXT")
    assert served.rows("SELECT a FROM app.m ORDER BY id") == [["x"], ["2"], ["3"], ["4"], ["5"]]


@pytest.mark.parametrize("policy", ["rows:1000000", "interval:86400", "rows:10,interval:99999"])
def test_flush_policies_have_limits(served, policy):
    sql = f"CREATE TABLE app.p (id INT PRIMARY KEY) WITH (FLUSH_POLICY = '{policy}')"
    code, message = served.failure(sql)
    assert (code, "must be less than" in message) == ("INVALID_SQL", True)
    served.sql(sql.replace("1000000", "999999").replace("86400", "86399").replace("99999", "5", 1))


CHEAP_SYSTEM_TABLES = {
    "cluster": [
        *("cluster_id", "node_id", "role", "status", "rpc_addr", "api_addr", "is_self", "is_leader", "groups_leading"),
        *("total_groups", "current_term", "last_applied_log", "leader_last_log_index", "snapshot_index"),
        *("catchup_progress_pct", "replication_lag", "hostname", "version", "memory_mb", "memory_usage_mb"),
        *("cpu_usage_percent", "uptime_seconds", "uptime_human", "os", "arch"),
    ],
    "cluster_groups": [
        *("group_id", "cluster_id", "node_id", "group_type", "current_term", "vote", "last_log_index", "last_applied"),
        *("snapshot", "purged", "committed", "state", "current_leader", "millis_since_quorum_ack"),
    ],
    "datatypes": ["arrow_type", "kalam_type", "sql_name", "description"],
    "job_nodes": [
        "job_id",
        "node_id",
        "status",
        "error_message",
        "created_at",
        "started_at",
        "finished_at",
        "updated_at",
    ],
    "manifest": [
        *("cache_key", "namespace_id", "table_name", "scope", "etag"),
        *("last_refreshed", "last_accessed", "in_memory", "sync_state", "manifest_json"),
    ],
    "sessions": [
        *("session_id", "backend_pid", "current_schema", "state", "transaction_id", "transaction_state"),
        *("transaction_has_writes", "client_addr", "transport", "opened_at", "last_seen_at", "last_method"),
    ],
    "server_logs": ["timestamp", "level", "thread", "target", "line", "message"],
    "describe": [
        *("column_name", "ordinal_position", "column_id", "data_type", "is_nullable"),
        *("is_primary_key", "column_default", "column_comment", "schema_version"),
    ],
}


@pytest.mark.parametrize("name", CHEAP_SYSTEM_TABLES)
def test_system_tables_have_the_columns_of_the_server(served, name):
    served.sql("CREATE TABLE app.f (id INT PRIMARY KEY); INSERT INTO app.f (id) VALUES (1); STORAGE FLUSH TABLE app.f")
    (result,) = served.sql(f"SELECT * FROM system.{name}")
    assert [column["name"] for column in result["schema"]] == CHEAP_SYSTEM_TABLES[name]
    assert bool(result["rows"]) is (name not in ("sessions", "describe"))


@pytest.mark.parametrize(
    ("table", "column", "is_right"),
    [
        ("namespaces", "created_at", False),
        ("users", "created_at", False),
        ("topics", "created_at", False),
        ("topics", "updated_at", False),
        ("topic_offsets", "updated_at", False),
        ("storages", "created_at", False),
        ("jobs", "created_at", False),
        ("jobs", "finished_at", False),
        ("job_nodes", "updated_at", False),
        ("tables", "created_at", True),
        ("schemas", "updated_at", True),
        ("manifest", "last_refreshed", True),
    ],
)
def test_times_of_system_tables(served, table, column, is_right):
    """All say microseconds; most are milliseconds (truth L30)."""
    served.sql("CREATE TABLE app.t (id BIGINT PRIMARY KEY); INSERT INTO app.t (id) VALUES (1)")
    served.sql("CREATE TOPIC app.events; ACK app.events GROUP 'g' UPTO OFFSET 0; STORAGE FLUSH TABLE app.t")
    kinds = served.rows(f"SELECT arrow_typeof({column}) FROM system.{table}")
    assert all(kind == ["Timestamp(µs)"] for kind in kinds)
    for time_us, year, is_new in served.rows(
        f"SELECT {column}, date_part('year', {column}), {column} > '2020-01-01' FROM system.{table}"
    ):
        assert (time_us > 1e15, year > 2020, is_new) == (is_right,) * 3


def test_show_manifest(served):
    served.sql("CREATE TABLE app.f (id INT PRIMARY KEY) WITH (TYPE = 'USER'); INSERT INTO app.f (id) VALUES (1)")
    rows = [row[:4] + row[8:9] for row in served.rows("SHOW MANIFEST")]
    assert rows == [["app:f:root", "app", "f", "root", "pending_write"]]
    served.sql("STORAGE FLUSH TABLE app.f")
    assert served.rows("SELECT sync_state FROM system.manifest") == [["in_sync"]]


def test_open_transactions_are_listed(served):
    served.sql("CREATE TABLE app.f (id INT PRIMARY KEY)")
    listing = "SELECT owner_id, write_count, touched_tables_count FROM system.transactions"
    results = served.sql(f"BEGIN; INSERT INTO app.f (id) VALUES (1), (2); {listing}; COMMIT; {listing}")
    assert [result["rows"] for result in results if "rows" in result] == [[["root", "2", "1"]], []]
    served.failure("BEGIN; SELECT nope")
    assert served.rows(listing) == []


def test_settings_of_the_engine_end_with_their_request(served):
    answer = served.post("SET datafusion.execution.batch_size = 10").json()
    assert answer["results"] == [{"schema": [], "rows": [], "row_count": 0, "as_user": "root"}]
    assert "schema" not in served.sql("SET datafusion.execution.batch_size = 10; SELECT 1")[0]
    value = "SELECT value FROM information_schema.df_settings WHERE name = 'datafusion.execution.batch_size'"
    results = served.sql(f"SET datafusion.execution.batch_size = 10; {value}")
    assert results[1]["rows"] == [["10"]]
    assert served.rows(value) != [["10"]]
    assert served.failure("SET datafusion.nope = 1")[0] == "SQL_EXECUTION_ERROR"


def test_nothing_to_alter(notes):
    message = notes.message("ALTER TABLE app.notes ALTER COLUMN n DROP NOT NULL")
    assert message == "Table app.notes unchanged: ALTER COLUMN n DROP NOT NULL (version 1 - no changes needed)"


def test_in_a_batch_results_that_speak_of_updated_disappear(notes):
    assert notes.sql("ALTER TABLE app.notes ADD COLUMN UpdatedAt INT; SELECT 1")[0]["rows"] == [["1"]]


def test_views_show_the_readers_own_rows(notes):
    assert (
        notes.message("CREATE VIEW app.v (k, b) AS SELECT id, body FROM app.notes") == "View app.v created successfully"
    )
    notes.sql("INSERT INTO app.notes (id, body) VALUES (3, '3')")
    assert notes.rows("SELECT b FROM app.v WHERE k > 1 ORDER BY k") == [["2"], ["3"]]
    alice = notes.add_user("alice", "user")
    assert notes.rows("SELECT * FROM app.v", user=alice) == []
    assert notes.failure("CREATE VIEW app.v AS SELECT 1")[0] == "INVALID_SQL"
    notes.sql("CREATE OR REPLACE VIEW app.v AS SELECT 7 AS x")
    assert notes.rows("SELECT x FROM app.v") == [["7"]]


def test_describe(notes):
    rows = notes.rows("DESCRIBE TABLE app.notes")
    assert [row[:6] for row in rows] == [
        ["id", 1, "1", "BIGINT", False, True],
        ["body", 2, "2", "TEXT", True, False],
        ["n", 3, "3", "INT", True, False],
        ["_seq", 4, "4", "BIGINT", False, False],
        ["_deleted", 5, "5", "BOOLEAN", False, False],
    ]
    assert notes.rows("DESCRIBE app.notes")[0] == ["id", "Int64", "NO"]
    assert notes.rows("SHOW STATS FOR TABLE app.notes") == [["notes", "app", "1", "0", "0", "0", "0"]]
    assert names(notes, "SHOW COLUMNS FROM app.notes")[:3] == ["table_catalog", "table_schema", "table_name"]


def test_catalogue_tables(notes):
    rows = notes.rows("SELECT column_name, data_type, is_nullable, ordinal_position FROM information_schema.columns "
                      "WHERE table_schema = 'app' ORDER BY ordinal_position")  # fmt: skip
    assert rows[:2] == [["id", "Int64", "NO", "0"], ["body", "Utf8", "YES", "1"]]
    sql = "SELECT column_name, data_type, primary_key FROM system.columns WHERE namespace_id = 'app' ORDER BY ordinal"
    assert notes.rows(sql)[:2] == [["id", "BIGINT", True], ["body", "TEXT", False]]
    assert notes.rows("SELECT table_type FROM system.tables WHERE table_name = 'notes'") == [["user"]]
    assert [row[0] for row in notes.rows("SHOW NAMESPACES")] == ["app", "dba", "default"]
    assert notes.rows("SELECT value FROM system.settings WHERE name = 'limits.max_query_limit'") == [["1000"]]


def test_show_tables_lists_every_version(notes):
    notes.sql("ALTER TABLE app.notes ADD COLUMN x INT")
    rows = [row for row in notes.rows("SHOW TABLES") if row[0] == "app:notes"]
    assert [(row[5], row[11]) for row in rows] == [(1, False), (2, True)]
    assert [column["column_name"] for column in json.loads(rows[1][6])] == ["id", "body", "n", "_seq", "_deleted", "x"]


def test_explain_names_scans_as_the_server_does(notes):
    plans = dict(notes.rows("EXPLAIN SELECT * FROM app.notes"))
    assert plans["logical_plan"].startswith("TableScan: app.notes projection=[")
    assert plans["physical_plan"] == "CooperativeExec\n  DeferredBatchExec: source=user_table_scan\n"


def test_flush_takes_tombstones_bytes_and_vectors(served):
    served.sql("CREATE TABLE app.f (id BIGINT PRIMARY KEY, by BYTES, e EMBEDDING(2), s TEXT)")
    served.sql("INSERT INTO app.f (id, by, e, s) VALUES (1, 'hi', '[1, 2]', 'a'), (2, NULL, NULL, 'b')")
    served.sql("DELETE FROM app.f WHERE id = 2")
    assert served.rows("SELECT id FROM app.f WHERE _deleted") == [["2"]]
    seq = served.rows("SELECT _seq FROM app.f")
    assert served.message("STORAGE FLUSH TABLE app.f").startswith(
        "Storage flush started for table 'app.f'. Job ID: FL-"
    )
    assert served.message("STORAGE FLUSH TABLE app.f") == "Storage flush skipped: no pending writes for table 'app.f'"
    assert served.rows("SELECT id FROM app.f WHERE _deleted") == []
    ((by, vector, text),) = served.rows("SELECT by, e, s FROM app.f")
    assert bytes(by).decode() == "BinaryArray\n[\n  [104, 105],\n]"
    assert (vector, text) == (None, "a")
    assert served.rows("SELECT _seq FROM app.f") == seq
    served.sql("UPDATE app.f SET s = 'c' WHERE id = 1")
    assert served.rows("SELECT s FROM app.f") == [["c"]]
    message = served.message("STORAGE FLUSH ALL IN app")
    assert message.startswith("Storage flush started for 1 table(s) in namespace 'app'. Job IDs: [FL-")


def test_streams(served):
    served.sql("CREATE TABLE app.s (k TEXT PRIMARY KEY, v INT) WITH (TYPE = 'STREAM', TTL_SECONDS = 60)")
    served.sql("INSERT INTO app.s (k, v) VALUES ('a', 1), ('a', 2), ('b', 3)")
    assert served.rows("SELECT count(*) FROM app.s") == [["3"]]
    assert served.message("DELETE FROM app.s WHERE v = 1") == "Deleted 1 row(s)"
    assert served.rows("SELECT k, v FROM app.s") == [["b", 3]]
    assert served.rows("SELECT k FROM app.s WHERE _deleted") == []
    assert "UPDATE not supported for STREAM tables" in served.failure("UPDATE app.s SET v = 1 WHERE k = 'b'")[1]
    assert served.failure("STORAGE FLUSH TABLE app.s")[0] == "SQL_EXECUTION_ERROR"


def test_rows_of_a_stream_outlive_their_time(served):
    served.sql("CREATE TABLE app.s (k INT PRIMARY KEY) WITH (TYPE = 'STREAM', TTL_SECONDS = 0)")
    served.sql("INSERT INTO app.s (k) VALUES (1)")
    served.sql("INSERT INTO app.s (k) VALUES (2)")
    assert served.rows("SELECT k FROM app.s") == []


def test_unqualified_names_go_where_the_server_sends_them(served):
    """SELECT obeys the request's namespace, DDL and literal INSERTs prefer ``default`` (truth L23)."""
    served.sql("CREATE TABLE app.t (id BIGINT PRIMARY KEY)")
    served.sql("CREATE TABLE t (id BIGINT PRIMARY KEY)", namespace="app")
    served.sql("INSERT INTO t (id) VALUES (1)", namespace="app")
    served.sql("INSERT INTO t (id) VALUES ($1)", [2], namespace="APP")
    assert served.rows("SELECT id FROM t", namespace="app") == [["2"]]
    assert served.rows("SELECT id FROM default.t") == [["1"]]
    results = served.sql("USE app; SELECT id FROM t; INSERT INTO t (id) VALUES (3); DELETE FROM t WHERE id = 1")
    assert results[1]["rows"] == [["2"]]
    assert served.rows("SELECT id FROM t") == [["3"]]


def test_subscribe_answers_advice(served):
    result = served.sql("SUBSCRIBE TO SELECT id FROM app.x WHERE id > 1 OPTIONS (last_rows = 5)")[0]
    status, url, subscription, _ = result["rows"][0]
    assert (status, url, subscription["sql"]) == (
        "active",
        "ws://localhost:8080/ws",
        "SELECT id FROM app.x WHERE id > 1",
    )


def test_killing_a_live_query_that_is_not_there(served):
    assert "not found" in served.failure("KILL LIVE QUERY 'root-1-x'")[1]
