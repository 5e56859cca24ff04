"""The engine of a live query of any shape: events of its tables ring, and the query is run again.

A round compares the fingerprints and columns of the tables with those of the round before; where they are the same,
nothing has changed since before the present result was read, and the query is not run again. One that names the time
is, every two seconds; STREAM tables, whose rows expire, are looked at as often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kalam_notebook.errors import ConfigError
from kalam_notebook.live.engine import TIME_INTERVAL, Job, RowSource, Verdict
from kalam_notebook.live.filters import is_volatile
from kalam_notebook.live.plan import Form, ResultReading, TableInfo, doorbell_sql
from kalam_notebook.live.rerun import RerunQuery, result_key
from kalam_notebook.live.result_store import ResultStore
from kalam_notebook.live.store import Applied
from kalam_notebook.live.truth import Fingerprint
from kalam_notebook.wire.live import Change
from kalam_notebook.wire.sql import tokenize
from kalam_notebook.wire.types import Column

__all__ = ["RerunEngine"]


@dataclass(frozen=True, slots=True)
class _Run:
    """Run the query, unless nothing has changed since ``known``."""

    query: RerunQuery
    known: tuple[Fingerprint, ...] | None
    columns: tuple[tuple[Column, ...], ...]

    def run(self, source: RowSource) -> _Ran:
        """The fingerprints of the tables, taken before the result."""
        prints, columns = source.read_fingerprints(self.query.tables), self.columns
        if self.known is not None and all(a.agrees(b) for a, b in zip(prints, self.known, strict=True)):
            # ALTER TABLE sends no message and leaves _seq as it is (live reference, section 6.8).
            columns = tuple(source.columns(table) for table in self.query.tables)
            if columns == self.columns:
                return _Ran(prints, columns, None)
        return _Ran(prints, columns, source.read_result(self.query.sql))


@dataclass(frozen=True, slots=True)
class _Ran:
    """What a round found: the result, or None where the present one still holds."""

    prints: tuple[Fingerprint, ...]
    columns: tuple[tuple[Column, ...], ...]
    result: ResultReading | None


class RerunEngine:
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
        self._is_volatile = is_volatile(tokenize(query.sql))
        changes_in_time = self._is_volatile or any(info.ttl_ms is not None for info in infos)
        self._again_in = TIME_INTERVAL if changes_in_time else None
        self._store: ResultStore | None = None
        self._prints: tuple[Fingerprint, ...] | None = None
        self._columns = tuple(info.columns for info in infos)
        self._has_rung = False
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
    def doubts(self) -> tuple[str, ...]:
        """Nothing: a result is exact."""
        return ()

    @property
    def is_provable(self) -> bool:
        """Whether a round proves the result; its query is read exactly, and says when it cannot be."""
        return True

    @property
    def notices(self) -> tuple[str, ...]:
        """What the rows may not show rightly, in sentences."""
        notices = [f"The result is {self._doubt}."] if self._doubt else []
        if self._store is not None and self._store.is_ambiguous:
            names = ", ".join(self._store.key)
            notices.append(f"Rows with equal {names} are told apart by their order only; name the key with key=[…].")
        return tuple(notices)

    def look_closely(self) -> None:
        """Each round looks at the tables."""

    def take_in(self, changes: Sequence[Change], *, at: float) -> Applied:
        """Take note that a table has changed."""
        self._has_rung = self._has_rung or bool(changes)
        return Applied()

    def reread(self) -> None:
        """Have the next round run the query."""
        self._has_rung = True

    def next_job(self, *, now: float) -> Job:
        """Begin a round; after an event there is no need to ask whether something has changed."""
        known, self._has_rung = (None if self._has_rung or self._is_volatile else self._prints), False
        return _Run(self._query, known, self._columns)

    def give_up(self) -> bool:
        """End a round whose job failed: there is no other question."""
        self._has_rung = True
        return False

    def finish(self, outcome: object, *, now: float, at: float) -> Verdict:
        """End a round with what its job returned."""
        assert isinstance(outcome, _Ran)
        applied = Applied() if outcome.result is None else self._load(outcome.result, at=at)
        self._prints, self._columns = outcome.prints, outcome.columns
        how = "the tables have not changed since it was run" if outcome.result is None else "run again exactly"
        server = outcome.prints[0] if len(outcome.prints) == 1 else None
        seq = max((found.last for found in outcome.prints), default=0)
        return Verdict(
            not self._doubt,
            is_final=True,
            how=how if not self._doubt else f"the result is {self._doubt}",
            seq=seq,
            applied=applied,
            server=server,
            again_in=self._again_in,
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
        )
        return Applied(inserted=result.rows.num_rows)

    def expire(self, *, now: float, at: float) -> Applied:
        """Nothing expires here: the query says what there is."""
        return Applied()

    def expiry(self, *, now: float) -> float | None:
        """Nothing expires here."""
        return None
