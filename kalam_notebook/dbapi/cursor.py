"""``Cursor``: one statement after the other, and the rows of the last one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any

from kalam_notebook.callers import for_each_row, short_failures
from kalam_notebook.dbapi.exceptions import InterfaceError, ProgrammingError, translated
from kalam_notebook.dbapi.placeholders import Parameters, placed, rows_in, written_row
from kalam_notebook.dbapi.types import Description, description_of
from kalam_notebook.results.batches import QueryBatches
from kalam_notebook.results.results import Completeness, QueryResult
from kalam_notebook.sql.shape import returns_rows
from kalam_notebook.sql.statement import Statement
from kalam_notebook.wire.arrow_names import column_of_arrow

if TYPE_CHECKING:
    import pyarrow as pa

    from kalam_notebook.dbapi.connection import Connection

__all__ = ["Cursor", "Row"]

Row = tuple[Any, ...]

#: Rows that are made Python values at once.
_AT_ONCE = 10_000

#: Rows of one INSERT: more make the server slower for each (truth L20).
_ROWS_OF_INSERT = 100


@short_failures
class Cursor:
    """A cursor of PEP 249; made by ``Connection.cursor``, and used by one thread at a time.

    Values of rows are Python's: ``int``, ``float``, ``bool``, ``str``, ``Decimal``, ``date``, ``time``, ``datetime`` in
    UTC, ``bytes``, a list for an EMBEDDING. ``arrow()`` gives the rows as they are.

    Attributes:
        connection: The connection that made it.
        arraysize: Rows that ``fetchmany`` gives when it is told no number: 1.
        description: The columns of the last statement, seven values each; None where it returns no rows.
        rowcount: Rows of the last query, or those that the last statement wrote; -1 where that is not known, as for a
            query whose rows are read as they are fetched.
        completeness: How it is known that the rows of the last query are complete; None where there are none, and
            before the last row is fetched of a query that is read so.
    """

    def __init__(self, connection: Connection, *, stream: bool = False) -> None:
        self.connection = connection
        self.arraysize = 1
        self.description: list[Description] | None = None
        self.rowcount = -1
        self._stream = stream
        self._is_closed = False
        self._result: QueryResult | None = None
        self._batches: QueryBatches | None = None
        self._rows: Iterator[Row] | None = None

    @property
    def completeness(self) -> Completeness | None:
        """How it is known that the rows are complete."""
        read = self._batches or self._result
        return read.completeness if read is not None else None

    def execute(self, operation: str, parameters: Parameters | None = None) -> Cursor:
        """Carry out one statement.

        Args:
            operation: The SQL. ``:1`` or ``$1`` stand for values of a sequence, ``:name`` for those of a mapping.
            parameters: The values; a list as the only item of IN stands for its items.

        Returns:
            The cursor itself, so that ``for row in cursor.execute(sql)`` works.

        Raises:
            Error: As the server or the parameters have it; ``__cause__`` is the error of this package.

        Warns:
            IncompleteResultWarning: It could not be made sure that the rows are complete.
        """
        self._check_open()
        self._forget()
        client = self.connection.client
        with translated():
            sql, values = placed(operation, parameters)
            if not returns_rows(sql):
                self.connection._wrote()
                self._take_response(client.execute_query(sql, values).results)
            elif self._stream:
                self._batches = client.query_batches(sql, values)
                self._begin(self._batches)
            else:
                self._take_result(client.query_result(sql, values, max_rows=None, progress=False))
        return self

    def executemany(self, operation: str, seq_of_parameters: Iterable[Parameters]) -> Cursor:
        """Carry out one statement for each of several sets of values.

        An ``INSERT … VALUES`` of one row is sent with a hundred rows at a time, any other statement with one request
        for each set. For whole frames ``client.write`` is faster, and reports what happened.

        Raises:
            Error: As ``execute``; what was carried out before stays.
            ProgrammingError: The statement returns rows.
        """
        self._check_open()
        with translated():
            if returns_rows(operation):
                raise ProgrammingError("executemany is for statements that write. Use execute for a query.")
            requests = _requests(operation, seq_of_parameters)
        count = 0
        while True:
            with translated():
                request = next(requests, None)
            if request is None:
                break
            self.execute(*request)
            count += max(0, self.rowcount)
        self.rowcount = count
        return self

    @for_each_row
    def fetchone(self) -> Row | None:
        """The next row; None when there is none."""
        with translated():
            return next(self._fetching(), None)

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """The next rows, ``arraysize`` of them when no number is given; an empty list when there are none."""
        with translated():
            return list(islice(self._fetching(), self.arraysize if size is None else size))

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        with translated():
            return list(self._fetching())

    def arrow(self) -> pa.Table:
        """All rows of the last query as an Arrow table, in exact types; those of a stream that are left.

        Raises:
            ProgrammingError: There was no query.
        """
        import pyarrow as pa

        self._fetching()
        with translated():
            if self._batches is not None:
                return pa.table(self._batches)
            assert self._result is not None
            return self._result.arrow()

    def close(self) -> None:
        """Let the rows go; may be called twice."""
        self._forget()
        self._is_closed = True

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Do nothing: no value needs room before it comes."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Do nothing: no value is cut."""

    def __iter__(self) -> Iterator[Row]:
        return self

    @for_each_row
    def __next__(self) -> Row:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def __enter__(self) -> Cursor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _take_response(self, results: Sequence[QueryResult]) -> None:
        with_rows = [result for result in results if result.has_rows]
        if len(with_rows) > 1:
            raise ProgrammingError("The text holds several statements that return rows. Execute one after the other.")
        if with_rows:
            self._take_result(with_rows[0])
        elif results:
            self.rowcount = sum(result.row_count for result in results)

    def _take_result(self, result: QueryResult) -> None:
        self._result = result
        self.description = [description_of(column) for column in result.columns]
        self.rowcount = result.row_count
        self._rows = _rows_of(result.arrow().to_batches(max_chunksize=_AT_ONCE))

    def _begin(self, batches: QueryBatches) -> None:
        """Ask for the first batch, which tells the columns, or that there are no rows."""
        self.description = [description_of(column_of_arrow(field)) for field in batches.schema]
        self._rows = _rows_of(batches)

    def _fetching(self) -> Iterator[Row]:
        self._check_open()
        if self._rows is None:
            raise ProgrammingError("There are no rows to fetch: execute a query first.")
        return self._rows

    def _forget(self) -> None:
        if self._batches is not None:
            self._batches.close()
        self._result = self._batches = self._rows = self.description = None
        self.rowcount = -1

    def _check_open(self) -> None:
        if self._is_closed:
            raise InterfaceError("The cursor is closed. Make a new one: connection.cursor().")
        self.connection._check_open()


def _rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[Row]:
    for batch in batches:
        for start in range(0, batch.num_rows, _AT_ONCE):
            piece = batch.slice(start, _AT_ONCE)
            yield from zip(*(column.to_pylist() for column in piece.columns), strict=True)


def _requests(operation: str, seq_of_parameters: Iterable[Parameters]) -> Iterator[tuple[str, Parameters | None]]:
    """The statements to send, and their values; rows of an INSERT are put together."""
    place = rows_in(Statement.of(operation))
    if place is None:
        yield from ((operation, parameters) for parameters in seq_of_parameters)
        return

    start, end = place
    rest = iter(seq_of_parameters)
    while several := list(islice(rest, _ROWS_OF_INSERT)):
        # The names in front of the row hold no values, so it begins where it did.
        rows = [written_row(operation[:end], parameters)[start:] for parameters in several]
        yield operation[:start] + ", ".join(rows), None
