"""Which rows a reader wants to see, and in which order, over whole columns: the same rules as the page's own.

Pure. The other end is ``js/src/order.ts`` and ``js/src/conditions.ts``: equal values as the table has them, NULL last
in either direction, NaN greater than every number; a search looks at cells as they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from kalam_notebook.notebook.page.page_rows import TEXT_CHARS
from kalam_notebook.reading.order import in_order
from kalam_notebook.results.cells import CellColumn, cell_text, plain

if TYPE_CHECKING:
    from kalam_notebook.live_queries.table import LiveTable

__all__ = [
    "Sort", "Wanted", "comes_before", "first_places", "in_shown_order", "key_places", "sort_keys", "sorted_places",
]  # fmt: skip

#: How tables follow the server whose rows are those of a table, told apart by its key.
_KEYED = {"direct", "delta"}
#: Rows of a static copy that are sorted at most; it is made anew every few seconds.
_MOST_SORTED = 100_000
_DIGITS = "0123456789"
#: The small letters that texts of a kind are made of; a search for others need not look at them.
_LETTERS: Mapping[str, str] = {
    "boolean": "truefals", "integer": f"{_DIGITS}-", "decimal": f"{_DIGITS}-.", "date": f"{_DIGITS}-+",
    "time": f"{_DIGITS}:.", "timestamp": f"{_DIGITS}-+:.tz", "uuid": f"{_DIGITS}abcdef-",
    "float": f"{_DIGITS}-+.einfaty", "float32": f"{_DIGITS}-+.einfaty", "list": f"{_DIGITS}-+.einfatyul[], …",
    "list32": f"{_DIGITS}-+.einfatyul[], …",
}  # fmt: skip


#: Up to so many digits behind the point Arrow writes a decimal without an exponent.
_PLAIN_DIGITS = 6
#: Seconds from 1970 on, and back, in which years have four digits.
_COMMON_SECONDS = 62_000_000_000
_UNITS = {1: "s", 1_000: "ms", 1_000_000: "us", 1_000_000_000: "ns"}

#: Bytes of a UUID, and more than the page lets one ask for of other bytes.
_DIGIT_BYTES = 16
#: What stands behind the name of a file.
_FILE_SIZE = r" · [^·]*$"

#: Values that are looked at to tell which may be among the first, and how many more of them than are needed.
_SAMPLE = 50_000
_SPARE = 1_000


def key_places(live: LiveTable) -> list[int]:
    """The positions of the columns by which rows are shown that nobody has sorted: those of the key.

    None where the query has an order, or rows have no key but the order of writing.
    """
    columns = live.columns
    places = [place for place, column in enumerate(columns) if column.is_primary_key]
    is_keyed = live.form in _KEYED and {columns[place].name for place in places} == set(live.key)
    return places if is_keyed else []


def in_shown_order(live: LiveTable, rows: pa.Table) -> pa.Table:
    """Rows of a live table as a page shows them that has not sorted them, up to 100,000 of them."""
    return in_order(rows, key_places(live)) if rows.num_rows <= _MOST_SORTED else rows


@dataclass(frozen=True, slots=True)
class Sort:
    """A column by its position, and the direction."""

    column: int
    descending: bool

    @property
    def order(self) -> str:
        """The direction as Arrow names it."""
        return "descending" if self.descending else "ascending"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a row has to hold.

    Attributes:
        search: A text that one of its cells has to hold, in small letters; empty for none.
        conditions: What is asked of columns, as JSON of the page.
    """

    search: str
    conditions: tuple[Mapping[str, Any], ...]

    @property
    def is_all(self) -> bool:
        """Whether every row is wanted."""
        return not self.search and not self.conditions

    def of(self, rows: pa.Table, columns: Sequence[CellColumn]) -> np.ndarray:
        """Whether each of some rows is wanted."""
        matching = np.ones(rows.num_rows, bool)
        for condition in self.conditions:
            place = int(condition["column"])
            matching &= _flags(_meets(plain(rows.column(place), columns[place]), columns[place], condition))
        if self.search:
            matching &= self._found(rows, columns)
        return matching

    def _found(self, rows: pa.Table, columns: Sequence[CellColumn]) -> np.ndarray:
        found = np.zeros(rows.num_rows, bool)
        for place, column in enumerate(columns):
            letters = _LETTERS.get(column.kind)
            if letters is None or set(self.search) <= set(letters):
                found |= _flags(_shows(plain(rows.column(place), column), column, self.search))
        return found


