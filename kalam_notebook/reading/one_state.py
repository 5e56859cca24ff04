"""Statements that each see one state of all tables, as far as the server lets them.

It gives each scan of a statement a state of its own, unless it stands between BEGIN and COMMIT (truth L29). Newer ones
refuse STREAM tables there (protocol/sql.md#later-versions); which statements that concerns, they show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pyarrow as pa

from kalam_notebook.errors import KalamError, QueryError, ServerError
from kalam_notebook.http.endpoint import Answer
from kalam_notebook.http.failures import is_exhausted
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.sql.params import write_parameters_in
from kalam_notebook.wire.failed import failed_statement, told_as

__all__ = ["OneStateEndpoint"]

_T = TypeVar("_T")


class OneStateEndpoint:
    """An endpoint whose statements each see one state of all tables.

    Args:
        endpoint: Runs the SQL.
        tables: Those that the statements read.
        refused: Tables that were refused in a transaction together, and read without one; kept up here.
    """

    def __init__(self, endpoint: Endpoint, tables: tuple[str, ...], refused: set[tuple[str, ...]]) -> None:
        self._endpoint = endpoint
        self._tables = tables
        self._refused = refused

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Answer:
        """Run one statement that reads; see ``Endpoint``."""

        def ask() -> Answer:
            answer = self._endpoint.execute(*_in_transaction(sql, params))
            # Without what is said of BEGIN and COMMIT.
            return replace(answer, results=answer.results[1:-1], tables=answer.tables[1:-1])

        return self._ask(sql, ask, lambda: self._endpoint.execute(sql, params))

    def execute_row(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """Run one statement that scans nothing; see ``Endpoint``."""
        return self._endpoint.execute_row(sql, params)

    def execute_lists(
        self, sql: str, params: Sequence[Any], types: Sequence[Sequence[pa.DataType]]
    ) -> list[list[pa.Array | None]]:
        """Run one statement that reads; see ``Endpoint``."""
        return self._ask(
            sql,
            lambda: self._endpoint.execute_lists(*_in_transaction(sql, params), types),
            lambda: self._endpoint.execute_lists(sql, params, types),
        )

    def _ask(self, sql: str, ask: Callable[[], _T], ask_apart: Callable[[], _T]) -> _T:
        if self._tables in self._refused:
            return ask_apart()
        try:
            with _as_first(sql):
                return ask()
        except QueryError as refusal:
            if is_exhausted(refusal):
                raise
            # Of what was refused, its text does not tell for certain; that it is carried out otherwise does.
            try:
                answer = ask_apart()
            except KalamError:
                raise refusal from None
        self._refused.add(self._tables)
        return answer


def _in_transaction(sql: str, params: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """A statement as a transaction. Several statements take no parameters, so they are written in."""
    return f"BEGIN;\n{write_parameters_in(sql, params)}\n;\nCOMMIT", ()


@contextmanager
def _as_first(sql: str) -> Iterator[None]:
    """Errors tell of the statement as it was written: BEGIN before it is not the reader's."""
    try:
        yield
    except ServerError as exc:
        if failed_statement(exc.message) == 2:
            exc.message = told_as("1", exc.message)
        exc.sql = sql
        raise
