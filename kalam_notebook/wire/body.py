"""The SQL answer, decoded while it is still arriving.

The server's body is ``{"status", "results": [{"schema", "rows", "row_count", …}], "took", "error"}``. Only the rows are
large. They are cut into groups of about 1 MiB at places where one row ends and the next begins, and each group becomes
a record batch; all that is not rows is kept as the *skeleton* and read at the end. A group is cut at the last ``],[``;
that this is the border of two rows, and not text in a cell, is proved by parsing: only a group that begins and ends at
such borders is valid JSON between ``[`` and ``]``.

``"rows":[`` and ``],"row_count":`` cannot stand inside a cell, because quotes in JSON text are escaped.
Source: HTTP reference, section 7. Called by the HTTP transport.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from kalam_notebook.errors import DecodeError, ProtocolError
from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.types import Column, parse_schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BodyDecoder", "RawResult", "parse_row"]

#: Larger groups hold more Python objects at once, smaller ones cost more calls; 1 MiB measured best.
GROUP_BYTES = 1 << 20

_ROWS_BEGIN = b'"rows":['
_ROWS_END = b'],"row_count":'
_SCHEMA_BEGIN = b'{"schema":['
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]]', re.DOTALL)


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
    """

    def __init__(self, group_bytes: int = GROUP_BYTES) -> None:
        self._group_bytes = group_bytes
        self._buffer = bytearray()
        self._skeleton = bytearray()
        self._columns: tuple[Column, ...] | None = None  # Of the rows being read; None outside of rows.
        self._counts: list[int] = []  # Rows decoded of each result that has rows.

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
            end = self._buffer.find(_ROWS_END)
            # A border that is not one (a nested object with these members) is told by the parser below.
            while end >= 0:
                rows = self._parse(0, end)
                if rows is not None:
                    break
                end = self._buffer.find(_ROWS_END, end + 1)
            if end >= 0:
                yield from self._decode(rows)
                self._leave_rows(end)
                continue
            if len(self._buffer) < self._group_bytes:
                return
            cut, rows = self._cut_group()
            if rows is None:
                return
            yield from self._decode(rows)
            del self._buffer[: cut + 2]  # The group and "],": what follows begins with "[".

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
        except (orjson.JSONDecodeError, KeyError, TypeError) as exc:
            raise ProtocolError(_not_an_answer(bytes(self._skeleton))) from exc
        return self._results(raw_results), took

    def _results(self, raw_results: Sequence[Any]) -> list[RawResult]:
        counts = iter(self._counts)
        results = []
        for raw in raw_results:
            has_rows = "rows" in raw
            row_count = int(raw.get("row_count") or 0)
            decoded = next(counts) if has_rows else row_count
            if decoded != row_count:
                raise ProtocolError(
                    f"The server announced {row_count} rows and sent {decoded}. Nothing of it was used."
                )
            results.append(
                RawResult(parse_schema(raw.get("schema")), row_count, has_rows, raw.get("message"), raw.get("as_user"))
            )
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
        del self._buffer[:end]
        self._columns = self._announced_columns()
        self._counts.append(0)
        return True

    def _announced_columns(self) -> tuple[Column, ...]:
        """The schema that stands before the rows; it is left out when there are no columns."""
        begin = self._skeleton.rfind(_SCHEMA_BEGIN)
        tail = bytes(self._skeleton[begin + len(_SCHEMA_BEGIN) - 1 : -len(_ROWS_BEGIN) - 1]) if begin >= 0 else b"[]"
        try:
            return parse_schema(orjson.loads(tail))
        except orjson.JSONDecodeError:
            return ()  # The last schema belongs to an earlier result: this one has none.

    def _leave_rows(self, end: int) -> None:
        self._columns = None
        del self._buffer[:end]

    def _parse(self, start: int, end: int) -> list[list[Any]] | None:
        """The rows between two borders, or None when these are not borders."""
        try:
            with _collector_paused():
                rows: list[list[Any]] = orjson.loads(b"[" + self._buffer[start:end] + b"]")
        except orjson.JSONDecodeError:
            return None
        return rows

    def _cut_group(self) -> tuple[int, list[list[Any]] | None]:
        """The last border in the buffer and the rows before it; no rows when one row fills the buffer."""
        cut = self._buffer.rfind(b"],[")
        if cut < 0:
            return 0, None
        rows = self._parse(0, cut + 1)
        if rows is None:  # The mark stands in a cell. Find the real borders by reading strings and brackets.
            cut = self._last_border()
            rows = self._parse(0, cut + 1) if cut >= 0 else None
        return cut, rows

    def _last_border(self) -> int:
        depth, border = 0, -1
        buffer = bytes(self._buffer)
        for match in _STRING_OR_BRACKET.finditer(buffer):
            mark = match.group()
            if mark == b"[":
                depth += 1
            elif mark == b"]":
                depth -= 1
                if depth == 0 and buffer[match.end() : match.end() + 2] == b",[":
                    border = match.start()
        return border

    def _decode(self, rows: list[list[Any]] | None) -> Iterator[tuple[int, pa.RecordBatch]]:
        if not rows:
            return
        index = len(self._counts) - 1
        columns = self._columns or ()
        with _collector_paused():
            if any(len(row) != len(columns) for row in rows):
                raise ProtocolError(f"The server announced {len(columns)} columns and sent a row of another length.")
            try:
                batch = decode_columns(columns, list(zip(*rows, strict=True)) if columns else [])
            except DecodeError as exc:
                raise DecodeError(
                    exc.column,
                    exc.type_name,
                    None if exc.row is None else exc.row + self._counts[index],
                    exc.value,
                    exc.reason,
                ) from exc
        self._counts[index] += len(rows)
        yield index, batch


def parse_row(body: bytes) -> list[Any]:
    """The cells of an answer that holds one result with one row.

    Raises:
        ProtocolError: It does not, or was cut off.
    """
    try:
        with _collector_paused():
            (result,) = orjson.loads(body)["results"]
            (row,) = result["rows"]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as exc:
        raise ProtocolError(_not_an_answer(body)) from exc
    return list(row)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Garbage collection off: a group makes a hundred thousand objects that all die together."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _not_an_answer(body: bytes) -> str:
    start = body[:120].decode("utf-8", "replace")
    return (
        f"The answer is not a KalamDB answer; it begins with {start!r}.\n"
        "Check that the URL is that of the server itself, not of a proxy's page."
    )
