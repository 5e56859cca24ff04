"""A table of a live query, the server's messages about it, and a plain dict that follows them."""

from __future__ import annotations

import ctypes
import datetime as dt
import gc
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from kalam_notebook.live_queries.rows.store import KeyedStore
from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.live import Change, parse_message
from kalam_notebook.wire.types import arrow_schema, parse_schema

SCHEMA = [
    {"name": "id", "data_type": "BigInt", "index": 0, "flags": ["pk", "nn", "uq"]},
    {"name": "room", "data_type": "Text", "index": 1},
    {"name": "body", "data_type": "Text", "index": 2},
    {"name": "n", "data_type": "Int", "index": 3},
    {"name": "score", "data_type": "Double", "index": 4},
    {"name": "price", "data_type": {"Decimal": {"precision": 10, "scale": 2}}, "index": 5},
    {"name": "at", "data_type": "Timestamp", "index": 6},
    {"name": "_seq", "data_type": "BigInt", "index": 7, "flags": ["nn"]},
    {"name": "_deleted", "data_type": "Boolean", "index": 8, "flags": ["nn"]},
]
COLUMNS = parse_schema(SCHEMA)
HELD = COLUMNS[:-1]
NAMES = [column.name for column in HELD]
_TYPES = arrow_schema(HELD).types

#: How the client's first live query is called on the wire.
WIRE_ID = "live-1"

#: Rows that are turned into Arrow or into a dict at once, as they would come from a server.
_BLOCK = 10_000

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

#: Key to ``_seq`` and the cells of ``NAMES``.
Rows = dict[int, tuple[int, tuple[object, ...]]]


def row(key: int, seq: int) -> dict[str, object]:
    """A row as the server sends it; every version of it has other cells."""
    return {
        "id": str(key),
        "room": f"room-{key % 100}",
        "body": f"the words of message {key}, {seq}",
        "n": seq % 1000,
        "score": seq / 7,
        "price": f"{seq % 90_000 + 100}.25",
        "at": 1_779_271_200_000_000 + seq,
        "_seq": str(seq),
    }


def blocks(count: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of a table with the keys and the ``_seq`` from 0, parsed from JSON text."""
    for start in range(0, count, _BLOCK):
        yield orjson.loads(orjson.dumps([row(key, key) for key in range(start, min(start + _BLOCK, count))]))


def table(count: int) -> pa.Table:
    return pa.Table.from_batches(
        [decode_columns(HELD, [[row[name] for row in block] for name in NAMES]) for block in blocks(count)]
    )


def new_store() -> KeyedStore:
    return KeyedStore(HELD, key="id", visible=NAMES)


def store(count: int) -> KeyedStore:
    found = new_store()
    found.load(table(count))
    return found


def dict_of_rows(count: int) -> Rows:
    found: Rows = {}
    for block in blocks(count):
        found.update((int(row["id"]), (int(row["_seq"]), cells(row))) for row in block)
    return found


def change_texts(count: int, *, rows: int) -> list[str]:
    """Messages of about 300 bytes: of ten changes two are inserts, seven updates and one is a delete.

    Args:
        count: How many.
        rows: The table has the keys up to this one before them.
    """
    return list(_change_texts(random.Random(42), count, rows))


def _change_texts(dice: random.Random, count: int, rows: int) -> Iterator[str]:
    for seq in range(rows, rows + count):
        chance, key = dice.random(), dice.randrange(rows)
        told: dict[str, object] = {"type": "change", "subscription_id": WIRE_ID}
        if chance < 0.2:
            told |= {"change_type": "insert", "rows": [{**row(seq, seq), "_deleted": False}]}
        elif chance < 0.9:
            old = {"id": str(key), "_seq": str(key), "n": 1, "body": "the words before"}
            told |= {"change_type": "update", "rows": [row(key, seq)], "old_values": [old]}
        else:
            told |= {"change_type": "delete", "old_values": [{**row(key, seq), "_deleted": True}]}
        yield orjson.dumps(told).decode()


def changes(count: int, *, rows: int) -> list[Change]:
    return [found for text in change_texts(count, rows=rows) if isinstance(found := parse_message(text), Change)]


# The reference.


def _time(microseconds: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=microseconds)


_CONVERTERS: dict[str, Callable[..., object]] = {"BigInt": int, "Decimal": Decimal, "Timestamp": _time}
_CELLS = [(column.name, _CONVERTERS.get(column.type_name)) for column in HELD]


def cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    """The cells as Python values of their types; a column that an update leaves out is NULL."""
    found = row.get
    return tuple(
        [
            value if convert is None or value is None else convert(value)
            for value, convert in [(found(name), convert) for name, convert in _CELLS]
        ]
    )


def follow(rows: Rows, changes: Iterable[Change]) -> None:
    """Apply changes as somebody would who keeps a dict: the newest ``_seq`` wins."""
    for change in changes:
        if change.change_type == "delete":
            for gone in change.old_values:
                held = rows.get(int(gone["id"]))
                if held is not None and held[0] <= int(gone["_seq"]):
                    del rows[int(gone["id"])]
        else:
            for new in change.rows:
                key, seq = int(new["id"]), int(new["_seq"])
                held = rows.get(key)
                if held is None or held[0] < seq:
                    rows[key] = (seq, cells(new))


def rebuilt(rows: Rows) -> pa.Table:
    """A table made from the dict."""
    columns = zip(*[cells for _, cells in rows.values()], strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, _TYPES, strict=True)]
    return pa.Table.from_arrays(arrays, names=NAMES)


# What is held, in a process of its own.


def held_bytes(make: Callable[[int], object], count: int) -> int:
    """Bytes of memory that what is made for so many rows holds on to."""
    kept = [make(1_000)]  # Everything that is loaded once is loaded before.
    before = _resident()
    kept.append(make(count))
    return _resident() - before


def _resident() -> int:
    """The resident memory of this process, without what its allocators keep for later."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
