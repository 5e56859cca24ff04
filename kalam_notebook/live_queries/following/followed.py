"""What a ``LiveTable`` needs of whatever keeps its rows: a ``Follower`` of a server, or a ``Player`` of a recording."""

from __future__ import annotations

import datetime as dt
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from kalam_notebook.errors import LiveError
from kalam_notebook.live_queries.following.counters import Counters, LiveStats
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.lifetime import Lifetime
from kalam_notebook.live_queries.rows.fingerprint import Proof
from kalam_notebook.live_queries.rows.held import Rows

__all__ = ["Followed"]

_T = TypeVar("_T")


class Followed(Lifetime, ABC):
    """Rows that change, and how it stands with them. All of it may be used from any thread.

    Attributes:
        is_replay: Whether there is a recording in place of a server.
        ends_with_another: Whether somebody else sees to its end.
    """

    is_replay = False
    ends_with_another = False

    def __init__(self) -> None:
        super().__init__()
        self._counters = Counters()

    @property
    @abstractmethod
    def rows(self) -> Rows | None:
        """The rows, which are looked at with ``look``; None before they have been read."""

    @property
    @abstractmethod
    def form(self) -> Form:
        """How the rows are, or were, followed."""

    @property
    @abstractmethod
    def table_name(self) -> str:
        """The tables, for people."""

    @property
    @abstractmethod
    def row_version(self) -> str:
        """The server's column that holds the version of a row; empty where there is none."""

    @property
    @abstractmethod
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart; empty for all of them."""

    @property
    @abstractmethod
    def is_paused(self) -> bool:
        """Whether the rows are kept as they are."""

    @property
    def status(self) -> str:
        """Where it is, for people."""
        if self.is_over:
            return self._stopped
        return "paused" if self.is_paused else self._progress

    @property
    @abstractmethod
    def _progress(self) -> str:
        """Where it is while it goes on."""

    @property
    @abstractmethod
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""

    @property
    def num_rows(self) -> int:
        """How many rows there are; never waits."""
        rows = self.rows
        return 0 if rows is None else rows.num_rows

    @property
    def reached(self) -> float:
        """Up to which time the rows are known, in seconds since 1970."""
        return time.time()

    def stats(self) -> LiveStats:
        """The numbers as of now.

        Raises:
            LiveError: This is a forked child of the process that made it.
        """
        self._check_process()
        with self._lock:
            return self._counters.stats(rows=self.num_rows, now=time.monotonic())

    def look(self, view: Callable[[Rows], _T]) -> _T:
        """Return what a function makes of the rows at one point in time.

        Raises:
            LiveError: This is a forked child of the process that made it.
        """
        self._check_process()
        with self._lock:
            assert self.rows is not None
            return view(self.rows)

    @abstractmethod
    def verify(self, *, timeout: float, reread: bool = False) -> Proof:
        """Find out whether the rows are the server's."""

    def _unproved(self, why: str) -> Proof:
        """What ``verify`` returns where there is nothing to compare with."""
        self._check_process()
        with self._lock:
            seq = self._counters.last_seq
            return Proof(False, why, rows=self.num_rows, seq=seq, at=dt.datetime.now(dt.UTC), healed=0)

    @abstractmethod
    def retry(self) -> None:
        """Try a lost connection again now, where there is one."""

    @abstractmethod
    def pause(self) -> None:
        """Let the rows stay as they are."""

    @abstractmethod
    def resume(self) -> None:
        """Go on."""

    def raise_if_over(self) -> None:
        """Raise why it has ended, if it has.

        Raises:
            KalamError: The reason; ``LiveError`` when somebody ended it, or it lives in another process.
        """
        self._check_process()
        if self.is_over:
            raise self.error or LiveError(self._end_text)

    @property
    def _end_text(self) -> str:
        """What is said of an end that is no error."""
        return f"The live table of {self.table_name} has {self._stopped}."

    @abstractmethod
    def close(self) -> None:
        """End it, within a second; the rows stay. May be called twice."""
