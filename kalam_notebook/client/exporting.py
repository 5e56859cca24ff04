"""The calls that carry rows out: into files, and to another server."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kalam_notebook.callers import short_failures
from kalam_notebook.client.reading import DEFAULT_BATCH_ROWS
from kalam_notebook.client.writing import WritingCalls
from kalam_notebook.errors import ConfigError, FrameError, KalamError
from kalam_notebook.results.formats import checked_target, writing
from kalam_notebook.results.progress import metered
from kalam_notebook.results.render import render_message_html
from kalam_notebook.results.results import Completeness
from kalam_notebook.wire.types import KALAM_TYPE
from kalam_notebook.writing.report import WriteReport
from kalam_notebook.writing.writer import Kind, Mode

if TYPE_CHECKING:
    from kalam_notebook.client.async_client import AsyncClient
    from kalam_notebook.client.client import Client

__all__ = ["ExportCalls", "ExportReport"]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export did.

    Attributes:
        path: The file.
        rows: Rows in it.
        size: Its size in bytes.
        seconds: From the first request to the whole file.
        completeness: What is known of the completeness of the rows.
    """

    path: Path
    rows: int
    size: int
    seconds: float
    completeness: Completeness

    @property
    def summary(self) -> str:
        """One line, for example ``orders.parquet: 120 rows, 0.1 MB in 0.12 s; complete``."""
        rows = f"{self.rows:,} {'row' if self.rows == 1 else 'rows'}"
        return f"{self.path.name}: {rows}, {self.size / 1e6:.1f} MB in {self.seconds:.2f} s; {self.completeness}"

    def __repr__(self) -> str:
        return self.summary

    def _repr_html_(self) -> str:
        return render_message_html(self.summary)


@short_failures
class ExportCalls(WritingCalls):
    """Exports and copies."""

    def export(
        self,
        sql: str,
        path: str | os.PathLike[str],
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        batch_rows: int = DEFAULT_BATCH_ROWS,
        strict: bool = False,
        progress: bool = True,
        allow_unsafe: bool = False,
    ) -> ExportReport:
        """Write the rows of one query into a file, as they are read; a table of any size needs little memory.

        The file is written beside its place and renamed when it is whole; one that is there is replaced. Parquet and
        Arrow keep all types, and what is known of the completeness in their metadata, under ``kalam:completeness``:
        Parquet with the file's, Arrow with the last batch, which is empty.

        Args:
            sql: As for ``query_batches``.
            path: The file, whose ending tells the format: ``.parquet``, ``.arrow``, ``.csv`` or ``.jsonl``.
            params: Values for ``$1 …``; see ``execute_query``.
            namespace: Namespace of table names that have none; None for the client's.
            batch_rows: Rows that are read at a time, at most: 50,000.
            strict: Write no file when it cannot be made sure that the rows are complete, instead of warning.
            progress: Whether an export that takes longer than half a second shows how far it is.
            allow_unsafe: As for ``query``.

        Returns:
            What was written.

        Warns:
            IncompleteResultWarning: It could not be made sure that the rows are complete.

        Raises:
            ConfigError: The ending is that of no format.
            ResultError: The file cannot be written, or ``strict`` and the rows may not be complete; no file is made.
            KalamError: As ``query_batches``.
        """
        target = checked_target(path)
        begin = time.monotonic()
        with metered(shows=progress) as meter:
            batches = self._batches(
                sql,
                params,
                namespace=namespace,
                batch_rows=batch_rows,
                strict=strict,
                allow_unsafe=allow_unsafe,
                meter=meter,
            )
            with writing(target, batches.schema) as sink:
                for batch in batches:
                    sink.write(batch)
                    meter.received(batch.nbytes, batches.row_count)
                assert batches.completeness is not None
                sink.finish(batches.completeness)

        seconds = time.monotonic() - begin
        return ExportReport(target, batches.row_count, target.stat().st_size, seconds, batches.completeness)

    def copy(
        self,
        sql: str,
        to_client: Client | AsyncClient,
        table: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        mode: Mode = "insert",
        key: str | None = None,
        create: bool = False,
        kind: Kind = "SHARED",
        ttl_seconds: int | None = None,
        batch_rows: int = DEFAULT_BATCH_ROWS,
        strict: bool = False,
        progress: bool = True,
    ) -> WriteReport:
        """Write the rows of one query into a table of another server, or of this one, as they are read.

        Args:
            sql: As for ``query_batches``.
            to_client: A client of the server that they go to.
            table: ``namespace.table`` there.
            params: Values for ``$1 …``; see ``execute_query``.
            namespace: Namespace of table names that have none in ``sql``; None for the client's.
            mode: As for ``write``; ``upsert`` can be repeated.
            key: As for ``write``.
            create: As for ``write``; the columns get the types that they have here.
            kind: As for ``write``.
            ttl_seconds: As for ``write``.
            batch_rows: Rows that are read and written at a time, at most: 50,000.
            strict: Raise in the end when it cannot be made sure that the rows were complete, instead of warning; they
                are written all the same.
            progress: Whether a copy that takes longer than half a second shows how far it is.

        Returns:
            What was written, as of one ``write``.

        Warns:
            IncompleteResultWarning: It could not be made sure that the rows are complete.

        Raises:
            ConfigError: ``to_client`` is no client.
            FrameError: A column holds files, or as ``write``.
            WriteError: As ``write``; a note tells how many rows of earlier batches were written.
            KalamError: As ``query_batches`` and ``write``.
        """
        other = getattr(to_client, "_client", to_client)
        if not isinstance(other, WritingCalls):
            raise ConfigError(f"to_client is kalam.Client(...), not {type(to_client).__name__}.")
        options: dict[str, Any] = {"mode": mode, "key": key, "kind": kind, "ttl_seconds": ttl_seconds}

        reports: list[WriteReport] = []
        with metered(shows=progress) as meter:
            batches = self._batches(
                sql,
                params,
                namespace=namespace,
                batch_rows=batch_rows,
                strict=strict,
                allow_unsafe=False,
                meter=meter,
            )
            _refuse_files(batches.schema)
            for batch in batches:
                try:
                    reports.append(other.write(batch, table, create=create and not reports, **options))
                except KalamError as exc:
                    if reports:
                        done = batches.row_count - batch.num_rows
                        exc.add_note(f"{done:,} rows of earlier batches were written; mode='upsert' can be repeated.")
                    raise
                meter.received(batch.nbytes, batches.row_count)
            if not reports:
                reports.append(other.write(pa.table(batches), table, create=create, **options))

        assert batches.completeness is not None
        notices = () if batches.completeness.is_complete else (batches.completeness.text,)
        return WriteReport.of_parts(reports, *notices)


def _refuse_files(schema: pa.Schema) -> None:
    for field in schema:
        if (field.metadata or {}).get(KALAM_TYPE) == b"FILE":
            raise FrameError(
                "holds references to files, which stay where they are. Leave it out, and carry the files over with "
                "download and execute_with_files.",
                column=field.name,
            )
