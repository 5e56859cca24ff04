"""Viewers of a live table that are real, beside those that ``benchmarks.scale`` simulates.

``python -m benchmarks.viewers`` prints the second table of ``docs/scale.md``, with 10 and 100 viewers or as many as are
named; exit status 1 when they are not true, or ask for more than is simulated. Each viewer is a client of its own, with
a socket and a live table. They run in a few processes, against a sandbox server whose scans last as long as KalamDB's,
and through a proxy that takes the server away in the middle. Meanwhile somebody writes, who does not go through it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Thread

import httpx
import pyarrow.compute as pc

import kalam_notebook as kalam
from benchmarks.scale import SCAN_ROW_S, Case, Found, Simulation, Times, seconds
from kalam_notebook.live_queries.table import LiveTable

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from tcp_proxy import TcpProxy

TABLE = "b.looked_at"

#: Viewers of one process, which have three threads each, and how many of them open at once.
_IN_ONE, _AT_ONCE = 50, 8

#: Seconds for what other programs of the machine delay.
_PATIENCE = 300.0
_TIMEOUTS = kalam.Timeouts(connect=60, receive=_PATIENCE, auth=60, subscribe=60)

#: How much more real viewers may ask than simulated ones: both throw dice, and answers take longer on a full machine,
#: which makes more rests but also more loss.
_ROOM = 1.5

#: One machine is all viewers and the server, so they open slowly, and the more they are the fewer rows change.
CASES = {
    10: Case(10, 2_000, 2, times=Times(5, 10, 40, 8, 100)),
    100: Case(100, 2_000, 0.5, times=Times(20, 30, 70, 8, 150)),
    1_000: Case(1_000, 2_000, 0.05, times=Times(120, 130, 170, 8, 300)),
}


@dataclass(frozen=True)
class Seen:
    """What viewers have seen until they had a row version.

    Attributes:
        at: When the last of them had it, by the clock that all processes of a machine share.
        missing: How many had it not in time.
        events: Events that were told to them since they opened.
        questions: Deltas and proofs that they have asked.
        totals: Sums of a column that they hold.
        memory: Bytes of their processes.
    """

    at: float
    missing: int
    events: int
    questions: int
    totals: frozenset[int]
    memory: int

    def __add__(self, other: Seen) -> Seen:
        return Seen(
            max(self.at, other.at),
            self.missing + other.missing,
            self.events + other.events,
            self.questions + other.questions,
            self.totals | other.totals,
            self.memory + other.memory,
        )


# Viewers, in a process of their own.


def look(url: str, token: str, opening: float, count: int, seed: int, pipe: Connection) -> None:
    """Open so many viewers when told to; for each row version that comes then, tell what they have seen."""
    dice = random.Random(seed)
    moments = sorted(dice.random() * opening for _ in range(count))
    with ExitStack() as stack, ThreadPoolExecutor(_AT_ONCE) as pool:
        begin = pipe.recv()

        def opened(moment: float) -> LiveTable:
            time.sleep(max(0.0, begin + moment - time.monotonic()))
            client = kalam.Client(url, token=token, timeouts=_TIMEOUTS)
            stack.callback(client.close)
            return client.live(f"SELECT * FROM {TABLE}")

        tables = list(pool.map(opened, moments))
        pipe.send(seen(tables, 0, _PATIENCE))
        for newest, patience in iter(pipe.recv, None):
            pipe.send(seen(tables, newest, patience))


def seen(tables: Sequence[LiveTable], newest: int, patience: float) -> Seen:
    """Wait until all hold a row version and what came before."""
    missing, deadline = list(tables), time.monotonic() + patience
    while (missing := [one for one in missing if one.stats.last_seq < newest or one.status != "live"]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.05)
    at, stats = time.monotonic(), [table.stats for table in tables]
    return Seen(
        at,
        len(missing),
        sum(one.events for one in stats),
        sum(one.rounds for one in stats),
        frozenset(pc.sum(table.arrow()["n"]).as_py() for table in tables),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


class Viewers:
    """Viewers in as many processes as they need."""

    def __init__(self, url: str, token: str, case: Case) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for seed, first in enumerate(range(0, case.viewers, _IN_ONE)):
            near, far = context.Pipe()
            count = min(_IN_ONE, case.viewers - first)
            process = context.Process(target=look, args=(url, token, case.times.opening, count, seed, far))
            process.start()
            far.close()
            self._pipes.append(near)
            self._processes.append(process)

    def ask(self, message: object) -> Seen:
        """Tell all the same, and add up what they answer."""
        for pipe in self._pipes:
            pipe.send(message)
        first, *rest = [pipe.recv() for pipe in self._pipes]
        return sum(rest, start=first)

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.terminate()
            process.join()


# The server, who writes, and the network.


class Server:
    """A sandbox server with the table, without a proxy before it."""

    def __init__(self, sandbox: kalam.SandboxServer, rows: int) -> None:
        self.url = sandbox.url
        self._client = kalam.Client(sandbox.url, user="root", password=sandbox.root_password, timeout=_PATIENCE)
        self.token = self._client.login("root", sandbox.root_password).access_token
        self._http = httpx.Client(base_url=sandbox.url, trust_env=False, timeout=_PATIENCE)
        self._http.headers["Authorization"] = f"Bearer {self.token}"
        self._client.execute_query("CREATE NAMESPACE b")
        self._client.execute_query(f"CREATE TABLE {TABLE} (id BIGINT PRIMARY KEY, n BIGINT) WITH (TYPE = 'SHARED')")
        self._client.execute_query(
            f"INSERT INTO {TABLE} (id, n) SELECT value, 0 FROM generate_series(0, {rows - 1}) AS g(value)"
        )
        self._rows = rows
        self.changes = self._told = 0
        self.delta_s = self._measured()

    def close(self) -> None:
        self._client.close()
        self._http.close()

    def change(self) -> None:
        """Change a row. Rows stay as many as they are, and row versions nearly."""
        self.changes += 1
        self._client.execute_query(f"UPDATE {TABLE} SET n = {self.changes} WHERE id = {self.changes % self._rows}")

    def number(self, what: str) -> int:
        return int(self._client.query_arrow(f"SELECT {what} AS number FROM {TABLE}")["number"][0].as_py())

    def whole_scans(self) -> int:
        """Since this was last asked, but for those of changes."""
        changes, self._told = self.changes - self._told, self.changes
        return self._http.delete("/sandbox/scans").raise_for_status().json()["scans"]["whole"] - changes

    def _measured(self) -> float:
        """Seconds that a question takes beside its scan, when nobody else asks."""
        sql = f"BEGIN; SELECT id, _seq FROM {TABLE} WHERE _seq > {self.number('max(_seq)')}; COMMIT"
        found = []
        for _ in range(20):
            begun = time.monotonic()
            self._client.execute_query(sql)
            found.append(time.monotonic() - begun)
        return statistics.median(found)


@contextmanager
def changing(server: Server, rate: float) -> Iterator[None]:
    """Have rows changed, evenly."""
    is_over = Event()

    def change() -> None:
        due = time.monotonic()
        while not is_over.wait(max(0.0, due - time.monotonic())):
            server.change()
            due += 1 / rate

    thread = Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


# A case from its beginning to its end.


@dataclass(frozen=True)
class Run:
    """What came of a case.

    Attributes:
        case: With what the sandbox takes for a question in place of what KalamDB does.
        changes: Rows that changed while the viewers were counted.
        events: Events that were told to them.
        questions: Deltas and proofs that they asked.
        scans: Whole scans that these were.
        opened: Seconds until all were open.
        back: Seconds from the server's return until all had what they had missed.
        wrong: How many had not, or 1 if some hold other rows than the server.
        memory: Bytes of a viewer.
    """

    case: Case
    changes: int
    events: int
    questions: int
    scans: int
    opened: float
    back: float
    wrong: int
    memory: float

    def faults(self, simulated: Found) -> Iterator[str]:
        """What is otherwise than simulated, of what this machine's speed does not decide."""
        viewers = self.case.viewers
        if self.wrong:
            yield f"{self.wrong} of {viewers:,} viewers do not hold what the server holds"
        if self.events != viewers * self.changes:
            yield f"{self.events:,} events, and not {viewers:,} × {self.changes:,}"
        if self.questions > _ROOM * simulated.questions + viewers:
            yield f"{self.questions:,} questions, and {simulated.questions:,} simulated"
        if self.scans > _ROOM * simulated.proofs + viewers:
            yield f"{self.scans:,} scans, and {simulated.proofs:,} simulated"