def _meets(values: pa.ChunkedArray, column: CellColumn, condition: Mapping[str, Any]) -> pa.ChunkedArray:
    match condition["kind"]:
        case "contains":
            if column.kind == "uuid":
                values = _digits_of(values)
            if column.kind == "file":
                values = pc.replace_substring_regex(values, _FILE_SIZE, "")
            return pc.match_substring(pc.utf8_lower(values), str(condition["text"]).lower())
        case "begins":
            return pc.starts_with(_digits_of(values), str(condition["text"]))
        case "size":
            return _is_between(pc.binary_length(values), column, condition["least"], condition["most"])
        case "one of":
            wanted = pa.array(condition["values"], values.type)
            if column.is_long and pc.any(pc.greater_equal(pc.utf8_length(wanted), TEXT_CHARS)).as_py():
                values = pc.utf8_slice_codeunits(values, 0, TEXT_CHARS)  # As much as the page knows.
            return pc.is_in(values, value_set=wanted)
        case "range":
            return _is_between(values, column, condition["least"], condition["most"])
        case "null":
            return values.is_null()
        case "not null":
            return values.is_valid()
        case other:
            raise ValueError(f"There is no condition {other!r}.")


def _digits_of(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """UUIDs, or the first of other bytes, as many as the page knows, in hexadecimal digits."""
    digits = [None if value is None else value[:_DIGIT_BYTES].hex() for value in values.to_pylist()]
    return pa.chunked_array([digits], pa.string())


def _is_between(values: pa.ChunkedArray, column: CellColumn, least: str | None, most: str | None) -> pa.ChunkedArray:
    """Whether values lie between bounds, told as the page reads values: ticks of times, decimals without the point."""
    numbers = sort_keys(values, column)
    if column.kind == "decimal":
        bounds = [None if bound is None else pa.scalar(_decimal(bound, column.scale)) for bound in (least, most)]
        result = numbers.is_valid()
        if bounds[0] is not None:
            result = pc.and_(result, pc.greater_equal(numbers, bounds[0]))
        return result if bounds[1] is None else pc.and_(result, pc.less_equal(numbers, bounds[1]))

    # Numpy compares with numbers beyond its own.
    whole = numbers.fill_null(0).to_numpy()
    between = _flags(numbers.is_valid())
    if least is not None:
        between &= whole >= _bound(least, column)
    if most is not None:
        between &= whole <= _bound(most, column)
    return pa.chunked_array([between])


def _bound(text: str, column: CellColumn) -> int:
    if column.kind not in ("float", "float32"):
        return int(text)
    number = pa.chunked_array([[float(text)]], pa.float64())
    bound: int = sort_keys(number, column)[0].as_py()
    return bound


def _decimal(unscaled: str, scale: int) -> Decimal:
    return Decimal(unscaled).scaleb(-scale, Context(prec=len(unscaled) + 1))


def _shows(values: pa.ChunkedArray, column: CellColumn, wanted: str) -> pa.ChunkedArray:
    """Whether the texts of cells hold another, in small letters."""
    if column.is_long:
        return pc.match_substring(pc.utf8_lower(values), wanted)
    whole = values.combine_chunks()
    pieces = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
    return pa.chunked_array([_shows_in(piece, column, wanted) for piece in pieces], pa.bool_())


def _shows_in(values: pa.Array, column: CellColumn, wanted: str) -> pa.Array:
    """The same, by whole columns where there is a way: a text for each of millions of cells would take minutes."""
    kind = column.kind
    if kind == "integer" or (kind == "decimal" and 0 <= column.scale <= _PLAIN_DIGITS):
        return pc.match_substring(values.cast(pa.string()), wanted)
    if kind == "float":
        usual = pc.and_(pc.greater_equal(pc.abs(values), 1e-4), pc.less(pc.abs(values), 1e16)).fill_null(False)
        return pc.if_else(
            usual, _usual_floats(values, usual, wanted), _each_shows(values, pc.invert(usual), column, wanted)
        )
    if kind == "timestamp":
        bound = min(_COMMON_SECONDS * column.scale, np.iinfo(np.int64).max)
        usual = pc.and_(pc.greater_equal(values, -bound), pc.less(values, bound)).fill_null(False)
        shows = pc.match_substring(_usual_times(values, usual, column), wanted)
        return pc.if_else(usual, shows, _each_shows(values, pc.invert(usual), column, wanted))
    return _each_shows(values, values.is_valid(), column, wanted)


def _usual_floats(values: pa.Array, usual: pa.Array, wanted: str) -> pa.Array:
    """Whether numbers that are written without an exponent show a text; anything for the others."""
    numbers = pc.if_else(usual, values, 0.5).to_numpy(zero_copy_only=False)
    text = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord(",")) + 1
    # Each text ends with the comma behind it, which no number shows.
    offsets = np.concatenate([[1], ends, [len(text)]]) if len(numbers) else np.zeros(1, np.int64)
    buffers = [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(text)]
    return pc.match_substring(pa.Array.from_buffers(pa.large_string(), len(numbers), buffers), wanted)


def _usual_times(values: pa.Array, usual: pa.Array, column: CellColumn) -> pa.Array:
    """The texts of times in years of four digits, in small letters; anything for the others."""
    unit = _UNITS[column.scale]
    texts = pc.if_else(usual, values, 0).cast(pa.timestamp(unit)).cast(pa.string())
    texts = pc.replace_substring(texts, " ", "t")
    # Thousandths, millionths or billionths, as few as are needed.
    if column.scale > 1:
        texts = pc.replace_substring_regex(texts, r"(\.?)(000)+$", r"\1")
        texts = pc.replace_substring_regex(texts, r"\.$", "")
    return pc.binary_join_element_wise(texts, "z", "") if column.zoned else texts


