"""SipHash-1-3 of a text with a key of zeros, as Rust's standard library hashes it: which partition a key falls into."""

from __future__ import annotations

__all__ = ["hash_text"]

_MASK = (1 << 64) - 1


def hash_text(text: str) -> int:
    """Return the hash of a text, 64 bits.

    >>> hash_text("alice")
    200341070530370144
    """
    # Rust ends a text with a byte that UTF-8 does not have, so that ("a", "b") differs from ("ab", "").
    data = text.encode() + b"\xff"
    state = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    whole = len(data) - len(data) % 8
    last = int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8)]
    for word in (*words, last):
        a, b, c, d = state
        a, b, c, d = _round(a, b, c, d ^ word)
        state = (a ^ word, b, c, d)
    a, b, c, d = state
    c ^= 0xFF
    for _ in range(3):
        a, b, c, d = _round(a, b, c, d)
    return a ^ b ^ c ^ d


def _round(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    a = (a + b) & _MASK
    b = _turn(b, 13) ^ a
    a = _turn(a, 32)
    c = (c + d) & _MASK
    d = _turn(d, 16) ^ c
    a = (a + d) & _MASK
    d = _turn(d, 21) ^ a
    c = (c + b) & _MASK
    b = _turn(b, 17) ^ c
    c = _turn(c, 32)
    return a, b, c, d


def _turn(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _MASK
