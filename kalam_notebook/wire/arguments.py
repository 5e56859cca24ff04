"""What callers give, seen to be what it is called, before anything is made of it.

A text that cannot be sent, or a number that is none, is told with the argument's name. The value of a text is not
shown, for it may be a password.
"""

from __future__ import annotations

import datetime as dt
import os
from contextlib import suppress
from numbers import Integral
from pathlib import Path
from typing import TypeVar

from kalam_notebook.errors import ConfigError

__all__ = [
    "check_function", "check_moment", "check_number", "check_path", "check_seconds", "check_text", "of_two_names",
]  # fmt: skip

#: What the server's whole numbers hold.
_MOST = 2**63 - 1
_T = TypeVar("_T")
#: Seconds that every system can wait.
_LONGEST = 1_000_000_000


def check_number(name: str, value: object, *, least: int = 1, most: int = _MOST) -> int:
    """A whole number.

    Args:
        name: The argument's name.
        value: What was given.
        least: The least that is possible.
        most: The greatest.

    Raises:
        ConfigError: It is something else.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ConfigError(f"{name} is a whole number from {least} on, not {value!r}.")
    number = int(value)
    if not least <= number <= most:
        given = number if number.bit_length() <= 100 else "far away"  # Python writes no number of 5,000 digits.
        upwards = "on" if most == _MOST else f"to {most}"
        raise ConfigError(f"{name} is {given}. Give a whole number from {least} {upwards}.")
    return number


def check_path(name: str, given: object) -> tuple[str, Path]:
    """A path of this machine.

    Args:
        name: The argument's name.
        given: What was given.

    Returns:
        The path as it was written, and as it is meant: ``~`` is a home folder.

    Raises:
        ConfigError: It is something else.
    """
    if not isinstance(given, (str, os.PathLike)) or not isinstance(written := os.fspath(given), str) or "\0" in written:
        raise ConfigError(f"{name} is a path, not {given!r}.")
    try:
        return written, Path(written).expanduser()
    except RuntimeError:
        raise ConfigError(f"{name} is {written!r}, and there is no such home folder.") from None


def check_seconds(name: str, value: object) -> None:
    """A time span, or None for no bound.

    Raises:
        ConfigError: It is something else.
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LONGEST:
        raise ConfigError(f"{name} is a number of seconds from 0 to {_LONGEST:,}, or None for no bound.")


def check_moment(name: str, value: object) -> float:
    """A moment, in seconds since 1970.

    Args:
        name: The argument's name.
        value: Such a number, or a datetime. One without a zone is of this machine's.

    Raises:
        ConfigError: It is something else, or no moment that can be written.
    """
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, dt.datetime):
            return dt.datetime.timestamp(value)  # The method of a pandas Timestamp takes one without a zone for UTC.
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return dt.datetime.fromtimestamp(value, dt.UTC).timestamp()
    raise ConfigError(f"{name} is a datetime or a number of seconds since 1970, not this {type(value).__name__}.")


def check_function(name: str, value: object) -> None:
    """Something that can be called, or None.

    Raises:
        ConfigError: It is something else.
    """
    if value is not None and not callable(value):
        raise ConfigError(f"{name} is a function, not {type(value).__name__}.")


def check_text(name: str, value: object, *, most: int | None = None) -> str:
    """A text that can be sent.

    Args:
        name: The argument's name.
        value: What was given.
        most: The greatest number of characters; None for any.

    Raises:
        ConfigError: It is something else.
    """
    problem = _problem(value, most)
    if problem:
        value = None  # A verbose traceback shows the locals of this frame.
        raise ConfigError(f"{name} {problem}")
    assert isinstance(value, str)
    return value


def _problem(text: object, most: int | None) -> str:
    if not isinstance(text, str):
        return f"is a text, not {type(text).__name__}."
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half of a character (a lone surrogate), which is no text."
    if most is not None and len(text) > most:
        return f"has {len(text):,} characters; {most:,} are the most."
    return ""


def of_two_names(name: str, value: _T | None, other: str, given: _T | None) -> _T | None:
    """The value of an argument that the official SDKs call otherwise.

    Args:
        name: The argument's name.
        value: What was given under it.
        other: Its name there.
        given: What was given under that.

    Raises:
        ConfigError: It was given under both.
    """
    if value is not None and given is not None:
        raise ConfigError(f"{name} and {other} are the same. Give one of them.")
    return given if value is None else value
