"""What a page asks for beyond the rows that are sent: others, the details of one, a part of the page's own code.

A question is a message ``{"kind": "question", "number": 1, "about": …}`` of the page; the answer names its number. The
other end is ``js/src/session.ts``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.errors import ConfigError, LiveError
from kalam_notebook.live_queries.rows.history import microseconds
from kalam_notebook.notebook.page.grouping import grouped_rows
from kalam_notebook.notebook.page.page_rows import MAX_BYTES, TEXT_CHARS, PageRows, whole_rows
from kalam_notebook.notebook.page.ranges import Ranges, check_column, with_columns
from kalam_notebook.results.cells import CellColumn, cell_text, describe, plain
from kalam_notebook.wire.fileref import FileRef, image_of, is_image, parse_file_ref

if TYPE_CHECKING:
    from kalam_notebook.live_queries.table import LiveTable

__all__ = ["PARTS", "PageAnswer", "answer", "page_module", "page_part"]

logger = logging.getLogger("kalam_notebook")

#: Parts of the page's code beside what travels with every widget: a page asks for one when it is first used.
PARTS = frozenset({"live_tools", "live_chart", "live_arrow"})
_STATIC = Path(__file__).parent / "static"

#: Changes of a row that are told at most, and bytes of their cells.
_MAX_CHANGES = 200
_MAX_BYTES = 8 * 1024 * 1024
#: Groups that are told at most, the largest.
_MAX_GROUPS = 1_000


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What goes back to the page: JSON, and rows as Arrow IPC streams."""

    content: dict[str, Any]
    buffers: tuple[bytes, ...] = ()


def answer(live: LiveTable, question: dict[str, Any], ranges: Ranges | None = None) -> PageAnswer:
    """Answer a question of the page; what fails is told in the answer's ``fault``.

    Args:
        live: The live table.
        question: The question.
        ranges: Answers those about ranges of rows, and keeps their orders for the next.
    """
    try:
        found = _answer(live, question, ranges or Ranges(live))
    except Exception as exc:
        logger.info("A page asked what could not be answered", exc_info=True)
        found = PageAnswer({"fault": f"{type(exc).__name__}: {exc}"})
    return PageAnswer({**found.content, "kind": "answer", "number": question.get("number")}, found.buffers)


def _answer(live: LiveTable, question: dict[str, Any], ranges: Ranges) -> PageAnswer:
    match question.get("about"):
        case "part":
            return PageAnswer({"text": page_part(question["name"])})
        case "row":
            return _row(live, int(question["row"]), ranges)
        case "cells":
            return _cells(live, question, ranges)
        case "image":
            return _image(live, question, ranges)
        case "moments":
            return PageAnswer({"moments": [microseconds(moment) for moment in live.moments]})
        case "groups":
            return _groups(live, question)
        case "frequent":
            return _frequent(live, question)
        case "range":
            return PageAnswer(*ranges.answer(question))
        case "past":
            return _past(live, int(question["moment"]))
        case other:
            raise ConfigError(f"A live table does not know what {other!r} is about.")


def page_part(name: str) -> str:
    """The text of a part of the page's code.

    Raises:
        ConfigError: There is no such part.
    """
    if name not in PARTS:
        raise ConfigError(f"The page has no part {name!r}.")
    return page_module(name)


@cache
def page_module(name: str) -> str:
    """The text of a module of the page."""
    return (_STATIC / f"{name}.js").read_text(encoding="utf-8")


def _row(live: LiveTable, row_id: int, ranges: Ranges) -> PageAnswer:
    """A row as it is now, whole, and what happened to it lately."""
    (present, columns), changes = ranges.numbered([row_id]), live.row_changes(row_id, last=_MAX_CHANGES)
    happened = changes.table.slice(changes.table.num_rows - _fitting(changes.table))

    # The cells after a change stand between what is told of it and, in one column, those before it.
    first = happened.num_columns - 1 - present.num_columns
    after = pa.Table.from_arrays(happened.columns[first:-1], schema=present.schema)
    before = pa.Table.from_arrays(happened.columns[-1].combine_chunks().flatten(), schema=present.schema)

    milliseconds = happened.column("_at").cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64())
    content = {
        "columns": [asdict(column) for column in columns],
        "held": present.num_rows == 1,
        "images": dict(_images(present, columns)),
        "cut": happened.num_rows < changes.table.num_rows or happened.num_rows == _MAX_CHANGES,
        "effects": happened.column("_change").to_pylist(),
        "healed": happened.column("_healed").to_pylist(),
        "at": milliseconds.to_pylist(),
    }
    return PageAnswer(content, tuple(whole_rows(table, columns) for table in (present, after, before)))


