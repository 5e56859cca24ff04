"""Any SELECT is read completely and exactly: each form against a truth computed here, with few and with many rows.

The columns are chosen so that one row's values follow from its key: ``a`` holds the keys 0 to n, ``b`` every third one.
"""

import datetime as dt
import uuid
import warnings
from decimal import Decimal

import pytest
from plain_client import IS_REAL, server_with
from servers import ROW_VERSION

import kalam_notebook as kalam
from kalam_notebook.errors import ResultError
from kalam_notebook.results.results import IncompleteResultWarning

pytestmark = pytest.mark.contract

SIZES = (7, 60, 1300)
GROUPS = 7
DAY = dt.date(2026, 1, 1)


def row(key):
    """The row of a key, as Python values."""
    return {
        "id": key,
        "grp": key % GROUPS,
        "score": key * 7919 % 1301,
        "dec": (Decimal(key % 200) - 100) / 100,
        "name": None if key % 10 == 3 else f"name {key % 50}",
        "day": DAY + dt.timedelta(days=key % 400),
    }


def literal(value):
    return "NULL" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


def fill(client, table, keys, kind="SHARED"):
    client.execute_query(
        f"CREATE TABLE {table} (id BIGINT PRIMARY KEY, grp INT, score INT, dec DECIMAL(10, 2), name TEXT, day DATE) "
        f"WITH (TYPE = '{kind}')"
    )
    for start in range(0, len(keys), 100):
        values = ", ".join(f"({', '.join(map(literal, row(key).values()))})" for key in keys[start : start + 100])
        client.execute_query(f"INSERT INTO {table} (id, grp, score, dec, name, day) VALUES {values}")


@pytest.fixture(scope="module")
def module_client(server):
    with kalam.Client(server.url, token=server.token) as client:
        yield client


@pytest.fixture(scope="module", params=SIZES)
def tables(request, module_client):
    """A namespace with ``a`` (keys 0 to n) and ``b`` (every third key), and the rows of ``a`` in Python."""
    client, count = module_client, request.param
    name = f"t{uuid.uuid4().hex[:12]}"
    client.execute_query(f"CREATE NAMESPACE {name}")
    fill(client, f"{name}.a", range(count))
    fill(client, f"{name}.b", range(0, count, 3))
    yield name, [row(key) for key in range(count)]
    client.execute_query(f"DROP NAMESPACE {name}")


