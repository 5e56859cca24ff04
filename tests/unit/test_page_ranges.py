"""Ranges of rows for pages that do not hold all, against plain Python over the same rows."""

from __future__ import annotations

import datetime as dt
import math
import random
import struct
import threading
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_by_hand import TableByHand

from kalam_notebook.notebook.page import ordering, row_view
from kalam_notebook.notebook.page.browse import _Frame
from kalam_notebook.notebook.page.ordering import Sort, first_places, sort_keys, sorted_places
from kalam_notebook.notebook.page.questions import answer
from kalam_notebook.notebook.page.ranges import Ranges
from kalam_notebook.results.cells import cell_text, describe, plain
from kalam_notebook.wire.types import Column

COLUMNS = (
    Column("id", "BigInt", flags=("pk",)),
    Column("name", "Text"),
    Column("score", "Double"),
    Column("price", "Decimal", 12, 2),
    Column("ok", "Boolean"),
    Column("at", "Timestamp"),
    Column("vector", "Embedding", size=2),
    Column("data", "Bytes"),
    Column("ref", "Uuid"),
    Column("doc", "File"),
)
NAMES = [column.name for column in COLUMNS]
TIMES = [dt.datetime(2026, 5, 20, 10, 0, second, tzinfo=dt.UTC) for second in range(3)]
CHOICES: dict[str, list[Any]] = {
    "name": [None, "", "Ada", "ada", "zoë", "Ömer", "a%b"],
    "score": [None, math.nan, -0.0, 0.0, 1.5, -2.0, math.inf, 1e-7, 1e16],
    "price": [None, Decimal("-0.50"), Decimal("0.00"), Decimal("9999999999.99")],
    "ok": [None, True, False],
    "at": [None, *TIMES],
    "vector": [None, [0.5, -1.0], [0.5, 2.0], [-3.0, 0.0]],
    "data": [None, b"", b"\x00", b"ab"],
    "ref": [None, bytes(range(16)), b"\x00" * 15 + b"\xab"],
    "doc": [None, "#plain", '{"id": "1", "sub": "f", "name": "A · 5.pdf", "size": 5, "mime": "m", "sha256": "aa"}'],
}


def random_row(rng: random.Random, number: int) -> dict[str, Any]:
    return {"id": number} | {name: rng.choice(values) for name, values in CHOICES.items()}


class Ascending:
    """A value as a sort puts it: NaN above all numbers, -0.0 and 0.0 the same."""

    def __init__(self, value: Any) -> None:
        self.value = (math.isnan(value), 0.0 if math.isnan(value) else value) if isinstance(value, float) else value

    def __lt__(self, other: Ascending) -> bool:
        return self.value < other.value


def expected(table: TableByHand, sort: dict[str, Any] | None, wanted: Any = lambda row: True) -> list[int]:
    ids = [row_id for row_id in sorted(table.rows) if wanted(table.rows[row_id])]
    if sort is None:
        return ids
    name = sort["name"]
    known = [row_id for row_id in ids if table.rows[row_id][name] is not None]
    unknown = [row_id for row_id in ids if table.rows[row_id][name] is None]

    def key(row_id: int) -> Ascending:
        value = table.rows[row_id][name]
        return Ascending(value.encode() if isinstance(value, str) else value)

    # Sorted backwards, equal ones stay in the table's order.
    return sorted(known, key=key, reverse=sort["descending"]) + unknown


def by(name: str, *, descending: bool = False) -> dict[str, Any]:
    return {"column": NAMES.index(name), "name": name, "descending": descending}


def condition(name: str, kind: str, **what: Any) -> dict[str, Any]:
    return {"column": NAMES.index(name), "name": name, "kind": kind, **what}


