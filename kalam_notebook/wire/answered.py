"""What is taken out of an answer: of the shape that was asked for, or an error that says so.

What answers in the server's place may send anything, so nobody takes a cell for a number, or a list for as long as the
one beside it, without these. Pure; called by whoever asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from kalam_notebook.errors import ProtocolError
from kalam_notebook.texts import cut

__all__ = ["json_object", "number_in", "one_number", "shortened", "table_of", "text_in", "texts_in", "whole_number"]


def shortened(content: bytes | str, chars: int = 80) -> str:
    """The start of an answer, for messages."""
    text = content if isinstance(content, str) else content[: 4 * chars].decode("utf-8", "replace")
    return cut(text, chars)


def json_object(content: bytes) -> dict[str, Any]:
    """The members of an answer that is a JSON object.

    Raises:
        ProtocolError: It is something else.
    """
    try:
        raw = orjson.loads(content)
    except orjson.JSONDecodeError:
        raw = None
    if not isinstance(raw, dict):
        raise ProtocolError(
            f"The answer is no JSON object; it begins with {shortened(content)!r}. Check that the URL is the server's."
        )
    return raw


def text_in(raw: Mapping[str, Any], name: str) -> str:
    """A member that is text.

    Raises:
        ProtocolError: It is missing, or something else.
    """
    value = raw.get(name)
    if not isinstance(value, str):
        raise ProtocolError(f"The answer has {_kind(value)} as {name!r}, where a text was expected.")
    return value


def whole_number(value: object) -> int:
    """A whole number, which travels as itself or as text.

    Raises:
        ProtocolError: It is something else.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    digits = value.removeprefix("-") if isinstance(value, str) and len(value) < 50 else ""
    if not (digits.isascii() and digits.isdigit()):
        raise ProtocolError(f"The answer has {_kind(value)}, where a whole number was expected.")
    return int(str(value))


def one_number(row: Sequence[Any]) -> int | None:
    """The whole number in a row of one cell; None for NULL.

    Raises:
        ProtocolError: The row is another one.
    """
    if len(row) != 1:
        raise ProtocolError(f"The answer has {len(row)} cells, where one was expected.")
    return None if row[0] is None else whole_number(row[0])


def texts_in(row: Sequence[Any], count: int) -> list[list[str]]:
    """Lists of texts of one length, each a cell; NULL for none.

    Raises:
        ProtocolError: The row is another one.
    """
    lists = [[] if cell is None else cell for cell in row]
    are_texts = all(isinstance(cell, list) and all(isinstance(text, str) for text in cell) for cell in lists)
    if len(lists) != count or not are_texts or len({len(cell) for cell in lists}) > 1:
        raise ProtocolError(f"The answer has something else than {count} lists of texts.")
    return lists


def number_in(told: pa.Array | None) -> int:
    """The whole number in a list of one, as aggregates are sent beside lists; NULL is 0.

    Raises:
        ProtocolError: The list is another one.
    """
    if told is None:
        return 0
    if len(told) != 1:
        raise ProtocolError(f"The answer has a list of {len(told)}, where one number was expected.")
    return int(told[0].as_py() or 0)


def table_of(lists: Sequence[pa.Array | None], schema: pa.Schema) -> pa.Table:
    """Lists of one length as the columns of a table; None for all of them is a table without rows.

    Raises:
        ProtocolError: They are of several lengths.
    """
    if all(one is None for one in lists):
        return schema.empty_table()
    lengths = {-1 if one is None else len(one) for one in lists}
    if len(lengths) > 1:
        raise ProtocolError("The answer has columns of different lengths, where those of one table were expected.")
    return pa.Table.from_arrays(list(lists), schema=schema)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "another text", bool: "true or false", float: "a fraction"}
    return "nothing" if value is None else names.get(type(value), "a number")
