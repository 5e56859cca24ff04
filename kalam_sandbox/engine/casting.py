"""Casts by the engine, so that limits, accepted spellings and error texts are its own."""

from __future__ import annotations

import pyarrow as pa
from datafusion import SessionContext, col

# The engine wants a table to cast in. No table of a user has such a name.
_TABLE = "#cells"


def cast_cells(context: SessionContext, cells: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast cells and leave nothing behind in the session; what cannot be cast raises the engine's own error."""
    frame = context.from_arrow(pa.table({"v": cells}), name=_TABLE)
    try:
        batches = frame.select(col("v").cast(kind)).collect()
    finally:
        context.deregister_table(_TABLE)
    # The engine may answer with a view of texts or bytes.
    parts = [batch.column(0).cast(kind) for batch in batches]
    return pa.concat_arrays(parts) if parts else pa.array([], kind)