def ask(
    ranges: Ranges, *, sort: Any = None, search: str = "", conditions: Any = (), start: int = 0, count: int = 100_000
) -> tuple[dict[str, Any], list[int]]:
    """The answer to a question, asked until it is not pending, and the numbers of its rows."""
    question = {"sort": sort, "search": search, "conditions": list(conditions), "from": start, "count": count}
    while True:
        told, buffers = ranges.answer(question)
        if not told.get("pending"):
            return told, pa.ipc.open_stream(buffers[0]).read_all().column("id").to_pylist()


def some_rows(count: int = 60, seed: int = 1) -> TableByHand:
    rng = random.Random(seed)
    return TableByHand(COLUMNS, {i: random_row(rng, i) for i in range(1, count + 1)})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("descending", [False, True])
def test_all_rows_are_sorted_as_the_page_sorts(name: str, descending: bool):
    table = some_rows()
    sort = by(name, descending=descending)
    told, ids = ask(Ranges(table), sort=sort)
    assert ids == expected(table, sort)
    assert (told["hits"], told["rows"], told["names"]) == (60, 60, NAMES)
    assert ask(Ranges(table), sort=sort, start=7, count=5)[1] == ids[7:12]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(NAMES), descending=st.booleans())
@pytest.mark.slow
def test_changes_are_put_into_an_order_without_sorting_again(seed: int, name: str, descending: bool):
    rng = random.Random(seed)
    table = some_rows(30, seed)
    sort = by(name, descending=descending)
    text = condition("name", "contains", text="a")
    ranges = Ranges(table)
    ask(ranges, sort=sort)
    ask(ranges, sort=sort, conditions=[text])
    kept = [making.view for making in ranges._views.values()]
    for _ in range(4):
        ids = [*rng.sample(sorted(table.rows), min(3, len(table.rows))), max(table.rows, default=0) + 1]
        gone = frozenset(rng.sample(sorted(table.rows), min(2, len(table.rows)))) - frozenset(ids)
        table.change({row_id: random_row(rng, row_id) for row_id in ids}, gone)
        told, found = ask(ranges, sort=sort)
        assert found == expected(table, sort)
        assert (told["rows"], told["version"]) == (len(table.rows), table.version)
        matching = expected(table, sort, lambda row: "a" in (row["name"] or "").lower())
        told, found = ask(ranges, sort=sort, conditions=[text])
        assert (found, told["hits"]) == (matching, len(matching))
    assert [making.view for making in ranges._views.values()] == kept


def test_the_order_of_the_table_is_kept_too():
    table = some_rows()
    ranges = Ranges(table)
    assert ask(ranges, start=50)[1] == list(range(51, 61))
    table.change({61: random_row(random.Random(3), 61)}, frozenset({1, 55}))
    told, ids = ask(ranges, start=50)
    assert (ids, told["hits"]) == (expected(table, None)[50:], 59)


@pytest.mark.parametrize(("form", "key"), [("direct", ("id",)), ("re-run", ("id",)), ("direct", ("_seq",))])
def test_rows_that_nobody_sorted_come_by_their_key(form, key):
    numbers = [7, -3, 2**60, 5]
    rows = {row_id: {"id": number, "name": "Ada"} for row_id, number in enumerate(numbers, 1)}
    table = TableByHand(COLUMNS[:2], rows, form=form, key=key)
    ranges = Ranges(table)
    is_by_key = (form, key) == ("direct", ("id",))
    assert ask(ranges)[1] == ([2, 4, 1, 3] if is_by_key else [1, 2, 3, 4])
    table.change({5: {"id": 6, "name": "Grace"}})
    assert ask(ranges)[1] == ([2, 4, 5, 1, 3] if is_by_key else [1, 2, 3, 4, 5])


