"""Texts for people: what comes from a server, a table or a file, as it can stand in a terminal or a message.

Standard library only. A character that moves the cursor, changes colours, reorders its neighbours or is not seen at all
is shown as a sign for itself; a text that nobody would read to its end is cut, and says so. A server may repeat the
token or password that it was sent, wherever it likes: no message holds one that this process knows.
"""

from __future__ import annotations

import difflib
import json
import re
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Protocol

__all__ = [
    "MAX_CHARACTERS",
    "cut",
    "did_you_mean",
    "first_line",
    "hide_in_messages",
    "in_line",
    "one_line",
    "shown",
    "visible",
    "without_secrets",
]

#: Characters of a message that are shown. The server's own texts with the names of all columns are shorter.
MAX_CHARACTERS = 2_000

# Characters that would change how their neighbours look, or that a browser drops: controls and bidirectional marks.
_VISIBLE = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "␡", 0x0A: "↵", 0x09: "⇥"}
_VISIBLE |= {
    code: f"⟨U+{code:04X}⟩"
    for code in (*range(0x80, 0xA0), 0x061C, *range(0x200E, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
}
# In a message also what is not seen at all, and halves of characters, which no terminal can write. The joiners stay:
# they make letters and pictures.
_IN_MESSAGES = _VISIBLE | {
    code: f"⟨U+{code:04X}⟩"
    for code in (0x00AD, 0x180E, 0x200B, *range(0x2060, 0x2066), *range(0x206A, 0x2070), 0xFEFF,
                 *range(0xFFF9, 0xFFFC), *range(0xD800, 0xE000), *range(0xE0000, 0xE0080))
}  # fmt: skip
_LINES = {code: sign for code, sign in _IN_MESSAGES.items() if code not in (0x09, 0x0A)}


# A shorter secret may be a word of the message itself; of a long one the beginning tells, since messages are cut.
_LEAST, _TELLING = 8, 16

_secrets: weakref.WeakSet[_Secret] = weakref.WeakSet()
_lock = threading.Lock()


class _Secret(Protocol):
    def reveal(self) -> str: ...


def hide_in_messages(secret: _Secret) -> None:
    """From now on leave a secret out of messages, as long as it exists."""
    with _lock:
        _secrets.add(secret)


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = 0.6, write: Callable[[str], object] = str) -> str:
    """Ask for the name that was probably meant; empty where none is near. It begins with a blank.

    Args:
        name: What was written.
        known: What there is.
        cutoff: How near it has to be, up to 1 for the same.
        write: How a name is written.
    """
    close = difflib.get_close_matches(name, list(known), 1, cutoff)
    return f" Did you mean {write(close[0])}?" if close else ""


def without_secrets(text: str) -> str:
    """A text with signs in the place of all secrets."""
    with _lock:
        secrets = {secret.reveal() for secret in _secrets}

    for secret in secrets:
        if len(secret) < _LEAST:
            continue
        for form in (secret, json.dumps(secret)[1:-1]):
            if form[:_TELLING] in text:
                rest = r"[^\s\"'<>,;]*" if len(form) > _TELLING else ""
                text = re.sub(re.escape(form[:_TELLING]) + rest, "…", text)
    return text


def visible(text: str) -> str:
    """Show control characters and marks of writing direction, which would be dropped or would reorder the text."""
    return text.replace("\r\n", "\n").translate(_VISIBLE)


def shown(text: str, limit: int = MAX_CHARACTERS, *, lines: bool = True) -> str:
    """A text as it can stand in a message.

    Args:
        text: Any text.
        limit: Characters from which on its middle is left out, which is said.
        lines: Whether its lines stay lines; else the breaks are shown as signs, too.
    """
    if len(text) > limit:
        tail = limit // 4
        text = f"{text[: limit - tail]} … {len(text):,} characters … {text[-tail:]}"
    if text.isprintable():
        return text
    return text.replace("\r\n", "\n").translate(_LINES if lines else _IN_MESSAGES)


def cut(text: str, limit: int) -> str:
    """The start of a text, with a sign where there is more than so many characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def one_line(text: str) -> str:
    """A text whole and in one line, as it can stand on a page."""
    return shown(" ".join(text.split("\n")), lines=False)


def in_line(text: str, limit: int = 200) -> str:
    """A text as it can stand in the middle of a line of a message."""
    return shown(without_secrets(text), limit, lines=False)


def first_line(error: BaseException) -> str:
    """An error in one line of some 200 characters, without any that a terminal would obey."""
    return in_line((str(error).strip() or type(error).__name__).split("\n", 1)[0])