@pytest.fixture
def read(module_client, tables):
    """Run a query without a warning; gives the rows as tuples."""

    def run(sql, params=None, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("error", IncompleteResultWarning)
            table = module_client.query_arrow(sql, params, namespace=tables[0], **options)
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    return run


def third(rows):
    return [r for r in rows if r["id"] % 3 == 0]


def by(rows, *columns):
    return [tuple(r[column] for column in columns) for r in rows]


def ranked(rows):
    return sorted(rows, key=lambda r: (-r["score"], r["id"]))


# Order: what is expected comes in this order; without an ORDER BY the key decides when it is in the result.
ORDERED = {
    "all columns": (
        "SELECT id, grp, score, dec, name, day FROM a",
        lambda rows: by(rows, "id", "grp", "score", "dec", "name", "day"),
    ),
    "filter": ("SELECT id, name FROM a WHERE grp = 2 AND name IS NOT NULL", lambda rows: by(
        [r for r in rows if r["grp"] == 2 and r["name"]], "id", "name")),
    "order by": ("SELECT score, id FROM a ORDER BY score DESC, id", lambda rows: by(ranked(rows), "score", "id")),
    "order by an expression": (
        "SELECT id FROM a ORDER BY -score, id", lambda rows: by(ranked(rows), "id")),
    "order by a position": ("SELECT score, id FROM a ORDER BY 1 DESC, 2", lambda rows: by(ranked(rows), "score", "id")),
    "order by something hidden": (
        "SELECT id FROM a ORDER BY score DESC, id", lambda rows: by(ranked(rows), "id")),
    "limit": ("SELECT id, score FROM a ORDER BY score DESC, id LIMIT 55", lambda rows: by(
        ranked(rows)[:55], "id", "score")),
    "a limit beyond the cap": ("SELECT id, score FROM a ORDER BY score DESC, id LIMIT 1100", lambda rows: by(
        ranked(rows)[:1100], "id", "score")),
    "offset": ("SELECT id, score FROM a ORDER BY score DESC, id LIMIT 52 OFFSET 3", lambda rows: by(
        ranked(rows)[3:55], "id", "score")),
    "offset alone": ("SELECT id FROM a ORDER BY score DESC, id OFFSET 2", lambda rows: by(ranked(rows)[2:], "id")),
    "comments and a semicolon": (
        "-- first\nSELECT id /* ; */ FROM a -- last\n;  -- after it",
        lambda rows: by(rows, "id"),
    ),
    "a line comment at the end": ("SELECT id FROM a -- last", lambda rows: by(rows, "id")),
    "an alias for the key": ("SELECT id AS k, grp FROM a ORDER BY k DESC", lambda rows: by(rows[::-1], "id", "grp")),
    "expressions": (
        "SELECT id, score + 1 AS s, upper(name) AS u, dec * -1 AS d FROM a ORDER BY id",
        lambda rows: [(r["id"], r["score"] + 1, r["name"] and r["name"].upper(), -r["dec"]) for r in rows],
    ),
    "an unnamed expression": (
        "SELECT id, score + 1, -dec FROM a ORDER BY id", lambda rows: [
            (r["id"], r["score"] + 1, -r["dec"]) for r in rows]),
    "casts": (
        "SELECT CAST(id AS TEXT) AS t, arrow_cast(dec, 'Utf8'), CAST(dec AS DOUBLE) AS f, "
        "CAST(day AS TIMESTAMP) AS ts FROM a ORDER BY id",
        lambda rows: [
            (str(r["id"]), f"{r['dec']:.2f}", float(r["dec"]),
             dt.datetime.combine(r["day"], dt.time(), dt.UTC)) for r in rows],
    ),
    "case": (
        "SELECT id, CASE WHEN grp = 0 THEN 'zero' WHEN grp < 3 THEN 'few' END AS c FROM a ORDER BY id",
        lambda rows: [(r["id"], "zero" if r["grp"] == 0 else "few" if r["grp"] < 3 else None) for r in rows],
    ),
    "window": (
        "SELECT id, row_number() OVER (PARTITION BY grp ORDER BY id) AS n, sum(score) OVER (ORDER BY id) AS s FROM a "
        "ORDER BY id",
        lambda rows: [(r["id"], r["id"] // GROUPS + 1, sum(p["score"] for p in rows[: i + 1]))
                      for i, r in enumerate(rows)],
    ),
    "a named window": (
        "SELECT id, rank() OVER w AS n FROM a WINDOW w AS (ORDER BY id DESC) ORDER BY id",
        lambda rows: [(r["id"], len(rows) - r["id"]) for r in rows],
    ),
    "qualify": (
        "SELECT id FROM a QUALIFY row_number() OVER (PARTITION BY grp ORDER BY id) = 1 ORDER BY id",
        lambda rows: by(rows[:GROUPS], "id"),
    ),
    "join": (
        "SELECT a.id, b.score FROM a JOIN b ON a.id = b.id ORDER BY a.id",
        lambda rows: by(third(rows), "id", "score"),
    ),
    "left join": (
        "SELECT a.id, b.id AS other FROM a LEFT JOIN b USING (id) ORDER BY a.id DESC",
        lambda rows: [(r["id"], r["id"] if r["id"] % 3 == 0 else None) for r in rows[::-1]],
    ),
    "a join with equal names": (
        "SELECT a.id, b.id FROM a JOIN b ON a.id = b.id ORDER BY a.id", lambda rows: by(third(rows), "id", "id")),
    "a join with equal names and expressions": (
        "SELECT a.id, b.id, a.score + b.score FROM a, b WHERE a.id = b.id ORDER BY a.id",
        lambda rows: [(r["id"], r["id"], 2 * r["score"]) for r in third(rows)],
    ),
    "group by": (
        "SELECT grp, count(*) AS n, sum(dec) AS d, max(name) AS m FROM a GROUP BY grp ORDER BY grp",
        lambda rows: [
            (g, len(part), sum(r["dec"] for r in part), max((r["name"] for r in part if r["name"]), default=None))
            for g in range(GROUPS) for part in [[r for r in rows if r["grp"] == g]]],
    ),
    "group by the key": (
        "SELECT id, count(*) AS n FROM a GROUP BY id HAVING count(*) > 0 ORDER BY id",
        lambda rows: [(r["id"], 1) for r in rows],
    ),
    "an aggregate": (
        "SELECT count(*), sum(score), min(dec), avg(score) FROM a",
        lambda rows: [(len(rows), sum(r["score"] for r in rows), min(r["dec"] for r in rows),
                       pytest.approx(sum(r["score"] for r in rows) / len(rows)))],
    ),
    "distinct": ("SELECT DISTINCT grp FROM a ORDER BY grp", lambda rows: [(g,) for g in range(GROUPS)]),
    "with": (
        "WITH few AS (SELECT id, score FROM a WHERE grp < 6) SELECT id FROM few ORDER BY score DESC, id",
        lambda rows: by(ranked([r for r in rows if r["grp"] < 6]), "id"),
    ),
    "with recursive": (
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT i FROM n ORDER BY i",
        lambda rows: [(i,) for i in range(1, 61)],
    ),
    "union": (
        "SELECT grp AS g FROM a UNION SELECT id FROM b ORDER BY g",
        lambda rows: [(g,) for g in sorted({r["grp"] for r in rows} | {r["id"] for r in third(rows)})],
    ),
    "union all with an order": (
        "SELECT id FROM a UNION ALL SELECT id + 100000 AS id FROM b ORDER BY id",
        lambda rows: [*by(rows, "id"), *[(r["id"] + 100000,) for r in third(rows)]],
    ),
    "intersect": (
        "SELECT id FROM a INTERSECT SELECT id FROM b ORDER BY id", lambda rows: by(third(rows), "id")),
    "except": ("SELECT id FROM a EXCEPT SELECT id FROM b ORDER BY id", lambda rows: by(
        [r for r in rows if r["id"] % 3], "id")),
    "in a sub-query": (
        "SELECT id FROM a WHERE id IN (SELECT id FROM b)", lambda rows: by(third(rows), "id")),
    "exists": (
        "SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.id = a.id)", lambda rows: by(third(rows), "id")),
    "a scalar sub-query": (
        "SELECT id, (SELECT max(score) FROM b) AS m FROM a ORDER BY id",
        lambda rows: [(r["id"], max(q["score"] for q in third(rows))) for r in rows],
    ),
    "a sub-query in FROM": (
        "SELECT q.id FROM (SELECT id, score FROM a ORDER BY score DESC, id LIMIT 53) AS q ORDER BY q.id",
        lambda rows: sorted(by(ranked(rows)[:53], "id")),
    ),
    "exclude": (f"SELECT * EXCLUDE ({ROW_VERSION}, _deleted, dec, name, day) FROM a ORDER BY id", lambda rows: by(
        rows, "id", "grp", "score")),
    "values": ("SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS v(x, y) ORDER BY x", lambda rows: [(1, "a"), (2, None)]),
    "without a table": ("SELECT 1 AS one, 'two' AS two, NULL AS three", lambda rows: [(1, "two", None)]),
    "a series": ("SELECT value FROM generate_series(1, 1200) ORDER BY value", lambda rows: [
        (n,) for n in range(1, 1201)]),
    "lists": (
        "SELECT id, [score, grp] AS l FROM a ORDER BY id",
        lambda rows: [(r["id"], [r["score"], r["grp"]]) for r in rows],
    ),
    "nothing": ("SELECT id, name, -dec AS d FROM a WHERE id < 0", lambda rows: []),
    "nothing of a join": ("SELECT a.id, b.id FROM a JOIN b ON a.id = b.id + 100000000", lambda rows: []),
    "a quoted name": ('SELECT id AS "Big Name", name AS "select" FROM a ORDER BY "Big Name"', lambda rows: by(
        rows, "id", "name")),
}  # fmt: skip

# No order is defined for these: the rows as a bag.
UNORDERED = {
    "no key in the result": ("SELECT score, name FROM a", lambda rows: by(rows, "score", "name")),
    "only NULL": ("SELECT NULL AS x, CAST(NULL AS INT) AS y FROM a", lambda rows: [(None, None) for _ in rows]),
    "distinct without order": ("SELECT DISTINCT name FROM a", lambda rows: list({(r["name"],) for r in rows})),
    "union all": (
        "SELECT id, score FROM a UNION ALL SELECT id, score FROM b",
        lambda rows: [*by(rows, "id", "score"), *by(third(rows), "id", "score")],
    ),
    "union all of different types": (
        "SELECT id FROM a UNION ALL SELECT grp FROM a", lambda rows: [*by(rows, "id"), *by(rows, "grp")]),
    "union all of different types and names": (
        "SELECT id, name AS x, dec FROM a UNION ALL SELECT score, name, score AS again FROM b WHERE grp < 6",
        lambda rows: [*by(rows, "id", "name", "dec"),
                      *[(r["score"], r["name"], Decimal(r["score"])) for r in third(rows) if r["grp"] < 6]],
    ),
    "a cross join": (
        "SELECT x.id, y.grp FROM a x CROSS JOIN (SELECT grp FROM a WHERE id < 2) y",
        lambda rows: [(r["id"], g) for r in rows for g in (0, 1)],
    ),
    "a full join": (
        "SELECT a.id, b.name FROM a FULL OUTER JOIN b ON a.id = b.id",
        lambda rows: [(r["id"], r["name"] if r["id"] % 3 == 0 else None) for r in rows],
    ),
    "an aggregate by group": (
        "SELECT name, count(*) AS n FROM a GROUP BY name",
        lambda rows: [(n, sum(r["name"] == n for r in rows)) for n in {r["name"] for r in rows}],
    ),
    "rollup": (
        "SELECT grp, count(*) AS n FROM a GROUP BY ROLLUP (grp)",
        lambda rows: [(None, len(rows)), *[(g, sum(r["grp"] == g for r in rows)) for g in range(GROUPS)]],
    ),
    "unnest": ("SELECT unnest([id, id + 1]) AS u FROM b", lambda rows: [
        (k,) for r in third(rows) for k in (r["id"], r["id"] + 1)]),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDERED)
def test_rows_in_their_order(read, tables, name):
    sql, truth = ORDERED[name]
    assert read(sql) == truth(tables[1])


@pytest.mark.parametrize("name", UNORDERED)
def test_rows_as_a_bag(read, tables, name):
    sql, truth = UNORDERED[name]
    assert sorted(read(sql), key=repr) == sorted(truth(tables[1]), key=repr)


@pytest.mark.parametrize("count", [45, 50, 1000, 1200])
def test_parameters_and_max_rows(read, tables, count):
    rows = tables[1]
    assert read("SELECT id FROM a WHERE id < $1", [count]) == by(rows[:count], "id")
    assert read("SELECT id FROM a WHERE id < $2 AND grp = $1", [1, count]) == by(
        [r for r in rows[:count] if r["grp"] == 1], "id"
    )
    assert read("SELECT id FROM a ORDER BY score DESC, id LIMIT $1", [count]) == by(ranked(rows)[:count], "id")
    assert len(read("SELECT id FROM a", max_rows=len(rows))) == len(rows)


def test_parentheses_around_a_query(read, tables):
    rows = tables[1]
    assert read("(SELECT id, score FROM a ORDER BY score DESC, id LIMIT 55)") == by(ranked(rows)[:55], "id", "score")
    both = read("(SELECT id FROM a) UNION ALL (SELECT score FROM a ORDER BY score LIMIT 5)")
    assert sorted(both) == sorted([*by(rows, "id"), *sorted(by(rows, "score"))[:5]])


@pytest.mark.parametrize("sql", ["SELECT * FROM a", "SELECT name, id, grp FROM a WHERE grp <> 3"])
def test_the_key_orders_rows_without_order_by(read, sql):
    first = read(sql)
    keys = [r[1 if "name" in sql else 0] for r in first]
    assert keys == sorted(keys)
    assert read(sql) == first


def test_queries_as_another_user(module_client, tables):
    """The plain answer of EXECUTE AS USER is cut as well; each statement is wrapped inside its parentheses."""
    space, rows = tables
    table = f"{space}.own"
    user = f"u{uuid.uuid4().hex[:8]}"
    fill(module_client, table, [], kind="USER")
    for start in range(0, len(rows), 100):
        values = ", ".join(f"({r['id']}, {r['score']})" for r in rows[start : start + 100])
        module_client.execute_query(f"EXECUTE AS USER '{user}' (INSERT INTO {table} (id, score) VALUES {values})")
    assert module_client.query(f"SELECT id FROM {table}").empty
    result = module_client.query_result(f"EXECUTE AS USER '{user}' (SELECT id, score FROM {table} -- all of them\n);")
    assert result.completeness.is_complete
    assert list(zip(*(c.to_pylist() for c in result.arrow().columns), strict=True)) == by(rows, "id", "score")
    top = module_client.query(
        f"EXECUTE AS USER {user} (SELECT id, score FROM {table} WHERE id < $1 ORDER BY score DESC, id LIMIT 3)", [5000]
    )
    assert top["id"].tolist() == [key for (key,) in by(ranked(rows)[:3], "id")]
    module_client.execute_query(f"DROP TABLE {table}")


@pytest.mark.slow
def test_what_the_memory_of_the_server_refuses_is_told():
    """Its memory for a query has a bound, whatever the client may do: the first rows come, and the reason."""
    count = 1300 if IS_REAL else 300
    with server_with("--query-memory-bytes", "1500000") as (space, _, client):
        fill(client, f"{space}.a", range(count))
        sql = "SELECT x.*, y.id AS k FROM a x CROSS JOIN a y"
        with pytest.warns(IncompleteResultWarning, match="reading it exactly failed: .*Resources exhausted"):
            result = client.query_result(sql, namespace=space)
        assert result.row_count == 50
        assert not result.completeness.is_complete
        with pytest.raises(ResultError, match="Resources exhausted"):
            client.query(sql, namespace=space, strict=True)
        assert client.query(f"SELECT count(*) AS n FROM ({sql})", namespace=space)["n"].tolist() == [count * count]


@pytest.mark.parametrize("sql", ["SHOW TABLES", "DESCRIBE TABLE {}.a", "EXPLAIN SELECT id FROM {}.a"])
def test_commands_are_sent_as_they_are(module_client, tables, sql):
    result = module_client.query_result(sql.format(tables[0]))
    assert (str(result.completeness), result.completeness.requests) == ("complete", 1)
    assert result.row_count > 1


STARS = {
    "SELECT * FROM a x JOIN a y ON x.id = y.id": lambda r: (r, r),
    "SELECT y.*, x.id FROM a x CROSS JOIN (SELECT * FROM a WHERE id = 0) AS y": lambda r: (row(0), {"id": r["id"]}),
    "SELECT * FROM a LEFT JOIN b ON a.id = b.id AND b.id < 0, (SELECT max(id) AS id FROM b) m": lambda r: (
        r, dict.fromkeys(r), None),
}  # fmt: skip


@pytest.mark.parametrize("sql", STARS)
@pytest.mark.slow
def test_equal_names_behind_a_star(module_client, tables, sql):
    """Each star is written out, so that equal names can be told apart."""
    space, rows = tables
    result = module_client.query_result(sql, namespace=space)
    assert result.completeness.is_complete, result.completeness
    names = result.arrow().column_names
    assert len(set(names)) < len(names)
    hidden = {ROW_VERSION, "_deleted"}
    got = [
        tuple(cell for name, cell in zip(names, values, strict=True) if name not in hidden)
        for values in zip(*(column.to_pylist() for column in result.arrow().columns), strict=True)
    ]
    last = [row for row in rows if row["id"] % 3 == 0][-1]
    wanted = [
        tuple(value for part in STARS[sql](r) for value in ({"id": last["id"]} if part is None else part).values())
        for r in rows
    ]
    assert got == wanted


def test_columns_that_nothing_tells_apart(client, tables):
    """A doubtful answer whose columns cannot be told apart is marked, not passed on.

    By a client of its own, which has not seen whether the server keeps sorts.
    """
    space, rows = tables
    sql = f"SELECT * FROM {space}.a x JOIN {space}.a y USING (id)"
    if len(rows) < 50:
        sql += " ORDER BY x.score LIMIT 40"
    with pytest.warns(IncompleteResultWarning, match="give them names with AS"):
        assert client.query_result(sql).row_count <= 50
    with pytest.raises(ResultError, match="may not be complete"):
        client.query_result(sql, strict=True)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id AS k FROM a",
        "SELECT name, grp FROM a",
        "SELECT dec FROM a",
        "SELECT x.id, y.id, y.grp FROM a x JOIN b y ON x.grp = y.grp WHERE x.id < 40",
        "SELECT grp, count(*) AS n FROM a GROUP BY grp",
        "SELECT id FROM a UNION ALL SELECT id FROM b",
    ],
)
def test_rows_without_an_order_come_in_the_same_order_each_time(read, sql):
    first = read(sql)
    assert all(read(sql) == first for _ in range(4))
