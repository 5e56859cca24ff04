"""SQL that was written to end the server, or to reach the files behind it: it is answered or refused, and all goes on.

The server has a process of its own here, since what these tests are about would end that of the tests.
"""

import httpx
import pytest
from serving import serving

from kalam_sandbox import start
from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.engine.bounds import DEEPEST, check_depth


class Attacked:
    """A server in its own process, and what it answers."""

    def __init__(self, server):
        self.server = server
        self._client = httpx.Client(base_url=server.url, timeout=60, trust_env=False)
        login = {"user": "root", "password": server.root_password}
        token = self._client.post("/v1/api/auth/login", json=login).json()["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    def post(self, sql, params=None):
        body = {"sql": sql} if params is None else {"sql": sql, "params": params}
        return self._client.post("/v1/api/sql", json=body, headers=self._headers)

    def rows(self, sql, params=None):
        answer = self.post(sql, params)
        assert answer.status_code == 200, answer.text[:500]
        return answer.json()["results"][-1]["rows"]

    def refusal(self, sql, params=None):
        answer = self.post(sql, params)
        assert answer.status_code == 400, answer.text[:500]
        return answer.json()["error"]["message"]

    def close(self):
        self._client.close()


@pytest.fixture(scope="module")
def attacked():
    with start() as server:
        attacked = Attacked(server)
        attacked.post("CREATE NAMESPACE h")
        attacked.post("CREATE TABLE h.t (id INT PRIMARY KEY, x TEXT) WITH (TYPE = 'SHARED')")
        attacked.post("INSERT INTO h.t (id, x) VALUES (1, 'a'), (2, 'b')")
        yield attacked
        assert attacked.rows("SELECT id FROM h.t WHERE id = 1") == [[1]], "the rows are gone"
        attacked.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("SELECT id FROM h.t WHERE " + " OR ".join(f"id = {i}" for i in range(1_000)), 2),
        ("SELECT count(*) AS n FROM (" + " UNION ALL ".join(f"SELECT {i} AS v" for i in range(1_200)) + ") AS q", 1),
        (" EXCEPT ".join(f"SELECT {i} AS v" for i in range(200)), 1),
        ("SELECT " + " + ".join(["id"] * 500) + " AS v FROM h.t", 2),
        ("SELECT id" + "::BIGINT" * 1_500 + " AS v FROM h.t", 2),
        ("SELECT CASE " + " ".join(f"WHEN id = {i} THEN {i}" for i in range(5_000)) + " END AS v FROM h.t", 2),
        ("SELECT id FROM h.t WHERE id IN (" + ", ".join(f"-{i}, {i}" for i in range(10_000)) + ")", 2),
        ("SELECT " + "abs(" * 24 + "id" + ")" * 24 + " AS v FROM h.t", 2),
    ],
    ids=["or", "union", "except", "plus", "cast", "case", "in", "calls"],
)
def test_what_the_real_server_answers_is_answered(attacked, sql, count):
    assert len(attacked.rows(sql)) == count


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM h.t WHERE " + " OR ".join(f"id = {i}" for i in range(7_600)),
        " UNION ".join(f"SELECT {i}" for i in range(5_000)),
        "SELECT " + " + ".join(["1"] * 20_000),
        "SELECT 1 FROM " + ", ".join(f"h.t AS t{i}" for i in range(5_000)),
        "SELECT (1" + " + 1" * 2_500 + ")" + " * 1" * 2_500,
        "SELECT CASE WHEN true THEN 1" + " + 1" * 2_500 + " END" + " * 1" * 2_500,
        "WITH c0 AS (SELECT 1)" + "".join(f", c{i} AS (SELECT * FROM c{i - 1})" for i in range(1, 5_000)) + " SELECT 1",
        "EXPLAIN SELECT " + " + ".join(["1"] * 20_000),
        "DELETE FROM h.t WHERE " + " OR ".join(f"id = {i}" for i in range(9, 7_600)),
        "INSERT INTO h.t (id) SELECT " + " + ".join(["1"] * 20_000),
        "SELECT " + "(" * 60 + "1" + ")" * 60,
        "SELECT * FROM " + "(SELECT * FROM " * 60 + "h.t" + ")" * 60,
    ],
)
def test_what_is_too_deep_is_refused(attacked, sql):
    assert "RecursionLimitExceeded" in attacked.refusal(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT '\0'",
        'SELECT 1 AS "a\0b"',
        'SELECT q.* FROM (SELECT id AS "\0" FROM h.t) AS q',
        'SELECT struct(1 AS "a\0") AS v',
        'WITH a AS (SELECT 1 AS "x\0") SELECT * FROM a ORDER BY 1',
    ],
)
def test_a_nul_in_the_name_of_a_column_is_refused(attacked, sql):
    assert "The character NUL in the name of a column is not available" in attacked.refusal(sql)


def test_a_nul_in_a_view_leaves_it_out(attacked):
    attacked.post('CREATE VIEW h.v AS SELECT id AS "q\0" FROM h.t')
    assert "Table not found" in attacked.refusal("SELECT * FROM h.v")
    attacked.post("DROP VIEW h.v")


