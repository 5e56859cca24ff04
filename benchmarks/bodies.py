"""Seeded answers of the server, in the row form and in the column form of exact reading."""

from __future__ import annotations

import random
from collections.abc import Iterator

import orjson
import pyarrow as pa

from kalam_notebook.wire.types import arrow_schema, parse_schema

SCHEMA = [
    {"name": "id", "data_type": "BigInt", "index": 0, "flags": ["pk", "nn", "uq"]},
    {"name": "n", "data_type": "Int", "index": 1},
    {"name": "score", "data_type": "Double", "index": 2},
    {"name": "name", "data_type": "Text", "index": 3},
    {"name": "day", "data_type": "Date", "index": 4},
    {"name": "at", "data_type": "Timestamp", "index": 5},
    {"name": "ok", "data_type": "Boolean", "index": 6},
    {"name": "room", "data_type": "Text", "index": 7},
]


def rows(count: int) -> list[list[object]]:
    """Eight mixed columns, one value in fifty NULL."""
    dice = random.Random(42)
    return [
        [
            str(383403771194871808 + i),
            dice.randrange(1_000_000),
            round(dice.random() * 1000, 3),
            f"name {dice.randrange(10_000)} é",
            19_000 + dice.randrange(2_000),
            1_704_067_200_000_000 + dice.randrange(10**12),
            dice.random() < 0.5,
            None if i % 50 == 0 else f"room-{dice.randrange(100)}",
        ]
        for i in range(count)
    ]


def wide_rows(count: int, columns: int) -> tuple[list[dict[str, object]], list[list[object]]]:
    """Many columns: the eight of ``SCHEMA`` over and over."""
    base = rows(count)
    schema = [{**SCHEMA[i % 8], "name": f"c{i}", "index": i} for i in range(columns)]
    return schema, [[row[i % 8] for i in range(columns)] for row in base]


def row_body(schema: list[dict[str, object]], found: list[list[object]]) -> bytes:
    """The answer to a SELECT."""
    result = {"schema": schema, "rows": found, "row_count": len(found), "as_user": "root"}
    return orjson.dumps({"status": "success", "results": [result], "took": 1.5, "error": None})


def column_body(found: list[list[object]]) -> bytes:
    """The answer to an exact read: one row that holds a list for each column. Nested objects come as text."""
    columns = [list(column) for column in zip(*found, strict=True)]
    columns[3] = [value if isinstance(value, str) else orjson.dumps(value).decode() for value in columns[3]]
    columns[2] = [repr(value) for value in columns[2]]
    columns[5] = [str(value) for value in columns[5]]
    lists = [[str(i) for i in range(1, len(found) + 1)], *columns]
    schema = [{"name": f"c{i}", "data_type": "Text", "index": i} for i in range(len(lists))]
    return row_body(schema, [lists])


def list_schema() -> pa.Schema:
    """The fields of ``column_body``."""
    return arrow_schema(parse_schema(SCHEMA))


def list_types() -> list[pa.DataType]:
    """The element types of ``column_body``: row numbers, then the fields."""
    return [pa.int64(), *list_schema().types]


def hostile_rows(count: int) -> dict[str, list[list[object]]]:
    """Rows whose text is full of what separates and ends rows, by what is hostile about them."""
    borders, escapes = '],["\\"],[' * 4, '\\"\n\u2028\x01é🦜\\\\"],["' * 3
    normal = rows(count)

    def with_cell(row: list[object], cell: object) -> list[object]:
        return [*row[:3], cell, *row[4:]]

    def with_one_cell(cell: object) -> list[list[object]]:
        middle = count // 2
        return [*normal[:middle], with_cell(normal[middle], cell), *normal[middle + 1 :]]

    ends: dict[str, object] = {"a": [], "row_count": 0}
    return {
        "cells full of `],[`": [with_cell(row, borders) for row in normal],
        "one cell of 1 MB of `],[`": with_one_cell("],[" * 350_000),
        "one cell of 9 MB of `],`": with_one_cell("]," * 4_500_000),
        "cells full of escapes": [with_cell(row, escapes) for row in normal],
        "cells that end like the rows do": [with_cell(row, [ends] * 3) for row in normal],
        "one cell of 1 MB of such ends": with_one_cell([ends] * 45_000),
    }


def chunks(body: bytes, size: int = 1 << 16) -> Iterator[bytes]:
    """The body as it arrives from a socket."""
    for start in range(0, len(body), size):
        yield body[start : start + size]
