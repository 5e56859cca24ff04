"""Both clients against a server: queries, types, parameters, errors, login, diagnostics."""

import asyncio
import concurrent.futures
import datetime as dt
import traceback
import uuid
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

import kalam_notebook as kalam
from kalam_notebook.errors import (
    AuthError,
    ConfigError,
    ConnectError,
    KalamError,
    ParameterError,
    PermissionDeniedError,
    QueryError,
    ResultError,
)
from kalam_notebook.results.results import IncompleteResultWarning

pytestmark = pytest.mark.contract

TYPES = """CREATE TABLE {ns}.types (id BIGINT PRIMARY KEY, b BOOLEAN, si SMALLINT, i INT, bi BIGINT, f FLOAT, d DOUBLE,
    dec DECIMAL(20, 4), t TEXT, j JSON, by BYTES, ts TIMESTAMP, da DATE, dt DATETIME, ti TIME, u UUID, e EMBEDDING(3),
    fi FILE) WITH (TYPE = '{kind}')"""
COLUMNS = "id, b, si, i, bi, f, d, dec, t, j, by, ts, da, dt, ti, u, e, fi"
UTC = dt.UTC
FULL = {
    "id": 1,
    "b": True,
    "si": -5,
    "i": 42,
    "bi": 9007199254740993,
    "f": 1.5,
    "d": 3.14,
    "dec": Decimal("-0.5000"),
    "t": 'héllo "q" <b>',
    "j": '{"a":[1,2]}',
    "by": b"bytes",
    "ts": dt.datetime(2024, 1, 1, 0, 0, 0, 123456, UTC),
    "da": dt.date(2024, 1, 1),
    "dt": dt.datetime(2024, 1, 1, tzinfo=UTC),
    "ti": dt.time(12, 34, 56, 123456),
    "u": uuid.UUID("550e8400-e29b-41d4-a716-446655440000"),
    "e": [0.5, -1.0, 2.25],
    "fi": None,
}


@pytest.fixture(params=["USER", "SHARED"])
def types_table(request, client, namespace):
    client.execute_query(TYPES.format(ns=namespace, kind=request.param))
    return f"{namespace}.types"


def test_every_type_comes_back_exactly(client, types_table):
    client.execute_query(
        f"""INSERT INTO {types_table} ({COLUMNS}) VALUES
        (1, true, -5, 42, 9007199254740993, 1.5, 3.14, '-0.5', 'héllo "q" <b>', '{{"a":[1,2]}}', 'bytes',
         '2024-01-01T00:00:00.123456Z', '2024-01-01', '2024-01-01T02:00:00+02:00', '12:34:56.123456',
         '550e8400-e29b-41d4-a716-446655440000', '[0.5,-1,2.25]', NULL)"""
    )
    nulls = ", ".join("NULL" for _ in range(17))
    client.execute_query(f"INSERT INTO {types_table} ({COLUMNS}) VALUES (2, {nulls})")
    rows = client.query_arrow(f"SELECT {COLUMNS} FROM {types_table} ORDER BY id").to_pylist()
    assert rows == [FULL, dict.fromkeys(FULL) | {"id": 2}]


def test_parameters_go_in_and_come_out_exactly(client, types_table):
    columns = "id, b, si, bi, d, dec, t, j, ts, da, ti, u, e"
    values = [1, True, -5, 2**63 - 1, 1e300, Decimal("-12.3456"), "O'Neil; --", {"k": [1]}]
    values += [
        dt.datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        dt.date(1900, 1, 1),
        dt.time(1, 2, 3),
        FULL["u"],
        [1.0, 0.5, 0.0],
    ]
    marks = ", ".join(f"${i}" for i in range(1, len(values) + 1))
    client.execute_query(f"INSERT INTO {types_table} ({columns}) VALUES ({marks})", values)
    (row,) = client.query_arrow(f"SELECT {columns} FROM {types_table}").to_pylist()
    expected = dict(zip(columns.split(", "), values, strict=True)) | {"j": '{"k":[1]}'}
    assert row == expected


def test_an_empty_result_has_the_right_types(client, types_table):
    table = client.query_arrow(f"SELECT {COLUMNS} FROM {types_table} WHERE id = -1")
    assert table.num_rows == 0
    assert table.schema.field("dec").type == pa.decimal128(20, 4)
    assert table.schema.field("e").type == pa.list_(pa.float32(), 3)
    frame = client.query(f"SELECT {COLUMNS} FROM {types_table} WHERE id = -1")
    assert frame["bi"].dtype == pd.Int64Dtype()
    assert list(frame.columns) == COLUMNS.split(", ")


