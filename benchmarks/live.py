"""W1–U9: live tables, from the socket to what a reader sees."""

from __future__ import annotations

import gc
import heapq
import random
import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks import live_events, live_ranges, live_rounds, live_rows
from benchmarks.measure import Figure, in_process, wanted
from kalam_notebook.live_queries.connection.backoff import backoff
from kalam_notebook.live_queries.connection.protocol import LiveProtocol
from kalam_notebook.live_queries.connection.states import Failure, Open, State, Timing
from kalam_notebook.live_queries.following.follower import SPREAD
from kalam_notebook.live_queries.rows.store import KeyedStore
from kalam_notebook.wire.live import AuthSuccess, Change

#: About as many changes as a live table applies at once when they come as fast as they can.
_AT_ONCE = 500

#: Looks at a table that make one measurement: some of them gather its rows anew, and the others profit from that.
_LOOKS = 8

ARROW_BOUNDS = {10_000: 1.5, 100_000: 5, 1_000_000: 25}


def figures(*, small: bool) -> Iterator[Figure]:
    yield from live_events.figures(small=small)
    if wanted("U1"):
        yield from apply_figures(10_000 if small else 50_000, rows=20_000 if small else 100_000)
    if wanted("U2", "U3"):
        yield from arrow_figures([size for size in ARROW_BOUNDS if not small or size <= 100_000])
    if wanted("U4"):
        yield memory_figure(100_000 if small else 1_000_000)
    yield from live_rounds.figures(small=small)
    if wanted("U7"):
        yield from reconnect_figures()
    yield from live_ranges.figures(small=small)


def spent(work: Callable[[], object]) -> float:
    """CPU seconds, without the garbage of before; what is returned is let go after that."""
    gc.collect()
    start = time.process_time()
    kept = work()
    elapsed = time.process_time() - start
    del kept
    return elapsed


# Events into a table.


def apply_figures(count: int, *, rows: int) -> Iterator[Figure]:
    """The reference takes the same ``Change`` messages and does what ``live_rows.follow`` does."""
    changes, table, start = live_rows.changes(count, rows=rows), live_rows.table(rows), live_rows.dict_of_rows(rows)

    def ours() -> float:
        store = live_rows.new_store()
        store.load(table)
        return spent(lambda: apply(store, changes))

    def plain() -> float:
        held = dict(start)
        return spent(lambda: live_rows.follow(held, changes))

    pairs = [(ours(), plain()) for _ in range(7)]
    rate = count / statistics.median(mine for mine, _ in pairs) / 1000
    yield Figure("U1", f"thousands of changes a second into a table of {rows:,} rows", rate, 150, True, unit="k/s")
    value = statistics.median(theirs / mine for mine, theirs in pairs)
    yield Figure("U1", "the same, as fast as into a dict of rows", value, 0.15, True)


def apply(store: KeyedStore, changes: list[Change]) -> None:
    for start in range(0, len(changes), _AT_ONCE):
        store.apply(changes[start : start + _AT_ONCE])


# A table out of what is held.


class Watched:
    """A store and a dict of rows that follow the same changes."""

    def __init__(self, size: int, *, rounds: int) -> None:
        self._store = live_rows.store(size)
        self._rows = live_rows.dict_of_rows(size)
        self._changes = iter(live_rows.changes(rounds * _LOOKS * _AT_ONCE, rows=size))

    def look(self) -> float:
        """CPU seconds of ``arrow`` after some changes, on average."""
        elapsed = 0.0
        for _ in range(_LOOKS):
            changes = [next(self._changes) for _ in range(_AT_ONCE)]
            self._store.apply(changes)
            live_rows.follow(self._rows, changes)
            start = time.process_time()
            self._store.arrow()
            elapsed += time.process_time() - start
        return elapsed / _LOOKS

    def rebuild(self) -> float:
        """CPU seconds for the same table out of the dict."""
        return spent(lambda: live_rows.rebuilt(self._rows))

    def check(self) -> None:
        if not self._store.arrow().equals(live_rows.rebuilt(self._rows)):
            raise AssertionError("the live table is not what the dict is")


