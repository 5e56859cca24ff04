"""A complete reading that replaces all rows of a live table: which rows of it count, and what is other than before."""

from __future__ import annotations

from collections.abc import Hashable, Sequence, Set
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.errors import ProtocolError
from kalam_notebook.live_queries.rows.chunks import RowChunks
from kalam_notebook.live_queries.rows.history import Effect, Entries, Entry
from kalam_notebook.live_queries.rows.slots import Slots
from kalam_notebook.wire.row_version import version_name

__all__ = ["Replaced", "conformed", "newest_of_each"]


def conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows that the server sent, in the schema in which they are held.

    Raises:
        pyarrow.ArrowInvalid: A column cannot be held in its type.
        ProtocolError: A row has no version.
    """
    table = table.select(schema.names)
    versions = version_name(schema.names)
    if table.column(versions).null_count:
        raise ProtocolError(f"The server sent rows without a {versions}.")
    if table.schema.types != schema.types:
        return table.cast(schema)
    return pa.Table.from_arrays(table.columns, schema=schema)


def newest_of_each(table: pa.Table, key: str, max_rows: int | None) -> tuple[pa.Table, int]:
    """The newest version of each row, in their order.

    Args:
        table: Versions of rows, in any order.
        key: The column that tells rows apart.
        max_rows: How many rows are kept, those with the greatest versions; None for all.

    Returns:
        The rows, and the version up to which some were left out; 0 for none.
    """
    versions = version_name(table.column_names)
    table = table.take(pc.sort_indices(table.column(versions)))
    last = dict(zip(table.column(key).to_pylist(), range(table.num_rows), strict=True))
    if len(last) < table.num_rows:
        table = table.take(pa.array(sorted(last.values()), pa.int64()))
    if max_rows is None or table.num_rows <= max_rows:
        return table, 0
    dropped = table.num_rows - max_rows
    return table.slice(dropped), table.column(versions)[dropped - 1].as_py()


@dataclass(frozen=True, slots=True)
class Replaced:
    """The rows before a complete reading.

    Attributes:
        rows: By key: the number, the version, and the position of the cells.
        chunks: Where these lie.
    """

    rows: dict[Hashable, tuple[int, int, int]]
    chunks: RowChunks

    @classmethod
    def of(cls, held: Slots) -> Replaced:
        """Note them down."""
        return cls({key: (held.row_ids[slot], held.seqs[slot], held.places[slot]) for key, slot in held}, held.chunks)

    def compare(
        self, now: Slots, *, doubtful: Set[Hashable], schema: pa.Schema, max_cells: int
    ) -> tuple[Entries, RowChunks | None]:
        """Tell what is other now.

        Args:
            now: The rows after the reading.
            doubtful: Rows whose cells may be others though their version is the same.
            schema: The schema of the cells.
            max_cells: Beyond so many changes their cells are not told.

        Returns:
            The changes, and where their cells lie, those of before and after in the same chunks.
        """
        entries: list[Entry] = []
        for key, (row_id, seq, place) in self.rows.items():
            slot = now.find(key)
            if slot is None:
                entries.append(Entry(row_id, Effect.DELETED, seq, -1, place))
            elif now.seqs[slot] != seq or key in doubtful:
                entries.append(Entry(row_id, Effect.UPDATED, now.seqs[slot], now.places[slot], place))
        entries += [
            Entry(now.row_ids[slot], Effect.INSERTED, now.seqs[slot], now.places[slot], -1)
            for key, slot in now
            if key not in self.rows
        ]
        if len(entries) > max_cells:
            return Entries(entries), None

        chunks = RowChunks(schema)
        new = _copied(chunks, now.chunks, [entry.new for entry in entries])
        old = _copied(chunks, self.chunks, [entry.old for entry in entries])
        moved = (entry._replace(new=a, old=b) for entry, a, b in zip(entries, new, old, strict=True))
        return Entries(moved), chunks


def _copied(to: RowChunks, source: RowChunks, places: Sequence[int]) -> list[int]:
    """Copy rows and return their new places; -1 stays."""
    wanted = [place for place in places if place >= 0]
    start = to.extend(source.take(wanted))
    numbers = iter(range(start, start + len(wanted)))
    return [next(numbers) if place >= 0 else -1 for place in places]
