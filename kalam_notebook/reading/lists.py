"""Columns of lists, which KalamDB from 0.8 on announces as their elements (protocol/http.md#later-versions)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kalam_notebook.errors import ProtocolError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.forms import true_type
from kalam_notebook.sql.statement import enclosed
from kalam_notebook.wire.arrow_names import LIST
from kalam_notebook.wire.row_version import RowVersion
from kalam_notebook.wire.types import Column

__all__ = ["may_hold_lists", "with_lists"]


def may_hold_lists(version: RowVersion | None) -> bool:
    """Whether a table may have columns of lists: none has whose versions hold a time."""
    return version is not None and not version.has_time


def with_lists(
    endpoint: Endpoint, sql: str, columns: Sequence[Column], params: Sequence[Any] = ()
) -> tuple[Column, ...]:
    """The columns of a SELECT, lists under their own type (truth R2). Costs the server no scan.

    Args:
        endpoint: Runs the SQL.
        sql: The SELECT, whose columns are those of a table.
        columns: They as announced.
        params: JSON values for ``$1 …``.

    Raises:
        ServerError: The server refuses the SELECT.
    """
    names = [f"c{index}" for index in range(len(columns))]
    asked = ", ".join(f"arrow_typeof(first_value({name})) AS {name}" for name in names)
    rows = f"SELECT * FROM {enclosed(sql)} AS kalam_all LIMIT 0"
    told = endpoint.execute_row(f"SELECT {asked} FROM ({rows}) AS q({', '.join(names)})", params)
    if len(told) != len(columns):
        raise ProtocolError(f"The answer has {len(told)} cells, where {len(columns)} types were expected.")
    return tuple(_true(column, str(text)) for column, text in zip(columns, told, strict=True))


def _true(column: Column, type_text: str) -> Column:
    if not LIST.fullmatch(type_text):
        return column
    return replace(column, type_name=type_text, list_type=true_type(type_text))
