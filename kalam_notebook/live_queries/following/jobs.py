"""What the engine of a live query over one table asks of the server in a round: what changed, or everything."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.live_queries.following.engine import RowSource
from kalam_notebook.live_queries.following.plan import Reading, TablePlan, plan_table
from kalam_notebook.live_queries.following.query import LiveQuery
from kalam_notebook.live_queries.rows.fingerprint import Delta, DeltaQuestion

#: So many deltas of one round at most; where versions hold no time, others may go on writing as fast as it reads.
_MOST_DELTAS = 1_000

__all__ = ["DeltaJob", "Deltas", "ReadJob", "seqs_of"]

#: So many changed keys, and any after a while without a question, may stand for more versions than a scan reads.
_MANY = 2_000


@dataclass(frozen=True, slots=True)
class DeltaJob:
    """Ask what changed."""

    plan: TablePlan
    ask: DeltaQuestion
    is_beyond: bool
    looks_at_columns: bool
    is_careful: bool

    def run(self, source: RowSource) -> Deltas:
        """One delta; beyond the scan window as many as it takes."""
        # ALTER TABLE sends no message (protocol/live.md#ddl), and another server may have come.
        if self.looks_at_columns:
            columns = source.columns(self.plan.source)
            names = {column.name for column in columns}
            if names != self.plan.row_names or source.doubts(columns) != self.plan.doubts:
                return Deltas(self.ask, has_other_columns=True)

        found: list[Delta] = []
        ask, is_beyond = self.ask, self.is_beyond
        while (delta := source.read_delta(self.plan, ask)) is not None:
            found.append(delta)
            newest = max(seqs_of(delta), default=0)
            # What was written after the first question is for the next round.
            written_ms = self.plan.version.ms(newest)
            is_late = written_ms is not None and written_ms >= found[0].now_ms > 0
            if newest <= ask.after or is_late or len(found) >= _MOST_DELTAS:
                break
            if not is_beyond and not self.is_careful and len(seqs_of(delta)) < _MANY:
                break

            if not is_beyond:
                # One scan may not reach all that changed, and its fingerprint ends where it does (truth L3, R7).
                hidden = source.newer_version(self.plan.source, self.plan.version, newest)
                if hidden is None:
                    break
                # It may also have been written just now: then another scan reaches it.
                if (again := source.read_delta(self.plan, ask)) is None:
                    return Deltas(self.ask, tuple(found), is_cut=True)
                found = [again]
                newest = max(seqs_of(again), default=0)
                if newest >= hidden:
                    break
                is_beyond, ask = True, replace(ask, counts=ask.proves and not self.plan.filter_sql)

            ask = replace(ask, after=newest)
        return Deltas(self.ask, tuple(found), is_cut=delta is None, is_beyond=is_beyond)


@dataclass(frozen=True, slots=True)
class Deltas:
    """What changed; ``is_cut`` when that is more than can be told, ``is_beyond`` when one scan did not reach it."""

    ask: DeltaQuestion
    deltas: tuple[Delta, ...] = ()
    is_cut: bool = False
    is_beyond: bool = False
    has_other_columns: bool = False


@dataclass(frozen=True, slots=True)
class ReadJob:
    """Read everything, with the present columns of the table."""

    query: LiveQuery
    max_rows: int | None

    def run(self, source: RowSource) -> tuple[TablePlan, Reading]:
        """The plan that fits the table of now, and all rows."""
        info = source.describe(self.query.source)
        plan = plan_table(self.query, info)
        reading = source.read_rows(plan, self.max_rows)
        if not info.kind and _has_repeated(reading.rows.column(plan.key)):
            # Only STREAM tables have rows with equal keys.
            plan = plan_table(self.query, replace(info, kind="stream"))
            reading = source.read_rows(plan, self.max_rows)
        return plan, reading


def _has_repeated(keys: pa.ChunkedArray) -> bool:
    return bool(pc.count_distinct(keys).as_py() < len(keys))


def seqs_of(delta: Delta) -> list[int]:
    """The versions that a delta tells of."""
    return [*delta.keys.column("seq").to_pylist(), *delta.deleted.column("seq").to_pylist()]
