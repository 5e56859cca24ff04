"""INSERT, UPDATE and DELETE: two paths of INSERT, coercion, constraints, what the server ignores."""

import pytest

FAILED = "Statement 1 failed: "
LITERAL = (
    f"{FAILED}Execution error: Raft error: Internal error: Provider error: Execution error: Failed to insert batch: "
)
PLANNING = "Execution error: Error during planning: "
KEY = "Already exists: Primary key violation: value"
NOT_NULL = "Constraint violation: Execution error: NOT NULL constraint violation: column"
TYPES = """CREATE TABLE app.types (id BIGINT PRIMARY KEY, b BOOLEAN, si SMALLINT, i INT, bi BIGINT, f FLOAT, d DOUBLE,
    dec DECIMAL(10,2), t TEXT, j JSON, by BYTES, ts TIMESTAMP, da DATE, dt DATETIME, ti TIME, u UUID, e EMBEDDING(2))"""
UUID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.fixture
def typed(served):
    served.sql(TYPES)
    return served


@pytest.fixture
def notes(served):
    served.sql("CREATE TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT NOT NULL, n INT) WITH (TYPE = 'USER')")
    served.sql("INSERT INTO app.notes (id, body, n) VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', NULL)")
    return served


CELLS = [
    ("b", True, True),
    ("b", "yes", True),
    ("b", 1, True),
    ("si", "12", 12),
    ("si", 1.9, 1),
    ("i", -5, -5),
    ("bi", "9223372036854775807", "9223372036854775807"),
    ("f", 0.1, 0.10000000149011612),
    ("d", "1e-300", 1e-300),
    ("dec", "1.005", "1.01"),
    ("dec", 1.005, "1.00"),
    ("dec", 7, "7.00"),
    ("t", 5, "5"),
    ("t", "é\"'<b>", "é\"'<b>"),
    ("j", "not json", "not json"),
    ("by", "hi", [104, 105]),
    ("ts", "2026-01-01T02:00:00+02:00", 1767225600000000),
    ("ts", 5, 5),
    ("da", "2026-01-01", 20454),
    ("da", -1, -1),
    ("dt", "2026-01-01", 1767225600000000),
    ("ti", "12:34:56.5", 45296500000),
    ("u", UUID.upper().replace("-", ""), UUID),
    ("e", "[0.5, 2]", [0.5, 2.0]),
]


@pytest.mark.parametrize(("column", "value", "cell"), CELLS)
def test_values_are_stored_alike_on_both_paths(typed, column, value, cell):
    literal = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
    typed.sql(f"INSERT INTO app.types (id, {column}) VALUES (1, {literal})")
    typed.sql(f"INSERT INTO app.types (id, {column}) VALUES ($1, $2)", [2, value])
    assert typed.rows(f"SELECT {column} FROM app.types ORDER BY id") == [[cell], [cell]]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        (
            "si",
            "32768",
            "Unable to cast value Int64 to Int16 for column 'si': Arrow error: Cast error: Can't cast value",
        ),
        (
            "i",
            "'abc'",
            "Unable to cast value Utf8 to Int32 for column 'i': Arrow error: Cast error: Cannot cast string",
        ),
        ("dec", "999999999.999", "Unable to cast value Float64 to Decimal128(10, 2) for column 'dec': Arrow error:"),
        (
            "ts",
            "'2026-13-01'",
            "Unable to cast value Utf8 to Timestamp(Microsecond, None) for column 'ts': Arrow error: Parser error:",
        ),
        ("u", "'nope'", "Invalid UUID literal 'nope' for column 'u': invalid character: found `n` at 1"),
        ("u", "'12'", "Invalid UUID literal '12' for column 'u': invalid length: expected length 32"),
        ("e", "'[1]'", "Embedding dimension mismatch for column 'e': expected 2, got 1"),
        ("e", "'x'", "Invalid embedding JSON for column 'e'"),
    ],
)
def test_values_that_do_not_fit(typed, column, value, reason):
    _, message = typed.failure(f"INSERT INTO app.types (id, {column}) VALUES (1, {value})")
    assert message.startswith(f"Statement 1 failed: Invalid operation: Schema coercion failed: {reason}")
    assert typed.rows("SELECT id FROM app.types") == []


