"""Which keys a table has already, and how many rows: the questions a write asks before and after."""

from __future__ import annotations

from collections.abc import Sequence

from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.window import WindowCheck
from kalam_notebook.writing.target import Target, column_name
from kalam_notebook.writing.values import storage_type

__all__ = ["count_rows", "existing_keys", "is_beyond_window"]


def count_rows(endpoint: Endpoint, target: Target) -> int:
    """How many rows the table has; this count is right in any case (truth L3)."""
    return int(endpoint.execute_row(f"SELECT count(*) AS n FROM {target.name}")[0])


def is_beyond_window(endpoint: Endpoint, target: Target) -> bool:
    """Whether scans of the table may miss its newest rows, so that only single keys are found safely (truth L3).

    It is asked anew each time: what is being written may itself have gone beyond the window.
    """
    return WindowCheck().is_beyond(endpoint, target.name) is not False


def existing_keys(endpoint: Endpoint, target: Target, keys: Sequence[str]) -> set[object]:
    """The keys, of those asked for, that the table has.

    Args:
        endpoint: Runs the SQL.
        target: The table; it has a key.
        keys: The keys as literals.

    Returns:
        Their values, as ``pyarrow`` gives them in Python.
    """
    own = target.key
    assert own is not None
    name = column_name(own.name)
    if is_beyond_window(endpoint, target):
        look = f"SELECT {name} FROM {target.name} WHERE {name} = "
        answer = endpoint.execute("; ".join(f"{look}{key}" for key in keys))
        return {value for table in answer.tables if table is not None for value in table.column(0).to_pylist()}
    sql = f"SELECT array_agg({name}) AS k FROM {target.name} WHERE {name} IN ({', '.join(keys)})"
    ((found,),) = endpoint.execute_lists(sql, [], [[storage_type(own)]])
    return set() if found is None else set(found.to_pylist())
