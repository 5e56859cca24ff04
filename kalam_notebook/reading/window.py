"""Is a table beyond the window that one scan reads?

The server reads only the oldest 100,000 unflushed row versions of a table: rows are missing and values are stale
beyond them (truth L3). A version newer than the newest one that a scan sees tells it (truth R7).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kalam_notebook.errors import ServerError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.wire.types import Column

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Scan", "WindowCheck", "newer_seq"]

#: How long a table that was within the window is taken to be so, in seconds (truth, section 3).
TRUSTED_S = 60.0


@dataclass(frozen=True, slots=True)
class Scan:
    """What a look at a table told.

    Attributes:
        is_beyond: Whether scans of it are cut.
        newest: The newest ``_seq`` that a scan sees, tombstones included; 0 for an empty table.
        columns: Its columns.
    """

    is_beyond: bool
    newest: int
    columns: tuple[Column, ...]


class WindowCheck:
    """Tells tables beyond the window, and remembers those within it for a minute.

    Args:
        now: A clock in seconds; for tests.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._within: dict[tuple[str | None, str], tuple[float, Scan]] = {}
        self._writes = 0

    def forget(self) -> None:
        """Trust no table any more, because something was written."""
        self._writes += 1
        self._within.clear()

    def trusted(self, table: str, user: str | None = None) -> Scan | None:
        """What is known of a table that was within the window a short while ago."""
        checked, scan = self._within.get((user, table), (0.0, None))
        return scan if scan is not None and self._now() - checked < TRUSTED_S else None

    def is_beyond(self, endpoint: Endpoint, table: str, user: str | None = None) -> bool | None:
        """Whether scans of a table are cut; None when it cannot be told. Arguments as for ``scan``."""
        scan = self.look(endpoint, table, user)
        return None if scan is None else scan.is_beyond

    def look(self, endpoint: Endpoint, table: str, user: str | None = None) -> Scan | None:
        """As ``scan``; None when it cannot be told (a view has no versions of its own)."""
        try:
            return self.scan(endpoint, table, user)
        except ServerError:
            return None

    def scan(self, endpoint: Endpoint, table: str, user: str | None = None) -> Scan:
        """Look at a table, unless that was done a short while ago.

        Args:
            endpoint: Runs the SQL.
            table: Qualified name, as it can stand in SQL.
            user: As whom the endpoint runs it, where that is not the client's own user.

        Raises:
            ServerError: The server refuses to tell.
        """
        if (known := self.trusted(table, user)) is not None:
            return known
        writes = self._writes
        found = _ask(endpoint, table)
        if not found.is_beyond and writes == self._writes:
            self._within[user, table] = (self._now(), found)
        return found


def _ask(endpoint: Endpoint, table: str) -> Scan:
    newest, columns = _newest(endpoint, table)
    while True:
        if newer_seq(endpoint, table, newest) is None:
            return Scan(False, newest, columns)
        # Either the window hides it, or it was written just now: then the next scan sees it.
        again, columns = _newest(endpoint, table)
        if again == newest:
            return Scan(True, newest, columns)
        newest = again


def _newest(endpoint: Endpoint, table: str) -> tuple[int, tuple[Column, ...]]:
    """The newest version that a scan sees, tombstones included; and the columns."""
    newest = f"SELECT max(_seq) AS s FROM {table}"
    answer = endpoint.execute(f"{newest}; {newest} WHERE _deleted = true; SELECT * FROM {table} LIMIT 0")
    *tables, _ = answer.tables
    seqs = (int(value) for table in tables if table is not None for value in _values(table))
    return max(seqs, default=0), answer.results[-1].columns


def _values(table: pa.Table) -> list[int]:
    return [value for value in table.column(0).to_pylist() if value is not None]


def newer_seq(endpoint: Endpoint, table: str, newest: int) -> int | None:
    """A version of a table that is newer than one, tombstones included; None when there is none (truth R7)."""
    where = f"FROM {table} WHERE _seq > {newest}"
    sql = f"SELECT _seq {where} LIMIT 1; SELECT _seq {where} AND _deleted = true LIMIT 1"
    found = (value for rows in endpoint.execute(sql).tables if rows is not None for value in _values(rows))
    return max(found, default=None)