CONDITIONS = [
    (condition("name", "contains", text="ADA"), lambda row: "ada" in (row["name"] or "").lower()),
    (condition("name", "contains", text="Ö"), lambda row: "ö" in (row["name"] or "").lower()),
    (condition("name", "contains", text="%"), lambda row: "%" in (row["name"] or "")),
    (condition("ref", "contains", text="00ab"), lambda row: (row["ref"] or b"").hex().endswith("00ab")),
    (condition("data", "begins", text="6"), lambda row: row["data"] == b"ab"),
    (condition("data", "begins", text="00"), lambda row: row["data"] == b"\x00"),
    (condition("data", "size", least="1", most=None), lambda row: bool(row["data"])),
    (condition("data", "size", least=None, most="0"), lambda row: row["data"] == b""),
    (condition("doc", "contains", text="5.PDF"), lambda row: "pdf" in (row["doc"] or "")),
    (condition("doc", "contains", text="n"), lambda row: row["doc"] == "#plain"),
    (condition("doc", "contains", text="bytes"), lambda row: False),
    (condition("name", "one of", values=["Ada", ""]), lambda row: row["name"] in ("Ada", "")),
    (condition("ok", "one of", values=[True]), lambda row: row["ok"] is True),
    (condition("name", "null"), lambda row: row["name"] is None),
    (condition("name", "not null"), lambda row: row["name"] is not None),
    (condition("id", "range", least="10", most="12"), lambda row: 10 <= row["id"] <= 12),
    (condition("id", "range", least=None, most=str(10**30)), lambda row: True),
    (condition("id", "range", least=str(10**30), most=None), lambda row: False),
    (condition("score", "range", least="0", most=None), lambda row: row["score"] is not None and not row["score"] < 0),
    (condition("score", "range", least=None, most="0"), lambda row: row["score"] is not None and row["score"] <= 0),
    (
        condition("score", "range", least="NaN", most=None),
        lambda row: row["score"] is not None and math.isnan(row["score"]),
    ),
    (condition("price", "range", least="-50", most="0"), lambda row: row["price"] is not None and row["price"] <= 0),
    (condition("price", "range", least=str(10**40), most=None), lambda row: False),
    (
        condition("at", "range", least=str(int(TIMES[1].timestamp() * 1_000_000)), most=None),
        lambda row: row["at"] is not None and row["at"] >= TIMES[1],
    ),
]


@pytest.mark.parametrize(
    ("asked", "wanted"), CONDITIONS, ids=lambda value: repr(value) if isinstance(value, dict) else ""
)
def test_conditions_hold_for_all_rows(asked: dict[str, Any], wanted: Any):
    table = some_rows()
    told, ids = ask(Ranges(table), sort=by("score"), conditions=[asked])
    assert ids == expected(table, by("score"), wanted)
    assert told["hits"] == len(ids)


@pytest.mark.parametrize(
    "search",
    [
        "ada",
        "%",
        "true",
        "nan",
        "1e-07",
        "-0.5",
        "10:00:02",
        "[0.5",
        "b'ab",
        "2 bytes",
        "9999",
        "5",
        "null",
        "ö",
        "(a+)+$",
    ],
)
def test_a_search_looks_at_cells_as_they_are_shown(search: str):
    table = some_rows()
    ids = sorted(table.rows)
    rows = table.table(ids)
    columns = describe(rows.schema, COLUMNS)
    values = {row_id: [] for row_id in ids}
    for place, column in enumerate(columns):
        for row_id, value in zip(ids, plain(rows.column(place), column).to_pylist(), strict=True):
            if value is not None:
                values[row_id].append((str(value) if column.is_long else cell_text(value, column)).lower())
    told, found = ask(Ranges(table), search=search)
    assert found == [row_id for row_id in ids if any(search in text for text in values[row_id])]
    assert told["hits"] == len(found)


