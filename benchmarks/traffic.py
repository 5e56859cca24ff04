"""D12–D14: reading, asking and writing against what a plain client does, on a sandbox server of their own."""

from __future__ import annotations

import datetime as dt
import os
import random
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal

import httpx
import orjson
import pyarrow as pa

import kalam_notebook as kalam
from benchmarks.measure import Figure, on_server, ratio, wanted

#: Nanoseconds that a value of an INSERT costs the real server, and that it costs for each value beside it (truth L20,
#: R8; CPU of an optimised build of KalamDB 0.4.3-rc.4).
INSERT_VALUE_NS = 17_000
INSERT_SQUARE_NS = 7
#: Nanoseconds that a scan costs the real server for each unflushed row version, whatever is asked (truth L32).
SCAN_ROW_NS = 16_000


@dataclass(frozen=True)
class Server:
    """A sandbox server with a client of ours, and what a bare one needs."""

    client: kalam.Client
    bare: httpx.Client

    def post(self, sql: str) -> httpx.Response:
        answer = self.bare.post("/v1/api/sql", content=orjson.dumps({"sql": sql}))
        answer.raise_for_status()
        return answer

    def rows(self, sql: str) -> list[list[object]]:
        return orjson.loads(self.post(sql).content)["results"][0]["rows"]


@contextmanager
def kept_apart() -> Iterator[Callable[[], None]]:
    """Let what is started inside run on other processors than this process, which moves away when told to.

    Else the two take each other's place in the caches, and the greater program pays for it.
    """
    given = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if len(given) < 2:
        yield lambda: None
        return
    own = {min(given)}
    os.sched_setaffinity(0, given - own)
    try:
        yield lambda: os.sched_setaffinity(0, own)
    finally:
        os.sched_setaffinity(0, given)