@pytest.fixture
def big(client, namespace):
    """1,500 rows: more than both caps of the server."""
    client.execute_query(f"CREATE TABLE {namespace}.big (id BIGINT PRIMARY KEY, score DOUBLE) WITH (TYPE = 'SHARED')")
    for start in range(0, 1500, 100):
        values = ", ".join(f"({i}, {i * 7919 % 1500})" for i in range(start, start + 100))
        client.execute_query(f"INSERT INTO {namespace}.big (id, score) VALUES {values}")
    return f"{namespace}.big"


def test_the_server_cuts_and_the_client_does_not(client, big):
    assert client.execute_query(f"SELECT id FROM {big}").rows.row_count == 50
    assert client.execute_query(f"SELECT id FROM {big} LIMIT 1400").rows.row_count == 1000
    assert client.query(f"SELECT id FROM {big}")["id"].tolist() == list(range(1500))
    assert len(client.query(f"SELECT id FROM {big} LIMIT 1400")) == 1400
    assert len(client.query(f"SELECT id FROM {big} WHERE id < $1", [1200])) == 1200
    result = client.query_result(f"SELECT id FROM {big}")
    assert result.completeness.is_complete
    assert "cuts results at 50" in result.completeness.text


def test_max_rows_cuts_with_a_notice(client, big):
    with pytest.warns(IncompleteResultWarning, match="more than 700 rows") as caught:
        frame = client.query(f"SELECT id FROM {big}", max_rows=700)
    assert caught[0].filename == __file__
    assert frame["id"].tolist() == list(range(700))
    assert client.query_result(f"SELECT id FROM {big}", max_rows=1500).completeness.is_complete
    with pytest.raises(ResultError, match="cut at max_rows"):
        client.query(f"SELECT id FROM {big}", max_rows=3, strict=True)


@pytest.mark.slow
def test_the_local_engine_gives_the_same_as_the_server(client, types_table):
    client.execute_query(
        f"""INSERT INTO {types_table} ({COLUMNS}) VALUES
        (1, true, -5, 42, 9007199254740993, 1.5, 3.14, '-0.5', 'text', '{{"a":[1,2]}}', 'bytes',
         '2024-01-01T00:00:00.123456Z', '2024-01-01', '2024-01-01T02:00:00+02:00', '12:34:56.123456',
         '550e8400-e29b-41d4-a716-446655440000', '[0.5,-1,2.25]', NULL)"""
    )
    sql = f"SELECT {COLUMNS.replace(', u', '')} FROM {types_table} WHERE t = $1"
    assert (
        client.query_arrow(sql, ["text"], engine="local").to_pylist() == client.query_arrow(sql, ["text"]).to_pylist()
    )
    with pytest.raises(QueryError, match="No field named nope"):
        client.query(f"SELECT nope FROM {types_table}", engine="local")
    with pytest.raises(ResultError, match="single SELECT"):
        client.query("SHOW TABLES", engine="local")


def test_a_raw_answer_as_long_as_the_cap_is_marked(client, big):
    assert "there may be more" in client.execute_query(f"SELECT id FROM {big}").rows.notices[0]
    assert client.execute_query(f"SELECT id FROM {big} WHERE id < 5").rows.notices == ()


def test_the_users_order_is_kept(client, big):
    top = client.query(f"SELECT id, score FROM {big} ORDER BY score DESC LIMIT 5")
    assert top["score"].tolist() == [1499, 1498, 1497, 1496, 1495]
    by_hidden = client.query(f"SELECT id FROM {big} ORDER BY score DESC LIMIT 3")
    assert by_hidden["id"].tolist() == top["id"].tolist()[:3]
    paged = client.query(f"SELECT id FROM {big} ORDER BY score LIMIT 3 OFFSET 2")
    scores = client.query(f"SELECT id, score FROM {big}").set_index("id")["score"]
    assert scores[paged["id"]].tolist() == [2, 3, 4]


