"""Rows counted by the values of a column, from the rows that a live table or frame holds. Pure; sums are exact."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.errors import ConfigError
from kalam_notebook.results.cells import CellColumn

__all__ = ["grouped_rows"]


def grouped_rows(table: pa.Table, columns: Sequence[CellColumn], by: int, of: int | None) -> pa.Table:
    """Count rows by a column.

    Args:
        table: The rows.
        columns: Describes its columns.
        by: The column whose values are told apart, by its position.
        of: A column of numbers that is summed up; None for none.

    Returns:
        The column ``by``, ``rows``, and with ``of`` its ``sum`` and ``mean``, both without NULL. The largest groups
        first, those of one size in the order in which they appear.

    Raises:
        ConfigError: Rows cannot be counted by the column, or it is no column of numbers that is summed up.
    """
    names = ["by"]
    arrays = [table.column(by)]
    asked: list[tuple[object, ...]] = [([], "count_all")]
    if of is not None:
        if not columns[of].is_number:
            raise ConfigError(f"{columns[of].name} holds no numbers to be summed up.")
        names.append("of")
        arrays.append(_exact(table.column(of)))
        asked += [("of", "sum"), ("of", "count")]
    try:
        found = pa.table(arrays, names=names).group_by("by", use_threads=False).aggregate(asked)
    except pa.ArrowNotImplementedError:
        raise ConfigError(f"Rows cannot be counted by {columns[by].name}, of type {columns[by].sql_type}.") from None

    shown = {columns[by].name: found.column("by"), "rows": found.column("count_all")}
    if of is not None:
        totals = found.column("of_sum")
        counts = found.column("of_count").cast(pa.float64())
        shown["sum"] = totals
        shown["mean"] = pc.if_else(pc.equal(counts, 0), None, pc.divide(totals.cast(pa.float64()), counts))
    result = pa.table(list(shown.values()), names=list(shown))
    return result.take(pc.sort_indices(result.column(1), sort_keys=[("", "descending")]))


def _exact(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers of which a sum does not run over: whole ones with more digits."""
    if pa.types.is_integer(numbers.type):
        return numbers.cast(pa.decimal128(20, 0))
    return numbers
