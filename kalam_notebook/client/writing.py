"""The calls that write: frames, and files into FILE cells and out of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from kalam_notebook.callers import short_failures, told_when_interrupted
from kalam_notebook.client.reading import ReadingCalls
from kalam_notebook.errors import ConfigError, QueryError
from kalam_notebook.files.downloading import download_many
from kalam_notebook.files.uploading import file_column, items_of, upload_many
from kalam_notebook.http import uploads
from kalam_notebook.http.uploads import FileSource
from kalam_notebook.results.progress import (
    DOWNLOADING,
    FETCHING,
    SENDING,
    UPLOADING,
    WRITING,
    metered,
)
from kalam_notebook.results.results import QueryResponse
from kalam_notebook.sql.hints import table_hint
from kalam_notebook.sql.tokens import UnreadableSQL
from kalam_notebook.wire.arguments import check_function, check_number
from kalam_notebook.wire.fileref import FileRef, check_file_ref, is_no_file
from kalam_notebook.writing.report import WriteReport
from kalam_notebook.writing.target import read_target, table_parts
from kalam_notebook.writing.writer import Kind, Mode, Nan, Progress, Writer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PARALLEL_FILES", "WritingCalls"]

#: Files that are sent or fetched at a time. The server takes the SQL of an upload as any other; more gain little.
PARALLEL_FILES = 4
_MOST_PARALLEL = 32


@short_failures
class WritingCalls(ReadingCalls):
    """Frames and files."""

    def execute_with_files(
        self,
        sql: str,
        files: Mapping[str, FileSource],
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        allow_unsafe: bool = False,
        on_progress: Progress | None = None,
    ) -> QueryResponse:
        """Run one INSERT or UPDATE with uploads.

        Args:
            sql: One statement with a placeholder ``FILE("name")`` for each file.
            files: For each placeholder name a path, bytes, an open binary file, or ``(file name, bytes or path)``.
            params: Values for ``$1 …``; see ``execute_query``.
            namespace: Namespace of table names that have none; None for the client's.
            allow_unsafe: Send also statements that the server carries out otherwise than they are written.
            on_progress: Called with the bytes of the files that were sent so far, and how many they are, after each
                64 kB.

        Returns:
            The server's answer, with the number of rows.

        Raises:
            ParameterError: Placeholders do not match the files, have no value, or one that cannot be sent exactly.
            FileRejectedError: A file is too large, or there are too many.
            KalamError: As ``execute_query``.
        """
        check_function("on_progress", on_progress)
        qualified, values = self._bound(sql, params, namespace, allow_unsafe=allow_unsafe)
        with self._running(qualified), metered(SENDING):
            try:
                answer = uploads.upload(self._endpoint, qualified, files, values, on_sent=on_progress)
            except UnreadableSQL as exc:
                raise ConfigError(f"The statement cannot be read: {exc}") from None
        return self._response(answer)

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
        check_function("on_progress", on_progress)

        def note(done: int, total: int) -> None:
            meter.expect(total)
            meter.found(done)
            if on_progress is not None:
                on_progress(done, total)

        try:
            # Whoever is told shows it in a way of his own.
            with metered(WRITING, shows=on_progress is None) as meter:
                return Writer(self._endpoint).write(
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
                    on_progress=note,
                    on_sent=lambda nbytes: meter.received(nbytes, 0),
                )
        except QueryError as exc:
            is_missing = not exc.hint and not (exc.sql or "").startswith("CREATE TABLE")
            if is_missing and (hint := table_hint(f"SELECT * FROM {table}", self._known_tables())):
                exc.hint = f"{hint} create=True makes it."
            raise
        finally:
            self._reader.forget()
            self._schema_changes += bool(create)

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
        return self._fetched(ref, path, to=to, user_id=target_user_id)

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
        return self._fetched(ref, path, to=to, user_id=target_user_id)

    @overload
    def download(
        self, ref: FileRef, *, to: str | os.PathLike[str] = ".", parallel: int = PARALLEL_FILES, progress: bool = True
    ) -> Path: ...

    @overload
    def download(
        self,
        ref: Iterable[object],
        *,
        to: str | os.PathLike[str] = ".",
        parallel: int = PARALLEL_FILES,
        progress: bool = True,
    ) -> pd.DataFrame: ...

    def download(
        self,
        ref: FileRef | Iterable[object],
        *,
        to: str | os.PathLike[str] = ".",
        parallel: int = PARALLEL_FILES,
        progress: bool = True,
    ) -> Path | pd.DataFrame:
        """Download one's own file of a FILE cell, or the files of many.

        A file that is there already, with the same content, is not fetched again: after an interrupt the same call goes
        on with the others. A file of many that cannot be had does not keep the others from coming.

        Args:
            ref: A cell of a FILE column, as ``query`` over one table gives it, or a column of such; NULL is left out.
            to: For one cell a folder or a file name, see ``download_file``; for many a folder, which is made.
            parallel: Files that are fetched at a time.
            progress: Whether many that take longer than half a second show how far they are.

        Returns:
            For one cell where the file is. For many a frame with the labels of the column: ``name``, ``bytes``,
            ``result`` (``downloaded``, ``already there``, ``no file`` or ``failed``), ``path`` and ``error``.

        Warns:
            FilesWarning: Some of many could not be had.

        Raises:
            KalamError: As ``download_bound_file``; for many only what all of them would meet, the login or connection.
        """
        is_many = isinstance(ref, Iterable) and not isinstance(ref, (str, bytes, Mapping))
        if isinstance(ref, FileRef) or is_no_file(ref) or not is_many:
            return self.download_bound_file(check_file_ref(ref), to=to)

        check_number("parallel", parallel, most=_MOST_PARALLEL)
        with self._apart() as (http, endpoint), metered(DOWNLOADING, shows=progress) as meter:
            return download_many(http, endpoint, list(ref), to=to, parallel=parallel, index=_labels(ref), meter=meter)

    def upload(
        self,
        files: object,
        table: str,
        *,
        column: str | None = None,
        replace: bool = False,
        parallel: int = PARALLEL_FILES,
        progress: bool = True,
    ) -> pd.DataFrame:
        """Upload many files into the rows of a table; after it each row has its file.

        Rows that are not there are inserted. A row that has the same file already is left alone, so that after an
        interrupt the same call goes on with the others. A file that cannot be sent does not keep the others from going.

        Args:
            files: A folder; a list of paths, whose names become the keys; ``{key: file}``; or a frame with columns of
                the table, one of them with the files. A file is what ``execute_with_files`` takes.
            table: ``namespace.table``.
            column: The FILE column; None where the table has one.
            replace: Whether a row that has another file gets this one in its place.
            parallel: Files that are sent at a time.
            progress: Whether it shows how far it is when it takes longer than half a second.

        Returns:
            A frame with the labels of the given one: ``key``, ``name``, ``bytes``, ``result`` (``uploaded``, ``already
            there``, ``no file`` or ``failed``) and ``error``.

        Warns:
            FilesWarning: Some could not be sent.

        Raises:
            ConfigError: The table has no such column, or names of files cannot be its keys.
            FrameError: The frame has other columns, or two rows have one key; nothing was sent.
            KalamError: The table does not exist, the login is refused, or the server cannot be reached.
        """
        self._check_open()
        check_number("parallel", parallel, most=_MOST_PARALLEL)
        try:
            with told_when_interrupted(lambda: "No file had been sent."):
                target = read_target(self._endpoint, *table_parts(table))
        except QueryError as exc:
            exc.hint = exc.hint or table_hint(f"SELECT * FROM {table}", self._known_tables())
            raise
        column = file_column(target, column)
        items, labels = items_of(files, target, column)
        try:
            with self._apart() as (http, endpoint), metered(UPLOADING, shows=progress) as meter:
                return upload_many(
                    http,
                    endpoint,
                    items,
                    target,
                    column,
                    read=lambda sql, keys: self.query_arrow(sql, keys, max_rows=None, progress=False),
                    replace=replace,
                    parallel=parallel,
                    index=labels,
                    meter=meter,
                )
        finally:
            self._reader.forget()

    def _fetched(self, ref: FileRef, path: str, *, to: str | os.PathLike[str], user_id: str | None) -> Path:
        with metered(FETCHING) as meter:
            return self._downloads.to_disk(
                ref, path, to=to, user_id=user_id, on_bytes=lambda count: meter.received(count, 0)
            )


def _labels(cells: object) -> Any:  # noqa: ANN401 - an index of pandas, or None.
    """The labels of a column of pandas."""
    index = getattr(cells, "index", None)
    return None if callable(index) else index
