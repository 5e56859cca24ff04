"""Turning the engine's exceptions into the server's messages.

The server sorts DataFusion errors by their text and puts a prefix before them (protocol/sql.md#errors).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.errors import DENIED, execution

_PACKAGE_PREFIX = "DataFusion error: "
# How the package words an error of a function written in Python; the traceback is nobody's business.
_PYTHON = re.compile(
    r"""PyErr \{ type: .*?, value: \w+\((?P<quote>['"])(?P<text>.*?)(?P=quote)\), traceback: .*""", re.DOTALL
)
# Placeholders other than $n: ? and :name.
_UNNAMED = re.compile(r"No value found for placeholder with name [^$]")
_PLACEHOLDER = re.compile(r"No value found for placeholder with name ")
_ALREADY = re.compile(r"primary key|constraint|already exists|duplicate|\bunique\b", re.IGNORECASE)
_COLUMN = re.compile(r"no field named|column .* not found|field .* not found", re.IGNORECASE)
_TABLE = re.compile(r"table '[^']*' not found", re.IGNORECASE)
_PERMISSION = re.compile(r"access denied|permission|not authorized", re.IGNORECASE)


def text_of(error: BaseException) -> str:
    """Return the engine's own text, without what the Python package puts before it."""
    text = _PYTHON.sub(lambda found: found["text"].replace("\\n", "\n"), str(error).removeprefix(_PACKAGE_PREFIX))
    return text.removeprefix("Execution error: ") if text.startswith("Execution error: Internal error: ") else text


@contextmanager
def told_as_failure() -> Iterator[None]:
    """Turn what the engine raises inside the block into the server's failure."""
    try:
        yield
    except Exception as failed:
        raise engine_failure(failed) from None
    except BaseException as panic:
        # A fault inside the engine comes as no ordinary exception; DISTINCT with an enormous LIMIT is one.
        if type(panic).__name__ != "PanicException":
            raise
        raise engine_text(f"Execution error: task panicked: {panic}") from None


def engine_failure(error: BaseException) -> SqlFailed:
    """Return the failure that the server makes of an engine error."""
    return engine_text(text_of(error))


def engine_text(text: str) -> SqlFailed:
    """Return the failure for an engine message, with the prefix of its kind."""
    if _UNNAMED.search(text):
        return execution("Parameter binding error: Error during planning: Failed to parse placeholder id")
    if _PLACEHOLDER.search(text):
        told = _PLACEHOLDER.sub("No value found for placeholder with id ", text)
        return execution(f"Parameter binding error: {told}")
    if _TABLE.search(text):
        return execution(f"Table not found: {text}")
    if _PERMISSION.search(text):
        return SqlFailed(DENIED, f"Permission denied: {text}")
    if _COLUMN.search(text):
        return execution(f"Invalid operation: {text}")
    # Projections of equal names speak of "unique" as well, but are no constraint.
    if _ALREADY.search(text) and not text.startswith("Error during planning: Projections"):
        return execution(f"Already exists: {text}")
    return execution(f"Execution error: {text}")
