"""U5 and U6: how long live tables take to learn what changed, on a sandbox server."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import orjson
import pyarrow as pa

from benchmarks.measure import Figure, wanted
from benchmarks.traffic import Server, frame, served
from kalam_notebook.live_queries.following.delta import read_deltas
from kalam_notebook.live_queries.following.keyed import KeyedEngine
from kalam_notebook.live_queries.following.query import parse_live_query
from kalam_notebook.live_queries.following.schedule import Question
from kalam_notebook.live_queries.following.together import Together
from kalam_notebook.live_queries.source import ClientSource
from kalam_notebook.reading.endpoint import Endpoint

#: Rows that change between two rounds of checks.
_CHANGED = 1_000

#: A delta looks two seconds back, so what shall not be in it has to be older than that.
_OVERLAP_S = 2.1

#: Milliseconds since 1970 at which ``_seq`` begins, and the bits below its milliseconds (protocol/live.md#seq).
_SEQ_EPOCH_MS, _SEQ_MS_BITS = 1_704_067_200_000, 22


def figures(*, small: bool) -> Iterator[Figure]:
    if not wanted("U5", "U6"):
        return
    with served() as server:
        if wanted("U5"):
            yield delta_figure(server, 10_000 if small else 100_000, rounds=3 if small else 7)
        if wanted("U6"):
            yield from lag_figures(server, 40 if small else 200)


class Heard:
    """An endpoint that remembers the SQL of the last lists."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.sql = ""
        self._endpoint = endpoint

    def __getattr__(self, name: str) -> Any:
        return getattr(self._endpoint, name)

    def execute_lists(
        self, sql: str, params: Sequence[Any], types: Sequence[Sequence[pa.DataType]]
    ) -> list[list[pa.Array | None]]:
        self.sql = sql
        return self._endpoint.execute_lists(sql, params, types)


def delta_figure(server: Server, size: int, *, rounds: int) -> Figure:
    """The reference posts the same statements and parses their answer with ``orjson.loads``."""
    client = server.client
    client.write(frame(size), "b.changing", create=True, key="id")
    # More versions than these would be beyond the scan window, where a delta proves nothing.
    client.execute_query("STORAGE FLUSH TABLE b.changing")
    endpoint = Heard(client._endpoint)
    source = ClientSource(
        client.url,
        session=client._session,
        endpoint=endpoint,
        reader=client._reader,
        window=client._window,
        deltas=Together(partial(read_deltas, endpoint)),
        domains={},
    )
    query = parse_live_query("SELECT * FROM b.changing")
    engine = KeyedEngine(query, source.describe(query.source), max_rows=None)

    def ask() -> int:
        """One round; return how many rows it changed."""
        verdict = engine.finish(engine.next_job(Question.PROOF, now=0.0).run(source), now=0.0, at=0.0)
        if engine.is_diverged:
            raise AssertionError(f"the table is not the server's: {verdict}")
        return verdict.applied.total

    ask()
    found = []
    for number in range(rounds):
        time.sleep(_OVERLAP_S)
        server.post("UPDATE b.changing SET n = n + 1 WHERE id = 0")
        ask()
        first = number * _CHANGED
        server.post(f"UPDATE b.changing SET n = n + 1 WHERE id >= {first} AND id < {first + _CHANGED}")
        server.post(endpoint.sql)  # The first question after a change costs the server more than the next.
        start = time.perf_counter()
        changed = ask()
        between = time.perf_counter()
        orjson.loads(server.post(endpoint.sql).content)
        found.append((between - start) / (time.perf_counter() - between))
        if changed != _CHANGED:
            raise AssertionError(f"{changed} rows in place of {_CHANGED}")
    measure = (
        f"delta of {_CHANGED:,} changed rows of {size:,}, from the request to the table, against a bare request and "
        "orjson.loads"
    )
    return Figure("U5", measure, statistics.median(found), 1.5)


def lag_figures(server: Server, count: int) -> Iterator[Figure]:
    """From the millisecond in a row's ``_seq``, which it gets before it is committed, until ``arrow`` has it."""
    server.post("CREATE TABLE b.told (id BIGINT PRIMARY KEY, body TEXT) WITH (TYPE = 'SHARED')")
    seen: list[float] = []
    with ThreadPoolExecutor(1) as pool, server.client.live("SELECT * FROM b.told") as live:
        for number in range(count):
            time.sleep(0.1)
            written = pool.submit(server.post, f"INSERT INTO b.told (id, body) VALUES ({number}, 'words')")
            live.wait_for(lambda table, number=number: table.arrow().num_rows > number)
            seen.append(time.time() * 1000)
            written.result()
    rows = server.rows("SELECT id, _seq FROM b.told ORDER BY id LIMIT 1000")
    committed = [(int(str(seq)) >> _SEQ_MS_BITS) + _SEQ_EPOCH_MS for _, seq in rows]
    lags = [at - then for at, then in zip(seen, committed, strict=True)]
    measure = "milliseconds from a commit to live.arrow(), when little happens"
    yield Figure("U6", f"{measure}: median of {count}", statistics.median(lags), 15, unit="ms")
    yield Figure(
        "U6", f"{measure}: 99 of 100", statistics.quantiles(lags, n=100, method="inclusive")[98], 60, unit="ms"
    )
