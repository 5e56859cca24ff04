"""The calls that read: SQL as it is, and queries whose results are complete."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from kalam_notebook.callers import short_failures, warn_caller
from kalam_notebook.client.base import ClientBase
from kalam_notebook.errors import ConfigError, ResultError
from kalam_notebook.http.endpoint import Answer
from kalam_notebook.results.batches import QueryBatches
from kalam_notebook.results.progress import PASSING, RUNNING, Meter, each_reported, metered
from kalam_notebook.results.results import Completeness, IncompleteResultWarning, QueryResponse, QueryResult
from kalam_notebook.wire.arguments import check_number
from kalam_notebook.wire.types import unknown_types

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["DEFAULT_BATCH_ROWS", "DEFAULT_MAX_ROWS", "Engine", "ReadingCalls", "tell"]

#: A million rows of ten columns are some hundred megabytes: enough for most, and not the end of a notebook.
DEFAULT_MAX_ROWS = 1_000_000

#: Some megabytes of ten columns: large enough that requests do not count, small enough for any memory.
DEFAULT_BATCH_ROWS = 50_000

Engine = Literal["server", "local"]


@short_failures
class ReadingCalls(ClientBase):
    """SQL and queries."""

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
        qualified, values = self._bound(sql, params, namespace, allow_unsafe=allow_unsafe)
        with self._running(qualified), metered(RUNNING):
            answer = self._endpoint.execute(qualified, values, takes_lists=True)
        return self._response(answer)

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
        result = self._result(
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
        return self._result(
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
        return self._result(
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
        return self._result(
            sql,
            params,
            namespace=namespace,
            max_rows=max_rows,
            engine=engine,
            strict=strict,
            progress=progress,
            allow_unsafe=allow_unsafe,
        )

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
        return self._batches(
            sql,
            params,
            namespace=namespace,
            batch_rows=batch_rows,
            max_rows=max_rows,
            strict=strict,
            allow_unsafe=allow_unsafe,
        )

    def _batches(
        self,
        sql: str,
        params: Sequence[Any] | None,
        *,
        namespace: str | None,
        batch_rows: int,
        strict: bool,
        allow_unsafe: bool,
        max_rows: int | None = None,
        meter: Meter | None = None,
    ) -> QueryBatches:
        _check_reading(max_rows, "server")
        check_number("batch_rows", batch_rows)
        qualified, values = self._bound(sql, params, namespace, allow_unsafe=allow_unsafe)

        def read() -> Generator[pa.RecordBatch, None, Completeness]:
            with self._running(qualified):
                counted = meter or Meter(time.monotonic(), PASSING)
                batches = self._reader.read_batches(
                    qualified, values, batch_rows=batch_rows, max_rows=max_rows, meter=counted
                )
                # Whoever gave a meter shows it.
                return (yield from (batches if meter is not None else each_reported(batches, counted)))

        return QueryBatches(
            read(),
            on_end=lambda completeness: tell(completeness, strict=strict),
            find_schema=lambda: self._reader.read(qualified, values, max_rows=0).arrow().schema,
        )

    def _result(
        self,
        sql: str,
        params: Sequence[Any] | None,
        *,
        namespace: str | None,
        max_rows: int | None,
        engine: Engine,
        strict: bool,
        progress: bool,
        allow_unsafe: bool,
    ) -> QueryResult:
        _check_reading(max_rows, engine)
        qualified, values = self._bound(sql, params, namespace, allow_unsafe=allow_unsafe)
        read = self._reader.read_locally if engine == "local" else self._reader.read
        began = time.monotonic()
        with self._running(qualified), metered(shows=progress) as meter:
            result = read(qualified, values, max_rows=max_rows, meter=meter)
        assert result.completeness is not None
        tell(result.completeness, strict=strict)
        return replace(result, _host=self._file_host, _foot=self._facts(result, time.monotonic() - began))

    def _facts(self, result: QueryResult, seconds: float) -> tuple[str, ...]:
        """How long it took, as whom and where."""
        facts = [f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"]
        if who := result.as_user or self.user:
            facts.append(f"as {who}")
        if name := self._name_beside_others():
            facts.append(f"on {name}")
        return tuple(facts)

    def _response(self, answer: Answer) -> QueryResponse:
        """An answer as it came. Where the server cuts results is not asked for the sake of a single row."""
        is_long = any(table is not None and table.num_rows > 1 for table in answer.tables)
        caps = self._reader.caps() if is_long else (0, 0)
        results = tuple(
            QueryResult(
                raw.columns,
                raw.row_count,
                raw.message,
                raw.as_user,
                notices=unknown_types(raw.columns) + _cut_notice(raw.row_count, table, caps),
                _table=table,
                _host=self._file_host,
            )
            for raw, table in zip(answer.results, answer.tables, strict=True)
        )
        return QueryResponse(results, answer.took_ms)


def tell(completeness: Completeness, *, strict: bool) -> None:
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


def _cut_notice(row_count: int, table: pa.Table | None, caps: tuple[int, int]) -> tuple[str, ...]:
    """A result as long as a cap is never shown as complete."""
    if table is None or row_count < 2 or row_count not in caps:
        return ()
    return (f"{row_count} rows are exactly as many as the server cuts results at: there may be more. Use query().",)
