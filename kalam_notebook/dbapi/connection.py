"""``Connection``: a client, as PEP 249 names its parts."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from kalam_notebook.callers import fails_shortly, short_failures
from kalam_notebook.client.client import Client
from kalam_notebook.dbapi import exceptions
from kalam_notebook.dbapi.cursor import Cursor
from kalam_notebook.settings import Secret, Timeouts

__all__ = ["Connection", "connect"]


@fails_shortly
def connect(
    url: str | None = None,
    *,
    client: Client | None = None,
    user: str | None = None,
    password: str | Secret | None = None,
    token: str | Secret | None = None,
    token_provider: Callable[[], str] | None = None,
    profile: str | None = None,
    namespace: str | None = None,
    timeout: float = 30.0,
    timeouts: Timeouts | None = None,
) -> Connection:
    """Open a connection; a wrong password or an unreachable server shows here.

    Args:
        url: ``http(s)://host:port``; None looks where ``kalam.connect`` does.
        client: A client that exists, which stays open when the connection is closed; then nothing else is given.
        user: As for ``kalam.connect``.
        password: As for ``kalam.connect``.
        token: As for ``kalam.connect``.
        token_provider: As for ``kalam.connect``.
        profile: As for ``kalam.connect``.
        namespace: Namespace of table names that have none.
        timeout: Seconds of silence after which a request is given up.
        timeouts: Every phase on its own; replaces ``timeout``.

    Raises:
        InterfaceError: No server is named, or the arguments contradict each other.
        OperationalError: The server refuses the login, or cannot be reached.
    """
    if client is not None:
        return Connection(client)
    secret, given = (None if value is None else Secret.of(value) for value in (password, token))
    password = token = None  # A verbose traceback shows the locals of this frame.

    with exceptions.translated():
        client = Client(
            url,
            user=user,
            password=secret,
            token=given,
            token_provider=token_provider,
            profile=profile,
            namespace=namespace,
            timeout=timeout,
            timeouts=timeouts,
        )
        try:
            client.check_login()
        except BaseException:
            client.close()
            raise
    return Connection(client, owns_client=True)


@short_failures
class Connection:
    """A connection of PEP 249. Threads may share it.

    Args:
        client: Sends and reads.
        owns_client: Whether the client is closed with it.

    Attributes:
        client: The client, for what PEP 249 has no words for: ``connection.client.live(sql)``.
    """

    # PEP 249 wants them here as well, for code that has a connection and not the module.
    Warning = exceptions.Warning
    Error = exceptions.Error
    InterfaceError = exceptions.InterfaceError
    DatabaseError = exceptions.DatabaseError
    DataError = exceptions.DataError
    OperationalError = exceptions.OperationalError
    IntegrityError = exceptions.IntegrityError
    InternalError = exceptions.InternalError
    ProgrammingError = exceptions.ProgrammingError
    NotSupportedError = exceptions.NotSupportedError

    def __init__(self, client: Client, *, owns_client: bool = False) -> None:
        self.client = client
        self._owns_client = owns_client
        self._is_closed = False
        self._has_written = False

    def cursor(self, *, stream: bool = False) -> Cursor:
        """Make a cursor.

        Args:
            stream: Read the rows of a query as they are fetched, in batches, as ``kalam.query_batches`` does; a table
                of any size needs the memory of one batch. Else they are read at ``execute``.

        Raises:
            InterfaceError: The connection is closed.
        """
        self._check_open()
        return Cursor(self, stream=stream)

    def commit(self) -> None:
        """Do nothing: every statement has taken effect when ``execute`` returns."""
        self._check_open()
        self._has_written = False

    def rollback(self) -> None:
        """Take nothing back: the server cannot.

        Raises:
            NotSupportedError: Something was written since the last ``commit``, and stays.
        """
        self._check_open()
        if self._has_written:
            self._has_written = False
            raise exceptions.NotSupportedError(
                "What was written stays: every statement takes effect at once, and the server takes nothing back.\n"
                "For all or nothing send BEGIN; …; COMMIT as one text, or client.write(..., atomic=True)."
            )

    def close(self) -> None:
        """Close it, and the client if it was made for it; may be called twice."""
        self._is_closed = True
        if self._owns_client:
            self.client.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<dbapi.Connection to {self.client!r}{', closed' if self._is_closed else ''}>"

    def _wrote(self) -> None:
        """A cursor has carried out something else than a query."""
        self._has_written = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise exceptions.InterfaceError("The connection is closed. Open a new one: dbapi.connect(...).")
