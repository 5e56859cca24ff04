"""Whether a server keeps the sort of a query: found out from answers that one which does not never sends.

KalamDB 0.4.3 sorts rows by the key once more, below a LIMIT and where the sort is not by what is shown (truth L4). Only
a table with a key shows it, and none is made for that: rows of one that come in another order than that of the key come
from a server that has kept the sort. Rows that happen to be in that order tell nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.reading.server_limits import Epoch
from kalam_notebook.sql.shape import Shape
from kalam_notebook.sql.tables import SYSTEM_NAMESPACES, scanned_tables, table_names
from kalam_notebook.wire.row_version import row_version_of
from kalam_notebook.wire.types import Column

__all__ = ["KeptSorts", "is_at_risk", "table_to_prove"]


class KeptSorts:
    """What was seen of the server of now.

    Args:
        epoch: Tells how long the server stays.
    """

    def __init__(self, epoch: Epoch) -> None:
        self._epoch = epoch
        self._seen: tuple[object, bool] | None = None  # Of which server, and whether of a sort by what is not shown.

    def keeps(self, shape: Shape, columns: Sequence[Column]) -> bool:
        """Whether the sort of a query is kept; False until it was seen."""
        seen = self._seen
        return seen is not None and seen[0] is self._epoch(looks=False) and (seen[1] or _is_by_shown(shape, columns))

    def note(self, shape: Shape, columns: Sequence[Column], source: Sequence[Column]) -> None:
        """Take in what ``table_to_prove`` has found.

        Args:
            shape: The query.
            columns: Those of its answer.
            source: Those of its table, which may be a view.
        """
        keys = [column.name for column in source if column.is_primary_key]
        if row_version_of(source) is None or keys != [column.name for column in columns if column.is_primary_key]:
            return
        if not self.keeps(shape, columns):
            self._seen = self._epoch(looks=False), not _is_by_shown(shape, columns)


def is_at_risk(shape: Shape, columns: Sequence[Column]) -> bool:
    """Whether 0.4.3 sorts the rows of a query by the key, though it says how they are sorted."""
    return shape.order_by != () and (shape.limits_top or not _is_by_shown(shape, columns))


def table_to_prove(shape: Shape, columns: Sequence[Column], rows: pa.Table) -> str | None:
    """The table from whose columns it can be seen that the server has kept the sort; None where the rows do not tell.

    0.4.3 would have sorted them if its first table is named with a namespace and the key is shown under its own name.
    """
    if not shape.limits_top or not shape.is_plain or not shape.order_by:
        return None
    if any(token.word == "AS" for token in shape.text.tokens):
        return None
    names = table_names(shape.text)
    keys = [place for place, column in enumerate(columns) if column.is_primary_key]
    if len(names) != 1 or len(keys) != 1 or (names[0].namespace or "system") in SYSTEM_NAMESPACES:
        return None
    key = rows.column(keys[0]).combine_chunks()
    if not pc.any(pc.less(key[1:], key[:-1])).as_py():
        return None
    (table,) = scanned_tables(shape.text) or (None,)
    return table


def _is_by_shown(shape: Shape, columns: Sequence[Column]) -> bool:
    names = {column.name for column in columns}
    return shape.order_by is not None and names.issuperset(shape.order_by)
