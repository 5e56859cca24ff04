"""The SQL answer, decoded while it is still arriving.

The server's body is ``{"status", "results": [{"schema", "rows", "row_count", …}], "took", "error"}``. Only the rows are
large. They are cut into groups of about 1 MiB at places where one row ends and the next begins, and each group becomes
a record batch; all that is not rows is kept as the *skeleton* and read at the end. A group is cut at the last ``],[``;
that this is the border of two rows, and not text in a cell, is proved by parsing: only a group that begins and ends at
such borders is valid JSON between ``[`` and ``]``. The end of the rows is found likewise, at ``],"row_count":``, which
can stand in a nested object. A guess that was wrong is the last one of its group: then strings and brackets are read.
Every byte is read a few times at most, whatever stands in the cells.

An exact read (truth R1) answers with one row whose cells are whole columns: ``ListsDecoder`` turns each into an array
as soon as it has arrived, so that only one column at a time lives as Python objects.
Source: protocol/http.md#answer. Called by the HTTP transport.
"""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import pyarrow as pa

from kalam_notebook.errors import DecodeError, ProtocolError
from kalam_notebook.wire.answered import shortened, whole_number
from kalam_notebook.wire.brackets import Brackets
from kalam_notebook.wire.decode import CELL_ERRORS, decode_array, decode_columns
from kalam_notebook.wire.seen_lists import as_seen
from kalam_notebook.wire.types import FLOATS, Column, parse_schema

__all__ = ["BodyDecoder", "ListsDecoder", "RawResult", "parse_row"]

#: Larger groups hold more Python objects at once, smaller ones cost more calls; 1 MiB measured best.
GROUP_BYTES = 1 << 20

_ROWS_BEGIN = b'"rows":['
_ROWS_END = b'],"row_count":'
_SCHEMA_BEGIN = b'{"schema":['
_OPEN, _COMMA, _CLOSE = b"[,]"
_LIST_END = re.compile(rb"\][,\]]")
_BARE_ZERO = re.compile(rb"(?<=[\[,])-0(?=[,\]])")

#: Types of which a column that begins with a number is refused if a text follows.
_NUMBERS = {"Boolean", "SmallInt", "Int", "BigInt", "Date", "Time", "Timestamp", "DateTime"}

_NO_ROWS = "The server sent rows that cannot be read: they are no JSON, or end with something else than their count."


@dataclass(frozen=True, slots=True)
class RawResult:
    """One element of ``results`` without its rows.

    Attributes:
        columns: Columns as announced; empty when the statement returns no rows.
        row_count: Rows returned, or rows affected.
        has_rows: Whether the element had ``rows``, if only an empty list.
        message: The server's message, or None.
        as_user: User id the statement ran as.
    """

    columns: tuple[Column, ...]
    row_count: int
    has_rows: bool
    message: str | None
    as_user: str | None


