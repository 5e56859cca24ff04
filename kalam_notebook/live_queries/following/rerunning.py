"""The engine of a live query of any shape: events of its tables ring, and the query is run again.

Each round runs the query: its exact result is its own proof, and costs the server what asking whether anything has
changed would. One that names the time is run every two seconds, and so is one over STREAM tables, whose rows expire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kalam_notebook.errors import ConfigError
from kalam_notebook.live_queries.following.engine import TIME_INTERVAL, Engine, Job, RowSource, Verdict
from kalam_notebook.live_queries.following.plan import Form, ResultReading, TableInfo, doorbell_sql, is_keyed
from kalam_notebook.live_queries.following.rerun import RerunQuery, result_key
from kalam_notebook.live_queries.following.schedule import Question
from kalam_notebook.live_queries.following.told import Told
from kalam_notebook.live_queries.rows.history import Applied
from kalam_notebook.live_queries.rows.result_store import ResultStore
from kalam_notebook.sql.live_filter import is_volatile
from kalam_notebook.wire.row_version import RowVersion, row_version_of

__all__ = ["RerunEngine"]


@dataclass(frozen=True, slots=True)
class _Run:
    """Run the query."""

    query: RerunQuery

    def run(self, source: RowSource) -> ResultReading:
        """The result."""
        return source.read_result(self.query.sql)


class RerunEngine(Engine):
    """The result of a query, and when to run it again.

    Args:
        query: The query.
        infos: Its tables, in the order of the query's.
        key: Columns that tell rows apart; None to find them.
    """

    form = Form.RERUN

    def __init__(self, query: RerunQuery, infos: Sequence[TableInfo], *, key: Sequence[str] | None) -> None:
        self._query = query
        self._key = None if key is None else tuple(key)
        self.table_name = query.table_name
        self.subscriptions = tuple(
            doorbell_sql(table, info.columns) for table, info in zip(query.tables, infos, strict=True)
        )
        changes_in_time = is_volatile(query.sql.tokens) or any(info.ttl_ms is not None for info in infos)
        self._again_in = TIME_INTERVAL if changes_in_time else None
        versions = {row_version_of(info.columns) for info in infos}
        self._version = versions.pop() if len(versions) == 1 else None
        self._without_versions = ", ".join(
            table for table, info in zip(query.tables, infos, strict=True) if not is_keyed(info)
        )
        self.told = Told()
        self._store: ResultStore | None = None
        self._doubt = ""

    @property
    def rows(self) -> ResultStore | None:
        """The result; None before the first round."""
        return self._store

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart; empty for all of them."""
        return () if self._store is None else self._store.key

    @property
    def is_diverged(self) -> bool:
        """Whether the result is known to be of before: an event has come since."""
        return self._store is None

    @property
    def version(self) -> RowVersion | None:
        """The row version of the tables; None where they have none, or several."""
        return self._version

    @property
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""
        notices = [f"The result is {self._doubt}."] if self._doubt else []
        if self._without_versions:
            notices.append(
                f"The rows of {self._without_versions} have no version, or no key; each event has the query run again."
            )
        if self._store is not None and self._store.is_ambiguous:
            names = ", ".join(self._store.key)
            notices.append(f"Rows with equal {names} are told apart by their order only; name the key with key=[…].")
        return tuple(notices)

    def next_job(self, question: Question, *, now: float) -> Job:
        """Begin a round, whatever it asks."""
        return _Run(self._query)

    def finish(self, outcome: object, *, now: float, at: float) -> Verdict:
        """End a round with what its job returned."""
        assert isinstance(outcome, ResultReading)
        applied = self._load(outcome, at=at)
        return Verdict(
            Question.DELTA | Question.PROOF,
            not self._doubt,
            is_final=True,
            how="run again exactly" if not self._doubt else f"the result is {self._doubt}",
            applied=applied,
            again=None if self._again_in is None else Question.PROOF,
            again_in=self._again_in or 0.0,
        )

    def _load(self, result: ResultReading, *, at: float) -> Applied:
        self._doubt = result.doubt
        old = self._store
        if old is not None and old.columns == result.columns and old.schema.equals(result.rows.schema):
            return old.load(result.rows, at=at)
        key = self._key if self._key is not None else result_key(self._query, result.columns)
        names = [column.name for column in result.columns]
        if unknown := next((name for name in key if names.count(name) != 1), None):
            shown = ", ".join(names)
            raise ConfigError(f"key names {unknown!r}, of which the result has none or several. It has: {shown}.")
        self._store = ResultStore(
            result.columns,
            key=key,
            rows=result.rows,
            version=0 if old is None else old.version,
            next_row_id=0 if old is None else old.next_row_id,
            at=at,
        )
        return Applied(inserted=result.rows.num_rows)
