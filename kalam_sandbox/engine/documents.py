"""JSON documents as the server's functions read them: a part of one is the text that stands there.

None is a part that is not there, or a text that is no document (protocol/sql.md#json).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

__all__ = [
    "as_bool",
    "as_float",
    "as_int",
    "as_json",
    "as_str",
    "as_text",
    "exists",
    "items",
    "keys",
    "length",
    "part",
    "whole",
]

_DECODER = json.JSONDecoder()
_SPACE = " \t\n\r"
_NO_SPACE = re.compile(f"[^{_SPACE}]")


def whole(text: str | None) -> str | None:
    """The document that a text is."""
    if text is None:
        return None
    try:
        json.loads(text)
    except ValueError:
        return None
    return text.strip(_SPACE)


def part(text: str | None, step: str | None) -> str | None:
    """A member of an object by its name, or an item of an array by its place; the first of equal names counts."""
    return next((member for name, member in _members(text) if name == step), None)


def as_json(text: str | None) -> str | None:
    """Any part."""
    return text


def as_text(text: str | None) -> str | None:
    """A text itself, NULL for `null`, any other part as it is written."""
    value = _value(text)
    return value if value is None or isinstance(value, str) else text


def as_str(text: str | None) -> str | None:
    """A text."""
    value = _value(text)
    return value if isinstance(value, str) else None


def as_int(text: str | None) -> int | None:
    """A whole number of 64 bits."""
    value = _value(text)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -(2**63) <= value < 2**63 else None


def as_float(text: str | None) -> float | None:
    """A number."""
    value = _value(text)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def as_bool(text: str | None) -> bool | None:
    """True or false."""
    value = _value(text)
    return value if isinstance(value, bool) else None


def exists(text: str | None) -> bool:
    """Whether there is such a part."""
    return text is not None


def length(text: str | None) -> int | None:
    """Of an object or an array."""
    value = _value(text)
    return len(value) if isinstance(value, dict | list) else None


def keys(text: str | None) -> list[str] | None:
    """Of an object, each once."""
    return list(dict(_members(text))) if text is not None and text[0] == "{" else None


def items(text: str | None) -> list[str] | None:
    """Of an array."""
    return [item for _, item in _members(text)] if text is not None and text[0] == "[" else None


def _value(text: str | None) -> object:
    return None if text is None else json.loads(text)


def _members(text: str | None) -> Iterator[tuple[str, str]]:
    """Name or place of each member, and its text."""
    if text is None or text[0] not in "{[":
        return
    place, at = 0, _behind_space(text, 1)
    while text[at] not in "}]":
        name = str(place)
        if text[0] == "{":
            name, at = _DECODER.raw_decode(text, at)
            at = _behind_space(text, _behind_space(text, at) + 1)
        _, end = _DECODER.raw_decode(text, at)
        yield name, text[at:end]

        place, at = place + 1, _behind_space(text, end)
        if text[at] == ",":
            at = _behind_space(text, at + 1)


def _behind_space(text: str, at: int) -> int:
    found = _NO_SPACE.search(text, at)
    assert found is not None
    return found.start()
