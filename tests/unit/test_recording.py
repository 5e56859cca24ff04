"""Recordings: whatever happened to rows is read back as it was written, also from a file that breaks off."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import io
import json
import math

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import ipc
from test_live_store import delete, insert, make_store, table, update

from kalam_notebook.errors import RecordingError
from kalam_notebook.live_queries.following.plan import Form
from kalam_notebook.live_queries.recording import rows as rows_module
from kalam_notebook.live_queries.recording.format import (
    FORMAT,
    KINDS,
    MORE,
    RECORDING,
    Origin,
    RecordedChanges,
    RecordedEnd,
    Snapshot,
)
from kalam_notebook.live_queries.recording.reader import read_recording
from kalam_notebook.live_queries.recording.rows import ReplayedRows
from kalam_notebook.live_queries.recording.writer import RecordingWriter
from kalam_notebook.live_queries.rows.changes import change_table
from kalam_notebook.live_queries.rows.result_store import ResultStore
from kalam_notebook.live_queries.rows.store import KeyedStore
from kalam_notebook.wire.types import Column, arrow_schema

DIRECT = Origin("SELECT * FROM a.b", Form.DIRECT, "a.b", ("id",))
RERUN = Origin("SELECT count(*) FROM a.b", Form.RERUN, "a.b", (), "a notice")


class Tape:
    """Records rows into memory."""

    def __init__(self, origin: Origin = DIRECT) -> None:
        self.file = io.BytesIO()
        self.origin = origin
        self.writer = RecordingWriter(self.file, is_ordered=origin.form is Form.RERUN)

    def look(self, rows, at: float = 100.0) -> None:
        if (glance := self.writer.glance(rows)) is not None:
            self.writer.write(glance, self.origin, at=at)

    def end(self, at: float = 200.0) -> bytes:
        self.writer.end(at=at)
        return self.file.getvalue()


def read(data: bytes) -> list[Snapshot | RecordedChanges | RecordedEnd]:
    return list(read_recording(io.BytesIO(data), "x.arrows"))


def replayed(records) -> ReplayedRows:
    rows = None
    for record in records:
        if isinstance(record, Snapshot):
            rows = ReplayedRows(record)
        elif isinstance(record, RecordedChanges):
            assert rows is not None
            rows.hold(record)
            for step in record.steps:
                rows.apply(step)
    assert rows is not None
    return rows


def is_same(a: pa.Table, b: pa.Table) -> bool:
    """Cells of lists and structs may hold NaN, which equals itself here."""
    return a.schema.equals(b.schema) and repr(_cells(a)) == repr(_cells(b))


def _cells(rows: pa.Table) -> list[list]:
    columns = [part for column in rows.combine_chunks().columns for part in _parts(column)]
    return [column.to_pylist() for column in columns]


def _parts(column: pa.ChunkedArray) -> list[pa.Array]:
    """A struct's fields may have equal names, which makes no dict."""
    if not pa.types.is_struct(column.type):
        return [column]
    whole = column.combine_chunks()
    return [whole.is_null(), *whole.flatten()]


def state(rows) -> tuple:
    delta = rows.delta(-1)
    return rows.version, delta.row_ids, repr(_cells(delta.rows))


# Any rows, any changes.


def nothing_lost(store, since: int, tape: Tape) -> None:
    """The end of a replay is the recorded table, with its numbers, order and history."""
    found = replayed(read(tape.end()))
    assert state(found)[1:] == state(store)[1:]
    # A version with which nothing changed is not told.
    assert found.version == store.version or tape.origin is RERUN
    assert (found.shown, found.num_rows) == (store.shown, store.num_rows)
    assert is_same(found.arrow(), store.arrow())
    (before, _), (after, _) = store.steps(since), found.steps(since)
    expected = change_table(before, store.schema)
    assert is_same(change_table(after, found.schema).cast(expected.schema), expected)


_VERSIONS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["set", "gone"]), st.text(max_size=3)), max_size=4),
        st.booleans(),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(_VERSIONS)
