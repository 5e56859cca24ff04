"""What ``LiveTable.at`` and ``delta_at`` return: the rows of a live table as they were at a moment."""

from __future__ import annotations

import datetime as dt

from kalam_notebook.errors import LiveError
from kalam_notebook.live_queries.following.followed import Followed
from kalam_notebook.live_queries.rows.delta import LiveDelta
from kalam_notebook.live_queries.rows.held import Rows
from kalam_notebook.live_queries.rows.history import microseconds
from kalam_notebook.results.results import QueryResult
from kalam_notebook.wire.fileref import FileHost
from kalam_notebook.wire.types import Column

__all__ = ["delta_at", "rows_at"]


def rows_at(followed: Followed, moment: float, *, bind: tuple[str, str] | None, host: FileHost | None) -> QueryResult:
    """The rows as they were at a moment.

    Args:
        followed: Keeps them.
        moment: Seconds since 1970.
        bind: Namespace and name of the table that FILE cells belong to; None for no table.
        host: What fetches their files.

    Raises:
        LiveError: They are not known.
    """
    delta, columns = delta_at(followed, moment)
    foot = (f"as of {_text(moment)}",)
    notices = followed.notices
    return PastRows(columns, delta.num_rows, notices=notices, _table=delta.rows, _bind=bind, _host=host, _foot=foot)


def delta_at(followed: Followed, moment: float) -> tuple[LiveDelta, tuple[Column, ...]]:
    """The same with the numbers of the rows, and their columns; arguments and errors as of ``rows_at``."""
    if moment > followed.reached:
        raise LiveError(
            f"{_text(moment)} has not come yet: it is {_text(followed.reached)}{_in_recording(followed)}.\n"
            "The rows of now are live.df()."
        )

    def look(rows: Rows) -> tuple[LiveDelta, tuple[Column, ...]]:
        if microseconds(moment) < microseconds(rows.known_since):
            raise LiveError(
                f"The rows of {_text(moment)} are not known, only those since {_text(rows.known_since)}: a live table "
                "remembers some ten thousand changes.\nlive.record(…) keeps all from when it is called."
            )
        return rows.at(moment), rows.shown

    return followed.look(look)


class PastRows(QueryResult):
    """Rows of before, which no server has sent in one piece."""

    __slots__ = ()

    @property
    def footer(self) -> tuple[str, ...]:
        """Short facts for the foot of a preview."""
        return self._foot


def _in_recording(followed: Followed) -> str:
    return " in the recording" if followed.is_replay else ""


def _text(seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S.%f} UTC"