def test_a_nul_in_a_value_is_a_value(attacked):
    assert attacked.rows("SELECT 'a\0b' AS v") == [["a\0b"]]
    assert attacked.rows("SELECT $1 AS v", ["\0"]) == [["\0"]]
    attacked.rows("SELECT 1; DELETE FROM h.t WHERE x = '\0'; SELECT 1")


@pytest.mark.parametrize(
    "setting",
    [
        "datafusion.execution.batch_size = 1000000000000",
        "datafusion.execution.batch_size = '+1000000000000'",
        "datafusion.sql_parser.recursion_limit = 100000",
        "datafusion.runtime.memory_limit = '100G'",
        "datafusion.runtime.temp_directory = '/tmp/elsewhere'",
        'DataFusion . "runtime" /* */ . memory_limit = 1',
        "datafusion.catalog.location = '/'",
    ],
)
def test_settings_that_lift_a_bound_are_refused(attacked, setting):
    assert "not available in the sandbox server" in attacked.refusal(f"SET {setting}; SELECT count(*) FROM h.t")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "s.csv").write_text("a,b\n1,2\n")
    yield tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["s.csv"], "something was written"


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{}/out.csv'",
        "COPY h.t TO '{}/out.csv'",
        "EXPLAIN COPY (SELECT 1) TO '{}/out.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{}/out.csv'",
        "explain analyze verbose cOPY h.t to '{}/out.csv'",
        "EXPLAIN ANALYZE EXPLAIN ANALYZE COPY (SELECT 1) TO '{}/out.csv'",
        "EXPLAIN ANALYZE /* */ COPY (SELECT 1) TO '{}/out.csv' STORED AS PARQUET",
        "DESCRIBE COPY (SELECT 1) TO '{}/out.csv'",
        "EXECUTE AS USER 'root' (COPY (SELECT 1) TO '{}/out.csv')",
        "EXECUTE AS USER 'root' (EXPLAIN ANALYZE COPY (SELECT 1) TO '{}/out.csv')",
        "WITH a AS (SELECT 1) COPY a TO '{}/out.csv'",
        "SELECT 1; COPY (SELECT 1) TO '{}/out.csv'",
        "SELECT 1 INTO OUTFILE '{}/out.csv'",
        "CREATE EXTERNAL TABLE h.x STORED AS CSV LOCATION '{}/s.csv'",
        "EXPLAIN ANALYZE CREATE EXTERNAL TABLE h.x STORED AS CSV LOCATION '{}/s.csv'",
        "CREATE VIEW h.w AS COPY (SELECT 1) TO '{}/out.csv'; SELECT * FROM h.w",
        "SELECT * FROM '{}/s.csv'",
        'SELECT * FROM "{}/s.csv"',
        "SELECT * FROM read_csv('{}/s.csv')",
        "SELECT * FROM read_parquet('{}/s.csv')",
        "SELECT * FROM read_json('{}/s.csv')",
        "SELECT * FROM parquet_metadata('{}/s.csv')",
        "CREATE FUNCTION f() RETURNS INT LANGUAGE C AS '{}/s.csv'",
        "SET datafusion.runtime.temp_directory = '{}/spill'",
    ],
)
def test_no_statement_reaches_a_file(attacked, folder, sql):
    assert attacked.refusal(sql.format(folder))
    attacked.post("DROP VIEW h.w")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT repeat('a', 1000000000)",
        "SELECT repeat('a', 1000 * 1000 * 1000)",
        "SELECT repeat('a', 9223372036854775807)",
        "SELECT length(repeat(repeat('a', 10000), 10000))",
        "WITH n AS (SELECT 1000000000 AS n) SELECT repeat('a', n) FROM n",
        "SELECT repeat('a', 40000000) FROM h.t",
        "SELECT id FROM h.t WHERE repeat(x, 100000000) = 'a'",
        "SELECT array_repeat(1, 100000000)",
        "SELECT array_repeat (array_repeat(1, 10000), 10000)",
        "SELECT list_repeat('a', 1000 * 1000 * 1000)",
        "SELECT array_repeat(1, 1000000) FROM h.t",
        "SELECT array_length(array_resize([1], 1000000000))",
        "SELECT lpad('a', 1000000000, 'b')",
        "SELECT rpad('a', 1000000000)",
        "SELECT range(0, 1000000000)",
        "SELECT range(1000000000)",
        "SELECT generate_series(1, 1000000000)",
        "SELECT unnest(range(0, 1000000000)) LIMIT 1",
        "EXPLAIN SELECT range(0, 1000000000)",
        "DELETE FROM h.t WHERE array_length(range(0, 1000000000)) = id",
        # Numbers that the text does not show.
        "SELECT array_repeat(1, id * 500000000) FROM h.t",
        "SELECT ARRAY_REPEAT /* */ (1, n) FROM (SELECT id * 500000000 AS n FROM h.t) AS q",
        'SELECT "array_repeat"(1, n) FROM (SELECT id * 500000000 AS n FROM h.t) AS q',
        "SELECT array_length(array_repeat(array_repeat(1, n), n)) FROM (SELECT id * 10000 AS n FROM h.t) AS q",
        "SELECT array_repeat(1, CAST('1000000000' AS BIGINT))",
        "SELECT array_repeat(x, 500000) FROM (SELECT repeat('a', 1000) AS x) AS q",
        "SELECT array_length(array_resize([id], id * 500000000)) FROM h.t",
        "SELECT lpad(x, id * 500000000, 'b') FROM h.t",
        "SELECT range(0, id * 500000000) FROM h.t",
        "SELECT generate_series(id * -500000000, 0) FROM h.t",
        "SELECT id FROM h.t WHERE array_length(range(id * 500000000)) = 1",
        "DELETE FROM h.t WHERE array_length(array_repeat(1, id * 500000000)) = id",
        "UPDATE h.t SET x = rpad(x, id * 500000000) WHERE id = 1",
    ],
)
def test_what_makes_much_of_little_is_refused_before_it_takes_memory(attacked, sql):
    before = resident_bytes(attacked.server.pid)
    assert "Resources exhausted: " in attacked.refusal(sql)
    assert resident_bytes(attacked.server.pid) - before < 100_000_000


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm") as sizes:
        return int(sizes.read().split()[1]) * 4096


