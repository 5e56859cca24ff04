"""The rows of a write: checked, and spelled in SQL a slice at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from kalam_notebook.errors import FrameError
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.wire.types import Column
from kalam_notebook.writing.literals import has_placeholder, literals, may_hold_placeholder, without_placeholder
from kalam_notebook.writing.problems import Problems
from kalam_notebook.writing.requests import MAX_COST, cost_of
from kalam_notebook.writing.target import Target, needs_literal_path
from kalam_notebook.writing.values import checked_column, rounded_count

__all__ = ["CheckedRows", "Row", "RowState", "checked_rows"]

#: Rows that are spelled at once: enough for whole columns to pay off, few enough for the first request to go out soon.
_SLICE_ROWS = 1_000
#: More than any value but texts and embeddings takes.
_SMALL_VALUE = 50


class RowState(Enum):
    """What a row of the frame is to the table."""

    NEW = "new"  # Not there.
    CHANGED = "changed"  # There with other values, or with values that are not known.
    SAME = "same"  # There as it is.


@dataclass(frozen=True, slots=True)
class Row:
    """One row in SQL.

    Attributes:
        key: The key's literal; empty for a table without one.
        values: What stands in VALUES, with parentheses.
        changes: What stands behind SET; empty when it was not asked for.
        is_plain: Whether ``values`` holds literals only.
    """

    key: str
    values: str
    changes: str
    is_plain: bool


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """Checked rows.

    Attributes:
        target: The table.
        columns: The columns that are written, in the table's order.
        arrays: Their values by name, in the table's types.
        notices: What the caller should know about the values.
    """

    target: Target
    columns: tuple[Column, ...]
    arrays: Mapping[str, pa.Array]
    notices: tuple[str, ...]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values()))) if self.arrays else 0

    @property
    def head(self) -> str:
        """What stands before the rows of an INSERT; every column is named (truth L9)."""
        names = ", ".join(quote_name(column.name) for column in self.columns)
        return f"INSERT INTO {self.target.name} ({names}) VALUES "

    @property
    def keys(self) -> pa.Array:
        """The key's values."""
        assert self.target.key is not None
        return self.arrays[self.target.key.name]

    def take(self, numbers: Sequence[int]) -> CheckedRows:
        """Some of the rows."""
        places = pa.array(numbers, pa.int64())
        return replace(self, arrays={name: array.take(places) for name, array in self.arrays.items()})

    def spelled(self, *, with_changes: bool, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """The rows in SQL.

        Args:
            with_changes: Whether ``changes`` is wanted.
            start: First row.
            stop: Row behind the last one; None for all.
        """
        stop = len(self) if stop is None else stop
        for first in range(start, stop, _SLICE_ROWS):
            yield from self._slice(first, min(_SLICE_ROWS, stop - first), with_changes)

    def _slice(self, first: int, count: int, with_changes: bool) -> Iterator[Row]:
        parts = {column.name: self.arrays[column.name][first : first + count] for column in self.columns}
        cells = {column.name: literals(parts[column.name], column) for column in self.columns}
        own = self.target.key
        keys = cells[own.name] if own is not None and own.name in cells else [""] * count
        changes = self._changes(parts, count) if with_changes else [""] * count
        is_suspect = any(map(may_hold_placeholder, parts.values()))
        for key, change, row in zip(keys, changes, zip(*cells.values(), strict=True), strict=True):
            is_plain = not (is_suspect and any(map(has_placeholder, row)))
            values = row if is_plain else tuple(map(without_placeholder, row))
            yield Row(without_placeholder(key) if is_suspect else key, f"({', '.join(values)})", change, is_plain)

    def _changes(self, parts: Mapping[str, pa.Array], count: int) -> list[str]:
        cells = [
            [f"{quote_name(column.name)} = {without_placeholder(cell)}" for cell in cells]
            for column in self.columns
            if not column.is_primary_key
            for cells in (literals(parts[column.name], column, in_update=True),)
        ]
        return [", ".join(row) for row in zip(*cells, strict=True)] if cells else [""] * count


def checked_rows(
    table: pa.Table, target: Target, columns: tuple[Column, ...], *, mode: str, nan: str, problems: Problems
) -> CheckedRows:
    """Check all values of a frame that are to be written.

    Args:
        table: The frame.
        target: The table.
        columns: The columns to write.
        mode: ``insert``, ``upsert``, ``update`` or ``delete``.
        nan: ``refuse`` or ``null``.
        problems: What was found before; raised with what is found here.

    Raises:
        FrameError: A value would not arrive as it is; two rows have one key; a row does not fit into a request.
    """
    arrays, notices = {}, []
    for column in columns:
        array = table.column(column.name).combine_chunks()
        required = "nn" in column.flags or column.is_primary_key
        with problems.noted():
            stored = checked_column(array, column, nan_is_null=nan == "null", is_required=required)
            if rounded := rounded_count(array, stored, column):
                notices.append(f"Column {column.name} is FLOAT (32 bit): {rounded:,} values were rounded to that.")
            arrays[column.name] = stored

    rows = CheckedRows(target, columns, arrays, tuple(notices))
    if target.key is not None and target.key.name in arrays and not (target.kind == "stream" and mode == "insert"):
        with problems.noted():
            _refuse_equal_keys(rows.keys, target.key.name)

    problems.raise_found()
    if mode in {"update", "upsert"}:
        _refuse_null_embeddings(rows)
    _check_texts(rows, mode)
    return rows


def _refuse_equal_keys(keys: pa.Array, name: str) -> None:
    if len(pc.unique(keys)) == len(keys):
        return
    seen: dict[object, int] = {}
    for row, key in enumerate(keys.to_pylist()):
        if key in seen:
            raise FrameError(
                f"is the key of row {seen[key]} too. Keep one of them, for example with drop_duplicates({name!r}).",
                column=name,
                row=row,
                value=repr(key)[:60],
            )
        seen[key] = row


def _refuse_null_embeddings(rows: CheckedRows) -> None:
    for column in rows.columns:
        if column.type_name == "Embedding" and rows.arrays[column.name].null_count:
            row = pc.index(rows.arrays[column.name].is_valid(), False).as_py()
            reason = "is NULL, which an UPDATE would store as zeros. Leave such rows out, or insert them."
            raise FrameError(reason, column=column.name, row=row)


def _check_texts(rows: CheckedRows, mode: str) -> None:
    """Look at the few rows whose texts may be too long, or may be taken for the place of an upload."""
    lengths = [_length_bound(rows.arrays[column.name], column) for column in rows.columns]
    total = lengths[0]
    for length in lengths[1:]:
        total = pc.add(total, length)
    with_changes = mode in {"update", "upsert"}
    # Text may grow sixfold in JSON, and stands in a request twice at most.
    for row in pc.indices_nonzero(pc.greater(total, MAX_COST // 16)).to_pylist():
        (spelled,) = rows.spelled(with_changes=with_changes, start=row, stop=row + 1)
        cost = max(cost_of(spelled.values), cost_of(spelled.changes) + cost_of(spelled.key)) + cost_of(rows.head) * 3
        if cost > MAX_COST - 1000:
            raise FrameError("is too long: the server takes 1 MiB of SQL and 2 MiB of JSON a request.", row=row)
    if mode in {"insert", "upsert"}:
        _check_placeholders(rows)


def _length_bound(array: pa.Array, column: Column) -> pa.Array:
    """No less than the length of the literals, but for escapes."""
    if column.type_name == "Embedding":
        size = _SMALL_VALUE * column.size
    elif types.is_string(array.type) or types.is_binary(array.type):
        return pc.add(pc.fill_null(pc.binary_length(array), 0).cast(pa.int64()), _SMALL_VALUE)
    else:
        size = _SMALL_VALUE
    return pa.repeat(pa.scalar(size, pa.int64()), len(array))


def _check_placeholders(rows: CheckedRows) -> None:
    """A row with such a text needs an expression, which some types and defaults do not stand beside."""
    if not needs_literal_path(rows.target, rows.columns):
        return
    for column in rows.columns:
        array = rows.arrays[column.name]
        if not may_hold_placeholder(array):
            continue
        row = next((row for row, text in enumerate(literals(array, column)) if has_placeholder(text)), None)
        if row is not None:
            raise FrameError(
                'holds FILE("…"), which the server takes for the place of an upload, and this table has columns '
                "(UUID, EMBEDDING, BYTES, or with a default) beside which it cannot be written otherwise.",
                column=column.name,
                row=row,
            )
