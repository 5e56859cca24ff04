"""What all calls of a client share: who it is, its connections, and how a text becomes a statement."""

from __future__ import annotations

import contextlib
import math
import re
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from kalam_notebook.callers import short_failures
from kalam_notebook.errors import ConfigError, KalamError, PermissionDeniedError, QueryError
from kalam_notebook.http import session
from kalam_notebook.http.client import HttpTransport
from kalam_notebook.http.downloads import Downloads
from kalam_notebook.http.endpoint import SqlEndpoint
from kalam_notebook.reading.reader import Reader
from kalam_notebook.reading.window import WindowCheck
from kalam_notebook.settings import MAX_RESULT_BYTES, Secret, Settings, Timeouts, resolve
from kalam_notebook.sql.guard import check_statements
from kalam_notebook.sql.hints import column_hint, rights_hint, statement_hint, table_hint
from kalam_notebook.sql.placeholders import bind
from kalam_notebook.sql.pointer import pointed
from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tables import qualify
from kalam_notebook.sql.tokens import UnreadableSQL
from kalam_notebook.texts import in_line
from kalam_notebook.wire.answered import texts_in
from kalam_notebook.wire.arguments import check_function, check_number, check_seconds, check_text
from kalam_notebook.wire.fileref import FileHost

if TYPE_CHECKING:
    from kalam_notebook.client.live_parts import LiveParts
    from kalam_notebook.live_queries.events.live_events import LiveEvents
    from kalam_notebook.live_queries.table import LiveTable

__all__ = ["ClientBase"]

#: More only makes a server that is down look like one that is slow.
_MOST_RETRIES = 1_000
_CHANGES_SCHEMA = re.compile(r"\b(CREATE|ALTER|DROP)\b", re.IGNORECASE)


