"""``engine="local"``: its results have the rows and types that the docs promise, and its errors say what to do."""

import datetime as dt
import re
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest
from servers import ROW_VERSION

import kalam_notebook as kalam
from kalam_notebook.errors import QueryError, ResultError

pytestmark = pytest.mark.contract

UTC = pa.timestamp("us", "UTC")
TIME = dt.datetime(2026, 1, 1, 10, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def local(server):
    """Reads a query on the local engine. ``r.t`` has a row of values of many types, and one of NULL."""
    space = f"t{uuid.uuid4().hex[:12]}"
    with kalam.Client(server.url, token=server.token) as client:
        client.execute_query(f"CREATE NAMESPACE {space}")
        client.execute_query(
            f"CREATE TABLE {space}.t (id INT PRIMARY KEY, x TEXT, flag BOOLEAN, ts TIMESTAMP, u UUID, j JSON, f FILE, "
            "d DECIMAL(5, 2)) WITH (TYPE = 'SHARED')"
        )
        client.execute_query(
            f"INSERT INTO {space}.t (id, x, flag, ts, u, j, d) VALUES (1, 'q', true, '2026-01-01 10:00:00', "
            f"'{uuid.UUID(int=5)}', '{{}}', '-0.50')"
        )
        client.execute_query(f"INSERT INTO {space}.t (id) VALUES (2)")
        client.execute_query(f"CREATE VIEW {space}.v AS SELECT id, x FROM {space}.t")
        client.execute_query(f"CREATE VIEW {space}.w AS SELECT id, {ROW_VERSION} FROM {space}.t")
        yield lambda sql: client.query_result(re.sub(r"\br\.", f"{space}.", sql), engine="local")
        client.execute_query(f"DROP NAMESPACE {space} CASCADE")


def cells(result):
    return result.arrow().column(0).to_pylist()


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT DISTINCT x FROM r.t ORDER BY x LIMIT 10", ["q", None]),
        ("SELECT x FROM r.t GROUP BY x ORDER BY x DESC LIMIT 10", [None, "q"]),
        ("SELECT min(id) AS v FROM r.t GROUP BY x ORDER BY v LIMIT 10", [1, 2]),
        ("SELECT max(ts) AS v FROM r.t GROUP BY id ORDER BY v DESC LIMIT 10", [None, TIME]),
    ],
)
def test_groups_of_null_are_kept_under_a_limit(local, sql, found):
    assert cells(local(sql)) == found


