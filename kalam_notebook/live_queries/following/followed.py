"""What a ``LiveTable`` needs of whatever keeps its rows: a ``Follower`` of a server, or a ``Player`` of a recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from kalam_notebook.errors import KalamError
from kalam_notebook.live_queries.following.counters import LiveStats
from kalam_notebook.live_queries.following.engine import Rows
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.rows.fingerprint import Proof
from kalam_notebook.threads import Bell

__all__ = ["Followed"]

_T = TypeVar("_T")


class Followed(Protocol):
    """Rows that change, and how it stands with them. All of it may be used from any thread."""

    #: Rung when the rows or the state have changed, and at the end.
    bell: Bell
    #: Why it ended; None before that, and when the owner wanted it.
    error: KalamError | None
    #: Whether nothing will change any more.
    is_over: bool
    #: Whether the rows are kept as they are.
    is_paused: bool

    @property
    def form(self) -> Form:
        """How the rows are, or were, followed."""
        ...

    @property
    def table_name(self) -> str:
        """The tables, for people."""
        ...

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart; empty for all of them."""
        ...

    @property
    def is_replay(self) -> bool:
        """Whether there is a recording in place of a server."""
        ...

    @property
    def is_forked(self) -> bool:
        """Whether this is a forked child of the process that made it."""
        ...

    @property
    def status(self) -> str:
        """Where it is, for people."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""
        ...

    @property
    def num_rows(self) -> int:
        """How many rows there are; never waits."""
        ...

    def stats(self) -> LiveStats:
        """The numbers as of now."""
        ...

    def look(self, view: Callable[[Rows], _T]) -> _T:
        """Return what a function makes of the rows at one point in time."""
        ...

    def verify(self, *, timeout: float, reread: bool = False) -> Proof:
        """Find out whether the rows are the server's."""
        ...

    def pause(self) -> None:
        """Let the rows stay as they are."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...

    def raise_if_over(self) -> None:
        """Raise why it has ended, if it has."""
        ...

    def close(self) -> None:
        """End it, within a second; the rows stay. May be called twice."""
        ...
