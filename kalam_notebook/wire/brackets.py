"""Where a list in JSON text ends, and where one of its own lists ends and the next begins.

Slower than looking for a few characters that usually stand there, and right whatever stands in the text: strings are
skipped and brackets counted. Called by the body decoder where such a guess was wrong.
"""

from __future__ import annotations

import re

__all__ = ["Brackets"]

_OPEN, _COMMA, _CLOSE, _QUOTE = b'[,]"'

_INSIDE = rb'(?:[^"\\]++|\\.)*+'
_FLAT = rb'[^"\[\]]++|"' + _INSIDE + rb'"'
#: What can be skipped among the lists that matter, and inside of them, where lists of values can be, too.
_BETWEEN = re.compile(rb"(?:" + _FLAT + rb")*+", re.DOTALL)
_WITHIN = re.compile(rb"(?:" + _FLAT + rb"|\[(?:" + _FLAT + rb")*+\])*+", re.DOTALL)
#: The inside of a string, up to its quote, or to a backslash whose character has not come.
_REST_OF_STRING = re.compile(_INSIDE, re.DOTALL)


class Brackets:
    """Reads a growing text from its first bracket on, each byte a few times at most.

    Attributes:
        end: Offset behind the bracket that closes the first one; 0 until it has come.
        border: Offset of the last comma between two lists in the first one; 0 where there is none.
    """

    def __init__(self) -> None:
        self.end = 0
        self.border = 0
        self._position = 0
        self._depth = 0
        self._in_string = False

    def read(self, text: bytearray) -> None:
        """Read what has been added to the text, up to the end of the list."""
        while not self.end:
            position = self._skip(text)
            if position == len(text):
                return
            mark = text[position]
            if mark == _QUOTE:
                self._in_string = not self._in_string
            elif mark == _OPEN:
                self._open(text, position)
            elif mark == _CLOSE:
                self._close(position)
            else:
                return  # A backslash, whose character has not come.
            self._position = position + 1

    def _skip(self, text: bytearray) -> int:
        """Go on to what must be looked at: a bracket, or a quote of a string that has not ended."""
        skipped = _BETWEEN
        if self._in_string:
            skipped = _REST_OF_STRING
        elif self._depth > 1:
            skipped = _WITHIN
        match = skipped.match(text, self._position)
        assert match is not None  # It may be empty.
        self._position = match.end()
        return self._position

    def _open(self, text: bytearray, position: int) -> None:
        self._depth += 1
        if self._depth == 2 and text[position - 1] == _COMMA:
            self.border = position - 1

    def _close(self, position: int) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.end = position + 1