def test_bad_parameter_is_told_as_a_failed_commit(typed):
    _, message = typed.failure("INSERT INTO app.types (id, i) VALUES ($1, $2)", [1, "abc"])
    assert message.startswith("Statement 1 failed: Invalid operation: failed to commit transaction '")
    assert "Schema coercion failed: Unable to cast value Utf8 to Int32 for column 'i'" in message


def test_engine_path_stores_debug_text_and_zero_vectors(typed):
    """Evaluated bytes become debug text (truth L10), left-out vectors zeros (truth L9)."""
    typed.sql("INSERT INTO app.types (id, by) VALUES (1, X'DEAD')")
    typed.sql("INSERT INTO app.types (id) VALUES ($1)", [2])
    typed.sql("INSERT INTO app.types (id) VALUES (3)")
    rows = typed.rows("SELECT by, e FROM app.types ORDER BY id")
    assert bytes(rows[0][0]).decode() == "BinaryArray\n[\n  [222, 173],\n]"
    assert [row[1] for row in rows] == [[0.0, 0.0], [0.0, 0.0], None]
    typed.sql("UPDATE app.types SET by = X'DEAD' WHERE id = 1")
    assert typed.rows("SELECT by FROM app.types WHERE id = 1") == [[[222, 173]]]


@pytest.mark.parametrize("column", ["u", "e"])
def test_engine_path_cannot_cast_literals_of_some_types(typed, column):
    value = {"u": f"'{UUID}'", "e": "'[1, 2]'"}[column]
    assert (
        "can't cast to got Utf8" in typed.failure(f"INSERT INTO app.types (id, {column}) VALUES (abs(1), {value})")[1]
    )
    assert (
        "can't cast to got Utf8" in typed.failure(f"INSERT INTO app.types (id, {column}) VALUES ($1, {value})", [1])[1]
    )
    typed.sql(f"INSERT INTO app.types (id, {column}) VALUES (abs(1), $1)", [value.strip("'")])
    assert "Cannot automatically convert" in typed.failure(f"UPDATE app.types SET {column} = {value} WHERE id = 1")[1]
    typed.sql(f"UPDATE app.types SET {column} = $1 WHERE id = $2", [value.strip("'"), 1])


def test_defaults_by_path(served):
    served.sql("""CREATE TABLE app.d (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), room TEXT NOT NULL DEFAULT 'main',
        who TEXT DEFAULT CURRENT_USER(), key TEXT DEFAULT ULID(), at TIMESTAMP DEFAULT NOW(), must TEXT NOT NULL)""")
    served.sql("INSERT INTO app.d (key) VALUES ('x')")
    served.sql("INSERT INTO app.d (key, must) VALUES ($1, 'm')", ["y"])
    literal, engine = served.rows("SELECT key, room, who, must, id, at FROM app.d ORDER BY key")
    assert literal[1:4] == ["main", "root", ""]
    assert engine[1:4] == ["main", None, "m"]
    # Literal ids count from 2024, the others from 1970; literal times are milliseconds.
    assert int(engine[4]) - int(literal[4]) > 1_600_000_000_000 << 22
    assert literal[5] % 1000 == 0
    assert "column 'must' cannot be NULL (row 1)" in served.failure("INSERT INTO app.d (key) VALUES ($1)", ["z"])[1]


