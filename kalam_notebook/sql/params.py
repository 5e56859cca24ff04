"""Python values to the JSON values that bind to ``$1 … $n``.

The server decides the SQL type by the JSON type alone and coerces it to the column (protocol/http.md#parameters). A
value that would arrive changed is refused with the placeholder's name and what to send instead.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import sys
import uuid
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from typing import Any

import numpy as np
import orjson

from kalam_notebook.errors import ParameterError
from kalam_notebook.sql.decimals import DecimalText, decimal_literal
from kalam_notebook.sql.statement import Statement, quote_text
from kalam_notebook.sql.tokens import Kind, Token
from kalam_notebook.wire.fileref import FileRef

__all__ = ["MAX_PARAMETERS", "check_list", "encode", "encode_items", "literal", "unpacked", "write_parameters_in"]

#: The server's limits; fixed in its code (protocol/http.md#limits).
MAX_PARAMETERS = 50
MAX_PARAMETER_BYTES = 524_264
#: Python writes whole numbers of 4,300 digits at most; a DECIMAL has 38.
_MOST_BITS = 10_000


def check_list(params: Sequence[Any] | None) -> Sequence[Any]:
    """The values for ``$1 …``, seen to be a list.

    Raises:
        ParameterError: They are something else.
    """
    if params is None:
        return ()
    if isinstance(params, (str, bytes, Mapping)) or not isinstance(params, Sequence):
        raise ParameterError("list", f"params must be a list of values for $1, $2 …, not {type(params).__name__}.")
    return params


def encode(name: str, value: object) -> object:
    """Convert one Python, NumPy, pandas or Arrow value to a JSON value.

    Args:
        name: Its placeholder, for messages.
        value: The value.

    Raises:
        ParameterError: It cannot be sent exactly.
    """
    encoded = _encode_scalar(name, _to_python(value))
    if isinstance(encoded, str):
        size = len(_utf8(name, encoded))
        if size > MAX_PARAMETER_BYTES:
            raise ParameterError(name, f"{size:,} bytes; the server takes at most {MAX_PARAMETER_BYTES:,} a value.")
    return encoded


def unpacked(value: object) -> list[Any] | None:
    """The items of a list, tuple, set, Series, NumPy or Arrow array, or the like; None for a single value."""
    if isinstance(value, (str, bytes, bytearray, memoryview)):
        return None
    if isinstance(value, (Sequence, Set)):
        return list(value)
    array: Any = value
    # An array of no dimension is a number.
    is_array = isinstance(value, tuple(_array_types())) and getattr(array, "ndim", 1) != 0
    return list(array) if is_array else None


def encode_items(name: str, items: Sequence[Any]) -> list[object]:
    """Convert the items of a list to JSON values.

    Args:
        name: Its placeholder, for messages.
        items: What ``unpacked`` gives.

    Raises:
        ParameterError: One cannot be sent exactly, or is a list itself.
    """
    values = []
    for number, item in enumerate(items, 1):
        if unpacked(item) is not None or isinstance(item, Mapping):
            raise ParameterError(name, f"item {number} of its list is a {type(item).__name__}, no single value.")
        try:
            values.append(encode(name, item))
        except ParameterError as exc:
            raise ParameterError(name, f"item {number} of its list: {exc.reason}") from None
    return values


def write_parameters_in(sql: str, values: Sequence[Any]) -> Statement:
    """Write values in the place of ``$1 …``, as literals: live queries have no parameters on the server.

    Args:
        sql: A text; what looks like a parameter in a string or a comment is left alone.
        values: As ``encode`` returns them.

    Raises:
        ParameterError: A parameter has no value, or one that has no literal.
        UnreadableSQL: The text cannot be tokenized.
    """
    statement = Statement.of(sql)
    if not values:
        return statement

    edits = []
    # Not behind E, where a literal would be one of another kind.
    for token in statement.places(Kind.PARAMETER):
        number = int(token.text[1:])
        if not 1 <= number <= len(values):
            raise ParameterError(token.text, f"there is no value for it; {len(values)} are given.")
        edits.append((token.start, token.end, _apart(sql, token, literal(token.text, values[number - 1]))))
    return statement.replaced(edits)


def _apart(sql: str, token: Token, text: str) -> str:
    """A literal for the place of a token, with a blank where it would become one with its neighbour."""
    before = " " if re.match(r"['\"$]", sql[token.start - 1 : token.start]) else ""
    behind = " " if re.match(r"[\w'\"$]", sql[token.end : token.end + 1]) else ""
    return f"{before}{text}{behind}"


def literal(name: str, value: object) -> str:
    """A JSON value as it can stand in SQL.

    Args:
        name: Its placeholder, for messages.
        value: As ``encode`` returns it.

    Raises:
        ParameterError: It has no literal.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)) and math.isfinite(value):
        number = int.__repr__(value) if isinstance(value, int) else float.__repr__(value)
        return number if value >= 0 else f"({number})"  # Behind a minus, another one would begin a comment.
    if isinstance(value, DecimalText):
        return decimal_literal(value)
    if isinstance(value, str):
        if "\0" in value:
            raise ParameterError(name, "the text holds NUL, which SQL text cannot.")
        return quote_text(value)
    raise ParameterError(name, f"a live query cannot compare with {type(value).__name__}.")


