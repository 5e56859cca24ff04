"""What the magics ran in this session, what was logged, and what the notebook's variables hold. Pure but for clocks."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalam_notebook.live_queries.table import LiveTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CellHistory", "Logged", "Ran", "live_variables"]

_KEPT = 1_000
_LOGGER = "kalam_notebook"


@dataclass(slots=True)
class Ran:
    """A statement that a magic ran.

    Attributes:
        started: When, in UTC.
        sql: The statement, without its values.
        seconds: How long it took.
        rows: Rows of its results; None where it failed.
        error: Class of the error; empty where it worked.
    """

    started: dt.datetime
    sql: str
    seconds: float = 0.0
    rows: int | None = None
    error: str = ""


class CellHistory:
    """The last thousand statements of the magics, the oldest first."""

    def __init__(self) -> None:
        self._ran: deque[Ran] = deque(maxlen=_KEPT)

    @contextmanager
    def running(self, sql: str) -> Iterator[Ran]:
        """Note a statement, how long the block takes, and how it ends; the block sets ``rows``."""
        ran = Ran(dt.datetime.now(dt.UTC), sql)
        self._ran.append(ran)
        began = time.monotonic()
        try:
            yield ran
        except BaseException as exc:
            ran.error = type(exc).__name__
            raise
        finally:
            ran.seconds = time.monotonic() - began

    def frame(self) -> pd.DataFrame:
        """A row for each statement."""
        import pandas as pd

        columns = list(Ran.__dataclass_fields__)
        frame = pd.DataFrame([[getattr(ran, name) for name in columns] for ran in self._ran], columns=columns)
        return frame.astype({"rows": "Int64"})


class Logged(logging.Handler):
    """The last messages that this package logged, as far as the levels of its loggers let them through."""

    def __init__(self) -> None:
        super().__init__()
        self._records: deque[tuple[dt.datetime, str, str]] = deque(maxlen=_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC)
        self._records.append((at, record.levelname, record.getMessage()))
        # Where nobody set up logging, Python writes warnings to stderr unless there is a handler, as this one is.
        others = [one for one in (*logging.root.handlers, *logging.getLogger(_LOGGER).handlers) if one is not self]
        if not others and logging.lastResort is not None and record.levelno >= logging.lastResort.level:
            logging.lastResort.handle(record)

    def attach(self) -> None:
        """Begin to keep what is logged; may be called often."""
        logging.getLogger(_LOGGER).addHandler(self)

    def detach(self) -> None:
        """End it."""
        logging.getLogger(_LOGGER).removeHandler(self)

    def last(self) -> tuple[tuple[dt.datetime, str, str], ...]:
        """When, level and message, the oldest first."""
        return tuple(self._records)


def live_variables(variables: Mapping[str, Any]) -> dict[str, LiveTable]:
    """The live tables that the notebook's variables hold, by name, without those that have ended."""
    held = list(variables.items())
    return {
        name: value
        for name, value in held
        if isinstance(value, LiveTable) and not name.startswith("_") and not value.is_closed
    }
