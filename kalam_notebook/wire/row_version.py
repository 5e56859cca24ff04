"""The version of a row: which column of a table holds it, and what its numbers tell.

Up to KalamDB 0.7.0 it is ``_seq``, a snowflake: milliseconds since 2024-01-01 UTC above 22 other bits
(protocol/live.md#seq). From 0.7.1 on it is ``_version``, a place in a log: it tells the order of commits and no time
(protocol/sql.md#later-versions). Which of them a table has, its columns tell, and never the number of a release. Views
and tables of the server's own have neither.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from kalam_notebook.wire.types import Column

__all__ = [
    "COMMIT",
    "DELETED",
    "GREATEST_VERSION",
    "OVERLAP_MS",
    "ROW_ID",
    "SEQ",
    "VERSION",
    "VERSION_COLUMNS",
    "WRITTEN_AT",
    "RowVersion",
    "row_version_of",
    "tells_gaps",
    "version_name",
]

#: The column that is true for a tombstone.
DELETED = "_deleted"

#: When a row of a STREAM table was taken in, in milliseconds since 1970, where its version does not tell.
WRITTEN_AT = "_timestamp"

#: What tells rows without a primary key apart, from 0.8 on; ``SELECT *`` leaves it out.
ROW_ID = "_row_id"

GREATEST_VERSION = 2**63 - 1

#: How far places in a log grow from one commit to the next, at least.
COMMIT = 1 << 16

#: How far before the newest version known a delta begins, in milliseconds: concurrent writers may commit snowflakes out
#: of order (truth R4). Places in a log come in order.
OVERLAP_MS = 2_000

_EPOCH_MS = 1_704_067_200_000
_SHIFT = 22


@dataclass(frozen=True, slots=True)
class RowVersion:
    """The column that holds the version of a row.

    Attributes:
        name: The column, as it stands in SQL and in messages.
        has_time: Whether a version tells when it was given.
        is_text: Whether a live cursor travels as text; else it is a JSON number.
    """

    name: str
    has_time: bool
    is_text: bool

    def behind(self, after: int, upto: int | None = None) -> str:
        """The condition for versions behind one, and up to another. Only literals move the scan window (truth R3)."""
        return f"{self.name} > {after}" + ("" if upto is None else f" AND {self.name} <= {upto}")

    def at(self, ms: int) -> int | None:
        """The smallest version of a moment, in milliseconds since 1970; None where versions hold no time."""
        return (ms - _EPOCH_MS) << _SHIFT if self.has_time else None

    def ms(self, version: int) -> int | None:
        """When a version was given, in milliseconds since 1970; None where versions hold no time."""
        return (version >> _SHIFT) + _EPOCH_MS if self.has_time else None

    def span(self, ms: int) -> int:
        """How far apart versions are that were given so many milliseconds after each other; 0 without time."""
        return ms << _SHIFT if self.has_time else 0

    @property
    def near(self) -> int:
        """How far apart versions are that are worth to be asked for together: those of about a minute."""
        return self.span(60_000) or 1_000 * COMMIT

    @property
    def overlap(self) -> int:
        """How far before the newest version known a delta begins."""
        return self.span(OVERLAP_MS)


SEQ = RowVersion("_seq", has_time=True, is_text=False)
VERSION = RowVersion("_version", has_time=False, is_text=True)
_KNOWN = (VERSION, SEQ)
VERSION_COLUMNS = frozenset(version.name for version in _KNOWN)


def tells_gaps(version: RowVersion | None) -> bool:
    """Whether the server of a table tells when it drops live events: all do whose versions are places in a log."""
    return version is VERSION


def version_name(names: Container[str]) -> str:
    """The column that holds the version of rows that have one, by the names of their columns."""
    return VERSION.name if VERSION.name in names else SEQ.name


def row_version_of(columns: Iterable[Column]) -> RowVersion | None:
    """The row version of a table, by its columns; None for a view, and for a table of a kind that is not known."""
    types = {column.name: column.type_name for column in columns}
    if types.get(DELETED) != "Boolean":
        return None
    return next((version for version in _KNOWN if types.get(version.name) == "BigInt"), None)
