"""What happened, as a table: cells before and after, also when the rows have been gathered anew since."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from test_live_store import delete, insert, make_store, table, update

from kalam_notebook.live_queries.rows import slots as slots_module
from kalam_notebook.live_queries.rows import store as store_module
from kalam_notebook.live_queries.rows.changes import change_table
from kalam_notebook.live_queries.rows.result_store import ResultStore
from kalam_notebook.live_queries.rows.store import KeyedStore
from kalam_notebook.results.frames import to_pandas
from kalam_notebook.wire.decode import decode_columns
from kalam_notebook.wire.types import Column


def told(store: KeyedStore, since: int = 0, **options) -> list[dict]:
    steps, is_whole = store.steps(since)
    assert is_whole
    return change_table(steps, store.schema, **options).to_pylist()


def test_each_kind():
    store = make_store()
    store.apply([insert(1, 10, "a", 1), insert(2, 11, "b", 2)], at=1.5)
    store.apply([update(1, 12, body="a", n=5), delete(2, 13)], at=2.5)
    first, second, third, fourth = told(store)
    assert first == {
        "_change": "inserted",
        "_healed": False,
        "_at": dt.datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=dt.UTC),
        "_seq": 10,
        "_changed": None,
        "id": 1,
        "body": "a",
        "n": 1,
        "_old": None,
    }
    assert (second["id"], second["_change"]) == (2, "inserted")
    assert (third["_change"], third["_changed"], third["n"], third["_seq"]) == ("updated", ["n"], 5, 12)
    assert third["_old"] == {"id": 1, "body": "a", "n": 1}
    assert (fourth["_change"], fourth["id"], fourth["body"], fourth["_seq"]) == ("deleted", 2, "b", 13)
    assert fourth["_old"] == {"id": 2, "body": "b", "n": 2}
    assert [row["_seq"] for row in told(store, last=1)] == [13]
    assert [row["_seq"] for row in told(store, since=1)] == [12, 13]


def test_a_reading_is_told_with_the_cells_that_it_replaced():
    store = make_store()
    store.load(table(("1", "a", 1, "10"), ("2", "b", 2, "11")))
    version = store.version
    store.load(table(("1", "x", 1, "20"), ("3", "c", 3, "12")), healed=True)
    rows = {row["id"]: row for row in told(store, since=version)}
    assert {key: (row["_change"], row["body"], row["_healed"]) for key, row in rows.items()} == {
        1: ("updated", "x", True),
        2: ("deleted", "b", True),
        3: ("inserted", "c", True),
    }
    assert rows[1]["_old"]["body"] == "a"


@pytest.mark.parametrize("by", ["apply", "load"])
def test_cells_outlive_the_batches_they_came_in(monkeypatch, by):
    monkeypatch.setattr(slots_module, "_MAX_DEAD_ROWS", 3)
    store = make_store()
    for number in range(40):
        store.apply([update(number % 3, number + 1, body=f"b{number}", n=number)])
    if by == "load":
        store.load(table(("0", "z", 0, "99")))
    bodies = [row["body"] for row in told(store) if row["_seq"] <= 40][:40]
    assert bodies[:30] == [f"b{number}" for number in range(30)]
    olds = [row["_old"]["body"] for row in told(store) if row["_change"] == "updated" and row["_seq"] <= 40]
    assert olds == [f"b{number}" for number in range(37)]


def test_cells_are_remembered_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(store_module, "_MAX_CELLS", 5)
    monkeypatch.setattr(slots_module, "_MAX_DEAD_ROWS", 3)
    store = make_store()
    for number in range(40):
        store.apply([update(number % 3, number + 1, body="b", n=number)])
    steps, is_whole = store.steps(0)
    assert not is_whole
    assert [row["n"] for row in change_table(steps, store.schema).to_pylist()][-1] == 39
    assert len(steps) < 15
    # By number they are still known.
    assert not store.delta(10).reset


def test_no_changes():
    assert told(make_store()) == []
    assert change_table([], make_store().schema).schema.names[5:8] == ["id", "body", "n"]


def test_columns_of_one_name():
    columns = (Column("n", "Int"), Column("n", "Int"))
    results = [pa.Table.from_batches([decode_columns(columns, [[1], [cell]])]) for cell in (2, 3)]
    store = ResultStore(columns, key=(), rows=results[0])
    store.load(results[1])
    steps, _ = store.steps(1)
    changes = change_table(steps, store.schema)
    assert changes.column("_change").to_pylist() == ["inserted", "deleted"]
    assert [column.to_pylist() for column in changes.columns[5:7]] == [[1, 1], [3, 2]]
    assert to_pandas(changes).columns.tolist()[5:7] == ["n", "n"]


def test_steps_that_were_taken_out_stay_as_they_are():
    store = make_store()
    store.apply([insert(1, 10, "a", 1)])
    (step,), _ = store.steps(0)
    entries, chunks = step.entries, step.chunks
    store.load(table(("2", "b", 2, "11")))
    assert (step.entries, step.chunks) == (entries, chunks)
    assert change_table([step], store.schema).column("body").to_pylist() == ["a"]
