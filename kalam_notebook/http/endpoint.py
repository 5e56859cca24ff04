"""Sending SQL: the token, the streaming answer, and the reason when the server gives none.

Knows ``POST /v1/api/sql`` and nothing of what a result should be; called by the client and the readers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pyarrow as pa

from kalam_notebook.errors import AuthError, ProtocolError, QueryError, ServerError
from kalam_notebook.http.client import HttpTransport, Request
from kalam_notebook.http.failures import NoAnswerError
from kalam_notebook.http.session import Session, is_expired
from kalam_notebook.settings import MAX_RESULT_BYTES, Secret
from kalam_notebook.sql.statement import Statement
from kalam_notebook.wire.body import BodyDecoder, ListsDecoder, RawResult, parse_row
from kalam_notebook.wire.envelope import sql_body
from kalam_notebook.wire.types import Column, arrow_schema

__all__ = ["Answer", "SqlEndpoint"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sent for one request.

    Attributes:
        results: One per result, in the server's order.
        tables: For each result its rows, or None where the statement returns none.
        took_ms: Milliseconds on the server.
    """

    results: tuple[RawResult, ...]
    tables: tuple[pa.Table | None, ...]
    took_ms: float

    def result(self, index: int = 0) -> RawResult:
        """One of the results.

        Raises:
            ProtocolError: There are fewer.
        """
        if index >= len(self.results):
            raise ProtocolError(f"The answer has {len(self.results)} results, fewer than were asked for.")
        return self.results[index]

    def columns(self, index: int = 0) -> tuple[Column, ...]:
        """The columns of one of the results; raises as ``result``."""
        return self.result(index).columns

    def table(self, index: int = 0, names: Sequence[str] = ()) -> pa.Table:
        """The rows of one of the results.

        Args:
            index: Which one.
            names: The columns that are wanted of it; none for all.

        Raises:
            ProtocolError: It has no rows, or not these columns.
        """
        self.result(index)
        table = self.tables[index]
        if table is None or any(table.column_names.count(name) != 1 for name in names):
            raise ProtocolError(f"The answer has not the columns that were asked for: {', '.join(names) or 'any'}.")
        return table.select(names) if names else table

    def column(self, index: int = 0) -> list[Any]:
        """The values of a result of one column; raises as ``table``."""
        table = self.table(index)
        if table.num_columns != 1:
            raise ProtocolError(f"The answer has {table.num_columns} columns, where one was expected.")
        values: list[Any] = table.column(0).to_pylist()
        return values


