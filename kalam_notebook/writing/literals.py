"""Checked values as SQL literals, a column at a time (protocol/sql.md#literals; truth R8).

Decimals, times, UUIDs, JSON and embeddings are quoted, so that nothing goes through a double. In plain quotes a
backslash is a backslash, and a quote is doubled. UUIDs and embeddings have another form in UPDATE than in INSERT.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from kalam_notebook.sql.statement import quote_text
from kalam_notebook.wire.types import Column

__all__ = ["has_placeholder", "literals", "may_hold_placeholder", "without_placeholder"]

#: The server takes this for the place of an upload, also inside a string (protocol/http.md#request). At the end of a
#: text the closing quote counts as the opening one of the name.
_PLACEHOLDER = re.compile(r"file(?=\(\s*(?:\"|\Z))", re.IGNORECASE)


def literals(array: pa.Array, column: Column, *, in_update: bool = False) -> list[str]:
    """Spell the values of a column.

    Args:
        array: As ``values.checked_column`` returns it.
        column: The table's column.
        in_update: Whether they are to stand in SET; else in VALUES or in WHERE.

    Returns:
        One literal for each value; ``NULL`` for NULL.
    """
    spell = _UPDATE_FORMS.get(column.type_name) if in_update else None
    return (spell or _FORMS[column.type_name])(array)


def may_hold_placeholder(array: pa.Array) -> bool:
    """Whether ``has_placeholder`` needs to be asked for the literals of a column."""
    if not types.is_string(array.type) and not types.is_binary(array.type):
        return False
    return bool(pc.any(pc.match_substring(array.cast(pa.string()), "file(", ignore_case=True)).as_py())


def has_placeholder(literal: str) -> bool:
    """Whether the server would take a part of a literal for the place of an upload."""
    return literal.startswith("'") and _PLACEHOLDER.search(literal, 1, len(literal) - 1) is not None


def without_placeholder(literal: str) -> str:
    """A literal for the same text, or an expression, in which the server sees no place of an upload."""
    if not has_placeholder(literal):
        return literal
    parts = _PLACEHOLDER.sub(lambda match: f"{match.group()}', '", literal[1:-1])
    return f"concat('{parts}')"


def _plain(array: pa.Array) -> list[str]:
    return ["NULL" if value is None else str(value) for value in array.to_pylist()]


_BOOLEANS = {None: "NULL", True: "TRUE", False: "FALSE"}


def _booleans(array: pa.Array) -> list[str]:
    return [_BOOLEANS[value] for value in array.to_pylist()]


def _floats(array: pa.Array) -> list[str]:
    # The shortest text that stands for the double; the server reads the same double back.
    return ["NULL" if value is None else repr(value) for value in array.to_pylist()]


def _decimals(array: pa.Array) -> list[str]:
    return ["NULL" if value is None else f"'{value:f}'" for value in array.to_pylist()]


def _texts(array: pa.Array) -> list[str]:
    return ["NULL" if value is None else quote_text(value) for value in array.to_pylist()]


def _bytes(array: pa.Array) -> list[str]:
    return _texts(array.cast(pa.string()))


def _timestamps(array: pa.Array) -> list[str]:
    texts = array.cast(pa.string()).to_pylist()  # 2024-01-01 00:00:00.123456Z
    return ["NULL" if text is None else f"'{text[:10]}T{text[11:]}'" for text in texts]


def _quoted(array: pa.Array) -> list[str]:
    return ["NULL" if text is None else f"'{text}'" for text in array.cast(pa.string()).to_pylist()]


def _uuids(array: pa.Array) -> list[str]:
    return [
        "NULL" if value is None else f"'{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}'"
        for value in array.to_pylist()
        for text in ((value or b"").hex(),)
    ]


def _uuid_bytes(array: pa.Array) -> list[str]:
    return ["NULL" if value is None else f"X'{value.hex()}'" for value in array.to_pylist()]


def _embeddings(array: pa.Array) -> list[str]:
    return ["NULL" if text == "NULL" else f"'{text}'" for text in _vectors(array)]


def _vectors(array: pa.Array) -> list[str]:
    """Each embedding as ``[0.1,0.2]``, every element with the digits that tell the 32-bit value, and no more."""
    values = array.flatten().to_numpy(zero_copy_only=False)
    texts = values.astype(str)
    # The server reads a double and rounds it to 32 bits; where that is not the same, the double itself is written.
    other = texts.astype(np.float64).astype(np.float32) != values
    cells = [repr(float(value)) if wrong else text for value, wrong, text in zip(values, other, texts, strict=True)]
    size, place, vectors = array.type.list_size, 0, []
    for is_valid in array.is_valid().to_pylist():
        vectors.append(f"[{','.join(cells[place : place + size])}]" if is_valid else "NULL")
        place += size if is_valid else 0
    return vectors


_FORMS: dict[str, Callable[[pa.Array], list[str]]] = {
    "Boolean": _booleans, "SmallInt": _plain, "Int": _plain, "BigInt": _plain, "Float": _floats, "Double": _floats,
    "Decimal": _decimals, "Text": _texts, "Json": _texts, "File": _texts, "Bytes": _bytes, "Uuid": _uuids,
    "Timestamp": _timestamps, "DateTime": _timestamps, "Date": _quoted, "Time": _quoted, "Embedding": _embeddings,
}  # fmt: skip
#: In SET, text is not converted to these types (protocol/sql.md#literals).
_UPDATE_FORMS = {"Uuid": _uuid_bytes, "Embedding": _vectors}
