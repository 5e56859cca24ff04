"""What readers send SQL through: ``http.endpoint.SqlEndpoint``, or a script in tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pyarrow as pa

from kalam_notebook.http.endpoint import Answer
from kalam_notebook.sql.statement import Statement, enclosed

__all__ = ["CountingEndpoint", "Endpoint", "ImpersonatingEndpoint", "WatchableEndpoint"]


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
        envelope: ``EXECUTE AS USER name``, later ``EXECUTE AS name``; the server wants each statement in parentheses
            behind it (protocol/sql.md#execute-as).
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
        return ";\n".join(
            one if one in {"BEGIN", "COMMIT"} else f"{self._envelope} {enclosed(one)}"
            for one in Statement.of(sql).statements
        )


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
