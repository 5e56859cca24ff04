"""The errors of PEP 249, made of this package's own, which stay as ``__cause__``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from kalam_notebook import errors

__all__ = [
    "DataError",
    "DatabaseError",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Warning",
    "translated",
]


class Warning(Exception):
    """Demanded by PEP 249, and never raised: what is not certain of a result is warned of by ``warnings``."""


class Error(errors.KalamError):
    """Root of the errors of this module."""


class InterfaceError(Error):
    """The module is used otherwise than it can be: a closed cursor, a value that cannot be sent."""


class DatabaseError(Error):
    """The server, or the way to it."""


class DataError(DatabaseError):
    """A value that cannot be read, or does not fit."""


class OperationalError(DatabaseError):
    """The server cannot be reached, refuses the login, or is not able to carry something out."""


class IntegrityError(DatabaseError):
    """A key is there already, or a value is missing that must not."""


class InternalError(DatabaseError):
    """The server sent what no server should."""


class ProgrammingError(DatabaseError):
    """The SQL or its parameters are wrong."""


class NotSupportedError(DatabaseError):
    """The server has nothing of the kind."""


#: How the server words it when a key is taken or a value is missing (protocol/sql.md#insert), and the codes of it.
_INTEGRITY = re.compile(
    r"^(NOT_NULL_VIOLATION|MISSING_COLUMN): |constraint violation|primary key violation|NULL value", re.IGNORECASE
)

#: The first that fits.
_KINDS: tuple[tuple[type[errors.KalamError], type[Error]], ...] = (
    (errors.ParameterError, ProgrammingError),
    (errors.UnsafeStatementError, NotSupportedError),
    (errors.ResultError, ProgrammingError),
    (errors.QueryError, ProgrammingError),
    (errors.DecodeError, DataError),
    (errors.ProtocolError, InternalError),
    (errors.AuthError, OperationalError),
    (errors.TransportError, OperationalError),
    (errors.ServerError, OperationalError),
    (errors.ConfigError, InterfaceError),
    (errors.KalamError, DatabaseError),
)


@contextmanager
def translated() -> Iterator[None]:
    """Raise errors of the package as those of PEP 249."""
    try:
        yield
    except Error:
        raise
    except errors.KalamError as exc:
        raise _kind(exc)(str(exc)) from exc


def _kind(error: errors.KalamError) -> type[Error]:
    if isinstance(error, errors.QueryError) and _INTEGRITY.search(f"{error.code}: {error.message}"):
        return IntegrityError
    return next(kind for source, kind in _KINDS if isinstance(error, source))
