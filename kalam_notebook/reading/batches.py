"""A table of any size in batches, each row once, in the memory of one batch and of all keys.

First the keys are read in pages: they tell the newest version of each row at one moment. Then the rows are read window
by window of versions, and what is not that newest version is left out. Rows that were replaced meanwhile are found at
the end, in their newer version. Rows come in the order in which they were last written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.errors import ProtocolError, ServerError
from kalam_notebook.http.bounded import TooLargeError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.newest import NewestVersions
from kalam_notebook.reading.pager import Pager, PagerPlan, rows_statement
from kalam_notebook.reading.trust import is_too_much
from kalam_notebook.wire.answered import table_of

__all__ = ["BatchPager"]

#: Keys that are read or looked through at once, also where batches are smaller: a request has its price.
_PAGE = 5_000


@dataclass(slots=True)
class BatchPager:
    """A pager that gives its rows away.

    Attributes:
        plan: What is read.
        batch_rows: Rows of a batch, at most.
        upto: The version at whose moment rows are told; known when the first batch comes.
        ends: So far one scan reaches, from the end before.
        keys: The keys of all rows, those that do not match and are deleted among them.
        seqs: The newest version of each, ascending.
        changed: Rows that were replaced or deleted before they were read: they came in their newer version, or not.
    """

    plan: PagerPlan
    batch_rows: int
    upto: int = 0
    ends: list[int] = field(default_factory=list)
    keys: pa.ChunkedArray | None = None
    seqs: np.ndarray | None = None
    changed: int = 0
    _given: np.ndarray | None = None  # Which rows have been given away.
    _later: Pager | None = None  # What was written after the moment at which rows are told.
    _later_ends: list[int] = field(default_factory=list)

    @property
    def reach(self) -> str:
        """In words at whose version's moment rows are told."""
        return f"{self.plan.version.name} up to {self.upto}"

    def run(self, endpoint: Endpoint) -> Iterator[pa.RecordBatch]:
        """Read everything that is there at the beginning.

        Raises:
            ServerError: The server refuses.
        """
        self.read_keys(endpoint)
        yield from self.rows(endpoint)

    def read_keys(self, endpoint: Endpoint) -> None:
        """Read the keys of all rows, and the newest version of each."""
        found = NewestVersions()

        def keep(pager: Pager) -> None:
            self.ends.append(pager.after)
            if pager.keys:
                found.add(pager.keys, pager.after)
                pager.keys.clear()

        pager = Pager(self.plan, page_rows=max(self.batch_rows, _PAGE), enough=0)
        pager.run(endpoint, on_page=keep)
        self.upto = pager.after
        if (newest := found.finish()) is None:
            self.ends.clear()
        else:
            self.know(*newest)

    def know(self, keys: pa.ChunkedArray, seqs: np.ndarray) -> None:
        """Take keys and the newest version of each, ascending, as those of the rows to read."""
        self.keys = keys
        self.seqs = seqs
        self._given = np.zeros(len(seqs), bool)

    def renewed(self) -> BatchPager:
        """The same rows at the moment at which they were read to the end, to be read again."""
        assert self.keys is not None
        assert self.seqs is not None
        assert self._later is not None
        place, newest = self._newest_of(self._later)
        seqs = self.seqs.copy()
        seqs[place] = newest
        order = np.argsort(seqs)

        upto = self._later.after
        found = BatchPager(self.plan, self.batch_rows, upto, sorted({*self.ends, *self._later_ends, upto}))
        found.know(self.keys.take(pa.array(order)), seqs[order])
        return found

    def rows(self, endpoint: Endpoint) -> Iterator[pa.RecordBatch]:
        """Read the rows whose keys are known."""
        begin, size = 0, self.batch_rows
        for end in self.ends:
            first, stop = self._between(begin, end)
            begin = end
            while first < stop:
                last, found = min(first + size, stop), 0
                for batch in self._rows(endpoint, first, last):
                    found += batch.num_rows
                    yield batch
                # Where few rows match, one request looks through more of them.
                size = min(2 * size, max(self.batch_rows, _PAGE)) if 2 * found < self.batch_rows else self.batch_rows
                first = last
        yield from self._replaced(endpoint)

    def _between(self, begin: int, end: int) -> tuple[int, int]:
        """The rows whose newest version lies behind ``begin`` and up to ``end``."""
        assert self.seqs is not None
        first, last = np.searchsorted(self.seqs, [begin, end], side="right")
        return int(first), int(last)

    def _rows(self, endpoint: Endpoint, first: int, last: int) -> Iterator[pa.RecordBatch]:
        """Rows by their place, in halves where the memory of the server or of one answer does not suffice."""
        assert self.seqs is not None
        assert self._given is not None
        window = self.plan.version.behind(self.seqs[first] - 1, self.seqs[last - 1])
        types = [*self.plan.fields.types, self.plan.key_type, pa.int64()]

        try:
            (lists,) = endpoint.execute_lists(rows_statement(self.plan, window), self.plan.params, [types])
        except (ServerError, TooLargeError) as exc:
            if not is_too_much(exc) or last - first < 2:
                raise
            middle = (first + last) // 2
            yield from self._rows(endpoint, first, middle)
            yield from self._rows(endpoint, middle, last)
            return

        labels = [*(f"c{index}" for index in range(len(types) - 2)), "key", "seq"]
        page = table_of(lists, pa.schema(list(zip(labels, types, strict=True))))
        if page.num_rows == 0:
            return

        *columns, _, seqs = lists
        if seqs is None or seqs.null_count:
            raise ProtocolError("The answer has versions without a number.")
        found = seqs.to_numpy()
        place = np.searchsorted(self.seqs[first:last], found)
        place = np.minimum(place, last - first - 1) + first

        # Behind the scan window a version may be shown that is not the newest.
        chosen = np.flatnonzero(self.seqs[place] == found)
        chosen = chosen[np.argsort(found[chosen])]
        self._given[place[chosen]] = True
        yield from self._batches(columns, chosen)

    def _replaced(self, endpoint: Endpoint) -> Iterator[pa.RecordBatch]:
        """Rows that were there at first and whose version was replaced before it was read."""
        if self.keys is None or self._given is None or self._given.all():
            return
        pager = self._later = Pager(self.plan, after=max(0, self.upto - self.plan.version.overlap))
        pager.run(endpoint, on_page=lambda page: self._later_ends.append(page.after))
        pager.compact()
        place, _ = self._newest_of(pager)
        self.changed = int((~self._given[place]).sum())
        if not pager.rows:
            return

        rows = pager.rows[0]
        first = pa.table({"seq": rows.column("seq"), "row": pa.arange(0, len(rows))})
        rows = rows.take(first.group_by("seq").aggregate([("row", "min")]).column("row_min"))

        place = pc.index_in(rows.column("key"), value_set=self.keys.combine_chunks()).combine_chunks()
        known = place.is_valid().to_numpy(zero_copy_only=False)
        given = self._given[pc.fill_null(place, 0).to_numpy()]
        chosen = np.flatnonzero(known & ~given)
        if len(chosen):
            yield from self._batches([column.combine_chunks() for column in rows.columns[:-2]], chosen)

    def _newest_of(self, later: Pager) -> tuple[np.ndarray, np.ndarray]:
        """Rows that have a newer version there than the one that is known: their places, and these versions."""
        assert self.keys is not None
        assert self.seqs is not None
        if not later.keys:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        keys, seqs = (later.keys[0].column(name).combine_chunks() for name in ("key", "seq"))
        place = pc.index_in(keys, value_set=self.keys.combine_chunks())
        known = place.is_valid()
        places, versions = place.filter(known).to_numpy(), seqs.filter(known).to_numpy()
        is_newer = versions > self.seqs[places]
        return places[is_newer], versions[is_newer]

    def _batches(self, columns: list[pa.Array | None], chosen: np.ndarray) -> Iterator[pa.RecordBatch]:
        taken = [column.take(pa.array(chosen)) for column in columns if column is not None]
        batch = pa.RecordBatch.from_arrays(taken, schema=self.plan.fields)
        for start in range(0, batch.num_rows, self.batch_rows):
            yield batch.slice(start, self.batch_rows)