class SqlEndpoint:
    """The SQL route of one server, as one user.

    Args:
        http: Sends.
        session: Gives tokens.
        max_bytes: Bytes of one answer that are read at most; None for all.
    """

    def __init__(self, http: HttpTransport, session: Session, *, max_bytes: int | None = MAX_RESULT_BYTES) -> None:
        self._http = http
        self._max_bytes = max_bytes
        self._session = session
        self._on_data: Callable[[int, int], None] | None = None

    def watched(self, on_data: Callable[[int, int], None]) -> SqlEndpoint:
        """The same endpoint, which tells of answers as they come.

        Args:
            on_data: Called with the number of new bytes, and with that of all rows so far; 0 where it is not known.
        """
        watched = SqlEndpoint(self._http, self._session, max_bytes=self._max_bytes)
        watched._on_data = on_data
        return watched

    def execute(self, sql: str, params: Sequence[Any] = (), *, takes_lists: bool = False) -> Answer:
        """Run statements and read the whole answer.

        Args:
            sql: The text as the server shall see it.
            params: JSON values for ``$1 …``.
            takes_lists: Whether columns are of lists whose cells are; else such a cell does not fit its column.

        Raises:
            KalamError: Refused, failed, cut off or not decodable; nothing of the answer is used then.
        """
        request = self._request(sql, params, repeatable=Statement.of(sql).is_repeatable)
        try:
            return self.with_token(lambda token: self._read(request, token, takes_lists=takes_lists))
        except NoAnswerError as exc:
            self._explain_no_answer(sql, params, exc)
            # The server is able to encode it: the connection was lost, not the value.
            if not request.repeatable:
                raise
            return self.with_token(lambda token: self._read(request, token, takes_lists=takes_lists))

    def execute_row(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """Run a SELECT that returns one row, and give its cells as the wire has them.

        Raises:
            KalamError: As ``execute``; ProtocolError when there is not exactly one row.
        """
        request = self._request(sql, params)
        return self.with_token(lambda token: parse_row(self._http.send(request, token=token).content))

    def execute_lists(
        self, sql: str, params: Sequence[Any], types: Sequence[Sequence[pa.DataType]]
    ) -> list[list[pa.Array | None]]:
        """Run SELECTs that return one row of lists each, and give an array for each list.

        Args:
            sql: The statements.
            params: JSON values for ``$1 …``; with a single statement only.
            types: For each result with rows, for each cell the type of its elements.

        Returns:
            For each result one array per cell; None for NULL.

        Raises:
            KalamError: As ``execute``.
            ProtocolError: An element does not fit its type, or there are other results than expected.
        """
        request = self._request(sql, params)

        def read(token: Secret) -> list[list[pa.Array | None]]:
            decoder = ListsDecoder(types)
            with self._http.stream(request, token=token) as chunks:
                for chunk in chunks:
                    decoder.feed(chunk)
                    self._tell(chunk, decoder.row_count)
            return decoder.finish()

        return self.with_token(read)

    def check(self) -> None:
        """See that a KalamDB server answers and accepts the token, without anything that a table could spoil.

        Raises:
            KalamError: As ``execute``; ProtocolError when something else answers.
        """
        # The route that tells who one is answers to an expired token as to a wrong one (protocol/http.md#login).
        request = Request("POST", "/v1/api/sql", sql_body("SELECT 1", []), _JSON, repeatable=True)
        self.with_token(lambda token: parse_row(self._http.send(request, token=token).content))

    def upload(self, files: Sequence[tuple[str, Any]], sql: str) -> Answer:
        """Send a multipart request; see ``http.uploads``."""
        request = Request("POST", "/v1/api/sql", files=files, sql=sql, max_bytes=self._max_bytes)
        return self.with_token(lambda token: self._read(request, token, takes_lists=True))

    def with_token(self, send: Callable[[Secret], T]) -> T:
        """Call ``send`` with a token, and once more with a new one when the server does not accept it any more."""
        token = self._session.token()
        try:
            return send(token)
        except AuthError as exc:
            if not is_expired(exc) and not self._session.may_be_outdated(exc):
                raise
            return send(self._session.renew(token, sql=exc.sql))

    def _read(self, request: Request, token: Secret, *, takes_lists: bool = False) -> Answer:
        decoder = BodyDecoder(takes_lists=takes_lists)
        batches: dict[int, list[pa.RecordBatch]] = {}
        with self._http.stream(request, token=token) as chunks:
            for chunk in chunks:
                for index, batch in decoder.feed(chunk):
                    batches.setdefault(index, []).append(batch)
                self._tell(chunk, 0)  # Few, and not always of the query: the caps are asked for so.
            results, took = decoder.finish()
        return Answer(tuple(results), tuple(_tables(results, batches)), took)

    def _tell(self, chunk: bytes, rows: int) -> None:
        if self._on_data is not None:
            self._on_data(len(chunk), rows)

    def _explain_no_answer(self, sql: str, params: Sequence[Any], error: NoAnswerError) -> None:
        """Ask for the reason: in a batch the server names the value that it cannot encode.

        Source: protocol/http.md#hanging-up.
        """
        statement = Statement.of(sql)
        if params or not statement.is_repeatable or len(statement.statements) != 1:
            return
        (single,) = statement.statements
        with _reason_wanted(error):
            batch = replace(self._request(f"{single}\n;\nSELECT 1"), sql=single)  # Both only read.
            self.with_token(lambda token: self._read(batch, token))

    def _request(self, sql: str, params: Sequence[Any] = (), *, repeatable: bool = True) -> Request:
        body = sql_body(sql, list(params))
        return Request("POST", "/v1/api/sql", body, _JSON, repeatable=repeatable, sql=sql, max_bytes=self._max_bytes)


@contextmanager
def _reason_wanted(error: NoAnswerError) -> Iterator[None]:
    try:
        yield
    except ServerError as exc:
        raise QueryError(
            exc.code,
            exc.message,
            exc.status,
            exc.sql,
            "The server cannot send this value. Read the column as text: arrow_cast(column, 'Utf8').",
        ) from None


_JSON = {"Content-Type": "application/json"}


def _tables(results: Sequence[RawResult], batches: dict[int, list[pa.RecordBatch]]) -> Iterator[pa.Table | None]:
    number = 0
    for result in results:
        if not result.has_rows:
            # A result with columns and no ``rows`` member would be an empty one.
            yield pa.Table.from_batches([], arrow_schema(result.columns)) if result.columns else None
            continue
        yield pa.Table.from_batches(batches.get(number, []), arrow_schema(result.columns))
        number += 1
