"""What queries return: Arrow inside, frames and a readable preview outside.

``QueryResponse`` is the server's answer as sent; ``QueryResult`` one result of it, or of a complete read, together with
what is known of its completeness. Nothing here talks to the server.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from kalam_notebook.callers import short_failures
from kalam_notebook.errors import ResultError
from kalam_notebook.results.frames import to_pandas, to_polars, unsliced
from kalam_notebook.results.render import PREVIEW_ROWS, render_html, render_message_html, render_text
from kalam_notebook.texts import in_line, shown
from kalam_notebook.wire.fileref import FileHost
from kalam_notebook.wire.types import Column

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["Completeness", "IncompleteResultWarning", "Method", "QueryResponse", "QueryResult", "readers_width"]

#: How a result was read: as the server sent it, as one aggregated row, in windows of ``_seq``, or on local copies.
Method = Literal["plain", "exact", "pages", "local"]

_NOTEBOOK_WIDTH = 120


class IncompleteResultWarning(UserWarning):
    """A result may not hold everything that the query asked for."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether a result holds everything, and how that is known.

    Attributes:
        is_complete: True when nothing is missing or changed.
        text: The same in words, for example ``complete`` or ``complete (read again exactly: …)``.
        requests: Requests that were sent for it.
        method: How it was read: ``plain`` as the server sent it, ``exact`` as one aggregated row, ``pages`` by windows
            of ``_seq``, ``local`` on copies of the tables.
        reason: Why the plain answer was not enough, or not certain; None where it was.
    """

    is_complete: bool
    text: str
    requests: int = 1
    method: Method = "plain"
    reason: str | None = None

    def __str__(self) -> str:
        return self.text


@short_failures
@dataclass(frozen=True, slots=True)
class QueryResult:
    """One result: rows, or the message of a statement without rows.

    Attributes:
        columns: Columns in SELECT order, with the server's types; empty without rows.
        row_count: Rows returned, or rows affected.
        message: The server's message, or None.
        as_user: User id the statement ran as, or None.
        completeness: What is known of it; None for an answer as sent by ``execute_query``.
        notices: Things the reader should know, in words.
    """

    columns: tuple[Column, ...]
    row_count: int
    message: str | None = None
    as_user: str | None = None
    completeness: Completeness | None = None
    notices: tuple[str, ...] = ()
    _table: pa.Table | None = field(default=None, repr=False)
    _bind: tuple[str, str] | None = field(default=None, repr=False)
    _host: FileHost | None = field(default=None, repr=False)
    _foot: tuple[str, ...] = field(default=(), repr=False)
    #: What shows all of it, in the words of where it was asked for.
    _door: str = field(default="browse() shows all", repr=False)

    @property
    def has_rows(self) -> bool:
        """Whether the statement returns rows, if only none at the moment."""
        return self._table is not None

    def arrow(self) -> pa.Table:
        """Give the rows as an Arrow table, columns in SELECT order.

        Raises:
            ResultError: The statement returns no rows.
        """
        if self._table is None:
            raise ResultError(
                f"The statement was carried out ({self.message or 'no message'}) and returns no rows.\n"
                "Use execute_query for such statements; it returns the message and the row count."
            )
        return self._table

    def df(self) -> pd.DataFrame:
        """Give the rows as a DataFrame, with the types of ``kalam.query``.

        Raises:
            ResultError: The statement returns no rows.
        """
        return to_pandas(self.arrow(), bind=self._bind, host=self._host)

    def polars(self) -> pl.DataFrame:
        """Give the rows as a polars frame.

        Raises:
            ResultError: The statement returns no rows, or two columns have one name.
            MissingDependencyError: polars is not installed.
        """
        return to_polars(self.arrow())

    def __arrow_c_schema__(self) -> object:
        return self.arrow().schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give ``arrow()`` to any library that takes Arrow streams, for example ``polars.DataFrame(result)``."""
        return unsliced(self.arrow()).__arrow_c_stream__(requested_schema)

    def browse(self) -> None:
        """Show all rows in the running cell, to be sorted, searched, filtered and copied; see ``kalam.browse``.

        Raises:
            ResultError: The statement returns no rows.
        """
        from kalam_notebook.results.browsing import browse

        browse(self)

    @property
    def footer(self) -> tuple[str, ...]:
        """Short facts for the foot of a preview."""
        if self.completeness is None:
            return ("as the server sent it", *self._foot)
        requests = self.completeness.requests
        # What a notice says at length is not said twice.
        text = self.completeness.text.partition(":")[0] if self.notices else self.completeness.text
        return (text, "1 request" if requests == 1 else f"{requests} requests", *self._foot)

    def _told(self) -> str:
        """What there is to say of a statement without rows."""
        return " · ".join((self.message or f"{self.row_count} row(s)", *self._foot))

    def _repr_html_(self) -> str:
        if self._table is None:
            return render_message_html(self._told(), notices=self.notices)
        door = (self._door,) if self.row_count > PREVIEW_ROWS else ()
        return render_html(self._table, columns=self.columns, footer=(*self.footer, *door), notices=self.notices)

    def __repr__(self) -> str:
        if self._table is None:
            return f"<QueryResult {in_line(self.message or str(self.row_count))}>"
        return f"<QueryResult {self.row_count} rows × {len(self.columns)} columns>"

    def __str__(self) -> str:
        return self._text(None)

    def _text(self, width: int | None) -> str:
        if self._table is None:
            return shown(self._told())
        return render_text(self._table, columns=self.columns, footer=self.footer, notices=self.notices, max_width=width)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401 - IPython's printer has no types.
        printer.text(self._text(readers_width()) if _is_alone(printer) else repr(self))


@dataclass(frozen=True, slots=True)
class QueryResponse:
    """The server's answer to one request.

    With several statements, results of INSERT, UPDATE and DELETE stand at the end, added up per kind: the server sends
    them so.

    Attributes:
        results: One per result, in the server's order.
        took_ms: Milliseconds on the server.
    """

    results: tuple[QueryResult, ...]
    took_ms: float

    def __iter__(self) -> Iterator[QueryResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, index: int) -> QueryResult:
        return self.results[index]

    @property
    def rows(self) -> QueryResult:
        """The one result that has rows.

        Raises:
            ResultError: There is none, or more than one.
        """
        found = [result for result in self.results if result.has_rows]
        if len(found) == 1:
            return found[0]
        if not found:
            messages = "; ".join(result.message or f"{result.row_count} row(s)" for result in self.results)
            raise ResultError(
                f"The statement was carried out ({messages or 'no message'}) and returns no rows.\n"
                "Use execute_query for such statements."
            )
        raise ResultError(
            f"The text holds {len(found)} statements that return rows; one is needed here.\n"
            "Use execute_query(sql).results for all of them."
        )

    def _repr_html_(self) -> str:
        return "".join(result._repr_html_() for result in self.results)

    def __str__(self) -> str:
        return "\n\n".join(str(result) for result in self.results)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401
        width = readers_width()
        printer.text("\n\n".join(result._text(width) for result in self.results) if _is_alone(printer) else repr(self))


def readers_width() -> int:
    """Characters of a line for the reader: of the terminal, or of a text that a notebook keeps."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _NOTEBOOK_WIDTH


def _is_alone(printer: Any) -> bool:  # noqa: ANN401
    """Whether IPython shows an object for itself, and not as a part of a list."""
    return len(printer.stack) == 1
