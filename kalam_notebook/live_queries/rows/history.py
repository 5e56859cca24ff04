"""A bounded memory of what happened to the rows of a live table: which, how, and their cells before and after."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain
from typing import NamedTuple

import pyarrow as pa

from kalam_notebook.live_queries.rows.chunks import RowChunks

__all__ = ["Applied", "Effect", "Entries", "Entry", "History", "Step", "microseconds"]


#: Numbers of rows in remembered orders: 8 MB.
_MAX_ORDERED = 1_000_000


def microseconds(seconds: float) -> int:
    """A time as it is told, rounded as ``datetime`` does it. Doubles hold times of our days to a quarter of one."""
    fraction, whole = math.modf(seconds)
    return int(whole) * 1_000_000 + round(fraction * 1_000_000)


class Effect(Enum):
    """What happened to a row."""

    INSERTED = "inserted"
    UPDATED = "updated"
    DELETED = "deleted"
    LEFT = "left"  # It is still there on the server, and does not match the query any more.
    EXPIRED = "expired"  # The time of a STREAM row is over, or ``max_rows`` left no room for it.


class Entry(NamedTuple):
    """What happened to one row.

    Attributes:
        row_id: Its number.
        effect: What happened.
        seq: Its new version, that of the tombstone, or of the last version that was held.
        new: Place of the new version; -1 when it is gone.
        old: Place of the version before; -1 when there was none.
    """

    row_id: int
    effect: Effect
    seq: int
    new: int
    old: int


@dataclass(frozen=True, slots=True)
class Applied:
    """How many rows were inserted, updated and removed; late and repeated events do not count."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.inserted + self.updated + self.deleted

    def __add__(self, more: Applied) -> Applied:
        return Applied(self.inserted + more.inserted, self.updated + more.updated, self.deleted + more.deleted)