def _cells(live: LiveTable, question: dict[str, Any], ranges: Ranges) -> PageAnswer:
    """Some columns of some rows, whole, for a copy of what a page holds the start of; nothing where it has changed."""
    rows, described = ranges.numbered(question["rows"])
    for column in question["columns"]:
        check_column(column, described)
    since, numbers = int(question["version"]), frozenset(question["rows"])
    is_changed = rows.num_rows < len(numbers)
    if since >= 0:
        delta = live.delta(since)
        is_changed |= delta.reset or not numbers.isdisjoint(delta.row_ids)
    if is_changed:
        return PageAnswer({"held": False})

    places = [int(column["column"]) for column in question["columns"]]
    wanted = rows.select(places)
    if wanted.nbytes > MAX_BYTES:
        raise ConfigError("The values are more than a page takes at once. Choose fewer cells.")
    return PageAnswer({"held": True}, (whole_rows(wanted, [described[place] for place in places]),))


def _images(row: pa.Table, columns: Sequence[CellColumn]) -> Iterator[tuple[int, str]]:
    """The places of a row's cells that refer to images, and the ids of these files."""
    for place, column in enumerate(columns):
        if column.kind == "file":
            for cell in row.column(place).to_pylist():
                ref = parse_file_ref(cell)
                if ref is not None and is_image(ref):
                    yield place, ref.id


def _image(live: LiveTable, question: dict[str, Any], ranges: Ranges) -> PageAnswer:
    """The image that a FILE cell refers to, fetched from the server."""
    row, columns = ranges.numbered([int(question["row"])])
    check_column(question, columns)
    if row.num_rows == 0:
        raise LiveError("The row is gone.")

    ref = live.file_of(row.column(int(question["column"])).to_pylist()[0])
    image = image_of(ref) if isinstance(ref, FileRef) and is_image(ref) else None
    if image is None:
        raise ConfigError("The file is not a PNG, JPEG, GIF or WebP image of up to 2 MB.")
    kind, content = image
    return PageAnswer({"type": kind}, (content,))


def _past(live: LiveTable, moment: int) -> PageAnswer:
    """All rows as they were at a moment in microseconds since 1970, as the frame that starts a page."""
    messages = PageRows().messages(live.delta_at(moment / 1_000_000), live.columns, {})
    buffers = tuple(buffer for message in messages for buffer in message.buffers)
    return PageAnswer({"messages": [message.content for message in messages]}, buffers)


def _groups(live: LiveTable, question: dict[str, Any]) -> PageAnswer:
    """How many rows have each value of a column, the most frequent first; with the sum and mean of another column."""
    table, columns = with_columns(live, live.arrow)
    described = describe(table.schema, columns)
    found = grouped_rows(table, described, int(question["by"]), question["of"])
    shown = found.slice(0, _MAX_GROUPS)

    # The values in their own column's form, the figures in that of their types.
    told = (described[int(question["by"])], *describe(shown.schema)[1:])
    texts = [
        [
            None if value is None else cell_text(value, column)[:TEXT_CHARS]
            for value in plain(values, column).to_pylist()
        ]
        for values, column in zip(shown.columns, told, strict=True)
    ]
    names = [column.name for column in told]
    return PageAnswer({"names": names, "texts": texts, "groups": found.num_rows, "rows": table.num_rows})


def _frequent(live: LiveTable, question: dict[str, Any]) -> PageAnswer:
    """The values of a column that most rows have, without NULL, as the page would hold them, and how often.

    Only of columns whose values JSON can tell: texts and truth values.
    """
    table, columns = with_columns(live, live.arrow)
    described = describe(table.schema, columns)
    check_column(question, described)
    place = int(question["column"])
    values = plain(table.column(place), described[place]).drop_null()
    if described[place].is_long:
        values = pc.utf8_slice_codeunits(values, 0, TEXT_CHARS)

    counted = pc.value_counts(values)
    most = pc.select_k_unstable(counted.field("counts"), int(question["most"]), [("", "descending")])
    found = counted.take(most)
    return PageAnswer({"values": found.field("values").to_pylist(), "counts": found.field("counts").to_pylist()})


def _fitting(table: pa.Table) -> int:
    """How many of the last rows fit into an answer."""
    count: int = table.num_rows
    while count > 1 and table.slice(table.num_rows - count).nbytes > _MAX_BYTES:
        count //= 2
    return count