def test_first_rows_come_before_all_are_sorted(monkeypatch: pytest.MonkeyPatch):
    may_sort = threading.Event()
    sorted_places, first_places, whole = row_view.sorted_places, row_view.first_places, None

    def first(keys: Any, *args: Any) -> Any:
        nonlocal whole
        whole = keys
        return first_places(keys, *args)

    def late(*args: Any) -> Any:
        assert args[0] is not whole or may_sort.wait(30)
        return sorted_places(*args)

    monkeypatch.setattr(row_view, "first_places", first)
    monkeypatch.setattr(row_view, "sorted_places", late)
    monkeypatch.setattr(row_view, "FIRST", 10)
    table = some_rows()
    ranges = Ranges(table)
    sort = by("name", descending=True)
    assert ask(ranges, sort=sort, count=10)[1] == expected(table, sort)[:10]
    question = {"sort": sort, "search": "", "conditions": [], "from": 40, "count": 5}
    assert ranges.answer(question) == ({"pending": True, "hits": 60}, ())

    # What changes meanwhile is where it belongs.
    was_first = expected(table, sort)[0]
    table.change(
        {70: random_row(random.Random(5), 70) | {"name": "ÿ"}, 71: random_row(random.Random(5), 71)},
        frozenset({was_first}),
    )
    told, ids = ask(ranges, sort=sort, count=8)
    assert (ids, told["hits"], ids[0]) == (expected(table, sort)[:8], 61, 70)
    may_sort.set()
    assert ask(ranges, sort=sort, start=40, count=5)[1] == expected(table, sort)[40:45]


def test_frames_are_sorted_without_their_numbers_as_a_list():
    frame = _Frame(pa.table({"n": [3, 1, None, 2], "text": ["x" * 5_000, "b", None, "a"]}))
    sort = {"column": 0, "name": "n", "descending": True}
    found = answer(
        frame, {"about": "range", "number": 4, "sort": sort, "search": "", "conditions": [], "from": 0, "count": 9}
    )
    rows = pa.ipc.open_stream(found.buffers[0]).read_all()
    assert rows.column("id").to_pylist() == [1, 4, 2, 3]
    assert (rows.column("1")[0].as_py(), rows.column("1.length").to_pylist()) == (
        "x" * 1_000,
        [5_000, None, None, None],
    )


def test_a_cut_value_that_was_chosen_finds_the_whole_ones():
    frame = _Frame(pa.table({"text": ["x" * 5_000, "x" * 1_000, "x"]}))
    asked = {"column": 0, "name": "text", "kind": "one of", "values": ["x" * 1_000]}
    question = {"about": "range", "sort": None, "search": "", "conditions": [asked], "from": 0, "count": 9}
    assert answer(frame, question).content["hits"] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"sort": by("name") | {"name": "other"}},
        {"sort": by("name") | {"column": 99}},
        {"conditions": [condition("name", "contains", text="a") | {"column": -1}]},
        {"conditions": [condition("name", "like", text="a")]},
        {"conditions": [condition("id", "range", least="x", most=None)]},
        {"from": "x"},
        {"count": None},
        {"search": None, "sort": 5},
    ],
)
def test_what_cannot_be_asked_is_told(wrong: dict[str, Any]):
    question = {"about": "range", "number": 1, "sort": None, "search": "", "conditions": [], "from": 0, "count": 5}
    found = answer(some_rows(), question | wrong)
    assert found.content["fault"]
    assert found.buffers == ()


def test_no_rows_and_columns_without_values():
    table = TableByHand(COLUMNS, {})
    told, ids = ask(Ranges(table), sort=by("score"), search="a")
    assert (told["hits"], told["rows"], ids) == (0, 0, [])
    table.change({1: dict.fromkeys(NAMES) | {"id": 1}, 2: dict.fromkeys(NAMES) | {"id": 2}})
    ranges = Ranges(table)
    for name in NAMES[1:]:
        assert ask(ranges, sort=by(name, descending=True))[1] == [1, 2]


