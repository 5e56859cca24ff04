"""Reading the rows of a live query again, as often as it takes. A first reading is not repeated: its error is shown."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from kalam_notebook.errors import KalamError, ServerError, TransportError
from kalam_notebook.live.backoff import backoff

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_patiently"]

_LOG = logging.getLogger("kalam_notebook.live")


def read_patiently(read: Callable[[str], pa.Table], sql: str, ending: threading.Event) -> pa.Table | None:
    """Read until it works, with growing pauses.

    Args:
        read: Reads all rows of a SELECT.
        sql: The SELECT.
        ending: Set when the rows are not needed any more.

    Returns:
        The rows, or None when ``ending`` was set during a pause.

    Raises:
        KalamError: Another attempt cannot help.
    """
    for delay in backoff(random.random):
        try:
            return read(sql)
        except (TransportError, ServerError) as exc:
            if not _may_pass(exc):
                raise
            _LOG.warning("the rows of a live query could not be read, trying again in %.1f s: %s", delay, exc)
        if ending.wait(delay):
            break
    return None


def _may_pass(exc: KalamError) -> bool:
    return not isinstance(exc, ServerError) or exc.status >= 500 or exc.status == 429
