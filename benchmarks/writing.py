"""D17: writing a frame against the best of batches made by hand; INSERTs cost the sandbox what they cost KalamDB.

With ``--server`` on a real server.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator

import pyarrow as pa

from benchmarks.measure import Figure, wanted
from benchmarks.traffic import INSERT_SQUARE_NS, INSERT_VALUE_NS, Server, frame, literals, served

#: Rows of a statement of the batches made by hand; one of them is about the best (truth R8).
ROWS = (25, 50, 100)
#: Bytes of their requests.
REQUEST_BYTES = 100_000


def figures(*, small: bool) -> Iterator[Figure]:
    if not wanted("D17"):
        return
    sent = frame(2_000 if small else 10_000).select(range(8))
    cost = ("--insert-value-ns", str(INSERT_VALUE_NS), "--insert-square-ns", str(INSERT_SQUARE_NS))
    with served(*cost) as server:
        yield against_hand_made(server, sent, rounds=2 if small else 3)


def against_hand_made(server: Server, sent: pa.Table, *, rounds: int) -> Figure:
    """The texts of the batches are made before the clock starts; ours checks, spells and counts while it runs."""
    values = [literals(row) for row in sent.to_pylist()]
    ours, theirs = [], []
    for size in ROWS * rounds:
        # As often as all the others together: the best of more tries would be better.
        ours.append(timed(server, lambda name: write(server, sent, name), sent.num_rows))
        theirs.append(by_hand(server, sent.column_names, values, size))
    sizes = ", ".join(map(str, ROWS))
    measure = f"write of {sent.num_rows:,} × 8, speed against the best of batches by hand ({sizes} rows a statement)"
    return Figure("D17", measure, min(theirs) / min(ours), 0.9, True)


def write(server: Server, sent: pa.Table, name: str) -> None:
    report = server.client.write(sent, name)
    if report.inserted != sent.num_rows:
        raise AssertionError(f"not all rows were written: {report}")


def by_hand(server: Server, columns: list[str], values: list[str], size: int) -> float:
    """Seconds for INSERTs of ``size`` rows, outside of a transaction."""
    requests: list[list[str]] = [[]]
    for start in range(0, len(values), size):
        statement = f"INSERT INTO {{}} ({', '.join(columns)}) VALUES {', '.join(values[start : start + size])}"
        if sum(map(len, requests[-1])) + len(statement) > REQUEST_BYTES and requests[-1]:
            requests.append([])
        requests[-1].append(statement)

    def send(name: str) -> None:
        for statements in requests:
            server.post("; ".join(statement.replace("{}", name, 1) for statement in statements))

    return timed(server, send, len(values))


def timed(server: Server, work: Callable[[str], object], count: int) -> float:
    """Seconds that writing ``count`` rows into a new table takes."""
    name = f"b.t{uuid.uuid4().hex[:8]}"
    server.post(
        f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, n INT, score DOUBLE, name TEXT, day DATE, at TIMESTAMP, "
        "ok BOOLEAN, room TEXT) WITH (TYPE = 'SHARED')"
    )
    try:
        start = time.perf_counter()
        work(name)
        seconds = time.perf_counter() - start

        if server.rows(f"SELECT count(*) FROM {name}") != [[str(count)]]:
            raise AssertionError(f"{name} does not have {count:,} rows")
        return seconds
    finally:
        server.post(f"DROP TABLE {name}")