@pytest.mark.parametrize(
    ("sql", "cell"),
    [
        ("SELECT repeat('ab', 3) AS v", "ababab"),
        ("SELECT repeat('ab', 0) AS v", ""),
        ("SELECT repeat('ab', -1) AS v", ""),
        ("SELECT repeat(NULL, 2) AS v", None),
        ("SELECT repeat('ab', NULL) AS v", None),
        ("SELECT repeat(x, id) AS v FROM h.t WHERE id = 2", "bb"),
        ("SELECT length(repeat('a', 1000000)) AS v", 1_000_000),
        ("SELECT array_length(array_repeat(1, 100000)) AS v", "100000"),
        ("SELECT array_length(range(0, 100000)) AS v", "100000"),
        ("SELECT lpad('a', 5, 'b') AS v", "bbbba"),
        ("SELECT count(*) AS v FROM generate_series(1, 1000000)", "1000000"),
        ("SELECT array_length(array_repeat(x, id)) AS v FROM h.t WHERE id = 2", "2"),
        ("SELECT array_length(array_repeat([id, 1], id * 1000)) AS v FROM h.t WHERE id = 2", "2000"),
        ("SELECT array_repeat(x, id + 1) AS v FROM h.t WHERE id = 1", ["a", "a"]),
        ("SELECT array_repeat(NULL, id) AS v FROM h.t WHERE id = 1", [None]),
        ("SELECT lpad(x, id + 2, '-') AS v FROM h.t WHERE id = 1", "--a"),
        ("SELECT array_length(range(id, id * 1000)) AS v FROM h.t WHERE id = 2", "1998"),
    ],
)
def test_what_is_made_within_the_memory_is_made(attacked, sql, cell):
    assert attacked.rows(sql) == [[cell]]


def test_what_is_counted_keeps_its_name(attacked):
    sql = "SELECT array_repeat(x, id), range(1, id) FROM h.t WHERE id = 1"
    (result,) = attacked.post(sql).json()["results"]
    assert [column["name"] for column in result["schema"]] == ["array_repeat(h.t.x,h.t.id)", "range(Int64(1),h.t.id)"]
    plan = " ".join(map(str, attacked.rows(f"EXPLAIN {sql}")))
    assert "array_repeat(" in plan
    assert "kdb_sandbox" not in plan


def test_a_view_makes_no_more_than_a_query(attacked):
    attacked.post("CREATE VIEW h.much AS SELECT array_length(array_repeat(1, id * 500000000)) AS v FROM h.t")
    assert "Resources exhausted: " in attacked.refusal("SELECT v FROM h.much")
    attacked.post("DROP VIEW h.much")


def test_what_cannot_be_counted_is_refused(attacked):
    days = "SELECT range(DATE '0001-01-01', DATE '1970-01-01' + id, INTERVAL '1 day') FROM h.t"
    assert "A number of items that is not in the text" in attacked.refusal(days)
    # What is wrong anyway is told as it is without counting.
    assert "No field named nope" in attacked.refusal("SELECT array_repeat(1, nope) FROM h.t")


@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 1])
def test_the_depth_of_a_text_is_counted_once_for_each_operator(depth):
    sql = "SELECT 1" + " + 1" * (depth - 1)
    if depth == DEEPEST:
        check_depth(sql)
        return
    with pytest.raises(SqlFailed, match=f"limit of the sandbox server: {DEEPEST} levels, found: {depth}"):
        check_depth(sql)


def test_deep_sql_of_a_live_query_is_refused_as_well():
    with serving() as served:
        sandbox_ = served.sandbox
        with pytest.raises(SqlFailed, match="RecursionLimitExceeded"):
            sandbox_.select(sandbox_.authenticate(served.token()), "SELECT " + " + ".join(["1"] * 20_000))
