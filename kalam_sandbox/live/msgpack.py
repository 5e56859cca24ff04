"""MessagePack for the messages of a socket: what JSON can hold, and nothing else.

Of the format's forms for one value the shortest is written, as the server's library does; all are read. No client code
is used here on purpose: a mistake on both sides would hide itself.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

# Code, layout and greatest value of whole numbers, the shortest first.
_UNSIGNED = ((0xCC, ">B", 0xFF), (0xCD, ">H", 0xFFFF), (0xCE, ">I", 0xFFFF_FFFF), (0xCF, ">Q", 2**64 - 1))
_SIGNED = ((0xD0, ">b", 2**7), (0xD1, ">h", 2**15), (0xD2, ">i", 2**31), (0xD3, ">q", 2**63))
# First code of the short form, how many it holds, then the codes of one (texts only), two and four bytes of length.
_TEXT = (0xA0, 32, 0xD9, 0xDA, 0xDB)
_ARRAY = (0x90, 16, None, 0xDC, 0xDD)
_MAP = (0x80, 16, None, 0xDE, 0xDF)
_SCALARS = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {code: layout for code, layout, _ in (*_UNSIGNED, *_SIGNED)} | {0xCA: ">f", 0xCB: ">d"}


def pack(value: object) -> bytes:
    """Return a JSON value as MessagePack.

    >>> pack({"n": [1, None, "é"]}).hex()
    '81a16e9301c0a2c3a9'
    """
    if value is None or isinstance(value, bool):
        return b"\xc0" if value is None else b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        data = value.encode()
        return _head(len(data), *_TEXT) + data
    if isinstance(value, Mapping):
        return _head(len(value), *_MAP) + b"".join(pack(key) + pack(item) for key, item in value.items())
    assert isinstance(value, Sequence)  # JSON has nothing else.
    return _head(len(value), *_ARRAY) + b"".join(pack(item) for item in value)


def _integer(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack(">b", value)
    if value >= 0:
        code, layout = next((code, layout) for code, layout, most in _UNSIGNED if value <= most)
    else:
        code, layout = next((code, layout) for code, layout, most in _SIGNED if value >= -most)
    return bytes([code]) + struct.pack(layout, value)


def _head(length: int, short: int, room: int, one: int | None, two: int, four: int) -> bytes:
    if length < room:
        return bytes([short + length])
    if one is not None and length < 2**8:
        return struct.pack(">BB", one, length)
    return struct.pack(">BH", two, length) if length < 2**16 else struct.pack(">BI", four, length)


def unpack(data: bytes) -> object:
    """Return the JSON value that MessagePack holds.

    Raises:
        ValueError: It is broken, holds something that JSON has not, or something follows it.
    """
    reader = _Reader(data)
    try:
        value = reader.value()
    except (struct.error, RecursionError) as wrong:
        raise ValueError(f"broken MessagePack: {wrong}") from None
    if reader.place < len(data):
        raise ValueError("something follows the MessagePack value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def value(self) -> object:
        code = self._number(">B")
        if code < 0x80 or code >= 0xE0:
            return code if code < 0x80 else code - 0x100
        if code in _SCALARS:
            return _SCALARS[code]
        if code in _NUMBERS:
            return self._unpacked(_NUMBERS[code])
        for read, form in ((self._text, _TEXT), (self._array, _ARRAY), (self._map, _MAP)):
            length = self._length(code, form)
            if length is not None:
                return read(length)
        raise ValueError(f"MessagePack code {code:#x} has no place in a message")

    def _length(self, code: int, form: tuple[int, int, int | None, int, int]) -> int | None:
        short, room, *longer = form
        if short <= code < short + room:
            return code - short
        layout = next((layout for known, layout in zip(longer, (">B", ">H", ">I"), strict=True) if code == known), None)
        return self._number(layout) if layout else None

    def _text(self, length: int) -> str:
        data = self.data[self.place : self.place + length]
        if len(data) < length:
            raise ValueError("MessagePack ends in the middle of a text")
        self.place += length
        return data.decode()

    def _array(self, length: int) -> list[object]:
        return [self.value() for _ in range(length)]

    def _map(self, length: int) -> dict[object, object]:
        return {self._key(): self.value() for _ in range(length)}

    def _key(self) -> str:
        key = self.value()
        if not isinstance(key, str):
            raise ValueError("a MessagePack key is no text")
        return key

    def _number(self, layout: str) -> int:
        value = self._unpacked(layout)
        assert isinstance(value, int)  # Lengths have whole layouts.
        return value

    def _unpacked(self, layout: str) -> int | float:
        value: int | float = struct.unpack_from(layout, self.data, self.place)[0]
        self.place += struct.calcsize(layout)
        return value
