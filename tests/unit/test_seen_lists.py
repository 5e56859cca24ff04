"""Columns of lists that only their cells tell of."""

import pyarrow as pa
import pytest

from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.seen_lists import as_seen
from kalam_notebook.wire.types import Column, arrow_type

INT, TEXT = Column("c", "Int"), Column("c", "Text")


@pytest.mark.parametrize(
    ("column", "cells", "kind", "name"),
    [
        (INT, [[1, 2], None, []], pa.list_(pa.int32()), "List(Int32)"),
        (INT, [[[1], []], [None]], pa.list_(pa.list_(pa.int32())), "List(List(Int32))"),
        (Column("c", "BigInt"), [["9007199254740993"]], pa.list_(pa.int64()), "List(Int64)"),
        (Column("c", "Decimal", 6, 2), [["-0.50", None]], pa.list_(pa.decimal128(6, 2)), "List(Decimal128(6, 2))"),
        (TEXT, [["a", None], None], pa.list_(pa.string()), "List(Utf8)"),
    ],
)
def test_cells_that_are_lists_make_a_column_of_lists(column, cells, kind, name):
    (seen,) = as_seen([column], [cells])
    assert (arrow_type(seen), seen.type_name) == (kind, name)
    assert decode_columns([seen], [cells]).column(0).type == kind


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        (INT, [1, None]),
        (INT, [None]),
        (INT, [[1], 2]),
        (TEXT, ["a", ["b"]]),
        (TEXT, [[1, 2]]),
        (Column("c", "Bytes"), [[1, 2]]),
        (Column("c", "Embedding", size=2), [[1.0, 2.0]]),
        (Column("c", "Json"), [["a"]]),
    ],
)
def test_others_are_what_is_announced(column, cells):
    assert as_seen([column], [cells]) == (column,)


def test_lists_as_deep_as_json_may_be():
    cell = []
    for _ in range(1_000):
        cell = [cell]
    (seen,) = as_seen([TEXT], [[cell]])
    assert seen.type_name.startswith("List(List(")