@pytest.mark.slow
def test_any_changes_of_keyed_rows(versions):
    store, tape, seq = make_store(), Tape(), 10
    store.load(table(("1", "a", 1, "1"), ("2", "b", 2, "2")))
    tape.look(store)
    since = store.version
    for changes, is_seen in versions:
        events = []
        for key, kind, body in changes:
            seq += 1
            events.append(delete(key, seq) if kind == "gone" else update(key, seq, body=body, n=seq))
        store.apply(events, at=seq / 7)
        if is_seen:
            tape.look(store)
    tape.look(store)
    assert tape.writer.gaps == 0
    nothing_lost(store, since, tape)


RESULTS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", None]), st.sampled_from([0.0, 1.0, math.nan]))),
        st.booleans(),
    ),
    max_size=8,
)
SAME_NAME = (Column("x", "Text"), Column("x", "Double"))


def result(rows, columns=SAME_NAME) -> pa.Table:
    cells = [pa.array([row[index] for row in rows], kind) for index, kind in enumerate((pa.string(), pa.float64()))]
    return pa.Table.from_arrays(cells, schema=arrow_schema(columns))


@settings(deadline=None)
@given(RESULTS, st.booleans())
@pytest.mark.slow
def test_any_results_that_are_run_again(results, has_key):
    columns = (Column("y", "Text"), SAME_NAME[1]) if has_key else SAME_NAME
    store = ResultStore(columns, key=("y",) if has_key else (), rows=result([("a", 0.0)], columns))
    tape = Tape(RERUN)
    tape.look(store)
    since = store.version
    for number, (rows, is_seen) in enumerate(results):
        store.load(result(rows, columns), at=float(number))
        if is_seen:
            tape.look(store, at=float(number))
    tape.look(store, at=99.0)
    nothing_lost(store, since, tape)


@settings(deadline=None)
@given(st.permutations(range(7)), st.permutations(range(7)), st.sets(st.integers(0, 6)))
def test_rows_that_only_move(first, second, gone):
    tape = Tape(RERUN)
    store = ResultStore(SAME_NAME, key=(), rows=result([(str(row), 0.0) for row in first]))
    tape.look(store)
    store.load(result([(str(row), 0.0) for row in second if row not in gone]))
    tape.look(store)
    assert state(replayed(read(tape.end())))[1:] == state(store)[1:]


def test_few_rows_are_told_when_one_moves():
    tape = Tape(RERUN)
    store = ResultStore(SAME_NAME, key=(), rows=result([(str(row), 0.0) for row in range(100)]))
    tape.look(store)
    store.load(result([("99", 0.0), *((str(row), 0.0) for row in range(99))]))
    tape.look(store, at=7.0)
    _, changes, _ = read(tape.end())
    (step,) = changes.steps
    assert (step.rows, step.places, step.at) == (((99, None, 0),), {99: 0}, 7.0)


# Types.

_MOMENTS = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)).map(lambda at: at.replace(tzinfo=dt.UTC))
#: To results, the two zeros are one.
_FLOATS, _DOUBLES = st.floats(width=32).map(lambda value: value + 0.0), st.floats().map(lambda value: value + 0.0)
_BY_TYPE = {
    Column("c", "Boolean"): st.booleans(),
    Column("c", "SmallInt"): st.integers(-(2**15), 2**15 - 1),
    Column("c", "Int"): st.integers(-(2**31), 2**31 - 1),
    Column("c", "BigInt"): st.integers(-(2**63), 2**63 - 1),
    Column("c", "Float"): _FLOATS,
    Column("c", "Double"): _DOUBLES,
    Column("c", "Text"): st.text(st.characters(exclude_categories=["Cs"])),
    Column("c", "Json"): st.just('{"a": 1}'),
    Column("c", "File"): st.just('{"id": "1"}'),
    Column("c", "Bytes"): st.binary(),
    Column("c", "Uuid"): st.uuids().map(lambda value: value.bytes),
    Column("c", "Timestamp"): _MOMENTS,
    Column("c", "DateTime"): _MOMENTS,
    Column("c", "Date"): st.dates(),
    Column("c", "Time"): st.times(),
    Column("c", "Decimal", 38, 2): st.integers(-(10**37), 10**37).map(lambda n: decimal.Decimal(n).scaleb(-2)),
    Column("c", "Embedding", size=3): st.lists(_FLOATS, min_size=3, max_size=3),
    Column("c", "Decimal", 60, 2): st.integers(-(10**37), 10**37).map(lambda n: decimal.Decimal(n).scaleb(-2)),
    Column("c", "Unheard", flags=("nn",)): st.text(max_size=3),
}