@short_failures
class ClientBase:
    """One connection to one server, as one user; the calls are in the classes that build on it."""

    def __init__(
        self,
        url: str | None = None,
        *,
        user: str | None = None,
        password: str | Secret | None = None,
        token: str | Secret | None = None,
        token_provider: Callable[[], str] | None = None,
        profile: str | None = None,
        namespace: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        timeouts: Timeouts | None = None,
        max_result_bytes: int | None = MAX_RESULT_BYTES,
        compression: bool = True,
        on_receive: Callable[[str], None] | None = None,
        on_send: Callable[[str], None] | None = None,
        on_connect: Callable[[], object] | None = None,
        on_disconnect: Callable[[str], object] | None = None,
        on_error: Callable[[KalamError], object] | None = None,
    ) -> None:
        secret, given = (None if value is None else Secret.of(value) for value in (password, token))
        password = token = None  # A verbose traceback shows the locals of this frame.

        for name, text in (("url", url), ("user", user), ("profile", profile), ("namespace", namespace)):
            if text is not None:
                check_text(name, text)
        handlers: dict[str, Any] = {
            "on_receive": on_receive,
            "on_send": on_send,
            "on_connect": on_connect,
            "on_disconnect": on_disconnect,
            "on_error": on_error,
        }
        for name, call in (("token_provider", token_provider), *handlers.items()):
            check_function(name, call)

        check_seconds("timeout", timeout)
        check_number("max_retries", max_retries, least=0, most=_MOST_RETRIES)
        if max_result_bytes is not None:
            check_number("max_result_bytes", max_result_bytes)
        if timeouts is not None and not isinstance(timeouts, Timeouts):
            raise ConfigError(f"timeouts is kalam.Timeouts(...), not {type(timeouts).__name__}.")

        settings = resolve(url, user=user, password=secret, token=given, token_provider=token_provider, profile=profile)
        self._settings: Settings = settings

        self._timeouts = timeouts or Timeouts(receive=timeout, auth=min(timeout or math.inf, Timeouts().auth))
        self._max_retries = max_retries
        self._http = HttpTransport(settings.url, timeouts=self._timeouts, max_retries=max_retries)
        self._session = session.Session(self._http, settings.credentials, auth_timeout=self._timeouts.auth)
        self._endpoint = SqlEndpoint(self._http, self._session, max_bytes=max_result_bytes)
        self._downloads = Downloads(self._http, self._endpoint)
        self._file_host = FileHost(self._downloads)
        self._window = WindowCheck()
        self._reader = Reader(self._endpoint, self._window, role=lambda: self._session.role, epoch=self._http.epoch)
        self._namespace = namespace
        #: Statements so far after which the server may have other tables or columns.
        self._schema_changes = 0
        #: Its name, where it has to be told from other connections; whoever gave the names knows.
        self._name_beside_others: Callable[[], str | None] = lambda: None

        self._lock = threading.Lock()
        self._closed = False
        # What live queries share: opened by the first of them, and what is being closed.
        self._live: LiveParts | None = None
        self._live_tables: weakref.WeakSet[LiveTable] = weakref.WeakSet()
        self._event_streams: weakref.WeakSet[LiveEvents] = weakref.WeakSet()
        self._ending: list[LiveParts] = []
        self._compression = compression
        self._handlers = handlers

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._settings.url

    @property
    def user(self) -> str | None:
        """The user id, when the client knows it."""
        return self._session.user

    @property
    def namespace(self) -> str | None:
        """The namespace of table names that have none; None when it is the server's, ``default``."""
        return self._namespace

    def __repr__(self) -> str:
        if "_closed" not in vars(self):  # It could not be made, and a verbose traceback shows it all the same.
            return "<KalamDB, not made>"
        who = f" as {in_line(self.user)}" if self.user else ""
        return f"<KalamDB {self.url}{who}{', closed' if self._closed else ''}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End live queries and close the connections; may be called twice, and while other threads use them."""
        with self._lock:
            self._closed = True  # What other threads are about to open is not opened any more.
        try:
            self.disconnect()
        finally:
            self._reader.close()
            self._http.close()

    def disconnect(self) -> None:
        """End all live queries and close the WebSocket; the next live query opens it again."""
        for table in list(self._live_tables):
            table.close()
        with self._lock:
            # Not in a variable: after an interrupt it is closed by the next call.
            if self._live is not None:
                self._ending.append(self._live)
                self._live = None
        for parts in list(self._ending):
            parts.close()
            with contextlib.suppress(ValueError):  # Another thread was at it.
                self._ending.remove(parts)

    def check_login(self) -> None:
        """Log in now, so that a wrong password or an unreachable server shows here and not at the first query.

        Raises:
            AuthError: The server refuses the login.
            ConnectError: The server cannot be reached.
            KalamError: Something else than a KalamDB server answers.
        """
        self._endpoint.check()

    # Statements.

    @contextmanager
    def _hinting(self, sql: str) -> Iterator[None]:
        """Errors of statements get a hint where a table or column does not exist."""
        self._check_open()
        try:
            yield
        except (QueryError, PermissionDeniedError) as exc:
            exc.pointer = pointed(sql, exc.message)
            if not exc.hint:
                exc.hint = statement_hint(sql, exc.message) or column_hint(exc.message)
            if not exc.hint:
                is_refused = isinstance(exc, PermissionDeniedError)
                exc.hint = rights_hint(sql, exc.message) if is_refused else table_hint(sql, self._known_tables())
            raise

    @contextmanager
    def _running(self, sql: Statement) -> Iterator[None]:
        """As ``_hinting``; and what was found out about tables holds no longer when something may have been written."""
        try:
            with self._hinting(sql):
                yield
        finally:
            if not sql.is_repeatable:
                self._reader.forget()
                self._schema_changes += _CHANGES_SCHEMA.search(sql) is not None

    def _known_tables(self) -> set[tuple[str, str]]:
        sql = "SELECT array_agg(table_schema) AS s, array_agg(table_name) AS t FROM information_schema.tables"
        try:
            namespaces, tables = texts_in(self._endpoint.execute_row(sql), 2)
        except KalamError:
            return set()
        return set(zip(namespaces, tables, strict=True))

    def _bound(
        self, sql: str, params: Sequence[Any] | None, namespace: str | None, *, allow_unsafe: bool
    ) -> tuple[Statement, list[Any]]:
        """The SQL with a namespace on every table name, if one is given, and the values that are sent with it."""
        check_text("The statement", sql)
        text, values = bind(sql, params)
        name = namespace or self._namespace
        if name is not None:
            try:
                text = qualify(text, name)
            except UnreadableSQL as exc:
                raise ConfigError(f"The namespace cannot be put into this SQL: {exc} Write namespace.table.") from None
        if not allow_unsafe:
            check_statements(text)
        return text, values

    @contextmanager
    def _apart(self) -> Iterator[tuple[HttpTransport, SqlEndpoint]]:
        """Connections for one call alone, so that an interrupt may end all that it does at once."""
        self._check_open()
        http = HttpTransport(self.url, timeouts=self._timeouts, max_retries=self._max_retries)
        try:
            yield http, SqlEndpoint(http, self._session)
        finally:
            http.close()

    def _check_open(self) -> None:
        self._http.check_usable()
