"""A SELECT with several scans sees several states, unless it stands between BEGIN and COMMIT (truth L29)."""

import itertools
import threading

import pytest
from serving import serving

from kalam_sandbox.sql.references import Mention, separate

ROWS = 20
KEYS = itertools.count(ROWS)
DIFFERENCE = "SELECT a.n - b.n AS d FROM (SELECT count(id) AS n FROM {0}) AS a, (SELECT count(id) AS n FROM {1}) AS b"


@pytest.fixture
def slow(request):
    """A server whose scans take 0.2 s and more, with two equal tables."""
    with serving(scan_row_ns=10_000_000, **getattr(request, "param", {})) as served:
        served.sql("CREATE NAMESPACE app")
        for name in ("t", "u"):
            served.sql(f"CREATE TABLE app.{name} (id BIGINT PRIMARY KEY, n INT)")
            served.sql(f"INSERT INTO app.{name} (id, n) VALUES " + ", ".join(f"({i}, 0)" for i in range(ROWS)))
        yield served


def while_others_write(served, sql):
    """Run a SELECT while rows go into both tables, and return its rows."""
    stop = threading.Event()

    def write():
        while not stop.is_set():
            number = next(KEYS)
            served.sql(
                f"BEGIN; INSERT INTO app.t (id, n) VALUES ({number}, 1); "
                f"INSERT INTO app.u (id, n) VALUES ({number}, 1); COMMIT"
            )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        return next(result["rows"] for result in served.sql(sql) if "rows" in result)
    finally:
        stop.set()
        writer.join()


@pytest.mark.slow
@pytest.mark.parametrize(
    "sql",
    [
        DIFFERENCE.format("app.t", "app.t"),
        DIFFERENCE.format("app.t AS x", "app.u y"),
        "SELECT (SELECT count(id) FROM app.t) - (SELECT count(id) FROM app.t) AS d",
        "SELECT count(a.id) - count(b.id) AS d FROM app.t AS a FULL JOIN app.t b ON a.id = b.id",
        "SELECT (SELECT count(id) FROM app.u) - count(n) AS d FROM app.u",
        "SELECT max(n) - min(n) AS d FROM (SELECT count(n) AS n FROM app.t UNION ALL SELECT count(n) FROM app.t) AS q",
    ],
)
def test_several_scans_see_several_states(slow, sql):
    assert while_others_write(slow, sql) != [["0"]]
    assert while_others_write(slow, f"BEGIN; {sql}; COMMIT") == [["0"]]


@pytest.mark.parametrize("slow", [{"separate_scans": False}], indirect=True)
def test_the_habit_can_be_switched_off(slow):
    assert while_others_write(slow, DIFFERENCE.format("app.t", "app.t")) == [["0"]]


def test_a_scan_alone_sees_one_state(slow):
    assert while_others_write(slow, "SELECT count(id) - count(n) AS d FROM app.t") == [["0"]]


# The same results as of one state, where nobody writes ----------------------------------------------------------------


@pytest.fixture(scope="module")
def still():
    with serving() as served:
        served.sql("CREATE NAMESPACE app; CREATE NAMESPACE other")
        served.sql("CREATE TABLE app.t (id BIGINT PRIMARY KEY, n INT, d DECIMAL(10,2), e EMBEDDING(2))")
        served.sql("CREATE TABLE app.u (id BIGINT PRIMARY KEY, n INT)")
        served.sql("CREATE TABLE other.t (id BIGINT PRIMARY KEY, n INT)")
        served.sql("INSERT INTO app.t (id, n, d, e) VALUES (1, 1, '-0.50', '[1, 2]'), (2, 2, '3.00', '[3, 4]')")
        served.sql("INSERT INTO app.u (id, n) VALUES (1, 5), (3, 6)")
        served.sql("INSERT INTO other.t (id, n) VALUES (9, 9)")
        served.sql("STORAGE FLUSH TABLE app.t; INSERT INTO app.t (id, n) VALUES (4, 4)")
        served.sql("DELETE FROM app.u WHERE id = 3")
        yield served


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM app.t AS a JOIN app.t AS b ON a.id = b.id ORDER BY a.id",
        "SELECT app.t.id, t.n FROM app.t WHERE n = (SELECT max(app.t.n) FROM app.t)",
        "SELECT a.id, app.u.id AS u FROM app.t a, app.u WHERE a.id = app.u.id",
        "SELECT count(app.t.id), max(d) FROM app.t UNION ALL SELECT count(app.t.id), min(d) FROM app.t ORDER BY 1, 2",
        "SELECT id FROM app.t EXCEPT SELECT id FROM app.u ORDER BY id",
        "WITH t AS (SELECT id, n FROM app.t WHERE n > 1) SELECT a.n FROM t a JOIN t b ON a.id = b.id ORDER BY a.n",
        "WITH q AS (SELECT id FROM app.t), r (x) AS (SELECT id FROM app.t) SELECT x FROM q, r WHERE id = x ORDER BY 1",
        "SELECT count(*), (SELECT count(*) FROM app.u) AS m FROM app.t",
        "SELECT a.id FROM app.t a LEFT JOIN app.t ON a.id = t.id AND a.id IS DISTINCT FROM t.n ORDER BY a.id",
        "SELECT a.d, b.e FROM app.t AS a JOIN app.t AS b ON a.id = b.id WHERE b.id = 2",
        "SELECT a.id FROM app.t a JOIN other.t b ON a.id < b.id ORDER BY a.id DESC LIMIT 2",
        "SELECT table_name FROM system.tables s JOIN app.t a ON version = a.id AND table_name = 'u' JOIN app.u ON true",
        "SELECT id FROM app.u WHERE _deleted = true UNION ALL SELECT id FROM app.u WHERE _deleted = true",
        'SELECT "a".id FROM "app"."t" AS "a" JOIN app . t /* twice */ b ON a.id = b.id ORDER BY 1',
        "SELECT max(a.n + b.n) FROM app.t a CROSS JOIN app.t b",
    ],
)
def test_results_are_those_of_one_state(still, sql):
    (alone,) = still.sql(sql)
    assert alone == still.sql(f"BEGIN; {sql}; COMMIT")[1]


def test_a_table_named_twice_is_refused_as_before(still):
    message = still.failure("SELECT id FROM app.t JOIN app.t ON true")[1]
    assert message.endswith("Schema error: Schema contains duplicate qualified field name app.t.id")


def test_no_table_is_left_behind(still):
    still.sql("SELECT a.id FROM app.t a JOIN app.t b ON a.id = b.id")
    still.sql("SELECT app.t.id FROM app.t WHERE n = (SELECT max(app.t.n) FROM app.t)")
    tables = still.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'app'")
    assert sorted(tables) == [["t"], ["u"]]


def test_mentions_of_tables():
    known = {("app", "t"), ("app", "u")}

    def resolve(namespace, table):
        name = (namespace or "app", table)
        return name if name in known else None

    sql = "SELECT extract(year FROM t.at), 'FROM app.t', x FROM app.t, U AS u JOIN t ON true, (SELECT 1 FROM T z) AS q"
    told, mentions = separate(sql, resolve)
    assert told == (
        "SELECT extract(year FROM t.at), 'FROM app.t', x FROM app.t, U AS u "
        'JOIN "app"."t#2" AS "t" ON true, (SELECT 1 FROM "app"."t#3" z) AS q'
    )
    assert mentions == [
        Mention(("app", "t"), 1),
        Mention(("app", "u"), 1),
        Mention(("app", "t"), 2),
        Mention(("app", "t"), 3),
    ]
    assert separate("SELECT 'open FROM app.t", resolve)[1] == []