def _utf8(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ParameterError(name, "the text holds a lone surrogate, which is not Unicode text.") from None


def _array_types() -> list[type]:
    """The classes of arrays and series of the libraries that are loaded; see ``_to_python``."""
    names = {
        "numpy": ["ndarray"],
        "pandas": ["Series", "Index", "api.extensions.ExtensionArray"],
        "polars": ["Series"],
        "pyarrow": ["Array", "ChunkedArray"],
    }
    found = []
    for module, classes in names.items():
        for name in classes:
            part: Any = sys.modules.get(module)
            for attribute in name.split("."):
                part = getattr(part, attribute, None)
            found.append(part)
    return [kind for kind in found if kind is not None]


def _to_python(value: object) -> object:
    """NumPy, pandas and Arrow scalars as Python values; the libraries are only asked for when they are loaded."""
    numpy, pandas, arrow = (sys.modules.get(name) for name in ("numpy", "pandas", "pyarrow"))
    # A module that another thread is just importing is there and lacks its names; no value is of it then.
    scalar: Any = getattr(arrow, "Scalar", ())
    array: Any = getattr(numpy, "ndarray", ())
    generic: Any = getattr(numpy, "generic", ())
    if value is getattr(pandas, "NA", None) or value is getattr(pandas, "NaT", None):
        return None
    if isinstance(value, scalar):
        return value.as_py()
    if isinstance(value, array):
        return value.tolist()
    return _numpy_scalar(value) if isinstance(value, generic) else value


def _numpy_scalar(value: np.generic) -> object:
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else _numpy_time(value)
    if isinstance(value, np.timedelta64):  # NumPy takes it for an integer.
        return value
    return value.item() if isinstance(value, (np.bool_, np.integer, np.floating, np.str_)) else value


def _numpy_time(value: np.datetime64) -> object:
    """A NumPy time with nanoseconds stays as it is, so that it is refused by name instead of being cut."""
    micros = value.astype("datetime64[us]")
    return micros.item() if micros == value else value


def _encode_scalar(name: str, value: object) -> object:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if value.bit_length() > _MOST_BITS:
            raise ParameterError(name, "the whole number is longer than any that the server knows.")
        # Beyond 64 bits a JSON number would become a double on the server.
        return int(value) if -(2**63) <= value < 2**63 else str(int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ParameterError(
                name, f"{value} cannot be sent; a stored NaN or infinity breaks every later SELECT. Use None for NULL."
            )
        return float(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ParameterError(name, f"{value} is not a number. Use None for NULL.")
        return DecimalText(format(value, "f"))
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return _encode_time(name, value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, FileRef):
        return value.to_json()
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise ParameterError(name, "bytes cannot be sent exactly. Use a FILE column, or base64 text in a TEXT column.")
    if isinstance(value, (list, tuple, dict)):
        return _encode_json(name, value)

    kind = type(value).__name__
    article = "an" if kind[0] in "aeiouAEIOU" else "a"
    raise ParameterError(name, f"{article} {kind} cannot be sent. Convert it to a number, text, time or JSON value.")


def _encode_time(name: str, value: dt.datetime | dt.date | dt.time) -> str:
    if getattr(value, "nanosecond", 0):
        raise ParameterError(
            name, f"{value} has nanoseconds; the server keeps microseconds. Round it: value.round('us')."
        )
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            return value.strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0")  # Without a zone the server reads UTC.
        utc = dt.datetime.astimezone(value, dt.UTC)
        return f"{utc.year:04d}-{utc:%m-%dT%H:%M:%S.%f}Z"
    if isinstance(value, dt.time):
        if value.tzinfo is not None:
            raise ParameterError(name, "a TIME has no zone. Send value.replace(tzinfo=None).")
        return value.strftime("%H:%M:%S.%f")
    return value.isoformat()


def _encode_json(name: str, value: object) -> str:
    """Lists and dictionaries as JSON text: the form of EMBEDDING and JSON columns."""
    _refuse_non_finite(name, value)
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    except (orjson.JSONEncodeError, TypeError) as exc:
        raise ParameterError(name, f"the value is not JSON: {exc}.") from None


def _refuse_non_finite(name: str, value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ParameterError(name, f"{value} inside a list or dictionary is not JSON. Use None.")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            _refuse_non_finite(name, item)
