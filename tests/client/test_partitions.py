"""Tables beyond one machine: partitions that other processes read, and Dask over them."""

import os
import pickle
import signal
import time
import uuid
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import dask
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dask.distributed import Client as DaskClient
from dask.distributed import LocalCluster, get_worker
from servers import ROW_VERSION, sandbox

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, MissingDependencyError, ResultError
from kalam_notebook.reading.batches import BatchPager

ROWS = 900


@pytest.fixture(scope="module", params=["whole", pytest.param("cut", marks=pytest.mark.slow)])
def scene(request):
    """A table whose scans are cut, or not: some rows updated, some deleted."""
    flags = {"whole": [], "cut": ["--scan-window", "500"]}[request.param]
    with sandbox(*flags) as server, kalam.Client(server.url, user="root", password=server.root_password) as client:
        client.execute_query("CREATE NAMESPACE p")
        client.execute_query("CREATE TABLE p.t (id BIGINT PRIMARY KEY, n INT, s TEXT) WITH (TYPE = 'SHARED')")
        client.write(pa.table({"id": range(ROWS), "n": [i % 5 for i in range(ROWS)], "s": ["x"] * ROWS}), "p.t")
        client.execute_query("; ".join(f"UPDATE p.t SET n = 7 WHERE id = {i}" for i in range(0, 300, 2)))
        client.execute_query("; ".join(f"DELETE FROM p.t WHERE id = {i}" for i in range(100)))
        yield client, server


@pytest.fixture
def client(scene):
    return scene[0]


@pytest.fixture
def client_of_server(server):
    """A client of the server that contract tests talk to, for tests in a module whose own client has another one."""
    with kalam.Client(server.url, token=server.token) as client:
        yield client


@pytest.fixture
def namespace(client_of_server):
    name = f"t{uuid.uuid4().hex[:12]}"
    client_of_server.execute_query(f"CREATE NAMESPACE {name}")
    yield name
    client_of_server.execute_query(f"DROP NAMESPACE {name} CASCADE")


@pytest.fixture
def login(scene, monkeypatch):
    """What other processes of this machine find."""
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", scene[1].root_password)


def rows_of(parts, client=None):
    return [row for part in parts for row in part.read(client).arrow().to_pylist()]


@pytest.mark.parametrize("by", ["version", "key"])
@pytest.mark.slow
def test_every_row_is_in_one_partition(client, by):
    for sql, params in (("SELECT id, n FROM p.t", []), ("SELECT n, id FROM p.t WHERE n = $1", [3])):
        parts = client.partitions(sql, params, rows=200, by=by)
        assert len(parts) > 3
        assert all(part.rows <= 200 for part in parts)
        whole = client.query_arrow(sql, params)
        found = [part.read(client) for part in parts]
        assert all(one.completeness.is_complete and one.arrow().schema.equals(parts.schema) for one in found)
        assert pa.concat_tables([one.arrow() for one in found]).sort_by("id").equals(whole.sort_by("id"))
        if by == "key":
            assert parts.divisions == tuple(sorted(parts.divisions))
            ids = [one.arrow()["id"].to_pylist() for one in found]
            assert all(
                first <= id <= last
                for first, last, some in zip(parts.divisions, parts.divisions[1:], ids, strict=False)
                for id in some
            )
    assert [part.number for part in parts] == list(range(parts[0].count))
    assert repr(parts).endswith(f"complete (in {len(parts)} partitions by {ROW_VERSION} up to {parts[0]._part.upto})>")


def test_n_partitions_batches_and_none_without_rows(client):
    parts = client.partitions("SELECT id FROM p.t", n=4)
    assert len(parts) == 4
    batches = [batch.num_rows for part in parts for batch in part.batches(client, batch_rows=50)]
    assert (sum(batches), max(batches)) == (ROWS - 100, 50)
    client.execute_query("CREATE TABLE IF NOT EXISTS p.none (id INT PRIMARY KEY) WITH (TYPE = 'SHARED')")
    for by in ("version", "key"):
        (part,) = client.partitions("SELECT id FROM p.none", by=by)
        assert part.read(client).arrow().equals(client.query_arrow("SELECT id FROM p.none"))


