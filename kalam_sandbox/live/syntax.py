"""JSON of client messages, refused in the words of the server's parser.

KalamDB closes the socket with the parser's own message (protocol/live.md#frames, #close-codes), so what Python's parser
says is translated, and typed reads of a parsed value fail with the same texts. `messages` is the one caller.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NoReturn

_I64 = (-(2**63), 2**63 - 1)
_RANGES = {"i64": _I64, "u32": (0, 2**32 - 1), "u64": (0, 2**64 - 1), "usize": (0, 2**64 - 1)}


class BadMessage(Exception):
    """A client message that the server cannot read; the text is the parser's reason."""


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object with its pairs as sent, since a repeated field is a mistake."""

    pairs: tuple[tuple[str, object], ...]

    def has(self, *names: str) -> bool:
        """Say whether a field of one of these names was sent."""
        return any(key in names for key, _ in self.pairs)

    def get(self, *names: str) -> object:
        """Return the value of a field that goes by any of these names, None when it is absent.

        Raises:
            BadMessage: The field was sent twice, or under two of its names.
        """
        found = [value for key, value in self.pairs if key in names]
        if len(found) > 1:
            raise BadMessage(f"duplicate field `{names[0]}`")
        return found[0] if found else None

    def need(self, name: str) -> object:
        """Return the value of a field that must be there."""
        value = self.get(name)
        if not self.has(name):
            raise BadMessage(f"missing field `{name}`")
        return value


def parse_json(text: str) -> object:
    """Parse one JSON text; objects become `JsonObject`.

    Raises:
        BadMessage: It is not JSON.
    """
    try:
        value: object = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
        # Half a surrogate pair is a string for Python, but it could never be sent back.
        if "\\ud" in text.lower():
            _encode_all(value)
    except json.JSONDecodeError as error:
        raise BadMessage(_translate(error)) from None
    except UnicodeEncodeError:
        raise BadMessage("lone leading surrogate in hex escape") from None
    except RecursionError:
        raise BadMessage("recursion limit exceeded") from None
    return value


def text_of(value: object) -> str:
    """Read a string."""
    if isinstance(value, str):
        return value
    raise _mistyped(value, "a string")


def int_of(value: object, kind: str) -> int:
    """Read an integer of a Rust type: ``i64``, ``u32``, ``u64`` or ``usize``."""
    if not isinstance(value, int) or isinstance(value, bool) or not _fits_json(value):
        raise _mistyped(value, kind)
    low, high = _RANGES[kind]
    if not low <= value <= high:
        raise BadMessage(f"invalid value: integer `{value}`, expected {kind}")
    return value


def version_of(value: object) -> int:
    """Read a row version from its decimal text."""
    text = text_of(value)
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) <= _I64[1]:
        raise BadMessage(f'invalid value: string "{text}", expected a row version as decimal text')
    return int(text)


def object_of(value: object, name: str, kind: str = "struct") -> JsonObject:
    """Read an object that stands for the Rust type `name`."""
    if isinstance(value, JsonObject):
        return value
    raise _mistyped(value, f"{kind} {name}")


def choice_of(value: object, choices: tuple[str, ...]) -> str:
    """Read one of several words."""
    if not isinstance(value, str):
        raise _mistyped(value, "string or map")
    if value not in choices:
        names = [f"`{choice}`" for choice in choices]
        wanted = {1: names[0], 2: " or ".join(names)}.get(len(names), f"one of {', '.join(names)}")
        raise BadMessage(f"unknown variant `{value}`, expected {wanted}")
    return value


def _mistyped(value: object, expected: str) -> BadMessage:
    return BadMessage(f"invalid type: {_unexpected(value)}, expected {expected}")


def _unexpected(value: object) -> str:
    """Name a value as the server's parser names what it did not expect."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, str):
        return f'string "{value}"'
    if isinstance(value, int) and _fits_json(value):
        return f"integer `{value}`"
    if isinstance(value, (int, float)):
        return f"floating point `{float(value)}`"
    return "sequence" if isinstance(value, list) else "map"


def _fits_json(value: int) -> bool:
    # Integers beyond 64 bits are read as floating point numbers.
    return _I64[0] <= value < 2**64


def _object(pairs: list[tuple[str, object]]) -> JsonObject:
    return JsonObject(tuple(pairs))


def _constant(name: str) -> NoReturn:
    # Python's parser takes NaN and Infinity for numbers; JSON has neither.
    raise BadMessage("expected value")


def _encode_all(value: object) -> None:
    if isinstance(value, str):
        value.encode()
    for part in value.pairs if isinstance(value, JsonObject) else value if isinstance(value, list) else ():
        for item in part if isinstance(part, tuple) else (part,):
            _encode_all(item)


def _translate(error: json.JSONDecodeError) -> str:
    """Say in the server's words what Python's parser did not like."""
    text, position = error.doc, error.pos
    if error.msg.startswith("Unterminated string"):
        return at(text, len(text), "EOF while parsing a string")
    if position >= len(text):
        return at(text, len(text), f"EOF while parsing {_open_part(text, error.msg)}")
    # Python up to 3.12 points at the bracket, later ones at the comma; the server at the bracket.
    trailing = re.compile(r"(?:,\s*|(?<=,)\s*|(?<=\s))[}\]]").match(text, position)
    if trailing and text[: trailing.end() - 1].rstrip().endswith(","):
        return at(text, trailing.end(), "trailing comma")
    if error.msg == "Expecting value":
        for literal in ("null", "true", "false"):
            if text[position] == literal[0]:
                return at(text, _mismatch(text, position, literal) + 1, "expected ident")
    return at(text, position + 1, _words(error))


def _words(error: json.JSONDecodeError) -> str:
    texts = {
        "Expecting value": "expected value",
        "Extra data": "trailing characters",
        "Expecting ':' delimiter": "expected `:`",
        "Expecting ',' delimiter": f"expected `,` or `{_closer(error.doc[: error.pos])}`",
        "Expecting property name enclosed in double quotes": "key must be a string",
        "Invalid control character at": "control character (\\u0000-\\u001F) found while parsing a string",
    }
    return texts.get(error.msg, "invalid escape")


def _mismatch(text: str, start: int, literal: str) -> int:
    """Return where a text that begins like `literal` stops being it."""
    for offset, wanted in enumerate(literal):
        if text[start + offset : start + offset + 1] != wanted:
            return start + offset
    return start + len(literal) - 1


def _open_part(text: str, message: str) -> str:
    if message == "Expecting value":
        return "a value"
    return "an object" if _closer(text) == "}" else "a list"


def _closer(text: str) -> str:
    """Return the bracket that the open object or list still needs; strings in `text` are complete."""
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    while (shorter := re.sub(r"\{[^{}\[\]]*\}|\[[^{}\[\]]*\]", "", outside)) != outside:
        outside = shorter
    return "]" if outside.rfind("[") > outside.rfind("{") else "}"


def at(text: str, length: int, message: str) -> str:
    """Add the place behind the first `length` characters, counted in lines and bytes."""
    before = text[:length].encode(errors="replace")
    line = before.count(b"\n") + 1
    column = len(before) - before.rfind(b"\n") - 1
    return f"{message} at line {line} column {column}"
