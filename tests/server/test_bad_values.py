"""Values that do not fit: every statement answers an error of the server's own, never one of the sandbox."""

import random

import pytest

BIG = 2**63
TYPES = [
    *("BOOLEAN", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(5,2)", "TEXT", "JSON", "FILE", "BYTES"),
    *("DATE", "TIME", "TIMESTAMP", "DATETIME", "UUID", "EMBEDDING(2)"),
]
# As a literal, and as a parameter.
VALUES = [
    ("9223372036854775808", BIG),
    ("-9223372036854775809", -BIG - 1),
    ("99999999999999999999999999", 10**26),
    ("999999999999999999", 999999999999999999),
    ("2147483648", 2**31),
    ("-1", -1),
    ("-1.5", -1.5),
    ("1e400", 1e308),
    ("TRUE", True),
    ("NULL", None),
    ("''", ""),
    ("'abc'", "abc"),
    ("'1e5'", "1e5"),
    ("'-0'", "-0"),
    ("'NaN'", "NaN"),
    ("'nan'", "Infinity"),
    ("'[1,2,3]'", "[1,2,3]"),
    ("'[]'", "[]"),
    ("'[1,\"a\"]'", '[1,"a"]'),
    ("'[1e400,2]'", "[1e400,2]"),
    ("'{}'", "{}"),
    ("'99999-01-01'", "99999-01-01"),
    ("'0000-00-00'", "0000-00-00"),
    ("'25:00:00'", "25:00:00"),
    ("'\x00'", "\x00"),
    ("'\U0001f600'", "\U0001f600"),
    ("'1234567.891'", "1234567.891"),
    ("X'00ff'", "x"),
    ("now()", 0.1),
    ("[1.0, 2.0]", "[1.0,2.0]"),
    ("make_array(NULL, 1)", "550e8400-e29b-41d4-a716-446655440000"),
    ("1 + 1", 1),
]
STATEMENTS = [
    ("INSERT INTO {t} (id, v) VALUES ({row}, {literal})", False),
    ("INSERT INTO {t} (id, v) VALUES ({row} + 1000, $1)", True),
    ("INSERT INTO {t}_k (v, n) VALUES ({literal}, 1)", False),
    ("INSERT INTO {t}_k (v, n) VALUES ($1, 1)", True),
    ("UPDATE {t} SET v = {literal} WHERE id = 0", False),
    ("UPDATE {t} SET v = $1 WHERE id = 0", True),
    ("UPDATE {t}_k SET n = n + 1 WHERE v = {literal}", False),
    ("DELETE FROM {t} WHERE v = {literal}", False),
    ("DELETE FROM {t}_k WHERE v = $1", True),
    ("SELECT id FROM {t} WHERE v > $1", True),
]
STREAM = "WITH (TYPE = 'STREAM', TTL_SECONDS = 60)"


@pytest.mark.slow
def test_no_value_of_any_type_breaks_the_sandbox(served):
    """Some pairs of type and value in full, the others with two statements each."""
    chance = random.Random(20)
    for number, kind in enumerate(TYPES):
        table = f"app.f{number}"
        served.sql(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, v {kind}); INSERT INTO {table} (id) VALUES (0)")
        kind_of_table = STREAM if number % 4 == 0 else ""
        served.sql(f"CREATE TABLE {table}_k (v {kind} PRIMARY KEY, n INT) {kind_of_table}")
        for row, (literal, parameter) in enumerate(VALUES, 1):
            whole = chance.random() < 0.1
            for sql, has_parameter in STATEMENTS if whole else chance.sample(STATEMENTS, 2):
                text = sql.format(t=table, row=row, literal=literal)
                answer = served.post(text, [parameter] if has_parameter else None)
                assert answer.status_code in (200, 400), (kind, text, parameter, answer.text)


@pytest.fixture
def table(served):
    served.sql("CREATE TABLE app.t (id INT PRIMARY KEY, n INT, b BOOLEAN, ts TIMESTAMP, d DATE, v TEXT, f DOUBLE)")
    served.sql("INSERT INTO app.t (id, n) VALUES (1, 1)")
    return served


FOLDING = "Execution error: Optimizer rule 'simplify_expressions' failed\ncaused by\nArrow error: Cast error: "
COERCION = "Execution error: type_coercion\ncaused by\nError during planning: Cannot "


@pytest.mark.parametrize(
    ("sql", "params", "told"),
    [
        ("UPDATE app.t SET n = 'abc' WHERE id = 1", None, f"{FOLDING}Cannot cast string 'abc' to value of Int32 type"),
        ("UPDATE app.t SET n = 2147483648 WHERE id = 1", None, f"{FOLDING}Can't cast value 2147483648 to type Int32"),
        (
            "UPDATE app.t SET d = 'nope' WHERE id = 1",
            None,
            f"{FOLDING}Cannot cast string 'nope' to value of Date32 type",
        ),
        ("DELETE FROM app.t WHERE b = 'true'", None, f"{COERCION}infer common argument type for comparison operation"),
        ("DELETE FROM app.t WHERE ts = 5", None, f"{COERCION}infer common argument type for comparison operation"),
        ("DELETE FROM app.t WHERE ts > $1", [5], f"{COERCION}infer common argument type for comparison operation"),
        ("DELETE FROM app.t WHERE n + v = 1", None, f"{COERCION}coerce arithmetic expression Int32 + Utf8"),
        ("UPDATE app.t SET n = 2 WHERE b = 1", None, f"{COERCION}infer common argument type for comparison operation"),
        (
            "INSERT INTO app.t (id, n) VALUES (3, 9223372036854775808)",
            None,
            "Invalid operation: Schema coercion failed: Unable to cast value Float64 to Int32 for column 'n': ",
        ),
    ],
)
def test_type_errors_of_writes(table, sql, params, told):
    code, message = table.failure(sql, params)
    assert (code, message[: 20 + len(told)]) == ("SQL_EXECUTION_ERROR", f"Statement 1 failed: {told}")


def test_whole_numbers_beyond_the_exact_ones_of_a_double(table):
    table.sql("INSERT INTO app.t (id, f, v) VALUES (2, 9223372036854775808, 9223372036854775808)")
    table.sql("INSERT INTO app.t (id, f) VALUES (3, 999999999999999999)")
    table.sql("INSERT INTO app.t (id, f) VALUES ($1, $2)", [4, 999999999999999999])
    table.sql("UPDATE app.t SET f = 999999999999999999 WHERE id = 1")
    rows = table.rows("SELECT f, v FROM app.t ORDER BY id")
    assert rows == [[1e18, None], [float(BIG), "9.223372036854776e18"], [1e18, None], [1e18, None]]


@pytest.mark.parametrize("sql", ["EXECUTE AS USER (SELECT 1)", "EXECUTE AS USER 5 (SELECT 1)", "EXECUTE AS USER"])
def test_execute_as_nobody(served, sql):
    code, message = served.failure(sql)
    assert (code, message[:34]) == ("INVALID_INPUT", "EXECUTE AS USER requires a usernam")