def test_duplicate_names_from_a_join(client, big):
    table = client.query_arrow(
        f"SELECT a.id, b.id FROM {big} a JOIN {big} b ON a.id = b.id WHERE a.id < 3 ORDER BY a.id"
    )
    assert table.column_names == ["id", "id"]
    assert [column.to_pylist() for column in table.columns] == [[0, 1, 2], [0, 1, 2]]
    everything = client.query_result(f"SELECT a.id, b.id, a.score + 1 AS s FROM {big} a JOIN {big} b ON a.id = b.id")
    assert everything.df().shape == (1500, 3)
    assert everything.completeness.is_complete


def test_polars(client, big):
    frame = client.query_polars(f"SELECT id, score FROM {big}")
    assert frame.shape == (1500, 2)
    with pytest.raises(ResultError, match="two columns named 'id'"):
        client.query_polars(f"SELECT a.id, b.id FROM {big} a JOIN {big} b ON a.id = b.id WHERE a.id < 3")


def test_a_computed_time_has_its_own_unit(client):
    before = dt.datetime.now(UTC)
    table = client.query_arrow("SELECT now() AS n, CAST('2024-01-01T00:00:00.5Z' AS TIMESTAMP(3)) AS ms")
    assert str(table.schema.field("n").type) == "timestamp[ns, tz=UTC]"
    assert abs(pd.Timestamp(table.column("n")[0].as_py()) - before) < pd.Timedelta(minutes=5)
    assert table.column("ms")[0].as_py() == dt.datetime(2024, 1, 1, 0, 0, 0, 500000, UTC)


def test_values_the_server_cannot_send_are_read_as_text(client):
    frame = client.query("SELECT CAST('NaN' AS DOUBLE) AS x, CAST('-Infinity' AS DOUBLE) AS y, CAST(1 AS TEXT) AS t")
    assert [str(value) for value in frame.iloc[0]] == ["nan", "-inf", "1"]


def test_several_statements(client, big):
    response = client.execute_query(f"SELECT count(*) AS n FROM {big}; SELECT 2 AS two")
    assert [result.arrow().to_pylist()[0] for result in response] == [{"n": 1500}, {"two": 2}]
    assert response.took_ms >= 0
    with pytest.raises(ResultError, match="2 statements that return rows"):
        client.query("SELECT 1 AS one; SELECT 2 AS two")
    with pytest.raises(ResultError, match="returns no rows"):
        client.query(f"DELETE FROM {big} WHERE id < 0")


def test_a_namespace_is_written_into_the_sql(client, namespace, big):
    assert client.query("SELECT count(*) AS n FROM big", namespace=namespace)["n"].tolist() == [1500]
    client.execute_query("INSERT INTO big (id, score) VALUES ($1, $2)", [9999, 1.0], namespace=namespace)
    assert client.query(f"SELECT id FROM {big} WHERE id = 9999").shape == (1, 1)
    with pytest.raises(ConfigError, match=r"Write namespace\.table"):
        client.query("SELECT 'open FROM big", namespace=namespace)


def test_a_frame_is_written_and_read_back(server, client, namespace):
    times = pd.to_datetime(["2026-01-01"] * 3, utc=True)
    frame = pd.DataFrame({"id": [1, 2, 3], "name": ["Ada", "O'Neil", None], "at": times})
    report = client.write(frame, f"{namespace}.people", create=True, key="id")
    assert report.inserted == 3
    back = client.query(f"SELECT id, name, at FROM {namespace}.people")
    assert back["name"].tolist()[:2] == ["Ada", "O'Neil"]
    assert back["at"].tolist() == frame["at"].tolist()
    assert client.write(frame.head(2), f"{namespace}.people", mode="delete").deleted == 2

    async def main():
        async with kalam.AsyncClient(client.url, token=server.token) as other:
            return await other.write(frame.head(1), f"{namespace}.people")

    assert asyncio.run(main()).inserted == 1


# Errors -------------------------------------------------------------------------------------------------------------


def test_a_table_that_does_not_exist(client, namespace, big):
    with pytest.raises(QueryError, match="not found") as caught:
        client.query(f"SELECT * FROM {namespace}.bigg")
    assert f"Did you mean {big}?" in str(caught.value)
    assert caught.value.code == "SQL_EXECUTION_ERROR"
    assert caught.value.status == 400
    assert "bigg" in caught.value.sql
    assert len(str(caught.value).splitlines()) <= 4


