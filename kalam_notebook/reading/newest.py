"""Keys and their newest versions, gathered page by page in little more memory than they take themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["NewestVersions"]

#: Whole numbers are looked through in so many parts, each of them sorted by itself.
_PARTS = 16


@dataclass(slots=True)
class NewestVersions:
    """The keys of a table and the newest version of each, ascending by version."""

    _keys: list[pa.Array] = field(default_factory=list)
    _seqs: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def add(self, pages: Iterable[pa.Table], upto: int) -> None:
        """Take keys and versions that have been read behind those before.

        Args:
            pages: Tables with the columns ``key`` and ``seq``.
            upto: What is newer is left out, because it comes again.
        """
        found = pa.concat_tables(pages)
        found = found.filter(pc.less_equal(found.column("seq"), upto))
        found = found.take(pc.sort_indices(found.column("seq")))
        if found.num_rows:
            self._keys.append(found.column("key").combine_chunks())
            before = len(self._seqs)
            self._seqs.resize(before + found.num_rows, refcheck=False)  # In place: two of them are too many.
            self._seqs[before:] = found.column("seq").to_numpy()

    def finish(self) -> tuple[pa.ChunkedArray, np.ndarray] | None:
        """Give keys and versions, each key once; None when there are none. Nothing is kept here."""
        if not self._keys:
            return None
        keys, seqs = pa.chunked_array(self._keys), self._seqs
        self._keys = []
        self._seqs = np.empty(0, np.int64)
        is_newest = _last_of_numbers(keys) if pa.types.is_integer(keys.type) else _last_of_each(keys)
        if is_newest.all():
            return keys, seqs
        return keys.filter(pa.array(is_newest)), seqs[is_newest]


def _last_of_each(keys: pa.ChunkedArray) -> np.ndarray:
    """Which of equal keys is the last."""
    places = pa.table({"key": keys, "place": pa.arange(0, len(keys))})
    last = places.group_by("key").aggregate([("place", "max")]).column("place_max")
    found = np.zeros(len(keys), bool)
    found[last.to_numpy()] = True
    return found


def _last_of_numbers(keys: pa.ChunkedArray) -> np.ndarray:
    """The same for whole numbers, in a fraction of the memory."""
    part_of = np.concatenate([np.mod(chunk.to_numpy(), _PARTS).astype(np.uint8) for chunk in keys.chunks])
    found = np.ones(len(keys), bool)
    for part in range(_PARTS):
        places = np.flatnonzero(part_of == part)
        numbers = keys.filter(pa.array(part_of == part)).to_numpy()
        order = np.argsort(numbers, kind="stable")  # Equal ones stay in the order of their versions.
        numbers = numbers[order]
        found[places[order[:-1][numbers[:-1] == numbers[1:]]]] = False
    return found