def run(case: Case) -> Run:
    times = case.times
    options = ["--subscriptions-per-user", "100000", "--scan-row-ns", str(round(SCAN_ROW_S * 1e9))]
    with ExitStack() as stack:
        server = Server(stack.enter_context(kalam.sandbox(options=options, timeout=_PATIENCE)), case.rows)
        stack.callback(server.close)
        proxy = stack.enter_context(TcpProxy(server.url))
        viewers = Viewers(proxy.url, server.token, case)
        stack.callback(viewers.close)

        begin = time.monotonic() + 2
        opened = viewers.ask(begin)
        time.sleep(max(0.0, begin + times.settled - time.monotonic()))

        server.whole_scans()
        with changing(server, case.rate):
            time.sleep(times.gone - times.settled)
        counted = viewers.ask((server.number("max(_seq)"), _PATIENCE))
        scans, changes = server.whole_scans(), server.changes

        proxy.go_down()
        with changing(server, case.rate):
            time.sleep(times.away)
        newest = server.number("max(_seq)")
        back = time.monotonic()
        proxy.come_up()
        last = viewers.ask((newest, times.end - times.gone - times.away))

        return Run(
            replace(case, delta_s=server.delta_s, scans_wait=True, cores=1),
            changes,
            counted.events - opened.events,
            counted.questions - opened.questions,
            scans,
            opened.at - begin,
            last.at - back,
            last.missing or int(last.totals != {server.number("sum(n)")}),
            last.memory / case.viewers,
        )


HEAD = """\
| viewers | changes | events | questions, simulated | scans, simulated | all open after | back, simulated | memory |
|---|---|---|---|---|---|---|---|"""


def line(real: Run, found: Found) -> str:
    cells = (
        f"{real.case.viewers:,}",
        f"{real.changes:,}",
        f"{real.events:,}",
        f"{real.questions:,}, {found.questions:,}",
        f"{real.scans:,}, {found.proofs:,}",
        seconds(real.opened),
        f"{seconds(real.back)}, {seconds(found.back)}",
        f"{real.memory / 1e6:.1f} MB",
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.viewers", description=__doc__)
    parser.add_argument("viewers", nargs="*", type=int, choices=CASES, help="how many; 10 and 100 if none are named")
    print(HEAD)
    faults = []
    for viewers in parser.parse_args().viewers or (10, 100):
        real = run(CASES[viewers])
        found = Simulation(real.case).run()
        print(line(real, found), flush=True)
        faults += real.faults(found)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