def test_a_column_that_does_not_exist(client, big):
    with pytest.raises(QueryError, match="No field named scor") as caught:
        client.query(f"SELECT scor FROM {big}")
    assert caught.value.hint == "Did you mean score?"
    assert len(str(caught.value).splitlines()) <= 4


def test_a_placeholder_without_a_value(client, namespace, big):
    words = r"Parameter \$2: it has no value; 1 given\. Nothing was sent\.\nPass params=\[…, …\]\."
    calls = (client.query, client.query_batches, client.execute_query, client.live)
    for call in (*calls, lambda sql, params: client.execute_with_files(sql, {}, params)):
        with pytest.raises(ParameterError, match=words):
            call("SELECT $1 AS a, $2 AS b", [1])
    with pytest.raises(ParameterError, match=r"Parameter \$1: it has no value; none given"):
        client.execute_query("DELETE FROM big WHERE id = $1", namespace=namespace)


def test_what_the_server_takes_is_not_refused_for_its_placeholders(client):
    assert client.query("SELECT '$1' AS a, $$ $2 $$ AS \"$3\" -- $4\n/* $5 */").iloc[0].tolist() == ["$1", " $2 "]
    with pytest.raises(QueryError):  # The server's words for what the client does not judge.
        client.execute_query("SELECT 1 AS a; SELECT $1 AS b")


@pytest.mark.parametrize("sql", [None, b"SELECT 1", 5])
def test_a_statement_is_text(client, sql):
    for call in (client.query, client.execute_query, client.live, client.query_batches):
        with pytest.raises(ConfigError, match="The statement is a text"):
            call(sql)


def test_a_password_is_text(server):
    with pytest.raises(ConfigError, match="text, not int"):
        kalam.Client(server.url, user="root", password=12345)


def test_the_timeout_holds_for_the_login_too(server):
    assert kalam.Client(server.url, token="t", timeout=2)._timeouts.auth == 2
    assert kalam.Client(server.url, token="t", timeout=0)._timeouts.auth == 5


def test_nan_as_a_parameter_is_refused_before_anything_is_sent(client):
    with pytest.raises(ParameterError, match=r"Parameter \$1: nan cannot be sent"):
        client.query("SELECT $1 AS a", [float("nan")])


def test_a_wrong_password(server):
    with kalam.Client(server.url, user="nobody", password="wrong-hunter2") as client:
        with pytest.raises(AuthError, match="Check user and password") as caught:
            client.query("SELECT 1")
        shown = "".join(traceback.format_exception(caught.value)) + repr(client)
    assert "wrong-hunter2" not in shown
    # The login was refused, not the statement.
    assert (caught.value.code, caught.value.status, caught.value.sql) == ("unauthorized", 401, "")


def test_no_frame_of_a_failed_connect_holds_the_password(server):
    """IPython's verbose tracebacks show the locals of every frame."""
    with pytest.raises(AuthError) as caught:
        kalam.connect(server.url, user="nobody", password="wrong-hunter2")
    tb = caught.value.__traceback__.tb_next
    while tb is not None:
        assert "wrong-hunter2" not in repr(tb.tb_frame.f_locals), tb.tb_frame.f_code.co_qualname
        tb = tb.tb_next


def test_a_server_that_is_down():
    client = kalam.Client("http://127.0.0.1:9", token="t", max_retries=0)
    with client, pytest.raises(ConnectError, match=r"Cannot reach http://127\.0\.0\.1:9") as caught:
        client.query("SELECT 1")
    assert "sandbox" in str(caught.value)


def test_a_bad_token(server):
    with kalam.Client(server.url, token="abc.def.ghi") as client, pytest.raises(AuthError, match="valid one"):
        client.query("SELECT 1")


def test_a_closed_client(server):
    client = kalam.Client(server.url, token="t")
    client.close()
    client.close()
    assert "closed" in repr(client)
    with pytest.raises(ConfigError, match="closed"):
        client.query("SELECT 1")


def test_what_an_ordinary_user_may_not(client, server):
    name = f"u{uuid.uuid4().hex[:8]}"
    client.execute_query(f"CREATE USER '{name}' WITH PASSWORD 'Correct-Horse-9' ROLE user")
    with kalam.Client(server.url, user=name, password="Correct-Horse-9") as alice:
        with pytest.raises(PermissionDeniedError, match="Admin privileges"):
            alice.execute_query("CREATE NAMESPACE forbidden_one")
        with pytest.raises(PermissionDeniedError):
            alice.query("SELECT * FROM system.users")
        assert alice.query("SELECT 1 AS one")["one"].tolist() == [1]


