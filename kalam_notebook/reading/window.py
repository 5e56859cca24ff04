"""Is a table beyond the window that one scan reads?

The server reads only the oldest 100,000 unflushed row versions of a table: rows are missing and values are stale
beyond them (truth L3). A version newer than the newest one that a scan sees tells it (truth R7).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from kalam_notebook.errors import ResultError, ServerError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.wire.answered import whole_number
from kalam_notebook.wire.row_version import GREATEST_VERSION, RowVersion, row_version_of
from kalam_notebook.wire.types import Column

__all__ = ["EVERY_VERSION", "NOW_MS", "Scan", "WindowCheck", "newer_version"]

#: A condition that all rows fulfil. Any that names ``_deleted`` has the server read deleted rows as well, in one scan.
EVERY_VERSION = "_deleted >= false"

#: The server's clock in milliseconds since 1970, whatever the unit of ``now()``.
NOW_MS = "arrow_cast(arrow_cast(now(), 'Timestamp(Millisecond, None)'), 'Int64')"

#: How long a table that was within the window is taken to be so, in seconds (server-truths.md#policy).
TRUSTED_S = 60.0


@dataclass(frozen=True, slots=True)
class Scan:
    """What a look at a table told.

    Attributes:
        is_beyond: Whether scans of it are cut.
        newest: The newest version that a scan sees, tombstones included; 0 for an empty table.
        version: Its row version.
        columns: Its columns.
    """

    is_beyond: bool
    newest: int
    version: RowVersion
    columns: tuple[Column, ...]


class WindowCheck:
    """Tells tables beyond the window, and remembers those within it for a minute.

    A table that was within the window and has had no new version since is so still, however long ago that was.

    Args:
        now: A clock in seconds; for tests.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._within: dict[tuple[str | None, str], tuple[float, Scan]] = {}
        self._proved: dict[tuple[str | None, str, RowVersion], int] = {}  # The newest of a table that was within.
        self._doubted: set[tuple[str | None, str, RowVersion]] = set()  # Of these, whether it is still there.
        self._columns: dict[tuple[str | None, str], tuple[float, tuple[Column, ...]]] = {}
        #: How often something was written, so that what was asked before can be told from what was asked after.
        self.writes = 0

    def forget(self) -> None:
        """Trust no table any more, because something was written."""
        self.writes += 1
        self._within.clear()
        self._columns.clear()

    def doubt(self) -> None:
        """As ``forget``, and other tables may stand under the names, whose versions are lower."""
        self.forget()
        self._doubted = {known for known in self._proved if not known[2].has_time}

    def trusted(self, table: str, user: str | None = None) -> Scan | None:
        """What is known of a table that was within the window a short while ago."""
        checked, scan = self._within.get((user, table), (0.0, None))
        return scan if scan is not None and self._now() - checked < TRUSTED_S else None

    def columns(self, endpoint: Endpoint, table: str, user: str | None = None) -> tuple[Column, ...]:
        """The columns of a table, or what they were a short while ago: no look-up by key shall cost two requests.

        Raises:
            ServerError: The server refuses to tell.
        """
        asked, columns = self._columns.get((user, table), (0.0, ()))
        if not columns or self._now() - asked >= TRUSTED_S:
            columns = endpoint.execute(f"SELECT * FROM {table} LIMIT 0").columns()
            self._columns[user, table] = self._now(), columns
        return columns

    def is_beyond(self, endpoint: Endpoint, table: str, user: str | None = None) -> bool | None:
        """Whether scans of a table are cut; None when it cannot be told. Arguments as for ``scan``."""
        scan = self.look(endpoint, table, user)
        return None if scan is None else scan.is_beyond

    def look(self, endpoint: Endpoint, table: str, user: str | None = None) -> Scan | None:
        """As ``scan``; None when it cannot be told (a view has no versions of its own)."""
        try:
            return self.scan(endpoint, table, user)
        except (ServerError, ResultError):
            return None

    def scan(self, endpoint: Endpoint, table: str, user: str | None = None) -> Scan:
        """Look at a table, unless that was done a short while ago.

        Args:
            endpoint: Runs the SQL.
            table: Qualified name, as it can stand in SQL.
            user: As whom the endpoint runs it, where that is not the client's own user.

        Raises:
            ServerError: The server refuses to tell.
            ResultError: The table has no row versions.
        """
        if (known := self.trusted(table, user)) is not None:
            return known
        writes = self.writes
        columns = endpoint.execute(f"SELECT * FROM {table} LIMIT 0").columns()
        version = _version_of(table, columns)
        proved = self._proved.get((user, table, version))
        if (user, table, version) in self._doubted:
            self._doubted.discard((user, table, version))
            if proved is not None and newer_version(endpoint, table, version, proved - 1) is None:
                proved = None
        if proved is not None and newer_version(endpoint, table, version, proved) is None:
            found = Scan(False, proved, version, columns)
        else:
            found = _ask(endpoint, table, version, columns)
        return self._kept(found, table, user, writes)

    def prove(
        self,
        endpoint: Endpoint,
        table: str,
        seen: int,
        columns: tuple[Column, ...],
        writes: int,
        user: str | None = None,
    ) -> Scan:
        """Tell from the newest version that a scan of a whole table has seen; that costs no scan where it is the last.

        Args:
            endpoint: Runs the SQL.
            table: Qualified name, as it can stand in SQL.
            seen: The newest version of that scan, tombstones included; 0 for none.
            columns: The table's columns.
            writes: ``writes`` before that scan.
            user: As for ``scan``.

        Raises:
            ServerError: The server refuses to tell.
        """
        version = _version_of(table, columns)
        if newer_version(endpoint, table, version, seen) is None:
            return self._kept(Scan(False, seen, version, columns), table, user, writes)
        return self._kept(_ask(endpoint, table, version, columns), table, user, writes)

    def _kept(self, found: Scan, table: str, user: str | None, writes: int) -> Scan:
        if found.is_beyond:
            self._proved.pop((user, table, found.version), None)
        elif writes == self.writes:
            self._within[user, table] = (self._now(), found)
            self._proved[user, table, found.version] = found.newest
        return found