def arrow_figures(sizes: list[int], *, rounds: int = 5) -> Iterator[Figure]:
    watched: list[Watched] = []
    for size in sizes:
        table = Watched(size, rounds=2 * rounds)
        value = statistics.median(1 / (table.look() / table.rebuild()) for _ in range(rounds))
        table.check()
        watched = [*watched[-1:], table]
        measure = f"arrow() of {size:,} rows after {_AT_ONCE} changes, faster than making it from a dict of rows"
        yield Figure("U2", measure, value, ARROW_BOUNDS[size], True)
    smaller, larger = watched
    value = statistics.median(larger.look() / smaller.look() for _ in range(rounds))
    yield Figure("U3", f"the same of {sizes[-1]:,} rows against {sizes[-2]:,}", value, 4)


def memory_figure(size: int) -> Figure:
    held = {
        name: float(in_process(f"from benchmarks import live_rows as r; print(r.held_bytes(r.{name}, {size}))")) / size
        for name in ("store", "dict_of_rows")
    }
    measure = (
        f"memory for each of {size:,} rows ({held['store']:.0f} bytes) against a dict of tuples "
        f"({held['dict_of_rows']:.0f} bytes)"
    )
    return Figure("U4", measure, held["store"] / held["dict_of_rows"], 0.75)


# Many clients.

_CLIENTS = 1000

#: Seconds for which a server is away that is started anew.
_AWAY = (1, 2, 3, 5, 8, 13)


def reconnect_figures() -> Iterator[Figure]:
    """All clients lose the server at the same moment; attempts fail until it is back, and succeed after that.

    They are live again with a delta; what costs the server a scan is spread.
    """
    dice = random.Random(42)
    back = {away: returns(away) for away in _AWAY}
    reading = {away: sorted(at + dice.random() * SPREAD for at in times) for away, times in back.items()}
    share = max(map(most_in_a_second, reading.values())) / _CLIENTS
    who = f"of {_CLIENTS:,} clients that lose their server for {_AWAY[0]} to {_AWAY[-1]} s"
    yield Figure("U7", f"{who}, those that have it scan in the same second, at most", 100 * share, 10, unit="%")
    slowest = max(statistics.median(times) - away for away, times in back.items())
    yield Figure("U7", f"{who}: seconds until half of them are back, at most", slowest, 2, unit="s")


def returns(away: float) -> list[float]:
    """When each client is connected again, in order."""
    dice = random.Random(42)
    clients = [connected_client(dice.random) for _ in range(_CLIENTS)]
    for client in clients:
        client.lost(Failure("the server went away"), 0.0)
        client.actions()
    due = [(client.deadline(), number) for number, client in enumerate(clients)]
    heapq.heapify(due)
    times = []
    while due:
        now, number = heapq.heappop(due)
        client = clients[number]
        client.tick(now)
        if client.actions() != [Open(renew=False)]:
            raise AssertionError("a client does not try to connect when it should")
        if now < away:
            client.lost(Failure("refused"), now)
            client.actions()
            heapq.heappush(due, (client.deadline(), number))
        else:
            times.append(now)
    return times


def connected_client(dice: Callable[[], float]) -> LiveProtocol:
    """A client with the delays of ``LiveSocket`` whose connection has stood for a minute."""
    client = LiveProtocol(
        delays=lambda: backoff(dice), timing=Timing(), return_delays=lambda: backoff(dice, spread=True)
    )
    client.connect()
    client.opened(-60.0)
    client.received(AuthSuccess("root", "system"), -60.0)
    assert client.status.state is State.OPEN
    client.actions()
    return client


def most_in_a_second(times: list[float]) -> int:
    """The most of some times, which are in order, that lie in any second."""
    most = first = 0
    for last, time_ in enumerate(times):
        while times[first] <= time_ - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most