def test_column_list_may_be_left_out_on_the_literal_path_only(notes):
    notes.sql("INSERT INTO app.notes VALUES (4, 'd', 4)")
    message = notes.failure("INSERT INTO app.notes VALUES (5, upper('e'), 5)")[1]
    assert message.endswith("Inconsistent data length across values list: got 3 values in row 0 but expected 5")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("INSERT INTO app.notes (id, nope) VALUES (9, 1)", "Invalid operation: Column 'nope' does not exist"),
        ("INSERT INTO app.notes (id, nope) VALUES (9, abs(1))",
         "Invalid operation: Schema error: No field named nope. Valid fields are id, body, n, _seq, _deleted."),
        ("INSERT INTO app.notes (id) VALUES (9, 1)", f"{PLANNING}Inconsistent data length "
         "across values list: got 2 values in row 0 but expected 1"),
        ("INSERT INTO app.nope (id) VALUES (9)",
         "Table not found: Error during planning: table 'kalam.app.nope' not found"),
        ("INSERT INTO app.notes (id) VALUES (9) RETURNING id",
         f"{PLANNING}Insert-returning clause not supported"),
        ("INSERT INTO app.notes (id) VALUES (1) ON CONFLICT DO NOTHING",
         f"{PLANNING}Insert-on clause not supported"),
        ("INSERT INTO app.notes (id) VALUES (1", "Invalid SQL: sql parser error: Expected: ), found: EOF"),
        ("INSERT INTO system.users (user_id) VALUES ('x')",
         "Invalid operation: Cannot insert system table 'system.users'"),
        ("UPDATE app.notes SET id = 9 WHERE id = 1",
         "Already exists: UPDATE operation on table 'app.notes'\ncaused by\n"
         "Error during planning: UPDATE cannot modify primary key column 'id'"),
        ("UPDATE app.notes SET n = n WHERE id = 1",
         "Execution error: UPDATE operation on table 'app.notes'\ncaused by\n"
         "Error during planning: UPDATE requires at least one assignment"),
        ("UPDATE app.notes SET n = 1 FROM app.notes b WHERE id = 1",
         "Execution error: This feature is not implemented: UPDATE ... FROM is not supported"),
        ("UPDATE app.notes SET n = 1 WHERE id = 1 LIMIT 1",
         "Execution error: This feature is not implemented: Update-limit clause not supported"),
        ("UPDATE app.nope SET n = 1 WHERE id = 1",
         "Table not found: Error during planning: table 'kalam.app.nope' not found"),
    ],
)  # fmt: skip
def test_refused_writes(notes, sql, message):
    assert notes.failure(sql)[1] == f"Statement 1 failed: {message}"


@pytest.mark.parametrize("condition", ["", "WHERE true", "WHERE 1 = 1", "WHERE false", "WHERE id IS NOT NULL"])
@pytest.mark.parametrize("verb", ["UPDATE app.notes SET n = 1", "DELETE FROM app.notes"])
def test_conditions_that_count_as_missing(notes, verb, condition):
    word = verb.split()[0]
    message = f"Error during planning: {word} requires a WHERE clause"
    assert notes.failure(f"{verb} {condition}")[1].endswith(message)
    assert notes.rows("SELECT count(*) FROM app.notes") == [["3"]]


@pytest.mark.parametrize(
    ("condition", "found"),
    [("id IN (NULL)", 0), ("id NOT IN (NULL)", 0), ("id IN (NULL) IS NOT NULL", 0), ("id NOT IN (NULL) IS NULL", 3)],
)
def test_a_list_of_null_is_a_condition(notes, condition, found):
    assert notes.message(f"UPDATE app.notes SET body = 'x' WHERE {condition}") == f"Updated {found} row(s)"
    assert notes.message(f"DELETE FROM app.notes WHERE {condition}") == f"Deleted {found} row(s)"


def test_update_counts_changed_rows_only(notes):
    assert notes.message("UPDATE app.notes SET n = 2 WHERE id >= 0") == "Updated 2 row(s)"
    assert notes.message("UPDATE app.notes SET n = 2 WHERE id >= 0") == "Updated 0 row(s)"
    assert notes.message("UPDATE app.notes SET n = 5 WHERE id = 77") == "Updated 0 row(s)"
    assert notes.message("UPDATE app.notes SET n = n + 1, body = body || '!' WHERE id = 1") == "Updated 1 row(s)"
    assert notes.rows("SELECT body, n FROM app.notes WHERE id = 1") == [["a!", 3]]


def test_update_of_nothing_keeps_the_version(notes):
    before = notes.rows("SELECT _seq FROM app.notes WHERE id = 2")
    notes.sql("UPDATE app.notes SET n = 2 WHERE id = 2")
    assert notes.rows("SELECT _seq FROM app.notes WHERE id = 2") == before
    notes.sql("UPDATE app.notes SET n = 3 WHERE id = 2")
    assert notes.rows("SELECT _seq FROM app.notes WHERE id = 2") > before


@pytest.mark.parametrize(
    ("sql", "left"),
    [
        ("DELETE FROM app.notes WHERE n > 0 LIMIT 1", ["3"]),
        ("DELETE FROM app.notes WHERE n > 0 AND id IN (SELECT id FROM app.notes WHERE id = 1)", ["3"]),
        ("DELETE FROM app.notes WHERE id = (SELECT max(id) FROM app.notes)", []),
        ("DELETE FROM app.notes WHERE id BETWEEN 1 AND 2 AND n = 2", ["1", "3"]),
        ("DELETE FROM app.notes WHERE id = 1 OR id IN (2, 3)", []),
    ],
)
def test_sub_queries_and_limits_of_a_condition_are_ignored(notes, sql, left):
    """More rows go than were meant (truth L25)."""
    notes.sql(sql)
    assert [row[0] for row in notes.rows("SELECT id FROM app.notes")] == left