# Login and diagnostics ----------------------------------------------------------------------------------------------


def test_login_and_refresh(client, server):
    login = client.login("root", server.root_password)
    assert login.user.id == "root"
    assert login.user.role == "system"
    assert login.expires_at > dt.datetime.now(UTC).timestamp()
    assert login.access_token not in repr(login)
    renewed = client.refresh_access_token(login.refresh_token)
    with kalam.Client(server.url, token=renewed.access_token) as other:
        assert other.query("SELECT 1 AS one")["one"].tolist() == [1]
    with kalam.Client(server.url, token_provider=lambda: login.access_token) as other:
        assert other.query("SELECT 1 AS one")["one"].tolist() == [1]


def test_diagnostics(client):
    health = client.health_check()
    assert health.status in {"healthy", "up"}
    cluster = client.cluster_health_check()
    assert [node.is_self for node in cluster.nodes] == [True]
    assert client.check_setup_status().needs_setup is False
    with pytest.raises(KalamError, match="already_configured"):
        client.server_setup("admin2", "Correct-Horse-9", "Correct-Horse-9")


# Threads and loops --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_client_in_many_threads(client, big):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda n: len(client.query(f"SELECT id FROM {big} WHERE id < {n}")), range(40, 60)))
    assert counts == list(range(40, 60))


def test_the_async_client_under_asyncio_run(server):
    async def main():
        async with kalam.AsyncClient(server.url, user="root", password=server.root_password) as client:
            frames = await asyncio.gather(*(client.query("SELECT $1 AS n", [n]) for n in range(5)))
            table = await client.query_arrow("SELECT 1 AS one")
            response = await client.execute_query("SELECT 2 AS two")
            with pytest.raises(QueryError):
                await client.query("SELECT nofn(1)")
            assert repr(client).startswith("<KalamDB http")
            return [frame["n"][0] for frame in frames], table.to_pylist(), response.rows.row_count

    assert asyncio.run(main()) == ([0, 1, 2, 3, 4], [{"one": 1}], 1)


def test_the_module_functions_use_the_default_connection(server):
    client = kalam.connect(server.url, user="root", password=server.root_password)
    try:
        assert kalam.query("SELECT 1 AS one")["one"].tolist() == [1]
        assert kalam.health_check().status in {"healthy", "up"}
        assert server.root_password not in repr(client)
    finally:
        kalam.close()
    with pytest.raises(ConfigError, match="No KalamDB server is named"):
        kalam.query("SELECT 1")


def test_the_server_is_found_in_the_environment(server, monkeypatch):
    monkeypatch.setenv("KALAMDB_SERVER_URL", server.url)
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", server.root_password)
    with kalam.Client() as client:
        assert client.query("SELECT current_user() AS who")["who"].tolist() == ["root"]


@pytest.mark.slow
def test_a_server_that_began_anew_knows_no_old_token():
    with kalam.sandbox() as first:
        port, password = int(first.url.rsplit(":", 1)[1]), first.root_password
        client = kalam.Client(first.url, user="root", password=password)
        assert client.query("SELECT 1 AS one")["one"].tolist() == [1]
    with client, kalam.sandbox(port=port, options=[f"--root-password={password}"]):
        assert client.query("SELECT 2 AS two")["two"].tolist() == [2]


def test_rows_of_each_users_own_are_not_taken_for_none(client, namespace):
    client.execute_query(f"CREATE TABLE {namespace}.own (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER')")
    (notice,) = client.query_result(f"SELECT * FROM {namespace}.own").notices
    assert notice.startswith(f"No rows of yours: {namespace}.own is a USER table")
    form = notice.partition(" by ")[2].rstrip(".").replace("'name'", "'root'")
    assert client.query_result(form).row_count == 0
    assert client.query_result(f"SELECT * FROM {namespace}.own WHERE id = 1").notices == ()
    client.execute_query(f"INSERT INTO {namespace}.own (id) VALUES (1)")
    assert client.query_result(f"SELECT * FROM {namespace}.own").notices == ()
    client.execute_query(f"CREATE TABLE {namespace}.shared (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED')")
    assert client.query_result(f"SELECT * FROM {namespace}.shared").notices == ()
