"""Roles: who may send what, read and write which table, act for whom, and which texts they see."""

import pytest
from serving import serving

ROLES = ("user", "service", "dba")


@pytest.fixture(scope="module")
def peopled():
    """A server with one user per role and tables of every access level."""
    with serving() as served:
        served.sql("CREATE NAMESPACE app; CREATE TABLE app.own (id BIGINT PRIMARY KEY, v TEXT) WITH (TYPE = 'USER')")
        for level in ("PUBLIC", "PRIVATE", "RESTRICTED", "DBA"):
            served.sql(f"CREATE TABLE app.{level.lower()} (id BIGINT PRIMARY KEY) WITH (ACCESS_LEVEL = '{level}')")
        for role in ROLES:
            served.add_user(role, role)
        yield served


def status(served, sql, user):
    return served.post(sql, user=user).status_code


@pytest.mark.parametrize(
    ("table", "readers", "writers"),
    [
        ("own", ROLES, ROLES),
        ("public", ROLES, ROLES[1:]),
        ("private", ROLES[1:], ROLES[1:]),
        ("restricted", ROLES[1:], ROLES[1:]),
        ("dba", ROLES[2:], ROLES[2:]),
    ],
)
def test_reading_and_writing(peopled, table, readers, writers):
    for number, user in enumerate(ROLES, 1):
        assert status(peopled, f"SELECT * FROM app.{table}", user) == (200 if user in readers else 403)
        assert status(peopled, f"INSERT INTO app.{table} (id) VALUES ({number})", user) == (
            200 if user in writers else 403
        )
        changed = status(peopled, f"DELETE FROM app.{table} WHERE id = {number}", user)
        assert changed == (200 if user in writers else 403)


def test_rights_are_judged_inside_sub_queries(peopled):
    assert status(peopled, "SELECT id IN (SELECT id FROM app.private) FROM app.own", "user") == 403
    assert status(peopled, "INSERT INTO app.own (id) SELECT id FROM app.private", "user") == 403
    assert status(peopled, "DELETE FROM app.own WHERE id IN (SELECT id FROM app.private) AND id > 5", "user") == 200


def test_rows_belong_to_who_wrote_them(peopled):
    for user in ROLES:
        peopled.sql(f"INSERT INTO app.own (id, v) VALUES (70, '{user}')", user=user)
    for user in ROLES:
        assert peopled.rows("SELECT v FROM app.own WHERE id = 70", user=user) == [[user]]
    assert peopled.rows("SELECT v FROM app.own WHERE id = 70") == []


@pytest.mark.parametrize("table", ["users", "tables", "jobs", "settings"])
def test_system_tables_are_for_administrators(peopled, table):
    for user in ("user", "service"):
        code, message = peopled.failure(f"SELECT * FROM system.{table}", user=user)
        assert code == "PERMISSION_DENIED"
        assert message == (
            "Statement 1 failed: Permission denied: Error during planning: Access denied: "
            f"Role '{user.title()}' cannot access table 'system.{table}'. System tables require 'dba' or 'system' role."
        )
    assert status(peopled, f"SELECT * FROM system.{table}", "dba") == 200


def test_creating_and_dropping(peopled):
    assert status(peopled, "CREATE TABLE app.u1 (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER')", "user") == 200
    assert status(peopled, "CREATE TABLE app.u2 (id BIGINT PRIMARY KEY)", "user") == 403
    assert status(peopled, "ALTER TABLE app.u1 ADD COLUMN x INT", "user") == 200
    assert status(peopled, "ALTER TABLE app.public ADD COLUMN x INT", "user") == 403
    for user in ("user", "service"):
        assert status(peopled, "DROP TABLE app.u1", user) == 403
        assert status(peopled, "CREATE NAMESPACE x", user) == 403
    assert status(peopled, "STORAGE FLUSH TABLE app.own", "user") == 403
    assert status(peopled, "DROP TABLE app.u1", "dba") == 200


def test_tables_in_ones_own_namespace_become_user_tables(peopled):
    peopled.sql("CREATE NAMESPACE service")
    message = peopled.message("CREATE TABLE service.t (id BIGINT PRIMARY KEY)", user="service")
    assert message == "CREATE TABLE via Raft consensus: user table service.t created successfully"


@pytest.mark.parametrize(
    ("actor", "target", "allowed"),
    [
        ("user", "user", True),
        ("user", "service", False),
        ("service", "user", True),
        ("service", "nobody", True),
        ("service", "dba", False),
        ("dba", "service", True),
        ("dba", "root", False),
        ("root", "dba", True),
    ],
)
def test_acting_for_others(peopled, actor, target, allowed):
    answer = peopled.post(f"EXECUTE AS USER '{target}' (SELECT CURRENT_USER() AS u, CURRENT_ROLE() AS r)", user=actor)
    assert answer.status_code == (200 if allowed else 403)
    if allowed:
        result = answer.json()["results"][0]
        assert (result["rows"], result["as_user"]) == ([[target, "user"]], target)


