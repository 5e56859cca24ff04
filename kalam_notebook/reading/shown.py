"""The unit of times in SHOW (truth L7): some commands send milliseconds under a type of microseconds. Pure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["LEAST_MICROSECONDS", "in_microseconds"]

#: Smaller numbers in times of the server itself are milliseconds (truth L30). As microseconds this is a day in 1973, as
#: milliseconds one in the year 5138.
LEAST_MICROSECONDS = 10**14


def in_microseconds(table: pa.Table) -> pa.Table:
    """A table whose timestamps are all in microseconds, as they are announced."""
    for index, found in enumerate(table.schema):
        if not pa.types.is_timestamp(found.type):
            continue
        ticks = table.column(index).cast(pa.int64())
        is_short = pc.less(pc.abs(ticks), LEAST_MICROSECONDS)
        scaled = pc.if_else(is_short, pc.multiply(ticks, 1000), ticks)
        table = table.set_column(index, found, scaled.cast(found.type))
    return table