@pytest.mark.parametrize("columns", ["id", "x", "id, x"])
def test_a_bare_offset_skips_the_first_rows_of_the_order(local, columns):
    numbers = ", ".join(f"({i}, {i * 7 % 23}, 'n{i}')" for i in range(23))
    sql = f"SELECT {columns} FROM (VALUES {numbers}) AS q(id, n, x) ORDER BY n DESC OFFSET 20"
    wanted = sorted(range(23), key=lambda i: -(i * 7 % 23))[20:]
    assert cells(local(sql)) == (wanted if columns != "x" else [f"n{i}" for i in wanted])


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT 'all' AS v UNION ALL SELECT x FROM r.t", ["all", "q", None]),
        ("SELECT [1] AS v UNION ALL SELECT array_agg(id) FROM r.t WHERE id = 1", [[1], [1]]),
        ("SELECT DISTINCT NOT flag AS v FROM r.t", [False, None]),
        ("SELECT DISTINCT NOT flag AS v FROM r.t UNION ALL SELECT true", [False, None, True]),
        ("SELECT DISTINCT -d AS v FROM r.t", [Decimal("0.50"), None]),
        ("SELECT x FROM r.t WHERE x = 'no'", []),
    ],
)
def test_plans_whose_parts_differ_in_metadata(local, sql, found):
    table = local(sql).arrow()
    assert sorted(table.column(0).to_pylist(), key=repr) == sorted(found, key=repr)
    assert all(field.nullable for field in table.schema)


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("array_agg(CAST(x AS TEXT))", pa.list_(pa.string()), ["q"]),
        ("array_agg(arrow_cast('q', 'BinaryView'))", pa.list_(pa.binary()), [b"q"]),
        ("array_agg(ts)", pa.list_(UTC), [TIME]),
        ("array_agg([ts])", pa.list_(pa.list_(UTC)), [[TIME]]),
        ("array_agg(u)", pa.list_(pa.uuid()), [uuid.UUID(int=5)]),
        ("array_agg(arrow_cast(x, 'Dictionary(Int32, Utf8)'))", pa.list_(pa.string()), ["q"]),
        ("arrow_cast(min(x), 'Dictionary(Int32, Utf8)')", pa.string(), "q"),
        ("arrow_cast(min(x), 'Dictionary(Int32, Utf8View)')", pa.string(), "q"),
        ("arrow_cast(min(ts), 'Timestamp(Second, Some(\"+00:00\"))')", pa.timestamp("s", "UTC"), TIME),
        ("INTERVAL '14 months 3 days 4 hours'", pa.string(), "14 mons 3 days 4 hours"),
        ("array_agg(INTERVAL '1 month')", pa.list_(pa.string()), ["1 mons"]),
        (
            "arrow_cast([INTERVAL '1 month'], 'FixedSizeList(1 x Interval(MonthDayNano))')",
            pa.list_(pa.string(), 1),
            ["1 mons"],
        ),
        ("struct(min(ts))", pa.struct([("c0", UTC)]), {"c0": TIME}),
        ("map(['a'], [arrow_cast('b', 'Utf8View')])", pa.map_(pa.string(), pa.string()), [("a", "b")]),
        ("CAST(NULL AS INTERVAL)", pa.string(), None),
    ],
)
def test_values_have_the_types_of_the_client_at_any_depth(local, expression, kind, value):
    result = local(f"SELECT {expression} AS v FROM r.t WHERE id = 1 GROUP BY id")
    table = result.arrow()
    assert (table.schema.field("v").type, table.column("v").to_pylist()) == (kind, [value])
    assert len(result.df()) == len(result.polars()) == 1


def test_no_rows_have_the_same_types(local):
    result = local("SELECT INTERVAL '1 month' AS v, array_agg(u) AS w FROM r.t WHERE id = 9 GROUP BY id")
    assert result.arrow().schema.types == [pa.string(), pa.list_(pa.uuid())]
    assert len(result.df()) == len(result.polars()) == 0


def test_an_interval_in_a_struct_says_what_to_do(local):
    with pytest.raises(ResultError, match=r"'v' is struct.* select its fields"):
        local("SELECT struct(INTERVAL '1 month') AS v FROM r.t")


def test_columns_keep_what_they_are(local):
    columns = local("SELECT j, f, ts, u, d FROM r.t").columns
    assert [column.type_name for column in columns] == ["Json", "File", "Timestamp", "Uuid", "Decimal"]


@pytest.mark.parametrize("view", ["v", "w"])
def test_a_view_is_told(local, view):
    with pytest.raises(ResultError, match=rf"\.{view} is a view.*Write the SELECT of the view in its place"):
        local(f"SELECT id FROM r.{view}")


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("j->>'a'", "->>"),
        ("j->'a'", "->"),
        ("j ? 'a'", r"\?"),
        ("json_get_int(j, 'a')", "json_get_int"),
        ("Cosine_Distance([1.0], '[1]')", "Cosine_Distance"),
        ("CURRENT_USER()", "CURRENT_USER"),
    ],
)
def test_what_only_the_server_has_is_told(local, expression, name):
    with pytest.raises(QueryError, match=rf"(?s)LOCAL_ENGINE.*\n{name} exists on the server only\. Leave engine"):
        local(f"SELECT {expression} AS v FROM r.t")


def test_other_errors_have_no_such_hint(local):
    with pytest.raises(QueryError, match="nope") as caught:
        local("SELECT nope FROM r.t WHERE x = 'json_get('")
    assert "server only" not in str(caught.value)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT id + " + " + ".join(["1"] * 20_000) + " AS v FROM r.t", "20,001 levels deep"),
        (" UNION ".join(["SELECT id FROM r.t"] * 11_000), "11,000 levels deep"),
        ('SELECT id AS "a\0b" FROM r.t', "NUL"),
    ],
)
def test_what_would_end_the_engine_is_told(local, sql, told):
    with pytest.raises(QueryError, match=told):
        local(sql)
    assert cells(local("SELECT id FROM r.t ORDER BY id")) == [1, 2]
