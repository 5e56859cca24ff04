"""E1–E6: what other libraries make of results, tables that one process does not hold, and many questions at once."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import kalam_notebook as kalam
from benchmarks.measure import Figure, in_process, ratio, seconds, wanted
from benchmarks.replaying import replayed
from kalam_notebook import dbapi

SQL = "SELECT * FROM b.t"
_COLUMNS = (
    "id BIGINT PRIMARY KEY, n INT, score DOUBLE, name TEXT, day DATE, at TIMESTAMP, ok BOOLEAN, room TEXT, "
    "price DECIMAL(12, 2)"
)
_ROWS = (
    "INSERT INTO b.t (id, n, score, name, day, at, ok, room, price) SELECT value, value % 1000, value * 0.37, "
    "'name ' || (value % 10000) || ' é', DATE '2024-01-01', "
    "arrow_cast(value * 1000003, 'Timestamp(Microsecond, None)'), "
    "value % 2 = 0, CASE WHEN value % 50 = 0 THEN NULL ELSE 'room-' || (value % 100) END, arrow_cast(value % 9000 - "
    "4000, 'Decimal128(12, 2)') FROM generate_series({}, {}) AS g(value)"
)
_AT_ONCE = 100_000


@contextmanager
def table(rows: int) -> Iterator[kalam.Client]:
    """A client of a sandbox server with a table of nine columns."""
    with (
        kalam.sandbox() as server,
        kalam.Client(server.url, user="root", password=server.root_password, timeout=600) as client,
    ):
        client.execute_query("CREATE NAMESPACE b")
        client.execute_query(f"CREATE TABLE b.t ({_COLUMNS}) WITH (TYPE = 'SHARED')")
        for start in range(0, rows, _AT_ONCE):
            client.execute_query(_ROWS.format(start, min(rows, start + _AT_ONCE) - 1))
        client.execute_query("CREATE TABLE b.warm (id BIGINT PRIMARY KEY, n INT, name TEXT) WITH (TYPE = 'SHARED')")
        values = ", ".join(f"({number}, 1, 'name {number}')" for number in range(200))
        client.execute_query(f"INSERT INTO b.warm (id, n, name) VALUES {values}")
        os.environ["KALAMDB_ROOT_PASSWORD"] = server.root_password
        try:
            yield client
        finally:
            del os.environ["KALAMDB_ROOT_PASSWORD"]


@contextmanager
def answered_again(client: kalam.Client) -> Iterator[kalam.Client]:
    """A client that the server's work costs time once only: answers of a million rows take it a minute."""
    with replayed(client.url) as url, kalam.Client(url, user="root", timeout=600) as again:
        yield again


def figures(*, small: bool) -> Iterator[Figure]:
    if wanted("E1", "E2", "E3"):
        with table(100_000) as client:
            if wanted("E1"):
                with answered_again(client) as again:
                    yield read_sql_figure(again, 3 if small else 5)
            if not small and wanted("E2", "E3"):
                for start in range(100_000, 1_000_000, _AT_ONCE):
                    client.execute_query(_ROWS.format(start, start + _AT_ONCE - 1))
            if wanted("E2", "E3"):
                with answered_again(client) as again:
                    if wanted("E2"):
                        yield cursor_figure(again, 3 if small else 5)
                    if wanted("E3"):
                        yield buffers_figure(again)
    if wanted("E4", "E5"):
        rows = 100_000 if small else 5_000_000
        with table(rows) as client, replayed(client.url) as url:
            if wanted("E4"):
                yield from export_figures(url, rows)
            if wanted("E5"):
                yield from dask_figures(url, rows)
    if wanted("E6"):
        with table(1) as client:
            yield from at_once_figures(client, 3 if small else 9)


