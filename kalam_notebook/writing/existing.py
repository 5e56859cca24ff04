"""Which rows a table has already, and how many: the questions a write asks before and after."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from kalam_notebook.errors import ProtocolError, ServerError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.reading.exact import exact_text
from kalam_notebook.reading.window import WindowCheck
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.wire.answered import one_number, table_of
from kalam_notebook.wire.types import Column, arrow_schema, arrow_type
from kalam_notebook.writing.literals import literals, without_placeholder
from kalam_notebook.writing.requests import batches, cost_of
from kalam_notebook.writing.rows import CheckedRows, RowState
from kalam_notebook.writing.target import Target
from kalam_notebook.writing.values import storage_type

__all__ = ["count_rows", "existing_keys", "is_beyond_window", "look_up", "look_up_settled"]

#: Keys of one question. Every question scans the table, so fewer would be slower; a text of 1 MiB is not reached.
_KEYS_PER_SCAN = 2_000
#: Statements of a request that were seen to work (protocol/http.md#batches).
_KEYS_ONE_BY_ONE = 500
#: Seconds in which nothing changes when the server has ended a request. Its statements take some milliseconds each.
_SETTLED_S = 1.0


def count_rows(endpoint: Endpoint, target: Target) -> int:
    """How many rows the table has; this count is right in any case (truth L3)."""
    return one_number(endpoint.execute_row(f"SELECT count(*) AS n FROM {target.name}")) or 0


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
    one_by_one = is_beyond_window(endpoint, target)
    found: set[object] = set()
    for part in _parts(keys, _KEYS_ONE_BY_ONE if one_by_one else _KEYS_PER_SCAN):
        found |= _keys_one_by_one(endpoint, target, part) if one_by_one else _scanned_keys(endpoint, target, part)
    return found


def look_up(endpoint: Endpoint, rows: CheckedRows, start: int, stop: int) -> list[RowState]:
    """Compare rows of a frame with the table, so that only what differs needs to be written.

    Args:
        endpoint: Runs the SQL.
        rows: The rows; their table has a key.
        start: First row.
        stop: Row behind the last one.

    Returns:
        The state of each. Where values cannot be told (a table beyond the scan window, or more
        of them than the server's query memory takes), a row that is there counts as changed.
    """
    own = rows.target.key
    assert own is not None
    keys = [without_placeholder(key) for key in literals(rows.keys[start:stop], own)]
    if is_beyond_window(endpoint, rows.target):
        return _by_keys(endpoint, rows, start, keys)
    states: list[RowState] = []
    for part in _parts(keys, _KEYS_PER_SCAN):
        first = start + len(states)
        try:
            states += _by_values(endpoint, rows, first, part)
        except (ServerError, ProtocolError):
            # Resources exhausted, which has no code of its own (truth R1). Another error comes again.
            states += _by_keys(endpoint, rows, first, part)
    return states


def look_up_settled(endpoint: Endpoint, rows: CheckedRows, start: int, stop: int) -> list[RowState]:
    """The states of rows whose request has lost its connection: the server carries it on to its end all the same.

    Args:
        endpoint: As for ``look_up``.
        rows: As for ``look_up``.
        start: First row.
        stop: Row behind the last one.

    Returns:
        The states, when all rows are there, or nothing has changed for a second.
    """
    states = look_up(endpoint, rows, start, stop)
    while RowState.NEW in states:
        time.sleep(_SETTLED_S)
        before, states = states, look_up(endpoint, rows, start, stop)
        if states == before:
            break
    return states


def _parts(keys: Sequence[str], most: int) -> Iterator[list[str]]:
    return batches(keys, cost_of, head=1_000, chunk_rows=most, max_rows=most)


def _keys_one_by_one(endpoint: Endpoint, target: Target, keys: Sequence[str]) -> set[object]:
    name = _key_name(target)
    look = f"SELECT {name} FROM {target.name} WHERE {name} = "
    answer = endpoint.execute("; ".join(f"{look}{key}" for key in keys))
    return {value for index in range(len(keys)) for value in answer.column(index)}


def _scanned_keys(endpoint: Endpoint, target: Target, keys: Sequence[str]) -> set[object]:
    assert target.key is not None
    name = _key_name(target)
    sql = f"SELECT array_agg({name}) AS k FROM {target.name} WHERE {name} IN ({', '.join(keys)})"
    ((found,),) = endpoint.execute_lists(sql, [], [[storage_type(target.key)]])
    return set() if found is None else set(found.to_pylist())


def _by_keys(endpoint: Endpoint, rows: CheckedRows, start: int, keys: Sequence[str]) -> list[RowState]:
    found = existing_keys(endpoint, rows.target, keys)
    return [
        RowState.CHANGED if key in found else RowState.NEW for key in rows.keys[start : start + len(keys)].to_pylist()
    ]


def _by_values(endpoint: Endpoint, rows: CheckedRows, start: int, keys: Sequence[str]) -> list[RowState]:
    target = rows.target
    assert target.key is not None
    names = [quote_name(column.name) for column in rows.columns]
    kinds = [arrow_type(column) for column in rows.columns]
    lists = ", ".join(
        f"array_agg({exact_text(name, kind)}) AS c{index}"
        for index, (name, kind) in enumerate(zip(names, kinds, strict=True))
    )
    sql = f"SELECT {lists} FROM {target.name} WHERE {_key_name(target)} IN ({', '.join(keys)})"
    (found,) = endpoint.execute_lists(sql, [], [kinds])
    if table_of(found, arrow_schema(tuple(rows.columns))).num_rows == 0:
        return [RowState.NEW] * len(keys)

    held = dict(zip((column.name for column in rows.columns), found, strict=True))
    theirs = held[target.key.name]
    place = pc.index_in(rows.keys[start : start + len(keys)], value_set=theirs)
    same = place.is_valid()
    for column in rows.columns:
        given = rows.arrays[column.name][start : start + len(keys)]
        same = pc.and_(same, _equal(given, _stored(held[column.name]).take(place), column))

    of_present = [RowState.SAME if is_same else RowState.CHANGED for is_same in same.to_pylist()]
    return [RowState.NEW if at is None else state for at, state in zip(place.to_pylist(), of_present, strict=True)]


def _stored(array: pa.Array) -> pa.Array:
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _equal(left: pa.Array, right: pa.Array, column: Column) -> pa.Array:
    """For each row whether the values are the same to the last bit, NULL and NULL included; never NULL itself."""
    if column.type_name == "Embedding":
        return _equal_embeddings(left, right, column.size)
    if types.is_floating(left.type):  # 0.0 and -0.0 are two values.
        bits = pa.int32() if types.is_float32(left.type) else pa.int64()
        left, right = left.view(bits), right.view(bits)
    both_null = pc.and_(left.is_null(), right.is_null())
    return pc.or_(pc.fill_null(pc.equal(left, right), False), both_null)


def _equal_embeddings(left: pa.Array, right: pa.Array, size: int) -> pa.Array:
    left = left.take(pa.array(range(len(left)), pa.int32()))  # ``values`` begins at the first row only without offset.
    bits = [side.values.to_numpy(zero_copy_only=False).view(np.uint32).reshape(-1, size) for side in (left, right)]
    is_equal = pa.array((bits[0] == bits[1]).all(axis=1))
    both_null = pc.and_(left.is_null(), right.is_null())
    return pc.or_(pc.and_(is_equal, pc.and_(left.is_valid(), right.is_valid())), both_null)


def _key_name(target: Target) -> str:
    assert target.key is not None
    return quote_name(target.key.name)
