"""What the two kinds of live tables have in common: what they ask of a source, and what a round of checks is.

An engine decides and holds rows; it has no clock, no thread and no lock. ``following.follower`` runs its jobs on
other threads and calls everything else under a lock.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kalam_notebook.live_queries.following.plan import Form, Reading, ResultReading, TableInfo, TablePlan
from kalam_notebook.live_queries.following.schedule import Question
from kalam_notebook.live_queries.following.told import Told
from kalam_notebook.live_queries.rows.decoding import Doubts
from kalam_notebook.live_queries.rows.fingerprint import Delta, DeltaQuestion, Fingerprint
from kalam_notebook.live_queries.rows.held import Rows
from kalam_notebook.live_queries.rows.history import Applied
from kalam_notebook.wire.live import Change
from kalam_notebook.wire.row_version import RowVersion
from kalam_notebook.wire.types import Column

__all__ = ["TIME_INTERVAL", "Engine", "Job", "RowSource", "Verdict"]

#: Seconds between two rounds of a query whose result changes as time goes by, without an event.
TIME_INTERVAL = 2.0

_NOTHING = Applied()


class RowSource(Protocol):
    """What answers the questions of checks; every call may block and raise ``KalamError``."""

    #: By table, as it stands in SQL: what the versions belong to that events told last. It goes back with them.
    domains: dict[str, Mapping[str, Any]]

    def describe(self, table: str) -> TableInfo:
        """The columns and kind of a table, named as it can stand in SQL."""
        ...

    def columns(self, table: str) -> tuple[Column, ...]:
        """The columns of a table."""
        ...

    def doubts(self, columns: Sequence[Column]) -> Doubts:
        """Which cells of the events of a table with these columns may not be what is stored."""
        ...

    def read_rows(self, plan: TablePlan, max_rows: int | None) -> Reading:
        """All rows that match, exact; with a limit one more than that, those with the greatest versions."""
        ...

    def read_delta(self, plan: TablePlan, ask: DeltaQuestion) -> Delta | None:
        """What changed, and what it is compared with; None for too much."""
        ...

    def newer_version(self, table: str, version: RowVersion, newest: int) -> int | None:
        """A version of a table that is newer than one, also if no scan would reach it; None when there is none."""
        ...

    def read_result(self, sql: str) -> ResultReading:
        """The result of any query, exact."""
        ...


class Job(Protocol):
    """A question to the server. It holds all that it needs, and nothing that others change."""

    def run(self, source: RowSource) -> object:
        """Ask; blocks, and may raise ``KalamError``."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a round of checks came to.

    Attributes:
        asked: What was asked in the end: a reading of everything is a proof.
        is_true: Whether the rows are those of the server, as far as was asked.
        is_final: Whether there is nothing to be done about it now; otherwise another round follows.
        how: By which comparison, or why it could not be proved; in words.
        seq: Greatest version that the server has told.
        applied: What the round changed.
        healed: How many of these changes events should have told.
        server: The server's fingerprint; None where there is none to compare.
        held: The one of the rows that are held.
        took: Seconds that the server was busy with it; None for all the time until the answer.
        is_lossy: Whether events are missing that should have come.
        again: What is to be asked again, whatever happens; None for nothing.
        again_in: Seconds until then.
    """

    asked: Question
    is_true: bool
    is_final: bool
    how: str
    seq: int = 0
    applied: Applied = _NOTHING
    healed: int = 0
    server: Fingerprint | None = None
    held: Fingerprint | None = None
    took: float | None = None
    is_lossy: bool = False
    again: Question | None = None
    again_in: float = 0.0


class Engine(ABC):
    """The rows of one live query, and what has to be asked to keep them true.

    Attributes:
        form: How the rows are followed.
        table_name: The tables, for people.
        subscriptions: The statements that are subscribed to.
        told: Whether events have told all that happened.
    """

    form: Form
    table_name: str
    subscriptions: tuple[str, ...]
    told: Told

    @property
    @abstractmethod
    def rows(self) -> Rows | None:
        """The rows; None before the first round."""

    @property
    @abstractmethod
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart; empty for all of them."""

    @property
    @abstractmethod
    def version(self) -> RowVersion | None:
        """The row version of the tables; None where they have none, or several."""

    @property
    @abstractmethod
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""

    @property
    @abstractmethod
    def is_diverged(self) -> bool:
        """Whether the rows are known not to be those of the server."""

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the next round will put right, in sentences."""
        return ()

    @property
    def is_provable(self) -> bool:
        """Whether a round proves the rows without reading everything."""
        return True

    @abstractmethod
    def next_job(self, question: Question, *, now: float) -> Job:
        """Begin a round: what is to be asked."""

    @abstractmethod
    def finish(self, outcome: object, *, now: float, at: float) -> Verdict:
        """End a round with what its job returned."""

    def give_up(self) -> bool:
        """End a round whose job failed; tell whether another kind of question may succeed."""
        return False

    # What is of no consequence where each round reads everything.

    def look_closely(self) -> None:  # noqa: B027 - Each round may look anyway.
        """Have the next round look whether the tables are still the same: others may stand under their names."""

    def reread(self) -> None:  # noqa: B027
        """Have the next round read everything."""

    def belongs_to(self, domain: Mapping[str, Any] | None) -> None:  # noqa: B027
        """Take note of what the versions of the table belong to, where the server tells it."""

    def take_in(self, changes: Sequence[Change], *, at: float) -> Applied:
        """Take events in; they may be late, repeated, out of order or incomplete. Without this they only ring."""
        return _NOTHING

    def expire(self, *, now: float, at: float) -> Applied:
        """Drop the rows whose time is over."""
        return _NOTHING

    def expiry(self, *, now: float) -> float | None:
        """Seconds until ``expire`` has something to do; None when nothing expires."""
        return None
