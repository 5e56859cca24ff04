"""Primary keys of every type: what INSERT, UPDATE and DELETE make of them (protocol/sql.md#create-table, #tables)."""

import pytest

UUID = "550e8400-e29b-41d4-a716-446655440000"
UNREADABLE = "Primary key column 'k' has unsupported or NULL value"


def create(served, kind, options=""):
    served.sql(f"CREATE TABLE app.k (k {kind} PRIMARY KEY, n INT) {options}")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("DECIMAL(5,2)", "1.5"),
        ("DATE", "2026-01-01"),
        ("TIME", "10:00"),
        ("TIMESTAMP", "2026-01-01"),
        ("DATETIME", "2026-01-01"),
        ("BYTES", "x"),
        ("EMBEDDING(2)", "[1, 2]"),
    ],
)
def test_keys_that_no_insert_can_have(served, kind, value):
    create(served, kind)
    assert served.failure(f"INSERT INTO app.k (k, n) VALUES ('{value}', 1)")[1].endswith(UNREADABLE)
    assert served.failure("INSERT INTO app.k (k, n) VALUES ($1, 1)", [value])[1].endswith(UNREADABLE)


@pytest.mark.parametrize(
    ("kind", "value"), [("BIGINT", 5), ("INT", 5), ("SMALLINT", 5), ("TEXT", "a"), ("JSON", "{}"), ("BOOLEAN", True)]
)
def test_keys_that_work(served, kind, value):
    create(served, kind)
    served.sql("INSERT INTO app.k (k, n) VALUES ($1, 1)", [value])
    assert served.message("UPDATE app.k SET n = 2 WHERE k = $1", [value]) == "Updated 1 row(s)"
    assert served.message("DELETE FROM app.k WHERE k = $1", [value]) == "Deleted 1 row(s)"


@pytest.mark.parametrize(("kind", "told"), [("FLOAT", "Float32(1.5)"), ("DOUBLE", "Float64(1.5)")])
@pytest.mark.parametrize("change", ["UPDATE app.k SET n = 2", "DELETE FROM app.k"])
def test_float_keys_are_never_found_again(served, kind, told, change):
    create(served, kind)
    served.sql("INSERT INTO app.k (k, n) VALUES (1.5, 1), ('NaN', 1)")
    _, message = served.failure(f"{change} WHERE k = 1.5")
    assert message.endswith(f"Invalid primary key value: Unsupported primary key type: {told}")
    assert served.failure(f"{change} WHERE k = 'NaN'")[0] == "SQL_EXECUTION_ERROR"
    assert served.message(f"{change} WHERE k = 9").endswith("0 row(s)")


def test_uuid_keys_come_as_parameters_and_stay(served):
    create(served, "UUID")
    assert served.failure(f"INSERT INTO app.k (k, n) VALUES ('{UUID}', 1)")[1].endswith(UNREADABLE)
    served.sql("INSERT INTO app.k (k, n) VALUES ($1, 1)", [UUID])
    assert "Unsupported primary key type" in served.failure("UPDATE app.k SET n = 2 WHERE n = 1")[1]


@pytest.mark.parametrize(
    ("kind", "value", "told"), [("BOOLEAN", True, "true"), ("UUID", UUID, UUID), ("DOUBLE", 2, "2"), ("TEXT", "a", "a")]
)
def test_duplicate_keys_are_told_as_sql_text(served, kind, value, told):
    create(served, kind)
    twice = f"value '{told}' appears multiple times in the transaction batch for column 'k'"
    assert served.failure("INSERT INTO app.k (k) VALUES ($1), ($1)", [value])[1].endswith(twice)
    served.sql("INSERT INTO app.k (k) VALUES ($1)", [value])
    assert f"value '{told}' already exists" in served.failure("INSERT INTO app.k (k) VALUES ($1)", [value])[1]


@pytest.mark.parametrize(("kind", "count"), [("TEXT", 2), ("BIGINT", 2), ("INT", 2), ("SMALLINT", 0), ("DOUBLE", 0)])
def test_stream_delete_by_type_of_key(served, kind, count):
    create(served, kind, "WITH (TYPE = 'STREAM', TTL_SECONDS = 60)")
    served.sql("INSERT INTO app.k (k, n) VALUES ('1', 1), ('2', 1)")
    assert served.message("DELETE FROM app.k WHERE n = 1") == f"Deleted {count} row(s)"
    assert served.rows("SELECT count(*) FROM app.k") == [[str(2 - count)]]


def test_stream_without_a_key_deletes_nothing(served):
    served.sql("CREATE TABLE app.s (n INT) WITH (TYPE = 'STREAM', TTL_SECONDS = 60)")
    served.sql("INSERT INTO app.s (n) VALUES (1)")
    assert served.message("DELETE FROM app.s WHERE n = 1") == "Deleted 0 row(s)"
    assert served.rows("SELECT n FROM app.s") == [[1]]
