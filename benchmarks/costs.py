"""S1–S8: what questions cost the server, in scans of a table.

On a sandbox server scans are counted, which no other work on the machine disturbs: one scan goes through all versions
of the table. With ``--server`` they are measured on the server of ``KALAM_TEST_URL``, in CPU time of the process
``KALAM_TEST_SERVER_PID``: one scan is what ``SELECT sum(n)`` costs.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

import kalam_notebook as kalam
from benchmarks.measure import Figure, on_server, wanted
from benchmarks.traffic import SCAN_ROW_NS, frame

TABLE = "costs.t"

#: The exact statement that a client would write by hand.
_EXACT = (
    "SELECT array_agg(id) AS a, array_agg(n) AS b, array_agg(arrow_cast(score, 'Utf8')) AS c, array_agg(name) AS d, "
    "array_agg(day) AS e, array_agg(arrow_cast(at, 'Int64')) AS f, array_agg(ok) AS g, array_agg(room) AS h "
    f"FROM {TABLE}"
)
_COLUMNS = "id, n, score, name, day, at, ok, room"

#: Changes a second, and for how many seconds.
_RATE = 5.0


class Counting:
    """Counts the scans of a sandbox server."""

    def __init__(self, url: str, password: str) -> None:
        self._login = {"user": "root", "password": password}
        self._url = url
        self.client = self.new_client()
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=60)
        token = self.client.login("root", password).access_token
        self._http.headers["Authorization"] = f"Bearer {token}"
        self._gone_through = 0
        self.rows = 0

    def new_client(self) -> kalam.Client:
        return kalam.Client(self._url, **self._login)

    def scans(self, work: Callable[[], object]) -> float:
        """What some work costs, in scans of the table."""
        before = self._versions()
        work()
        return (self._versions() - before) / self.rows

    def busy(self) -> float:
        """Seconds that the server would have been busy if scans cost it what they cost KalamDB."""
        return self._versions() * SCAN_ROW_NS * 1e-9

    def _versions(self) -> int:
        """Row versions that all scans have gone through."""
        statements = self._http.get("/sandbox/scans").raise_for_status().json()["statements"]
        self._http.delete("/sandbox/scans").raise_for_status()
        scans = [scan for one in statements for scan in one["scans"]]
        self._gone_through += sum(scan["unflushed"] + scan["flushed"] for scan in scans)
        return self._gone_through


class Measuring:
    """Measures the CPU time of a server's process."""

    def __init__(self) -> None:
        self._stat = Path(f"/proc/{os.environ['KALAM_TEST_SERVER_PID']}/stat")
        self._tick = 1.0 / os.sysconf("SC_CLK_TCK")
        self.client = self.new_client()
        self.rows = 0

    def new_client(self) -> kalam.Client:
        password = os.environ["KALAM_TEST_ROOT_PASSWORD"]
        return kalam.Client(os.environ["KALAM_TEST_URL"], user="root", password=password)

    def scans(self, work: Callable[[], object]) -> float:
        """What some work costs, in scans of the table."""
        one = self._spent(lambda: self.client.execute_query(f"SELECT sum(n) AS s FROM {TABLE}"))
        return self._spent(work, rounds=1) / one

    def busy(self) -> float:
        """Seconds that the server has been busy."""
        fields = self._stat.read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * self._tick

    def _spent(self, work: Callable[[], object], *, rounds: int = 5) -> float:
        found = []
        for _ in range(rounds):
            before = self.busy()
            work()
            found.append(self.busy() - before)
        return max(statistics.median(found), self._tick)


@contextmanager
def judge(rows: int) -> Iterator[Counting | Measuring]:
    """A server with a table of so many unflushed rows of eight columns."""
    with ExitStack() as stack:
        found: Counting | Measuring
        if on_server():
            found = Measuring()
        else:
            # A client rests after a scan as long as the scan tells it to.
            options = ["--scan-row-ns", str(SCAN_ROW_NS)]
            server = stack.enter_context(kalam.sandbox(options=options))
            found = Counting(server.url, server.root_password)
        client = stack.enter_context(found.client)
        client.execute_query("CREATE NAMESPACE costs")
        stack.callback(client.execute_query, "DROP NAMESPACE costs CASCADE")
        client.write(frame(rows).select(_COLUMNS.split(", ")), TABLE, create=True, key="id")
        found.rows = rows
        yield found