class Entries(Collection[Entry]):
    """Entries column by column: ten thousands of tuples would be looked through by every garbage collection."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._effects: list[Effect] = []
        self._row_ids = array("q")
        self._seqs = array("q")
        self._new = array("q")
        self._old = array("q")
        for entry in entries:
            self.add(*entry)

    def add(self, row_id: int, effect: Effect, seq: int, new: int, old: int) -> None:
        """Add the entry with these attributes, without making it."""
        self._row_ids.append(row_id)
        self._effects.append(effect)
        self._seqs.append(seq)
        self._new.append(new)
        self._old.append(old)

    def counted(self) -> Applied:
        """How many rows this happened to."""
        inserted = self._effects.count(Effect.INSERTED)
        updated = self._effects.count(Effect.UPDATED)
        return Applied(inserted, updated, len(self) - inserted - updated)

    def __len__(self) -> int:
        return len(self._effects)

    def __contains__(self, entry: object) -> bool:
        return any(entry == held for held in self)

    def places(self) -> Iterator[int]:
        """Where cells of them lie; -1 among them."""
        return chain(self._new, self._old)

    def move(self, moved: Mapping[int, int]) -> Entries:
        """The same entries with their cells at other places."""
        entries = copy(self)
        entries._new = array("q", [moved[place] for place in self._new])
        entries._old = array("q", [moved[place] for place in self._old])
        return entries

    def __iter__(self) -> Iterator[Entry]:
        return map(Entry, self._row_ids, self._effects, self._seqs, self._new, self._old)


@dataclass(slots=True)
class Step:
    """What happened at once, between one version of the table and the next.

    Attributes:
        version: The version that came out of it.
        at: When it came, in seconds since 1970.
        healed: Whether a check brought it, though an event should have.
        entries: The rows concerned.
        chunks: Where the places lie; None when the cells have been forgotten.
        order: The numbers of all rows before it in their order, where that is not the order of the numbers.
        is_settled: Whether the chunks hold nothing but remembered cells.
    """

    version: int
    at: float
    healed: bool
    entries: Entries
    chunks: RowChunks | None
    order: array[int] | None = None
    is_settled: bool = False


class History:
    """The latest steps, oldest first.

    Args:
        version: The version up to which nothing is known.
        max_entries: How many changed rows are remembered by number.
        max_cells: How many of them with their cells.
    """

    def __init__(self, *, version: int, max_entries: int, max_cells: int) -> None:
        self._max_entries = max_entries
        self._max_cells = max_cells
        self._steps: deque[Step] = deque()
        self._size = 0
        self._ordered = 0  # The numbers in the orders of all steps.
        self._floor = version
        self._floor_at = 0.0

    @property
    def known_since(self) -> float:
        """From when on ``later_than`` tells all, in seconds since 1970."""
        for step in reversed(self._steps):
            if step.chunks is None:
                return step.at
        return self._floor_at

    def add(self, step: Step) -> None:
        """Remember one step; versions never go back."""
        if len(step.entries) > self._max_entries:
            self.forget(step.version, at=step.at)
            return
        self._steps.append(step)
        self._size += len(step.entries)
        self._ordered += len(step.order or ())
        while self._size > self._max_entries or self._ordered > _MAX_ORDERED:
            oldest = self._steps.popleft()
            self._size -= len(oldest.entries)
            self._ordered -= len(oldest.order or ())
            self._floor = oldest.version
            self._floor_at = oldest.at

    def forget(self, version: int, *, at: float = 0.0) -> None:
        """Drop everything up to a version, which came at a time in seconds since 1970."""
        self._steps.clear()
        self._size = self._ordered = 0
        self._floor = version
        self._floor_at = at

    def since(self, version: int) -> Mapping[int, Effect] | None:
        """Return for each row the first thing that happened to it after a version; None when that is not known."""
        if version < self._floor:
            return None
        first: dict[int, Effect] = {}
        for step in self._newer(version):
            for entry in reversed(list(step.entries)):
                first[entry.row_id] = entry.effect
        return first

    def steps(self, version: int) -> tuple[list[Step], bool]:
        """Return the steps after a version, oldest first, and whether these are all with all their cells.

        They are copies: they can be read on another thread while ``settle`` moves the cells of the originals.
        """
        newer = [step for step in self._newer(version) if step.entries]
        found = [replace(step) for step in reversed(newer) if step.chunks is not None]
        return found, version >= self._floor and len(found) == len(newer)

    def later_than(self, at: float) -> tuple[list[Step], int]:
        """The steps after a time since ``known_since``, oldest first, and the version before them.

        Args:
            at: The time; steps of the same microsecond are not after it.
        """
        found: deque[Step] = deque()
        for step in reversed(self._steps):
            if microseconds(step.at) <= microseconds(at):
                return list(found), step.version
            found.appendleft(step)
        return list(found), self._floor

    def _newer(self, version: int) -> Iterator[Step]:
        for step in reversed(self._steps):
            if step.version <= version:
                return
            yield step

    def settle(self, schema: pa.Schema) -> None:
        """Copy the cells that are remembered out of chunks that are going to be given up."""
        left = self._max_cells
        moving: list[Step] = []
        for step in reversed(self._steps):
            if step.chunks is None or len(step.entries) > left:
                left = 0
                step.chunks = None
            else:
                left -= len(step.entries)
                if not step.is_settled:
                    moving.append(step)

        chunks = RowChunks(schema)
        for old, steps in _by_chunks(moving):
            places = sorted(set(chain.from_iterable(step.entries.places() for step in steps)) - {-1})
            moved = {-1: -1} | dict(zip(places, range(len(chunks), len(chunks) + len(places)), strict=True))
            chunks.extend(old.take(places))
            for step in steps:
                step.entries = step.entries.move(moved)
                step.chunks = chunks
                step.is_settled = True

    def __len__(self) -> int:
        return self._size


def _by_chunks(steps: Sequence[Step]) -> Iterator[tuple[RowChunks, list[Step]]]:
    grouped: dict[int, list[Step]] = {}
    for step in steps:
        grouped.setdefault(id(step.chunks), []).append(step)
    for group in grouped.values():
        assert group[0].chunks is not None
        yield group[0].chunks, group
