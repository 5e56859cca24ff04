"""D1–D11: answers to Arrow and to DataFrames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pandas as pd
import pyarrow as pa

from benchmarks import bodies
from benchmarks.measure import Figure, peak_memory, ratio, wanted, without_collector
from kalam_notebook.reading.exact import assemble
from kalam_notebook.results.frames import to_pandas
from kalam_notebook.wire.body import BodyDecoder, ListsDecoder


def decode(body: bytes) -> pa.Table:
    decoder = BodyDecoder()
    batches = [batch for chunk in bodies.chunks(body) for _, batch in decoder.feed(chunk)]
    decoder.finish()
    return pa.Table.from_batches(batches)


def decode_columns(body: bytes) -> pa.Table:
    decoder = ListsDecoder([bodies.list_types()])
    for chunk in bodies.chunks(body):
        decoder.feed(chunk)
    return assemble(decoder.finish()[0], bodies.list_schema())


def naive(body: bytes) -> pd.DataFrame:
    result = json.loads(body)["results"][0]
    names = [column["name"] for column in result["schema"]]
    return pd.DataFrame([dict(zip(names, row, strict=True)) for row in result["rows"]])


BOUNDS = {1_000: 3.2, 10_000: 2.2, 100_000: 0.95, 1_000_000: 0.65}
PAUSED_BOUNDS = {100_000: 1.6, 1_000_000: 1.5}
FRAME_BOUNDS = {1_000: 1.5, 10_000: 2.2, 100_000: 3.2, 1_000_000: 4.0}
COLUMN_BOUNDS = {100_000: 0.8, 1_000_000: 0.6}


def figures(*, small: bool) -> Iterator[Figure]:
    sizes = [size for size in BOUNDS if not small or size <= 100_000]
    for number, size in enumerate(sizes, 1):
        if wanted(f"D{number}"):
            yield from row_figures(f"D{number}", size)
    if wanted("D5"):
        body = bodies.row_body(*bodies.wide_rows(10_000, 100))
        value = ratio(lambda: decode(body), lambda: orjson.loads(body))
        yield Figure("D5", "row body → Arrow, 10,000 rows of 100 columns, against L", value, 1.5)
    for size in sizes if wanted("D6") else ():
        body = bodies.row_body(bodies.SCHEMA, bodies.rows(size))
        value = ratio(lambda body=body: naive(body), lambda body=body: to_pandas(decode(body)), rounds=5)
        yield Figure("D6", f"row body → DataFrame, {size:,} rows, faster than naive", value, FRAME_BOUNDS[size], True)
    if wanted("D7", "D8", "D10"):
        yield from memory_figures(400_000 if small else 1_550_000)
    for size in set(COLUMN_BOUNDS).intersection(sizes) if wanted("D9") else ():
        found = bodies.rows(size)
        plain, columns = bodies.row_body(bodies.SCHEMA, found), bodies.column_body(found)
        del found
        value = ratio(lambda columns=columns: decode_columns(columns), lambda plain=plain: orjson.loads(plain))
        yield Figure("D9", f"column body → Arrow, {size:,} rows, against L", value, COLUMN_BOUNDS[size])
    if wanted("D11"):
        yield from hostile_figures()


def row_figures(name: str, size: int) -> Iterator[Figure]:
    body = bodies.row_body(bodies.SCHEMA, bodies.rows(size))
    value = ratio(lambda: decode(body), lambda: orjson.loads(body))
    yield Figure(name, f"row body → Arrow, {size:,} rows, against L", value, BOUNDS[size])
    if size in PAUSED_BOUNDS:
        value = ratio(lambda: decode(body), without_collector(lambda: orjson.loads(body)))
        yield Figure(name, f"row body → Arrow, {size:,} rows, against Lp", value, PAUSED_BOUNDS[size])


def hostile_figures() -> Iterator[Figure]:
    """Text that looks like the borders of rows; what comes out must be what went in, to the last character."""
    plain = bodies.rows(20_000)
    forms = {
        "": (decode, bodies.row_body(bodies.SCHEMA, plain)),
        ", exact": (decode_columns, bodies.column_body(plain)),
    }
    differing = 0
    for what, found in bodies.hostile_rows(20_000).items():
        texts = [row[3] if isinstance(row[3], str) else orjson.dumps(row[3]).decode() for row in found]
        for form, (read, normal) in forms.items():
            body = bodies.column_body(found) if form else bodies.row_body(bodies.SCHEMA, found)
            table = read(body)
            differing += sum(a != b for a, b in zip(table.column("name").to_pylist(), texts, strict=True))
            differing += table.column("id").to_pylist() != [int(row[0]) for row in found]
            del table
            pair = [partial(read, body), partial(read, normal)]
            value = ratio(*pair, rounds=5) * len(normal) / len(body)
            yield Figure("D11", f"{what}{form}, against normal text of the same length", value, 8)
    yield Figure("D11", "cells of those that differ from what was sent", differing, 0, unit="")


def memory_figures(rows: int) -> Iterator[Figure]:
    """Of fewer rows, what a process has at rest is a part of the figure."""
    with TemporaryDirectory() as folder:
        plain = Path(folder) / "rows.json"
        found = bodies.rows(rows)
        plain.write_bytes(bodies.row_body(bodies.SCHEMA, found))
        size = plain.stat().st_size
        measure = f"peak memory of a streamed {size / 1e6:.0f} MB answer"
        yield Figure("D7", f"{measure}, table kept", peak_memory("keep", str(plain)) / size, 1.5)
        yield Figure("D8", f"{measure}, batches dropped", peak_memory("drop", str(plain)) / 1e6, 48, unit="MB")
        columns = Path(folder) / "columns.json"
        columns.write_bytes(bodies.column_body(found))
        size = columns.stat().st_size
        yield Figure("D10", "peak memory of an exact answer", peak_memory("keep_columns", str(columns)) / size, 2.5)
