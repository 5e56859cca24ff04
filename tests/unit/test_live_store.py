"""The keyed rows: rules one by one, then any order of events against a plain dict."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_notebook.errors import DecodeError, ProtocolError
from kalam_notebook.live_queries.rows import slots as slots_module
from kalam_notebook.live_queries.rows import store as store_module
from kalam_notebook.live_queries.rows.fingerprint import Delta, fingerprint_of
from kalam_notebook.live_queries.rows.history import Applied
from kalam_notebook.live_queries.rows.store import KeyedStore
from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.live import Change
from kalam_notebook.wire.types import Column

COLUMNS = (
    Column("id", "BigInt", flags=("pk", "nn", "uq")),
    Column("body", "Text"),
    Column("n", "Int"),
    Column("_seq", "BigInt", flags=("nn",)),
)
STREAM = (Column("id", "Text", flags=("pk", "nn", "uq")), Column("v", "Int"), Column("_seq", "BigInt", flags=("nn",)))


def make_store(**options) -> KeyedStore:
    return KeyedStore(COLUMNS, key="id", visible=["id", "body", "n"], **options)


def make_stream(**options) -> KeyedStore:
    return KeyedStore(STREAM, key="_seq", visible=["id", "v"], **options)


def insert(key, seq, body="x", n=0):
    row = {"_seq": str(seq), "id": str(key), "body": body, "n": n, "_deleted": False}
    return Change("s", "insert", (row,), ())


def update(key, seq, **cells):
    return Change("s", "update", ({"_seq": str(seq), "id": str(key), **cells},), ({"id": str(key)},))


def delete(key, seq, **cells):
    row = {"id": str(key), "_deleted": True, **cells} | ({} if seq is None else {"_seq": str(seq)})
    return Change("s", "delete", (), (row,))


def table(*rows) -> pa.Table:
    """A reading; rows are (id, body, n, seq)."""
    cells = [[row[index] for row in rows] for index in range(4)]
    return pa.Table.from_batches([decode_columns(COLUMNS, cells)])


def rows_of(store: KeyedStore):
    return [tuple(row.values()) for row in store.arrow().to_pylist()]


def check_delta(store: KeyedStore, before: dict[int, tuple], since: int) -> dict[int, tuple]:
    """Play a delta onto what a view holds, as a view does, and compare with the table."""
    delta = store.delta(since)
    view = {} if delta.reset else dict(before)
    for row_id in delta.removed:
        del view[row_id]
    assert delta.inserted.isdisjoint(before)
    for row_id, row in zip(delta.row_ids, delta.rows.to_pylist(), strict=True):
        assert delta.reset or (row_id in delta.inserted) != (row_id in before)
        view[row_id] = tuple(row.values())
    assert list(delta.row_ids) == sorted(delta.row_ids)
    assert [view[row_id] for row_id in sorted(view)] == rows_of(store)
    assert (delta.version, delta.num_rows) == (store.version, len(view))
    return view


# The rules.


def test_insert_update_delete():
    store = make_store()
    assert store.apply([insert(1, 10), insert(2, 11, n=5)]) == Applied(inserted=2)
    assert rows_of(store) == [(1, "x", 0), (2, "x", 5)]
    assert store.apply([update(1, 12, body="new", n=7)]) == Applied(updated=1)
    assert rows_of(store) == [(1, "new", 7), (2, "x", 5)]
    assert store.apply([delete(1, 13)]) == Applied(deleted=1)
    assert rows_of(store) == [(2, "x", 5)]
    assert store.last_seq == 13


def test_a_column_missing_in_an_update_is_null():
    store = make_store()
    store.apply([insert(1, 10, body="text", n=3), update(1, 11, n=3)])
    assert rows_of(store) == [(1, None, 3)]


def test_an_update_of_an_unknown_key_is_an_insert():
    store = make_store()
    assert store.apply([update(1, 10, body="in", n=1)]) == Applied(inserted=1)


def test_older_and_equal_rows_are_ignored():
    store = make_store()
    store.apply([insert(1, 10, body="held")])
    assert store.apply([insert(1, 9, body="old"), update(1, 10, body="same seq")]) == Applied()
    assert rows_of(store) == [(1, "held", 0)]
    assert store.version == 1


def test_late_rows_do_not_come_back():
    store = make_store()
    assert store.apply([delete(1, 12)]) == Applied()
    assert store.apply([insert(1, 10), update(1, 12, body="y")]) == Applied()
    assert rows_of(store) == []
    assert store.apply([insert(1, 13)]) == Applied(inserted=1)


def test_a_delete_with_the_seq_of_the_row_itself_counts():
    store = make_store()
    store.apply([insert(1, 10)])
    assert store.apply([delete(1, 9)]) == Applied()
    assert store.apply([delete(1, 10)]) == Applied(deleted=1)
    assert store.apply([insert(1, 10)]) == Applied()


def test_a_delete_without_seq_removes_what_is_held():
    store = make_store()
    store.apply([insert(1, 10)])
    assert store.apply([delete(2, None)]) == Applied()
    assert store.apply([delete(1, None)]) == Applied(deleted=1)
    assert store.apply([insert(1, 10)]) == Applied()
    assert store.apply([insert(1, 11)]) == Applied(inserted=1)


def test_a_row_marked_as_deleted_is_a_delete():
    store = make_store()
    store.apply([insert(1, 10)])
    marked = Change("s", "insert", ({"_seq": "11", "id": "1", "_deleted": True},), ())
    assert store.apply([marked]) == Applied(deleted=1)


def test_stream_rows_with_equal_key_are_two_rows_and_go_by_row_id():
    store = make_stream()
    rows = [Change("s", "insert", ({"id": "a", "v": n, "_seq": str(10 + n)},), ()) for n in range(3)]
    store.apply(rows)
    assert rows_of(store) == [("a", 0), ("a", 1), ("a", 2)]
    gone = Change("s", "delete", (), ({"row_id": "user:with:colons:11"},))
    assert store.apply([gone]) == Applied(deleted=1)
    assert store.apply([rows[1]]) == Applied()
    assert rows_of(store) == [("a", 0), ("a", 2)]


def test_a_stream_delete_before_its_row():
    store = make_stream()
    store.apply([Change("s", "delete", (), ({"row_id": "u:11"},))])
    assert store.apply([Change("s", "insert", ({"id": "a", "v": 1, "_seq": "11"},), ())]) == Applied()


@pytest.mark.parametrize("old_values", [{}, {"row_id": "u:x"}, {"row_id": "11"}, {"v": 1}])
def test_a_delete_that_names_no_row(old_values):
    change = Change("s", "delete", (), (old_values,))
    with pytest.raises(ProtocolError, match="names no row"):
        make_store().apply([change])
    if old_values != {"row_id": "11"}:
        with pytest.raises(ProtocolError, match="names no row"):
            make_stream().apply([change])


def test_a_row_without_seq_is_an_error_and_nothing_is_applied():
    store = make_store()
    with pytest.raises(ProtocolError, match="without _seq"):
        store.apply([insert(1, 10), Change("s", "insert", ({"id": "2"},), ())])
    assert (store.num_rows, store.version) == (0, 0)


def test_a_cell_that_does_not_fit_is_an_error_and_nothing_is_applied():
    store = make_store()
    with pytest.raises(DecodeError) as caught:
        store.apply([insert(1, 10), insert(2, 11, n="many")])
    assert (caught.value.column, caught.value.row) == ("n", 1)
    assert store.num_rows == 0


def test_hidden_deleted_column_is_false_in_updates():
    store = KeyedStore((*COLUMNS, Column("_deleted", "Boolean")), key="id", visible=["id", "_deleted"])
    store.apply([update(1, 10, body="x", n=1)])
    assert rows_of(store) == [(1, False)]


def test_max_rows_keeps_the_newest():
    store = make_store(max_rows=2)
    store.apply([insert(key, 10 + key) for key in range(4)])
    assert [row[0] for row in rows_of(store)] == [2, 3]
    store.apply([update(2, 20, body="y", n=0), insert(9, 21)])
    assert [row[0] for row in rows_of(store)] == [2, 9]
    assert store.floor == 13
    assert store.apply([insert(5, 12)]) == Applied()
    store.load(table(*((str(key), "r", 0, str(100 - key)) for key in range(5))))
    assert [row[0] for row in rows_of(store)] == [1, 0]
    store.apply([insert(7, 200)])
    assert [row[0] for row in rows_of(store)] == [0, 7]


def test_doubtful_decimals_are_told_until_read_again():
    columns = (COLUMNS[0], Column("price", "Decimal", 10, 2), COLUMNS[-1])
    store = KeyedStore(columns, key="id", visible=["id", "price"])
    store.apply([Change("s", "insert", ({"id": "1", "price": "1.50", "_seq": "1"},), ())])
    store.apply([Change("s", "insert", ({"id": "2", "price": "0.00", "_seq": "2"},), ())])
    assert not store.has_doubtful_cells
    store.apply([Change("s", "insert", ({"id": "3", "price": "0.50", "_seq": "3"},), ())])
    assert store.has_doubtful_cells
    version = store.version
    store.load(pa.Table.from_batches([decode_columns(columns, [["1", "3"], ["1.50", "-0.50"], ["1", "3"]])]))
    assert not store.has_doubtful_cells
    # The row has the same _seq and yet another value: a view must hear of it.
    assert store.delta(version).rows.column("price").to_pylist() == [pytest.approx(-0.5)]


# Reading.


def test_a_first_reading_comes_in_the_order_of_writing():
    store = make_store()
    store.load(table(("1", "a", 0, "30"), ("2", "b", 0, "10"), ("3", "c", 0, "20")))
    assert [row[0] for row in rows_of(store)] == [2, 3, 1]
    assert (store.last_seq, store.version, store.num_rows) == (30, 1, 3)


def test_events_that_came_while_reading():
    store = make_store()
    store.load(table(("1", "read", 0, "20"), ("2", "read", 0, "15")))
    late = [insert(1, 10, "late"), update(2, 21, body="new", n=0), delete(1, 22), insert(3, 23)]
    assert store.apply(late) == Applied(inserted=1, updated=1, deleted=1)
    assert rows_of(store) == [(2, "new", 0), (3, "x", 0)]


def test_a_second_reading_keeps_numbers_and_tells_the_difference():
    store = make_store()
    store.load(table(("1", "a", 0, "1"), ("2", "b", 0, "2"), ("3", "c", 0, "3")))
    version = store.version
    store.load(table(("4", "d", 0, "5"), ("3", "c", 0, "3"), ("1", "changed", 0, "4")))
    delta = store.delta(version)
    assert not delta.reset
    assert (delta.row_ids, delta.inserted, delta.removed) == ((0, 3), frozenset({3}), (1,))
    assert rows_of(store) == [(1, "changed", 0), (3, "c", 0), (4, "d", 0)]
    assert store.delta(-1).row_ids == (0, 2, 3)


def test_a_reading_overrules_what_is_held():
    store = make_store()
    store.apply([insert(1, 50, "newer"), insert(2, 51), delete(2, 52)])
    store.load(table(("1", "restored", 0, "5"), ("2", "restored", 0, "6")))
    assert rows_of(store) == [(1, "restored", 0), (2, "restored", 0)]
    assert store.apply([update(2, 7, body="again", n=0)]) == Applied(updated=1)


def test_an_old_delete_still_holds_after_a_reading():
    store = make_store()
    store.apply([insert(1, 10), delete(1, 11)])
    store.load(table())
    assert store.apply([insert(1, 10)]) == Applied()


def test_a_reading_of_a_server_that_was_set_up_anew_ends_what_had_greater_versions():
    store = make_store()
    store.apply([insert(1, 100), delete(1, 101), insert(2, 102)])
    store.load(table(("2", "b", 0, "5")), newest=6)
    assert store.last_seq == 6
    assert store.apply([insert(1, 7)]).inserted == 1


def test_a_reading_with_a_key_twice_takes_the_newest():
    store = make_store()
    store.load(table(("1", "new", 0, "9"), ("1", "old", 0, "3"), ("2", "b", 0, "5")))
    assert rows_of(store) == [(2, "b", 0), (1, "new", 0)]


def test_a_reading_in_other_arrow_types_is_cast():
    store = make_store()
    read = table(("1", "a", 7, "9"))
    store.load(read.set_column(2, "n", read.column("n").cast(pa.int64())))
    assert store.arrow().schema.field("n").type == pa.int32()
    assert store.arrow().column("n").to_pylist() == [7]


def test_every_type_goes_through_reading_and_events():
    columns = (
        Column("k", "Uuid", flags=("pk", "nn", "uq")),
        Column("e", "Embedding", size=2),
        Column("by", "Bytes"),
        Column("ts", "Timestamp"),
        Column("t", "Time"),
        Column("d", "Date"),
        Column("dec", "Decimal", 38, 10),
        Column("big", "BigInt"),
        Column("_seq", "BigInt"),
    )
    key = "0189d0c0-0000-7000-8000-00000000000a"
    cells = [key, [0.5, 1.5], [0, 255], 1, 2, 3, "-12345678901234567890.5", str(2**63 - 1), "7"]
    store = KeyedStore(columns, key="k", visible=[column.name for column in columns])
    store.load(pa.Table.from_batches([decode_columns(columns, [[cell] for cell in cells])]))
    read = store.arrow()
    row = {column.name: cell for column, cell in zip(columns, cells, strict=True)} | {"_seq": "8"}
    store.apply([Change("s", "update", (row,), ())])
    assert store.num_rows == 1
    assert store.arrow().drop_columns("_seq").equals(read.drop_columns("_seq"))
    assert store.arrow().schema.equals(store.schema, check_metadata=True)


def test_a_table_once_given_never_changes():
    store = make_store()
    store.load(table(("1", "a", 0, "1")))
    before = store.arrow()
    assert store.arrow() is before
    store.apply([update(1, 2, body="b", n=0), insert(2, 3)])
    assert before.to_pylist() == [{"id": 1, "body": "a", "n": 0}]
    assert store.arrow().num_rows == 2


# Deltas.


def test_deltas_leave_out_what_came_and_went():
    store = make_store()
    store.apply([insert(1, 1)])
    version = store.version
    store.apply([insert(2, 2), update(1, 3, body="y", n=0)])
    store.apply([delete(2, 4), insert(3, 5), update(3, 6, body="z", n=1)])
    delta = store.delta(version)
    assert (delta.row_ids, delta.inserted, delta.removed) == ((0, 2), frozenset({2}), ())
    assert store.delta(store.version).rows.num_rows == 0
    assert store.delta(store.version).rows.schema.equals(store.schema, check_metadata=True)


def test_a_key_that_comes_again_is_a_new_row():
    store = make_store()
    store.apply([insert(1, 1)])
    version = store.version
    store.apply([delete(1, 2), insert(1, 3)])
    delta = store.delta(version)
    assert (delta.row_ids, delta.inserted, delta.removed) == ((1,), frozenset({1}), (0,))


@pytest.mark.parametrize("since", [-1, 0, 99])
def test_versions_that_are_not_known_give_the_whole_table(since):
    store = make_store()
    store.load(table(("1", "a", 0, "1"), ("2", "b", 0, "2")))
    delta = store.delta(since)
    assert delta.reset
    assert (delta.row_ids, delta.inserted, delta.removed, delta.num_rows) == ((0, 1), frozenset(), (), 2)


def test_the_log_is_bounded(monkeypatch):
    monkeypatch.setattr(store_module, "_MAX_LOG", 3)
    store = make_store()
    for key in range(5):
        store.apply([insert(key, key + 1)])
    assert store.delta(1).reset
    assert not store.delta(2).reset
    store.load(table(*((str(key), "x", 0, str(key + 10)) for key in range(4))))
    assert store.delta(store.version - 1).reset
    assert not store.delta(store.version).reset


def test_a_store_that_follows_another_goes_on_counting():
    first = make_store()
    first.apply([insert(1, 1)])
    second = make_store(version=first.version, next_row_id=first.next_row_id)
    second.load(table(("1", "a", 0, "1")))
    assert second.delta(first.version).reset
    assert second.delta(-1).row_ids == (1,)


def test_dead_rows_are_dropped(monkeypatch):
    monkeypatch.setattr(slots_module, "_MAX_DEAD_ROWS", 5)
    monkeypatch.setattr(slots_module, "_MAX_RUNS", 4)
    store = make_store()
    view: dict[int, tuple] = {}
    version = -1
    for step in range(60):
        store.apply([insert(step, 10 * step + 1), update(step // 2, 10 * step + 2, body=f"b{step}", n=step)])
        if step % 7 == 0:
            store.apply([delete(step // 3, 10 * step + 3)])
        view = check_delta(store, view, version)
        version = store.version
        assert len(store.slots.chunks) <= 2 * store.num_rows + 5
        assert store.slots.chunks.num_batches <= 5


# Any order.

EVENTS = st.lists(
    st.tuples(st.sampled_from(["insert", "update", "delete"]), st.integers(0, 5), st.integers(0, 3)), max_size=25
)


def make_history(steps):
    """Events with growing ``_seq`` as a server would send them, and the rows that remain."""
    model: dict[int, tuple] = {}
    changes = []
    for seq, (kind, key, n) in enumerate(steps, start=1):
        if kind == "delete":
            changes.append(delete(key, seq))
            model.pop(key, None)
        else:
            body = None if n == 0 else f"b{seq}"
            changes.append(insert(key, seq, body, n) if kind == "insert" else update(key, seq, body=body, n=n))
            model[key] = (key, body, n)
    return changes, sorted(model.values())


@settings(deadline=None)
@given(EVENTS, st.randoms(use_true_random=False), st.integers(1, 5))
@pytest.mark.slow
def test_order_repetition_and_batches_do_not_matter(steps, rng: random.Random, batch_size):
    changes, expected = make_history(steps)
    events = changes + rng.sample(changes, k=len(changes) // 2)
    rng.shuffle(events)
    store, view, version = make_store(), {}, -1
    for start in range(0, len(events), batch_size):
        store.apply(events[start : start + batch_size])
        if rng.random() < 0.5:
            view = check_delta(store, view, version)
            version = store.version
    assert sorted(rows_of(store)) == expected
    check_delta(store, view, version)


@settings(deadline=None)
@given(EVENTS, EVENTS, st.randoms(use_true_random=False))
@pytest.mark.slow
def test_a_reading_at_any_moment_and_events_around_it(before, after, rng: random.Random):
    """Events of before the reading may come after it, in any order, together with later ones."""
    early, at_reading = make_history(before)
    changes, expected = make_history(before + after)
    store = make_store()
    store.apply(rng.sample(early, k=rng.randint(0, len(early))))
    view = check_delta(store, {}, -1)
    version = store.version
    seqs = {int(row["_seq"]): row for change in early for row in change.rows}
    read = [(str(row["id"]), row["body"], row["n"], row["_seq"]) for row in seqs.values()]
    newest = {row[0]: row for row in read}
    store.load(table(*(newest[str(row[0])] for row in at_reading)))
    assert sorted(rows_of(store)) == at_reading
    view = check_delta(store, view, version)
    version = store.version
    # What a socket delivers after the reading: all that came later, and of before only what deletes do not contradict.
    late = rng.sample(early, k=len(early) // 2)
    deletes = [change for change in early if change.change_type == "delete"]
    events = late + deletes + changes[len(early) :]
    rng.shuffle(events)
    store.apply(events)
    assert sorted(rows_of(store)) == expected
    check_delta(store, view, version)


# What a delta says of rows that had gone, and of versions older than those held.


def delta_of(*rows, deleted=()):
    """A delta; rows are (id, body, n, seq), deleted ones (id, seq)."""
    found = table(*rows)
    pairs = {"key": found["id"], "seq": found["_seq"]}
    gone = pa.table(
        {
            "key": pa.array([key for key, _ in deleted], pa.int64()),
            "seq": pa.array([seq for _, seq in deleted], pa.int64()),
        }
    )
    return Delta(found, pa.table(pairs), gone, fingerprint_of(found["_seq"].to_numpy()), 0)


@pytest.mark.parametrize("effect", [delta_of(deleted=[(1, 5)]), None], ids=["a delta", "an event"])
def test_a_row_that_had_gone_comes_back_with_its_old_version(effect):
    store = make_store()
    store.load(table((1, "a", 1, 5)))
    if effect is None:
        store.apply([delete(1, 6)])
    else:
        store.ask()
        store.answer(effect)
        store.answered()
    assert store.num_rows == 0
    store.ask()
    applied, held = store.answer(delta_of((1, "a", 1, 5)))
    assert (applied.inserted, rows_of(store)) == (1, [(1, "a", 1)])
    assert held.agrees(store.fingerprint())


def test_a_delete_that_comes_while_the_server_is_asked_is_not_undone():
    store = make_store()
    store.load(table())
    store.ask()
    store.apply([delete(1, 6)])
    _, held = store.answer(delta_of((1, "a", 1, 5)))
    assert store.num_rows == 0
    assert held.agrees(fingerprint_of(np.array([5])))


def test_an_older_version_than_the_one_held_proves_nothing():
    store = make_store()
    store.load(table((1, "a", 1, 9)))
    store.ask()
    delta = delta_of((1, "b", 1, 5))
    _, held = store.answer(delta)
    assert rows_of(store) == [(1, "a", 1)]
    assert not held.agrees(delta.fingerprint)
