"""D1–D11: answers to Arrow and to DataFrames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pandas as pd
import pyarrow as pa

from benchmarks import bodies
from benchmarks.measure import Figure, peak_memory, ratio, without_collector
from kalam_notebook.frames import to_pandas
from kalam_notebook.reading.exact import assemble
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


def figures(*, small: bool) -> Iterator[Figure]:
    bounds = {1_000: 3.2, 10_000: 2.2, 100_000: 0.95, 1_000_000: 0.65}
    paused_bounds = {100_000: 1.6, 1_000_000: 1.5}
    frame_bounds = {1_000: 1.5, 10_000: 2.2, 100_000: 3.2, 1_000_000: 4.0}
    sizes = [size for size in bounds if not small or size <= 100_000]
    for number, size in enumerate(sizes, 1):
        body = bodies.row_body(bodies.SCHEMA, bodies.rows(size))
        rounds = 5 if size > 100_000 else 9
        value = ratio(lambda body=body: decode(body), lambda body=body: orjson.loads(body), rounds)
        yield Figure(f"D{number}", f"row body → Arrow, {size:,} rows, against L", value, bounds[size])
        if size in paused_bounds:
            paused = without_collector(lambda body=body: orjson.loads(body))
            value = ratio(lambda body=body: decode(body), paused, rounds)
            yield Figure(f"D{number}", f"row body → Arrow, {size:,} rows, against Lp", value, paused_bounds[size])
    schema, wide = bodies.wide_rows(10_000 if not small else 2_000, 100)
    body = bodies.row_body(schema, wide)
    yield Figure("D5", "100 columns, against L", ratio(lambda: decode(body), lambda: orjson.loads(body), 5), 1.5)
    for size in sizes:
        body = bodies.row_body(bodies.SCHEMA, bodies.rows(size))
        value = ratio(lambda body=body: naive(body), lambda body=body: to_pandas(decode(body)), 5)
        yield Figure("D6", f"row body → DataFrame, {size:,} rows, faster than naive", value, frame_bounds[size], True)
    yield from memory_figures(small=small)
    for size, bound in ((100_000, 0.8), (1_000_000, 0.6)):
        if size in sizes:
            found = bodies.rows(size)
            plain, columns = bodies.row_body(bodies.SCHEMA, found), bodies.column_body(found)
            value = ratio(lambda columns=columns: decode_columns(columns), lambda plain=plain: orjson.loads(plain), 5)
            yield Figure("D9", f"column body → Arrow, {size:,} rows, against L", value, bound)
    normal = bodies.row_body(bodies.SCHEMA, bodies.rows(20_000))
    hostile = bodies.row_body(bodies.SCHEMA, bodies.hostile_rows(20_000))
    scale = len(hostile) / len(normal)
    value = ratio(lambda: decode(hostile), lambda: decode(normal), 5) / scale
    yield Figure("D11", "hostile text, against normal text of the same length", value, 8)


def memory_figures(*, small: bool) -> Iterator[Figure]:
    count = 1_100_000 if not small else 200_000
    with TemporaryDirectory() as folder:
        plain = Path(folder) / "rows.json"
        found = bodies.rows(count)
        plain.write_bytes(bodies.row_body(bodies.SCHEMA, found))
        size = plain.stat().st_size
        measure = f"peak memory of a streamed {size / 1e6:.0f} MB answer"
        yield Figure("D7", f"{measure}, table kept", peak_memory("keep", str(plain)) / size, 1.5)
        yield Figure("D8", f"{measure}, batches dropped", peak_memory("drop", str(plain)) / 1e6, 48, unit="MB")
        columns = Path(folder) / "columns.json"
        columns.write_bytes(bodies.column_body(found))
        size = columns.stat().st_size
        yield Figure("D10", "peak memory of an exact answer", peak_memory("keep_columns", str(columns)) / size, 2.5)
