"""What readers send SQL through: ``transport.sql.SqlEndpoint``, or a script in tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from kalam_notebook.transport.sql import Answer

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Endpoint"]


class Endpoint(Protocol):
    """What can run SQL."""

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Answer:
        """Run statements and read the whole answer."""

    def execute_row(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        """Run a SELECT that returns one row, and give its cells as the wire has them."""

    def execute_lists(self, sql: str, params: Sequence[Any], types: Sequence[pa.DataType]) -> list[pa.Array | None]:
        """Run a SELECT that returns one row of lists, and give an array for each; None for NULL."""
