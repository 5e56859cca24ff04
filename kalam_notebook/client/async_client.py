"""``AsyncClient``: the calls of ``Client``, to be awaited. A test compares the two name by name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import pyarrow as pa

from kalam_notebook.callers import short_failures
from kalam_notebook.client.async_base import AsyncBase
from kalam_notebook.client.client import Client
from kalam_notebook.client.diagnostics import ClusterHealth, Health, SetupStatus
from kalam_notebook.client.exporting import ExportReport
from kalam_notebook.client.partitions import Partitions
from kalam_notebook.client.reading import DEFAULT_BATCH_ROWS, DEFAULT_MAX_ROWS, Engine
from kalam_notebook.client.writing import PARALLEL_FILES
from kalam_notebook.http.uploads import FileSource
from kalam_notebook.live_queries.events.messages import OnFull
from kalam_notebook.results.batches import QueryBatches
from kalam_notebook.results.results import QueryResponse, QueryResult
from kalam_notebook.settings import DEFAULT_PROFILE, Secret
from kalam_notebook.wire.auth import Login, UserInfo
from kalam_notebook.wire.fileref import FileRef
from kalam_notebook.wire.live import MAX_BATCH_SIZE
from kalam_notebook.wire.topics import Start
from kalam_notebook.writing.report import WriteReport
from kalam_notebook.writing.writer import Kind, Mode, Nan, Progress

if TYPE_CHECKING:
    import dask.dataframe as dd
    import pandas as pd
    import polars as pl

    from kalam_notebook.live_queries.events.live_events import LiveEvents
    from kalam_notebook.live_queries.table import LiveTable
    from kalam_notebook.topics.consumer import Consumer

__all__ = ["AsyncClient"]


@short_failures
class AsyncClient(AsyncBase):
    """The same calls as ``Client``, to be awaited. Each runs in a worker thread.

    It belongs to no event loop: it works in a notebook cell, in threads and under ``asyncio.run``. Live tables are the
    same objects as those of ``Client``. The arguments are those of ``Client``.
    """

    async def execute_query(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        allow_unsafe: bool = False,
    ) -> QueryResponse:
        """See ``Client.execute_query``."""
        return await asyncio.to_thread(
            self._client.execute_query, sql, params, namespace=namespace, allow_unsafe=allow_unsafe
        )

    async def query(
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
        """See ``Client.query``."""
        return await asyncio.to_thread(
            self._client.query,
            sql,
            params,
            namespace=namespace,
            max_rows=max_rows,
            engine=engine,
            strict=strict,
            progress=progress,
            allow_unsafe=allow_unsafe,
        )

    async def query_arrow(
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
        """See ``Client.query_arrow``."""
        return await asyncio.to_thread(
            self._client.query_arrow,
            sql,
            params,
            namespace=namespace,
            max_rows=max_rows,
            engine=engine,
            strict=strict,
            progress=progress,
            allow_unsafe=allow_unsafe,
        )

    async def query_polars(
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
        """See ``Client.query_polars``."""
        return await asyncio.to_thread(
            self._client.query_polars,
            sql,
            params,
            namespace=namespace,
            max_rows=max_rows,
            engine=engine,
            strict=strict,
            progress=progress,
            allow_unsafe=allow_unsafe,
        )

    async def query_result(
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
        """See ``Client.query_result``."""
        return await asyncio.to_thread(
            self._client.query_result,
            sql,
            params,
            namespace=namespace,
            max_rows=max_rows,
            engine=engine,
            strict=strict,
            progress=progress,
            allow_unsafe=allow_unsafe,
        )

    async def query_batches(
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
        """See ``Client.query_batches``; take the batches with ``async for``."""
        return await asyncio.to_thread(
            self._client.query_batches,
            sql,
            params,
            namespace=namespace,
            batch_rows=batch_rows,
            max_rows=max_rows,
            strict=strict,
            allow_unsafe=allow_unsafe,
        )

    async def execute_with_files(
        self,
        sql: str,
        files: Mapping[str, FileSource],
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        allow_unsafe: bool = False,
        on_progress: Progress | None = None,
    ) -> QueryResponse:
        """See ``Client.execute_with_files``."""
        return await asyncio.to_thread(
            self._client.execute_with_files,
            sql,
            files,
            params,
            namespace=namespace,
            allow_unsafe=allow_unsafe,
            on_progress=on_progress,
        )

    async def write(
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
        """See ``Client.write``."""
        return await asyncio.to_thread(
            self._client.write,
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

    async def export(
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
        """See ``Client.export``."""
        return await asyncio.to_thread(
            self._client.export,
            sql,
            path,
            params,
            namespace=namespace,
            batch_rows=batch_rows,
            strict=strict,
            progress=progress,
            allow_unsafe=allow_unsafe,
        )

    async def copy(
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
        """See ``Client.copy``."""
        return await asyncio.to_thread(
            self._client.copy,
            sql,
            to_client,
            table,
            params,
            namespace=namespace,
            mode=mode,
            key=key,
            create=create,
            kind=kind,
            ttl_seconds=ttl_seconds,
            batch_rows=batch_rows,
            strict=strict,
            progress=progress,
        )

    async def partitions(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        rows: int | None = None,
        n: int | None = None,
        by: Literal["version", "key"] = "version",
        strict: bool = False,
        token_provider: Callable[[], str] | None = None,
    ) -> Partitions:
        """See ``Client.partitions``."""
        return await asyncio.to_thread(
            self._client.partitions,
            sql,
            params,
            namespace=namespace,
            rows=rows,
            n=n,
            by=by,
            strict=strict,
            token_provider=token_provider,
        )

    async def to_dask(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        rows: int | None = None,
        n: int | None = None,
        by: Literal["version", "key"] = "version",
        strict: bool = False,
        token_provider: Callable[[], str] | None = None,
    ) -> dd.DataFrame:
        """See ``Client.to_dask``."""
        return await asyncio.to_thread(
            self._client.to_dask,
            sql,
            params,
            namespace=namespace,
            rows=rows,
            n=n,
            by=by,
            strict=strict,
            token_provider=token_provider,
        )

    async def download_file(
        self,
        ref: FileRef,
        namespace: str,
        table: str,
        *,
        to: str | os.PathLike[str] = ".",
        target_user_id: str | None = None,
    ) -> Path:
        """See ``Client.download_file``."""
        return await asyncio.to_thread(
            self._client.download_file, ref, namespace, table, to=to, target_user_id=target_user_id
        )

    async def download_bound_file(
        self, ref: FileRef, *, to: str | os.PathLike[str] = ".", target_user_id: str | None = None
    ) -> Path:
        """See ``Client.download_bound_file``."""
        return await asyncio.to_thread(self._client.download_bound_file, ref, to=to, target_user_id=target_user_id)

    @overload
    async def download(
        self, ref: FileRef, *, to: str | os.PathLike[str] = ".", parallel: int = PARALLEL_FILES, progress: bool = True
    ) -> Path: ...

    @overload
    async def download(
        self,
        ref: Iterable[object],
        *,
        to: str | os.PathLike[str] = ".",
        parallel: int = PARALLEL_FILES,
        progress: bool = True,
    ) -> pd.DataFrame: ...

    async def download(
        self,
        ref: FileRef | Iterable[object],
        *,
        to: str | os.PathLike[str] = ".",
        parallel: int = PARALLEL_FILES,
        progress: bool = True,
    ) -> Path | pd.DataFrame:
        """See ``Client.download``."""
        return await asyncio.to_thread(self._client.download, ref, to=to, parallel=parallel, progress=progress)

    async def upload(
        self,
        files: object,
        table: str,
        *,
        column: str | None = None,
        replace: bool = False,
        parallel: int = PARALLEL_FILES,
        progress: bool = True,
    ) -> pd.DataFrame:
        """See ``Client.upload``."""
        return await asyncio.to_thread(
            self._client.upload, files, table, column=column, replace=replace, parallel=parallel, progress=progress
        )

    async def login(self, user: str, password: str | Secret) -> Login:
        """See ``Client.login``."""
        password = Secret.of(password)  # A verbose traceback shows the locals of this frame and those below.
        return await asyncio.to_thread(self._client.login, user, password)

    async def refresh_access_token(self, refresh_token: str | Secret) -> Login:
        """See ``Client.refresh_access_token``."""
        refresh_token = Secret.of(refresh_token)
        return await asyncio.to_thread(self._client.refresh_access_token, refresh_token)

    async def health_check(self) -> Health:
        """See ``Client.health_check``."""
        return await asyncio.to_thread(self._client.health_check)

    async def cluster_health_check(self) -> ClusterHealth:
        """See ``Client.cluster_health_check``."""
        return await asyncio.to_thread(self._client.cluster_health_check)

    async def save_login(self, name: str = DEFAULT_PROFILE) -> Path:
        """See ``Client.save_login``."""
        return await asyncio.to_thread(self._client.save_login, name)

    async def namespaces(self) -> QueryResult:
        """See ``Client.namespaces``."""
        return await asyncio.to_thread(self._client.namespaces)

    async def tables(self, namespace: str | None = None) -> QueryResult:
        """See ``Client.tables``."""
        return await asyncio.to_thread(self._client.tables, namespace)

    async def describe(self, table: str) -> QueryResult:
        """See ``Client.describe``."""
        return await asyncio.to_thread(self._client.describe, table)

    async def recent_requests(self) -> pd.DataFrame:
        """See ``Client.recent_requests``."""
        return await asyncio.to_thread(self._client.recent_requests)

    async def check_setup_status(self) -> SetupStatus:
        """See ``Client.check_setup_status``."""
        return await asyncio.to_thread(self._client.check_setup_status)

    async def server_setup(
        self, user: str, password: str | Secret, root_password: str | Secret, *, email: str | None = None
    ) -> UserInfo:
        """See ``Client.server_setup``."""
        password, root_password = Secret.of(password), Secret.of(root_password)
        return await asyncio.to_thread(self._client.server_setup, user, password, root_password, email=email)

    async def live(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        key: str | Sequence[str] | None = None,
        max_rows: int | None = None,
        key_columns: str | Sequence[str] | None = None,
    ) -> LiveTable:
        """See ``Client.live``."""
        return await asyncio.to_thread(
            self._client.live,
            sql,
            params,
            namespace=namespace,
            key=key,
            max_rows=max_rows,
            key_columns=key_columns,
        )

    async def live_events(
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
        from_: int | None = None,
    ) -> LiveEvents:
        """See ``Client.live_events``."""
        return await asyncio.to_thread(
            self._client.live_events,
            sql,
            params,
            namespace=namespace,
            batch_size=batch_size,
            last_rows=last_rows,
            from_seq=from_seq,
            max_queue=max_queue,
            on_full=on_full,
            from_=from_,
        )

    async def consumer(
        self,
        topic: str,
        *,
        group_id: str,
        start: Start = "latest",
        partitions: int | None = None,
        max_poll_records: int = 100,
        auto_commit: bool = False,
    ) -> Consumer:
        """See ``Client.consumer``; take the messages with ``async for``."""
        return await asyncio.to_thread(
            self._client.consumer,
            topic,
            group_id=group_id,
            start=start,
            partitions=partitions,
            max_poll_records=max_poll_records,
            auto_commit=auto_commit,
        )

    async def live_topic(self, topic: str, *, partitions: int | None = None, max_rows: int = 1_000) -> LiveTable:
        """See ``Client.live_topic``."""
        return await asyncio.to_thread(self._client.live_topic, topic, partitions=partitions, max_rows=max_rows)

    async def connect(self) -> None:
        """See ``Client.connect``."""
        await asyncio.to_thread(self._client.connect)

    async def disconnect(self) -> None:
        """See ``Client.disconnect``."""
        await asyncio.to_thread(self._client.disconnect)