@contextmanager
def served(*options: str) -> Iterator[Server]:
    """A sandbox server with these options, or that of ``KALAM_TEST_URL``, which has none."""
    with ExitStack() as stack:
        if on_server():
            url, password = os.environ["KALAM_TEST_URL"], os.environ["KALAM_TEST_ROOT_PASSWORD"]
        else:
            sandbox = stack.enter_context(kalam.sandbox(options=options))
            url, password = sandbox.url, sandbox.root_password
        client = stack.enter_context(kalam.Client(url, user="root", password=password))
        bare = stack.enter_context(httpx.Client(base_url=url, timeout=60, trust_env=False))
        token = client.login("root", password).access_token
        bare.headers.update({"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        client.execute_query("CREATE NAMESPACE b")
        stack.callback(client.execute_query, "DROP NAMESPACE b CASCADE")
        yield Server(client, bare)


def frame(count: int) -> pa.Table:
    """Nine columns; the first eight are those that are written."""
    dice = random.Random(42)
    day = dt.date(2024, 1, 1)
    prices = [Decimal(dice.randrange(-100, 10_000)).scaleb(-2) for _ in range(count)]
    return pa.table(
        {
            "id": pa.array(range(count), pa.int64()),
            "n": pa.array([dice.randrange(1_000_000) for _ in range(count)], pa.int32()),
            "score": [round(dice.random() * 1000, 3) for _ in range(count)],
            "name": [f"name {dice.randrange(10_000)} é" for _ in range(count)],
            "day": [day + dt.timedelta(days=dice.randrange(700)) for _ in range(count)],
            "at": pa.array([dice.randrange(10**15) for _ in range(count)], pa.timestamp("us", "UTC")),
            "ok": [dice.random() < 0.5 for _ in range(count)],
            "room": [None if i % 50 == 0 else f"room-{dice.randrange(100)}" for i in range(count)],
            "price": pa.array(prices, pa.decimal128(12, 2)),
        }
    )


def figures(*, small: bool) -> Iterator[Figure]:
    sent = frame(8_000 if small else 20_000)
    if wanted("D12"):
        rounds = 3 if small else 7
        with served("--scan-row-ns", str(SCAN_ROW_NS)) as server:
            cost = f"a scan costs {SCAN_ROW_NS:,} ns for each row of the table"
            yield reading_figure(server, sent, cost, 5, rounds)
        with served() as server:
            yield reading_figure(server, sent, "a SELECT costs what it costs the sandbox", None, rounds)
    if wanted("D13"):
        with kept_apart() as apart, served() as server:
            apart()
            server.client.write(sent.slice(0, 1_000), "b.t", create=True, key="id")
            yield from asking_figures(server)
    if wanted("D14"):
        cost = ("--insert-value-ns", str(INSERT_VALUE_NS), "--insert-square-ns", str(INSERT_SQUARE_NS))
        with served(*cost) as server:
            yield writing_figure(server, sent.slice(0, 4_000 if small else 20_000).select(range(8)), 3 if small else 5)


def reading_figure(server: Server, sent: pa.Table, cost: str, bound: float | None, rounds: int) -> Figure:
    server.client.write(sent, "b.t", create=True, key="id")
    names = ", ".join(sent.column_names)

    def read() -> pa.Table:
        return server.client.query_arrow(f"SELECT {names} FROM b.t")

    def page() -> list[list[object]]:
        rows: list[list[object]] = []
        while True:
            after = rows[-1][0] if rows else -1
            found = server.rows(f"SELECT {names} FROM b.t WHERE id > {after} ORDER BY id LIMIT 1000")
            rows += found
            if len(found) < 1000:
                return rows

    if [column.to_pylist() for column in read().columns] != [column.to_pylist() for column in sent.columns]:
        raise AssertionError("the rows read are not those that were written")
    value = ratio(page, read, rounds=rounds, clock=time.perf_counter, least_s=0)
    measure = f"complete read of {sent.num_rows:,} × 9, faster than pages of 1000 ({cost})"
    return Figure("D12", measure, value, bound, True)


def asking_figures(server: Server) -> Iterator[Figure]:
    sql = "SELECT id, n, name FROM b.t WHERE id < 10"

    def ask() -> pa.Table:
        return server.client.query_arrow(sql)

    value = ratio(ask, lambda: server.post(sql), rounds=15, least_s=0.3)
    yield Figure("D13", "plain small query against a bare httpx.Client.post, CPU of the client", value, 1.6)
    token = server.bare.headers["Authorization"].split()[1]
    with counted_connections() as opened, kalam.Client(server.client.url, token=token) as client:
        for number in range(100):
            client.query_arrow(f"SELECT id, n, name FROM b.t WHERE id = {number}")
    yield Figure("D13", "connections for 100 queries", len(opened), 1, unit="")


@contextmanager
def counted_connections() -> Iterator[list[object]]:
    """The addresses that connections are opened to meanwhile."""
    opened: list[object] = []
    connect = socket.create_connection

    def counting(address: tuple[str, int], *arguments: object, **named: object) -> socket.socket:
        opened.append(address)
        return connect(address, *arguments, **named)  # type: ignore[arg-type]

    socket.create_connection = counting  # type: ignore[assignment]
    try:
        yield opened
    finally:
        socket.create_connection = connect


def writing_figure(server: Server, sent: pa.Table, rounds: int) -> Figure:
    def timed(write: Callable[[str], object]) -> Callable[[], object]:
        def run() -> object:
            name = f"b.t{uuid.uuid4().hex[:8]}"
            server.post(
                f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, n INT, score DOUBLE, name TEXT, day DATE, at TIMESTAMP, "
                "ok BOOLEAN, room TEXT) WITH (TYPE = 'SHARED')"
            )
            try:
                return write(name)
            finally:
                server.post(f"DROP TABLE {name}")

        return run

    def ours(name: str) -> None:
        report = server.client.write(sent, name)
        if report.inserted != sent.num_rows:
            raise AssertionError(f"not all rows were written: {report}")

    def plain(name: str) -> None:
        rows = sent.to_pylist()
        for start in range(0, len(rows), 1000):
            values = ", ".join(map(literals, rows[start : start + 1000]))
            server.post(f"INSERT INTO {name} ({', '.join(sent.column_names)}) VALUES {values}")

    value = ratio(timed(plain), timed(ours), rounds=rounds, clock=time.perf_counter, least_s=0)
    measure = (
        f"write of {sent.num_rows:,} × 8, faster than INSERTs of 1000 rows one at a time (a value of an INSERT "
        f"costs {INSERT_VALUE_NS:,} ns, and {INSERT_SQUARE_NS} ns for each value beside it)"
    )
    return Figure("D14", measure, value, 2, True)


def literals(row: dict[str, object]) -> str:
    """A row as a plain client writes it."""
    return f"({', '.join(map(literal, row.values()))})"


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return repr(value)
    text = value.isoformat() if isinstance(value, dt.date) else str(value)
    return "'" + text.replace("'", "''") + "'"
