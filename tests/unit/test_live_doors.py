"""Live tables for event loops and other libraries: `until`, `changes_async`, and tables of Perspective."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import sys
import time
from decimal import Decimal

import pyarrow as pa
import pytest
from test_live_store import delete, insert, update

from kalam_notebook.errors import ConfigError, LiveError, MissingDependencyError, RequestTimeoutError


def test_until_a_condition_holds(kept, live):
    async def main():
        beside = []

        async def count():
            while True:
                beside.append(1)
                await asyncio.sleep(0.001)

        counting = asyncio.ensure_future(count())
        waiting = asyncio.ensure_future(live.until(lambda table: table.num_rows == 4, timeout=10))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        kept.change(insert(3, 12))
        await asyncio.sleep(0.02)
        kept.change(insert(4, 13))
        await waiting
        counting.cancel()
        await live.until(4)
        return len(beside)

    assert asyncio.run(main()) > 5


def test_until_ends_as_wait_for_does(kept, live):
    with pytest.raises(RequestTimeoutError, match=r"did not hold within 0\.05 s: 2 rows, live\."):
        asyncio.run(live.until(99, timeout=0.05))
    with pytest.raises(ConfigError, match="a number of rows or a function"):
        asyncio.run(live.until("many"))

    async def closed():
        waiting = asyncio.ensure_future(live.until(99, timeout=None))
        await asyncio.sleep(0.02)
        kept.close()
        await waiting

    with pytest.raises(LiveError, match="over"):
        asyncio.run(closed())


def test_changes_for_async_for(kept, live):
    async def main():
        found = []
        kept.change(insert(3, 12, "before"))
        changes = live.changes_async()
        kept.change(insert(4, 13, "after"))
        async for batch in changes:
            found += batch.table.column("body").to_pylist()
            if len(found) == 1:
                kept.change(delete(4, 14))
            else:
                kept.close()
        return found

    assert asyncio.run(main()) == ["after", "after"]


# Perspective.


def rows_of(table) -> list[dict]:
    return sorted(table.view().to_records(), key=lambda row: row["id"])


def wait_for_rows(live, table) -> None:
    expected = sorted(live.arrow().to_pylist(), key=lambda row: row["id"])
    deadline = time.monotonic() + 10
    while (found := rows_of(table)) != expected:
        assert time.monotonic() < deadline, (found, expected)
        time.sleep(0.005)  # Perspective offers nothing else to wait for here.


def test_perspective_follows_any_changes(kept, live):
    table, rng, seq = live.perspective(), random.Random(1), 100
    assert table.get_index() == "id"
    wait_for_rows(live, table)
    for _ in range(40):
        changes = []
        for _ in range(rng.randint(1, 5)):
            seq += 1
            key = rng.randint(1, 9)
            cells = {"body": rng.choice(["x", "é", None]), "n": rng.choice([None, seq])}
            changes.append(delete(key, seq) if rng.random() < 0.4 else update(key, seq, **cells))
        kept.change(*changes)
    wait_for_rows(live, table)
    kept.store.load(live.arrow().slice(0, 1).append_column("_seq", pa.array([seq + 1])))
    kept.bell.ring()
    wait_for_rows(live, table)


def test_rows_without_a_key_are_told_apart_by_their_number(live):
    values = {
        "id": [2, 1], "price": [Decimal("1.25"), None], "at": [dt.datetime(2026, 5, 20, tzinfo=dt.UTC), None],
        "time": [dt.time(10, 30), None], "list": [[1.5, 2.5], None], "bytes": [b"ab", None],
        "day": [dt.date(2026, 5, 20), None],
    }  # fmt: skip
    table = live.pipe(lambda _: pa.table(values)).perspective()
    assert table.get_index() == "_row"
    assert rows_of(table)[1] == {
        "_row": 0, "id": 2, "price": 1.25, "at": 1779235200000, "time": "10:30:00", "list": "[1.5, 2.5]",
        "bytes": "b'ab' 2 bytes", "day": 1779235200000,
    }  # fmt: skip
    assert [value for name, value in rows_of(table)[0].items() if name not in {"_row", "id"}] == [None] * 6


def test_other_columns_are_told(kept, live):
    piped = live.pipe(lambda frame: frame.assign(more=1) if len(frame) > 2 else frame, every=0)
    piped.perspective()
    callbacks = piped._callbacks._worker

    def end():
        kept.change(insert(3, 12))
        piped.wait_for(3, timeout=10)
        live.close()
        callbacks.join(10)

    with pytest.warns(RuntimeWarning, match=r"The columns have changed\. Call live\.perspective\(\) again"):
        end()


def test_without_perspective_it_is_told_what_to_install(live, monkeypatch):
    monkeypatch.setitem(sys.modules, "perspective", None)
    with pytest.raises(MissingDependencyError, match="pip install perspective-python"):
        live.perspective()


def test_columns_of_one_name_are_refused(live):
    twice = live.pipe(lambda frame: pa.table([[1], [2]], names=["v", "v"]))
    with pytest.raises(ConfigError, match="Several columns are called 'v'"):
        twice.perspective()
