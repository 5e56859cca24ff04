"""What readers send SQL through: ``http.endpoint.SqlEndpoint``, or a script in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from kalam_notebook.errors import ServerError
from kalam_notebook.http.endpoint import Answer
from kalam_notebook.sql.params import write_parameters_in
from kalam_notebook.sql.statement import Statement

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CountingEndpoint", "Endpoint", "ImpersonatingEndpoint", "OneStateEndpoint", "WatchableEndpoint"]


class Endpoint(Protocol):
    """What can run SQL."""

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Answer:
        """Run statements and read the whole answer."""

    def execute_row(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """Run a SELECT that returns one row, and give its cells as the wire has them."""

    def execute_lists(
        self, sql: str, params: Sequence[Any], types: Sequence[Sequence[pa.DataType]]
    ) -> list[list[pa.Array | None]]:
        """Run SELECTs that return one row of lists each, and give an array for each; None for NULL."""


class WatchableEndpoint(Endpoint, Protocol):
    """An endpoint that can tell of answers as they come."""

    def watched(self, on_data: Callable[[int, int], None]) -> Endpoint:
        """The same, which calls ``on_data`` with new bytes and all rows so far."""


class ImpersonatingEndpoint:
    """An endpoint that runs every statement as another user.

    Args:
        endpoint: Runs the SQL.
        envelope: ``EXECUTE AS USER name``; the server wants each statement in parentheses behind it
        (protocol/sql.md#execute-as).
    """

    def __init__(self, endpoint: Endpoint, envelope: str) -> None:
        self._endpoint = endpoint
        self._envelope = envelope

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Answer:
        """See ``Endpoint``."""
        return self._endpoint.execute(self._wrapped(sql), params)

    def execute_row(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """See ``Endpoint``."""
        return self._endpoint.execute_row(self._wrapped(sql), params)

    def execute_lists(
        self, sql: str, params: Sequence[Any], types: Sequence[Sequence[pa.DataType]]
    ) -> list[list[pa.Array | None]]:
        """See ``Endpoint``."""
        return self._endpoint.execute_lists(self._wrapped(sql), params, types)

    def _wrapped(self, sql: str) -> str:
        statements = Statement.of(sql).statements
        return ";\n".join(one if one in {"BEGIN", "COMMIT"} else f"{self._envelope} (\n{one}\n)" for one in statements)


class OneStateEndpoint:
    """An endpoint whose statements each see one state of all tables.

    The server gives each scan of a statement a state of its own, unless it stands between BEGIN and COMMIT (truth L29).

    Args:
        endpoint: Runs the SQL.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Answer:
        """Run one statement that reads; see ``Endpoint``."""
        with _as_first(sql):
            answer = self._endpoint.execute(*_in_transaction(sql, params))
        # Without what is said of BEGIN and COMMIT.
        return replace(answer, results=answer.results[1:-1], tables=answer.tables[1:-1])

    def execute_row(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """Run one statement that scans nothing; see ``Endpoint``."""
        return self._endpoint.execute_row(sql, params)

    def execute_lists(
        self, sql: str, params: Sequence[Any], types: Sequence[Sequence[pa.DataType]]
    ) -> list[list[pa.Array | None]]:
        """Run one statement that reads; see ``Endpoint``."""
        with _as_first(sql):
            return self._endpoint.execute_lists(*_in_transaction(sql, params), types)


def _in_transaction(sql: str, params: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """A statement as a transaction. Several statements take no parameters, so they are written in."""
    return f"BEGIN;\n{write_parameters_in(sql, params)}\n;\nCOMMIT", ()


@contextmanager
def _as_first(sql: str) -> Iterator[None]:
    """Errors tell of the statement as it was written: BEGIN before it is not the reader's."""
    try:
        yield
    except ServerError as exc:
        exc.message = exc.message.replace("Statement 2 failed", "Statement 1 failed", 1)
        exc.sql = sql
        raise


class CountingEndpoint:
    """An endpoint that counts its requests.

    Args:
        endpoint: Runs the SQL.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.requests = 0

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Answer:
        """See ``Endpoint``."""
        self.requests += 1
        return self._endpoint.execute(sql, params)

    def execute_row(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """See ``Endpoint``."""
        self.requests += 1
        return self._endpoint.execute_row(sql, params)

    def execute_lists(
        self, sql: str, params: Sequence[Any], types: Sequence[Sequence[pa.DataType]]
    ) -> list[list[pa.Array | None]]:
        """See ``Endpoint``."""
        self.requests += 1
        return self._endpoint.execute_lists(sql, params, types)
