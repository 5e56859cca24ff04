"""Columns that the server adds to each table are not shown by ``*``, and are there when they are named."""

import pytest
from servers import ROW_VERSION
from shared_client import shared_client  # noqa: F401

pytestmark = pytest.mark.contract


@pytest.fixture(
    params=["SHARED", pytest.param("USER", marks=pytest.mark.slow), pytest.param("STREAM", marks=pytest.mark.slow)]
)
def table(request, client, namespace):
    """Sixty rows: more than the server sends by itself."""
    name, ttl = f"{namespace}.t", ", TTL_SECONDS = 3600" if request.param == "STREAM" else ""
    client.execute_query(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, n INT) WITH (TYPE = '{request.param}'{ttl})")
    client.execute_query(f"INSERT INTO {name} (id, n) VALUES {', '.join(f'({n}, {n})' for n in range(60))}")
    return name


STARS = [
    "SELECT * FROM {t}",
    "SELECT * FROM {t} WHERE id < 3",
    f"SELECT * FROM {{t}} WHERE {ROW_VERSION} > 0 ORDER BY id LIMIT 3",
    "SELECT a.* FROM {t} AS a WHERE id = 1",
    "SELECT * FROM (SELECT * FROM {t}) AS q",
    "WITH c AS (SELECT * FROM {t} WHERE id < 5) SELECT * FROM c",
    "SELECT a.* FROM {t} AS a JOIN {t} AS b ON a.id = b.id",
    "SELECT * FROM {t} UNION ALL SELECT * FROM {t}",
]


@pytest.mark.parametrize("sql", STARS)
@pytest.mark.filterwarnings("ignore:not certain. the server does not read these tables in one transaction")
@pytest.mark.slow
def test_frames_of_a_star(client, table, sql):
    sql = sql.format(t=table)
    for engine in ("server", "local"):
        frame = client.query(sql, engine=engine)
        assert list(frame.columns) == ["id", "n"], engine
        (counted,) = client.query_arrow(f"SELECT count(*) FROM ({sql}) AS counted", engine=engine).column(0).to_pylist()
        assert len(frame) == counted, engine
    for batch in client.query_batches(sql, batch_rows=20):
        assert batch.schema.names == ["id", "n"]


@pytest.mark.filterwarnings("ignore:not certain. the server does not read these tables in one transaction")
def test_a_join_of_stars(client, table):
    frame = client.query_arrow(f"SELECT * FROM {table} AS a JOIN {table} AS b ON a.id = b.id")
    assert frame.column_names == ["id", "n", "id", "n"]
    assert frame.num_rows == 60


def test_named_ones_stay(client, table):
    for engine in ("server", "local"):
        frame = client.query_arrow(f"SELECT *, {ROW_VERSION} AS version FROM {table}", engine=engine)
        assert frame.column_names == ["id", "n", "version"]
        frame = client.query_arrow(f"SELECT id, {ROW_VERSION}, _deleted FROM {table}", engine=engine)
        assert frame.column_names == ["id", ROW_VERSION, "_deleted"]
        assert len(set(frame.column(ROW_VERSION).to_pylist())) == 60
        inner = client.query_arrow(f"SELECT * FROM (SELECT id, {ROW_VERSION} FROM {table}) AS q", engine=engine)
        assert inner.column_names == ["id", ROW_VERSION]
    batches = client.query_batches(f"SELECT id, {ROW_VERSION} FROM {table}", batch_rows=20)
    assert next(batches).schema.names == ["id", ROW_VERSION]


@pytest.mark.filterwarnings("ignore:not certain. the server does not read these tables in one transaction")
def test_what_compares_rows_by_them_shows_them(client, table):
    (raw,) = client.execute_query(f"SELECT * FROM {table} LIMIT 1").results
    names = [column.name for column in raw.columns]
    others = ", ".join({"id": "id", "n": "n", "_deleted": "false"}.get(name, f"0 AS {name}") for name in names)
    frame = client.query_arrow(f"SELECT * FROM {table} EXCEPT SELECT {others} FROM {table}")
    assert (frame.num_rows, frame.column_names) == (60, names)


def test_the_server_s_own_answer_has_them(client, table):
    (answer,) = client.execute_query(f"SELECT * FROM {table} LIMIT 1").results
    own = [column.name for column in answer.columns if column.name not in {"id", "n"}]
    assert {ROW_VERSION, "_deleted"} <= set(own) <= {ROW_VERSION, "_deleted", "_timestamp"}


@pytest.mark.parametrize("sql", [STARS[0], STARS[1], STARS[4], STARS[6]])
def test_live_tables_of_a_star(client, table, sql):
    with client.live(sql.format(t=table)) as live:
        live.wait_for(lambda t: t.num_rows > 2, timeout=20)
        assert live.arrow().column_names == ["id", "n"]
        assert list(live.df().columns) == ["id", "n"]


def test_a_live_table_of_named_ones(client, table):
    with client.live(f"SELECT id, {ROW_VERSION} FROM {table}") as live:
        live.wait_for(lambda t: t.num_rows == 60, timeout=20)
        assert live.arrow().column_names == ["id", ROW_VERSION]


# Writing back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame_of", ["query", "query_arrow", "query_polars"])
def test_what_was_read_can_be_written_back(client, namespace, frame_of):
    table = f"{namespace}.back"
    columns = "id BIGINT PRIMARY KEY, n INT, d DECIMAL(10, 2)"
    client.execute_query(f"CREATE TABLE {table} ({columns}) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {table} (id, n, d) VALUES (1, 1, '-0.50'), (2, NULL, NULL)")
    report = client.write(getattr(client, frame_of)(f"SELECT * FROM {table}"), table, mode="upsert")
    assert (report.unchanged, report.requests, report.notices) == (2, 0, ())
    named = client.query_arrow(f"SELECT id, n, d, {ROW_VERSION}, _deleted FROM {table}")
    report = client.write(named, table, mode="upsert")
    assert report.unchanged == 2
    assert report.notices == (f"Left out, for the server sets them itself: _deleted, {ROW_VERSION}.",)
    report = client.write(named, f"{namespace}.copy", create=True, key="id")
    assert "d DECIMAL(10, 2)" in report.created_sql
    assert client.query_arrow(f"SELECT * FROM {namespace}.copy").equals(client.query_arrow(f"SELECT * FROM {table}"))