def test_what_changes_before_it_is_read_comes_once_and_is_told(client):
    client.execute_query("CREATE TABLE p.busy (id INT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
    client.write(pa.table({"id": pa.array(range(300), pa.int32()), "n": pa.array([0] * 300, pa.int32())}), "p.busy")
    for by, new in (("version", 1000), ("key", 1001)):
        parts = client.partitions("SELECT id, n FROM p.busy", n=3, by=by)
        client.execute_query("UPDATE p.busy SET n = 1 WHERE id IN (5, 250)")
        client.execute_query(f"INSERT INTO p.busy (id, n) VALUES ({new}, 1)")
        results = [part.read(client) for part in parts]
        rows = [row for result in results for row in result.arrow().to_pylist()]
        assert sorted(row["id"] for row in rows) == list(range(300))
        assert [row["id"] for row in rows if row["n"]] == [5, 250]
        assert sum("1 changed meanwhile" in result.completeness.text for result in results) == 2
        client.execute_query(f"DELETE FROM p.busy WHERE id = {new}")
        client.execute_query("UPDATE p.busy SET n = 0 WHERE id IN (5, 250)")
    client.execute_query("DROP TABLE p.busy")


@pytest.fixture
def busy(client_of_server, namespace):
    """A table of 90 rows."""
    table = f"{namespace}.busy"
    client_of_server.execute_query(f"CREATE TABLE {table} (id INT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
    numbers = pa.array([0] * 90, pa.int32())
    client_of_server.write(pa.table({"id": pa.array(range(90), pa.int32()), "n": numbers}), table)
    return table


def cut(client, table, **options):
    return client.partitions(f"SELECT id, n FROM {table} WHERE n < 7", n=3, token_provider=a_token, **options)


@pytest.mark.contract
def test_what_goes_before_it_is_read_is_told(client_of_server, busy):
    client = client_of_server
    first, second, third = cut(client, busy)
    client.execute_query(f"DELETE FROM {busy} WHERE id = 5")
    client.execute_query(f"UPDATE {busy} SET n = 7 WHERE id = 40")
    assert "1 changed meanwhile" in first.read(client).completeness.text
    assert "1 changed meanwhile" in second.read(client).completeness.text
    assert "changed" not in third.read(client).completeness.text


@pytest.mark.contract
@pytest.mark.parametrize("by", ["version", "key"])
def test_a_strict_partition_whose_rows_changed_is_read_again(client_of_server, busy, by):
    client = client_of_server
    first, second, third = cut(client, busy, strict=True, by=by)
    plain = third.read(client)
    client.execute_query(f"DELETE FROM {busy} WHERE id = 5")
    client.execute_query(f"UPDATE {busy} SET n = 1 WHERE id IN (6, 8)")
    client.execute_query(f"UPDATE {busy} SET n = 7 WHERE id = 7; UPDATE {busy} SET n = 2 WHERE id = 40")

    again = first.read(client)
    rows = {row["id"]: row["n"] for row in again.arrow().to_pylist()}
    assert rows == {id: int(id in (6, 8)) for id in range(30) if id not in (5, 7)}
    assert "2 times, since some changed" in again.completeness.text
    assert "meanwhile" not in again.completeness.text
    assert again.completeness.text.split(":")[0] != plain.completeness.text.split(":")[0]
    assert pc.sum(second.read(client).arrow()["n"]).as_py() == 2
    assert third.read(client).completeness == plain.completeness


def test_a_strict_partition_of_rows_that_change_all_the_time_is_refused(client_of_server, busy, monkeypatch):
    client = client_of_server
    read = BatchPager.rows

    def while_others_write(pager, endpoint):
        client.execute_query(f"UPDATE {busy} SET n = n + 1 WHERE id = 3")
        return read(pager, endpoint)

    first, second, _ = cut(client, busy, strict=True)
    monkeypatch.setattr(BatchPager, "rows", while_others_write)
    with pytest.raises(ResultError, match="changed each of the 3 times that it was read, 1 of 30 the last time"):
        first.read(client)
    assert second.read(client).row_count == 30


@pytest.mark.slow
def test_a_pickle_holds_no_secret_and_is_read_where_a_login_is(client, scene, login, monkeypatch):
    parts = client.partitions("SELECT id FROM p.t", n=2)
    pickled = pickle.dumps(list(parts))
    password = scene[1].root_password
    assert password.encode() not in pickled
    assert password not in repr(parts[0])
    assert len(rows_of(pickle.loads(pickled))) == ROWS - 100

    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        assert sum(pool.map(count_rows, parts)) == ROWS - 100

    monkeypatch.delenv("KALAMDB_ROOT_PASSWORD")
    with ProcessPoolExecutor(1, get_context("spawn")) as pool, pytest.raises(ConfigError) as told:
        list(pool.map(count_rows, parts))
    assert "KALAMDB_ROOT_PASSWORD" in "".join([str(told.value), *told.value.__notes__])


def count_rows(part):
    return part.read().row_count


def a_token():
    return os.environ["TOKEN_OF_PARTITIONS"]


def test_tokens_come_from_a_function_of_a_module(client, scene, monkeypatch):
    token = client.login("root", scene[1].root_password).access_token
    monkeypatch.setenv("TOKEN_OF_PARTITIONS", token)
    with kalam.Client(client.url, token=token) as other:
        parts = other.partitions("SELECT id FROM p.t", n=2, token_provider=a_token)
        assert token.encode() not in pickle.dumps(list(parts))
        assert len(rows_of(parts)) == ROWS - 100
        with pytest.raises(ConfigError, match="cannot be sent to another process"):
            other.partitions("SELECT id FROM p.t", token_provider=lambda: token)


@pytest.mark.contract
@pytest.mark.parametrize("by", ["version", "key"])
def test_partitions_of_a_table_that_changes(client_of_server, namespace, by):
    client, table = client_of_server, f"{namespace}.t"
    client.execute_query(f"CREATE TABLE {table} (name TEXT PRIMARY KEY, n INT) WITH (TYPE = 'SHARED')")
    client.write(pa.table({"name": [f"k{i:04}" for i in range(400)], "n": pa.array([0] * 400, pa.int32())}), table)
    client.execute_query(f"DELETE FROM {table} WHERE name = 'k0007'")
    parts = client.partitions(f"SELECT name, n FROM {table} WHERE n < 1", n=4, by=by, token_provider=a_token)
    client.execute_query(f"UPDATE {table} SET n = -1 WHERE name = 'k0300'")
    rows = {row["name"]: row["n"] for row in rows_of(parts, client)}
    assert len(rows) == 399
    assert {name: n for name, n in rows.items() if n} == {"k0300": -1}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rows": 5, "n": 5}, "not both"),
        ({"rows": 0}, "rows is 0"),
        ({"n": 0}, "n is 0"),
        ({"by": "time"}, "'version' or 'key'"),
        ({"token_provider": "x"}, "token_provider is a function"),
    ],
)
def test_arguments(client, options, told):
    with pytest.raises(ConfigError, match=told):
        client.partitions("SELECT id FROM p.t", **options)