def test_a_new_start_and_many_changes_make_the_orders_anew(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(row_view, "_FEW_CHANGED", 3)
    table, rng = some_rows(), random.Random(2)
    ranges, sort = Ranges(table), by("score")
    for _ in range(6):  # More dead rows than living ones.
        table.change({row_id: random_row(rng, row_id) for row_id in table.rows})
        assert ask(ranges, sort=sort)[1] == expected(table, sort)
    assert len(ranges._rows.all_places()) <= 2 * len(table.rows) + 3 + len(table.rows)


def test_singles_are_told_as_singles():
    single = struct.unpack("f", struct.pack("f", 0.1))[0]
    frame = _Frame(pa.table({"x": pa.array([single, 2.0], pa.float32())}))
    question = {"about": "range", "sort": None, "search": "0.1", "conditions": [], "from": 0, "count": 5}
    assert answer(frame, question).content["hits"] == 1


MANY = 30_000


def many(kind: str) -> pa.Array:
    rng = random.Random(kind)
    match kind:
        case "ascending":
            return pa.array(range(MANY))
        case "descending":
            return pa.array(range(MANY, 0, -1))
        case "two values":
            return pa.array([rng.random() < 0.5 for _ in range(MANY)])
        case "one value":
            return pa.array(["same"] * MANY)
        case "mostly null":
            return pa.array([rng.random() if rng.random() < 0.001 else None for _ in range(MANY)])
        case "texts":
            return pa.array([f"customer {rng.randrange(5_000)}" for _ in range(MANY)])
        case _:
            return pa.nulls(MANY, pa.float64())


@pytest.mark.parametrize("kind", ["ascending", "descending", "two values", "one value", "mostly null", "texts", "null"])
@pytest.mark.parametrize("descending", [False, True])
def test_first_rows_are_those_of_the_whole_order(kind: str, descending: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ordering, "_SAMPLE", 500)
    monkeypatch.setattr(ordering, "_SPARE", 50)
    values = pa.chunked_array([many(kind)])
    column = describe(pa.schema([("x", values.type)]))[0]
    keys, sort = sort_keys(values, column), Sort(0, descending)
    for count in (1, 100, 1_000):
        assert first_places(keys, sort, count).tolist() == sorted_places(keys, sort)[:count].tolist()


NUMBERS = st.one_of(
    st.none(), st.floats(), st.floats(min_value=-1e17, max_value=1e17), st.integers(-(10**6), 10**6).map(float)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=8), st.text("0123456789.-+einfa", min_size=1, max_size=3))
@pytest.mark.slow
def test_numbers_are_searched_as_they_are_shown(values: list[float | None], search: str):
    frame = _Frame(pa.table({"x": pa.array(values, pa.float64())}))
    shown = [
        value is not None and search in cell_text(value, describe(frame.table.schema)[0]).lower() for value in values
    ]
    question = {"about": "range", "sort": None, "search": search, "conditions": [], "from": 0, "count": 9}
    assert answer(frame, question).content["hits"] == sum(shown)


@settings(max_examples=200, deadline=None)
@given(
    ticks=st.lists(
        st.one_of(st.none(), st.integers(-(2**62), 2**62), st.integers(0, 10**6).map(lambda n: n * 1000)),
        min_size=1,
        max_size=8,
    ),
    unit=st.sampled_from(["s", "ms", "us", "ns"]),
    zone=st.sampled_from([None, "UTC"]),
    search=st.text("0123456789-+:.tz", min_size=1, max_size=3),
)
@pytest.mark.slow
def test_times_are_searched_as_they_are_shown(ticks: list[int | None], unit: str, zone: str | None, search: str):
    frame = _Frame(pa.table({"x": pa.array(ticks, pa.int64()).cast(pa.timestamp(unit, zone))}))
    column = describe(frame.table.schema)[0]
    shown = [tick is not None and search in cell_text(tick, column).lower() for tick in ticks]
    question = {"about": "range", "sort": None, "search": search, "conditions": [], "from": 0, "count": 9}
    assert answer(frame, question).content["hits"] == sum(shown)