@pytest.mark.parametrize("column", _BY_TYPE, ids=lambda column: column.sql_type)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_type_comes_back_as_it_was(column, data):
    cells = data.draw(st.lists(st.none() | _BY_TYPE[column], max_size=5))
    schema = arrow_schema((column, column))

    def rows(values) -> pa.Table:
        kind = schema.types[0]
        if column.type_name == "Uuid":
            array = pa.ExtensionArray.from_storage(kind, pa.array(values, pa.binary(16)))
        else:
            array = pa.array(values, kind)
        return pa.Table.from_arrays([array, array], schema=schema)

    store = ResultStore((column, column), key=(), rows=rows(cells[:2]))
    tape = Tape(RERUN)
    tape.look(store)
    since = store.version
    store.load(rows(cells[2:]))
    tape.look(store)
    found = read(tape.file.getvalue())
    assert found[0].rows.schema.equals(schema, check_metadata=True)
    nothing_lost(store, since, tape)


# The file.


def a_recording() -> tuple[bytes, list[tuple]]:
    """A recording with a gap, and the states that it went through."""
    store, tape = make_store(), Tape()
    store.load(table(("1", "a", 1, "10"), ("2", "b", 2, "11")))
    states = []

    def look():
        tape.look(store)
        states.append(state(store))

    look()
    store.apply([insert(3, 12), delete(1, 13)], at=101.0)
    look()
    store._history.forget(store.version)
    store.apply([insert(4, 14)], at=102.0)
    store._history.forget(store.version)
    look()
    store.apply([update(4, 15, body="z", n=None)], at=103.25)
    look()
    return tape.end(), states


def test_what_any_arrow_library_sees():
    data, _ = a_recording()
    found = ipc.open_stream(data).read_all()
    assert found.schema.names == ["_change", "_healed", "_at", "_seq", "_version", "_row", "_place", "id", "body", "n"]
    assert found.column("_change").to_pylist() == [
        "start", "snapshot", "snapshot", "inserted", "deleted", "gap", *["snapshot"] * 3, "updated", "end",
    ]  # fmt: skip
    rows = found.to_pylist()
    assert {name: rows[4][name] for name in ("id", "body", "_row", "_seq")} == {
        "id": 1, "body": "a", "_row": 0, "_seq": 13,
    }  # fmt: skip
    assert (rows[9]["_at"], rows[9]["n"]) == (dt.datetime(1970, 1, 1, 0, 1, 43, 250_000, tzinfo=dt.UTC), None)
    assert all(rows[at][name] is None for at in (0, 5, 10) for name in ("_row", "id", "body", "n"))
    told = json.loads(found.schema.metadata[RECORDING])
    assert (told["sql"], told["format"], told["columns"][0]["flags"]) == (DIRECT.sql, FORMAT, ["pk", "nn", "uq"])


def test_records():
    data, states = a_recording()
    snapshot, changes, gap, update, end = read(data)
    assert (snapshot.origin, snapshot.row_ids, snapshot.at, snapshot.is_gap) == (DIRECT, (0, 1), 100.0, False)
    assert [step.at for step in (*changes.steps, *update.steps)] == [101.0, 103.25]
    assert (gap.is_gap, gap.row_ids, end) == (True, (1, 2, 3), RecordedEnd(200.0))
    assert [state(replayed(read(data)[: index + 1])) for index in range(4)] == states


