"""DB-API 2.0 (PEP 249): the form in which pandas, polars, SQLAlchemy and other tools take hold of a database.

Results are complete and exact, as those of ``kalam.query``; ``Cursor.completeness`` says how that is known, and a
warning where it is not. Every statement takes effect at once: there are no transactions over several calls.
"""

from __future__ import annotations

from kalam_notebook.dbapi.connection import Connection, connect
from kalam_notebook.dbapi.cursor import Cursor
from kalam_notebook.dbapi.exceptions import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,
)
from kalam_notebook.dbapi.types import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)

__all__ = [
    "BINARY", "DATETIME", "NUMBER", "ROWID", "STRING", "Binary", "Connection", "Cursor", "DataError", "DatabaseError",
    "Date", "DateFromTicks", "Error", "IntegrityError", "InterfaceError", "InternalError", "NotSupportedError",
    "OperationalError", "ProgrammingError", "Time", "TimeFromTicks", "Timestamp", "TimestampFromTicks", "Warning",
    "apilevel", "connect", "paramstyle", "threadsafety",
]  # fmt: skip

#: PEP 249, version 2.0.
apilevel = "2.0"

#: Threads may share the module and connections; a cursor belongs to one thread at a time.
threadsafety = 2

#: ``WHERE id = :1`` with a sequence. ``$1`` is the server's own form of it; ``:name`` takes a mapping.
paramstyle = "numeric"
