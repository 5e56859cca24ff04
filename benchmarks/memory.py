"""What is run in a process of its own, so that its peak memory can be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from benchmarks import bodies
from kalam_notebook.reading.exact import assemble
from kalam_notebook.wire.body import BodyDecoder, ListsDecoder


def peak(work: Callable[[str], object], path: str) -> int:
    """Bytes by which the peak of this process rises; everything that is loaded once is loaded before."""
    work(str(_warm_up(path)))
    before = _peak()
    work(path)
    return max(0, _peak() - before)


def _peak() -> int:
    """The kernel's high-water mark of this process (``ru_maxrss`` would begin with the parent's)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _warm_up(path: str) -> Path:
    small = Path(path).with_suffix(".small")
    found = bodies.rows(2_000)
    body = bodies.column_body(found) if "columns" in path else bodies.row_body(bodies.SCHEMA, found)
    small.write_bytes(body)
    return small


def _chunks(path: str) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        while chunk := file.read(1 << 16):
            yield chunk


def keep(path: str) -> pa.Table:
    decoder = BodyDecoder()
    batches = [batch for chunk in _chunks(path) for _, batch in decoder.feed(chunk)]
    decoder.finish()
    return pa.Table.from_batches(batches)


def drop(path: str) -> int:
    decoder = BodyDecoder()
    count = sum(batch.num_rows for chunk in _chunks(path) for _, batch in decoder.feed(chunk))
    decoder.finish()
    return count


def keep_columns(path: str) -> pa.Table:
    decoder = ListsDecoder([bodies.list_types()])
    for chunk in _chunks(path):
        decoder.feed(chunk)
    return assemble(decoder.finish()[0], bodies.list_schema())