def test_explain_of_a_write_carries_it_out(notes):
    notes.sql("EXPLAIN DELETE FROM app.notes WHERE id = 1")
    assert notes.rows("SELECT count(*) FROM app.notes") == [["2"]]


def test_update_needs_fragile_not_null_columns(served):
    served.sql("CREATE TABLE app.p (id BIGINT PRIMARY KEY, price DECIMAL(5,2) NOT NULL, n INT)")
    served.sql("INSERT INTO app.p (id, price) VALUES (1, '1.5')")
    message = served.failure("UPDATE app.p SET n = 1 WHERE id = 1")[1]
    assert message.endswith("Column 'price' is declared as non-nullable but contains null values")
    served.sql("UPDATE app.p SET n = 1, price = '2.5' WHERE id = 1")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "INSERT INTO app.notes (id, body) VALUES (1, 'x')",
            f"{KEY} '1' already exists in column 'id'",
        ),
        (
            "INSERT INTO app.notes (id, body) VALUES (8, 'x'), (8, 'y')",
            f"{KEY} '8' appears multiple times in the insert batch for column 'id'",
        ),
        ("INSERT INTO app.notes (id, body) VALUES (8, NULL)", f"{NOT_NULL} 'body' cannot be NULL (row 1)"),
        ("UPDATE app.notes SET body = NULL WHERE id = 1", f"{NOT_NULL} 'body' cannot be NULL (row 1)"),
    ],
)
def test_constraints(notes, sql, reason):
    assert notes.failure(sql)[1] == LITERAL + reason
    assert notes.rows("SELECT count(*) FROM app.notes") == [["3"]]


def test_duplicate_key_of_a_shared_table_is_found_in_hot_storage(served):
    served.sql("CREATE TABLE app.s (id BIGINT PRIMARY KEY)")
    served.sql("INSERT INTO app.s (id) VALUES ($1)", [1])
    message = served.failure("INSERT INTO app.s (id) VALUES ($1)", [1])[1]
    assert message.startswith("Statement 1 failed: Invalid operation: failed to commit transaction '")
    assert message.endswith("Primary key violation: value '1' already exists in column 'id' (hot storage)")


def test_engine_path_does_not_check_keys_with_a_snowflake_default(served):
    served.sql("CREATE TABLE app.s (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), v TEXT)")
    served.sql("INSERT INTO app.s (id, v) VALUES (1, 'old')")
    assert KEY in served.failure("INSERT INTO app.s (id, v) VALUES (1, 'new')")[1]
    served.sql("INSERT INTO app.s (id, v) VALUES ($1, 'new')", [1])
    assert served.rows("SELECT v FROM app.s") == [["new"]]


@pytest.mark.parametrize("condition", ["id = 1", "n = 2"])
@pytest.mark.parametrize("value", ["(SELECT max(n) FROM app.notes)", "1 + (SELECT 1)"])
def test_subquery_in_set_fails(notes, condition, value):
    _, message = notes.failure(f"UPDATE app.notes SET n = {value} WHERE {condition}")
    assert message.startswith(f"{FAILED}Execution error: UPDATE operation on table 'app.notes'\ncaused by\n")
    assert "ScalarSubquery" in message


@pytest.mark.parametrize("params", [None, [7]])
@pytest.mark.parametrize("column", ["_seq", "_deleted"])
def test_hidden_columns_cannot_be_inserted(notes, column, params):
    key = "7" if params is None else "$1"
    value = {"_seq": "1", "_deleted": "true"}[column]
    _, message = notes.failure(f"INSERT INTO app.notes (id, body, {column}) VALUES ({key}, 'x', {value})", params)
    assert message.endswith(f"Column '{column}' does not exist")
    assert notes.rows("SELECT id FROM app.notes WHERE id = 7") == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE app.types SET e = $1 WHERE id = 1",
        "INSERT INTO app.types (id, e) VALUES (2, $1)",
        "INSERT INTO app.types (id, e) VALUES (abs(2), $1)",
    ],
)
def test_null_as_a_parameter_is_no_vector(typed, sql):
    typed.sql("INSERT INTO app.types (id, e) VALUES (1, '[1, 2]')")
    assert "can't cast to got Utf8 and FixedSizeList" in typed.failure(sql, [None])[1]


