"""What a check brings: what changed since a version, and a fingerprint of everything (truth R4, R5).

Values only. They are read by ``following.delta``, and put into a live table by ``rows.store``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

__all__ = ["MODULUS", "Delta", "DeltaQuestion", "Fingerprint", "Proof", "fingerprint_of"]

#: The prime of the fingerprint's sum (truth R5): runs of consecutive numbers cancel out in the xor alone.
MODULUS = 1_000_000_007


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Four numbers that tell two sets of row versions apart (truth R5).

    Attributes:
        count: How many rows there are.
        last: The greatest version; 0 without rows.
        xor: All versions combined by exclusive or.
        total: The sum of ``_seq % MODULUS``.
    """

    count: int = 0
    last: int = 0
    xor: int = 0
    total: int = 0

    def __str__(self) -> str:
        return f"{self.count:,} rows, xor {self.xor}, sum {self.total}"

    def moved(self, old: int | None, new: int | None) -> Fingerprint:
        """The fingerprint after one row went from one version to another; None is no row. ``last`` stays."""
        count, xor, total = self.count, self.xor, self.total
        if old is not None:
            count, xor, total = count - 1, xor ^ old, total - old % MODULUS
        if new is not None:
            count, xor, total = count + 1, xor ^ new, total + new % MODULUS
        return Fingerprint(count, self.last, xor, total)

    def agrees(self, other: Fingerprint) -> bool:
        """Whether both stand for the same rows; ``last`` follows from the others and is for people."""
        return (self.count, self.xor, self.total) == (other.count, other.xor, other.total)


def fingerprint_of(seqs: np.ndarray) -> Fingerprint:
    """The fingerprint of row versions, as int64."""
    if not len(seqs):
        return Fingerprint()
    return Fingerprint(
        len(seqs), int(seqs.max()), int(np.bitwise_xor.reduce(seqs)), int(np.sum(seqs % MODULUS, dtype=np.int64))
    )


@dataclass(frozen=True, slots=True)
class DeltaQuestion:
    """What a delta is to tell.

    Attributes:
        after: Everything behind this version.
        floor: Rows up to this version are left out of the fingerprint.
        proves: Whether the fingerprint is wanted, which costs the server a scan.
        counts: Whether the table's rows are to be counted, whether they match or not.
    """

    after: int
    floor: int = 0
    proves: bool = False
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Delta:
    """What changed in a table since a version, at one point in time.

    Attributes:
        rows: The changed rows that match the query, with the columns of the store.
        keys: ``key`` and ``seq`` of every row version since then, whether it matches or not.
        deleted: ``key`` and ``seq`` of the tombstones since then.
        fingerprint: Of all rows that match the query, as far as one scan of the server reaches; None unless asked for.
        now_ms: The server's clock, milliseconds since 1970.
        counted: How many rows the table has, right also where a scan does not reach all; None when not asked for.
        took: Seconds that the server was busy with it.
    """

    rows: pa.Table
    keys: pa.Table
    deleted: pa.Table
    fingerprint: Fingerprint | None
    now_ms: int
    counted: int | None = None
    took: float = 0.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What ``verify`` found out.

    Attributes:
        equal: Whether the table was proved to equal the server's.
        how: By which comparison, or why it could not be proved.
        rows: Rows of the live table then.
        seq: Greatest version that the server had told by then.
        at: When.
        healed: Rows that had to be repaired for it.
        server: The server's fingerprint; None where there is none to compare.
        held: The live table's.
    """

    equal: bool
    how: str
    rows: int
    seq: int
    at: dt.datetime
    healed: int
    server: Fingerprint | None = None
    held: Fingerprint | None = None

    def __bool__(self) -> bool:
        return self.equal

    def __str__(self) -> str:
        verdict = "equal to the server" if self.equal else "NOT proved equal to the server"
        facts = f"{self.rows:,} rows up to version {self.seq}, {self.at:%Y-%m-%d %H:%M:%S} UTC, healed {self.healed:,}"
        lines = [f"{verdict}: {self.how} ({facts})"]
        if self.server is not None:
            lines.append(f"  server  {self.server}")
        if self.held is not None:
            lines.append(f"  held    {self.held}")
        return "\n".join(lines)
