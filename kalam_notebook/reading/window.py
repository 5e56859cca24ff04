"""Is a table beyond the window that one scan reads?

The server reads only the oldest 100,000 unflushed row versions of a table: rows are missing and values are stale
beyond them (truth L3). A version newer than the newest one that a scan sees tells it (truth R7).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kalam_notebook.errors import ServerError
from kalam_notebook.reading.endpoint import Endpoint

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["WindowCheck"]

#: How long a table that was within the window is taken to be so, in seconds (truth, section 3).
TRUSTED_S = 60.0


class WindowCheck:
    """Tells tables beyond the window, and remembers those within it for a minute.

    Args:
        now: A clock in seconds; for tests.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._within: dict[tuple[str | None, str], float] = {}

    def is_beyond(self, endpoint: Endpoint, table: str, user: str | None = None) -> bool | None:
        """Whether scans of a table are cut.

        Args:
            endpoint: Runs the SQL.
            table: Qualified name, as it can stand in SQL.
            user: As whom the endpoint runs it, where that is not the client's own user.

        Returns:
            True or False; None when it cannot be told (a view has no versions of its own).
        """
        checked = self._within.get((user, table))
        if checked is not None and self._now() - checked < TRUSTED_S:
            return False
        try:
            beyond = self._ask(endpoint, table)
        except ServerError:
            return None
        if not beyond:
            self._within[user, table] = self._now()
        return beyond

    def _ask(self, endpoint: Endpoint, table: str) -> bool:
        newest = _newest(endpoint, table)
        while True:
            if not _has_newer(endpoint, table, newest):
                return False
            # Either the window hides it, or it was written just now: then the next scan sees it.
            again = _newest(endpoint, table)
            if again == newest:
                return True
            newest = again


def _newest(endpoint: Endpoint, table: str) -> int:
    """The newest version that a scan sees, tombstones included."""
    sql = f"SELECT max(_seq) AS s FROM {table}; SELECT max(_seq) AS s FROM {table} WHERE _deleted = true"
    tables = endpoint.execute(sql).tables
    return max((int(value) for table in tables if table is not None for value in _values(table)), default=0)


def _values(table: pa.Table) -> list[int]:
    return [value for value in table.column(0).to_pylist() if value is not None]


def _has_newer(endpoint: Endpoint, table: str, newest: int) -> bool:
    where = f"FROM {table} WHERE _seq > {newest}"
    sql = f"SELECT _seq {where} LIMIT 1; SELECT _seq {where} AND _deleted = true LIMIT 1"
    return any(table is not None and table.num_rows > 0 for table in endpoint.execute(sql).tables)