class BodyDecoder:
    """Turns the bytes of a successful answer into record batches and results.

    Feed the body with ``feed`` as it comes, then call ``finish`` once. Batches come out as soon as they are complete,
    with the number of the result they belong to.

    Args:
        group_bytes: Size of a row group before it is decoded.
        takes_lists: Whether cells that are lists of what was announced make a column of lists; a result is decoded in
            one piece then.
    """

    def __init__(self, group_bytes: int = GROUP_BYTES, *, takes_lists: bool = False) -> None:
        self._group_bytes = sys.maxsize if takes_lists else group_bytes
        self._takes_lists = takes_lists
        self._buffer = bytearray()
        self._skeleton = bytearray()
        self._told = 0  # What the skeleton tells of results that have been read.
        self._columns: tuple[Column, ...] | None = None  # Of the rows being read; None outside of rows.
        self._counts: list[int] = []  # Rows decoded of each result that has rows.
        self._headers: list[tuple[Column, ...]] = []  # The columns of those results.
        self._searched = 0  # Up to here the buffer holds no end of rows.
        self._brace = 0  # The first closing brace of the buffer; before it has come, where to look for it.
        self._brackets: Brackets | None = None  # Once a guess was wrong: reads the buffer for certain.
        self._wanted = self._group_bytes  # Bytes after which a group is cut; more while one row fills the buffer.

    def feed(self, data: bytes) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Take the next bytes of the body.

        Yields:
            Number of the row-bearing result (from 0) and a batch of its rows, in order.

        Raises:
            DecodeError: A cell does not fit its column.
            ProtocolError: The rows are not what the protocol promises.
        """
        self._buffer += data
        while True:
            if self._columns is None and not self._enter_rows():
                return
            size = len(self._buffer)
            with _collector_paused():  # A group makes a hundred thousand objects that all die together, in here.
                batch = self._next_batch()
            if batch is not None and batch.num_rows:
                yield len(self._counts) - 1, batch
            if self._columns is not None and len(self._buffer) == size:
                return

    def finish(self) -> tuple[list[RawResult], float]:
        """End the body.

        Returns:
            The results in order, and ``took``: milliseconds on the server.

        Raises:
            ProtocolError: The body ended early, or is not a successful answer.
        """
        if self._columns is not None:
            raise ProtocolError(
                "The answer was cut off in the middle of its rows, after the server had said 200 OK.\n"
                "The server could not encode a value (NaN, infinity, a struct), or the connection broke.\n"
                "Nothing of it was used. Read the doubtful columns as text: arrow_cast(column, 'Utf8')."
            )

        self._skeleton += self._buffer
        self._buffer.clear()
        try:
            body = orjson.loads(self._skeleton)
            raw_results = body["results"]
            took = float(body.get("took") or 0.0)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise ProtocolError(_not_an_answer(self._skeleton)) from None
        if not isinstance(raw_results, list) or not all(isinstance(raw, dict) for raw in raw_results):
            raise ProtocolError(_not_an_answer(self._skeleton))
        if sum("rows" in raw for raw in raw_results) != len(self._counts):
            raise ProtocolError("The server sent rows at another place than in its results. Nothing of it was used.")
        return self._results(raw_results), took

    def _results(self, raw_results: Sequence[Any]) -> list[RawResult]:
        counts, headers = iter(self._counts), iter(self._headers)
        results = []
        for raw in raw_results:
            has_rows = "rows" in raw
            row_count = whole_number(raw.get("row_count") or 0)
            decoded = next(counts) if has_rows else row_count
            if decoded != row_count:
                raise ProtocolError(
                    f"The server announced {row_count} rows and sent {decoded}. Nothing of it was used."
                )
            columns = next(headers) if has_rows else parse_schema(raw.get("schema"))
            message, as_user = raw.get("message"), raw.get("as_user")
            if not (isinstance(message, str | None) and isinstance(as_user, str | None)):
                raise ProtocolError("The server sent a result whose message or user is no text.")
            results.append(RawResult(columns, row_count, has_rows, message, as_user))
        return results

    def _enter_rows(self) -> bool:
        begin = self._buffer.find(_ROWS_BEGIN)
        if begin < 0:
            # Keep what may be the first half of the mark.
            keep = min(len(self._buffer), len(_ROWS_BEGIN) - 1)
            self._skeleton += self._buffer[: len(self._buffer) - keep]
            del self._buffer[: len(self._buffer) - keep]
            return False
        end = begin + len(_ROWS_BEGIN)
        self._skeleton += self._buffer[:end]
        self._drop(
            end - 1
        )  # The buffer of rows begins with the bracket of the list, so that it can be parsed in place.
        self._columns = self._announced_columns()
        self._headers.append(self._columns)
        self._counts.append(0)
        return True

    def _announced_columns(self) -> tuple[Column, ...]:
        """The schema that stands before the rows; it is left out when there are no columns."""
        begin = self._skeleton.rfind(_SCHEMA_BEGIN, self._told)
        tail = bytes(self._skeleton[begin + len(_SCHEMA_BEGIN) - 1 : -len(_ROWS_BEGIN) - 1]) if begin >= 0 else b"[]"
        self._told = len(self._skeleton)
        return _schema_of(tail)

    def _next_batch(self) -> pa.RecordBatch | None:
        """Decode the last rows, or else a group of them; None when too few have come."""
        end, rows = self._find_end()
        if rows is not None:
            batch = self._decode(rows, end)
            self._columns = None
            self._drop(end)
            return batch

        if len(self._buffer) < self._wanted:
            return None

        cut, rows = self._cut_group()
        if rows is None:
            self._wanted = 2 * len(self._buffer)
            return None

        self._wanted = self._group_bytes
        batch = self._decode(rows, cut)
        self._buffer[cut] = _OPEN
        self._drop(cut)  # What follows is a list again.
        return batch

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._searched = self._brace = 0
        self._brackets = None

    def _find_end(self) -> tuple[int, list[list[Any]] | None]:
        """Where the list of rows ends and its rows; no rows when the end has not come yet."""
        if self._brackets is None:
            end = self._guess_end()
            if end < 0:
                return end, None
            rows = _list_at_start(self._buffer, end + 1)
            if rows is not None:
                return end, rows
            self._brackets = Brackets()  # The mark stands in a cell: a nested object with these members.

        self._brackets.read(self._buffer)
        end = self._brackets.end - 1
        if end < 0 or len(self._buffer) < end + len(_ROWS_END):
            return -1, None
        if not self._buffer.startswith(_ROWS_END, end):
            raise ProtocolError(_NO_ROWS)

        rows = _list_at_start(self._buffer, end + 1)
        if rows is None:
            raise ProtocolError(_NO_ROWS)
        return end, rows

    def _guess_end(self) -> int:
        """Where a mark of the end stands, if only in a cell; -1 when there is none."""
        # The result's own brace follows the mark, and looking for one character is ten times faster.
        self._brace = self._buffer.find(b"}", self._brace)
        if self._brace < 0:
            self._brace = len(self._buffer)
            return -1
        end = self._buffer.rfind(_ROWS_END, self._searched, self._brace)
        if end < 0:
            end = self._buffer.find(_ROWS_END, self._searched)
        if end < 0:
            self._searched = max(0, len(self._buffer) - len(_ROWS_END))
        return end

    def _cut_group(self) -> tuple[int, list[list[Any]] | None]:
        """The last comma between two rows and the rows before it; no rows when one row fills the buffer."""
        if self._brackets is None:
            cut = self._buffer.rfind(b"],[") + 1
            rows = self._parse_until(cut) if cut > 0 else None
            if rows is not None:
                return cut, rows
            self._brackets = Brackets()  # It stands in a cell.
            self._brackets.read(self._buffer)
        cut = self._brackets.border
        if cut == 0:
            return cut, None
        rows = self._parse_until(cut)
        if rows is None:
            raise ProtocolError(_NO_ROWS)
        return cut, rows

    def _parse_until(self, comma: int) -> list[list[Any]] | None:
        """The rows before a comma, which is overwritten by the bracket that makes them a list."""
        self._buffer[comma] = _CLOSE
        rows = _list_at_start(self._buffer, comma + 1)
        self._buffer[comma] = _COMMA
        return rows

    def _decode(self, rows: list[list[Any]], end: int) -> pa.RecordBatch | None:
        """Rows as a batch; ``end`` is where the bracket behind them stands, or is to stand."""
        if not rows:
            return None
        columns = self._columns or ()
        cells = _transposed(rows, len(columns))
        floats = [place for place, column in enumerate(columns) if column.type_name in FLOATS]
        # Only a zero that is written without a point can be -0. To look through the text costs as much as to parse it.
        if any(0.0 in cells[place] and int in set(map(type, cells[place])) for place in floats):
            _keep_signs(cells, floats, bytes(self._buffer[:end]) + b"]")

        done = self._counts[-1]
        if self._takes_lists:
            columns = self._headers[-1] = as_seen(columns, cells)
        try:
            batch = decode_columns(columns, cells)
        except DecodeError as exc:
            row = None if exc.row is None else exc.row + done
            raise DecodeError(exc.column, exc.type_name, row, exc.value, exc.reason) from None
        _check_rows(rows, columns, cells)
        self._counts[-1] = done + len(rows)
        return batch


def _check_rows(rows: list[list[Any]], columns: Sequence[Column], cells: list[tuple[Any, ...]]) -> None:
    """Refuse rows that are text or objects, which can be taken apart like lists, if only into texts.

    Raises:
        ProtocolError: One of the rows is no list.
    """
    # A column of numbers, which is decoded by now, has no text: it proves the same and costs nothing.
    for column, found in zip(columns, cells, strict=True):
        if column.type_name in _NUMBERS and type(found[0]) in (int, bool):
            return
    if set(map(type, rows)) != {list}:
        raise ProtocolError("The server sent a row that is no list. Nothing of it was used.")


def _keep_signs(cells: list[tuple[Any, ...]], floats: Sequence[int], text: bytes) -> None:
    """Put negative zeros in their places, which newer servers write as ``-0`` and the parser takes for an integer."""
    # What this does to texts is of no interest: only cells of floating columns are taken.
    marked = _BARE_ZERO.sub(b"-0.0", text)
    if marked == text:
        return
    signed = _transposed(orjson.loads(marked), len(cells))
    for place in floats:
        cells[place] = signed[place]


class ListsDecoder:
    """Turns results of one row each, whose cells are lists, into one array per cell.

    Args:
        types: For each result with rows, for each cell the type of its elements.
    """

    def __init__(self, types: Sequence[Sequence[pa.DataType]]) -> None:
        self._expected = types
        self._results: list[list[pa.Array | None]] = []
        self._buffer = bytearray()
        self._in_row = False
        self._scanned = 0  # Where the search for the row, or for the end of the present cell, goes on.
        self._brackets: Brackets | None = None  # Once a guess was wrong: reads the cell for certain.

    @property
    def row_count(self) -> int:
        """Elements of the first list of a single result, once it is there: the rows that are being read. Else 0."""
        first = self._results[0][0] if len(self._expected) == 1 and self._results and self._results[0] else None
        return 0 if first is None else len(first)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            ProtocolError: An element does not fit its type, or there are other results than expected.
        """
        self._buffer += data
        with _collector_paused():
            while self._step():
                pass

    def finish(self) -> list[list[pa.Array | None]]:
        """End the body.

        Returns:
            For each result one array per cell, None where the cell is NULL (no rows).

        Raises:
            ProtocolError: The body ended early, or is not such an answer.
        """
        if self._in_row or len(self._results) < len(self._expected) or not self._buffer.endswith(b"}"):
            raise ProtocolError(_not_an_answer(self._buffer))
        return self._results

    def _step(self) -> bool:
        """Go on by one mark or cell; False when more bytes are needed."""
        if not self._in_row:
            mark = _ROWS_BEGIN + b"["
            begin = self._buffer.find(mark, self._scanned)
            if begin < 0:
                self._scanned = max(0, len(self._buffer) - len(mark))
                return False
            if len(self._results) == len(self._expected):
                raise ProtocolError("The server sent more results than were asked for.")
            self._drop(begin + len(mark))
            self._results.append([])
            self._in_row = True

        if len(self._results[-1]) < len(self._expected[len(self._results) - 1]):
            return self._take_cell()

        end = b"]" + _ROWS_END
        if len(self._buffer) < len(end):
            return False
        if not self._buffer.startswith(end):
            raise ProtocolError("The server sent another number of rows or columns than was asked for.")
        self._in_row = False
        return True

    def _take_cell(self) -> bool:
        """Decode the cell at the start of the buffer, if it is there whole."""
        if self._buffer[:1] == b",":
            del self._buffer[:1]

        first = bytes(self._buffer[:1])
        if first == b"]":
            raise ProtocolError("The server sent fewer columns than were asked for.")
        if first not in (b"", b"[", b"n"):
            raise ProtocolError(_NO_ROWS)

        done = self._results[-1]
        if self._buffer[:4] == b"null":
            done.append(None)
            self._drop(4)
            return True

        cells, end = self._whole_list()
        if cells is None:
            return False
        # The text goes before the values are made, so that they do not stand in the memory together.
        self._drop(end)

        kind = self._expected[len(self._results) - 1][len(done)]
        try:
            done.append(decode_array(cells, kind))
        except CELL_ERRORS as exc:
            raise ProtocolError(f"The exact answer has a value that does not fit its type, {kind}: {exc}") from None
        return True

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._scanned = 0
        self._brackets = None

    def _whole_list(self) -> tuple[list[Any] | None, int]:
        """The list at the start of the buffer and where it ends; None when it is not there whole yet."""
        if self._brackets is None:
            match = _LIST_END.search(self._buffer, self._scanned)
            if match is None:
                self._scanned = max(0, len(self._buffer) - 1)
                return None, 0
            end = match.start() + 1
            cells = _list_at_start(self._buffer, end)
            if cells is not None:
                return cells, end
            self._brackets = Brackets()  # A bracket in text, or a list of lists.

        self._brackets.read(self._buffer)
        end = self._brackets.end
        cells = _list_at_start(self._buffer, end) if end else None
        if end and cells is None:
            raise ProtocolError(_NO_ROWS)
        return cells, end


