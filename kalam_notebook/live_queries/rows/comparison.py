"""What a live table held when a check asked the server, whatever events have changed since (truth R5)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from kalam_notebook.live_queries.rows.fingerprint import Delta, Fingerprint
from kalam_notebook.wire.row_version import version_name

__all__ = ["Comparison", "Versions"]


@dataclass(frozen=True, slots=True)
class Versions:
    """What a delta tells of each key.

    Attributes:
        newest: The newest version of each key.
        offsets: For each version whose row is there the offset of its cells.
        deleted: The versions that are deletes.
    """

    newest: Mapping[Hashable, int]
    offsets: Mapping[int, int]
    deleted: frozenset[int]

    @classmethod
    def of(cls, delta: Delta) -> Versions:
        """Take a delta apart."""
        newest: dict[Hashable, int] = {}
        for table in (delta.keys, delta.deleted):
            pairs = zip(table.column("key").to_pylist(), table.column("seq").to_pylist(), strict=True)
            for key, seq in pairs:
                if seq > newest.get(key, -1):
                    newest[key] = seq
        name = version_name(delta.rows.column_names)
        offsets = {seq: offset for offset, seq in enumerate(delta.rows.column(name).to_pylist())}
        return cls(newest, offsets, frozenset(delta.deleted.column("seq").to_pylist()))


class Comparison:
    """The fingerprint of what was held, and the versions of the rows that were changed since.

    Args:
        held: The fingerprint at the moment before the server was asked.
    """

    def __init__(self, held: Fingerprint) -> None:
        self.held = held
        self._touched: dict[Hashable, int | None] | None = {}

    def end(self) -> None:
        """Take note of no more changes."""
        self._touched = None

    def touch(self, key: Hashable, seq: int | None) -> None:
        """Take note of a row that is about to change, with the version that was held; None for no row."""
        if self._touched is not None:
            self._touched.setdefault(key, seq)

    def is_touched(self, key: Hashable) -> bool:
        """Whether an event has changed a row since."""
        return key in (self._touched or ())

    def compare(self, versions: Versions, seq_of: Callable[[Hashable], int | None], after: int) -> Fingerprint:
        """The fingerprint at the delta's point in time: what was held when it was asked for, changed as it says.

        Args:
            versions: What the delta tells.
            seq_of: Gives the version that is held of a key; None for no row.
            after: Rows up to this version are left out.
        """
        touched, held = self._touched or {}, self.held
        for key, seq in versions.newest.items():
            old = touched[key] if key in touched else seq_of(key)
            if key not in touched and old is not None and seq < old:
                continue  # Not taken, because the newest version wins; so the fingerprints differ.
            new = seq if seq in versions.offsets else None
            if old != new:
                held = held.moved(_behind(old, after), _behind(new, after))

        # Another delta of the same round begins where this one ends.
        self.held = held
        if self._touched is not None:
            self._touched |= {key: seq if seq in versions.offsets else None for key, seq in versions.newest.items()}
        return held


def _behind(seq: int | None, after: int) -> int | None:
    return seq if seq is not None and seq > after else None
