"""D15 and D16: what decoding leaves behind in the process, and what importing the package costs."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pyarrow as pa

from benchmarks import bodies
from benchmarks.decoding import decode, decode_columns
from benchmarks.measure import Figure, in_process, wanted
from kalam_notebook.errors import KalamError
from kalam_notebook.wire.body import ListsDecoder, parse_row


def figures(*, small: bool) -> Iterator[Figure]:
    if wanted("D15"):
        yield from collector_figures(20_000 if small else 200_000)
    if wanted("D16"):
        yield from import_figures(rounds=5 if small else 15)


def collector_figures(count: int) -> Iterator[Figure]:
    """Every way to decode, with and without a failure, with the collector on and off."""
    works = list(decodes(count))
    for threads in (1, 4):
        changed = sum(changes_collector(works, threads, is_on=is_on) for is_on in (True, False))
        who = "four threads at once" if threads == 4 else "one after the other"
        measure = f"states of the garbage collector that decoding changed, {len(works)} ways, {who}"
        yield Figure("D15", measure, changed, 0, unit="")


def decodes(count: int) -> Iterator[Callable[[], object]]:
    found = bodies.rows(count)
    body, columns = bodies.row_body(bodies.SCHEMA, found), bodies.column_body(found)
    damaged = bodies.row_body(bodies.SCHEMA, [*found[:-1], ["x", *found[-1][1:]]])
    row = bodies.row_body(bodies.SCHEMA, found[:1])
    yield lambda: decode(body)
    yield lambda: decode_columns(columns)
    yield lambda: decode(damaged)
    yield lambda: decode(body[:-1000])
    yield lambda: decode_columns(columns[:-1000])
    yield lambda: decode_columns(columns.replace(b'"1"', b'"x"', 1))
    yield lambda: parse_row(row)
    yield lambda: parse_row(body)
    yield lambda: ListsDecoder([[pa.int64()]]).feed(columns)


def changes_collector(works: list[Callable[[], object]], threads: int, *, is_on: bool) -> int:
    before = set_collector(is_on=is_on)
    try:
        changed = 0
        if threads == 1:
            for work in works:
                run(work)
                changed += state() != before
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(run, works * threads))
            changed += state() != before
        return changed
    finally:
        gc.enable()


def set_collector(*, is_on: bool) -> tuple[object, ...]:
    (gc.enable if is_on else gc.disable)()
    return state()


def state() -> tuple[object, ...]:
    return gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), len(gc.callbacks)


def run(work: Callable[[], object]) -> None:
    with suppress(KalamError, ValueError):
        work()


#: Prints the CPU seconds of an import in a process of its own, then the packages that it loaded.
_IMPORT = """
import sys, time
before, start = set(sys.modules), time.process_time()
import {name}
print(time.process_time() - start)
loaded = {{module.partition(".")[0] for module in set(sys.modules) - before}}
print(*sorted(loaded - sys.stdlib_module_names))
"""


def import_figures(*, rounds: int) -> Iterator[Figure]:
    ratios, loaded = [], ""
    for _ in range(rounds):
        ours, loaded = imported("kalam_notebook")
        ratios.append(ours / imported("httpx")[0])
    yield Figure("D16", "import kalam_notebook against import httpx", statistics.median(ratios), 1.0)
    others = [name for name in loaded.split() if name != "kalam_notebook"]
    named = f" ({', '.join(others)})" if others else ""
    yield Figure("D16", f"packages that it loads beside itself{named}", len(others), 0, unit="")


def imported(name: str) -> tuple[float, str]:
    spent, loaded = in_process(_IMPORT.format(name=name)).splitlines()
    return float(spent), loaded