def parse_row(body: bytes) -> list[Any]:
    """The cells of an answer that holds one result with one row.

    Raises:
        ProtocolError: It does not, or was cut off.
    """
    try:
        with _collector_paused():
            (result,) = orjson.loads(body)["results"]
            (row,) = result["rows"]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise ProtocolError(_not_an_answer(body)) from None
    if not isinstance(row, list):
        raise ProtocolError(_not_an_answer(body))
    return row


@lru_cache(maxsize=64)  # A query that is asked again announces the same.
def _schema_of(text: bytes) -> tuple[Column, ...]:
    try:
        raw = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ()  # The last schema belongs to an earlier result, which has no rows: this one has none.
    return parse_schema(raw)


def _transposed(rows: list[list[Any]], width: int) -> list[tuple[Any, ...]]:
    """Rows as columns, all of the announced number."""
    try:
        columns = list(zip(*rows, strict=True))
    except (ValueError, TypeError):
        columns = []
    if len(columns) != width:
        raise ProtocolError(f"The server announced {width} columns and sent a row of another length.")
    return columns


def _list_at_start(buffer: bytearray, end: int) -> list[Any] | None:
    """The list at the start of a buffer, or None when it does not end there."""
    with memoryview(buffer) as view, view[:end] as text:
        try:
            found: list[Any] = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
    return found


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Garbage collection off."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _not_an_answer(body: bytes | bytearray) -> str:
    start = shortened(bytes(body[:500]), 120)
    return (
        f"The answer is not a KalamDB answer; it begins with {start!r}.\n"
        "Check that the URL is that of the server itself, not of a proxy's page."
    )
