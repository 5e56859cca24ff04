"""What readers send SQL through: ``transport.sql.SqlEndpoint``, or a script in tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from kalam_notebook.transport.sql import Answer

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CountingEndpoint", "Endpoint"]


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
