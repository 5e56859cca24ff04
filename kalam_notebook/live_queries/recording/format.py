"""A recording of a live table: the form of the file, and what stands in it as values.

The file is an Arrow IPC stream, which any Arrow library reads. Its columns are those of ``CONTROL``, then the visible
columns of the live table, whose names may repeat; so columns go by position. Each row is a row of the table, or a note:

========== ==========================================================================================================
_change    what happened: one of ``Effect``, ``moved`` (only its place is another), ``snapshot`` (it is there); notes
           are ``start`` and ``gap``, before the rows of a snapshot, and ``end``
_healed    whether no event had told it
_at        when it was seen
_seq       the row version, as in ``LiveTable.changes``; of which column it was, ``Origin`` tells
_version   the table's version after it; rows of one version happened at once
_row       the row's number; NULL in a note
_place     where the row stands after all of its version, if that does not follow from what was before; else NULL
========== ==========================================================================================================

The cells are those after the change; those of a row that is gone are its last. Rows follow the order of their
appearance, unless ``_place`` says otherwise: then the others fill the free places in the order that they had. After
``gap`` come all rows again, because not all changes before it are known.

A record is a batch: a note, a snapshot, or the rows of some versions. It may take several batches, which all but the
last say in their metadata (``MORE``), so a file that breaks off is read up to its last whole record. When the columns
change, the stream ends and another follows in the same file, with a schema of its own. What the live table was stands
in the schema's metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.rows.history import Effect
from kalam_notebook.wire.row_version import SEQ
from kalam_notebook.wire.types import Column

__all__ = [
    "CONTROL",
    "END",
    "FORMAT",
    "GAP",
    "KINDS",
    "MORE",
    "MOVED",
    "RECORDING",
    "SNAPSHOT",
    "START",
    "Origin",
    "RecordedChanges",
    "RecordedEnd",
    "RecordedStep",
    "Snapshot",
    "control_types",
]

#: Key of the schema's metadata, and the version of what is described above.
RECORDING = b"kalam:recording"
FORMAT = 1

#: Key of a batch's metadata: the record goes on in the next batch.
MORE = b"kalam:more"

CONTROL = ("_change", "_healed", "_at", "_seq", "_version", "_row", "_place")

#: All values of ``_change``. Their order is not part of the format.
MOVED = "moved"
SNAPSHOT = "snapshot"
START = "start"
GAP = "gap"
END = "end"
KINDS = (*(effect.value for effect in Effect), MOVED, SNAPSHOT, START, GAP, END)


@dataclass(frozen=True, slots=True)
class Origin:
    """What was recorded.

    Attributes:
        sql: The live query.
        form: How it followed the server.
        table_name: The tables, for people.
        key: The columns that tell rows apart.
        notice: What the table may not have shown rightly; empty when nothing was known.
        row_version: The server's column that held the version of a row; empty where there was none.
    """

    sql: str
    form: Form
    table_name: str
    key: tuple[str, ...]
    notice: str = ""
    row_version: str = SEQ.name


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All rows at one moment: the first record, and the first after a gap.

    Attributes:
        origin: What was recorded.
        columns: The visible columns.
        rows: Their cells, in the order of the rows.
        row_ids: The rows' numbers.
        version: The table's version.
        at: When, in seconds since 1970.
        is_gap: Whether changes before it are missing.
    """

    origin: Origin
    columns: tuple[Column, ...]
    rows: pa.Table
    row_ids: tuple[int, ...]
    version: int
    at: float
    is_gap: bool


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """What happened at once.

    Attributes:
        version: The table's version after it.
        at: When, in seconds since 1970.
        healed: Whether no event had told it.
        first: Which row of ``RecordedChanges.cells`` belongs to the first of ``rows``; the others follow.
        rows: For each row that is concerned its number, what happened (None when it only moved), and ``_seq``.
        places: Row numbers and where they stand afterwards, as far as that does not follow.
    """

    version: int
    at: float
    healed: bool
    first: int
    rows: tuple[tuple[int, Effect | None, int], ...]
    places: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class RecordedChanges:
    """Steps and the cells that they brought, one row for each row of the steps."""

    cells: pa.Table
    steps: tuple[RecordedStep, ...]


@dataclass(frozen=True, slots=True)
class RecordedEnd:
    """The end; ``at`` is None when the recording breaks off."""

    at: float | None


def control_types() -> tuple[pa.DataType, ...]:
    """The Arrow types of ``CONTROL``."""
    whole = pa.int64()
    return pa.dictionary(pa.int8(), pa.string()), pa.bool_(), pa.timestamp("us", "UTC"), whole, whole, whole, whole