@pytest.mark.slow
def test_a_file_that_breaks_off_anywhere_is_read_up_to_its_last_whole_record():
    data, states = a_recording()
    reached = []
    for size in range(len(data)):
        records = None
        with contextlib.suppress(RecordingError):
            *records, end = read(data[:size])
        if records is None:
            assert not reached, "only before the first rows there is nothing to be read"
            continue
        reached.append(state(replayed(records)))
        assert end.at is None or size > len(data) - 9  # What is missing is the mark of the end at most.
    assert list(dict.fromkeys(reached)) == states


def test_an_empty_table():
    store, tape = make_store(), Tape()
    tape.look(store)
    store.apply([insert(1, 10)], at=101.0)
    tape.look(store)
    found = replayed(read(tape.end()))
    assert state(found) == state(store)
    assert state(replayed(read(tape.file.getvalue())[:1]))[1] == ()


def test_a_snapshot_of_several_batches_is_there_whole_or_not_at_all():
    store, tape = make_store(), Tape()
    store.load(table(("1", "a", 1, "10"), ("2", "b", 2, "11")))
    tape.look(store)
    stream = ipc.open_stream(tape.end())
    batches = [stream.read_next_batch_with_custom_metadata() for _ in range(2)]
    assert [metadata is not None and MORE in metadata for _, metadata in batches] == [True, False]
    sink = io.BytesIO()
    with ipc.new_stream(sink, stream.schema) as writer:
        writer.write_batch(batches[0][0], custom_metadata={MORE: b"1"})
        writer.write_batch(batches[1][0].slice(0, 1), custom_metadata={MORE: b"1"})
        middle = len(sink.getvalue())
        writer.write_batch(batches[1][0].slice(1))
    assert state(replayed(read(sink.getvalue()))) == state(store)
    with pytest.raises(RecordingError, match="before its first rows"):
        read(sink.getvalue()[:middle])


def test_other_columns_go_on_in_another_stream():
    store, tape = make_store(), Tape()
    store.load(table(("1", "a", 1, "10")))
    tape.look(store)
    columns = (Column("id", "BigInt", flags=("pk",)), Column("_seq", "BigInt"))
    other = KeyedStore(columns, key="id", visible=["id"], version=store.version, next_row_id=store.next_row_id)
    other.apply([insert(7, 20)], at=101.0)
    tape.look(other)
    other.apply([insert(8, 21)], at=102.0)
    tape.look(other)
    records = read(tape.end())
    assert [type(record) for record in records] == [Snapshot, Snapshot, RecordedChanges, RecordedEnd]
    assert records[1].is_gap
    found = replayed(records)
    assert state(found) == state(other)
    assert (found.schema.names, found.shown) == (["id"], other.shown)


def test_nothing_is_written_while_nothing_happens():
    store, tape = make_store(), Tape()
    tape.look(store)
    size = len(tape.file.getvalue())
    tape.look(store)
    assert len(tape.file.getvalue()) == size


def rewritten(change, *, metadata=None, at=slice(None)) -> bytes:
    """The recording with its columns changed."""
    stream = ipc.open_stream(a_recording()[0])
    schema = stream.schema if metadata is None else stream.schema.with_metadata(metadata)
    sink = io.BytesIO()
    writer = None
    for batch in list(stream)[at]:
        rows = change(batch)
        rows = rows.replace_schema_metadata(schema.metadata)
        writer = writer or ipc.new_stream(sink, rows.schema)
        writer.write_batch(rows)
    writer.close()
    return sink.getvalue()


def same(batch):
    return batch


