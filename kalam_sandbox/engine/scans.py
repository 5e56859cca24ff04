"""What the scans of a statement cost the server (truth L32), and a record of them that tests can read.

A scan goes through row versions, whatever is asked of it. Which scans are cheap was measured on KalamDB 0.4.3-rc.4 by
the CPU time of its process; `docs/sandbox.md` has the table.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from kalam_sandbox.engine.plan import TableScan
from kalam_sandbox.options import Options

WHOLE, AFTER, COUNT, POINT = "whole", "after", "count", "point"
# What an unflushed and a flushed version cost a scan of each kind, of what they cost a whole one.
_SHARES = {WHOLE: (1.0, 1.0), AFTER: (1.0, 1.0), COUNT: (0.7, 0.4), POINT: (0.0, 0.6)}
# Statements and characters of a statement that are kept.
_KEPT = 1000
_KEPT_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan of a table.

    Attributes:
        table: Namespace and name.
        kind: ``whole``; ``after``, from a version on; ``count``, of rows without any column; ``point``, by key.
        unflushed: Row versions that it went through.
        flushed: Rows of files that it went through.
    """

    table: str
    kind: str
    unflushed: int
    flushed: int

    def seconds(self, options: Options) -> float:
        """Return what it costs."""
        hot, cold = _SHARES[self.kind]
        nanoseconds = self.unflushed * options.scan_row_ns * hot + self.flushed * options.scan_flushed_row_ns * cold
        return nanoseconds / 1e9


def scan_kind(scan: TableScan, key: str | None, *, is_point_cheap: bool) -> str:
    """Return which kind of scan the server makes of one in a plan.

    Args:
        scan: The scan in the plan.
        key: Key column of the table.
        is_point_cheap: Whether the server looks keys up: not between BEGIN and COMMIT, and not to change rows.
    """
    if is_point_cheap and key is not None and scan.looks_up(key):
        return POINT
    if scan.after is not None:
        return AFTER
    return COUNT if not scan.reads_columns and not scan.conditions else WHOLE


@dataclass(frozen=True, slots=True)
class ScannedStatement:
    """A SELECT, INSERT, UPDATE or DELETE and its scans.

    Attributes:
        sql: The statement; a long one is cut.
        user: Who sent it.
        is_live: Whether the server asked it for the snapshot of a live query.
        in_transaction: Whether it stood between BEGIN and COMMIT.
        scans: Its scans in the order of its plan.
    """

    sql: str
    user: str
    is_live: bool
    in_transaction: bool
    scans: tuple[Scan, ...]


class ScanLog:
    """The latest statements with their scans, and how many there were of each kind since the last reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statements: deque[ScannedStatement] = deque(maxlen=_KEPT)
        self._counts = dict.fromkeys(_SHARES, 0)
        self._total = 0

    def note(self, sql: str, user: str, scans: Sequence[Scan], *, is_live: bool, in_transaction: bool) -> None:
        """Remember a statement."""
        told = sql if len(sql) <= _KEPT_CHARACTERS else sql[: _KEPT_CHARACTERS - 1] + "…"
        with self._lock:
            self._statements.append(ScannedStatement(told, user, is_live, in_transaction, tuple(scans)))
            self._total += 1
            for scan in scans:
                self._counts[scan.kind] += 1

    def reset(self) -> dict[str, object]:
        """Forget all statements; what was there is returned like a report."""
        with self._lock:
            told = self._told()
            self._statements.clear()
            self._counts = dict.fromkeys(_SHARES, 0)
            self._total = 0
        return told

    def report(self) -> dict[str, object]:
        """Return counts and statements as JSON has them."""
        with self._lock:
            return self._told()

    def _told(self) -> dict[str, object]:
        return {
            "count": self._total,
            "scans": dict(self._counts),
            "statements": [asdict(statement) for statement in self._statements],
        }