def figures(*, small: bool) -> Iterator[Figure]:
    names = [f"S{number}" for number in range(1, 9)]
    if not wanted(*names):
        return
    rows = 5_000 if small else 60_000
    with judge(rows) as server:
        yield from reading_figures(server, rows)
        yield from live_figures(server, rows, seconds=8.0 if small else 100.0)


def reading_figures(server: Counting | Measuring, rows: int) -> Iterator[Figure]:
    exact = server.scans(lambda: server.client.execute_query(_EXACT))
    whole = f"SELECT {_COLUMNS} FROM {TABLE}"
    with server.new_client() as client:
        client.query_arrow("SELECT 1 AS one")  # Logged in, and the server's limits are known.
        first = server.scans(lambda: client.query_arrow(whole))
        again = server.scans(lambda: client.query_arrow(whole))
    yield Figure("S1", f"first exact read of {rows:,} × 8, against the statement by hand", first / exact, 1.15)
    yield Figure("S2", "the same again", again / exact, 1.15)
    with server.new_client() as client:
        client.query_arrow("SELECT 1 AS one")
        point = server.scans(lambda: client.query_arrow(f"{whole} WHERE id = 5"))
        some = server.scans(lambda: client.query_arrow(f"{whole} WHERE id IN (5, 7, 11)"))
    yield Figure("S3", "scans of WHERE key = 5", point, 0.1, unit="")
    # Look-ups of single keys cost none, but outside a transaction each is of another moment, and inside it costs one.
    yield Figure("S4", "scans of WHERE key IN (5, 7, 11)", some, None, unit="")


def live_figures(server: Counting | Measuring, rows: int, *, seconds: float) -> Iterator[Figure]:
    exact = server.scans(lambda: server.client.execute_query(_EXACT))
    sql = f"SELECT {_COLUMNS} FROM {TABLE}"
    numbers = iter(range(10**6, 10**7))
    alone = share(server, numbers, seconds)
    with server.new_client() as client, ExitStack() as lives:
        client.query_arrow("SELECT 1 AS one")
        opened: list[kalam.LiveTable] = []
        opening = server.scans(lambda: opened.append(lives.enter_context(client.live(sql))))
        yield Figure("S5", f"opening a live table of {rows:,} × 8, against the statement by hand", opening / exact, 1.3)
        one = share(server, numbers, seconds)
        opened += [lives.enter_context(client.live(sql)) for _ in range(7)]
        eight = share(server, numbers, seconds)
        quiet = share(server, iter(()), seconds)
        for live in opened:
            live.wait_for(lambda table: table.num_rows == opened[0].num_rows)
    rate = f"{_RATE:g} changes a second"
    yield Figure("S6", f"a viewer of {rows:,} rows, {rate}", max(0.0, one - alone), 1.0, unit="% of a core")
    yield Figure("S7", f"eight viewers of one client, {rate}", max(0.0, eight - alone), 2.0, unit="% of a core")
    yield Figure("S8", "eight viewers of one client, no changes", quiet, 2.0, unit="% of a core")


def share(server: Counting | Measuring, numbers: Iterator[int], seconds: float) -> float:
    """Write a row again and again; return how busy the server is meanwhile, in hundredths of a core."""
    begin, busy = time.monotonic(), server.busy()
    while (now := time.monotonic()) < begin + seconds:
        if (number := next(numbers, None)) is not None:
            server.client.execute_query(f"INSERT INTO {TABLE} (id, n) VALUES ({number}, 1)")
        time.sleep(max(0.0, now + 1 / _RATE - time.monotonic()))
    return 100 * (server.busy() - busy) / (time.monotonic() - begin)
