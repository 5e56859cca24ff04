"""``Client``: one connection to one server, as one user. Thin: it turns arguments into requests of the layers below."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from kalam_notebook.callers import short_interrupts, warn_caller
from kalam_notebook.client import diagnostics
from kalam_notebook.client.diagnostics import ClusterHealth, Health, SetupStatus
from kalam_notebook.errors import ConfigError, KalamError, PermissionDeniedError, QueryError, ResultError
from kalam_notebook.http import files, session
from kalam_notebook.http.client import HttpTransport, Request
from kalam_notebook.http.endpoint import Answer, SqlEndpoint
from kalam_notebook.http.files import FileSource
from kalam_notebook.live_queries.events.messages import OnFull
from kalam_notebook.reading.reader import Reader
from kalam_notebook.reading.window import WindowCheck
from kalam_notebook.results.batches import QueryBatches
from kalam_notebook.results.progress import Meter, find_surface, reporting
from kalam_notebook.results.results import Completeness, IncompleteResultWarning, QueryResponse, QueryResult
from kalam_notebook.settings import MAX_RESULT_BYTES, Secret, Settings, Timeouts, resolve
from kalam_notebook.sql.guard import check_statements
from kalam_notebook.sql.hints import column_hint, table_hint
from kalam_notebook.sql.params import write_parameters_in
from kalam_notebook.sql.placeholders import bind
from kalam_notebook.sql.statement import Statement, quote_name
from kalam_notebook.sql.tables import qualify
from kalam_notebook.sql.tokens import UnreadableSQL
from kalam_notebook.texts import in_line
from kalam_notebook.wire.answered import json_object, texts_in
from kalam_notebook.wire.arguments import check_function, check_number, check_seconds, check_text
from kalam_notebook.wire.auth import Login, UserInfo, parse_user
from kalam_notebook.wire.fileref import FileRef, check_file_ref
from kalam_notebook.wire.live import MAX_BATCH_SIZE
from kalam_notebook.wire.topics import Start, check_topic
from kalam_notebook.wire.types import unknown_types
from kalam_notebook.writing.report import WriteReport
from kalam_notebook.writing.target import table_parts
from kalam_notebook.writing.writer import Kind, Mode, Nan, Progress, Writer

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from kalam_notebook.live_queries.connection.socket import LiveSocket
    from kalam_notebook.live_queries.events.live_events import LiveEvents
    from kalam_notebook.live_queries.following.plan import TablePlan
    from kalam_notebook.live_queries.following.pool import Pool
    from kalam_notebook.live_queries.following.together import Together
    from kalam_notebook.live_queries.rows.fingerprint import Delta, DeltaQuestion
    from kalam_notebook.live_queries.source import ClientSource
    from kalam_notebook.live_queries.table import LiveTable
    from kalam_notebook.topics.consumer import Consumer
    from kalam_notebook.wire.types import Column

__all__ = ["DEFAULT_BATCH_ROWS", "DEFAULT_MAX_ROWS", "Client", "Engine"]

#: A million rows of ten columns are some hundred megabytes: enough for most, and not the end of a notebook.
DEFAULT_MAX_ROWS = 1_000_000

#: Some megabytes of ten columns: large enough that requests do not count, small enough for any memory.
DEFAULT_BATCH_ROWS = 50_000

#: More only makes a server that is down look like one that is slow.
_MOST_RETRIES = 1_000

Engine = Literal["server", "local"]


@short_interrupts
class Client:
    """A connection to a KalamDB server. Nothing is sent before the first call that needs the server.

    Args:
        url: ``http(s)://host:port``; None looks in ``KALAMDB_SERVER_URL`` and in the logins saved by the KalamDB CLI.
        user: User id. Its password is taken from ``password``, for root from ``KALAMDB_ROOT_PASSWORD``, else asked for.
        password: Password of ``user``.
        token: An access token instead of user and password.
        token_provider: A function that returns an access token whenever one is needed.
        profile: Name of a login saved by the KalamDB CLI.
        namespace: Namespace of table names that have none; the client writes it into the SQL.
        timeout: Seconds of silence after which a request is given up.
        max_retries: Repeats of requests that change nothing, and of those the server refused unexecuted.
        timeouts: Every phase on its own; replaces ``timeout``.
        max_result_bytes: Bytes of one answer that are read into memory at most, 2 GB by default; None for any number.
        compression: Whether the server may compress live frames.
        on_receive: Called with every WebSocket frame received, as text without secrets.
        on_send: Called with every WebSocket frame sent, as text without secrets.

    Raises:
        ConfigError: No server is named, or the arguments contradict each other.
    """

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
    ) -> None:
        secret, given = (None if value is None else Secret.of(value) for value in (password, token))
        password = token = None  # A verbose traceback shows the locals of this frame.
        for name, text in (("url", url), ("user", user), ("profile", profile), ("namespace", namespace)):
            if text is not None:
                check_text(name, text)
        for name, call in (("token_provider", token_provider), ("on_receive", on_receive), ("on_send", on_send)):
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
        self._http = HttpTransport(settings.url, timeouts=self._timeouts, max_retries=max_retries)
        self._session = session.Session(self._http, settings.credentials, auth_timeout=self._timeouts.auth)
        self._endpoint = SqlEndpoint(self._http, self._session, max_bytes=max_result_bytes)
        self._window = WindowCheck()
        self._reader = Reader(self._endpoint, self._window)
        self._writer = Writer(self._endpoint)
        self._namespace = namespace
        self._compression = compression
        self._on_receive, self._on_send = on_receive, on_send
        self._lock = threading.Lock()
        self._socket: LiveSocket | None = None
        self._live_tables: weakref.WeakSet[LiveTable] = weakref.WeakSet()
        self._pool: Pool | None = None
        self._ending: list[LiveSocket | Pool] = []
        self._closed = False

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._settings.url

    @property
    def user(self) -> str | None:
        """The user id, when the client knows it."""
        return self._session.user

    def __repr__(self) -> str:
        if "_closed" not in vars(self):  # It could not be made, and a verbose traceback shows it all the same.
            return "<KalamDB, not made>"
        who = f" as {in_line(self.user)}" if self.user else ""
        return f"<KalamDB {self.url}{who}{', closed' if self._closed else ''}>"

    def __enter__(self) -> Client:
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

    def check_login(self) -> None:
        """Log in now, so that a wrong password or an unreachable server shows here and not at the first query.

        Raises:
            AuthError: The server refuses the login.
            ConnectError: The server cannot be reached.
            KalamError: Something else than a KalamDB server answers.
        """
        self._endpoint.check()

    # SQL ------------------------------------------------------------------------------------------------------------

    def execute_query(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        allow_unsafe: bool = False,
    ) -> QueryResponse:
        """Run statements and return the server's answer as it sent it: with its caps, its order and its types.

        Args:
            sql: One or more statements, separated by semicolons.
            params: Values for ``$1``, ``$2`` …; a list as the only item of IN, ``IN ($1)``, stands for its items.
                With a single statement only.
            namespace: Namespace of table names that have none; None for the client's.
            allow_unsafe: Send also statements that the server carries out otherwise than they are written: a sub-query
                in the WHERE of UPDATE or DELETE, ``DELETE … LIMIT``, EXPLAIN of a change.

        Returns:
            One ``QueryResult`` per result.

        Raises:
            UnsafeStatementError: Such a statement, and not ``allow_unsafe``; nothing was sent.
            QueryError: The server refuses a statement, or it failed; earlier statements may have taken effect.
            ParameterError: A placeholder has no value or a value no placeholder, or it cannot be sent exactly.
            KalamError: Other errors of the server, the login and the connection.
        """
        qualified, values = self._bound(sql, params, namespace)
        if not allow_unsafe:
            check_statements(qualified)
        with self._hinting(qualified), self._forgetting(qualified):
            answer = self._endpoint.execute(qualified, values)
        return _response(answer, self._caps(answer))

    def query(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        max_rows: int | None = DEFAULT_MAX_ROWS,
        engine: Engine = "server",
        strict: bool = False,
        progress: bool = True,
        allow_unsafe: bool = False,
    ) -> pd.DataFrame:
        """Run one query and return all its rows as a DataFrame.

        The plain answer is checked for what the server does silently (cutting, re-sorting, wrong types, reading only a
        part of a large table); where it is suspicious the query is read again exactly. ``df.attrs["completeness"]``
        says what was done.

        Args:
            sql: One statement that returns rows.
            params: Values for ``$1 …``; see ``execute_query``.
            namespace: Namespace of table names that have none; None for the client's.
            max_rows: Rows after which reading stops, with a visible notice: a million, or None for all.
            engine: ``server``, or ``local`` to copy the tables exactly and run the query in this process.
            strict: Raise when it cannot be made sure that the result is complete, instead of warning.
            progress: Whether a reading that takes longer than half a second shows how far it is, in a notebook or a
                terminal.
            allow_unsafe: Send also what the server carries out otherwise than it is written, as EXPLAIN of a change.

        Returns:
            A frame with a default index and lossless types: nullable integers and booleans, Arrow-backed decimals,
            dates and times, ``datetime64`` timestamps in UTC, FILE cells as ``FileRef``.

        Warns:
            IncompleteResultWarning: It could not be made sure that the rows are complete.

        Raises:
            KalamError: As ``execute_query``.
            ResultError: The statement returns no rows, or ``strict`` and the result may not be complete.
        """
        result = self.query_result(
            sql,
            params,
            namespace=namespace,
            max_rows=max_rows,
            engine=engine,
            strict=strict,
            progress=progress,
            allow_unsafe=allow_unsafe,
        )
        frame = result.df()
        frame.attrs["completeness"] = str(result.completeness)
        return frame

    def query_arrow(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        max_rows: int | None = DEFAULT_MAX_ROWS,
        engine: Engine = "server",
        strict: bool = False,
        progress: bool = True,
        allow_unsafe: bool = False,
    ) -> pa.Table:
        """Run one query and return all its rows as an Arrow table; otherwise as ``query``."""
        return self.query_result(
            sql,
            params,
            namespace=namespace,
            max_rows=max_rows,
            engine=engine,
            strict=strict,
            progress=progress,
            allow_unsafe=allow_unsafe,
        ).arrow()

    def query_polars(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        max_rows: int | None = DEFAULT_MAX_ROWS,
        engine: Engine = "server",
        strict: bool = False,
        progress: bool = True,
        allow_unsafe: bool = False,
    ) -> pl.DataFrame:
        """Run one query and return all its rows as a polars frame; otherwise as ``query``.

        Raises:
            MissingDependencyError: polars is not installed.
        """
        return self.query_result(
            sql,
            params,
            namespace=namespace,
            max_rows=max_rows,
            engine=engine,
            strict=strict,
            progress=progress,
            allow_unsafe=allow_unsafe,
        ).polars()

    def query_result(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        max_rows: int | None = DEFAULT_MAX_ROWS,
        engine: Engine = "server",
        strict: bool = False,
        progress: bool = True,
        allow_unsafe: bool = False,
    ) -> QueryResult:
        """Run one query and return all its rows with what is known of their completeness; otherwise as ``query``."""
        _check_reading(max_rows, engine)
        qualified, values = self._bound(sql, params, namespace)
        if not allow_unsafe:
            check_statements(qualified)
        read = self._reader.read_locally if engine == "local" else self._reader.read
        meter, surface = Meter(time.monotonic()), find_surface() if progress else None
        with self._hinting(qualified), self._forgetting(qualified), reporting(meter, surface):
            result = read(qualified, values, max_rows=max_rows, meter=meter)
        assert result.completeness is not None
        _tell(result.completeness, strict=strict)
        return result

    def query_batches(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        batch_rows: int = DEFAULT_BATCH_ROWS,
        max_rows: int | None = None,
        strict: bool = False,
        allow_unsafe: bool = False,
    ) -> QueryBatches:
        """Run one query and return its rows in record batches, read as they are taken.

        ``SELECT columns FROM table [WHERE …]`` over a table of any size needs the memory of one batch, and of the keys
        of all rows; its rows come in the order in which they were last written. Any other query is read whole on the
        server at once, and handed out in batches.

        Args:
            sql: As for ``query``.
            params: Values for ``$1 …``; see ``execute_query``.
            namespace: Namespace of table names that have none; None for the client's.
            batch_rows: Rows of a batch, at most: 50,000.
            max_rows: Rows after which reading stops, with a visible notice; None for all.
            strict: Raise in the end when it cannot be made sure that the batches were complete, instead of warning.
            allow_unsafe: As for ``query``.

        Returns:
            ``QueryBatches`` for ``for``, ``async for`` and ``next``; ``completeness`` tells in the end what was done.
            The first request is sent with the first batch.

        Warns:
            IncompleteResultWarning: At the end, as for ``query``.

        Raises:
            KalamError: As ``query``, also while batches are taken.
        """
        _check_reading(max_rows, "server")
        check_number("batch_rows", batch_rows)
        qualified, values = self._bound(sql, params, namespace)
        if not allow_unsafe:
            check_statements(qualified)

        def read() -> Generator[pa.RecordBatch, None, Completeness]:
            with self._hinting(qualified), self._forgetting(qualified):
                batches = self._reader.read_batches(qualified, values, batch_rows=batch_rows, max_rows=max_rows)
                return (yield from batches)

        return QueryBatches(
            read(),
            on_end=lambda completeness: _tell(completeness, strict=strict),
            find_schema=lambda: self._reader.read(qualified, values, max_rows=0).arrow().schema,
        )

    def execute_with_files(
        self,
        sql: str,
        files: Mapping[str, FileSource],
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        allow_unsafe: bool = False,
    ) -> QueryResponse:
        """Run one INSERT or UPDATE with uploads.

        Args:
            sql: One statement with a placeholder ``FILE("name")`` for each file.
            files: For each placeholder name a path, bytes, an open binary file, or ``(file name, bytes or path)``.
            params: Values for ``$1 …``; see ``execute_query``.
            namespace: Namespace of table names that have none; None for the client's.
            allow_unsafe: Send also statements that the server carries out otherwise than they are written.

        Returns:
            The server's answer, with the number of rows.

        Raises:
            ParameterError: Placeholders do not match the files, have no value, or one that cannot be sent exactly.
            FileRejectedError: A file is too large, or there are too many.
            KalamError: As ``execute_query``.
        """
        qualified, values = self._bound(sql, params, namespace)
        if not allow_unsafe:
            check_statements(qualified)
        with self._hinting(qualified), self._forgetting(qualified):
            answer = _upload(self._endpoint, qualified, files, values)
        return _response(answer, self._caps(answer))

    def write(
        self,
        frame: object,
        table: str,
        *,
        mode: Mode = "insert",
        key: str | None = None,
        create: bool = False,
        kind: Kind = "SHARED",
        ttl_seconds: int | None = None,
        atomic: bool = False,
        nan: Nan = "refuse",
        chunk_rows: int | None = None,
        count: bool = False,
        on_progress: Progress | None = None,
    ) -> WriteReport:
        """Write the rows of a frame into a table. What the server would damage is refused before anything is sent.

        Args:
            frame: A pandas or polars DataFrame, an Arrow table, or anything with ``__arrow_c_stream__``. Columns are
                matched by name; all of the table's must be there, but for those that have a default. An update or
                delete needs the key alone.
            table: ``namespace.table``.
            mode: ``insert`` new rows; ``update`` rows by their key; ``upsert``: update those that exist and insert the
                rest; ``delete`` rows by their key.
            key: The primary key; needed when the table is created.
            create: Whether to create the table if there is none.
            kind: Of a table that is created.
            ttl_seconds: For how long a STREAM table that is created keeps its rows.
            atomic: Whether all rows are written or none; they must fit into one request then (1 MiB of SQL), and cost
                the server twice as much. Otherwise each statement of an insert, and each request of the other modes,
                is all or nothing.
            nan: ``refuse`` NaN in floating-point columns, or store ``null``.
            chunk_rows: Rows of a statement; None to find out while writing with how many the server is fastest.
            count: Whether to count the table's rows before and after, and tell where the counts do not fit; each count
                is a scan of the whole table.
            on_progress: Called with the rows done and the rows of the frame after each request.

        Returns:
            What was done.

        Raises:
            FrameError: The frame cannot be written as it is; nothing was sent.
            WriteError: A request failed; says what was written and how to go on.
            KalamError: The table does not exist, or the server cannot be reached.
        """
        self._check_open()
        with self._forgetting():
            return self._writer.write(
                frame,
                table,
                mode=mode,
                key=key,
                create=create,
                kind=kind,
                ttl_seconds=ttl_seconds,
                atomic=atomic,
                nan=nan,
                chunk_rows=chunk_rows,
                count=count,
                on_progress=on_progress,
            )

    # Files ----------------------------------------------------------------------------------------------------------

    def download_file(
        self,
        ref: FileRef,
        namespace: str,
        table: str,
        *,
        to: str | os.PathLike[str] = ".",
        target_user_id: str | None = None,
    ) -> Path:
        """Download the file of a FILE cell.

        Args:
            ref: The cell's value.
            namespace: Namespace of its table.
            table: The table.
            to: A folder (existing, or written with a slash at the end), where a name that another file has gets a
                number, else the file to write, which is replaced.
            target_user_id: Whose file it is, for tables of the kind USER; None for one's own.

        Returns:
            The file that was written, whole and checked.

        Raises:
            ParameterError: The cell is NULL, or no FileRef.
            NotFoundError: The server has no such file.
            DownloadError: Size or SHA-256 differ, the disk does not take it, or ``to`` is no ordinary file (a device);
                nothing is left then.
            KalamError: As ``execute_query``.
        """
        self._check_open()
        path = check_file_ref(ref).path(namespace, table)
        return files.download(self._http, self._endpoint, ref, path, to=to, user_id=target_user_id)

    def download_bound_file(
        self, ref: FileRef, *, to: str | os.PathLike[str] = ".", target_user_id: str | None = None
    ) -> Path:
        """Download the file of a FILE cell that knows its table, as cells of ``query`` over one table do.

        Args:
            ref: A cell of a FILE column.
            to: A folder or a file name; see ``download_file``.
            target_user_id: Whose file it is, for tables of users; None for one's own.

        Returns:
            Where the file is.

        Raises:
            ConfigError: The reference is not bound to a table.
            KalamError: As ``download_file``.
        """
        self._check_open()
        path = check_file_ref(ref).path()
        return files.download(self._http, self._endpoint, ref, path, to=to, user_id=target_user_id)

    def download(self, ref: FileRef, *, to: str | os.PathLike[str] = ".") -> Path:
        """Download one's own file of a FILE cell; the short form of ``download_bound_file``.

        Args:
            ref: A cell of a FILE column, as ``query`` over one table gives it.
            to: A folder or a file name; see ``download_file``.

        Returns:
            Where the file is.

        Raises:
            KalamError: As ``download_bound_file``.
        """
        return self.download_bound_file(ref, to=to)

    # Login and diagnostics ------------------------------------------------------------------------------------------

    def login(self, user: str, password: str | Secret) -> Login:
        """Exchange a user and password for tokens, without changing who this client is.

        Args:
            user: User id.
            password: Its password.

        Returns:
            An access token, a refresh token, and until when they are good.

        Raises:
            AuthError: The server refuses.
        """
        secret, password = Secret.of(password), ""
        return session.login(self._http, user, secret, timeout=self._timeouts.auth)

    def refresh_access_token(self, refresh_token: str | Secret) -> Login:
        """Exchange a refresh token for new tokens, without changing who this client is.

        Args:
            refresh_token: As ``login`` returned it; it stays good until it ends.

        Returns:
            New tokens.

        Raises:
            AuthError: The server refuses.
        """
        secret, refresh_token = Secret.of(refresh_token), ""
        return session.refresh(self._http, secret, timeout=self._timeouts.auth)

    def health_check(self) -> Health:
        """Ask whether the server is up.

        Returns:
            Its state; version and build for clients on its own machine only.
        """
        try:
            return diagnostics.parse_health(self._get("/v1/api/healthcheck"))
        except PermissionDeniedError:
            return Health("up")

    def cluster_health_check(self) -> ClusterHealth:
        """Ask for the state of the cluster; works on the server's own machine only.

        Returns:
            Its nodes, and which of them leads.

        Raises:
            PermissionDeniedError: The client is on another machine.
        """
        return diagnostics.parse_cluster(self._get("/v1/api/cluster/health"))

    def check_setup_status(self) -> SetupStatus:
        """Ask whether the server waits for its first set-up.

        Returns:
            Whether it does, and what it says.

        Raises:
            PermissionDeniedError: The client is on another machine.
        """
        return diagnostics.parse_setup(self._get("/v1/api/auth/status"))

    def server_setup(
        self, user: str, password: str | Secret, root_password: str | Secret, *, email: str | None = None
    ) -> UserInfo:
        """Set root's password on a new server and create its first administrator. Log in afterwards.

        Args:
            user: User id of the administrator, who gets the role dba.
            password: The administrator's password, 8 to 72 bytes.
            root_password: The password of root, 8 to 72 bytes.
            email: The administrator's mail address.

        Returns:
            The administrator.

        Raises:
            ServerError: Already configured, a weak password, or a bad user id.
        """
        own, root = Secret.of(password), Secret.of(root_password)
        password = root_password = ""
        request = Request(
            "POST",
            "/v1/api/auth/setup",
            orjson.dumps(
                {
                    "user": check_text("user", user),
                    "password": check_text("password", own.reveal()),
                    "root_password": check_text("root_password", root.reveal()),
                    "email": None if email is None else check_text("email", email),
                }
            ),
            {"Content-Type": "application/json"},
            secrets=(own, root),
        )
        return parse_user(json_object(self._http.send(request).content).get("user"))

    # Live -----------------------------------------------------------------------------------------------------------

    def live(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        key: str | Sequence[str] | None = None,
        max_rows: int | None = None,
    ) -> LiveTable:
        """Start a live query: a table that stays equal to the server's result, and proves it.

        Args:
            sql: Any SELECT. A filter over one table is followed row by row, anything else is run again when one of its
                tables has changed.
            params: Values for ``$1 …``, as for ``execute_query``; they go as literals, because the server
                takes none here.
            namespace: Namespace of table names that have none; None for the client's.
            key: The columns that tell the rows of a result apart, where it is run again; None for those of GROUP BY,
                else the primary keys.
            max_rows: Rows of one table that are kept, those with the newest changes; None for all.

        Returns:
            A ``LiveTable``; close it when it is no longer needed.

        Raises:
            SubscriptionError: The query cannot be followed, or the server refuses it.
            KalamError: As ``execute_query``.
        """
        from kalam_notebook.live_queries.opening import open_table

        self._check_open()
        named = self._live_sql(sql, params, namespace)
        with self._hinting(named):
            table = open_table(
                named,
                source=self._live_source(),
                socket=self._live_socket(),
                pool=self._live_pool(),
                key=key,
                max_rows=max_rows,
                given=sql,
            )
        self._live_tables.add(table)
        return table

    def live_events(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        batch_size: int | None = MAX_BATCH_SIZE,
        last_rows: int | None = None,
        from_seq: int | None = None,
        max_queue: int = 10_000,
        on_full: OnFull = "error",
    ) -> LiveEvents:
        """Start a live query and return the server's events as they come: first the rows, then the changes.

        Unlike ``live`` this is what the server sends, which may not be all. What is known to be missing comes as a
        ``LiveError`` among the events, with what to do.

        Args:
            sql: ``SELECT columns FROM namespace.table [WHERE …]``.
            params: Values for ``$1 …``, as for ``execute_query``; they go as literals, because the server
                takes none here.
            namespace: Namespace of a table name that has none; None for the client's.
            batch_size: Rows of one ``InitialBatch``, 999 at most and by default; None for changes only.
            last_rows: Only so many rows at first, up to ``batch_size``. The server sends the wrong ones when there are
                more.
            from_seq: Only rows written after this ``_seq``, for example ``last_seq`` of former events.
            max_queue: Events that may wait to be taken, 10,000 unless told otherwise.
            on_full: When more come, ``error`` ends the stream with ``SlowConsumerError`` after those that wait, and
                ``block`` reads nothing more until there is room, and tells that.

        Returns:
            ``LiveEvents`` for ``for``, ``async for`` and ``next``, with values of ``kalam_notebook.events``; close it
            when it is no longer needed.

        Raises:
            ConfigError: An option is one with which the server would silently do something else.
            SubscriptionError: The server refuses the query.
            KalamError: As ``execute_query``.
        """
        from kalam_notebook.live_queries.events.live_events import LiveEvents

        self._check_open()
        return LiveEvents(
            self._live_sql(sql, params, namespace),
            source=self._live_source(),
            socket=self._live_socket(),
            batch_size=batch_size,
            last_rows=last_rows,
            from_seq=from_seq,
            max_queue=max_queue,
            on_full=on_full,
        )

    def consumer(
        self,
        topic: str,
        *,
        group_id: str,
        start: Start = "latest",
        partitions: int | None = None,
        max_poll_records: int = 100,
    ) -> Consumer:
        """Consume a topic as a member of a group: each message once, and acknowledged only by ``commit_sync``.

        Args:
            topic: ``namespace.topic``, case-sensitive; without a namespace in the client's.
            group_id: The group, which shares the messages among its consumers and remembers what was acknowledged.
            start: Where a group begins that has not acknowledged anything: ``earliest``, ``latest`` or an offset.
            partitions: How many partitions the topic has; None asks the server, which tells the roles dba and system.
            max_poll_records: Messages of one partition that are asked for at a time.

        Returns:
            A ``Consumer`` for ``poll``, ``for`` and ``async for``.

        Raises:
            ConfigError: An argument is not one.
            TopicError: The number of partitions cannot be found out, or the group stands behind the end of the topic.
            NotFoundError: There is no such topic.
            PermissionDeniedError: The user has not the role service, dba or system.
            KalamError: As ``execute_query``.
        """
        from kalam_notebook.topics.consumer import Consumer
        from kalam_notebook.topics.endpoint import TopicEndpoint

        self._check_open()
        topic_id = check_topic(topic, self._namespace)
        if not check_text("group_id", group_id):
            raise ConfigError(f"group_id is {group_id!r}. Name the group of consumers: group_id='workers'.")
        return Consumer(
            TopicEndpoint(self._http, self._endpoint, topic_id, group_id),
            start=start,
            partitions=partitions,
            max_poll_records=max_poll_records,
            columns_of=self._columns_of,
        )

    def connect(self) -> None:
        """Open the WebSocket now, instead of at the first live query.

        Raises:
            KalamError: The server refuses the login, or cannot be reached.
        """
        self._check_open()
        self._live_socket().connect()

    def disconnect(self) -> None:
        """End all live queries and close the WebSocket; the next live query opens it again."""
        for table in list(self._live_tables):
            table.close()
        with self._lock:
            # Not in variables: after an interrupt they are closed by the next call.
            self._ending.extend(one for one in (self._socket, self._pool) if one is not None)
            self._socket = self._pool = None
        for one in list(self._ending):
            one.close()
            with contextlib.suppress(ValueError):  # Another thread was at it.
                self._ending.remove(one)

    def _live_sql(self, sql: str, params: Sequence[Any] | None, namespace: str | None) -> Statement:
        text, values = self._bound(sql, params, namespace)
        try:
            return write_parameters_in(text, values)
        except UnreadableSQL as exc:
            raise ConfigError(f"The values cannot be put into this SQL: {exc}") from exc

    @cached_property
    def _deltas(self) -> Together[tuple[TablePlan, DeltaQuestion], Delta | None]:
        """Asks for all live tables."""
        from kalam_notebook.live_queries.following.delta import read_deltas
        from kalam_notebook.live_queries.following.together import Together

        return Together(partial(read_deltas, self._endpoint))

    def _live_source(self) -> ClientSource:
        from kalam_notebook.live_queries.source import ClientSource

        return ClientSource(
            self.url,
            session=self._session,
            endpoint=self._endpoint,
            reader=self._reader,
            window=self._window,
            deltas=self._deltas,
        )

    def _columns_of(self, table: str) -> tuple[Column, ...]:
        return self._live_source().columns(".".join(map(quote_name, table_parts(table))))

    def _live_pool(self) -> Pool:
        from kalam_notebook.live_queries.following.pool import Pool

        with self._lock:
            self._check_still_open()
            if self._pool is None:
                self._pool = Pool()
            return self._pool

    def _live_socket(self) -> LiveSocket:
        from kalam_notebook.live_queries.connection.socket import LiveSocket

        with self._lock:
            self._check_still_open()
            if self._socket is None:
                source = self._live_source()
                self._socket = LiveSocket(
                    url=source.websocket_url(),
                    token=source.access_token,
                    compression=self._compression,
                    timeouts=self._timeouts,
                    on_receive=self._on_receive,
                    on_send=self._on_send,
                )
            return self._socket

    # ----------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _hinting(self, sql: str) -> Iterator[None]:
        """Errors of statements get a hint where a table or column does not exist."""
        self._check_open()
        try:
            yield
        except QueryError as exc:
            if not exc.hint:
                exc.hint = column_hint(exc.message) or table_hint(sql, self._known_tables())
            raise

    @contextmanager
    def _forgetting(self, sql: str | None = None) -> Iterator[None]:
        """What was found out about tables holds no longer when something may have been written."""
        try:
            yield
        finally:
            if sql is None or not Statement.of(sql).is_repeatable:
                self._reader.forget()

    def _caps(self, answer: Answer) -> tuple[int, int]:
        """Where the server cuts results. It is not asked for the sake of a single row."""
        is_long = any(table is not None and table.num_rows > 1 for table in answer.tables)
        return self._reader.caps() if is_long else (0, 0)

    def _known_tables(self) -> set[tuple[str, str]]:
        sql = "SELECT array_agg(table_schema) AS s, array_agg(table_name) AS t FROM information_schema.tables"
        try:
            namespaces, tables = texts_in(self._endpoint.execute_row(sql), 2)
        except KalamError:
            return set()
        return set(zip(namespaces, tables, strict=True))

    def _get(self, path: str) -> dict[str, Any]:
        self._check_open()
        return json_object(self._http.send(Request("GET", path, repeatable=True)).content)

    def _bound(self, sql: str, params: Sequence[Any] | None, namespace: str | None) -> tuple[Statement, list[Any]]:
        """The SQL with a namespace on every table name, and the values that are sent with it."""
        check_text("The statement", sql)
        text, values = bind(sql, params)
        return self._named(text, namespace), values

    def _named(self, sql: Statement, namespace: str | None) -> Statement:
        """The SQL with a namespace on every table name, if one is given."""
        name = namespace or self._namespace
        if name is None:
            return sql
        try:
            return qualify(sql, name)
        except UnreadableSQL as exc:
            raise ConfigError(f"The namespace cannot be put into this SQL: {exc} Write namespace.table.") from exc

    def _check_open(self) -> None:
        self._http.check_usable()

    def _check_still_open(self) -> None:
        """See that nobody has begun to close it; under the lock."""
        if self._closed:
            raise ConfigError("This connection is closed. Open a new one: kalam.connect(...).")


def _tell(completeness: Completeness, *, strict: bool) -> None:
    """Warn when a result may not be complete, or raise."""
    if not completeness.is_complete:
        if strict:
            raise ResultError(f"The result may not be complete: {completeness}.")
        warn_caller(completeness.text, IncompleteResultWarning)


def _check_reading(max_rows: int | None, engine: str) -> None:
    if max_rows is not None:
        check_number("max_rows", max_rows, least=0)
    if engine not in ("server", "local"):
        raise ConfigError(f"engine is 'server' or 'local', not {engine!r}.")


def _response(answer: Answer, caps: tuple[int, int]) -> QueryResponse:
    results = tuple(
        QueryResult(
            raw.columns,
            raw.row_count,
            raw.message,
            raw.as_user,
            notices=unknown_types(raw.columns) + _cut_notice(raw.row_count, table, caps),
            _table=table,
        )
        for raw, table in zip(answer.results, answer.tables, strict=True)
    )
    return QueryResponse(results, answer.took_ms)


def _cut_notice(row_count: int, table: pa.Table | None, caps: tuple[int, int]) -> tuple[str, ...]:
    """A result as long as a cap is never shown as complete."""
    if table is None or row_count < 2 or row_count not in caps:
        return ()
    return (f"{row_count} rows are exactly as many as the server cuts results at: there may be more. Use query().",)


def _upload(endpoint: SqlEndpoint, sql: str, sources: Mapping[str, FileSource], params: Sequence[Any]) -> Answer:
    try:
        return files.upload(endpoint, sql, sources, params)
    except UnreadableSQL as exc:
        raise ConfigError(f"The statement cannot be read: {exc}") from exc