def _each_shows(values: pa.Array, which: pa.Array, column: CellColumn, wanted: str) -> pa.Array:
    """Whether the texts of some cells hold another, one after the other; what is written once is not written again."""
    flags = np.zeros(len(values), bool)
    places = np.flatnonzero(pc.and_(which, values.is_valid()).to_numpy(zero_copy_only=False))
    found = values.take(pa.array(places))
    if pa.types.is_nested(found.type):
        flags[places] = [wanted in cell_text(value, column).lower() for value in found.to_pylist()]
    else:
        coded = found.dictionary_encode()
        shows = np.array([wanted in cell_text(value, column).lower() for value in coded.dictionary.to_pylist()], bool)
        flags[places] = shows[coded.indices.to_numpy(zero_copy_only=False)]
    return pa.array(flags)


def _flags(matching: pa.ChunkedArray) -> np.ndarray:
    flags: np.ndarray = matching.fill_null(False).to_numpy()
    return flags


def sort_keys(values: pa.ChunkedArray, column: CellColumn) -> pa.ChunkedArray:
    """Values that compare as those of a column that went through ``plain`` do, also where Arrow compares otherwise."""
    match column.kind:
        case "boolean":
            return values.cast(pa.int8())
        case "float" | "float32":
            keys = _float_keys(values.cast(pa.float64()).fill_null(0.0).to_numpy())
            return pa.chunked_array([pa.array(keys, mask=values.is_null().to_numpy())])
        case "list" | "list32":
            return pa.chunked_array([_list_keys(chunk) for chunk in values.chunks], pa.large_binary())
        case _:
            return values


def _float_keys(numbers: np.ndarray) -> np.ndarray:
    """Whole numbers in the order of doubles, with NaN above all and one zero."""
    keys = (numbers + 0.0).view(np.int64)
    keys ^= (keys >> 63) & np.iinfo(np.int64).max
    keys[np.isnan(numbers)] = np.iinfo(np.int64).max
    return keys


def _list_keys(lists: pa.Array) -> pa.Array:
    """Bytes in the order of lists of numbers: element by element, the shorter first."""
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    numbers = lists.flatten().cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    keys = (_float_keys(numbers).view(np.uint64) ^ np.uint64(1 << 63)).astype(">u8")
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64) * 8])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(keys.tobytes())]
    return pc.if_else(lists.is_valid(), pa.Array.from_buffers(pa.large_binary(), len(lists), buffers), None)


def sorted_places(keys: pa.ChunkedArray, sort: Sort) -> np.ndarray:
    """The places of values in order."""
    places: np.ndarray = pc.sort_indices(keys, sort_keys=[("", sort.order)]).to_numpy().astype(np.int64)
    return places


def first_places(keys: pa.ChunkedArray, sort: Sort, count: int) -> np.ndarray:
    """The places of the first values in order: much sooner than that of all, however they lie."""
    sampled = keys.take(pa.array(np.linspace(0, max(0, len(keys) - 1), min(len(keys), _SAMPLE), dtype=np.int64)))
    rank = (2 * count + _SPARE) * len(sampled) // max(1, len(keys))
    if 2 * rank >= len(sampled):
        return sorted_places(keys, sort)[:count]

    # All that come before a value of about this rank, and as many as can be needed of those that are equal to it.
    bound = sampled[int(sorted_places(sampled, sort)[rank])]
    if bound.is_valid:
        before = pc.greater(keys, bound) if sort.descending else pc.less(keys, bound)
        equal = pc.equal(keys, bound)
    else:
        before, equal = keys.is_valid(), keys.is_null()
    found = np.union1d(np.flatnonzero(_flags(before)), np.flatnonzero(_flags(equal))[:count])
    if len(found) < count:
        return sorted_places(keys, sort)[:count]
    places: np.ndarray = found[sorted_places(keys.take(pa.array(found)), sort)][:count]
    return places


def comes_before(
    one: pa.Array, one_places: np.ndarray, two: pa.Array, two_places: np.ndarray, sort: Sort
) -> np.ndarray:
    """Whether each of some rows comes before another, by their keys and places in the table."""
    before = pc.greater(one, two) if sort.descending else pc.less(one, two)
    one_null, two_null = (keys.is_null().to_numpy(zero_copy_only=False) for keys in (one, two))
    equal = pc.equal(one, two).fill_null(False).to_numpy(zero_copy_only=False) | (one_null & two_null)
    flags: np.ndarray = before.fill_null(False).to_numpy(zero_copy_only=False).copy()
    flags |= (two_null & ~one_null) | (equal & (one_places < two_places))
    return flags
