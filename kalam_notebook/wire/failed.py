"""Which statement of a request failed: the server tells it in words only (protocol/sql.md#statements). Pure."""

from __future__ import annotations

import re

__all__ = ["failed_statement", "told_as"]

_FAILED = re.compile(r"Statement (\d+) failed")


def failed_statement(message: str) -> int | None:
    """The number of the statement that a server's message is about, from 1; those before it were carried out.

    None for errors of a request as a whole.
    """
    found = _FAILED.match(message)
    return None if found is None else int(found[1])


def told_as(number: str, message: str) -> str:
    """The message about another statement, for a reader who counts otherwise than the server."""
    return _FAILED.sub(f"Statement {number} failed", message, count=1)
