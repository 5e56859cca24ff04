"""W1 and W2: what the events of live queries cost on their way from the socket into a table."""

from __future__ import annotations

import asyncio
import gc
import gzip
import statistics
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
from websockets.asyncio.client import connect

from benchmarks import live_rows
from benchmarks.flood import Flood, flooding
from benchmarks.measure import Figure, ratio, wanted
from kalam_notebook.live_queries.connection.socket import LiveSocket
from kalam_notebook.live_queries.following.plan import Reading, ResultReading, TableInfo, TablePlan
from kalam_notebook.live_queries.following.pool import Pool
from kalam_notebook.live_queries.following.schedule import Rhythm
from kalam_notebook.live_queries.opening import open_table
from kalam_notebook.live_queries.rows.decoding import Doubts
from kalam_notebook.live_queries.rows.fingerprint import Delta, DeltaQuestion, fingerprint_of
from kalam_notebook.wire.live import parse_message, unpack_frame
from kalam_notebook.wire.row_version import RowVersion
from kalam_notebook.wire.types import Column

#: Rows of the table that the changes are about.
_ROWS = 20_000

#: Checks ask once after the first reading, and then not any more.
_NEVER = Rhythm(settle=3600, gap=3600, calm=3600, usual=3600)


def figures(*, small: bool) -> Iterator[Figure]:
    if wanted("W1"):
        count, rounds = (20_000, 3) if small else (50_000, 11)
        with flooding(count, rows=_ROWS) as flood:
            yield change_figure(flood, count, rounds=rounds)
    if wanted("W2"):
        yield batch_figure()


def change_figure(flood: Flood, count: int, *, rounds: int) -> Figure:
    source = Source(live_rows.table(_ROWS))
    expected = live_rows.dict_of_rows(_ROWS)
    live_rows.follow(expected, live_rows.changes(count, rows=_ROWS))
    found = []
    for number in range(rounds):
        pair = [0.0, 0.0]
        for index in (0, 1) if number % 2 else (1, 0):
            if index:
                pair[1] = asyncio.run(bare_receive(flood, count))
            else:
                pair[0] = receive_and_apply(flood, source, count, len(expected))
        found.append(pair[0] / pair[1])
    return Figure(
        "W1",
        "CPU per change of 300 bytes, from the socket into a live table, against websockets' recv and orjson.loads",
        statistics.median(found),
        3,
    )


async def bare_receive(flood: Flood, count: int) -> float:
    """CPU seconds of this process for all messages, by a client that only parses them."""
    async with connect(flood.url, proxy=None, compression=None) as socket:
        await socket.recv()
        gc.collect()
        start = time.process_time()
        flood.go()
        for _ in range(count):
            orjson.loads(await socket.recv())
        return time.process_time() - start


def receive_and_apply(flood: Flood, source: Source, count: int, num_rows: int) -> float:
    """The same by a live table, all threads together, until the last change is in the table."""
    socket, pool = LiveSocket(url=flood.url, token=source.access_token), Pool()
    try:
        with open_table("SELECT * FROM b.t", source=source, socket=socket, pool=pool, rhythm=_NEVER) as live:
            live.wait_for(lambda table: table.status == "live")
            gc.collect()
            start = time.process_time()
            flood.go()
            while live.stats.events < count and live.error is None:
                time.sleep(0.02)
            spent = time.process_time() - start
            if live.num_rows != num_rows:
                raise AssertionError(f"{live.num_rows} rows in place of {num_rows}")
            return spent
    finally:
        socket.close()
        pool.close()


class Source:
    """Answers what a live table asks with a table of its own, in which nothing changes."""

    def __init__(self, table: pa.Table) -> None:
        self.domains: dict[str, Mapping[str, Any]] = {}
        self._table = table

    def access_token(self, *, renew: bool = False) -> str:
        return "token"

    def websocket_url(self) -> str:
        raise NotImplementedError

    def describe(self, table: str) -> TableInfo:
        return TableInfo(live_rows.COLUMNS, "shared")

    def columns(self, table: str) -> tuple[Column, ...]:
        return live_rows.COLUMNS

    def doubts(self, columns: Sequence[Column]) -> Doubts:
        return Doubts()

    def read_rows(self, plan: TablePlan, max_rows: int | None) -> Reading:
        held = [column.name for column in plan.columns]
        deleted = pa.array([False] * self._table.num_rows)
        return Reading(self._table.append_column("_deleted", deleted).select(held), self._table.num_rows - 1)

    def read_delta(self, plan: TablePlan, ask: DeltaQuestion) -> Delta:
        rows = self.read_rows(plan, None).rows.slice(0, 0)
        pairs = pa.table({"key": rows.column(plan.key), "seq": rows.column("_seq")})
        return Delta(rows, pairs, pairs, fingerprint_of(self._table.column("_seq").to_numpy()), 0)

    def newer_version(self, table: str, version: RowVersion, newest: int) -> int | None:
        return None

    def read_result(self, sql: str) -> ResultReading:
        raise NotImplementedError


def batch_figure() -> Figure:
    rows = [{**live_rows.row(key, key), "_deleted": False} for key in range(100)]
    control = {"batch_num": 0, "has_more": True, "status": "loading", "last_seq_id": 99}
    message = {
        "type": "initial_data_batch",
        "subscription_id": live_rows.WIRE_ID,
        "rows": rows,
        "batch_control": control,
    }
    frame = gzip.compress(orjson.dumps(message))
    value = ratio(
        lambda: parse_message(unpack_frame(frame)),
        lambda: orjson.loads(zlib.decompress(frame, wbits=zlib.MAX_WBITS | 16)),
    )
    return Figure("W2", "CPU per gzip batch of 100 rows, against zlib and orjson.loads", value, 1.6)