def with_column(name, value):
    def change(batch):
        index = batch.schema.get_field_index(name)
        cells = pa.array([value] * batch.num_rows, batch.schema.types[index])
        return batch.set_column(index, batch.schema.field(index), cells)

    return change


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"id,name\n1,x\n" * 100, "no recording of a live table"),
        (rewritten(same, metadata={}), "an Arrow file, but no recording"),
        (rewritten(same, metadata={RECORDING: b'{"format": 2, "columns": []}'}), "has the format 2"),
        (rewritten(same, metadata={RECORDING: b"[]"}), "description is damaged"),
        (rewritten(same, metadata={RECORDING: b'{"format": 1, "columns": []}'}), "description is damaged"),
        (rewritten(lambda batch: batch.select([0, *range(2, 10)])), "not those of a recording"),
        (rewritten(lambda batch: batch.select(range(9))), "not those that it describes"),
        (rewritten(lambda batch: batch.slice(0, 0)), "a record is empty"),
        (rewritten(with_column("_change", "strange")), "strange"),
        (rewritten(with_column("_change", None)), "None"),
        (rewritten(with_column("_row", None), at=slice(2, 3)), "a row has no number"),
        (rewritten(with_column("_at", None)), "NoneType"),
        (rewritten(with_column("_at", 2**63 - 1)), "a time is beyond the year 9999"),
        (rewritten(with_column("_at", -(2**63))), "a time is beyond the year 9999"),
        (rewritten(with_column("_change", "start")), "a snapshot holds other rows"),
    ],
)
def test_files_that_are_none(data, words):
    with pytest.raises(RecordingError, match=words) as caught:
        read(data)
    assert (caught.value.path, str(caught.value)) == ("x.arrows", f"x.arrows: {caught.value.reason}")


def test_damage_inside_is_told_and_never_followed():
    data, _ = a_recording()
    told = 0
    for index in range(0, len(data) - 8, 7):
        damaged = bytearray(data)
        damaged[index] ^= 0xFF
        try:
            found = state(replayed(read(bytes(damaged))))
        except (RecordingError, ValueError, AssertionError):
            told += 1  # No rows at all, or told.
        else:
            assert len(found) == 3
    assert told


def test_steps_that_do_not_fit_the_rows():
    _, changes, _, update, _ = records = read(a_recording()[0])
    rows = replayed(records[:1])
    rows.hold(update)
    with pytest.raises(ValueError, match="row 3 is not there"):
        rows.apply(update.steps[0])
    rows.hold(changes)
    rows.apply(changes.steps[0])
    with pytest.raises(ValueError, match="comes after"):
        rows.apply(changes.steps[0])


@pytest.mark.parametrize("places", [{0: 0, 1: 0}, {9: 0}, {0: 5}])
def test_places_that_do_not_fit_the_rows(places):
    with pytest.raises(ValueError, match="place"):
        rows_module._rearranged([0, 1], places)


# Replayed rows.


def test_rows_are_gathered_when_most_are_dead(monkeypatch):
    monkeypatch.setattr(rows_module, "_MAX_DEAD_ROWS", 3)
    monkeypatch.setattr(rows_module, "_MAX_BATCHES", 2)
    store, tape = make_store(), Tape()
    tape.look(store)
    for number in range(40):
        store.apply(
            [update(key, 3 * number + key + 1, body=f"{number}", n=number) for key in range(3)], at=float(number)
        )
        if number % 3 == 0:
            tape.look(store)
    tape.look(store)
    rows = None
    for record in read(tape.end()):
        if isinstance(record, Snapshot):
            rows = ReplayedRows(record)
        elif isinstance(record, RecordedChanges):
            rows.hold(record)
            for step in record.steps:
                rows.apply(step)
                rows.arrow()
    assert state(rows) == state(store)
    assert is_same(change_table(rows.steps(0)[0], rows.schema), change_table(store.steps(0)[0], store.schema))
    assert len(rows._chunks) < 20


def test_deltas_of_a_replay():
    records = read(a_recording()[0])
    rows = replayed(records[:1])
    start = rows.version
    rows.hold(records[1])
    rows.apply(records[1].steps[0])
    delta = rows.delta(start)
    assert (delta.reset, delta.row_ids, delta.inserted, delta.removed) == (False, (2,), frozenset({2}), (0,))
    assert delta.rows.column("id").to_pylist() == [3]
    assert rows.delta(rows.version).row_ids == ()
    rows.load(records[2])
    assert rows.delta(start).reset
    assert rows.steps(start) == ([], False)


def test_kinds_are_words():
    assert len(set(KINDS)) == len(KINDS)