def test_writing_for_others(peopled):
    peopled.sql("EXECUTE AS USER 'user' (INSERT INTO app.own (id, v) VALUES (80, 'from root'))")
    assert peopled.rows("SELECT v FROM app.own WHERE id = 80", user="user") == [["from root"]]
    message = peopled.failure("EXECUTE AS USER 'user' (DELETE FROM app.public WHERE id = 1)")[1]
    assert "EXECUTE AS USER is not allowed on SHARED tables (table 'app:public')" in message
    assert peopled.failure("EXECUTE AS USER 'user' (SELECT * FROM app.private)")[0] == "PERMISSION_DENIED"
    results = peopled.sql("EXECUTE AS USER 'user' (DELETE FROM app.own WHERE id = 80); SELECT 1")
    assert results[1] == {"row_count": 1, "message": "Deleted 1 row(s)", "as_user": "root"}


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM app.nope", "SQL statement failed"),
        ("SELECT nofn(1)", "SQL statement failed"),
        ("SELECT 1 / 0", "SQL statement failed"),
        ("BEGIN", "SQL statement failed"),
        ("DESCRIBE TABLE app.nope", "SQL statement failed"),
        ("SELEC 1", "SQL statement is invalid or not allowed"),
        ("CREATE TABLE t (a NUMERIC)", "SQL statement is invalid or not allowed"),
        ("SELECT 1; SELECT 'a", "Failed to parse SQL batch"),
        ("SELECT CAST(1 AS TEXT); SELECT 1", "SQL request failed"),
        ("SELECT nope FROM app.own", "Statement 1 failed: Invalid operation: Schema error: No field named nope."),
        (
            "INSERT INTO app.own (id, x) VALUES (1, 1)",
            "Statement 1 failed: Invalid operation: Column 'x' does not exist",
        ),
        (
            "INSERT INTO app.own (id) VALUES (1), (1)",
            "Statement 1 failed: Execution error: Raft error: Internal error:",
        ),
        ("UPDATE app.own SET id = 2 WHERE id = 1", "Statement 1 failed: Already exists: UPDATE operation on table"),
        ("USE nope", "Statement 1 failed: Not found: Namespace 'nope' does not exist"),
        ("COMMIT", "Statement 1 failed: Invalid operation: COMMIT requires"),
        ("SELECT $1, $2", "Statement 1 failed: Parameter binding error:"),
    ],
)
def test_what_ordinary_users_read(peopled, sql, message):
    params = [1] if "$1" in sql else None
    answer = peopled.post(sql, params, user="user")
    error = answer.json()["error"]
    assert error["message"].startswith(message)
    assert "details" not in error


def test_administrators_get_the_failed_statement(peopled):
    error = peopled.post("SELECT 1; SELECT * FROM app.nope", user="dba").json()["error"]
    assert error["details"] == "SELECT * FROM app.nope"
    assert "details" not in peopled.post("SELEC 1", user="dba").json()["error"]


def test_secret_columns_are_masked_for_ordinary_users(peopled):
    sql = "SELECT 'x' AS credentials, 'y' AS password_hash, 'z' AS other"
    assert peopled.rows(sql, user="user") == [["***", "***", "z"]]
    assert peopled.rows(sql) == [["x", "y", "z"]]


def test_users(peopled):
    peopled.sql("CREATE USER 'eve' WITH PASSWORD 'short' ROLE viewer EMAIL 'eve@x'")
    assert peopled.rows("SELECT role, email, auth_type FROM system.users WHERE user_id = 'eve'") == [
        ["user", "eve@x", "Password"]
    ]
    assert peopled.message("ALTER USER 'eve' SET ROLE admin") == "User 'eve' updated"
    assert peopled.rows("SELECT role, password_hash FROM system.users WHERE user_id = 'eve'") == [
        ["dba", "<bcrypt hash>"]
    ]
    assert peopled.message("DROP USER 'eve'") == "User 'eve' dropped (soft delete)"
    assert peopled.message("DROP USER 'eve'") == "User 'eve' dropped (soft delete)"
    assert "User 'eve' already exists" in peopled.failure("CREATE USER 'eve' WITH PASSWORD 'x' ROLE user")[1]
    assert peopled.message("DROP USER IF EXISTS 'nobody'") == "User 'nobody' does not exist (skipped)"
    assert "User 'nobody' not found" in peopled.failure("ALTER USER 'nobody' SET PASSWORD 'x'")[1]
    assert peopled.failure("CREATE USER 'x' WITH PASSWORD 'x' ROLE king")[0] == "INVALID_SQL"