@pytest.mark.parametrize("sql", ["SELECT count(*) FROM p.t", "SELECT id FROM p.t ORDER BY id LIMIT 3", "SHOW TABLES"])
def test_other_queries_are_told_what_to_do(client, sql):
    with pytest.raises(ResultError, match=r"Partitions are for SELECT columns FROM table \[WHERE …\]"):
        client.partitions(sql)


# Dask.


@pytest.fixture(scope="module")
def filled():
    """A table that was written in the order of its keys, and one that was not."""
    with sandbox() as server, kalam.Client(server.url, user="root", password=server.root_password) as client:
        client.execute_query("CREATE NAMESPACE d")
        ids = list(range(2_000))
        for name, order in (("a", ids), ("b", [(i * 7) % 2_000 for i in ids])):
            columns = "(id BIGINT PRIMARY KEY, n INT, s TEXT)"
            client.execute_query(f"CREATE TABLE d.{name} {columns} WITH (TYPE = 'SHARED')")
            numbers = pa.array([i % 10 for i in order], pa.int32())
            client.write(pa.table({"id": order, "n": numbers, "s": [f"é{i % 3}" for i in order]}), f"d.{name}")
        yield client, server


@pytest.fixture
def dask_login(filled, monkeypatch):
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", filled[1].root_password)


@pytest.mark.slow
def test_a_dask_frame_has_known_divisions_where_keys_follow_each_other(filled, dask_login):
    client, _ = filled
    # Dask has texts in a type of its own, unless it is told not to.
    with dask.config.set({"scheduler": "synchronous", "dataframe.convert-string": False}):
        for options, is_known in (({}, True), ({"table": "b"}, False), ({"table": "b", "by": "key"}, True)):
            name = options.pop("table", "a")
            frame = client.to_dask(f"SELECT id, n, s FROM d.{name}", rows=500, **options)
            assert (frame.npartitions, frame.known_divisions) == (4, is_known)
            found = frame.compute()
            assert len(found) == 2_000
            assert (found.index.name == "id") == is_known
            if is_known:
                assert list(found.index) == list(range(2_000))
                assert frame.loc[700:705].compute().index.tolist() == list(range(700, 706))
            sums = frame.groupby("s")["n"].sum().compute().to_dict()
            assert sums == dict(client.query_arrow("SELECT s, sum(n) AS n FROM d.a GROUP BY s").to_pandas().values)
            types = client.query(f"SELECT n, s FROM d.{name} LIMIT 1").dtypes
            assert found[["n", "s"]].dtypes.equals(types)
    without = client.to_dask("SELECT n FROM d.a", rows=500)
    assert not without.known_divisions


def killed_once(part, folder):
    """Read a partition; the first worker that comes here dies in the middle."""
    batches = part.batches(batch_rows=100)
    count = next(batches).num_rows
    try:
        os.close(os.open(f"{folder}/killed", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return count + sum(batch.num_rows for batch in batches)
    assert get_worker()
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)
    return -1


@pytest.mark.slow
def test_a_worker_that_is_killed_in_the_middle_loses_nothing(filled, dask_login, tmp_path):
    client, _ = filled
    parts = client.partitions("SELECT id FROM d.a", rows=500)
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(**options) as cluster, DaskClient(cluster) as workers:
        counts = workers.gather(workers.map(killed_once, list(parts), folder=str(tmp_path)))
        assert (tmp_path / "killed").exists()
        assert sum(counts) == 2_000
        total = client.to_dask("SELECT id, n FROM d.a", rows=500)["n"].sum().compute()
        assert total == client.query_arrow("SELECT sum(n) AS n FROM d.a")["n"][0].as_py()


@pytest.mark.slow
def test_dask_that_is_not_installed_is_told(filled, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dask.dataframe", None)
    with pytest.raises(MissingDependencyError, match=r"kalam-notebook\[dask\]"):
        filled[0].to_dask("SELECT id FROM d.a")