def read_sql_figure(client: kalam.Client, rounds: int) -> Figure:
    """One look at the table is worth a minute, so that both sides send the same."""
    connection = dbapi.connect(client=client)
    rows = client.query_arrow(SQL)

    def read_sql() -> pd.DataFrame:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # pandas was tested with SQLAlchemy only.
            return pd.read_sql(SQL, connection, coerce_float=False)

    def make_rows() -> pd.DataFrame:
        columns = (column.to_pylist() for column in rows.columns)
        return pd.DataFrame.from_records(list(zip(*columns, strict=True)), columns=rows.column_names)

    if len(read_sql()) != rows.num_rows:
        raise AssertionError("not all rows came")
    found = []
    for _ in range(rounds):
        asked, made, read = (seconds(work) for work in (lambda: client.query(SQL), make_rows, read_sql))
        found.append(read / (1.3 * asked + made))
    measure = f"pandas.read_sql of {rows.num_rows:,} × 9 against 1.3 kalam.query and the making of rows"
    return Figure("E1", measure, sorted(found)[len(found) // 2], 1.0)


def cursor_figure(client: kalam.Client, rounds: int) -> Figure:
    cursor = dbapi.connect(client=client).cursor()

    def arrow() -> pa.Table:
        return cursor.execute(SQL).arrow()

    def query() -> pa.Table:
        return client.query_arrow(SQL, max_rows=None, progress=False)

    count = query().num_rows
    if arrow().num_rows != count:
        raise AssertionError("not all rows came")
    value = ratio(arrow, query, rounds=rounds)
    return Figure("E2", f"cursor.execute and arrow() of {count:,} × 9 against query_arrow", value, 1.05)


#: Types whose buffers polars takes as they are; its texts are views, and its bits may begin elsewhere.
_SHARED = ("id", "n", "score", "day", "at", "price")


def buffers_figure(client: kalam.Client) -> Figure:
    result = client.query_result(SQL, max_rows=None, progress=False)
    frame = pl.DataFrame(result)
    theirs, ours = frame.to_arrow(), result.arrow()
    copied = [name for name in _SHARED if addresses(theirs[name]) != addresses(ours[name])]
    measure = f"columns that polars.DataFrame(result) copies, of {len(_SHARED)} whose types both share"
    return Figure("E3", f"{measure}, {result.row_count:,} rows", len(copied), 0, unit="")


def addresses(column: pa.ChunkedArray) -> list[tuple[int, int]]:
    """Where the values of each chunk lie, and how many they are."""
    return [(chunk.buffers()[1].address, len(chunk)) for chunk in column.chunks]


_CALL = """
from benchmarks import doors
print(doors.{work}(*{arguments!r}))
"""


def export_figures(url: str, rows: int) -> Iterator[Figure]:
    with TemporaryDirectory() as folder:
        run(url, "export", folder)  # The server has answered everything once.
        (ours, peak), (theirs, _) = run(url, "export", folder), run(url, "by_hand", folder)
        if pq.read_metadata(Path(folder) / "export.parquet").num_rows != rows:
            raise AssertionError("not all rows are in the file")
    measure = f"export of {rows:,} × 9 to Parquet"
    yield Figure("E4", f"{measure}: peak memory", peak / 1e6, 200, unit="MB")
    yield Figure("E4", f"{measure}, speed against query_batches and pyarrow by hand", theirs / ours, 0.8, True)


def run(url: str, work: str, folder: str) -> tuple[float, float]:
    """CPU seconds of a process of its own, and the bytes by which it rises its peak memory."""
    spent, peak = in_process(_CALL.format(work="measured", arguments=(url, work, folder))).split()
    return float(spent), float(peak)


def measured(url: str, work: str, folder: str) -> str:
    """Called in a process of its own."""
    from benchmarks.memory import _peak

    with kalam.Client(url, user="root", timeout=600) as client:
        for name in ("small.arrow", "small.parquet"):  # What is loaded once is loaded before.
            client.export("SELECT * FROM b.warm", Path(folder) / name)
        before, begin = _peak(), time.process_time()
        path = Path(folder) / f"{work}.parquet"
        if work == "export":
            client.export(SQL, path)
        else:
            batches = client.query_batches(SQL)
            with pq.ParquetWriter(path, batches.schema) as writer:
                for batch in batches:
                    writer.write_batch(batch)
        return f"{time.process_time() - begin} {_peak() - before}"


def dask_figures(url: str, rows: int) -> Iterator[Figure]:
    # The first time the server answers everything once.
    _, (one, _, total), (two, peak, same) = (
        in_process(_CALL.format(work="with_workers", arguments=(url, rows, workers))).split() for workers in (1, 1, 2)
    )
    if total != same or total != f"{rows}:{sum(i % 1000 for i in range(rows))}":
        raise AssertionError(f"the sums differ: {total}, {same}")
    measure = f"Dask over two workers, {rows:,} × 9"
    yield Figure("E5", f"{measure}: CPU of the busier one against one worker", float(one) / float(two), 1.6, True)
    yield Figure("E5", f"{measure}: memory that it takes more than without a partition", float(peak), 500, unit="MB")


def with_workers(url: str, rows: int, workers: int) -> str:
    """CPU seconds of the busiest worker, the memory of the greatest, and count and sum; in a process of its own."""
    from dask.distributed import Client, LocalCluster

    options = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with (
        kalam.Client(url, user="root", timeout=600) as client,
        LocalCluster(n_workers=workers, **options) as cluster,
        Client(cluster) as dask,
    ):
        meta = {"count": "int64", "n": "int64"}
        frame = client.to_dask(SQL, rows=max(1, rows // 20))
        # What is loaded once in a worker is loaded before.
        warm = client.to_dask("SELECT * FROM b.warm", n=100).map_partitions(summed, meta=meta)
        warm.compute()
        before = dask.run(spent)
        sums = frame.map_partitions(summed, meta=meta).compute()
        after = dask.run(spent)
        busiest = max(after[worker][0] - before[worker][0] for worker in after)
        greatest = max(after[worker][1] - before[worker][1] for worker in after)
        return f"{busiest} {greatest / 1e6} {sums['count'].sum()}:{sums['n'].sum()}"


def spent() -> tuple[float, int]:
    from benchmarks.memory import _peak

    return time.process_time(), _peak()


def summed(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"count": [len(frame)], "n": [int(frame["n"].sum())]})


_LOOK_UP = "SELECT id, name FROM b.warm WHERE id = $1"
_LOOK_UPS = 200
_THREADS = 32


def at_once_figures(client: kalam.Client, rounds: int) -> Iterator[Figure]:
    """Look-ups at once, in the same loop: by an AsyncClient, by threads, and by httpx alone, which gives JSON."""
    user, password = "root", os.environ["KALAMDB_ROOT_PASSWORD"]
    token = client.login(user, password).access_token

    async def gathered(look_up: Callable[[int], Awaitable[object]]) -> None:
        found = await asyncio.gather(*map(look_up, range(_LOOK_UPS)))
        assert all(found)

    with (
        asyncio.Runner() as runner,
        ThreadPoolExecutor(_THREADS) as pool,
    ):
        ours = kalam.AsyncClient(client.url, user=user, password=password)
        theirs = httpx.AsyncClient(base_url=client.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)

        async def by_client(number: int) -> object:
            return await ours.query_arrow(_LOOK_UP, [number])

        async def by_thread(number: int) -> object:
            return await runner.get_loop().run_in_executor(pool, client.query_arrow, _LOOK_UP, [number])

        async def by_httpx(number: int) -> object:
            answer = await theirs.post("/v1/api/sql", json={"sql": _LOOK_UP, "params": [number]})
            return answer.json()["results"]

        try:
            one, threads, alone = (
                lambda look_up=look_up: runner.run(gathered(look_up)) for look_up in (by_client, by_thread, by_httpx)
            )
            measure = f"{_LOOK_UPS} look-ups at once by AsyncClient"
            yield Figure("E6", f"{measure}: CPU against httpx.AsyncClient alone", ratio(one, alone, rounds=rounds), 1.0)
            yield Figure("E6", f"{measure}: CPU against threads by hand", ratio(one, threads, rounds=rounds), 1.1)
        finally:
            runner.run(ours.close())
            runner.run(theirs.aclose())


if __name__ == "__main__":
    for figure in figures(small="--small" in sys.argv):
        print(figure, flush=True)