def test_update_of_a_vector_to_null_stores_zeros(typed):
    typed.sql("INSERT INTO app.types (id, t, e) VALUES (1, 'a', '[1, 2]'), (2, 'a', NULL)")
    typed.sql("UPDATE app.types SET e = NULL WHERE id = 1")
    typed.sql("UPDATE app.types SET t = 'b' WHERE id = 2")
    assert typed.rows("SELECT e FROM app.types ORDER BY id") == [[[0.0, 0.0]], [None]]


@pytest.mark.parametrize(
    ("rows", "params"), [("VALUES ($1), ($2)", [1, 2]), ("SELECT value FROM generate_series(1, 2)", None)]
)
def test_default_uuid_v7_makes_one_value_on_the_engine_path(served, rows, params):
    served.sql("CREATE TABLE app.d (id BIGINT PRIMARY KEY, v TEXT DEFAULT UUID_V7())")
    _, message = served.failure(f"INSERT INTO app.d (id) {rows}", params)
    assert "UDF uuid_v7 returned a different number of rows than expected. Expected: 2, Got: 1." in message
    served.sql("INSERT INTO app.d (id) VALUES ($1)", [1])
    served.sql("CREATE TABLE app.u (id BIGINT PRIMARY KEY, v UUID DEFAULT UUID_V7())")
    assert "can't cast" in served.failure("INSERT INTO app.u (id) VALUES ($1)", [1])[1]
    served.sql("INSERT INTO app.u (id) VALUES (1)")


def test_deleted_keys_can_be_used_again(notes):
    notes.sql("DELETE FROM app.notes WHERE id = 1; INSERT INTO app.notes (id, body) VALUES (1, 'again')")
    assert notes.rows("SELECT body FROM app.notes WHERE id = 1") == [["again"]]


def test_insert_from_a_query_is_not_capped(served):
    served.sql("CREATE TABLE app.s (id BIGINT PRIMARY KEY, v BIGINT)")
    sql = "INSERT INTO app.s (id, v) SELECT value, value * 2 FROM generate_series(1, 3000)"
    assert served.message(sql) == "Inserted 3000 row(s)"
    assert served.rows("SELECT count(*), sum(v) FROM app.s") == [["3000", "9003000"]]


def test_not_a_number_is_stored_and_breaks_reading(typed):
    typed.sql("INSERT INTO app.types (id, d) VALUES (1, 'NaN')")
    assert typed.rows("SELECT arrow_cast(d, 'Utf8') AS d FROM app.types") == [["NaN"]]


def test_batches_add_their_writes_up_at_the_end(notes):
    results = notes.sql(
        "INSERT INTO app.notes (id, body) VALUES (10, 'x'); SELECT count(*) AS n FROM app.notes; "
        "INSERT INTO app.notes (id, body) VALUES (11, 'y'); UPDATE app.notes SET n = 0 WHERE id > 9; "
        "UPDATE app.notes SET n = 0 WHERE id = 99; SELECT 'end' AS e"
    )
    assert [result.get("rows") for result in results[:2]] == [[["4"]], [["end"]]]
    assert [result["message"] for result in results[2:]] == ["Inserted 2 row(s)", "Updated 2 row(s)"]
    assert notes.sql("DELETE FROM app.notes WHERE id = 99; UPDATE app.notes SET n = 1 WHERE id = 99") == []


def test_first_failure_ends_a_batch_and_keeps_what_was_done(notes):
    code, message = notes.failure("INSERT INTO app.notes (id, body) VALUES (20, 'x'); SELECT * FROM app.nope; SELECT 1")
    assert (code, message[:19]) == ("SQL_EXECUTION_ERROR", "Statement 2 failed:")
    assert notes.rows("SELECT body FROM app.notes WHERE id = 20") == [["x"]]


def test_value_that_cannot_be_sent_stops_no_later_statement(notes):
    code, _ = notes.failure("SELECT CAST('NaN' AS DOUBLE) AS x; INSERT INTO app.notes (id, body) VALUES (30, 'x')")
    assert code == "INTERNAL_ERROR"
    assert notes.rows("SELECT body FROM app.notes WHERE id = 30") == [["x"]]
