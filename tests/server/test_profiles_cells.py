"""Cells, announced types and errors of later versions of KalamDB."""

import json
import math

import httpx
import profiles
import pytest
from profiled import playing

COLUMNS = "id BIGINT PRIMARY KEY, n INT NOT NULL, dec DECIMAL(10,2), s TEXT, by BYTES, e EMBEDDING(2)"
MANY = "FROM generate_series(1, 40)"


@pytest.fixture(scope="module", params=profiles.ALL)
def served(request):
    with playing(request.param) as served:
        served.version = request.param
        served.sql(f"CREATE TABLE app.t ({COLUMNS}) WITH (TYPE = 'USER')")
        served.sql("INSERT INTO app.t (id, n, dec) VALUES (1, 3, '-0.50'), (2, 2, '1.00'), (3, 1, '0')")
        yield served


@pytest.fixture
def latest(served):
    return served.version == "0.8"


def shape(served, sql):
    (result,) = served.sql(sql)
    return [column["data_type"] for column in result["schema"]], result["rows"]


def test_the_sign_of_decimals(served, latest):
    assert served.rows("SELECT dec, id FROM app.t WHERE id = 1") == [["-0.50" if latest else "0.50", "1"]]


def test_computed_times_are_microseconds(served):
    ((now, at),) = served.rows("SELECT now() AS n, CAST('2026-01-01' AS TIMESTAMP(3)) AS t")
    is_later = served.version != "0.4.3"
    assert (len(str(now)), at) == ((16, 1767225600000000) if is_later else (19, 1767225600000))


def test_text_views_and_structs(served, latest):
    for sql, cell in (("SELECT CAST('a' AS TEXT) AS t", "a"), ("SELECT named_struct('a', 1) AS t", {"a": "1"})):
        if latest or (served.version != "0.8" and "TEXT" in sql and _is_plain_text(served)):
            types, rows = shape(served, sql)
            assert (types, rows) == (["Text"], [[cell]])
        elif served.version == "0.4.3":
            with pytest.raises(httpx.RemoteProtocolError):
                served.post(sql)
        else:
            assert served.failure(sql)[0] == "INTERNAL_ERROR"


def _is_plain_text(served):
    """The engine of the sandbox makes a view of it or a plain text, by its version."""
    return served.rows("SELECT arrow_typeof(CAST('a' AS TEXT)) AS t") == [["Utf8"]]


def test_what_cannot_be_sent_in_a_small_and_a_large_result(served, latest):
    one, many = "SELECT CAST('NaN' AS DOUBLE) AS x", f"SELECT CAST('NaN' AS DOUBLE) AS x {MANY}"
    if latest:
        assert (served.rows(one), served.rows(f"SELECT -1 / 0.0 AS x {MANY}")[0]) == ([[None]], [None])
        return
    with pytest.raises(httpx.RemoteProtocolError):
        served.post(many)
    if served.version == "0.4.3":
        with pytest.raises(httpx.RemoteProtocolError):
            served.post(one)
    else:
        assert served.failure(one)[0] == "INTERNAL_ERROR"


def test_null_stands_for_nan_only_among_plain_columns(served, latest):
    if latest:
        assert served.failure("SELECT CAST('NaN' AS DOUBLE) AS x, DATE '2026-01-01' AS d")[0] == "INTERNAL_ERROR"
        assert served.failure("SELECT [CAST('NaN' AS DOUBLE)] AS x")[0] == "INTERNAL_ERROR"
        assert served.rows("SELECT arrow_cast(CAST('NaN' AS DOUBLE), 'Utf8') AS x") == [["NaN"]]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("1.0", "1"),
        ("0.5", "0.5"),
        ("1e300", "1" + "0" * 300),
        ("-1.5e-7", "-0.00000015"),
        ("1e-7", "0.0000001"),
        ("123456789012345680000.0", "123456789012345680000"),
        ("-0.0", "-0"),
    ],
)
def test_doubles_have_no_exponent_and_no_point_zero(served, latest, value, told):
    text = served.post(f"SELECT CAST('{value}' AS DOUBLE) AS x").text
    cell = text.partition('"rows":[[')[2].partition("]]")[0]
    assert float(cell) == float(value)
    assert (cell == told) or not latest
    # Beside a column of another kind it is written as ever.
    text = served.post(f"SELECT CAST('{value}' AS DOUBLE) AS x, DATE '2026-01-01' AS d").text
    (row,) = json.loads(text)["results"][0]["rows"]
    assert isinstance(row[0], float)
    assert math.copysign(1, row[0]) == math.copysign(1, float(value))


def test_a_text_that_looks_like_a_number_stays_a_text(served):
    assert served.rows("SELECT '-0' AS x, CAST('-0.0' AS DOUBLE) AS y")[0][0] == "-0"


def test_bytes_and_vectors(served, latest):
    served.sql("INSERT INTO app.t (id, n, by) VALUES (50, 1, X'DEADBEEF')")
    served.sql("INSERT INTO app.t (id, n, e) VALUES (51, 1, '[1, 2]')")
    whole = [222, 173, 190, 239]
    assert (served.rows("SELECT by, id FROM app.t WHERE id = 50")[0][0] == whole) is latest
    served.sql("STORAGE FLUSH TABLE app.t")
    assert (served.rows("SELECT by, id FROM app.t WHERE id = 50")[0][0] == whole) is latest
    assert served.rows("SELECT e, id FROM app.t WHERE id > 50")[0][0] == ([1.0, 2.0] if latest else None)