def _version_of(table: str, columns: tuple[Column, ...]) -> RowVersion:
    if (version := row_version_of(columns)) is None:
        raise ResultError(f"{table} has no row versions: it is a view, or a table of a kind that is not known.")
    return version


def _ask(endpoint: Endpoint, table: str, version: RowVersion, columns: tuple[Column, ...]) -> Scan:
    newest = _newest(endpoint, table, version)
    while True:
        if newer_version(endpoint, table, version, newest) is None:
            return Scan(False, newest, version, columns)
        # Either the window hides it, or it was written just now: then the next scan sees it.
        again = _newest(endpoint, table, version)
        if again == newest:
            return Scan(True, newest, version, columns)
        newest = again


def _newest(endpoint: Endpoint, table: str, version: RowVersion) -> int:
    """The newest version that a scan sees, tombstones included."""
    return _greatest(endpoint, f"SELECT max({version.name}) AS s FROM {table} WHERE {EVERY_VERSION}")


def newer_version(endpoint: Endpoint, table: str, version: RowVersion, newest: int) -> int | None:
    """A version of a table that is newer than one, tombstones included; None when there is none (truth R7).

    Only with an upper bound does the server leave out the files that hold nothing newer.
    """
    window = version.behind(newest, GREATEST_VERSION)
    sql = f"SELECT {version.name} AS s FROM {table} WHERE {window} AND {EVERY_VERSION} LIMIT 1"
    return _greatest(endpoint, sql) or None


def _greatest(endpoint: Endpoint, sql: str) -> int:
    numbers = endpoint.execute(sql).column()
    return max((whole_number(value) for value in numbers if value is not None), default=0)
