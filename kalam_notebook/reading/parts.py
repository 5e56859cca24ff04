"""A plain query over one table cut into parts that other processes read, each row in one of them.

The keys are read once: they tell the newest version of each row at one moment. A part is a set of rows by their
versions, with all that is needed to read them; it can be pickled, and holds no login. What is replaced before it is
read comes in its newer version.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.errors import ConfigError, ResultError
from kalam_notebook.reading.batches import BatchPager
from kalam_notebook.reading.endpoint import CountingEndpoint
from kalam_notebook.reading.pager import PagerPlan
from kalam_notebook.results.results import Completeness
from kalam_notebook.sql.params import literal
from kalam_notebook.sql.statement import enclosed

__all__ = ["Part", "cut_by_key", "cut_by_version"]

#: How often a strict part is read while its rows change.
_READS = 3


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that one process reads.

    Attributes:
        plan: What is read.
        shown: Places of the columns that are shown.
        user: As whom, where that is not the client's own user.
        upto: The version at whose moment rows are told.
        ends: So far one scan reaches, from the end before.
        rows: Rows, those that do not match and are deleted among them.
        packed: Their keys and versions.
        first_key: The least key of them; None without rows.
        last_key: The greatest.
        is_strict: Whether all rows are told at one moment, if only a later one.
    """

    plan: PagerPlan
    shown: tuple[int, ...]
    user: str | None
    upto: int
    ends: tuple[int, ...]
    rows: int
    packed: bytes
    first_key: int | str | None = None
    last_key: int | str | None = None
    is_strict: bool = False

    def read(self, endpoint: CountingEndpoint, batch_rows: int) -> Generator[pa.RecordBatch, None, Completeness]:
        """Read the rows in batches; what is known of them is returned in the end.

        Raises:
            ServerError: The server refuses.
            ResultError: Rows changed each time that a strict part was read.
        """
        pager = BatchPager(self.plan, batch_rows, self.upto, list(self.ends))
        reason = f"a part of a table, {self.rows:,} of its rows were looked through"
        if self.rows:
            pager.know(*_unpacked(self.packed))
            batches = pager.rows(endpoint)
            if self.is_strict:
                pager, held, times = self._at_one_moment(pager, endpoint)
                batches = iter(held)
                if times > 1:
                    reason += f", {times} times, since some changed"
            yield from (batch.select(list(self.shown)) for batch in batches)
        if pager.changed:
            reason += f", {pager.changed:,} changed meanwhile and are as they are now"
        text = f"complete (read in pages by {pager.reach}: {reason})"
        return Completeness(True, text, endpoint.requests, "pages", reason)

    def _at_one_moment(
        self, pager: BatchPager, endpoint: CountingEndpoint
    ) -> tuple[BatchPager, list[pa.RecordBatch], int]:
        """Read the rows again until none of them changes before it is read; how often tells the last number."""
        for times in range(1, _READS + 1):
            held = list(pager.rows(endpoint))
            if not pager.changed:
                return pager, held, times
            changed, pager = pager.changed, pager.renewed()
        raise ResultError(
            f"Rows of the partition changed each of the {_READS} times that it was read, {changed:,} of {self.rows:,} "
            "the last time.\nSmaller partitions are read sooner: rows=…; without strict=True rows that change come as "
            "they are then."
        )


def cut_by_version(pager: BatchPager, shown: list[int], user: str | None, rows: int) -> Iterator[Part]:
    """Parts of rows that were written one after the other, each of which costs the server one way through its rows.

    Args:
        pager: Knows the keys.
        shown: As in ``Part``.
        user: As in ``Part``.
        rows: Rows of a part.
    """
    whole = _nothing(pager, shown, user)
    if pager.keys is None or pager.seqs is None:
        yield whole
        return
    for start in range(0, len(pager.seqs), rows):
        yield _part(whole, pager.keys[start : start + rows], pager.seqs[start : start + rows])


def cut_by_key(pager: BatchPager, shown: list[int], user: str | None, rows: int) -> Iterator[Part]:
    """Parts of rows whose keys lie beside each other.

    Raises:
        ConfigError: The key has no order that is known here, or rows have none.
    """
    key_type = pager.plan.key_type
    is_ordered = pa.types.is_integer(key_type) or pa.types.is_string(key_type)
    if not is_ordered or pager.plan.key == pager.plan.version.name:
        raise ConfigError("by='key' needs a table with a primary key of the type INT, BIGINT, SMALLINT or TEXT.")
    whole = _nothing(pager, shown, user)
    if pager.keys is None or pager.seqs is None:
        yield whole
        return
    order = pc.sort_indices(pager.keys).to_numpy()
    for start in range(0, len(order), rows):
        chosen = np.sort(order[start : start + rows])  # Ascending by version again.
        part = _part(whole, pager.keys.take(pa.array(chosen)), pager.seqs[chosen])
        yield replace(part, plan=_between(part.plan, part.first_key, part.last_key))


def _nothing(pager: BatchPager, shown: list[int], user: str | None) -> Part:
    return Part(pager.plan, tuple(shown), user, pager.upto, tuple(pager.ends), 0, b"")


def _part(whole: Part, keys: pa.ChunkedArray, seqs: np.ndarray) -> Part:
    least = greatest = None
    if pa.types.is_integer(keys.type) or pa.types.is_string(keys.type):
        least, greatest = pc.min_max(keys).as_py().values()
    ends = tuple(end for end in whole.ends if seqs[0] <= end < seqs[-1])
    return replace(
        whole,
        ends=(*ends, int(seqs[-1])),
        rows=len(seqs),
        packed=_packed(keys, seqs),
        first_key=least,
        last_key=greatest,
    )


def _between(plan: PagerPlan, first: int | str | None, last: int | str | None) -> PagerPlan:
    """The same for keys of a range, so that no other rows are sent."""
    where = f"{plan.key} >= {literal('key', first)} AND {plan.key} <= {literal('key', last)}"
    clauses = plan.clauses
    if clauses.where:
        where = f"{enclosed(clauses.where)} AND {where}"
    return replace(plan, clauses=replace(clauses, where=where))


def _packed(keys: pa.ChunkedArray, seqs: np.ndarray) -> bytes:
    """Versions that follow each other closely take little room as differences."""
    batch = pa.RecordBatch.from_arrays([keys.combine_chunks(), pa.array(np.diff(seqs, prepend=0))], ["key", "seq"])
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _unpacked(packed: bytes) -> tuple[pa.ChunkedArray, np.ndarray]:
    batch = pa.ipc.open_stream(packed).read_next_batch()
    return pa.chunked_array([batch.column(0)]), np.cumsum(batch.column(1).to_numpy())