def test_lists_are_announced_as_their_elements(served, latest):
    types, rows = shape(served, "SELECT array_agg(n ORDER BY id) AS ns, [now()] AS ts FROM app.t WHERE id < 4")
    assert rows[0][0] == [3, 2, 1]
    assert types == (["Int", "Timestamp"] if latest else ["Text", "Text"])


def test_a_limit_takes_the_rows_that_it_should(served):
    rows = served.rows("SELECT id, n FROM app.t WHERE id < 4 ORDER BY n LIMIT 2")
    if served.version == "0.4.3":
        assert rows == [["2", 2], ["3", 1]]
    else:
        assert rows == [["3", 1], ["2", 2]]
        assert served.rows("SELECT id, n FROM app.t WHERE id < 4 LIMIT 2") == [["1", 3], ["2", 2]]
        assert served.rows("SELECT id, n FROM app.t WHERE id < 4 LIMIT 2 OFFSET 2") == [["3", 1]]
        assert served.rows("SELECT id FROM app.t WHERE id < 4 ORDER BY n OFFSET 1") == [["2"], ["1"]]
    assert served.rows("SELECT id, n FROM app.t WHERE id < 4") == [["1", 3], ["2", 2], ["3", 1]]


def test_codes_of_null_where_none_may_be(served):
    code, message = served.failure("INSERT INTO app.t (id, n) VALUES (60, NULL)")
    assert "NOT NULL" in message
    assert code == ("NOT_NULL_VIOLATION" if served.version in ("0.7", "0.8") else "SQL_EXECUTION_ERROR")
    served.add_user("ann", "user")
    code, message = served.failure("INSERT INTO app.t (id, n) VALUES (60, NULL)", user="ann")
    assert "NOT NULL" in message


def test_the_code_of_a_column_that_older_rows_lack(served):
    served.sql(
        "CREATE TABLE app.m (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED'); INSERT INTO app.m VALUES (1, 1)"
    )
    served.sql("ALTER TABLE app.m ADD COLUMN k INT NOT NULL DEFAULT 0")
    code, message = served.failure("UPDATE app.m SET n = 2 WHERE id = 1")
    assert "column 'k' is missing in row 1" in message
    assert code == ("MISSING_COLUMN" if served.version in ("0.7", "0.8") else "SQL_EXECUTION_ERROR")
    served.sql("DROP TABLE app.m")


def test_small_results_are_buffered(served):
    small = served.post("SELECT value AS x FROM generate_series(1, 32)")
    assert ("Content-Length" in small.headers) is (served.version != "0.4.3")
    assert "Content-Length" not in served.post(f"SELECT 1 AS x {MANY}").headers


def test_a_column_of_lists(served, latest):
    served.sql("CREATE TABLE app.l (id BIGINT PRIMARY KEY, a INT[], t TEXT[], d DECIMAL(4,2)[]) WITH (TYPE = 'USER')")
    ((told,),) = served.rows("SELECT data_type FROM system.columns WHERE table_name = 'l' AND column_name = 'a'")
    assert told == ("INT[]" if latest else "TEXT")
    if latest:
        served.sql(
            "INSERT INTO app.l (id, a, t) VALUES (1, ARRAY[1, NULL, 3], ARRAY['x', 'y']);"
            "INSERT INTO app.l (id, a, d) VALUES (2, '[4]', '[1.5]'), (3, NULL, '[]')"
        )
        served.sql("INSERT INTO app.l (id, a) VALUES ($1, $2)", [4, "[5, 6]"])
        served.sql("UPDATE app.l SET a = array_append(a, 9) WHERE id = 2")
        types, rows = shape(served, "SELECT * FROM app.l ORDER BY id")
        assert types[:4] == ["BigInt", "Int", "Text", {"Decimal": {"precision": 4, "scale": 2}}]
        assert [row[1:4] for row in rows] == [
            [[1, None, 3], ["x", "y"], None],
            [[4, 9], None, ["1.50"]],
            [None, None, []],
            [[5, 6], None, None],
        ]
        assert served.rows("SELECT id FROM app.l WHERE array_length(a) = 2 ORDER BY id") == [["2"], ["4"]]
        assert "Invalid array" in served.failure("INSERT INTO app.l (id, a) VALUES (9, '5')")[1]
        assert "Int" in json.dumps(shape(served, "SELECT arrow_typeof(a) AS t, id FROM app.l LIMIT 1")[1])
        assert "PRIMARY KEY" in served.failure("CREATE TABLE app.bad (id INT[] PRIMARY KEY)")[1]
        served.sql("STORAGE FLUSH TABLE app.l; ALTER TABLE app.l ADD COLUMN more BIGINT[]")
        assert served.rows("SELECT a, more, id FROM app.l WHERE id = 2") == [[[4, 9], None, "2"]]
    served.sql("DROP TABLE app.l")


def test_functions_of_texts(served):
    # Compared and not sent: the engine makes text views of them, which not all of these servers send.
    sql = "SELECT substr('abcd', 2, 2) = 'bc' AS a, substring('abcd' FROM 2) = 'bcd' AS b, position('c' IN 'abc') AS p"
    if served.version in ("0.7", "0.8"):
        assert served.rows(sql) == [[True, True, 3]]
    else:
        assert "unicode_expressions" in served.failure(sql)[1]


def test_how_long_a_text_may_be(served, latest):
    sql = "SELECT 1 AS one -- " + "x" * 1_100_000
    if latest:
        assert served.rows(sql) == [["1"]]
    else:
        assert "maximum 1048576 bytes" in served.failure(sql)[1]
